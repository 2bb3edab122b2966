"""Every adapter of Backends runs the same suite: over real TLS by way of a kubelet's port forwarding, and the fake."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from apiserver.adapters import GrpcNodes
from apiserver.ports import Backend, Backends
from tests.support.apiserver import real_api_server
from tests.support.fake_backends import FakeBackends
from tests.support.fake_kubelet import fake_kubelet
from tests.support.https_server import Handler, HttpsServer, https_server
from tests.support.services import one_pod_service
from tests.support.throwaway_ca import ThrowawayCa


class World:
    """Service `hook` in `default` is served by a pod, on its port 443; `empty` by none. So is a URL, directly."""

    def __init__(self, backends: Backends, bundle: bytes, url: str, server: HttpsServer | None, stranger: bytes) -> None:
        self.backends = backends
        self.bundle = bundle
        self.url = url
        self.server = server
        self.stranger = stranger

    def service(self, path: str = "/validate", *, name: str = "hook", port: int = 443, bundle: bytes | None = None) -> Backend:
        trusted = self.bundle if bundle is None else bundle
        return Backend(namespace="default", service=name, port=port, path=path, ca_bundle=trusted)

    def at(self, url: str) -> Backend:
        return Backend(url=url, ca_bundle=self.bundle)


Begin = Callable[[Handler], Awaitable[World]]


@pytest.fixture(params=["https", "fake"])
async def world(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Begin]:
    """Begins a world in which a handler answers."""
    async with AsyncExitStack() as stack:

        async def begin(handler: Handler) -> World:
            ca, stranger = ThrowawayCa(tmp_path / "hooks"), ThrowawayCa(tmp_path / "strangers").ca.read_bytes()
            bundle = ca.ca.read_bytes()
            if request.param == "fake":
                fake = FakeBackends(bundle)
                fake.serve(handler, namespace="default", service="hook")
                fake.serve(None, namespace="default", service="empty")
                fake.serve(handler, url="https://127.0.0.1:8443")
                return World(fake, bundle, "https://127.0.0.1:8443", None, stranger)
            kubelets = ThrowawayCa(tmp_path / "kubelets")
            files = kubelets.client("kube-apiserver-kubelet-client")
            nodes = GrpcNodes(ca=kubelets.ca.read_bytes(), certificate=files.cert.read_bytes(), key=files.key.read_bytes())
            kubelet, port = await stack.enter_async_context(fake_kubelet(kubelets))
            running = await stack.enter_async_context(real_api_server(tmp_path, nodes=nodes))
            server = await stack.enter_async_context(https_server(ca, handler, names=("hook.default.svc",)))
            kubelet.backends = {8443: server.port}
            for name, ready in (("hook", True), ("empty", False)):
                await one_pod_service(running, name, kubelet_port=port, port=443, target_port=8443, ready=ready)
            return World(running.assembly.backends, bundle, f"https://127.0.0.1:{server.port}", server, stranger)

        yield begin
