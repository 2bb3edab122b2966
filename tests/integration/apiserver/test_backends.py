"""What only the real backends have: connections that are kept and replaced, names in certificates, pods that refuse."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import NamedTuple

import pytest

from apiserver import backends as adapter
from apiserver.adapters import GrpcNodes
from apiserver.ports import Backend, BackendError
from tests.support.apiserver import RunningServer, real_api_server
from tests.support.fake_kubelet import FakeKubelet, fake_kubelet
from tests.support.https_server import HttpsServer, Reply, https_server
from tests.support.services import one_pod_service
from tests.support.throwaway_ca import ThrowawayCa

TIMEOUT_S = 10.0


class Setting(NamedTuple):
    running: RunningServer
    kubelet: FakeKubelet
    server: HttpsServer
    bundle: bytes

    async def post(self, service: str, body: bytes = b"{}") -> bytes:
        backend = Backend(namespace="default", service=service, path="/", ca_bundle=self.bundle)
        return await self.running.assembly.backends.post(backend, body, timeout_s=TIMEOUT_S)


async def echo(path: str, body: bytes) -> Reply:
    if body == b"break off":
        raise asyncio.CancelledError
    return Reply(body=body)


@pytest.fixture
async def setting(tmp_path: Path) -> AsyncIterator[Setting]:
    """Services `hook`, `other` (the certificate is not for its name) and `refusing` (its pod refuses connections)."""
    kubelets, ca = ThrowawayCa(tmp_path / "kubelets"), ThrowawayCa(tmp_path / "hooks")
    files = kubelets.client("kube-apiserver-kubelet-client")
    nodes = GrpcNodes(ca=kubelets.ca.read_bytes(), certificate=files.cert.read_bytes(), key=files.key.read_bytes())
    async with (
        fake_kubelet(kubelets) as (kubelet, port),
        real_api_server(tmp_path, nodes=nodes) as running,
        https_server(ca, echo, names=("hook.default.svc", "refusing.default.svc")) as server,
    ):
        kubelet.backends = {8443: server.port}
        for name, target in (("hook", 8443), ("other", 8443), ("refusing", 1)):
            await one_pod_service(running, name, kubelet_port=port, port=443, target_port=target)
        yield Setting(running, kubelet, server, ca.ca.read_bytes())


async def test_a_connection_is_kept(setting: Setting) -> None:
    for number in range(20):
        body = b"%d" % number
        assert await setting.post("hook", body) == body
    assert setting.server.made == 1
    assert len(setting.kubelet.forwards) == 1
    (first,) = setting.kubelet.forwards
    assert (first.pod.namespace, first.pod.pod, first.port, first.own_address) == ("default", "hook", 8443, True)


async def test_connections_are_as_many_as_calls_at_once_and_no_more_than_allowed(
    setting: Setting, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(adapter, "CONNECTIONS_MAX", 3)
    assert await asyncio.gather(*(setting.post("hook") for _ in range(30))) == [b"{}"] * 30
    assert setting.server.made == 3


async def test_connections_that_a_restart_has_ended_are_replaced(setting: Setting) -> None:
    await asyncio.gather(*(setting.post("hook") for _ in range(5)))
    for number in range(1, 4):
        setting.server.hang_up()  # the next call may still find them open
        assert await setting.post("hook", b"%d" % number) == b"%d" % number


async def test_the_name_in_the_certificate_counts(setting: Setting) -> None:
    with pytest.raises(BackendError) as caught:
        await setting.post("other")
    assert str(caught.value).startswith(
        'Post "https://other.default.svc:443/?timeout=10s": tls: failed to verify certificate: x509: '
    )
    assert "other.default.svc" in str(caught.value).partition("x509")[2]


async def test_a_pod_that_refuses(setting: Setting) -> None:
    with pytest.raises(BackendError) as caught:
        await setting.post("refusing")
    assert str(caught.value) == 'Post "https://refusing.default.svc:443/?timeout=10s": connection refused'


async def test_a_bundle_that_holds_no_certificate(setting: Setting) -> None:
    backend = Backend(namespace="default", service="hook", ca_bundle=b"nonsense")
    with pytest.raises(BackendError, match="unable to load root certificates"):
        await setting.running.assembly.backends.post(backend, b"{}", timeout_s=TIMEOUT_S)


async def test_a_server_that_breaks_off_is_not_asked_again_on_a_new_connection(setting: Setting) -> None:
    with pytest.raises(BackendError, match="EOF"):
        await setting.post("hook", b"break off")
    assert setting.server.made == 1
    assert await setting.post("hook", b"fine") == b"fine"


async def test_pools_that_are_not_used_are_closed(setting: Setting, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(adapter, "POOLS_MAX", 2)
    backends = setting.running.assembly.backends
    for number in range(5):
        bundle = setting.bundle + b"\n" * number  # each a backend of its own
        backend = Backend(namespace="default", service="hook", path="/", ca_bundle=bundle)
        assert await backends.post(backend, b"x", timeout_s=TIMEOUT_S) == b"x"
    async with asyncio.timeout(TIMEOUT_S):
        await setting.server.closed_down_to(2)
    assert setting.server.made == 5


async def test_nothing_is_left_after_close(setting: Setting) -> None:
    await asyncio.gather(*(setting.post("hook") for _ in range(3)))
    await setting.running.assembly.backends.close()
    names = {task.get_name() for task in asyncio.all_tasks()}
    assert not names & {"forward", "forward/out", "backend/close"}
