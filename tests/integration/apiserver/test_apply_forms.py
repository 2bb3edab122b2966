"""Server-side apply of one stored object in several versions: whose fields are whose, whichever version they are written in."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from tests.integration.apiserver.conftest import Answer, Rest
from tests.integration.apiserver.test_forms import CORE_EVENTS, MEMORY, NEW_EVENTS, STRATEGIC, V1, V2, new_event, old
from tests.support.apiserver import RunningServer

RBAC = "/apis/rbac.authorization.k8s.io/v1/namespaces/default"
APPLY = "application/apply-patch+yaml"
METRICS = "autoscaling.alpha.kubernetes.io/metrics"
MEMORY_TEXT = '[{"type":"Resource","resource":{"name":"memory","target":{"type":"AverageValue","averageValue":"1Gi"}}}]'


def cpu(percent: int) -> dict[str, Any]:
    target = {"type": "Utilization", "averageUtilization": percent}
    return {"type": "Resource", "resource": {"name": "cpu", "target": target}}


def new(**spec: Any) -> dict[str, Any]:
    return {**old(**spec), "apiVersion": "autoscaling/v2"}


async def applied(rest: Rest, manager: str, body: dict[str, Any], query: str = "", base: str = "") -> Answer:
    place = base or {"autoscaling/v1": V1, "autoscaling/v2": V2}[body["apiVersion"]]
    path = f"{place}/{body['metadata']['name']}?fieldManager={manager}{query}"
    return await rest("PATCH", path, body, Content_Type=APPLY)


async def stored(rest: Rest) -> dict[str, Any]:
    found: dict[str, Any] = (await rest("GET", V2 + "/a")).body
    return found


def entries(obj: dict[str, Any]) -> dict[tuple[str, str, str], Any]:
    """Fields by manager, operation and version."""
    return {
        (each["manager"], each["operation"], each["apiVersion"]): each["fieldsV1"]
        for each in obj["metadata"].get("managedFields", [])
    }


def conflicts(answer: Answer) -> list[tuple[str, str]]:
    assert answer.status == 409, answer.body
    return [(each["field"], each["message"]) for each in answer.body["details"]["causes"]]


async def test_a_configuration_is_owned_in_its_own_version(rest: Rest) -> None:
    made = await applied(rest, "a", old(targetCPUUtilizationPercentage=60))
    assert (made.status, made.body["apiVersion"]) == (201, "autoscaling/v1")
    fields = {"f:spec": {"f:maxReplicas": {}, "f:scaleTargetRef": {}, "f:targetCPUUtilizationPercentage": {}}}
    assert entries(made.body) == {("a", "Apply", "autoscaling/v1"): fields}
    found = await stored(rest)
    assert found["spec"]["metrics"] == [cpu(60)]
    assert entries(found) == entries(made.body)
    again = await applied(rest, "a", old(targetCPUUtilizationPercentage=60))
    assert (again.status, again.body["metadata"]) == (200, made.body["metadata"])
    tried = await applied(rest, "a", old(targetCPUUtilizationPercentage=70), "&dryRun=All")
    assert (tried.body["spec"]["targetCPUUtilizationPercentage"], await stored(rest)) == (70, found)


async def test_conflicts_are_seen_across_versions(rest: Rest) -> None:
    await applied(rest, "a", old(targetCPUUtilizationPercentage=60))
    assert (await applied(rest, "b", new(metrics=[cpu(60)]))).status == 200  # the same in other words
    assert conflicts(await applied(rest, "c", new(metrics=[cpu(70)]))) == [
        (".spec.targetCPUUtilizationPercentage", 'conflict with "a"'),
        (".spec.metrics", 'conflict with "b"'),
    ]
    forced = await applied(rest, "c", new(metrics=[cpu(70)]), "&force=true")
    assert forced.status == 200
    shared = {"f:spec": {"f:maxReplicas": {}, "f:scaleTargetRef": {}}}
    assert entries(forced.body) == {
        ("a", "Apply", "autoscaling/v1"): shared,
        ("b", "Apply", "autoscaling/v2"): shared,
        ("c", "Apply", "autoscaling/v2"): {"f:spec": {**shared["f:spec"], "f:metrics": {}}},
    }
    assert conflicts(await applied(rest, "a", old(targetCPUUtilizationPercentage=60))) == [
        (".spec.metrics", 'conflict with "c"')
    ]


async def test_what_a_configuration_gives_up_goes_unless_it_is_owned_in_another_version(rest: Rest) -> None:
    await applied(rest, "a", old(targetCPUUtilizationPercentage=60, minReplicas=2))
    await applied(rest, "b", new(minReplicas=2))
    assert (await applied(rest, "a", old(targetCPUUtilizationPercentage=60))).status == 200
    found = await stored(rest)
    assert (found["spec"]["minReplicas"], found["spec"]["metrics"]) == (2, [cpu(60)])
    await applied(rest, "b", new(metrics=[cpu(60)]))
    assert (await stored(rest))["spec"]["minReplicas"] == 1  # by default
    await applied(rest, "a", old())
    assert (await stored(rest))["spec"]["metrics"] == [cpu(60)]
    await applied(rest, "b", new())
    assert (await stored(rest))["spec"]["metrics"] == [cpu(80)]  # by default

    annotated = old(targetCPUUtilizationPercentage=60)
    annotated["metadata"]["annotations"] = {METRICS: MEMORY_TEXT, "mine": "too"}
    await applied(rest, "a", annotated)
    assert (await stored(rest))["spec"]["metrics"] == [cpu(60), MEMORY]
    await applied(rest, "a", old(targetCPUUtilizationPercentage=60))
    found = await stored(rest)
    assert (found["spec"]["metrics"], "annotations" in found["metadata"]) == ([cpu(60)], False)


async def test_an_applier_who_changes_the_version_has_one_entry(rest: Rest) -> None:
    await applied(rest, "a", old(targetCPUUtilizationPercentage=60, minReplicas=2))
    moved = await applied(rest, "a", new(metrics=[cpu(60), MEMORY]))
    assert moved.status == 200
    assert (moved.body["spec"]["minReplicas"], moved.body["spec"]["metrics"]) == (1, [cpu(60), MEMORY])
    assert list(entries(moved.body)) == [("a", "Apply", "autoscaling/v2")]
    back = await applied(rest, "a", old(targetCPUUtilizationPercentage=50))
    assert back.status == 200
    assert list(entries(back.body)) == [("a", "Apply", "autoscaling/v1")]
    assert (await stored(rest))["spec"]["metrics"] == [cpu(50)]


async def test_updates_are_owned_in_their_version_too(rest: Rest) -> None:
    await rest("POST", V1 + "?fieldManager=maker", old(minReplicas=2))
    assert list(entries(await stored(rest))) == [("maker", "Update", "autoscaling/v1")]
    patch = {"spec": {"targetCPUUtilizationPercentage": 40}}
    await rest("PATCH", V1 + "/a?fieldManager=patcher", patch, Content_Type=STRATEGIC)
    found = await stored(rest)
    mine = {"f:spec": {"f:targetCPUUtilizationPercentage": {}}}
    assert entries(found)["patcher", "Update", "autoscaling/v1"] == mine
    assert conflicts(await applied(rest, "a", new(metrics=[cpu(50)], minReplicas=3))) == [
        (".spec.minReplicas", 'conflict with "maker" using autoscaling/v1'),
        (".spec.targetCPUUtilizationPercentage", 'conflict with "patcher" using autoscaling/v1'),
    ]
    found["status"] = {"currentReplicas": 1, "desiredReplicas": 2}
    await rest("PUT", V2 + "/a/status?fieldManager=controller", found)
    found = await stored(rest)
    assert entries(found)["patcher", "Update", "autoscaling/v1"] == mine
    found["spec"]["metrics"] = [cpu(55)]
    await rest("PUT", V2 + "/a?fieldManager=other", found)
    left = entries(await stored(rest))
    assert ("patcher", "Update", "autoscaling/v1") not in left
    assert left["other", "Update", "autoscaling/v2"] == {"f:spec": {"f:metrics": {}}}


async def test_status_is_applied_in_either_version(rest: Rest) -> None:
    await rest("POST", V2, new())
    status = {**old(), "status": {"currentReplicas": 1, "desiredReplicas": 4}}
    del status["spec"]
    found = await rest("PATCH", V1 + "/a/status?fieldManager=a", status, Content_Type=APPLY)
    assert (found.status, found.body["status"]["desiredReplicas"]) == (200, 4)
    other = {**status, "apiVersion": "autoscaling/v2", "status": {"desiredReplicas": 5}}
    refused = await rest("PATCH", V2 + "/a/status?fieldManager=b", other, Content_Type=APPLY)
    assert conflicts(refused) == [(".status.desiredReplicas", 'conflict with "a" with subresource "status"')]


async def test_events(rest: Rest) -> None:
    incomplete = new_event("e")
    del incomplete["reportingInstance"]
    assert (await applied(rest, "a", incomplete, base=NEW_EVENTS)).status == 422
    made = await applied(rest, "a", new_event("e"), base=NEW_EVENTS)
    assert (made.status, made.body["note"]) == (201, "it went well")
    event = {"apiVersion": "v1", "kind": "Event", "metadata": {"name": "e"}, "message": "otherwise"}
    assert conflicts(await applied(rest, "b", event, base=CORE_EVENTS)) == [(".note", 'conflict with "a"')]
    assert (await applied(rest, "b", event, "&force=true", base=CORE_EVENTS)).status == 200
    assert (await rest("GET", NEW_EVENTS + "/e")).body["note"] == "otherwise"


@pytest.mark.parametrize("version", ["autoscaling/v2", "autoscaling/v9"])
async def test_a_configuration_of_another_version_than_the_path_is_refused(rest: Rest, version: str) -> None:
    refused = await rest("PATCH", V1 + "/a?fieldManager=a", {**old(), "apiVersion": version}, Content_Type=APPLY)
    assert refused.status == 400
    assert f"Specified patch version: {version}, expected: autoscaling/v1" in refused.body["message"]


async def test_what_a_version_does_not_have_is_refused(rest: Rest) -> None:
    refused = await applied(rest, "a", old(metrics=[MEMORY]))
    assert (refused.status, ".spec.metrics: field not declared in schema" in refused.body["message"]) == (400, True)


async def test_creating_takes_the_right_to_create_in_the_version_that_is_spoken(rest: Rest, server: RunningServer) -> None:
    rules = [
        {"apiGroups": ["events.k8s.io"], "resources": ["events"], "verbs": ["get", "patch"]},
        {"apiGroups": [""], "resources": ["events"], "verbs": ["create"]},
    ]
    await rest("POST", f"{RBAC}/roles", {"metadata": {"name": "r"}, "rules": rules})
    binding = {"roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "r"}}
    subjects = [{"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": "jane"}]
    await rest("POST", f"{RBAC}/rolebindings", {"metadata": {"name": "b"}, **binding, "subjects": subjects})
    path, headers = f"{server.url}{NEW_EVENTS}/e", {"Content-Type": APPLY}
    async with server.session(server.ca.client("jane")) as session:
        async with asyncio.timeout(10):
            while (await session.get(path)).status != 404:  # noqa: ASYNC110 - until the caches have the binding
                await asyncio.sleep(0.01)
        async with session.patch(f"{path}?fieldManager=j", json=new_event("e"), headers=headers) as answer:
            refused = await answer.json()
        assert answer.status == 403
        assert 'cannot create resource "events" in API group "events.k8s.io"' in refused["message"]
        await applied(rest, "a", new_event("e"), base=NEW_EVENTS)
        changed = {**new_event("e"), "note": "it went well"}
        async with session.patch(f"{path}?fieldManager=j", json=changed, headers=headers) as answer:
            assert answer.status == 200
