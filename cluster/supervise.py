"""Keeps the services of one `Board` running: processes, logs, readiness, zombies. Single-threaded, usable as PID 1.

The board decides, this carries out: it spawns and signals, reports what ended or became ready, and sleeps until the next
deadline. Others may register descriptors with `selector`; the data of each is called with no argument when it is readable.
A service is either executed (posix_spawn) or forked from this process, whose imported modules it shares; a forked one closes
every descriptor but those it is said to keep. Output goes straight to the log file, so a service never waits for its
supervisor; a log over LOG_BYTES_MAX is copied aside and cut. Processes that are not services (containerd's shims, which end
up as children of PID 1) are reaped and otherwise left alone.
"""

from __future__ import annotations

import contextlib
import importlib
import os
import selectors
import shutil
import signal
import socket
import sys
import time
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NoReturn

from cluster.lifecycle import Board, Life, Service, Signal, Spawn, State

LOG_BYTES_MAX = 10 * 1024 * 1024
LOG_CHECK_INTERVAL_S = 10.0
SPAWN_FAILED = 127
CAUGHT_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGCHLD)
NOTIFY_BYTES_MAX = 4096


class Supervisor:
    """The running side of `board`.

    `on_change` hears of every change of a service's state; `before_run` is called in each forked child before its module
    runs; `on_terminate` when this process is asked to end (the default is an orderly stop); `on_reaped` of children that
    are not services: pid and exit code.
    """

    def __init__(
        self,
        board: Board,
        notify_directory: Path,
        *,
        on_change: Callable[[Life], None] = lambda life: None,
        before_run: Callable[[Service], None] = lambda service: None,
        on_terminate: Callable[[], None] | None = None,
        on_reaped: Callable[[int, int], None] = lambda pid, code: None,
    ) -> None:
        self.board = board
        self.selector = selectors.DefaultSelector()
        self.pids: dict[str, int] = {}
        self._notify_directory = notify_directory
        self._on_change = on_change
        self._before_run = before_run
        self._on_terminate = on_terminate or board.stop
        self._on_reaped = on_reaped
        self._notify_sockets: dict[str, socket.socket] = {}
        self._reported: dict[str, tuple[State, int]] = {}
        self._logs_checked_at = time.monotonic()
        self._terminating = False

    def run(self, until: Callable[[], bool] | None = None) -> None:
        """Supervise until every service has been stopped, or `until` says so."""
        done = until or (lambda: self.board.stopped)
        with self._signals():
            while True:
                self._act()
                if done():
                    return
                for key, _ in self.selector.select(self._timeout_s()):
                    key.data()
                self._reap()

    @contextlib.contextmanager
    def _signals(self) -> Iterator[None]:
        reader, writer = socket.socketpair()
        reader.setblocking(False)
        writer.setblocking(False)
        before = {number: signal.signal(number, lambda number, frame: None) for number in CAUGHT_SIGNALS}
        previous = signal.set_wakeup_fd(writer.fileno(), warn_on_full_buffer=False)
        self.selector.register(reader, selectors.EVENT_READ, lambda: self._on_signals(reader))
        try:
            self._reap()  # what ended before the signals were caught
            yield
        finally:
            self.selector.unregister(reader)
            signal.set_wakeup_fd(previous)
            for number, handler in before.items():
                signal.signal(number, handler)
            reader.close()
            writer.close()

    def _on_signals(self, reader: socket.socket) -> None:
        numbers = reader.recv(NOTIFY_BYTES_MAX)
        if not self._terminating and (signal.SIGTERM in numbers or signal.SIGINT in numbers):
            self._terminating = True
            self._on_terminate()

    def _timeout_s(self) -> float:
        now = time.monotonic()
        deadlines = [self._logs_checked_at + LOG_CHECK_INTERVAL_S]
        if (deadline := self.board.next_deadline()) is not None:
            deadlines.append(deadline)
        return max(0.0, min(deadlines) - now)

    def _act(self) -> None:
        """Carry out what is due and report it, until nothing more follows from either."""
        while True:
            actions = self.board.due(time.monotonic())
            for action in actions:
                match action:
                    case Spawn(name):
                        self._spawn(self.board.lives[name].service)
                    case Signal(name, number):
                        self._signal(name, number)
            if not self._report() and not actions:
                break
        if time.monotonic() - self._logs_checked_at >= LOG_CHECK_INTERVAL_S:
            self._logs_checked_at = time.monotonic()
            self._trim_logs()

    def _report(self) -> bool:
        """Tell of each service whose state is not the one told last; whether there was any."""
        changed = [life for life in self.board.lives.values() if self._reported.get(life.service.name) != _seen(life)]
        for life in changed:
            self._reported[life.service.name] = _seen(life)
            self._on_change(life)
        return bool(changed)

    def forget(self, name: str) -> None:
        """Drop a service that has ended for good."""
        self.board.remove(name)
        self._reported.pop(name, None)

    def _spawn(self, service: Service) -> None:
        notify = self._notify_socket(service) if service.notify else None
        environment = {**service.environment, "NOTIFY_SOCKET": notify} if notify else dict(service.environment)
        try:
            if service.argv:
                pid = _execute(service, environment)
            else:
                pid = os.fork()
                if pid == 0:
                    _run_forked(service, environment, self._before_run)
        except OSError as error:
            _append(service.log_file, f"could not start {service.name}: {error}\n")
            self.board.on_exit(service.name, SPAWN_FAILED, time.monotonic())
            return
        self.pids[service.name] = pid
        if not service.notify and not service.oneshot:
            self.board.on_ready(service.name)

    def _notify_socket(self, service: Service) -> str:
        address = str(self._notify_directory / f"{service.name}.sock")
        receiver = self._notify_sockets.get(service.name)
        if receiver is None:
            receiver = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
            receiver.bind(address)
            self._notify_sockets[service.name] = receiver
            self.selector.register(receiver, selectors.EVENT_READ, lambda: self._on_notify(service.name))
        _drain(receiver)  # what the previous process of this service may have left
        return address

    def _on_notify(self, name: str) -> None:
        messages = _drain(self._notify_sockets[name])
        if any("READY=1" in message.splitlines() for message in messages):
            self.board.on_ready(name)

    def _signal(self, name: str, number: signal.Signals) -> None:
        pid = self.pids.get(name)
        if pid is not None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)

    def _reap(self) -> None:
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            code = os.waitstatus_to_exitcode(status)
            name = next((name for name, known in self.pids.items() if known == pid), None)
            if name is None:
                self._on_reaped(pid, code)
                continue
            del self.pids[name]
            self.board.on_exit(name, code, time.monotonic())

    def _trim_logs(self) -> None:
        for path in {life.service.log_file for life in self.board.lives.values() if life.service.log_file}:
            trim_log(Path(path))


