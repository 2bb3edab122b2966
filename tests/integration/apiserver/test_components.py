"""What components rely on: bulk order, bindings, fences, identities."""

from __future__ import annotations

import asyncio
from typing import Any
from unittest.mock import ANY

import aiohttp
import grpc
import pytest

from apiclient.client import Client
from apiclient.grpc_transport import GrpcTransport
from apiclient.transport import Fence, Name, PatchType, PodBinding, Verb, Write
from apimachinery import codec
from apimachinery.errors import ApiError
from apimachinery.kinds import ConfigMap, Container, Lease, LeaseSpec, Namespace, Node, ObjectMeta, Pod, PodSpec
from apimachinery.resources import CONFIG_MAPS
from tests.support.apiserver import RunningServer
from tests.support.throwaway_ca import ThrowawayCa


def pod(name: str) -> Pod:
    containers = [Container(name="c", image="registry.local/busybox:1")]
    return Pod(metadata=ObjectMeta(name=name, namespace="default"), spec=PodSpec(containers=containers))


async def test_writes_of_one_object_keep_their_order(server: RunningServer) -> None:
    transport = server.transport()
    name = Name(CONFIG_MAPS, "default", "a")
    create = Write(Verb.CREATE, Name(CONFIG_MAPS, "default"), b'{"metadata":{"name":"a"}}')
    await transport.write(create)
    patches = [Write(Verb.PATCH, name, b'{"data":{"last":"%d"}}' % index, patch_type=PatchType.MERGE) for index in range(60)]
    revisions = [
        int(codec.decode(ConfigMap, each).metadata.resource_version)
        for each in await asyncio.gather(*[transport.write(each) for each in patches])
    ]
    assert revisions == sorted(revisions)
    assert codec.decode(ConfigMap, await transport.get(name)).data == {"last": "59"}
    await transport.close()


async def test_bulk_answers_each_by_itself(client: Client) -> None:
    names = ["good", "Bad", "good-too", "good"]
    objects = [ConfigMap(metadata=ObjectMeta(name=name, namespace="default")) for name in names]
    found = await asyncio.gather(*[client.create(each) for each in objects], return_exceptions=True)
    codes = [each.code if isinstance(each, ApiError) else 201 for each in found]
    assert codes[1:3] == [422, 201]
    assert sorted((codes[0], codes[3])) == [201, 409]


async def test_bindings(client: Client) -> None:
    pods = await asyncio.gather(*[client.create(pod(f"p{index}")) for index in range(20)])
    binds = [PodBinding("default", each.metadata.name, each.metadata.uid, "n1", {"a": "b"}) for each in pods]
    wrong = [
        PodBinding("default", "p0", "", "n2"),
        PodBinding("default", "p1", "another", "n2"),
        PodBinding("default", "none", "", "n2"),
    ]
    assert await client.bind([*binds, wrong[2]]) == [None] * 20 + [ANY]
    codes = [each.code if each is not None else 0 for each in await client.bind(wrong)]
    assert codes == [409, 409, 404]
    for each in (await client.list(Pod, "default")).items:
        assert (each.spec.node_name, each.metadata.annotations) == ("n1", {"a": "b"})
        assert [(c.type, c.status) for c in each.status.conditions] == [("PodScheduled", "True")]


async def test_a_pod_is_bound_once(client: Client) -> None:
    await client.create(pod("p"))
    results = await asyncio.gather(*[client.bind([PodBinding("default", "p", "", f"n{index}")]) for index in range(8)])
    assert sum(each == [None] for each in results) == 1


def lease(holder: str, transitions: int) -> Lease:
    return Lease(
        metadata=ObjectMeta(name="leader", namespace="kube-system"),
        spec=LeaseSpec(holder_identity=holder, lease_transitions=transitions, lease_duration_seconds=6),
    )


async def test_fence_lets_the_leader_write_and_nobody_else(server: RunningServer, client: Client) -> None:
    held = await client.create(lease("me", 3))
    fence = Fence("kube-system", "leader", "me", 3)
    leading = Client(server.transport(), fence=lambda: fence)  # type: ignore[arg-type, return-value]
    made = await leading.create(ConfigMap(metadata=ObjectMeta(name="a", namespace="default")))
    await client.create(pod("p"))

    async def renew() -> None:
        nonlocal held
        for index in range(30):
            held.spec.renew_time = f"2026-01-01T00:00:{index:02}.000000Z"
            held = await client.update(held)

    async def write() -> None:
        nonlocal made
        for index in range(30):
            made.data = {"n": str(index)}
            made = await leading.update(made)

    await asyncio.gather(renew(), write())

    held.spec.holder_identity, held.spec.lease_transitions = "other", 4
    await client.update(held)
    made.data = {"n": "too late"}
    for attempt in (leading.update(made), leading.delete(ConfigMap, "a", "default")):
        with pytest.raises(ApiError) as caught:
            await attempt
        assert caught.value.code == 409
        assert "lease" in caught.value.status.message
    try:
        (result,) = await leading.bind([PodBinding("default", "p", "", "n1")])
    except ApiError as error:
        result = error
    assert result is not None
    assert result.code == 409
    assert (await client.get(ConfigMap, "a", "default")).data == {"n": "29"}
    assert (await client.get(Pod, "p", "default")).spec.node_name == ""
    await leading.close()


@pytest.mark.parametrize("storage", ["memory"], indirect=True)
async def test_only_certificates_of_the_cluster_get_in(server: RunningServer, tmp_path: Any) -> None:
    stranger = ThrowawayCa(tmp_path / "other").client("kubernetes-admin", ("system:masters",))
    url = server.url + "/version"
    async with server.session(stranger) as session:
        with pytest.raises((aiohttp.ClientError, ConnectionError)):
            await session.get(url)
    async with server.session(anonymous=True) as session, session.get(url) as response:
        assert response.status == 401
    transport = GrpcTransport(
        [server.grpc_endpoint],
        ca_file=str(server.ca.ca),
        cert_file=str(stranger.cert),
        key_file=str(stranger.key),
        timeout_s=1.0,
    )
    with pytest.raises((ApiError, grpc.RpcError, TimeoutError)):
        await Client(transport).list(Namespace)
    await transport.close()
    nobody = server.ca.client("", ("system:masters",))
    async with server.session(nobody) as session, session.get(url) as response:
        assert response.status == 401


async def test_events_have_a_time_to_live(rest: Any) -> None:
    event = {"metadata": {"name": "e"}, "involvedObject": {"kind": "Pod", "name": "p", "namespace": "default"}, "reason": "R"}
    assert (await rest("POST", "/api/v1/namespaces/default/events", event)).status == 201
    found = await rest("GET", "/api/v1/namespaces/default/events?fieldSelector=involvedObject.name%3Dp")
    assert len(found.body["items"]) == 1


async def test_node_and_status_over_grpc(client: Client) -> None:
    node = await client.create(Node(metadata=ObjectMeta(name="n1")))
    node.status.phase = "Running"
    node.spec.unschedulable = True
    updated = await client.update_status(node)
    assert (updated.status.phase, updated.spec.unschedulable) == ("Running", None)
