"""A real API server with a fake kubelet, for clients that block: both run in one loop, in a thread of their own."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from apiserver.adapters import GrpcNodes
from apiserver.app import Settings
from apiserver.storage.port import Storage
from tests.support.apiserver import RunningServer, real_api_server
from tests.support.fake_kubelet import FakeKubelet, fake_kubelet
from tests.support.throwaway_ca import ThrowawayCa

WAIT_S = 30.0


class Threaded(NamedTuple):
    """The server, and the kubelet that listens on `kubelet_port` of 127.0.0.1."""

    server: RunningServer
    kubelet: FakeKubelet
    kubelet_port: int
    loop: asyncio.AbstractEventLoop

    def wait(self, happened: asyncio.Event) -> None:
        """Block until an event of the server's loop; raises TimeoutError."""
        waiting = asyncio.wait_for(happened.wait(), WAIT_S)
        asyncio.run_coroutine_threadsafe(waiting, self.loop).result()


@contextmanager
def threaded_api_server(directory: Path, *, storage: Callable[[], Storage], settings: Settings) -> Iterator[Threaded]:
    """Serves until the block ends; `storage` is called in the server's loop."""
    ca = ThrowawayCa(directory / "kubelets")
    files = ca.client("kube-apiserver-kubelet-client", ("system:masters",))
    started: Future[Threaded] = Future()
    stop = asyncio.Event()

    async def serve() -> None:
        try:
            async with fake_kubelet(ca) as (kubelet, port):
                nodes = GrpcNodes(ca=ca.ca.read_bytes(), certificate=files.cert.read_bytes(), key=files.key.read_bytes())
                async with real_api_server(directory, storage=storage(), nodes=nodes, settings=settings) as server:
                    started.set_result(Threaded(server, kubelet, port, asyncio.get_running_loop()))
                    await stop.wait()
        except BaseException as error:
            if not started.done():
                started.set_exception(error)
            raise

    thread = threading.Thread(target=asyncio.run, args=(serve(),), name="apiserver", daemon=True)
    thread.start()
    threaded = started.result(WAIT_S)
    try:
        yield threaded
    finally:
        threaded.loop.call_soon_threadsafe(stop.set)
        thread.join(WAIT_S)
