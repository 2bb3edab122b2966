"""The channel protocols of Kubernetes' WebSocket streams: each message is a byte that names the channel, and its data.

Of exec and attach: 0 stdin, 1 stdout, 2 stderr, 3 the result as a Status, 4 the terminal's size as JSON; in v5 the message
(255, channel) says that the client sends no more on a channel. Of portforward: channels 2n and 2n+1 are data and error of the
n-th port asked for, and each begins with a message from the server that names the port in two bytes, little-endian. Source:
KEP-4006 and the Kubernetes pages of kubectl exec and port-forward."""

import msgspec

from apimachinery import codec
from apimachinery.errors import ApiError
from apimachinery.kinds.meta import Status, StatusCause, StatusDetails
from proto.gen import node_pb2

V5 = "v5.channel.k8s.io"
V4 = "v4.channel.k8s.io"
PROTOCOLS = (V5, V4)

STDIN, STDOUT, STDERR, RESULT, RESIZE, CLOSE = 0, 1, 2, 3, 4, 255


class _Size(msgspec.Struct):
    width: int = msgspec.field(name="Width", default=0)
    height: int = msgspec.field(name="Height", default=0)


_sizes = msgspec.json.Decoder(_Size)


def to_input(message: bytes, protocol: str) -> node_pb2.StreamInput | None:
    """What a client's message means for the process; None for what means nothing."""
    if not message:
        return None
    channel, data = message[0], message[1:]
    if channel == STDIN:
        return node_pb2.StreamInput(stdin=data) if data else None
    if channel == RESIZE:
        try:
            size = _sizes.decode(data)
        except msgspec.MsgspecError:
            return None
        return node_pb2.StreamInput(size=node_pb2.TerminalSize(width=size.width & 0xFFFF, height=size.height & 0xFFFF))
    if channel == CLOSE and protocol == V5 and data[:1] == bytes((STDIN,)):
        return node_pb2.StreamInput(stdin_closed=True)
    return None


def to_message(output: node_pb2.StreamOutput) -> bytes | None:
    """The message that carries an output to the client."""
    match output.WhichOneof("message"):
        case "stdout":
            return bytes((STDOUT,)) + output.stdout
        case "stderr":
            return bytes((STDERR,)) + output.stderr
        case "exit_code":
            return result(output.exit_code)
        case _:
            return None


def result(exit_code: int) -> bytes:
    """The last message of a process that has ended."""
    if exit_code == 0:
        return bytes((RESULT,)) + codec.encode(Status(status="Success"))
    cause = StatusCause(reason="ExitCode", message=str(exit_code))
    status = Status(
        status="Failure",
        reason="NonZeroExitCode",
        message=f"command terminated with non-zero exit code: exit status {exit_code}",
        details=StatusDetails(causes=[cause]),
    )
    return bytes((RESULT,)) + codec.encode(status)


def failure(error: ApiError) -> bytes:
    """The last message of a stream that could not go on."""
    return bytes((RESULT,)) + codec.encode(error.status)


def port_header(index: int, port: int) -> tuple[bytes, bytes]:
    """The messages that open the data and the error channel of the `index`-th port."""
    number = port.to_bytes(2, "little")
    return bytes((2 * index,)) + number, bytes((2 * index + 1,)) + number
