"""PID 1 of a local node: enters the node's namespaces, then supervises its services and answers to the daemon.

It is forked from the daemon and dies with it, and everything in the node dies with PID 1: that is the kernel's rule for pid
namespaces, and what makes `node kill` as sudden as pulling a plug. An orderly stop ends the services in order first, then
asks the remaining processes (containers and their shims) to go.
"""

from __future__ import annotations

import contextlib
import os
import selectors
import signal
import socket
import time
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

import msgspec

from cluster import cgroups, namespaces, paths
from cluster.lifecycle import Board, Life, Service, State
from cluster.messages import PACKET_BYTES_MAX, Meet, NodeCommand, Run, ServiceReport, Stop
from cluster.supervise import Supervisor

REMAINING_GRACE_S = 3.0
REMAINING_POLL_S = 0.02
PROCESS_NAME_PREFIX = "cox-"

_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder(NodeCommand)


@dataclass(frozen=True, slots=True)
class NodeStart:
    """What a node's PID 1 is given: its name and group, its network, its end of the channel, and its services."""

    node: str
    group: str
    network: int
    channel: socket.socket
    services: tuple[Service, ...]
    conditions: frozenset[str]
    paths: paths.NodePaths
    hierarchies: tuple[cgroups.Hierarchy, ...]


def run(start: NodeStart) -> NoReturn:
    """Be PID 1 of the node until it is stopped; call it in the child of `namespaces.fork_first_process`."""
    namespaces.die_with_parent()
    namespaces.set_process_name(f"{PROCESS_NAME_PREFIX}{start.node}")
    os.setsid()
    machine_proc = os.open("/proc", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    cgroups.enter(start.hierarchies, f"{start.group}/{cgroups.SERVICES}")
    namespaces.enter_node(start.network, start.node, start.paths.cni_state)
    os.close(start.network)
    Node(start, machine_proc).run()
    end_remaining()
    os._exit(0)


class Node:
    """The services of one node and the conversation with the daemon about them."""

    def __init__(self, start: NodeStart, machine_proc: int) -> None:
        self._start = start
        self._machine_proc = machine_proc
        self._board = Board(start.services)
        for condition in start.conditions:
            self._board.meet(condition)
        self._temporary: set[str] = set()
        self._supervisor = Supervisor(self._board, paths.NODE_NOTIFY, on_change=self._on_change, before_run=_name_process)

    def run(self) -> None:
        self._supervisor.selector.register(self._start.channel, selectors.EVENT_READ, self._on_command)
        self._supervisor.run()

    def _on_command(self) -> None:
        packet = self._start.channel.recv(PACKET_BYTES_MAX)
        if not packet:
            os._exit(1)  # the daemon is gone, and the node with it
        match _decoder.decode(packet):
            case Meet(condition):
                self._board.meet(condition)
            case Stop():
                self._board.stop()
            case Run(service):
                self._forget_finished()
                self._temporary.add(service.name)
                self._board.add(service)

    def _forget_finished(self) -> None:
        for name in [name for name in self._temporary if self._board.lives[name].state in {State.DONE, State.FAILED}]:
            self._supervisor.forget(name)
            self._temporary.discard(name)

    def _on_change(self, life: Life) -> None:
        service = life.service
        report = ServiceReport(
            node=self._start.node,
            service=service.name,
            state=life.state,
            pid=self._machine_pid(self._supervisor.pids.get(service.name, 0)),
            starts=life.starts,
            exit_code=life.exit_code,
            log_file=service.log_file,
        )
        self._start.channel.send(_encoder.encode(report))

    def _machine_pid(self, pid: int) -> int:
        """`pid` as processes outside this pid namespace see it; 0 if it has just ended."""
        if not pid:
            return 0
        try:
            handle = os.pidfd_open(pid)
        except ProcessLookupError:
            return 0
        try:
            info = os.open(f"self/fdinfo/{handle}", os.O_RDONLY, dir_fd=self._machine_proc)
            with os.fdopen(info) as stream:
                return parse_pidfd_info(stream.read())
        finally:
            os.close(handle)


def parse_pidfd_info(text: str) -> int:
    """The pid in /proc/self/fdinfo of a pidfd, as the mounted /proc sees it (-1 there, 0 here: it has ended)."""
    for line in text.splitlines():
        name, _, value = line.partition(":")
        if name == "Pid":
            return max(0, int(value))
    return 0


def end_remaining() -> None:
    """Ask every other process of this pid namespace to end, and give it a moment; the kernel kills what stays."""
    give_up_at = time.monotonic() + REMAINING_GRACE_S
    with contextlib.suppress(ProcessLookupError):
        os.kill(-1, signal.SIGTERM)
    while time.monotonic() < give_up_at:
        try:
            pid, _ = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return
        if pid == 0:
            time.sleep(REMAINING_POLL_S)


def _name_process(service: Service) -> None:
    namespaces.set_process_name(f"{PROCESS_NAME_PREFIX}{service.name}")


def read_services(path: Path) -> tuple[Service, ...]:
    """The services of services.json."""
    return msgspec.json.decode(path.read_bytes(), type=tuple[Service, ...])


def write_services(path: Path, services: tuple[Service, ...]) -> None:
    path.write_bytes(msgspec.json.format(_encoder.encode(services), indent=1))
