"""Network namespaces for tests: made by the test, gone with it, with no way out."""

from __future__ import annotations

import ctypes
import itertools
import os
import subprocess
import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import TypeVar

ResultT = TypeVar("ResultT")

_libc = ctypes.CDLL(None, use_errno=True)
_CLONE_NEWNET = 0x40000000
_numbers = itertools.count()


class NetworkNamespace:
    """A namespace under /run/netns; `close` removes it and what is in it."""

    def __init__(self, label: str) -> None:
        self.name = f"cxt-{os.getpid()}-{next(_numbers)}-{label}"
        command("ip", "netns", "add", self.name)
        self.command("ip", "link", "set", "lo", "up")

    @property
    def path(self) -> str:
        return f"/run/netns/{self.name}"

    def command(self, *argv: str, text: str = "") -> str:
        """Run a command inside; its output."""
        return command("nsenter", f"--net={self.path}", *argv, text=text)

    def call(self, function: Callable[[], ResultT]) -> ResultT:
        """Run a function in a thread that is inside; what it starts is inside too."""
        answer: Future[ResultT] = Future()

        def run() -> None:
            descriptor = os.open(self.path, os.O_RDONLY)
            try:
                if _libc.setns(descriptor, _CLONE_NEWNET) != 0:
                    raise OSError(ctypes.get_errno(), "setns")
                answer.set_result(function())
            except BaseException as error:  # noqa: BLE001 - handed to the caller whole
                answer.set_exception(error)
            finally:
                os.close(descriptor)

        thread = threading.Thread(target=run)
        thread.start()
        thread.join()
        return answer.result()

    def close(self) -> None:
        command("ip", "netns", "delete", self.name)


def connect(left: NetworkNamespace, left_address: str, right: NetworkNamespace, right_address: str) -> None:
    """Join two namespaces by a veth pair with these addresses (CIDR)."""
    number = next(_numbers)
    first, second = f"v{os.getpid() % 100000}a{number}", f"v{os.getpid() % 100000}b{number}"
    left.command("ip", "link", "add", first, "type", "veth", "peer", "name", second, "netns", right.name)
    for namespace, device, address in ((left, first, left_address), (right, second, right_address)):
        namespace.command("ip", "addr", "add", address, "dev", device)
        namespace.command("ip", "link", "set", device, "up")


def command(*argv: str, text: str = "") -> str:
    """Run a command; its output. Fails with what it said."""
    done = subprocess.run(argv, input=text, capture_output=True, text=True, timeout=30, check=False)
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(argv)} exited with {done.returncode}: {done.stderr.strip()}")
    return done.stdout
