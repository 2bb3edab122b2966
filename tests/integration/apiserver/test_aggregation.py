"""API aggregation: an extension API server over HTTPS, reached by way of a kubelet, that checks certificates and headers."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, NamedTuple

import aiohttp
import pytest
from aiohttp import web

from apiclient.client import Client
from apimachinery import kinds
from apimachinery.errors import ApiError
from apiserver.adapters import GrpcNodes
from apiserver.aggregation import ProxyClient
from apiserver.app import Settings
from apiserver.core.access import Decision, Question
from apiserver.core.request import User
from apiserver.doors.rest import DRAIN_S
from controller_manager.namespace import aggregated
from controller_manager.namespace.core import Remains
from tests.support import extension_server as support
from tests.support.apiserver import RunningServer, real_api_server
from tests.support.extension_server import NAME, ROOT, ExtensionServer, extension_server
from tests.support.fake_kubelet import FakeKubelet, fake_kubelet
from tests.support.throwaway_ca import ThrowawayCa

WAIT_S = 20.0
FLUNDERS = f"{ROOT}/namespaces/default/flunders"
API_SERVICE = f"/apis/apiregistration.k8s.io/v1/apiservices/{NAME}"


class Setting(NamedTuple):
    server: RunningServer
    session: aiohttp.ClientSession
    client: Client
    kubelet: FakeKubelet
    kubelet_port: int
    extension: ExtensionServer
    ca: ThrowawayCa

    async def get(self, path: str, **headers: str) -> tuple[int, Any]:
        async with self.session.get(self.server.url + path, headers=headers, allow_redirects=False) as answer:
            return answer.status, json.loads(await answer.read())

    async def until(self, path: str, holds: Callable[[int, Any], bool], **headers: str) -> Any:
        """What a path answers once it is as wanted."""
        while True:
            status, body = await self.get(path, **headers)
            if holds(status, body):
                return body
            await asyncio.sleep(0.01)

    async def condition(self, wanted: Callable[[dict[str, Any]], bool], name: str = NAME) -> dict[str, Any]:
        """The condition Available once it is as wanted."""
        while True:
            _, found = await self.get(f"/apis/apiregistration.k8s.io/v1/apiservices/{name}")
            (condition,) = found.get("status", {}).get("conditions") or [{}]
            if condition and wanted(condition):
                return condition
            await asyncio.sleep(0.01)

    async def reason(self, reason: str) -> dict[str, Any]:
        return await self.condition(lambda condition: condition["reason"] == reason)


@asynccontextmanager
async def running(tmp_path: Path) -> AsyncIterator[Setting]:
    """An API server and an extension server on 127.0.0.1, of which no object of the cluster speaks."""
    kubelets, ca = ThrowawayCa(tmp_path / "kubelets"), ThrowawayCa(tmp_path / "extension")
    front_proxy = ThrowawayCa(tmp_path / "front-proxy")
    files = kubelets.client("kube-apiserver-kubelet-client", ("system:masters",))
    settings = Settings(proxy_client=ProxyClient(*front_proxy.client("front-proxy-client")))
    async with fake_kubelet(kubelets) as (kubelet, port), extension_server(ca, front_proxy) as extension:
        nodes = GrpcNodes(ca=kubelets.ca.read_bytes(), certificate=files.cert.read_bytes(), key=files.key.read_bytes())
        async with real_api_server(tmp_path, nodes=nodes, settings=settings) as server, server.session() as session:
            client = Client(server.transport())
            yield Setting(server, session, client, kubelet, port, extension, ca)
            await client.close()


@pytest.fixture
async def unregistered(tmp_path: Path) -> AsyncIterator[Setting]:
    """The two, not knowing each other."""
    async with running(tmp_path) as setting, asyncio.timeout(WAIT_S * 3):
        yield setting


async def register(setting: Setting) -> None:
    """Until the API is available."""
    await support.behind(setting.client, setting.kubelet, setting.kubelet_port, setting.extension)
    await setting.client.create(support.api_service(setting.ca))
    await setting.reason("Passed")
    await setting.condition(lambda _: setting.server.assembly.aggregation.routes[support.GROUP, support.VERSION].available)


@pytest.fixture
async def setting(unregistered: Setting) -> Setting:
    """The same, registered and available."""
    setting = unregistered
    await register(setting)
    setting.extension.requests.clear()
    return setting


async def test_requests_are_carried_and_say_who_asks(setting: Setting) -> None:
    groups = ("tenants", "ops")
    await grant(setting, "tenants")
    async with setting.server.session(setting.server.ca.client("jane", groups)) as session:
        spoofed = {"X-Remote-User": "admin", "X-Remote-Group": "system:masters", "X-Remote-Extra-Scopes": "all"}
        secret = {"Authorization": "Bearer secret", "X-Remote-Uid": "0", "X-Own": "kept"}
        url = f"{setting.server.url}{FLUNDERS}?limit=500&labelSelector=a%3Db"
        async with session.get(url, headers={**spoofed, **secret}) as answer:
            assert (answer.status, (await answer.json())["kind"]) == (200, "FlunderList")
    (got,) = setting.extension.got(FLUNDERS)
    assert got.path == f"{FLUNDERS}?limit=500&labelSelector=a%3Db"
    assert got.client == "front-proxy-client"
    assert got.headers["x-remote-user"] == ["jane"]
    assert got.headers["x-remote-group"] == [*groups, "system:authenticated"]
    assert got.headers["x-own"] == ["kept"]
    assert got.headers["x-forwarded-for"] == ["127.0.0.1"]
    assert not {"authorization", "x-remote-uid", "x-remote-extra-scopes"} & got.headers.keys()
    (first, *_) = setting.kubelet.forwards
    assert (first.pod.pod, first.port) == (support.SERVICE, support.PORT)


async def test_who_is_impersonated_is_who_asks(setting: Setting) -> None:
    await grant(setting, "tenants")
    headers = {"Impersonate-User": "jane", "Impersonate-Group": "tenants"}
    async with setting.session.get(setting.server.url + FLUNDERS, headers=headers) as answer:
        assert answer.status == 200
    (got,) = setting.extension.got(FLUNDERS)
    assert got.headers["x-remote-user"] == ["jane"]
    assert got.headers["x-remote-group"] == ["tenants", "system:authenticated"]
    assert not [name for name in got.headers if name.startswith("impersonate-")]


async def grant(setting: Setting, group: str) -> None:
    """Let a group list flunders in the default namespace, and wait until it may."""
    meta = kinds.ObjectMeta(name="flunders", namespace="default")
    rule = kinds.PolicyRule(api_groups=[support.GROUP], resources=["flunders"], verbs=["list"])
    await setting.client.create(kinds.Role(metadata=meta, rules=[rule]))
    subject = kinds.Subject(kind="Group", name=group, api_group="rbac.authorization.k8s.io")
    role = kinds.RoleRef(kind="Role", name="flunders", api_group="rbac.authorization.k8s.io")
    await setting.client.create(kinds.RoleBinding(metadata=meta, role_ref=role, subjects=[subject]))
    question = Question(
        user=User("x", (group,)), verb="list", group=support.GROUP, version="v1", resource="flunders", namespace="default"
    )
    while not setting.server.assembly.api.authorizer.decide(question).allowed:  # noqa: ASYNC110 - there is no event to wait for
        await asyncio.sleep(0.01)


async def test_who_holds_no_role_gets_nothing(setting: Setting) -> None:
    await grant(setting, "tenants")
    url = setting.server.url
    async with setting.server.session(setting.server.ca.client("jane", ("tenants",))) as session:
        for path, code in ((FLUNDERS, 200), (f"{FLUNDERS}/a", 403), (f"{ROOT}/flunders", 403), (ROOT, 200)):
            async with session.get(url + path) as answer:
                assert answer.status == code, path
    assert [each.path for each in setting.extension.carried] == [FLUNDERS, ROOT]


async def test_components_ask_over_grpc(setting: Setting) -> None:
    body = json.dumps({"metadata": {"name": "a"}}).encode()
    assert json.loads(await setting.client.carry("POST", FLUNDERS, body))["metadata"]["uid"] == "u2"
    listed = json.loads(await setting.client.carry("GET", FLUNDERS))
    assert [each["metadata"]["name"] for each in listed["items"]] == ["a"]
    (got, *_) = setting.extension.got(FLUNDERS)
    assert (got.headers["x-remote-user"], got.headers["content-type"], got.body) == (
        *(["kubernetes-admin"], ["application/json"]),
        body,
    )
    await setting.client.carry("DELETE", f"{FLUNDERS}/a", b"{}")
    asked = len(setting.extension.carried)
    for path, code in (
        (f"{FLUNDERS}/a", 404),
        ("/api/v1/namespaces/default/pods", 404),
        ("/apis/nobody.example.com/v1", 404),
        (f"{FLUNDERS}?watch=true", 400),
        (f"{FLUNDERS}/%2e%2e/x", 400),
    ):
        with pytest.raises(ApiError) as failed:
            await setting.client.carry("GET", path)
        assert failed.value.code == code, path
    assert len(setting.extension.carried) == asked + 1

    stranger = Client(setting.server.transport(setting.server.ca.client("jane", ("tenants",))))
    with pytest.raises(ApiError) as failed:
        await stranger.carry("GET", FLUNDERS)
    assert failed.value.code == 403
    await stranger.close()

    redirect = {"Location": "https://127.0.0.1/"}
    setting.extension.answer = lambda request: (
        web.Response(status=302, headers=redirect) if "flunders" in request.path else None
    )
    with pytest.raises(ApiError) as failed:
        await setting.client.carry("GET", FLUNDERS)
    assert failed.value.code == 502


async def test_namespaces_are_emptied_over_grpc(setting: Setting) -> None:
    for namespace, name in (("default", "a"), ("default", "b"), ("other", "c")):
        body = json.dumps({"metadata": {"name": name}}).encode()
        await setting.client.carry("POST", FLUNDERS.replace("default", namespace), body)
    remains = Remains()
    await aggregated.empty(setting.client, f"{support.GROUP}/v1", "default", remains)
    assert remains.gone
    assert list(setting.extension.flunders) == [("other", "c")]


async def test_objects_come_and_go(setting: Setting) -> None:
    url = setting.server.url + FLUNDERS
    async with setting.session.get(f"{url}?watch=true") as watching:
        async with setting.session.post(url, data=json.dumps({"metadata": {"name": "a"}, "bounce": 7})) as answer:
            assert (answer.status, (await answer.json())["bounce"]) == (201, 7)
        assert json.loads(await watching.content.readline())["type"] == "ADDED"
        assert (await setting.get(f"{FLUNDERS}/a"))[1]["metadata"]["uid"] == "u2"
        async with setting.session.delete(f"{url}/a") as answer:
            assert answer.status == 200
        assert json.loads(await watching.content.readline())["type"] == "DELETED"
    status, body = await setting.get(f"{FLUNDERS}/a")
    assert (status, body["message"]) == (404, f"{FLUNDERS}/a not found")


async def test_bodies_of_any_size_stream_both_ways(setting: Setting) -> None:
    """The limit of what this server itself takes (3 MiB) is not that of others."""
    piece, count = b"x" * 65536, 128
    sent = asyncio.Event()

    async def body() -> AsyncIterator[bytes]:
        yield piece
        await sent.wait()
        for _ in range(count - 1):
            yield piece

    async with setting.session.post(f"{setting.server.url}{ROOT}/stream", data=body()) as answer:
        assert await answer.content.readexactly(len(piece)) == piece
        sent.set()
        assert len(await answer.content.read()) == len(piece) * (count - 1)


async def test_websockets_are_carried(setting: Setting) -> None:
    async with setting.session.ws_connect(f"{setting.server.url}{ROOT}/socket") as socket:
        await socket.send_str("hello")
        assert await socket.receive_str() == "HELLO"


async def raw_upgrade(setting: Setting, method: str, protocol: str, then: bytes = b"") -> tuple[Any, Any]:
    reader, writer = await asyncio.open_connection("127.0.0.1", setting.server.rest_port, ssl=setting.server.client_context())
    head = f"{method} {ROOT}/namespaces/default/flunders/a/exec HTTP/1.1\r\nHost: api\r\nContent-Length: 0\r\n"
    writer.write(f"{head}Connection: Upgrade\r\nUpgrade: {protocol}\r\n\r\n".encode() + then)
    return reader, writer


async def test_any_protocol_can_be_upgraded_to(setting: Setting) -> None:
    """Old kubectl speaks SPDY, by POST."""
    setting.extension.answer = Upgrading("SPDY/3.1")
    reader, writer = await raw_upgrade(setting, "POST", "SPDY/3.1")
    assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 101 ")
    writer.write(b"\x80\x03frames")
    assert await reader.readexactly(8) == b"\x80\x03FRAMES"
    writer.close()


class Upgrading:
    """Answers upgrades with a protocol, and bytes in capitals from then on; everything else as usual."""

    def __init__(self, protocol: str) -> None:
        self._protocol = protocol

    def __call__(self, request: web.BaseRequest) -> web.StreamResponse | None:
        if "Upgrade" not in request.headers:
            return None
        return _Switched(self._protocol)


class _Switched(web.StreamResponse):
    def __init__(self, protocol: str) -> None:
        super().__init__(status=101, headers={"Connection": "Upgrade", "Upgrade": protocol})
        self.force_close()

    async def prepare(self, request: web.BaseRequest) -> Any:
        writer = await super().prepare(request)
        request.protocol.set_parser(self)  # type: ignore[arg-type]
        self._transport = request.transport
        self._gone = asyncio.Event()
        return writer

    def feed_data(self, data: bytes) -> tuple[bool, bytes]:
        assert self._transport is not None
        self._transport.write(data.upper())  # type: ignore[attr-defined]
        return False, b""

    def feed_eof(self) -> None:
        self._gone.set()

    async def write_eof(self, data: bytes = b"") -> None:
        await self._gone.wait()


async def test_cve_2018_1002105_a_failed_upgrade_closes_the_connection(setting: Setting) -> None:
    """Nothing that the client sends afterwards reaches the server, which believes our headers."""
    setting.extension.answer = lambda request: web.Response(status=403, text="no") if "exec" in request.path else None
    second = f"GET {FLUNDERS}/second HTTP/1.1\r\nHost: b\r\nX-Remote-User: system:admin\r\n\r\n".encode()
    reader, writer = await raw_upgrade(setting, "GET", "websocket", second)
    answer = await asyncio.wait_for(reader.read(-1), WAIT_S)
    assert answer.startswith(b"HTTP/1.1 403 ")
    assert answer.count(b"HTTP/1.1 ") == 1
    assert not [each for each in setting.extension.requests if "second" in each.path]
    writer.close()


@pytest.mark.parametrize("upgrade", [False, True], ids=["a request", "an upgrade"])
@pytest.mark.parametrize("code", [301, 302, 303, 307, 308])
async def test_cve_2022_3172_cve_2020_8559_redirects_are_not_relayed(setting: Setting, code: int, upgrade: bool) -> None:
    away = {"Location": f"https://127.0.0.1:{setting.extension.port}/stolen"}
    setting.extension.answer = lambda request: web.Response(status=code, headers=away) if "away" in request.path else None
    headers = {"Connection": "Upgrade", "Upgrade": "websocket"} if upgrade else {}
    async with setting.session.get(f"{setting.server.url}{FLUNDERS}/away", headers=headers, allow_redirects=False) as answer:
        assert answer.status == 502
        assert "Location" not in answer.headers
        assert "redirect" in (await answer.json())["message"]
    assert not setting.extension.got("/stolen")


async def test_not_modified_is_no_redirect(setting: Setting) -> None:
    setting.extension.answer = lambda request: web.Response(status=304) if "same" in request.path else None
    async with setting.session.get(f"{setting.server.url}{FLUNDERS}/same") as answer:
        assert answer.status == 304


@pytest.mark.parametrize(
    "path", ["/apis/wardle.example.com/v1/../../../api/v1/secrets", f"{FLUNDERS}/a%2F..%2Fb", f"{FLUNDERS}//x", f"{ROOT}/./x"]
)
async def test_paths_that_mean_another_are_refused(setting: Setting, path: str) -> None:
    """What is authorized is what is sent."""
    reader, writer = await asyncio.open_connection("127.0.0.1", setting.server.rest_port, ssl=setting.server.client_context())
    writer.write(f"GET {path} HTTP/1.1\r\nHost: api\r\nConnection: close\r\n\r\n".encode())
    assert (await reader.read(-1)).startswith((b"HTTP/1.1 400 ", b"HTTP/1.1 404 "))
    writer.close()
    assert setting.extension.carried == []


async def test_what_is_not_allowed_is_not_carried(setting: Setting, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Question] = []

    def decide(question: Question) -> Decision:
        asked.append(question)
        return Decision(question.verb == "get", reason="no role")

    monkeypatch.setattr(setting.server.assembly.api.authorizer, "decide", decide)
    status, body = await setting.get(FLUNDERS)
    assert (status, body["reason"]) == (403, "Forbidden")
    assert body["message"] == (
        'flunders.wardle.example.com is forbidden: User "kubernetes-admin" cannot list resource "flunders" in API group '
        '"wardle.example.com" in the namespace "default": no role'
    )
    assert (await setting.get(f"{FLUNDERS}/a"))[0] == 404
    assert [(each.verb, each.group, each.resource, each.namespace, each.name) for each in asked] == [
        ("list", "wardle.example.com", "flunders", "default", ""),
        ("get", "wardle.example.com", "flunders", "default", "a"),
    ]
    assert [each.path for each in setting.extension.carried] == [f"{FLUNDERS}/a"]


async def test_the_reasons_one_after_the_other(unregistered: Setting) -> None:
    """From nothing to a working API, each change noticed by itself."""
    setting, client = unregistered, unregistered.client
    await client.create(support.api_service(setting.ca))
    missing = await setting.reason("ServiceNotFound")
    assert (missing["status"], missing["message"]) == ("False", 'service/wardle in "default" is not present')
    status, body = await setting.get(FLUNDERS)
    assert (status, body["reason"], body["message"]) == (503, "ServiceUnavailable", "service unavailable")

    await support.make_service(client, port=444)
    assert (await setting.reason("ServicePortError"))["message"].endswith("is not listening on port 443")
    service = await client.get(kinds.Service, support.SERVICE, "default")
    service.spec.ports[0].port = 443
    await client.update(service)
    await setting.reason("EndpointsNotFound")
    pod = await support.make_pod(client, setting.kubelet_port)
    await client.create(kinds.Endpoints(metadata=kinds.ObjectMeta(name=support.SERVICE, namespace="default")))
    await setting.reason("MissingEndpoints")
    setting.kubelet.backends[support.PORT] = 1  # nobody listens there
    await client.update(support.endpoints(pod))
    failed = await setting.reason("FailedDiscoveryCheck")
    assert failed["message"].startswith(f"failing or missing response from https://wardle.default.svc:443{ROOT}: ")
    setting.kubelet.backends[support.PORT] = setting.extension.port
    passed = await setting.reason("Passed")
    assert (passed["status"], passed["message"]) == ("True", "all checks passed")
    prober = setting.extension.got(ROOT)[-1]
    assert prober.headers["x-remote-user"] == ["system:kube-aggregator"]
    assert prober.headers["x-remote-group"] == ["system:masters"]


async def test_an_end_is_noticed(setting: Setting) -> None:
    await setting.client.delete(kinds.Endpoints, support.SERVICE, "default")
    await setting.reason("EndpointsNotFound")
    assert (await setting.get(FLUNDERS))[0] == 503
    assert (await setting.get("/api/v1/namespaces/default"))[0] == 200
    async with setting.session.get(f"{setting.server.url}/metrics") as answer:
        assert f'aggregator_unavailable_apiservice{{name="{NAME}"}} 1.0' in await answer.text()


async def test_a_failing_request_makes_us_look(setting: Setting) -> None:
    """Without a change of any object, and long before the next look is due."""
    setting.kubelet.backends[support.PORT] = 1
    status, body = await setting.get(FLUNDERS)
    assert (status, body["reason"]) == (503, "ServiceUnavailable")
    await setting.reason("FailedDiscoveryCheck")
    setting.kubelet.backends[support.PORT] = setting.extension.port
    await setting.reason("Passed")


@pytest.mark.parametrize(
    ("change", "available"),
    [
        ({"caBundle": None, "insecureSkipTLSVerify": True}, True),
        ({"caBundle": None}, False),
        ({"caBundle": "bm8gUEVN"}, False),
    ],
    ids=["not verified", "no CA that this machine trusts", "no certificate at all"],
)
async def test_who_the_servers_are(setting: Setting, change: dict[str, Any], available: bool) -> None:
    body = json.dumps({"spec": change})
    headers = {"Content-Type": "application/merge-patch+json"}
    before = len(setting.extension.got(ROOT))
    async with setting.session.patch(setting.server.url + API_SERVICE, data=body, headers=headers) as answer:
        assert answer.status == 200, await answer.text()
    if not available:
        await setting.reason("FailedDiscoveryCheck")
        return
    await setting.until(FLUNDERS, lambda status, _: status == 200 and len(setting.extension.got(ROOT)) > before)
    await setting.reason("Passed")


async def test_a_certificate_for_another_name_is_not_good(unregistered: Setting, tmp_path: Path) -> None:
    setting = unregistered
    front_proxy = ThrowawayCa(tmp_path / "other-front-proxy")
    async with extension_server(setting.ca, front_proxy, name="other.default.svc") as extension:
        await support.behind(setting.client, setting.kubelet, setting.kubelet_port, extension)
        await setting.client.create(support.api_service(setting.ca))
        assert "certificate is not" in (await setting.reason("FailedDiscoveryCheck"))["message"]
    assert extension.requests == []


async def test_a_deleted_api_service_is_one_no_more(setting: Setting) -> None:
    await setting.client.delete(kinds.APIService, NAME)
    body = await setting.until(FLUNDERS, lambda status, _: status == 404)
    assert body["message"] == "the server could not find the requested resource"
    setting.extension.requests.clear()
    assert (await setting.get(ROOT))[0] == 404
    assert setting.extension.carried == []


async def test_local_api_services_exist_by_themselves(unregistered: Setting) -> None:
    setting = unregistered
    await setting.condition(lambda condition: condition["reason"] == "Local", "v1.apps")
    found = (await setting.client.list(kinds.APIService)).items
    rows = {f"{row.version}.{row.group}" for row in setting.server.assembly.table.rows} - {"v1.apiregistration.k8s.io"}
    assert {each.metadata.name for each in found} == rows
    before = await setting.client.get(kinds.APIService, "v1.apps")
    assert before.metadata.labels == {"kube-aggregator.kubernetes.io/automanaged": "onstart"}
    await setting.client.delete(kinds.APIService, "v1.apps")
    await setting.until("/apis/apiregistration.k8s.io/v1/apiservices/v1.apps", lambda status, _: status == 200)
    after = await setting.client.get(kinds.APIService, "v1.apps")
    assert (after.spec, after.metadata.labels) == (before.spec, before.metadata.labels)
    assert after.metadata.uid != before.metadata.uid


async def test_an_api_of_this_server_can_be_handed_over_and_comes_back(setting: Setting) -> None:
    path = "/apis/batch/v1/namespaces/default/jobs"
    headers = {"Content-Type": "application/merge-patch+json"}
    url = f"{setting.server.url}/apis/apiregistration.k8s.io/v1/apiservices/v1.batch"
    service = {"namespace": "default", "name": support.SERVICE, "port": 443}
    for spec, kind in (
        ({"service": service, "insecureSkipTLSVerify": True}, "Status"),
        ({"service": None, "insecureSkipTLSVerify": None}, "JobList"),
    ):
        async with setting.session.patch(url, data=json.dumps({"spec": spec}), headers=headers) as answer:
            assert answer.status == 200
        await setting.until(path, lambda _, body, kind=kind: body["kind"] == kind)  # type: ignore[misc]
        wanted = "Passed" if spec["service"] else "Local"
        await setting.condition(lambda condition, wanted=wanted: condition["reason"] == wanted, "v1.batch")  # type: ignore[misc]


async def test_api_services_themselves_are_never_handed_over(setting: Setting) -> None:
    """Nobody could take that back."""
    made = support.api_service(setting.ca, group="apiregistration.k8s.io")
    await setting.client.create(made)
    aggregation, path = setting.server.assembly.aggregation, "/apis/apiregistration.k8s.io/v1"
    known = await setting.until(path, lambda *_: made.metadata.name in [each.metadata.name for each in aggregation.known])
    assert known["resources"][0]["name"] == "apiservices"
    assert (await setting.get(f"{path}/apiservices/{made.metadata.name}"))[1]["kind"] == "APIService"
    assert not setting.extension.got(path)


async def test_carried_requests_are_counted(setting: Setting) -> None:
    await setting.get(FLUNDERS)
    await setting.get(f"{FLUNDERS}/a")
    async with setting.session.get(f"{setting.server.url}/metrics") as answer:
        lines = (await answer.text()).splitlines()
    for verb, code in (("list", 200), ("get", 404)):
        labels = f'code="{code}",group="{support.GROUP}",resource="",subresource="",verb="{verb}"'
        assert f"apiserver_request_total{{{labels}}} 1.0" in lines


async def test_the_server_stops_while_a_watch_runs(tmp_path: Path) -> None:
    """It does not wait for a watch that nobody but the extension server could end."""
    loop = asyncio.get_running_loop()
    async with asyncio.timeout(WAIT_S), running(tmp_path) as setting:
        await register(setting)
        session = setting.server.session()
        watching = await session.get(f"{setting.server.url}{FLUNDERS}?watch=true")
        begun = loop.time()
    assert loop.time() - begun < DRAIN_S / 2
    with pytest.raises(aiohttp.ClientError):
        await watching.read()
    await session.close()
