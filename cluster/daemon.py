"""The daemon of one local cluster: the warm parent of its processes and the one who answers questions about it.

It imports what the components need once and forks the nodes' first processes from that, holds the namespaces of the switch
and of each node, keeps the publisher running, and listens on the control socket. Until its creator says Commit, the
creator's hang-up means that nobody wants the cluster any more: the daemon then takes everything down and removes it. It
stays single-threaded and opens nothing of gRPC, so that forks are safe.
"""

from __future__ import annotations

import argparse
import contextlib
import gc
import importlib
import logging
import os
import selectors
import signal
import socket
import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

import msgspec

from cluster import cgroups, cleanup, namespaces, node_init, processes
from cluster.config import API_CONDITION, image_import
from cluster.errors import ClusterError
from cluster.lifecycle import Board, Life, Service, State
from cluster.messages import (
    LINE_BYTES_MAX,
    PACKET_BYTES_MAX,
    Answer,
    Boot,
    Commit,
    Follow,
    KillNode,
    LoadImages,
    Meet,
    NodeCommand,
    NodeReport,
    Processes,
    PublishedSocket,
    Report,
    Request,
    Run,
    ServiceReport,
    StartNode,
    Status,
    Stop,
    StopNode,
    Warm,
)
from cluster.paths import ClusterPaths
from cluster.record import ClusterRecord, read_record
from cluster.spec import NodeSpec
from cluster.supervise import Supervisor, close_all_but
from component_base import logs

log = logging.getLogger(__name__)

API_SERVICE = "apiserver"
PUBLISHER = "publisher"
CGROUP_TIMEOUT_S = 10.0
CLIENT_BUFFER_BYTES = 2 * 1024 * 1024

_encoder = msgspec.json.Encoder()
_requests = msgspec.json.Decoder(Request)
_reports = msgspec.json.Decoder(ServiceReport)

# A pending request: None while it goes on, else the sentence of its Answer ("": it is done).
Outcome = Callable[[], str | None]


@dataclass(slots=True)
class RunningNode:
    spec: NodeSpec
    pid: int
    network: int
    channel: socket.socket
    stopping: bool = False


@dataclass(slots=True)
class Connection:
    """A client of the control socket."""

    socket: socket.socket
    received: bytearray = field(default_factory=bytearray)
    follows: bool = False
    creator: bool = False


