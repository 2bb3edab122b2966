"""One stored object in several versions, over both doors and on both storages."""

from __future__ import annotations

import asyncio
import json
from typing import Any

from apiclient.client import Client
from apimachinery.kinds import (
    Event,
    EventV1,
    HorizontalPodAutoscaler,
    HorizontalPodAutoscalerV1,
    ObjectMeta,
    ObjectReference,
)
from tests.support.apiserver import RunningServer

V1 = "/apis/autoscaling/v1/namespaces/default/horizontalpodautoscalers"
V2 = "/apis/autoscaling/v2/namespaces/default/horizontalpodautoscalers"
CORE_EVENTS = "/api/v1/namespaces/default/events"
NEW_EVENTS = "/apis/events.k8s.io/v1/namespaces/default/events"
STRATEGIC = "application/strategic-merge-patch+json"
TARGET = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"}
MEMORY = {"type": "Resource", "resource": {"name": "memory", "target": {"type": "AverageValue", "averageValue": "1Gi"}}}


def old(name: str = "a", **spec: Any) -> dict[str, Any]:
    spec = {"scaleTargetRef": TARGET, "maxReplicas": 5, **spec}
    return {"apiVersion": "autoscaling/v1", "kind": "HorizontalPodAutoscaler", "metadata": {"name": name}, "spec": spec}


def new_event(name: str, **more: Any) -> dict[str, Any]:
    return {
        "apiVersion": "events.k8s.io/v1",
        "kind": "Event",
        "metadata": {"name": name},
        "eventTime": "2026-01-31T12:00:00.000000Z",
        "regarding": {"kind": "Pod", "name": "p", "namespace": "default"},
        "reportingController": "test/a",
        "reportingInstance": "a-1",
        "action": "Trying",
        "reason": "Tried",
        "note": "it went well",
        "type": "Normal",
        **more,
    }


async def until_bookmark(watch: Any) -> Any:
    """The batches of the initial state."""
    async for batch in watch:
        yield batch
        if any(event.type == "BOOKMARK" for event in batch):
            await watch.aclose()
            return


async def test_written_as_v1_and_read_as_both(rest: Any) -> None:
    created = await rest("POST", V1, old(targetCPUUtilizationPercentage=60))
    assert (created.status, created.body["apiVersion"]) == (201, "autoscaling/v1")
    assert created.body["spec"]["targetCPUUtilizationPercentage"] == 60
    assert created.body["spec"]["minReplicas"] == 1

    stored = (await rest("GET", V2 + "/a")).body
    assert stored["apiVersion"] == "autoscaling/v2"
    assert stored["spec"]["metrics"][0]["resource"]["target"] == {"type": "Utilization", "averageUtilization": 60}
    assert stored["metadata"] == created.body["metadata"]
    assert (await rest("GET", V1 + "/a")).body == created.body

    for path, version in ((V1, "autoscaling/v1"), (V2, "autoscaling/v2")):
        listed = (await rest("GET", path)).body
        assert (listed["apiVersion"], listed["kind"]) == (version, "HorizontalPodAutoscalerList")
        assert [item["apiVersion"] for item in listed["items"]] == [version]

    assert (await rest("POST", V1, old())).body["reason"] == "AlreadyExists"
    deleted = await rest("DELETE", V1 + "/a")
    assert (deleted.status, deleted.body["status"]) == (200, "Success")
    assert (await rest("GET", V2 + "/a")).status == 404


async def test_a_write_through_the_older_form_keeps_what_it_cannot_say(rest: Any) -> None:
    new = {**old(metrics=[MEMORY]), "apiVersion": "autoscaling/v2"}
    assert (await rest("POST", V2, new)).status == 201
    seen = (await rest("GET", V1 + "/a")).body
    assert "autoscaling.alpha.kubernetes.io/metrics" in seen["metadata"]["annotations"]

    seen["spec"]["maxReplicas"] = 9
    assert (await rest("PUT", V1 + "/a", seen)).status == 200
    patch = {"spec": {"targetCPUUtilizationPercentage": 40}, "metadata": {"labels": {"x": "y"}}}
    patched = await rest("PATCH", V1 + "/a", patch, Content_Type=STRATEGIC)
    assert (patched.status, patched.body["spec"]["targetCPUUtilizationPercentage"]) == (200, 40)

    stored = (await rest("GET", V2 + "/a")).body
    assert "annotations" not in stored["metadata"]
    assert stored["metadata"]["labels"] == {"x": "y"}
    assert stored["spec"]["maxReplicas"] == 9
    assert [each["resource"]["name"] for each in stored["spec"]["metrics"]] == ["cpu", "memory"]

    unchanged = await rest("PATCH", V1 + "/a", {}, Content_Type="application/merge-patch+json")
    assert unchanged.body["metadata"]["resourceVersion"] == stored["metadata"]["resourceVersion"]
    status = {**patched.body, "status": {"currentReplicas": 2, "desiredReplicas": 3}}
    status["metadata"] = {**status["metadata"], "resourceVersion": ""}
    assert (await rest("PUT", V1 + "/a/status", status)).body["status"]["desiredReplicas"] == 3
    assert (await rest("GET", V2 + "/a/status")).body["status"]["currentReplicas"] == 2


