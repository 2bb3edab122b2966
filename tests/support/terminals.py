"""Programs on a pseudo-terminal, and in the background, for tests of what streams.

with terminal(command, 100, 40) as screen: screen.write("stty size\\n"); screen.until(b"40 100")
with background(command) as process: port = forwarded_port(process, 8080)
"""

from __future__ import annotations

import fcntl
import os
import pty
import re
import select
import struct
import subprocess
import termios
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from tests.support.cluster import PROJECT

TIMEOUT_S = 30.0


def environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(PROJECT)}


class Terminal:
    """A program on a pseudo-terminal of its own."""

    def __init__(self, command: list[str], columns: int, lines: int, env: Mapping[str, str]) -> None:
        self.outer, inner = pty.openpty()
        self.resize(columns, lines)
        self.process = subprocess.Popen(
            command, stdin=inner, stdout=inner, stderr=inner, env=env, start_new_session=True,
            preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
        )  # fmt: skip
        os.close(inner)
        self.text = b""

    def resize(self, columns: int, lines: int) -> None:
        fcntl.ioctl(self.outer, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))

    def write(self, text: str) -> None:
        os.write(self.outer, text.encode())

    def until(self, wanted: bytes) -> bytes:
        """What came up to `wanted`, which is taken from the text."""
        deadline = time.monotonic() + TIMEOUT_S
        while wanted not in self.text:
            ready, _, _ = select.select([self.outer], [], [], max(0.0, deadline - time.monotonic()))
            assert ready, f"{wanted!r} did not come: {self.text!r}"
            try:
                data = os.read(self.outer, 65536)
            except OSError:
                data = b""
            assert data, f"the program ended before {wanted!r} came: {self.text!r}"
            self.text += data
        before, _, self.text = self.text.partition(wanted)
        return before + wanted

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        os.close(self.outer)


@contextmanager
def terminal(
    command: list[str], columns: int = 100, lines: int = 40, env: Mapping[str, str] | None = None
) -> Iterator[Terminal]:
    found = Terminal(command, columns, lines, environment() if env is None else env)
    try:
        yield found
    finally:
        found.close()


@contextmanager
def background(command: list[str], env: Mapping[str, str] | None = None) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        command, text=True, env=environment() if env is None else env, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    try:
        yield process
    finally:
        if process.poll() is None:
            process.terminate()  # not SIGINT, which whoever runs the tests in the background has them ignore
            try:
                process.wait(TIMEOUT_S)
            except subprocess.TimeoutExpired:
                process.kill()
        process.communicate()


def forwarded_port(process: subprocess.Popen[str], remote: int) -> int:
    """From the first line that tells of it."""
    assert process.stdout is not None
    while line := process.stdout.readline():
        found = re.fullmatch(rf"Forwarding from 127\.0\.0\.1:(\d+) -> {remote}\n", line)
        if found:
            return int(found.group(1))
    raise AssertionError(f"no port was forwarded: {process.communicate()}")
