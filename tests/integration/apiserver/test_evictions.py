"""Evictions of a real server, on both storages: what budgets refuse, and that a crowd cannot overdraw one."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from apiserver.app import Settings
from tests.support.apiserver import real_api_server

PODS = "/api/v1/namespaces/default/pods"
BUDGETS = "/apis/policy/v1/namespaces/default/poddisruptionbudgets"


async def make_pod(rest: Any, name: str, phase: str = "Running", *, ready: bool = True, node: str = "") -> dict[str, Any]:
    spec: dict[str, Any] = {"containers": [{"name": "c", "image": "i"}], "terminationGracePeriodSeconds": 30}
    if node:
        spec["nodeName"] = node
    meta = {"name": name, "labels": {"app": "web"}}
    made = (await rest("POST", PODS, {"apiVersion": "v1", "kind": "Pod", "metadata": meta, "spec": spec})).body
    conditions = [{"type": "Ready", "status": "True" if ready else "False"}]
    made["status"] = {**made["status"], "phase": phase, "conditions": conditions}
    answer = await rest("PUT", f"{PODS}/{name}/status", made)
    assert answer.status == 200, answer.body
    return answer.body


async def make_budget(rest: Any, name: str = "web", *, policy: str | None = None, **status: Any) -> None:
    spec: dict[str, Any] = {"minAvailable": 1, "selector": {"matchLabels": {"app": "web"}}}
    if policy:
        spec["unhealthyPodEvictionPolicy"] = policy
    body = {"apiVersion": "policy/v1", "kind": "PodDisruptionBudget", "metadata": {"name": name}, "spec": spec}
    made = (await rest("POST", BUDGETS, body)).body
    if status:
        await set_status(rest, made, **status)
    await rest("GET", BUDGETS)  # waits until the cache has it


async def set_status(rest: Any, budget: dict[str, Any], **status: Any) -> None:
    counts = {"currentHealthy": 0, "desiredHealthy": 0, "expectedPods": 1, "disruptionsAllowed": 0, "observedGeneration": 1}
    answer = await rest("PUT", f"{BUDGETS}/{budget['metadata']['name']}/status", {**budget, "status": {**counts, **status}})
    assert answer.status == 200, answer.body


async def evict(rest: Any, name: str, query: str = "", **options: Any) -> Any:
    body = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": name}, "deleteOptions": options}
    return await rest("POST", f"{PODS}/{name}/eviction{query}", body)


async def status_of(rest: Any, name: str = "web") -> dict[str, Any]:
    status: dict[str, Any] = (await rest("GET", f"{BUDGETS}/{name}")).body["status"]
    return status


async def test_a_budget_is_charged_until_it_refuses(rest: Any) -> None:
    for name in ("a", "b"):
        await make_pod(rest, name, node="n1")
    await make_budget(rest, currentHealthy=2, desiredHealthy=1, disruptionsAllowed=1)
    done = await evict(rest, "a")
    assert (done.status, done.body["status"]) == (201, "Success")
    going = (await rest("GET", PODS + "/a")).body
    assert going["metadata"]["deletionTimestamp"]
    told = {each["type"]: each.get("reason") for each in going["status"]["conditions"]}
    assert told["DisruptionTarget"] == "EvictionByEvictionAPI"
    status = await status_of(rest)
    assert (status["disruptionsAllowed"], list(status["disruptedPods"])) == (0, ["a"])
    assert [(each["status"], each["reason"]) for each in status["conditions"]] == [("False", "InsufficientPods")]

    budget = (await rest("GET", BUDGETS + "/web")).body
    await set_status(rest, budget, currentHealthy=1, desiredHealthy=1)
    refused = await evict(rest, "b")
    assert (refused.status, refused.body["reason"]) == (429, "TooManyRequests")
    assert refused.body["message"] == "Cannot evict pod as it would violate the pod's disruption budget."
    cause = {"reason": "DisruptionBudget", "message": "The disruption budget web needs 1 healthy pods and has 1 currently"}
    assert refused.body["details"]["causes"] == [cause]
    assert "deletionTimestamp" not in (await rest("GET", PODS + "/b")).body["metadata"]

    again = await evict(rest, "a")  # it goes already: nothing more is asked
    assert again.status == 201
    assert (await evict(rest, "nobody")).status == 404


@pytest.mark.parametrize(("version", "code"), [("policy/v1", 201), ("policy/v1beta1", 201), ("policy/v2", 400), ("v1", 400)])
async def test_versions(rest: Any, version: str, code: int) -> None:
    """Older clients send the version in which evictions came."""
    await make_pod(rest, "a")
    body = {"apiVersion": version, "kind": "Eviction", "metadata": {"name": "a"}}
    assert (await rest("POST", f"{PODS}/a/eviction", body)).status == code


async def test_a_fresh_budget_is_waited_for(rest: Any) -> None:
    await make_pod(rest, "a")
    await make_budget(rest)
    refused = await evict(rest, "a")
    assert (refused.status, refused.headers["Retry-After"]) == (429, "10")
    assert "still being processed" in refused.body["details"]["causes"][0]["message"]
    await rest("DELETE", BUDGETS + "/web")
    assert (await evict(rest, "a")).status == 201


async def test_several_budgets(rest: Any) -> None:
    await make_pod(rest, "a")
    await make_budget(rest, "one", disruptionsAllowed=1)
    await make_budget(rest, "two", disruptionsAllowed=1)
    refused = await evict(rest, "a")
    assert refused.status == 500
    assert refused.body["message"].startswith("This pod has more than one PodDisruptionBudget")
    assert [(await status_of(rest, name))["disruptionsAllowed"] for name in ("one", "two")] == [1, 1]


@pytest.mark.parametrize("phase", ["Pending", "Succeeded", "Failed"])
async def test_who_does_not_serve_goes_at_once(rest: Any, phase: str) -> None:
    await make_pod(rest, "a", phase)
    await make_budget(rest)
    assert (await evict(rest, "a")).status == 201
    assert (await rest("GET", PODS + "/a")).status == 404


@pytest.mark.parametrize(
    ("policy", "healthy", "want"),
    [(None, 1, 201), (None, 0, 429), ("IfHealthyBudget", 0, 429), ("AlwaysAllow", 0, 201)],
)
async def test_pods_that_are_not_ready(rest: Any, policy: str | None, healthy: int, want: int) -> None:
    await make_pod(rest, "a", ready=False)
    await make_budget(rest, policy=policy, currentHealthy=healthy, desiredHealthy=1)
    assert (await evict(rest, "a")).status == want
    assert "disruptedPods" not in await status_of(rest)


async def test_dry_run_and_preconditions(rest: Any) -> None:
    made = await make_pod(rest, "a")
    await make_budget(rest, currentHealthy=2, desiredHealthy=1, disruptionsAllowed=1)
    before = (await rest("GET", BUDGETS + "/web")).body
    assert (await evict(rest, "a", "?dryRun=All")).status == 201
    assert (await evict(rest, "a", dryRun=["All"])).status == 201
    other = await evict(rest, "a", preconditions={"uid": "another"})
    assert (other.status, other.body["reason"]) == (409, "Conflict")
    assert (await evict(rest, "a", preconditions={"resourceVersion": "1"})).status == 409
    assert (await rest("GET", BUDGETS + "/web")).body == before  # neither has cost a disruption
    meta = made["metadata"]
    exactly = {"uid": meta["uid"], "resourceVersion": meta["resourceVersion"]}
    assert (await evict(rest, "a", preconditions=exactly)).status == 201
    assert (await rest("GET", PODS + "/a")).status == 404
    assert (await status_of(rest))["disruptionsAllowed"] == 0


async def test_a_crowd_cannot_overdraw(rest: Any) -> None:
    names = [f"p{number}" for number in range(20)]
    await asyncio.gather(*(make_pod(rest, name) for name in names))
    await make_budget(rest, currentHealthy=20, desiredHealthy=13, expectedPods=20, disruptionsAllowed=7)
    answers = await asyncio.gather(*(evict(rest, name) for name in names))
    assert sorted(each.status for each in answers) == [201] * 7 + [429] * 13
    gone = {name for name, each in zip(names, answers, strict=True) if each.status == 201}
    left = {each["metadata"]["name"] for each in (await rest("GET", PODS)).body["items"]}
    assert left == set(names) - gone
    status = await status_of(rest)
    assert (status["disruptionsAllowed"], set(status["disruptedPods"])) == (0, gone)


@pytest.mark.parametrize("storage", ["etcd"], indirect=True)  # storage in memory belongs to one server
async def test_two_servers_cannot_overdraw(rest: Any, server: Any, storage: Any, tmp_path: Path) -> None:
    names = [f"p{number}" for number in range(20)]
    await asyncio.gather(*(make_pod(rest, name) for name in names))
    await make_budget(rest, currentHealthy=20, desiredHealthy=13, expectedPods=20, disruptionsAllowed=7)
    settings = Settings(prefix=server.assembly.settings.prefix)
    async with (
        real_api_server(tmp_path / "second", storage=storage(), settings=settings) as second,
        second.session() as session,
    ):

        async def by_the_second(name: str) -> int:
            body = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": name}}
            async with session.post(f"{second.url}{PODS}/{name}/eviction", json=body) as response:
                return response.status

        async def by_the_first(name: str) -> int:
            status: int = (await evict(rest, name)).status
            return status

        ways = (by_the_first, by_the_second)
        answers = await asyncio.gather(*(ways[number % 2](name) for number, name in enumerate(names)))
    assert sorted(answers) == [201] * 7 + [429] * 13
    assert (await status_of(rest))["disruptionsAllowed"] == 0