async def test_strict_bodies_and_kinds_of_the_form(rest: Any) -> None:
    wrong = await rest("POST", V1 + "?fieldValidation=Strict", old(metrics=[]))
    assert (wrong.status, wrong.body["message"].count('unknown field "spec.metrics"')) == (400, 1)
    assert (await rest("POST", V1, {**old(), "apiVersion": "autoscaling/v2"})).status == 400
    assert (await rest("POST", V1, old(maxReplicas=0))).body["reason"] == "Invalid"
    assert (await rest("POST", V1 + "?dryRun=All", old())).body["apiVersion"] == "autoscaling/v1"
    assert (await rest("GET", V1 + "/a")).status == 404


async def test_watch_in_either_form(server: RunningServer, rest: Any) -> None:
    async with server.session() as session:
        watching = await session.get(f"{server.url}{NEW_EVENTS}?watch=true&fieldSelector=regarding.name%3Dp")
        await rest("POST", NEW_EVENTS, new_event("other", regarding={"kind": "Pod", "name": "q", "namespace": "default"}))
        created = await rest("POST", NEW_EVENTS, new_event("one"))
        assert created.status == 201, created.body
        line = await asyncio.wait_for(watching.content.readline(), 10)
        watching.close()
    event = json.loads(line)
    assert (event["type"], event["object"]) == ("ADDED", created.body)
    core = (await rest("GET", CORE_EVENTS + "/one")).body
    assert (core["message"], core["involvedObject"]["name"], core["reportingComponent"]) == ("it went well", "p", "test/a")
    chosen = (await rest("GET", NEW_EVENTS + "?fieldSelector=regarding.name%3Dp")).body["items"]
    assert [each["metadata"]["name"] for each in chosen] == ["one"]


async def test_the_newer_form_asks_more_of_an_event(rest: Any) -> None:
    wrong = await rest("POST", NEW_EVENTS, new_event("old", deprecatedCount=2))
    assert (wrong.status, wrong.body["details"]["causes"][0]["field"]) == (422, "deprecatedCount")
    without = new_event("timeless")
    del without["eventTime"]
    assert (await rest("POST", NEW_EVENTS, without)).body["details"]["causes"][0]["field"] == "eventTime"


async def test_forms_over_grpc(client: Client) -> None:
    autoscaler = HorizontalPodAutoscalerV1(metadata=ObjectMeta(name="g", namespace="default"))
    autoscaler.spec.scale_target_ref.kind, autoscaler.spec.scale_target_ref.name = "Deployment", "web"
    autoscaler.spec.max_replicas = 4
    watch = client.watch(HorizontalPodAutoscalerV1, "default")
    created = await client.create(autoscaler)
    assert created.spec.target_cpu_utilization_percentage == 80
    async with asyncio.timeout(10):
        assert created in [event.object async for batch in until_bookmark(watch) for event in batch]
    assert (await client.get(HorizontalPodAutoscaler, "g", "default")).spec.metrics
    created.spec.max_replicas = 6
    assert (await client.update(created)).spec.max_replicas == 6
    assert [each.spec.max_replicas for each in (await client.list(HorizontalPodAutoscalerV1, "default")).items] == [6]

    event_now = Event(metadata=ObjectMeta(name="e", namespace="default"), message="m", reason="r", type="Normal")
    event_now.involved_object = ObjectReference(kind="Pod", name="p", namespace="default")
    await client.create(event_now)
    assert (await client.get(EventV1, "e", "default")).note == "m"
    await client.delete(EventV1, "e", "default")
