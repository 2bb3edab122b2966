"""The client's side of a daemon's control socket: blocking, one request at a time."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Callable, Iterator

import msgspec

from cluster.errors import ClusterError
from cluster.messages import Answer, Report, Request, Response
from cluster.paths import ClusterPaths

REQUEST_TIMEOUT_S = 60.0

_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder(Response)


class DaemonGoneError(ClusterError):
    """The daemon hung up."""


class Control:
    """A connection to a daemon."""

    def __init__(self, connected: socket.socket) -> None:
        self._socket = connected
        self._stream = connected.makefile("rb")

    def __enter__(self) -> Control:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def close(self) -> None:
        """Hang up; a thread that follows in the meantime sees the daemon gone."""
        with contextlib.suppress(OSError):  # the daemon has hung up first
            self._socket.shutdown(socket.SHUT_RDWR)
        self._stream.close()
        self._socket.close()

    def ask(
        self,
        request: Request,
        on_report: Callable[[Report], None] = lambda report: None,
        timeout_s: float = REQUEST_TIMEOUT_S,
    ) -> None:
        """Carry out `request`; ClusterError with the daemon's sentence if it could not be done."""
        self.begin(request)
        self.finish(on_report, timeout_s)

    def begin(self, request: Request) -> None:
        """Send `request` without waiting for its answer; `finish` does that."""
        self._socket.settimeout(REQUEST_TIMEOUT_S)
        self._send(request)

    def finish(self, on_report: Callable[[Report], None] = lambda report: None, timeout_s: float = REQUEST_TIMEOUT_S) -> None:
        """Wait for the answer to the request that was begun."""
        self._socket.settimeout(timeout_s)
        for response in self._responses():
            if isinstance(response, Answer):
                if response.error:
                    raise ClusterError(response.error)
                return
            on_report(response)

    def follow(self, request: Request) -> Iterator[Report]:
        """Send `request` and yield its reports for as long as the daemon lives (then DaemonGoneError)."""
        self._socket.settimeout(None)
        self._send(request)
        for response in self._responses():
            if not isinstance(response, Answer):
                yield response

    def _send(self, request: Request) -> None:
        try:
            self._socket.sendall(_encoder.encode(request) + b"\n")
        except ConnectionError as error:
            raise DaemonGoneError("the cluster's daemon has ended unexpectedly") from error

    def _responses(self) -> Iterator[Response]:
        while True:
            try:
                line = self._stream.readline()
            except TimeoutError as error:
                raise ClusterError("the cluster's daemon did not answer in time") from error
            except ConnectionError:
                line = b""
            if not line:
                raise DaemonGoneError("the cluster's daemon has ended unexpectedly")
            yield _decoder.decode(line)


def connect(name: str) -> Control:
    """A connection to the daemon of cluster `name`; ClusterError if it does not run."""
    client = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        client.connect(str(ClusterPaths(name).control_socket))
    except OSError as error:
        client.close()
        raise ClusterError(f"cluster {name!r} is not running; delete it with: kctl cluster delete {name}") from error
    return Control(client)