class Daemon:
    """One cluster's nodes, as processes of this machine."""

    def __init__(self, name: str, creator: socket.socket, lock: int) -> None:
        self._paths = ClusterPaths(name)
        self._lock: int | None = lock
        self._board = Board(())
        self._supervisor = Supervisor(
            self._board,
            self._paths.run,
            on_change=self._on_publisher_change,
            before_run=self._before_publisher,
            on_terminate=self.shut_down,
            on_reaped=self._on_reaped,
        )
        self._record: ClusterRecord | None = None
        self._switch = -1
        self._nodes: dict[str, RunningNode] = {}
        self._services: dict[tuple[str, str], ServiceReport] = {}
        self._node_states: dict[str, NodeReport] = {}
        self._conditions: set[str] = set()
        self._done_once: set[tuple[str, str]] = set()
        self._publisher_ends: tuple[socket.socket, socket.socket] | None = None  # ours, and the one it inherits
        self._connections: dict[int, Connection] = {}
        self._pending: list[tuple[Connection, Outcome]] = []
        self._hierarchies = cgroups.hierarchies()
        self._shutting_down = False
        self._loads = 0
        self._accept(creator, creator=True)
        self._listener = self._listen()

    def run(self) -> None:
        """Serve until the cluster is to end; no node runs any more when this returns."""
        self._write_processes()
        self._supervisor.run(until=lambda: self._shutting_down and not self._nodes and self._board.stopped)
        for connection in list(self._connections.values()):
            self._drop(connection)
        self._listener.close()
        if self._lock is not None:
            cleanup.remove_files(self._paths.name)

    def shut_down(self) -> None:
        """Kill every node and stop the publisher; `run` returns once they are gone."""
        self._shutting_down = True
        self._board.stop()
        for node in self._nodes.values():
            os.kill(node.pid, signal.SIGKILL)

    # Clients

    def _listen(self) -> socket.socket:
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
        listener.bind(str(self._paths.control_socket))
        listener.listen(16)
        self._supervisor.selector.register(listener, selectors.EVENT_READ, lambda: self._accept(listener.accept()[0]))
        return listener

    def _accept(self, client: socket.socket, *, creator: bool = False) -> None:
        # What a client is sent fits into its socket's buffer, or it does not read and is dropped.
        client.setblocking(False)
        client.setsockopt(socket.SOL_SOCKET, namespaces.SO_SNDBUFFORCE, CLIENT_BUFFER_BYTES)
        connection = Connection(client, creator=creator)
        self._connections[client.fileno()] = connection
        self._supervisor.selector.register(client, selectors.EVENT_READ, lambda: self._on_client(connection))

    def _drop(self, connection: Connection) -> None:
        if self._connections.pop(connection.socket.fileno(), None) is None:
            return
        self._supervisor.selector.unregister(connection.socket)
        connection.socket.close()
        self._pending = [(client, outcome) for client, outcome in self._pending if client is not connection]
        if connection.creator and self._lock is not None and not self._shutting_down:
            log.warning("the creator of this cluster has gone before it was complete, so it is taken down")
            self.shut_down()

    def _on_client(self, connection: Connection) -> None:
        try:
            data = connection.socket.recv(PACKET_BYTES_MAX)
        except ConnectionError:
            data = b""
        connection.received += data
        if not data or len(connection.received) > LINE_BYTES_MAX:
            self._drop(connection)
            return
        *lines, rest = connection.received.split(b"\n")
        connection.received = bytearray(rest)
        for line in lines:
            self._on_line(connection, bytes(line))

    def _on_line(self, connection: Connection, line: bytes) -> None:
        try:
            request = _requests.decode(line)
        except msgspec.DecodeError as error:
            self._send(connection, Answer(f"the request cannot be understood: {error}"))
            return
        try:
            outcome = self._carry_out(connection, request)
        except (OSError, ValueError, ClusterError) as error:
            log.exception("a request failed", extra={"request": type(request).__name__})
            outcome = _done(f"{error}")
        if outcome is not None:
            self._pending.append((connection, outcome))
            self._settle()

    def _carry_out(self, connection: Connection, request: Request) -> Outcome | None:
        """Begin `request`; None if it never gets an Answer."""
        match request:
            case Warm(modules):
                return _done(import_modules(modules))
            case Boot(api_descriptor, published):
                return self._boot(api_descriptor, published)
            case Commit():
                if self._lock is not None:
                    os.close(self._lock)
                    self._lock = None
                return _done()
            case Follow():
                connection.follows = True
                self._send_state(connection)
                return None
            case Status():
                self._send_state(connection)
                return _done()
            case StartNode(name):
                return self._start_again(name)
            case StopNode(name):
                return self._end_node(name, orderly=True)
            case KillNode(name):
                return self._end_node(name, orderly=False)
            case LoadImages(archives):
                return self._load_images(archives)

    def _send(self, connection: Connection, response: Report | Answer) -> None:
        if self._connections.get(connection.socket.fileno()) is not connection:
            return  # dropped
        try:
            data = _encoder.encode(response) + b"\n"
            if connection.socket.send(data) != len(data):
                raise BlockingIOError
        except (BlockingIOError, ConnectionError):
            self._drop(connection)

    def _send_state(self, connection: Connection) -> None:
        reports: list[Report] = [*self._node_states.values(), *self._services.values()]
        for report in reports:
            self._send(connection, report)

    def _publish_report(self, report: Report) -> None:
        if isinstance(report, NodeReport):
            self._node_states[report.node] = report
        else:
            self._services[report.node, report.service] = report
        for connection in [client for client in self._connections.values() if client.follows]:
            self._send(connection, report)

    def _settle(self) -> None:
        """Answer the pending requests that have come to an end."""
        waiting = []
        for connection, outcome in self._pending:
            error = outcome()
            if error is None:
                waiting.append((connection, outcome))
            else:
                self._send(connection, Answer(error))
        self._pending = waiting

    # Nodes

    def _boot(self, api_descriptor: int, published: Sequence[PublishedSocket]) -> Outcome:
        self._record = read_record(self._paths.record)
        self._switch = namespaces.new_switch()
        gc.collect()
        gc.freeze()  # the children share these pages as long as no collection writes to them
        if published:
            self._start_publisher(published)
        for node in self._record.spec.nodes():
            self._start_node(node)
        return _done()

    def _start_publisher(self, published: Sequence[PublishedSocket]) -> None:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._publisher_ends = ours, theirs
        listens = [f"--listen={entry.descriptor}:{entry.node_port}" for entry in published]
        self._board.add(
            Service(
                name=PUBLISHER,
                module="cluster.publisher",
                arguments=(f"--channel={theirs.fileno()}", *listens),
                environment=dict(os.environ),
                log_file=str(self._paths.state / "publisher.log"),
                listen_fds=(theirs.fileno(), self._switch, *(entry.descriptor for entry in published)),
            )
        )

    def _on_publisher_change(self, life: Life) -> None:
        if life.state is State.READY:
            self._tell_publisher()

    def _tell_publisher(self) -> None:
        if self._publisher_ends is not None:
            ips = [node.spec.ip for node in self._nodes.values()]
            with contextlib.suppress(BlockingIOError):  # a publisher that hangs is told again at the next change
                self._publisher_ends[0].send(_encoder.encode(ips), socket.MSG_DONTWAIT)

    def _before_publisher(self, service: Service) -> None:
        namespaces.die_with_parent()
        namespaces.set_process_name(f"{node_init.PROCESS_NAME_PREFIX}{service.name}")
        namespaces.setns(self._switch, namespaces.CLONE_NEWNET)

    def _start_node(self, spec: NodeSpec) -> None:
        name, own = self._paths.name, self._paths.node(spec.name)
        group = cgroups.node_group(name, spec.name)
        cgroups.remove(self._hierarchies, group, CGROUP_TIMEOUT_S)  # what an earlier life of the node left
        cgroups.create(self._hierarchies, name, spec.name)
        services = tuple(
            service
            for service in node_init.read_services(own.services_file)
            if (spec.name, service.name) not in self._done_once
        )
        network = namespaces.new_node_network(self._switch, spec)
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        start = node_init.NodeStart(
            node=spec.name,
            group=group,
            network=network,
            channel=theirs,
            services=services,
            conditions=frozenset(self._conditions),
            paths=own,
            hierarchies=self._hierarchies,
        )
        try:
            pid = namespaces.fork_first_process()
        except OSError:
            os.close(network)
            ours.close()
            theirs.close()
            raise
        if pid == 0:
            self._become_node(start)
        theirs.close()
        node = RunningNode(spec, pid, network, ours)
        self._nodes[spec.name] = node
        self._supervisor.selector.register(ours, selectors.EVENT_READ, lambda: self._on_node(node))
        self._write_processes()
        self._publish_report(NodeReport(spec.name, "running", pid))
        self._tell_publisher()

    def _become_node(self, start: node_init.NodeStart) -> None:
        """The child's side: give up what belongs to the daemon, then be PID 1; does not return."""
        try:
            kept = {service_fd for service in start.services for service_fd in service.listen_fds}
            close_all_but({0, 1, 2, start.network, start.channel.fileno(), *kept})
            signal.set_wakeup_fd(-1)
            node_init.run(start)
        except BaseException:
            log.exception("a node could not start", extra={"node": start.node})
        finally:
            os._exit(1)

    def _on_node(self, node: RunningNode) -> None:
        try:
            packet = node.channel.recv(PACKET_BYTES_MAX)
        except ConnectionError:
            packet = b""
        if not packet:
            # Its PID 1 is ending; the reaping that follows says how.
            self._supervisor.selector.unregister(node.channel)
            node.channel.close()
            return
        report = _reports.decode(packet)
        if report.state == State.DONE:
            self._done_once.add((report.node, report.service))
        self._publish_report(report)
        if report.service == API_SERVICE and report.state == State.READY and API_CONDITION not in self._conditions:
            self._conditions.add(API_CONDITION)
            self._tell(self._nodes.values(), Meet(API_CONDITION))
        self._settle()

    def _tell(self, nodes: Iterable[RunningNode], command: NodeCommand) -> None:
        for node in nodes:
            with contextlib.suppress(OSError):  # it is about to be reaped
                node.channel.send(_encoder.encode(command))

    def _on_reaped(self, pid: int, code: int) -> None:
        node = next((node for node in self._nodes.values() if node.pid == pid), None)
        if node is None:
            return
        name = node.spec.name
        while node.channel.fileno() >= 0:
            self._on_node(node)  # its last words
        del self._nodes[name]
        os.close(node.network)
        namespaces.remove_node_port(self._switch, node.spec)
        for (owner, service), report in list(self._services.items()):
            if owner == name:
                self._publish_report(msgspec.structs.replace(report, state=State.STOPPED, pid=0))
                del self._services[owner, service]
        orderly = node.stopping and code == 0
        log.info("a node has ended", extra={"node": name, "code": code})
        self._publish_report(NodeReport(name, "stopped" if orderly else "killed"))
        self._write_processes()
        self._tell_publisher()
        self._settle()

    def _start_again(self, name: str) -> Outcome:
        spec = self._known_node(name)
        if name in self._nodes:
            return _done(f"node {name!r} is running already")
        self._start_node(spec)
        return _done()

    def _end_node(self, name: str, *, orderly: bool) -> Outcome:
        self._known_node(name)
        node = self._nodes.get(name)
        if node is None:
            return _done(f"node {name!r} is not running")
        if orderly:
            node.stopping = True
            self._tell([node], Stop())
            self._publish_report(NodeReport(name, "stopping", node.pid))
        else:
            os.kill(node.pid, signal.SIGKILL)
        return lambda: "" if self._nodes.get(name) is not node else None

    def _known_node(self, name: str) -> NodeSpec:
        if self._record is None:
            raise ValueError("the cluster is not booted yet")
        return self._record.spec.node(name)

    def _load_images(self, archives: Sequence[str]) -> Outcome:
        record = self._record
        if record is None or not self._nodes:
            return _done("no node of the cluster is running")
        awaited: list[tuple[RunningNode, str]] = []
        for archive in archives:
            self._loads += 1
            name = f"load-image-{self._loads}"
            for node in self._nodes.values():
                own = self._paths.node(node.spec.name)
                self._tell([node], Run(image_import(name, archive, own, record.snapshotter, attempts=1)))
                awaited.append((node, name))
        return lambda: self._loaded(awaited)

    def _loaded(self, awaited: list[tuple[RunningNode, str]]) -> str | None:
        for node, name in awaited:
            report = self._services.get((node.spec.name, name))
            if self._nodes.get(node.spec.name) is not node:
                return f"node {node.spec.name} ended while it loaded images"
            if report is None or report.state not in {State.DONE, State.FAILED}:
                return None
        failed = [(node, name) for node, name in awaited if self._services[node.spec.name, name].state == State.FAILED]
        for node, name in awaited:
            self._services.pop((node.spec.name, name), None)
        if not failed:
            return ""
        node = failed[0][0]
        return f"node {node.spec.name} could not load an image; see {self._paths.node(node.spec.name).log_file('images')}"

    def _write_processes(self) -> None:
        known = Processes(
            boot_id=processes.boot_id(),
            daemon=processes.record(os.getpid()),
            nodes={name: processes.record(node.pid) for name, node in self._nodes.items()},
        )
        partial = self._paths.processes.with_suffix(".partial")
        partial.write_bytes(_encoder.encode(known))
        partial.replace(self._paths.processes)


def _done(error: str = "") -> Outcome:
    return lambda: error


def import_modules(modules: Iterable[str]) -> str:
    """Import each module; the sentence about the first that cannot be, "" if all can."""
    for module in modules:
        try:
            importlib.import_module(module)
        except ImportError as error:
            log.exception("a module cannot be imported", extra={"module_name": module})
            return f"{module} cannot be imported: {error}"
    return ""


def main(argv: Sequence[str] | None = None) -> int:
    """Entry point; `create` starts it with the descriptors of its own end and of the cluster's lock."""
    parser = argparse.ArgumentParser(prog="cluster.daemon")
    parser.add_argument("--cluster", required=True)
    parser.add_argument("--creator", type=int, required=True)
    parser.add_argument("--lock", type=int, required=True)
    options = parser.parse_args(argv)
    logs.configure()
    namespaces.set_process_name(f"{node_init.PROCESS_NAME_PREFIX}{options.cluster}")
    Daemon(options.cluster, socket.socket(fileno=options.creator), options.lock).run()
    return 0


if __name__ == "__main__":
    sys.exit(main())
