"""Tokens of ServiceAccounts: requested, used, reviewed, and worthless once their objects are gone; admission of pods."""

from __future__ import annotations

import asyncio
import base64
import logging
import ssl
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import jwt
import pytest

from apiclient.client import Client
from apimachinery import service_accounts as names
from apimachinery.clock import FakeClock
from apimachinery.errors import ApiError
from apimachinery.kinds import (
    BoundObjectReference,
    ConfigMap,
    Container,
    Namespace,
    Node,
    ObjectMeta,
    Pod,
    Secret,
    ServiceAccount,
    TokenRequest,
    TokenRequestSpec,
)
from apiserver.app import Settings
from apiserver.storage.port import Storage
from component_base.signing import Signer
from tests.support.apiserver import RunningServer, real_api_server
from tests.support.tokens import ISSUER, elliptic_key, token_keys
from tests.support.webhook_server import MUTATING, VALIDATING, allowed, configuration, patched, refused, rule, webhook_server

KEY = elliptic_key()
ACCOUNTS = "/api/v1/namespaces/default/serviceaccounts"
PODS = "/api/v1/namespaces/default/pods"
REVIEWS = "/apis/authentication.k8s.io/v1/tokenreviews"
SELF = "/apis/authentication.k8s.io/v1/selfsubjectreviews"
NAMESPACES = "/api/v1/namespaces"
POD = {"metadata": {"name": "p"}, "spec": {"serviceAccountName": "web", "containers": [{"name": "c", "image": "i"}]}}

Call = Callable[..., Awaitable[Any]]


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
async def server(storage: Callable[[], Storage], tmp_path: Path, clock: FakeClock) -> AsyncIterator[RunningServer]:
    keys = token_keys(KEY, audiences=("api", ISSUER), seconds_max=48 * 3600)
    settings = Settings(prefix=f"/registry-{uuid.uuid4()}", tokens=keys)
    async with real_api_server(tmp_path, storage=storage(), settings=settings, clock=clock) as running:
        client = Client(running.transport())
        await client.create(ServiceAccount(metadata=ObjectMeta(name="web", namespace="default")))
        await client.close()
        yield running


async def token_of(rest: Call, account: str = "web", **spec: Any) -> str:
    answer = await rest("POST", f"{ACCOUNTS}/{account}/token", {"spec": spec})
    assert answer.status == 201, answer.body
    token: str = answer.body["status"]["token"]
    return token


async def asked(server: RunningServer, token: str) -> int:
    """The status of a request with nothing but a token, which everybody may make who is somebody: 201, or 401."""
    async with server.session(token=token) as session, session.post(server.url + SELF, data=b"{}") as response:
        await response.read()
        return response.status


async def reviewed(rest: Call, token: str, **spec: Any) -> Any:
    answer = await rest("POST", REVIEWS, {"spec": {"token": token, **spec}})
    assert answer.status == 201, answer.body
    return answer.body["status"]


async def test_a_token_lets_its_account_in(server: RunningServer, rest: Call, clock: FakeClock) -> None:
    account = (await rest("GET", f"{ACCOUNTS}/web")).body
    answer = await rest("POST", f"{ACCOUNTS}/web/token", {})
    assert answer.status == 201
    assert (answer.body["kind"], answer.body["apiVersion"]) == ("TokenRequest", "authentication.k8s.io/v1")
    assert answer.body["metadata"] == {"name": "web", "namespace": "default", "creationTimestamp": "2026-01-01T00:00:00Z"}
    assert answer.body["spec"] == {"audiences": ["api", ISSUER], "expirationSeconds": 3600}
    assert answer.body["status"]["expirationTimestamp"] == "2026-01-01T01:00:00Z"
    token = answer.body["status"]["token"]
    claims = jwt.decode(token, Signer(KEY).public_key, algorithms=["ES256"], audience="api", options={"verify_exp": False})
    assert (claims["iss"], claims["sub"]) == (ISSUER, "system:serviceaccount:default:web")
    async with server.session(token=token) as session:
        async with session.get(server.url + NAMESPACES) as response:
            assert response.status == 403  # it is known, and may do nothing yet
        async with session.post(server.url + SELF, data=b"{}") as response:
            me = (await response.json())["status"]["userInfo"]
    assert me == {
        "username": "system:serviceaccount:default:web",
        "uid": account["metadata"]["uid"],
        "groups": ["system:serviceaccounts", "system:serviceaccounts:default", "system:authenticated"],
        "extra": {names.CREDENTIAL_ID: [f"JTI={claims['jti']}"]},
    }
    status = await reviewed(rest, token)
    assert status == {"authenticated": True, "user": me, "audiences": ["api", ISSUER]}
    clock.advance(3601)
    assert await asked(server, token) == 401
    assert await reviewed(rest, token) == {"error": "invalid bearer token, service account token has expired"}


