"""The stream protocols of Kubernetes: which of them are spoken, how WebSocket messages name their channel, how an end is told.

Over WebSocket each message names a channel and carries its data. Of exec and attach: 0 stdin, 1 stdout, 2 stderr, 3 the
result, 4 the terminal's size as JSON; in v5 the message (255, channel) says that the client sends no more on a channel.
Of portforward: channels 2n and 2n+1 are data and error of the n-th port asked for, and each begins with a message from
the server that names the port in two bytes, little-endian. The channel is the first byte of a binary message; in the
base64 variants messages are text, the channel a digit, the data base64. Over SPDY each channel is a stream of its own.

From v4 on the result is a Status; before, it is a sentence, and nothing after a success.
Source: KEP-4006 and the Kubernetes pages of kubectl exec and port-forward.
"""

import base64
import binascii
import json
from collections.abc import Iterable, Sequence

import msgspec

from apimachinery import codec
from apimachinery.kinds.meta import Status, StatusCause, StatusDetails
from proto.gen import node_pb2

V5 = "v5.channel.k8s.io"
V4 = "v4.channel.k8s.io"
V4_BASE64 = "v4.base64.channel.k8s.io"
V1 = "channel.k8s.io"
V1_BASE64 = "base64.channel.k8s.io"
EXECUTION_PROTOCOLS = (V5, V4, V4_BASE64, V1, V1_BASE64)
FORWARD_PROTOCOLS = (V4, V4_BASE64, V1, V1_BASE64)
TUNNEL = "SPDY/3.1+portforward.k8s.io"
SPDY_EXECUTION_PROTOCOLS = (V4, "v3.channel.k8s.io", "v2.channel.k8s.io", V1)
SPDY_FORWARD_PROTOCOLS = ("portforward.k8s.io",)

STDIN, STDOUT, STDERR, RESULT, RESIZE, CLOSE = 0, 1, 2, 3, 4, 255
SIZE_BYTES_MAX = 1024


class _Size(msgspec.Struct):
    width: int = msgspec.field(name="Width", default=0)
    height: int = msgspec.field(name="Height", default=0)


_sizes = msgspec.json.Decoder(_Size)


_BEARER = "base64url.bearer.authorization.k8s.io."


def bearer_of(protocols: str) -> str:
    """The token that a browser sends as one of its WebSocket's protocols, since it cannot send headers; "" for none."""
    for each in protocols.split(","):
        if (name := each.strip()).startswith(_BEARER):
            encoded = name.removeprefix(_BEARER)
            try:
                return base64.urlsafe_b64decode(encoded + "=" * (-len(encoded) % 4)).decode()
            except ValueError:
                return encoded  # nobody's token
    return ""


def without_bearer(protocols: str) -> str:
    """The protocols that are meant as such: what anybody else may be told."""
    return ", ".join(name for each in protocols.split(",") if (name := each.strip()) and not name.startswith(_BEARER))


def chosen(offered: Iterable[str], supported: Sequence[str]) -> str | None:
    """The first protocol that the client offers and that is supported; headers may hold several, with commas."""
    for header in offered:
        for each in header.split(","):
            if each.strip() in supported:
                return each.strip()
    return None


class Messages:
    """The messages of one WebSocket protocol; "" is what a client without any speaks (the oldest)."""

    def __init__(self, protocol: str) -> None:
        self.protocol = protocol or V1
        self.text = "base64" in self.protocol
        self.statuses = self.protocol.startswith(("v4.", "v5."))

    def pack(self, channel: int, data: bytes) -> bytes | str:
        """One message."""
        if self.text:
            return chr(ord("0") + channel) + base64.b64encode(data).decode()
        return bytes((channel,)) + data

    def unpack(self, message: bytes | str) -> tuple[int, bytes] | None:
        """Channel and data; None for a message that is none."""
        data = message.encode() if isinstance(message, str) else message
        if not data:
            return None
        if not self.text:
            return data[0], data[1:]
        try:
            return data[0] - ord("0"), base64.b64decode(data[1:], validate=True)
        except binascii.Error:
            return None

    def to_input(self, message: bytes | str) -> node_pb2.StreamInput | None:
        """What a client's message means for the process; None for what means nothing."""
        found = self.unpack(message)
        if found is None:
            return None
        channel, data = found
        if channel == STDIN:
            return node_pb2.StreamInput(stdin=data) if data else None
        if channel == RESIZE:
            return terminal_size(data)
        if channel == CLOSE and self.protocol == V5 and data[:1] == bytes((STDIN,)):
            return node_pb2.StreamInput(stdin_closed=True)
        return None

    def to_message(self, output: node_pb2.StreamOutput) -> bytes | str | None:
        """The message that carries an output to the client."""
        match output.WhichOneof("message"):
            case "stdout":
                return self.pack(STDOUT, output.stdout)
            case "stderr":
                return self.pack(STDERR, output.stderr)
            case "exit_code":
                return self.result(exit_status(output.exit_code))
            case _:
                return None

    def result(self, status: Status) -> bytes | str | None:
        """The last message of a stream, if there is one."""
        data = result(status, statuses=self.statuses)
        return self.pack(RESULT, data) if data else None

    def port_header(self, index: int, port: int) -> tuple[bytes | str, bytes | str]:
        """The messages that open the data and the error channel of the `index`-th port."""
        number = port.to_bytes(2, "little")
        return self.pack(2 * index, number), self.pack(2 * index + 1, number)


class Sizes:
    """Terminal sizes out of a stream of JSON objects, which may arrive in any pieces."""

    def __init__(self) -> None:
        self._text = ""
        self._decoder = json.JSONDecoder()

    def feed(self, data: bytes) -> list[node_pb2.StreamInput]:
        self._text = (self._text + data.decode("utf-8", "replace")).lstrip()
        found = []
        while self._text:
            try:
                _, end = self._decoder.raw_decode(self._text)
            except (ValueError, RecursionError):
                break
            size = terminal_size(self._text[:end].encode())
            if size is not None:
                found.append(size)
            self._text = self._text[end:].lstrip()
        if len(self._text) > SIZE_BYTES_MAX:
            self._text = ""  # no size is as long as this; what follows may be one
        return found


def terminal_size(data: bytes) -> node_pb2.StreamInput | None:
    """A terminal's size as JSON; None for what is none."""
    try:
        size = _sizes.decode(data)
    except (msgspec.MsgspecError, UnicodeError):
        return None
    return node_pb2.StreamInput(size=node_pb2.TerminalSize(width=size.width & 0xFFFF, height=size.height & 0xFFFF))


def exit_status(exit_code: int) -> Status:
    """How a process that has ended is told of."""
    if exit_code == 0:
        return Status(status="Success")
    cause = StatusCause(reason="ExitCode", message=str(exit_code))
    return Status(
        status="Failure",
        reason="NonZeroExitCode",
        message=f"command terminated with non-zero exit code: exit status {exit_code}",
        details=StatusDetails(causes=[cause]),
    )


def result(status: Status, *, statuses: bool) -> bytes:
    """What goes over the error channel at the end."""
    if statuses:
        return codec.encode(status)
    return b"" if status.status == "Success" else status.message.encode()


def expected_streams(*, stdin: bool, stdout: bool, stderr: bool, resize: bool) -> frozenset[str]:
    """The streams that a SPDY client opens for an exec or attach."""
    asked = (("error", True), ("stdin", stdin), ("stdout", stdout), ("stderr", stderr), ("resize", resize))
    return frozenset(name for name, wanted in asked if wanted)
