"""What the processes of one cluster say to each other, as JSON.

The daemon and a node's PID 1 share a SOCK_SEQPACKET pair, one message a packet. Clients speak to the daemon's control
socket in lines: one Request, answered by any number of Reports and then one Answer; a request with `follow` never gets its
Answer but a Report of every change until the client hangs up.
"""

from __future__ import annotations

import msgspec

from cluster.lifecycle import Service

PACKET_BYTES_MAX = 128 * 1024
LINE_BYTES_MAX = 1024 * 1024


class ServiceReport(msgspec.Struct, frozen=True, rename="camel", tag="service"):
    """A service changed. `pid` is the machine's view of it (0: it does not run), `exit_code` that of the last process."""

    node: str
    service: str
    state: str
    pid: int = 0
    starts: int = 0
    exit_code: int | None = None
    log_file: str = ""


class NodeReport(msgspec.Struct, frozen=True, rename="camel", tag="node"):
    """A node changed: `state` is running, stopping, stopped (orderly) or killed; `pid` is its PID 1 as the machine sees it."""

    node: str
    state: str
    pid: int = 0


Report = ServiceReport | NodeReport


class Meet(msgspec.Struct, frozen=True, tag="meet"):
    """To a node: `condition` holds."""

    condition: str


class Stop(msgspec.Struct, frozen=True, tag="stop"):
    """To a node: stop every service in order and end."""


class Run(msgspec.Struct, frozen=True, tag="run"):
    """To a node: carry out this one-shot service, report on it, and forget it."""

    service: Service


NodeCommand = Meet | Stop | Run


class PublishedSocket(msgspec.Struct, frozen=True, rename="camel"):
    descriptor: int
    node_port: int


class Warm(msgspec.Struct, frozen=True, tag="warm"):
    """Import these modules, for the processes that will be forked."""

    modules: tuple[str, ...]


class Boot(msgspec.Struct, frozen=True, rename="camel", tag="boot"):
    """Build the network and start every node of cluster.json; the inherited sockets are listening already."""

    api_descriptor: int
    published: tuple[PublishedSocket, ...]


class Commit(msgspec.Struct, frozen=True, tag="commit"):
    """The cluster is complete: it outlives the client that made it."""


class Follow(msgspec.Struct, frozen=True, tag="follow"):
    """Report the state of everything and every change from now on."""


class Status(msgspec.Struct, frozen=True, tag="status"):
    """Report the state of everything."""


class StartNode(msgspec.Struct, frozen=True, tag="start-node"):
    node: str


class StopNode(msgspec.Struct, frozen=True, tag="stop-node"):
    node: str


class KillNode(msgspec.Struct, frozen=True, tag="kill-node"):
    node: str


class LoadImages(msgspec.Struct, frozen=True, tag="load-images"):
    """Load these archives into every running node."""

    archives: tuple[str, ...]


Request = Warm | Boot | Commit | Follow | Status | StartNode | StopNode | KillNode | LoadImages


class Answer(msgspec.Struct, frozen=True, tag="answer"):
    """The end of a request; `error` is a sentence, empty when it was done."""

    error: str = ""


Response = ServiceReport | NodeReport | Answer


class Record(msgspec.Struct, frozen=True, rename="camel"):
    """A process as recorded on disk: pids are used again, so its start time tells whether it is still the same one."""

    pid: int
    start_ticks: int


class Processes(msgspec.Struct, frozen=True, rename="camel"):
    """/run/coxswain/NAME/processes.json: which processes belong to the cluster, for whoever must clean up after it."""

    boot_id: str
    daemon: Record
    nodes: dict[str, Record] = {}