async def test_who_shows_nothing_gets_health_alone(server: RunningServer) -> None:
    async with server.session(anonymous=True) as session:
        for path, status in (
            ("/healthz", 200),
            ("/livez", 200),
            ("/livez/ping", 200),
            ("/readyz?verbose", 200),
            ("/readyz/etcd", 200),
            ("/version", 401),
            ("/api", 401),
            ("/metrics", 401),
            ("/healthzz", 401),
            ("/openid/v1/jwks", 401),
            (NAMESPACES, 401),
        ):
            async with session.get(server.url + path) as response:
                assert (path, response.status) == (path, status)
        for method in ("POST", "DELETE"):
            async with session.request(method, server.url + NAMESPACES, data=b"{}") as response:
                assert response.status == 401


@pytest.mark.parametrize("storage", ["memory"], indirect=True)
async def test_credentials_and_which_of_them_count(server: RunningServer, rest: Call) -> None:
    good = await token_of(rest)
    rows = (
        ("bearer " + good, 200),
        ("BEARER  " + good + " ", 200),
        ("Bearer " + good[:-4] + "AAAA", 401),
        ("Bearer abc", 401),
        ("Bearer ", 401),
        ("Bearer", 401),
        ("Basic YTpi", 401),
        ("Bearer \udc80.\udcff.\udc80", 401),
        (good, 401),
    )
    async with server.session(anonymous=True) as session:
        for header, status in rows:
            async with session.get(server.url + "/version", headers={"Authorization": header}) as response:
                assert (header[:12], response.status) == (header[:12], status)
        async with session.get(server.url + "/healthz", headers={"Authorization": "Bearer abc"}) as response:
            assert response.status == 401  # who claims to be somebody has to prove it, whatever the path
    metrics = (await rest("GET", "/metrics")).body
    assert 'authentication_attempts_total{result="success"} 2.0' in metrics
    assert 'authentication_attempts_total{result="failure"} 4.0' in metrics
    async with server.session() as session:  # a certificate goes before any token
        headers = {"Authorization": "Bearer abc"}
        async with session.post(server.url + SELF, data=b"{}", headers=headers) as response:
            assert (await response.json())["status"]["userInfo"]["username"] == "kubernetes-admin"
    nobody = server.session(server.ca.client("", ()))  # one that names nobody does not
    async with nobody, nobody.get(server.url + "/version", headers={"Authorization": f"Bearer {good}"}) as response:
        assert response.status == 200


async def test_a_token_ends_with_its_account(server: RunningServer, rest: Call) -> None:
    token = await token_of(rest)
    assert await asked(server, token) == 201
    await rest("DELETE", f"{ACCOUNTS}/web")
    assert await asked(server, token) == 401
    await rest("POST", ACCOUNTS, {"metadata": {"name": "web"}})
    assert await asked(server, token) == 401  # another account of that name
    assert "error" in await reviewed(rest, token)
    assert await asked(server, await token_of(rest)) == 201


