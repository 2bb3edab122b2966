"""Tokens in volumes: when they are renewed, whose files they are, and a running pod whose token changes under it."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from apiclient.transport import Verb
from apimachinery import codec, errors
from apimachinery.kinds import ConfigMap, Event, Pod, TokenRequest
from kubelet.adapters.fake import FakeFilesystem
from kubelet.adapters.filesystem import replace_contents
from kubelet.core import tokens as core
from kubelet.core.environment import Sources
from kubelet.core.volumes import FileContent, payload
from tests.unit.kubelet.test_runtime_faults import SimulatedNode, a_node, until

NOW = datetime(2026, 1, 1, tzinfo=UTC)
HOUR, DAY = 3600, 24 * 3600


class Renewal(NamedTuple):
    id: str
    life_s: int
    after_s: float
    spread_s: float = 0.0
    ahead_s: float = 0.0


RENEWALS = (
    Renewal("after four fifths of its life", HOUR, 0.8 * HOUR),
    Renewal("a little earlier", HOUR, 0.8 * HOUR - 7, 7),
    Renewal("after a day at the latest", 100 * DAY, DAY),
    Renewal("not at once, though the node's clock is far ahead", 600, core.RETRY_S, ahead_s=2 * HOUR),
)


@pytest.mark.parametrize("case", RENEWALS, ids=lambda case: case.id)
def test_when_a_token_is_renewed(case: Renewal) -> None:
    ends = NOW + timedelta(seconds=case.life_s)
    answer = codec.convert(
        TokenRequest,
        {
            "spec": {"expirationSeconds": case.life_s},
            "status": {"token": "t", "expirationTimestamp": ends.strftime("%Y-%m-%dT%H:%M:%SZ")},
        },
    )
    now = NOW + timedelta(seconds=case.ahead_s)
    held = core.held(answer, now, case.spread_s)
    assert (held.value, held.ends, held.renew) == ("t", ends, now + timedelta(seconds=case.after_s))


def pod(spec: dict[str, Any] | None = None, *, seconds: int = 600, name: str = "p") -> Pod:
    sources = [{"serviceAccountToken": {"path": "token", "expirationSeconds": seconds}}]
    container = {"name": "c", "image": "busybox:1", "imagePullPolicy": "IfNotPresent"}
    plain = {
        "nodeName": "n1",
        "serviceAccountName": "web",
        "terminationGracePeriodSeconds": 1,
        "restartPolicy": "Always",
        "containers": [container],
        "volumes": [{"name": "v", "projected": {"defaultMode": 0o644, "sources": sources}}],
        **(spec or {}),
    }
    return codec.convert(
        Pod, {"metadata": {"name": name, "namespace": "default"}, "spec": plain, "status": {"phase": "Pending"}}
    )


class Access(NamedTuple):
    id: str
    spec: dict[str, Any]
    mode: int
    owner: int | None = None


def users(*each: int | None) -> list[dict[str, Any]]:
    contexts = [{} if user is None else {"securityContext": {"runAsUser": user}} for user in each]
    return [{"name": f"c{index}", "image": "i", **context} for index, context in enumerate(contexts)]


ACCESS = (
    Access("for all while nobody knows the user", {}, 0o644),
    Access("for the pod's user", {"securityContext": {"runAsUser": 7}}, 0o600, 7),
    Access("for the one user of all containers", {"containers": users(7, 7)}, 0o600, 7),
    Access("for all when they differ", {"containers": users(7, 8)}, 0o644),
    Access("for all when one says nothing", {"containers": users(7, None)}, 0o644),
    Access("a container goes before its pod", {"containers": users(7), "securityContext": {"runAsUser": 9}}, 0o600, 7),
    Access("init containers count", {"containers": users(7), "initContainers": users(8)}, 0o644),
    Access("for the pod's group", {"securityContext": {"fsGroup": 5}}, 0o600),
    Access("for root", {"securityContext": {"runAsUser": 0}}, 0o600, 0),
)


@pytest.mark.parametrize("case", ACCESS, ids=lambda case: case.id)
def test_who_may_read_a_token(case: Access) -> None:
    made = pod(case.spec)
    found = payload(made, made.spec.volumes[0], Sources(), {core.TokenNeed("", 600): "t"})
    assert found == {"token": FileContent(b"t", case.mode, case.owner)}


def test_files_have_their_owner_group_and_mode_and_change_at_once(tmp_path: Path) -> None:
    def write(token: bytes, owner: int | None, stamp: str) -> Path:
        files = {"token": FileContent(token, 0o600, owner), "d/ca": FileContent(b"c", 0o444)}
        replace_contents(tmp_path, files, 5, stamp)
        return (tmp_path / "..data").resolve()

    first = write(b"1", 7, "..1")
    found = (tmp_path / "token").stat()
    assert (found.st_mode & 0o777, found.st_uid, found.st_gid) == (0o640, 7, 5)
    assert write(b"1", 7, "..2") == first  # nothing has changed
    second = write(b"2", 7, "..3")
    assert (second != first, first.exists(), (tmp_path / "token").read_bytes()) == (True, False, b"2")
    assert write(b"2", 8, "..4") != second
    assert (tmp_path / "token").stat().st_uid == 8


def shown(node: SimulatedNode, path: str = "token") -> str:
    files = node.kubelet.kit.filesystem
    assert isinstance(files, FakeFilesystem)
    return next((contents.get(path, b"").decode() for (_, volume), contents in files.payloads.items() if volume == "v"), "")


def asked(node: SimulatedNode) -> list[TokenRequest]:
    writes = [each for each in node.api.writes if each.name.subresource == "token"]
    assert all((each.verb, each.name.namespace, each.name.name) == (Verb.CREATE, "default", "web") for each in writes)
    return [codec.decode(TokenRequest, each.body) for each in writes]


@pytest.mark.looptime
async def test_the_token_of_a_running_pod_is_renewed() -> None:
    async with a_node() as node:
        created = await node.client.create(pod())
        await until(lambda: shown(node) == "token-1-web")
        (request,) = asked(node)
        bound = request.spec.bound_object_ref
        assert bound is not None
        assert (bound.kind, bound.api_version, bound.name, bound.uid) == ("Pod", "v1", "p", created.metadata.uid)
        assert (request.spec.audiences, request.spec.expiration_seconds) == ([], 600)
        await asyncio.sleep(460)
        assert shown(node) == "token-1-web"
        await asyncio.sleep(30)
        assert shown(node) == "token-2-web"
        await asyncio.sleep(490)
        assert shown(node) == "token-3-web"
        assert len(asked(node)) == 3
        containers = await node.runtime.list_containers()
        assert [each.running for each in containers] == [True]  # it was never restarted


@pytest.mark.looptime
async def test_a_token_that_cannot_be_renewed_yet_stays() -> None:
    async with a_node() as node:
        await node.client.create(pod())
        await until(lambda: shown(node) == "token-1-web")
        node.api.fail = lambda write: errors.unavailable("away") if write.name.subresource == "token" else None
        await asyncio.sleep(560)
        assert shown(node) == "token-1-web"
        assert 2 <= len(asked(node)) <= 6  # it was tried, and not all the time
        node.api.fail = lambda _: None
        await until(lambda: shown(node) == "token-2-web", 40)


@pytest.mark.looptime
async def test_a_pod_starts_once_its_token_and_its_ca_can_be_had() -> None:
    async with a_node() as node:
        node.api.fail = lambda write: errors.not_found("serviceaccounts", "web") if write.name.subresource == "token" else None
        sources = [{"serviceAccountToken": {"path": "token", "expirationSeconds": 600}}, {"configMap": {"name": "ca"}}]
        await node.client.create(pod({"volumes": [{"name": "v", "projected": {"sources": sources}}]}))
        await until(lambda: any("failed to fetch token" in each for each in _messages(node)))
        node.api.fail = lambda _: None
        await until(lambda: any('configmap "ca" not found' in each for each in _messages(node)))
        assert not any(each.running for each in await node.runtime.list_containers())
        node.api.seed(codec.convert(ConfigMap, {"metadata": {"name": "ca", "namespace": "default"}, "data": {"ca.crt": "x"}}))
        await until(lambda: node.pod.status.phase == "Running")
        assert (shown(node), shown(node, "ca.crt")) == ("token-1-web", "x")


def _messages(node: SimulatedNode) -> list[str]:
    return [each.message for each in node.api.objects(Event)]


@pytest.mark.looptime
async def test_a_kubelet_that_comes_back_renews_the_tokens_and_contents_of_what_runs() -> None:
    async with a_node() as node:
        await node.client.create(pod())
        await until(lambda: shown(node) == "token-1-web" and node.pod.status.phase == "Running")
    async with a_node(node) as again:
        await until(lambda: shown(again) == "token-2-web")
        await asyncio.sleep(490)
        assert shown(again) == "token-3-web"
        assert len(await again.runtime.list_containers()) == 1
