"""A real etcd for tests: one process on 127.0.0.1 with free ports and a directory of its own, stopped by its pid."""

from __future__ import annotations

import shutil
import signal
import socket
import subprocess
import time
import urllib.request
from collections.abc import Sequence
from pathlib import Path


def available() -> bool:
    """Whether this machine has etcd."""
    return shutil.which("etcd") is not None


def free_ports(count: int) -> list[int]:
    """Ports of 127.0.0.1 that nobody listens on."""
    sockets = [socket.socket() for _ in range(count)]
    try:
        for candidate in sockets:
            candidate.bind(("127.0.0.1", 0))
        return [candidate.getsockname()[1] for candidate in sockets]
    finally:
        for candidate in sockets:
            candidate.close()


class Etcd:
    """One etcd member. `extra` are further arguments of etcd; `tls` (ca, cert, key) turns on mutual TLS for clients."""

    def __init__(self, directory: Path, *, extra: Sequence[str] = (), tls: tuple[Path, Path, Path] | None = None) -> None:
        self._directory = directory
        self._extra = tuple(extra)
        self._tls = tls
        client, self._peer, self._metrics = free_ports(3)
        self.endpoint = f"127.0.0.1:{client}"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start (again, on the same ports and data) and wait until it serves; raises TimeoutError."""
        scheme = "https" if self._tls else "http"
        peer = f"http://127.0.0.1:{self._peer}"
        client = f"{scheme}://{self.endpoint}"
        command = [
            "etcd", "--name", "test", "--data-dir", str(self._directory / "data"), "--logger", "zap",
            "--listen-client-urls", client, "--advertise-client-urls", client,
            "--listen-peer-urls", peer, "--initial-advertise-peer-urls", peer,
            "--initial-cluster", f"test={peer}",
            "--listen-metrics-urls", f"http://127.0.0.1:{self._metrics}", *self._extra,
        ]  # fmt: skip
        if self._tls:
            ca, cert, key = map(str, self._tls)
            command += ["--client-cert-auth", "--trusted-ca-file", ca, "--cert-file", cert, "--key-file", key]
        self._directory.mkdir(parents=True, exist_ok=True)
        with (self._directory / "etcd.log").open("ab") as log:
            self._process = subprocess.Popen(command, stdout=log, stderr=log)
        self._wait_healthy(20.0)

    def kill(self) -> None:
        """SIGKILL it."""
        self._signal(signal.SIGKILL)

    def stop(self) -> None:
        """Stop it in order; harmless when it does not run."""
        if self._process is not None:
            self._signal(signal.SIGTERM)

    def _signal(self, number: signal.Signals) -> None:
        assert self._process is not None
        self._process.send_signal(number)
        self._process.wait(20)
        self._process = None

    def _wait_healthy(self, timeout_s: float) -> None:
        assert self._process is not None
        deadline = time.monotonic() + timeout_s
        while time.monotonic() < deadline:
            if self._process.poll() is not None:
                break
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{self._metrics}/health", timeout=1) as answer:
                    if b'"true"' in answer.read():
                        return
            except OSError:
                pass
            time.sleep(0.05)
        raise TimeoutError((self._directory / "etcd.log").read_text()[-2000:])