async def test_a_token_ends_with_its_pod(server: RunningServer, rest: Call, clock: FakeClock) -> None:
    node = (await rest("POST", "/api/v1/nodes", {"metadata": {"name": "n1"}})).body
    made = (await rest("POST", PODS, {**POD, "spec": {**POD["spec"], "nodeName": "n1"}})).body  # type: ignore[dict-item]
    reference = {"apiVersion": "v1", "kind": "Pod", "name": "p", "uid": made["metadata"]["uid"]}
    token = await token_of(rest, boundObjectRef=reference, expirationSeconds=3607)
    status = await reviewed(rest, token)
    assert status["user"]["extra"] | {names.CREDENTIAL_ID: []} == {
        names.CREDENTIAL_ID: [],
        names.POD_NAME: ["p"],
        names.POD_UID: [made["metadata"]["uid"]],
        names.NODE_NAME: ["n1"],
        names.NODE_UID: [node["metadata"]["uid"]],
    }
    clock.advance(10_000)
    assert await asked(server, token) == 201  # it lasts longer than it says
    await rest("DELETE", f"{PODS}/p?gracePeriodSeconds=30")
    assert await asked(server, token) == 201  # while the pod ends
    clock.advance(91)
    assert await asked(server, token) == 401  # and should be gone
    await rest("DELETE", f"{PODS}/p?gracePeriodSeconds=0")
    assert await asked(server, token) == 401
    await rest("POST", PODS, POD)
    assert await asked(server, token) == 401


async def test_a_token_ends_with_its_secret_or_node(server: RunningServer, rest: Call) -> None:
    for kind, path in (("Secret", "/api/v1/namespaces/default/secrets"), ("Node", "/api/v1/nodes")):
        await rest("POST", path, {"metadata": {"name": "o"}})
        token = await token_of(rest, boundObjectRef={"apiVersion": "v1", "kind": kind, "name": "o"})
        assert await asked(server, token) == 201
        assert ((await reviewed(rest, token))["user"]["extra"].get(names.NODE_NAME) == ["o"]) == (kind == "Node")
        await rest("DELETE", f"{path}/o")
        assert await asked(server, token) == 401


@pytest.mark.parametrize("storage", ["memory"], indirect=True)
async def test_audiences(server: RunningServer, rest: Call) -> None:
    token = await token_of(rest, audiences=["vault", "api2"])
    assert await asked(server, token) == 401
    assert await reviewed(rest, token) == {
        "error": "invalid bearer token, token audiences are invalid for the target audiences"
    }
    status = await reviewed(rest, token, audiences=["vault", "other"])
    assert (status["authenticated"], status["audiences"]) == (True, ["vault"])


@pytest.mark.parametrize("storage", ["memory"], indirect=True)
async def test_requests_that_are_refused(server: RunningServer, rest: Call, clock: FakeClock) -> None:
    await rest("POST", ACCOUNTS, {"metadata": {"name": "other"}})
    await rest("POST", PODS, POD)
    pod = {"apiVersion": "v1", "kind": "Pod", "name": "p"}
    rows: tuple[tuple[str, Any, int, str], ...] = (
        ("nobody", {}, 404, 'serviceaccounts "nobody" not found'),
        ("web", {"spec": {"expirationSeconds": 599}}, 422, "may not specify a duration less than 10 minutes"),
        ("web", {"spec": {"expirationSeconds": 1 << 33}}, 422, "may not specify a duration larger than 2^32 seconds"),
        ("web", {"metadata": {"name": "other"}}, 400, "does not match"),
        ("web", {"metadata": {"namespace": "kube-system"}}, 400, "does not match"),
        ("web", {"metadata": {"uid": "x"}}, 409, "does not match the UID in record"),
        ("web", {"kind": "Pod", "apiVersion": "v1"}, 400, "Pod"),
        ("web", {"spec": {"boundObjectRef": {**pod, "name": "q"}}}, 404, 'pods "q" not found'),
        ("web", {"spec": {"boundObjectRef": {**pod, "uid": "x"}}}, 409, "does not match the UID in record"),
        ("web", {"spec": {"boundObjectRef": {**pod, "name": ""}}}, 400, "needs a name"),
        ("other", {"spec": {"boundObjectRef": pod}}, 400, "different serviceaccount name"),
        ("web", {"spec": {"boundObjectRef": {**pod, "kind": "ConfigMap"}}}, 400, "cannot bind token to object of type"),
    )
    for account, body, status, sentence in rows:
        answer = await rest("POST", f"{ACCOUNTS}/{account}/token", body)
        assert (answer.status, sentence in answer.body["message"]) == (status, True), answer.body
    for method in ("GET", "PUT", "DELETE"):
        assert (await rest(method, f"{ACCOUNTS}/web/token", {} if method == "PUT" else None)).status == 405
    assert (await rest("POST", f"{PODS}/p/token", {})).status == 404


