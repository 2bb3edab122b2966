"""Security defects that others had, each as a test of its own name; those of proxies are in test_proxying, test_aggregation."""

from __future__ import annotations

import asyncio
from typing import Any

import aiohttp
import pytest

from apimachinery import errors
from apimachinery.resources import TABLE, Resource
from apiserver.core.request import Request
from tests.support.apiserver import RunningServer

pytestmark = pytest.mark.parametrize("storage", ["memory"], indirect=True)

NAMESPACE = "/api/v1/namespaces/default"
CONFIG_MAPS = f"{NAMESPACE}/configmaps"
MERGE = {"Content_Type": "application/merge-patch+json"}
BODY_BYTES_MAX = 3 << 20
CLUSTER_SCOPED = [row for row in TABLE.rows if not row.namespaced]
NOT_CANONICAL = ("010.8.8.8", "8.8.8.010", "0x8.8.8.8", "8.8.2056", "08.8.8.8")


async def alive(rest: Any) -> bool:
    """Whether the server still serves."""
    return bool((await rest("GET", NAMESPACE)).status == 200)


async def test_cve_2019_11253_a_yaml_alias_bomb_is_a_bad_request(rest: Any) -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    for level in range(1, 9):
        lines.append(f"a{level}: &a{level} [{', '.join([f'*a{level - 1}'] * 9)}]")
    bomb = "\n".join(lines).encode()
    assert len(bomb) < 500
    for method, path, kind in (
        ("POST", CONFIG_MAPS, "application/yaml"),
        ("PATCH", f"{CONFIG_MAPS}/a?fieldManager=m", "application/apply-patch+yaml"),
    ):
        refused = await rest(method, path, bomb, Content_Type=kind)
        assert (refused.status, refused.body["reason"]) == (400, "BadRequest"), refused.body
    assert await alive(rest)


