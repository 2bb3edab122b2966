"""exec, attach and portforward over a SPDY session, each bridged to gRPC streams of the kubelet.

An execution has one stream for each of error, stdin, stdout, stderr and resize, all opened by the client; it starts
when the ones that its query asks for are there. A forwarded connection is a pair of streams, error and data, of one
request id. However it ends, the client hears it on the error stream before the session ends.
Sources: the names and headers of Kubernetes' `remotecommand` and `portforward` protocols, as the pages of kubectl
describe them.
"""

import asyncio
import logging
from collections.abc import Mapping

from apiclient.spdy import Session, Stream
from apimachinery import errors, spdy
from apimachinery.errors import ApiError
from apimachinery.kinds.meta import Status
from apiserver.core import channels
from apiserver.core.request import Connecting
from apiserver.doors.forwarding import QUEUE_MESSAGES_MAX, PortConnection, drained
from apiserver.doors.starting import container_of, start_of
from apiserver.ports import Nodes
from proto.gen import node_pb2

log = logging.getLogger(__name__)

STREAMS_TIMEOUT_S = 30.0
LINGER_S = 5.0
STREAM_TYPE, PORT, REQUEST_ID = "streamtype", "port", "requestid"
_WITH_SIZES = (channels.V4, "v3.channel.k8s.io")


async def execute(session: Session, wanted: Connecting, nodes: Nodes, protocol: str) -> None:
    """Serve one exec or attach until it or the client has ended."""
    names = channels.expected_streams(
        stdin=wanted.stdin, stdout=wanted.stdout, stderr=wanted.stderr, resize=wanted.tty and protocol in _WITH_SIZES
    )
    try:
        async with asyncio.timeout(STREAMS_TIMEOUT_S):
            streams = await _gathered(session, names)
    except TimeoutError:
        log.info("a client did not open its streams in time", extra={"pod": wanted.pod})
        return
    if streams is None:
        return
    working = asyncio.create_task(_run(wanted, nodes, streams), name="spdy/run")
    ending = asyncio.create_task(session.wait_ended(), name="spdy/client")
    try:
        await asyncio.wait((working, ending), return_when=asyncio.FIRST_COMPLETED)
        if not working.done():
            return
        for name in ("stdout", "stderr", "stdin", "resize"):
            if name in streams:
                streams[name].finish()
        data = channels.result(working.result(), statuses=protocol == channels.V4)
        if data:
            await streams["error"].write(data)
        streams["error"].finish()
    finally:
        for task in (working, ending):
            task.cancel()
        await asyncio.gather(working, ending, return_exceptions=True)


async def _gathered(session: Session, names: frozenset[str]) -> dict[str, Stream] | None:
    """The streams by their type; None when the client leaves before all are there."""
    found: dict[str, Stream] = {}
    while names - found.keys():
        stream = await session.accept()
        if stream is None:
            return None
        kind = stream.headers.get(STREAM_TYPE, "")
        if kind in found or kind not in names:
            stream.discard(spdy.Reset.REFUSED_STREAM)
        else:
            found[kind] = stream
    return found


async def _run(wanted: Connecting, nodes: Nodes, streams: Mapping[str, Stream]) -> Status:
    """Run it and carry its streams; how it ended."""
    inputs: asyncio.Queue[node_pb2.StreamInput | None] = asyncio.Queue(QUEUE_MESSAGES_MAX)
    inputs.put_nowait(node_pb2.StreamInput(start=start_of(wanted)))
    feeding = [asyncio.create_task(_feed_stdin(streams.get("stdin"), inputs), name="spdy/stdin")]
    if "resize" in streams:
        feeding.append(asyncio.create_task(_feed_sizes(streams["resize"], inputs), name="spdy/resize"))
    outputs = nodes.execute(wanted.node, wanted.kind, drained(inputs))
    try:
        async for output in outputs:
            match output.WhichOneof("message"):
                case "stdout" if "stdout" in streams:
                    await streams["stdout"].write(output.stdout)
                case "stderr" if "stderr" in streams:
                    await streams["stderr"].write(output.stderr)
                case "exit_code":
                    return channels.exit_status(output.exit_code)
        return errors.internal("the kubelet ended the stream without saying how the command ended").status
    except ApiError as error:
        return error.status
    finally:
        for task in feeding:
            task.cancel()
        await asyncio.gather(*feeding, return_exceptions=True)
        await outputs.aclose()  # type: ignore[attr-defined]