@pytest.mark.parametrize("storage", ["memory"], indirect=True)
async def test_a_long_life_is_cut_down_and_a_dry_run_gives_no_token(server: RunningServer, rest: Call) -> None:
    answer = await rest("POST", f"{ACCOUNTS}/web/token", {"spec": {"expirationSeconds": 1_000_000}})
    assert (answer.status, answer.body["spec"]["expirationSeconds"]) == (201, 48 * 3600)
    assert "requested expiration of 1000000 seconds shortened to 172800 seconds" in answer.headers["Warning"]
    tried = await rest("POST", f"{ACCOUNTS}/web/token?dryRun=All", {})
    assert (tried.status, tried.body["status"].get("token", "")) == (201, "")
    assert (await rest("POST", f"{ACCOUNTS}/nobody/token?dryRun=All", {})).status == 404


async def test_a_node_gets_tokens_of_its_own_pods_only(server: RunningServer, client: Client) -> None:
    await client.create(Node(metadata=ObjectMeta(name="n1")))
    for name, node in (("mine", "n1"), ("theirs", "n2")):
        pod = _pod(name)
        pod.spec.node_name = node
        await client.create(pod)
    mine, theirs = [await client.get(Pod, name, "default") for name in ("mine", "theirs")]
    kubelet = Client(server.transport(server.ca.client("system:node:n1", ("system:nodes",))))

    async def asked_for(reference: BoundObjectReference | None, *audiences: str) -> TokenRequest:
        spec = TokenRequestSpec(bound_object_ref=reference, expiration_seconds=3607, audiences=list(audiences))
        request = TokenRequest(spec=spec)
        return await kubelet.request_token("default", "web", request)

    granted = await asked_for(_reference(mine))
    assert (granted.status.expiration_timestamp, bool(granted.status.token)) == ("2026-01-01T01:00:07Z", True)
    without_uid = BoundObjectReference(api_version="v1", kind="Pod", name="mine")
    node = BoundObjectReference(api_version="v1", kind="Node", name="n1")
    for reference, sentence in (
        (None, "not bound to a pod"),
        (node, "not bound to a pod"),
        (without_uid, "without a uid"),
        (_reference(theirs), "scheduled on a different node"),
    ):
        with pytest.raises(ApiError) as caught:
            await asked_for(reference)
        assert (caught.value.code, sentence in caught.value.status.message) == (403, True)
    with pytest.raises(ApiError) as caught:
        await asked_for(_reference(mine), "vault")
    assert (caught.value.code, 'audience "vault" not found in pod spec volume' in caught.value.status.message) == (403, True)
    await kubelet.close()


async def test_a_token_in_a_secret_counts_while_the_secret_holds_it(server: RunningServer, client: Client, rest: Call) -> None:
    account = await client.get(ServiceAccount, "web", "default")
    token = Signer(KEY).sign(names.legacy_claims("default", "web", account.metadata.uid, "web-token"))
    assert await asked(server, token) == 401
    annotations = {names.ACCOUNT_NAME: "web"}
    secret = Secret(metadata=ObjectMeta(name="web-token", namespace="default", annotations=annotations), type=names.SECRET_TYPE)
    secret.data = {"token": base64.b64encode(token.encode()).decode()}
    secret = await client.create(secret)
    assert await asked(server, token) == 201
    assert (await reviewed(rest, token))["user"]["username"] == "system:serviceaccount:default:web"
    secret.data = {"token": base64.b64encode(b"another").decode()}
    await client.update(secret)
    assert await asked(server, token) == 401
    await client.delete(Secret, "web-token", "default")
    assert await asked(server, token) == 401