def _seen(life: Life) -> tuple[State, int]:
    return life.state, life.starts


def trim_log(path: Path, bytes_max: int = LOG_BYTES_MAX) -> None:
    """Move the contents of a log that grew over `bytes_max` to PATH.1; its writers append, so they just go on."""
    try:
        if path.stat().st_size <= bytes_max:
            return
    except FileNotFoundError:
        return
    shutil.copyfile(path, f"{path}.1")
    os.truncate(path, 0)


def _execute(service: Service, environment: dict[str, str]) -> int:
    if service.listen_fds:
        raise OSError(f"{service.name} is executed and cannot inherit sockets")
    log = service.log_file or os.devnull
    return os.posix_spawnp(
        service.argv[0],
        service.argv,
        environment,
        file_actions=[
            (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
            (os.POSIX_SPAWN_OPEN, 1, log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o640),
            (os.POSIX_SPAWN_DUP2, 1, 2),
        ],
        setsid=True,
        setsigmask=(),
        setsigdef=(*CAUGHT_SIGNALS, signal.SIGPIPE),
    )


def _run_forked(service: Service, environment: dict[str, str], before_run: Callable[[Service], None]) -> NoReturn:
    """The child's side of a fork: become `service`; never returns into the supervisor's frames."""
    code = 1
    try:
        _become(service, environment)
        before_run(service)
        main: Callable[[list[str]], int | None] = importlib.import_module(service.module).main
        code = main(list(service.arguments)) or 0
    except SystemExit as stop:
        code = stop.code if isinstance(stop.code, int) else int(stop.code is not None)
    except BaseException:  # noqa: BLE001 - the last frame of this process: whatever it was, it belongs into the log
        traceback.print_exc()
    finally:
        with contextlib.suppress(OSError, ValueError):
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(code)


def _become(service: Service, environment: dict[str, str]) -> None:
    signal.set_wakeup_fd(-1)
    for number in CAUGHT_SIGNALS:
        signal.signal(number, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())
    os.setsid()
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)
    if service.log_file:
        log = os.open(service.log_file, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o640)
        os.dup2(log, 1)
        os.dup2(log, 2)
    close_all_but({0, 1, 2, *service.listen_fds})
    os.environ.clear()
    os.environ.update(environment)
    sys.argv = [service.name, *service.arguments]


def close_all_but(keep: set[int]) -> None:
    """Close every descriptor of this process that is not in `keep`."""
    highest = max(int(name) for name in os.listdir("/proc/self/fd"))
    low = 0
    for kept in sorted(keep):
        if low < kept:  # closerange(0, 0) would close everything
            os.closerange(low, kept)
        low = kept + 1
    if low <= highest:
        os.closerange(low, highest + 1)


def _drain(receiver: socket.socket) -> list[str]:
    messages = []
    with contextlib.suppress(BlockingIOError):
        while True:
            messages.append(receiver.recv(NOTIFY_BYTES_MAX).decode(errors="replace"))
    return messages


def _append(path: str, text: str) -> None:
    if path:
        with open(path, "a", encoding="utf-8") as stream:
            stream.write(text)