async def _feed_stdin(stream: Stream | None, inputs: "asyncio.Queue[node_pb2.StreamInput | None]") -> None:
    try:
        while stream is not None and (data := await stream.read()):
            await inputs.put(node_pb2.StreamInput(stdin=data))
    except ConnectionError:
        pass  # a client that resets its input sends no more of it, as one that finishes it
    await inputs.put(node_pb2.StreamInput(stdin_closed=True))


async def _feed_sizes(stream: Stream, inputs: "asyncio.Queue[node_pb2.StreamInput | None]") -> None:
    sizes = channels.Sizes()
    try:
        while data := await stream.read():
            for size in sizes.feed(data):
                await inputs.put(size)
    except ConnectionError:
        return


class PortForwarding:
    """The forwarded connections of one session."""

    def __init__(self, session: Session, wanted: Connecting, nodes: Nodes) -> None:
        self._session = session
        self._wanted = wanted
        self._nodes = nodes
        self._pairs: dict[str, _Pair] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    async def serve(self) -> None:
        """Until the client has ended the session."""
        try:
            while (stream := await self._session.accept()) is not None:
                self._take(stream)
        finally:
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)

    def _take(self, stream: Stream) -> None:
        kind, name = stream.headers.get(STREAM_TYPE, ""), self._request_id(stream)
        pair = self._pairs.get(name)
        if kind not in ("error", "data") or not name or (pair is not None and kind in pair.streams):
            stream.discard(spdy.Reset.REFUSED_STREAM)
            return
        if pair is None:
            pair = self._pairs[name] = _Pair()
            task = asyncio.create_task(self._forward(name, pair), name=f"portforward/{name}")
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        pair.streams[kind] = stream
        if len(pair.streams) == 2:
            pair.complete.set()

    @staticmethod
    def _request_id(stream: Stream) -> str:
        """Clients of old send none: their data stream comes right after its error stream."""
        given = stream.headers.get(REQUEST_ID, "")
        if given:
            return given
        return str(stream.number if stream.headers.get(STREAM_TYPE) == "error" else stream.number - 2)

    async def _forward(self, name: str, pair: "_Pair") -> None:
        try:
            async with asyncio.timeout(STREAMS_TIMEOUT_S):
                await pair.complete.wait()
            await self._carry(pair.streams["data"], pair.streams["error"])
        except TimeoutError:
            log.info("a client did not open both streams of a forwarded connection", extra={"pod": self._wanted.pod})
        except ConnectionError:
            pass  # the client has given the connection up
        finally:
            self._pairs.pop(name, None)
            for stream in pair.streams.values():
                stream.discard()

    async def _carry(self, data: Stream, error: Stream) -> None:
        text = data.headers.get(PORT, "")
        if not (text.isascii() and text.isdigit() and len(text) < 6 and 0 < int(text) < 65536):
            await _tell(error, f'"{text}" is not a port')
            data.finish()
            return
        first = node_pb2.PortForwardData(pod=container_of(self._wanted), port=int(text))
        connection = PortConnection(self._nodes, self._wanted.node, first)
        sending = asyncio.create_task(_send(data, connection), name="portforward/send")
        try:
            while piece := await connection.read():
                await data.write(piece)
            data.finish()
            error.finish()
        except ApiError as failure:
            of = f"pod {self._wanted.pod}, uid {self._wanted.uid}"
            await _tell(error, f"error forwarding port {text} to {of}: {failure.status.message}")
            data.finish()
        finally:
            sending.cancel()
            await asyncio.gather(sending, return_exceptions=True)
            await connection.close()
        await _linger(data)


class _Pair:
    """The streams of one connection, as they arrive."""

    def __init__(self) -> None:
        self.streams: dict[str, Stream] = {}
        self.complete = asyncio.Event()


async def _send(data: Stream, connection: PortConnection) -> None:
    try:
        while piece := await data.read():
            await connection.write(piece)
    except ConnectionError:
        pass  # a stream that is reset sends no more, as one that is finished
    await connection.finish()


async def _tell(error: Stream, text: str) -> None:
    await error.write(text.encode())
    error.finish()


async def _linger(data: Stream) -> None:
    """Let the client end its side: what it still sends has nowhere to go, but a reset would come before it has read all."""
    try:
        async with asyncio.timeout(LINGER_S):
            while await data.read():
                pass
    except TimeoutError:
        pass