@pytest.mark.parametrize("storage", ["memory"], indirect=True)
async def test_others_can_verify_tokens(server: RunningServer, rest: Call) -> None:
    token = await token_of(rest, audiences=["vault"])
    configuration = await rest("GET", "/.well-known/openid-configuration")
    assert configuration.body["issuer"] == ISSUER
    assert configuration.body["jwks_uri"].endswith("/openid/v1/jwks")
    assert configuration.body["id_token_signing_alg_values_supported"] == ["ES256"]
    async with server.session(token=await token_of(rest)) as session, session.get(server.url + "/openid/v1/jwks") as response:
        assert (response.status, response.content_type) == (200, "application/jwk-set+json")
        keys = jwt.PyJWKSet.from_dict(await response.json(content_type=None))
    key = keys[jwt.get_unverified_header(token)["kid"]]
    claims = jwt.decode(
        token, key, audience="vault", issuer=ISSUER, options={"verify_exp": False, "verify_nbf": False, "verify_iat": False}
    )
    assert claims["sub"] == "system:serviceaccount:default:web"


@pytest.mark.parametrize("storage", ["memory"], indirect=True)
async def test_no_token_is_logged_counted_or_sent_back(
    server: RunningServer, rest: Call, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(logging.DEBUG)
    good = await token_of(rest)
    forged = good[:-6] + "AAAAAA"
    seen = []
    for token in (good, forged):
        async with server.session(token=token) as session:
            for method, path in (("GET", NAMESPACES), ("GET", "/nowhere"), ("POST", PODS), ("GET", f"{PODS}?watch=x&limit=x")):
                async with session.request(method, server.url + path, data=b"{" if method == "POST" else None) as response:
                    seen.append(await response.text())
        seen.append(str(await reviewed(rest, token)))
        seen.append(str((await rest("POST", REVIEWS, {"spec": {"token": token, "x": 1}})).headers))
        seen.append(str((await rest("POST", REVIEWS, {"spec": {"token": [token]}})).body))
    seen.append((await rest("GET", "/metrics")).body)
    seen += [caplog.text, *capfd.readouterr()]
    for token in (good, forged):
        _, payload, signature = token.split(".")
        assert [text for text in seen if payload in text or signature in text] == []


@pytest.mark.parametrize("storage", ["memory"], indirect=True)
@pytest.mark.parametrize("header", ["Authorization: Bearer {}\x01", "Authorization : Bearer {}", "X: {}" + "A" * 9_000])
async def test_no_token_of_a_malformed_request_is_logged(
    server: RunningServer, header: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    context = ssl.create_default_context(cafile=str(server.ca.ca))
    reader, writer = await asyncio.open_connection("127.0.0.1", server.rest_port, ssl=context)
    try:
        writer.write(f"GET /api HTTP/1.1\r\nHost: x\r\n{header.format('THE-TOKEN')}\r\n\r\n".encode())
        assert b"400 Bad Request" in await reader.readline()
    finally:
        writer.close()
    assert "a request was malformed" in caplog.text
    assert "THE-TOKEN" not in caplog.text


@pytest.mark.parametrize("storage", ["memory"], indirect=True)
async def test_a_browser_sends_its_token_as_a_protocol(server: RunningServer, rest: Call) -> None:
    token = await token_of(rest)
    good, bad = (base64.urlsafe_b64encode(each.encode()).rstrip(b"=").decode() for each in (token, token[:-4] + "AAAA"))
    prefix = "base64url.bearer.authorization.k8s.io."
    upgrade = {
        "Upgrade": "websocket",
        "Connection": "Upgrade",
        "Sec-WebSocket-Version": "13",
        "Sec-WebSocket-Key": "AAAAAAAAAAAAAAAAAAAAAA==",
    }
    await rest("POST", "/api/v1/nodes", {"metadata": {"name": "n1"}})
    await rest("POST", PODS, {**POD, "spec": {**POD["spec"], "nodeName": "n1"}})  # type: ignore[dict-item]
    role = {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "cluster-admin"}
    subject = {"kind": "ServiceAccount", "name": "web", "namespace": "default"}
    binding = {"metadata": {"name": "b"}, "roleRef": role, "subjects": [subject]}
    bound = await rest("POST", "/apis/rbac.authorization.k8s.io/v1/namespaces/default/rolebindings", binding)
    assert bound.status == 201, bound.body
    address = {
        "addresses": [{"type": "InternalIP", "address": "127.0.0.1"}],
        "daemonEndpoints": {"kubeletEndpoint": {"Port": 9}},
    }
    patched = await rest("PATCH", "/api/v1/nodes/n1/status", {"status": address}, content_type="application/merge-patch+json")
    assert patched.status == 200
    async with server.session(anonymous=True) as session:
        for encoded, protocol, status in ((bad, "v4.channel.k8s.io", 401), (good, "unheard.of", 400)):
            headers = {**upgrade, "Sec-WebSocket-Protocol": f"{prefix}{encoded}, {protocol}"}
            async with session.get(f"{server.url}{PODS}/p/exec?command=x&stdout=1", headers=headers) as response:
                text = await response.text()
                assert (response.status, encoded in text, token in text) == (status, False, False)


# admission


def _pod(name: str, account: str = "web") -> Pod:
    pod = Pod(metadata=ObjectMeta(name=name, namespace="default"))
    pod.spec.service_account_name = account
    pod.spec.containers = [Container(name="c", image="i")]
    return pod


def _reference(pod: Pod) -> BoundObjectReference:
    return BoundObjectReference(api_version="v1", kind="Pod", name=pod.metadata.name, uid=pod.metadata.uid)


async def test_each_container_finds_the_token(rest: Call) -> None:
    place = {"name": "own", "mountPath": "/var/run/secrets/kubernetes.io/serviceaccount/"}
    spec = {
        "serviceAccountName": "web",
        "initContainers": [{"name": "i", "image": "i"}],
        "containers": [{"name": "a", "image": "i"}, {"name": "b", "image": "i", "volumeMounts": [place]}],
        "volumes": [{"name": "own", "emptyDir": {}}],
    }
    made = (await rest("POST", PODS, {"metadata": {"name": "p"}, "spec": spec})).body
    volume = made["spec"]["volumes"][1]
    name = volume["name"]
    assert name.startswith("kube-api-access-")
    assert len(name) == len("kube-api-access-") + 5
    assert volume["projected"] == {
        "defaultMode": 420,
        "sources": [
            {"serviceAccountToken": {"expirationSeconds": 3607, "path": "token"}},
            {"configMap": {"name": "kube-root-ca.crt", "items": [{"key": "ca.crt", "path": "ca.crt"}]}},
            {
                "downwardAPI": {
                    "items": [{"path": "namespace", "fieldRef": {"apiVersion": "v1", "fieldPath": "metadata.namespace"}}]
                }
            },
        ],
    }
    mount = {"name": name, "readOnly": True, "mountPath": "/var/run/secrets/kubernetes.io/serviceaccount"}
    first, second = made["spec"]["containers"]
    assert made["spec"]["initContainers"][0]["volumeMounts"] == first["volumeMounts"] == [mount]
    assert second["volumeMounts"] == [place]
    assert not any("kube-api-access" in str(each.get("fieldsV1")) for each in made["metadata"]["managedFields"])


@pytest.mark.parametrize("storage", ["memory"], indirect=True)
async def test_who_decides_about_the_token(rest: Call) -> None:
    await rest(
        "POST",
        ACCOUNTS,
        {"metadata": {"name": "shy"}, "automountServiceAccountToken": False, "imagePullSecrets": [{"name": "s"}]},
    )
    rows = (("web", None, True), ("web", False, False), ("shy", None, False), ("shy", True, True))
    for index, (account, chosen, mounted) in enumerate(rows):
        spec = {**POD["spec"], "serviceAccountName": account}  # type: ignore[dict-item]
        if chosen is not None:
            spec["automountServiceAccountToken"] = chosen
        made = (await rest("POST", PODS, {"metadata": {"name": f"p{index}"}, "spec": spec})).body
        assert (account, chosen, bool(made["spec"].get("volumes"))) == (account, chosen, mounted)
        assert made["spec"].get("imagePullSecrets", []) == ([{"name": "s"}] if account == "shy" else [])
    own = {**POD["spec"], "serviceAccountName": "shy", "imagePullSecrets": [{"name": "mine"}]}  # type: ignore[dict-item]
    made = (await rest("POST", PODS, {"metadata": {"name": "own"}, "spec": own})).body
    assert made["spec"]["imagePullSecrets"] == [{"name": "mine"}]


async def test_the_account_must_exist(rest: Call) -> None:
    spec = {**POD["spec"], "serviceAccountName": "x"}  # type: ignore[dict-item]
    answer = await rest("POST", PODS, {"metadata": {"name": "p"}, "spec": spec})
    assert answer.status == 403
    wanted = 'pods "p" is forbidden: error looking up service account default/x: serviceaccount "x" not found'
    assert answer.body["message"] == wanted


async def test_a_pod_waits_a_moment_for_the_account_of_a_new_namespace(client: Client) -> None:
    await client.create(Namespace(metadata=ObjectMeta(name="new")))
    pod = _pod("p", "")
    pod.metadata.namespace = "new"
    creating = asyncio.create_task(client.create(pod))
    await client.create(ConfigMap(metadata=ObjectMeta(name="later", namespace="new")))
    assert not creating.done()
    await client.create(ServiceAccount(metadata=ObjectMeta(name="default", namespace="new")))
    made = await creating
    assert (made.spec.service_account_name, len(made.spec.volumes)) == ("default", 1)


@pytest.mark.parametrize("storage", ["memory"], indirect=True)
async def test_a_mirror_pod_has_no_account(rest: Call) -> None:
    meta = {"name": "m", "annotations": {"kubernetes.io/config.mirror": "x"}}
    spec = {"containers": [{"name": "c", "image": "i"}]}
    made = await rest("POST", PODS, {"metadata": meta, "spec": spec})
    assert made.status == 201, made.body
    assert "volumes" not in made.body["spec"]
    assert "serviceAccountName" not in made.body["spec"]
    named = await rest("POST", PODS, {"metadata": {**meta, "name": "n"}, "spec": {**spec, "serviceAccountName": "web"}})
    assert (named.status, "may not reference service accounts" in named.body["message"]) == (403, True)


async def test_webhooks_see_requests_and_never_tokens(rest: Call, tmp_path: Path) -> None:
    async with webhook_server(tmp_path) as hooks:
        audience = {"op": "replace", "path": "/spec/audiences", "value": ["others"]}
        hooks.answers = {"/change": lambda _: patched(audience), "/judge": lambda _: allowed("watch out")}
        about = rule("serviceaccounts/token", operations=["CREATE"])
        for path, called in ((MUTATING, "/change"), (VALIDATING, "/judge")):
            wanted = configuration("c", hooks.webhook("c.example.com", called, about))
            assert (await rest("POST", path, wanted)).status == 201
        answer = await rest("POST", f"{ACCOUNTS}/web/token", {"spec": {"audiences": ["api"]}})
        assert (answer.status, answer.body["spec"]["audiences"]) == (201, ["others"])
        assert "watch out" in answer.headers["Warning"]
        claims = jwt.decode(answer.body["status"]["token"], options={"verify_signature": False})
        assert claims["aud"] == ["others"]
        (told,) = hooks.asked("/judge")
        assert (told["kind"]["kind"], told["subResource"], told["name"]) == ("TokenRequest", "token", "web")
        assert told["object"]["spec"]["audiences"] == ["others"]
        assert "token" not in told["object"].get("status", {})

        hooks.answers["/judge"] = lambda _: refused("no tokens today", 403)
        answer = await rest("POST", f"{ACCOUNTS}/web/token", {"spec": {"audiences": ["api"]}})
        assert (answer.status, "no tokens today" in answer.body["message"]) == (403, True)
