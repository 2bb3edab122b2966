"""Clients that ask for pages in a loop and remember every failure, with its time."""

from __future__ import annotations

import socket
import threading
import time
from collections import Counter
from types import TracebackType

REQUEST_TIMEOUT_S = 5.0


def fetch(port: int, path: str = "/", *, host: str = "127.0.0.1", timeout_s: float = REQUEST_TIMEOUT_S) -> tuple[int, str]:
    """Status and body of one GET on a connection of its own; OSError or ValueError if no complete answer comes."""
    with socket.create_connection((host, port), timeout=timeout_s) as connection:
        connection.settimeout(timeout_s)
        connection.sendall(
            f"GET {path} HTTP/1.1\r\nHost: test\r\nAccept: application/json\r\nConnection: close\r\n\r\n".encode()
        )
        data = bytearray()
        while chunk := connection.recv(65536):
            data += chunk
    head, separator, body = bytes(data).partition(b"\r\n\r\n")
    if not separator:
        raise ValueError(f"an answer of {len(data)} bytes without a head")
    lines = head.decode("latin-1").split("\r\n")
    lengths = [line.partition(":")[2] for line in lines[1:] if line.lower().startswith("content-length:")]
    if lengths and int(lengths[0]) != len(body):
        raise ValueError(f"{len(body)} of {lengths[0].strip()} bytes came")
    return int(lines[0].split(" ")[1]), body.decode(errors="replace")


class Load:
    """Requests to a published port from `clients` threads, each on a new connection, while the block runs.

    with Load(port) as load: ...
    assert load.failures == []
    """

    def __init__(
        self, port: int, path: str = "/", *, clients: int = 2, pause_s: float = 0.01, timeout_s: float = REQUEST_TIMEOUT_S
    ) -> None:
        self._port, self._path, self._pause_s, self._timeout_s = port, path, pause_s, timeout_s
        self._stop = threading.Event()
        self._lock = threading.Lock()
        self.bodies: Counter[str] = Counter()
        self.failures: list[tuple[float, str]] = []
        self.successes: list[float] = []
        self.failed_since: list[float] = []  # when the requests began that failed, in the order of `failures`
        self._threads = [threading.Thread(target=self._run, daemon=True, name=f"load/{n}") for n in range(clients)]

    def __enter__(self) -> Load:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.stop()

    def stop(self) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join(REQUEST_TIMEOUT_S * 2)

    @property
    def count(self) -> int:
        return len(self.successes) + len(self.failures)

    def _run(self) -> None:
        while not self._stop.is_set():
            began = time.monotonic()
            try:
                status, body = fetch(self._port, self._path, timeout_s=self._timeout_s)
                problem = "" if status == 200 else f"{status} {body[:200]}"
            except (OSError, ValueError) as error:
                problem, body = f"{type(error).__name__}: {error}", ""
            with self._lock:
                if problem:
                    self.failed_since.append(began)
                    self.failures.append((time.monotonic(), f"{problem} after {time.monotonic() - began:.3f} s"))
                else:
                    self.successes.append(time.monotonic())
                    self.bodies[body] += 1
            self._stop.wait(self._pause_s)
