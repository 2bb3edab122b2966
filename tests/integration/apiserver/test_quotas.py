"""ResourceQuotas over REST: what does not fit is refused, and writes that come together are not granted more than there is."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

from apiclient.client import Client
from apimachinery.errors import ApiError
from apimachinery.kinds import ConfigMap, ObjectMeta, ResourceQuota
from apiserver.storage.memory import MemoryStorage
from tests.support.apiserver import RunningServer, real_api_server

ROOT = "/api/v1/namespaces/default"
MERGE = {"Content_Type": "application/merge-patch+json"}


async def impose(rest: Any, hard: dict[str, str], *, name: str = "q", **spec: Any) -> None:
    """Make a quota that is in force with nothing used, as the controller would, and wait until the cache has it."""
    made = await rest("POST", f"{ROOT}/resourcequotas", {"metadata": {"name": name}, "spec": {"hard": hard, **spec}})
    assert made.status == 201
    status = {"hard": hard, "used": dict.fromkeys(hard, "0")}
    assert (await rest("PUT", f"{ROOT}/resourcequotas/{name}/status", {**made.body, "status": status})).status == 200
    await used(rest, name)


async def used(rest: Any, name: str = "q") -> dict[str, str]:
    found: dict[str, str] = (await rest("GET", f"{ROOT}/resourcequotas/{name}")).body["status"]["used"]
    return found


def pod(name: str, **requests: str) -> dict[str, Any]:
    container = {"name": "c", "image": "busybox:1", "resources": {"requests": requests}}
    return {"metadata": {"name": name}, "spec": {"containers": [container]}}


def config_map(name: str) -> dict[str, Any]:
    return {"metadata": {"name": name}}


def claim(name: str, storage: str) -> dict[str, Any]:
    spec = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": storage}}, "storageClassName": "grows"}
    return {"metadata": {"name": name}, "spec": spec}


async def test_concurrent_creates_share_what_there_is(rest: Any) -> None:
    await impose(rest, {"pods": "7", "requests.cpu": "3"})
    found = await asyncio.gather(*[rest("POST", f"{ROOT}/pods", pod(f"p{index}", cpu="500m")) for index in range(24)])
    assert sorted(each.status for each in found) == [201] * 6 + [403] * 18
    refused = next(each.body for each in found if each.status == 403)
    assert refused["reason"] == "Forbidden"
    assert refused["message"].endswith(
        "is forbidden: exceeded quota: q, requested: requests.cpu=500m, used: requests.cpu=3, limited: requests.cpu=3"
    )
    assert await used(rest) == {"pods": "6", "requests.cpu": "3"}


async def test_two_servers_share_what_there_is(rest: Any, server: RunningServer, storage: Any, tmp_path: Path) -> None:
    shared = _Kept(server.assembly.storage) if isinstance(storage(), MemoryStorage) else storage()
    async with real_api_server(tmp_path / "second", storage=shared, settings=server.assembly.settings) as second:
        await impose(rest, {"configmaps": "5"})
        clients = [Client(server.transport()), Client(second.transport())]
        await clients[1].get(ResourceQuota, "q", "default")

        async def create(index: int) -> int:
            try:
                await clients[index % 2].create(ConfigMap(metadata=ObjectMeta(name=f"c{index}", namespace="default")))
            except ApiError as error:
                return error.code
            return 201

        found = await asyncio.gather(*[create(index) for index in range(16)])
        assert sorted(found) == [201] * 5 + [403] * 11
        for client in clients:
            await client.close()
    assert await used(rest) == {"configmaps": "5"}


class _Kept:
    """A storage that a second server uses and does not close."""

    def __init__(self, storage: Any) -> None:
        self._storage = storage

    def __getattr__(self, name: str) -> Any:
        return getattr(self._storage, name)

    async def close(self) -> None:
        pass


async def test_counts_of_objects(rest: Any) -> None:
    await impose(rest, {"count/configmaps": "3", "secrets": "0", "count/deployments.apps": "0"})
    found = await asyncio.gather(*[rest("POST", f"{ROOT}/configmaps", config_map(f"c{index}")) for index in range(8)])
    assert sorted(each.status for each in found) == [201] * 3 + [403] * 5
    refused = await rest("POST", f"{ROOT}/secrets", {"metadata": {"name": "s"}})
    assert refused.body["message"] == (
        'secrets "s" is forbidden: exceeded quota: q, requested: secrets=1, used: secrets=0, limited: secrets=0'
    )
    template = {"metadata": {"labels": {"a": "b"}}, "spec": {"containers": [{"name": "c", "image": "i"}]}}
    deployment = {"metadata": {"name": "d"}, "spec": {"selector": {"matchLabels": {"a": "b"}}, "template": template}}
    refused = await rest("POST", "/apis/apps/v1/namespaces/default/deployments", deployment)
    assert (refused.status, refused.body["message"].partition(" is ")[0]) == (403, 'deployments.apps "d"')


async def test_pods_have_to_say_what_they_need(rest: Any) -> None:
    await impose(rest, {"limits.memory": "1Gi"})
    refused = await rest("POST", f"{ROOT}/pods", pod("p"))
    assert refused.status == 403
    assert refused.body["message"] == 'pods "p" is forbidden: failed quota: q: must specify limits.memory for: c'
    assert (await rest("POST", "/api/v1/namespaces/kube-system/pods", pod("p"))).status == 201


async def test_what_a_limit_range_gives_counts(rest: Any) -> None:
    limits = [{"type": "Container", "defaultRequest": {"cpu": "300m"}}]
    await rest("POST", f"{ROOT}/limitranges", {"metadata": {"name": "l"}, "spec": {"limits": limits}})
    await impose(rest, {"requests.cpu": "1"})
    await rest("GET", f"{ROOT}/limitranges/l")
    assert (await rest("POST", f"{ROOT}/pods", pod("p"))).status == 201
    assert await used(rest) == {"requests.cpu": "300m"}


async def test_scopes(rest: Any) -> None:
    await impose(rest, {"pods": "0"}, scopes=["BestEffort"])
    assert (await rest("POST", f"{ROOT}/pods", pod("best-effort"))).status == 403
    assert (await rest("POST", f"{ROOT}/pods", pod("burstable", cpu="1"))).status == 201


async def test_a_refusal_by_one_quota_charges_no_other(rest: Any) -> None:
    await impose(rest, {"configmaps": "9"}, name="a")
    await impose(rest, {"configmaps": "0"}, name="b")
    assert (await rest("POST", f"{ROOT}/configmaps", config_map("c"))).status == 403
    assert await used(rest, "a") == {"configmaps": "0"}


async def test_services(rest: Any) -> None:
    await impose(rest, {"services": "2", "services.nodeports": "1"})
    service = {"metadata": {"name": "s"}, "spec": {"ports": [{"name": "a", "port": 1}, {"name": "b", "port": 2}]}}
    assert (await rest("POST", f"{ROOT}/services", service)).status == 201
    refused = await rest("PATCH", f"{ROOT}/services/s", {"spec": {"type": "NodePort"}}, **MERGE)
    assert (refused.status, "requested: services.nodeports=2" in refused.body["message"]) == (403, True)
    assert await used(rest) == {"services": "1", "services.nodeports": "0"}


async def test_a_claim_that_grows(rest: Any, server: RunningServer) -> None:
    grows = {"metadata": {"name": "grows"}, "provisioner": "example.com/x", "allowVolumeExpansion": True}
    await rest("POST", "/apis/storage.k8s.io/v1/storageclasses", grows)
    await impose(rest, {"requests.storage": "3Gi", "persistentvolumeclaims": "1"})
    path = f"{ROOT}/persistentvolumeclaims"
    made = (await rest("POST", path, claim("c", "1Gi"))).body
    bound = await rest("PUT", f"{path}/c/status", {**made, "status": {"phase": "Bound", "capacity": {"storage": "1Gi"}}})
    assert bound.status == 200
    wider = {"spec": {"resources": {"requests": {"storage": "2Gi"}}}}
    assert (await rest("PATCH", f"{path}/c", wider, **MERGE)).status == 200
    assert await used(rest) == {"requests.storage": "2Gi", "persistentvolumeclaims": "1"}
    wider["spec"]["resources"]["requests"]["storage"] = "4Gi"
    refused = await rest("PATCH", f"{path}/c", wider, **MERGE)
    assert refused.status == 403
    assert (
        "requested: requests.storage=2Gi, used: requests.storage=2Gi, limited: requests.storage=3Gi" in refused.body["message"]
    )


async def test_a_dry_run_charges_nothing(rest: Any) -> None:
    await impose(rest, {"configmaps": "1"})
    assert (await rest("POST", f"{ROOT}/configmaps?dryRun=All", config_map("c"))).status == 201
    assert await used(rest) == {"configmaps": "0"}
    assert (await rest("POST", f"{ROOT}/configmaps", config_map("c"))).status == 201
    assert (await rest("POST", f"{ROOT}/configmaps?dryRun=All", config_map("d"))).status == 403


async def test_a_quota_that_is_not_in_force_yet(rest: Any) -> None:
    await rest("POST", f"{ROOT}/resourcequotas", {"metadata": {"name": "q"}, "spec": {"hard": {"configmaps": "0"}}})
    await rest("GET", f"{ROOT}/resourcequotas/q")
    assert (await rest("POST", f"{ROOT}/configmaps", config_map("c"))).status == 201
