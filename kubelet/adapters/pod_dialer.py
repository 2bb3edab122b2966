"""Connections into a pod's network namespace, to what listens on its loopback or any other address of its own.

Only a thread of its own can enter the namespace without dragging the rest of the process along; it makes the connection, hands
the socket over, and ends. The socket stays in the pod's namespace.
"""

import asyncio
import ctypes
import os
import socket
import threading
from collections.abc import Sequence

from kubelet.ports import RuntimeFailureError

_CLONE_NEWNET = 0x40000000
_TIMEOUT_S = 5.0
_libc = ctypes.CDLL(None, use_errno=True)


async def dial(namespace: str | None, port: int, addresses: Sequence[str]) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """Connect to a port on the first address that takes it, in a namespace (None: the node's); raises RuntimeFailureError."""
    loop = asyncio.get_running_loop()
    answer: asyncio.Future[socket.socket] = loop.create_future()

    def deliver(result: socket.socket | None, error: Exception | None) -> None:
        if answer.cancelled():
            if result is not None:
                result.close()
        elif result is not None:
            answer.set_result(result)
        elif error is not None:
            answer.set_exception(error)

    def body() -> None:
        try:
            _enter(namespace)
            found = _connect(port, addresses)
        except OSError as error:
            loop.call_soon_threadsafe(deliver, None, error)
        else:
            loop.call_soon_threadsafe(deliver, found, None)

    threading.Thread(target=body, name=f"dial/{port}", daemon=True).start()
    try:
        connection = await answer
    except OSError as error:
        raise RuntimeFailureError(f"cannot connect to port {port} of the pod: {error.strerror or error}") from error
    connection.setblocking(False)
    return await asyncio.open_connection(sock=connection)


def _enter(namespace: str | None) -> None:
    if namespace is None:
        return
    descriptor = os.open(namespace, os.O_RDONLY | os.O_CLOEXEC)
    try:
        if _libc.setns(descriptor, _CLONE_NEWNET) != 0:
            number = ctypes.get_errno()
            raise OSError(number, os.strerror(number), namespace)
    finally:
        os.close(descriptor)


def _connect(port: int, addresses: Sequence[str]) -> socket.socket:
    """The failure of the first address is the one that is told."""
    failure: OSError | None = None
    for address in addresses:
        try:
            return socket.create_connection((address, port), _TIMEOUT_S)
        except OSError as error:
            failure = failure or error
    raise failure or OSError("there is no address to connect to")