async def test_cve_2019_11253_a_body_of_brackets_is_refused(rest: Any) -> None:
    maps = b'{"a":' * (BODY_BYTES_MAX // 5)
    for body, code in ((b"[" * BODY_BYTES_MAX, 400), (b"[" * (BODY_BYTES_MAX + 1), 413), (maps, 400)):
        assert (await rest("POST", CONFIG_MAPS, body)).status == code
    assert (await rest("POST", CONFIG_MAPS, {"metadata": {"name": "a"}})).status == 201
    for kind in ("json-patch+json", "merge-patch+json", "strategic-merge-patch+json", "apply-patch+yaml"):
        path = f"{CONFIG_MAPS}/a?fieldManager=m"
        refused = await rest("PATCH", path, b"[" * BODY_BYTES_MAX, Content_Type=f"application/{kind}")
        assert refused.status == 400, (kind, refused.body)
    assert await alive(rest)


async def test_cve_2019_1002100_a_json_patch_of_too_many_operations_is_refused(rest: Any) -> None:
    assert (await rest("POST", CONFIG_MAPS, {"metadata": {"name": "a"}})).status == 201
    operation = {"op": "add", "path": "/metadata/labels", "value": {}}
    most = await rest("PATCH", f"{CONFIG_MAPS}/a", [operation] * 10_000, Content_Type="application/json-patch+json")
    assert most.status == 200
    refused = await rest("PATCH", f"{CONFIG_MAPS}/a", [operation] * 10_001, Content_Type="application/json-patch+json")
    assert (refused.status, "10000" in refused.body["message"]) == (413, True)


async def test_exec_over_a_websocket_needs_create(server: RunningServer, rest: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def authorize(request: Request) -> None:
        asked.append(f"{request.needed_verb} {request.resource.plural}/{request.subresource}")
        if request.needed_verb != "get":
            raise errors.forbidden("pods", request.name, f"cannot {request.needed_verb}")

    pod = {"metadata": {"name": "p"}, "spec": {"containers": [{"name": "c", "image": "i"}]}}
    assert (await rest("POST", f"{NAMESPACE}/pods", pod)).status == 201
    monkeypatch.setattr(server.assembly.api.authorizer, "authorize", authorize)
    async with server.session() as session:
        with pytest.raises(aiohttp.WSServerHandshakeError) as caught:
            await session.ws_connect(
                f"{server.url}{NAMESPACE}/pods/p/exec?command=id&stdout=1", protocols=["v4.channel.k8s.io"]
            )
    assert caught.value.status == 403
    assert asked == ["create pods/exec"]


@pytest.mark.parametrize("address", ["127.0.0.1", "127.8.8.8", "169.254.169.254", "224.0.0.1", "0.0.0.0"])
async def test_cve_2021_25737_endpoints_do_not_lead_to_the_node_itself(rest: Any, address: str) -> None:
    subsets = [{"addresses": [{"ip": address}], "ports": [{"port": 80}]}]
    refused = await rest("POST", f"{NAMESPACE}/endpoints", {"metadata": {"name": "e"}, "subsets": subsets})
    assert (refused.status, "subsets[0].addresses[0].ip" in refused.body["message"]) == (422, True)
    for ready in (True, False):
        endpoint = {"addresses": [address], "conditions": {"ready": ready}}
        slice_ = {"metadata": {"name": "s"}, "addressType": "IPv4", "endpoints": [endpoint], "ports": [{"port": 80}]}
        refused = await rest("POST", "/apis/discovery.k8s.io/v1/namespaces/default/endpointslices", slice_)
        assert (refused.status, "endpoints[0].addresses[0]" in refused.body["message"]) == (422, True)


@pytest.mark.parametrize("address", NOT_CANONICAL)
async def test_cve_2021_29923_an_address_is_written_as_it_is_read(rest: Any, address: str) -> None:
    container = {"name": "c", "image": "i"}
    ports = [{"port": 80}]
    objects = (
        ("endpoints", {"subsets": [{"addresses": [{"ip": address}], "ports": ports}]}),
        ("services", {"spec": {"ports": ports, "clusterIP": address}}),
        ("services", {"spec": {"ports": ports, "type": "LoadBalancer", "loadBalancerSourceRanges": [f"{address}/32"]}}),
        ("pods", {"spec": {"containers": [container], "hostAliases": [{"ip": address, "hostnames": ["a"]}]}}),
        ("pods", {"spec": {"containers": [{**container, "ports": [{"containerPort": 1, "hostIP": address}]}]}}),
        ("pods", {"spec": {"containers": [container], "dnsPolicy": "None", "dnsConfig": {"nameservers": [address]}}}),
    )
    for plural, body in objects:
        refused = await rest("POST", f"{NAMESPACE}/{plural}", {"metadata": {"name": "x"}, **body})
        assert refused.status == 422, (plural, refused.body)
    policy = {"podSelector": {}, "egress": [{"to": [{"ipBlock": {"cidr": f"{address}/32"}}]}]}
    path = "/apis/networking.k8s.io/v1/namespaces/default/networkpolicies"
    assert (await rest("POST", path, {"metadata": {"name": "x"}, "spec": policy})).status == 422


async def test_cve_2020_8554_external_addresses_of_services_are_off(rest: Any) -> None:
    spec = {"ports": [{"port": 80}], "externalIPs": ["8.8.8.8"]}
    refused = await rest("POST", f"{NAMESPACE}/services", {"metadata": {"name": "x"}, "spec": spec})
    assert (refused.status, "externalIPs" in refused.body["message"]) in ((403, True), (422, True))
    del spec["externalIPs"]
    assert (await rest("POST", f"{NAMESPACE}/services", {"metadata": {"name": "x"}, "spec": spec})).status == 201
    taken = await rest("PATCH", f"{NAMESPACE}/services/x", {"spec": {"externalIPs": ["8.8.8.8"]}}, **MERGE)
    assert taken.status in (403, 422)


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity", "1e999"])
async def test_numbers_that_are_none_are_refused(rest: Any, number: str) -> None:
    body = f'{{"metadata": {{"name": "q"}}, "spec": {{"hard": {{"pods": {number}}}}}}}'.encode()
    refused = await rest("POST", f"{NAMESPACE}/resourcequotas?fieldValidation=Strict", body)
    assert refused.status in (400, 422)
    assert (await rest("GET", f"{NAMESPACE}/resourcequotas/q")).status == 404


async def test_keys_that_stand_twice_are_refused_under_strict_validation(rest: Any) -> None:
    doubled = b'{"metadata": {"name": "a", "labels": {"x": "1", "x": "2"}}, "data": {"k": "1"}}'
    refused = await rest("POST", f"{CONFIG_MAPS}?fieldValidation=Strict", doubled)
    assert (refused.status, "duplicate field" in refused.body["message"]) == (400, True)
    as_yaml = b"metadata: {name: a}\ndata: {k: a}\ndata: {k: b}\n"
    refused = await rest("POST", f"{CONFIG_MAPS}?fieldValidation=Strict", as_yaml, Content_Type="application/yaml")
    assert (refused.status, "duplicate field" in refused.body["message"]) == (400, True)
    warned = await rest("POST", f"{CONFIG_MAPS}?fieldValidation=Warn", doubled)
    assert (warned.status, "duplicate field" in warned.headers["Warning"]) == (201, True)


@pytest.mark.parametrize("row", CLUSTER_SCOPED, ids=lambda row: row.qualified)
async def test_cve_2019_11247_a_namespace_is_no_way_to_what_is_in_none(rest: Any, row: Resource) -> None:
    """Who may do something in a namespace could do it to the whole cluster, by a path that leads through the namespace."""
    root = f"/apis/{row.api_version}" if row.group else f"/api/{row.version}"
    through = f"{root}/namespaces/default/{row.plural}"
    manifest: dict[str, Any] = {"apiVersion": row.api_version, "kind": row.kind, "metadata": {"name": "x"}}
    if row.plural != "namespaces":  # of which there is a path of this form, for a namespace's own subresources
        assert (await rest("GET", through)).status == 404
        assert (await rest("POST", through, manifest)).status == 404
        assert (await rest("DELETE", through)).status == 404
    for method in ("GET", "PUT", "PATCH", "DELETE"):
        body = manifest if method in ("PUT", "PATCH") else None
        answer = await rest(method, f"{through}/x", body, Content_Type="application/merge-patch+json")
        assert (answer.status, answer.body["message"]) == (404, "the server could not find the requested resource")
    for subresource in row.subresources:
        assert (await rest("GET", f"{through}/x/{subresource}")).status == 404


async def test_cve_2023_44487_there_are_no_streams_to_reset_rapidly(server: RunningServer, rest: Any) -> None:
    """The REST door speaks HTTP/1.1 alone, whatever a client offers; who speaks HTTP/2 all the same is cut off."""
    context = server.client_context()
    context.set_alpn_protocols(["h2", "http/1.1"])
    reader, writer = await asyncio.open_connection("127.0.0.1", server.rest_port, ssl=context)
    try:
        assert writer.get_extra_info("ssl_object").selected_alpn_protocol() == "http/1.1"
        resets = b"".join(b"\0\0\4\3\0" + stream.to_bytes(4, "big") + b"\0\0\0\x08" for stream in range(1, 2001, 2))
        writer.write(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\0\0\0\4\0\0\0\0\0" + resets)
        answer = await asyncio.wait_for(reader.read(), 10)
    finally:
        writer.close()
    assert answer.startswith((b"HTTP/1.1 4", b"HTTP/1.0 4")) or not answer, answer[:200]
    assert await alive(rest)
