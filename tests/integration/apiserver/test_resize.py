"""pods/NAME/resize over REST: amounts of CPU and memory change, nothing else does."""

from __future__ import annotations

from typing import Any

import pytest

PODS = "/api/v1/namespaces/default/pods"
PART = f"{PODS}/p/resize"
STRATEGIC = {"Content_Type": "application/strategic-merge-patch+json"}
SMALL = {"requests": {"cpu": "100m", "memory": "64Mi"}, "limits": {"cpu": "200m", "memory": "64Mi"}}


async def make(rest: Any, resources: dict[str, Any] | None = None, **spec: Any) -> dict[str, Any]:
    container = {"name": "c", "image": "busybox:1", "resources": SMALL if resources is None else resources}
    made = await rest("POST", PODS, {"metadata": {"name": "p"}, "spec": {"containers": [container], **spec}})
    assert made.status == 201, made.body
    body: dict[str, Any] = made.body
    return body


def wanting(**resources: Any) -> dict[str, Any]:
    return {"spec": {"containers": [{"name": "c", "resources": resources}]}}


async def test_amounts_change(rest: Any) -> None:
    made = await make(rest)
    assert (await rest("GET", PART)).body == made
    patched = await rest("PATCH", PART, wanting(requests={"cpu": "150m"}, limits={"cpu": "0.3"}), **STRATEGIC)
    assert patched.status == 200, patched.body
    (container,) = patched.body["spec"]["containers"]
    assert container["resources"] == {
        "requests": {"cpu": "150m", "memory": "64Mi"},
        "limits": {"cpu": "300m", "memory": "64Mi"},
    }
    assert patched.body["metadata"]["generation"] == 2
    patched.body["spec"]["containers"][0]["resources"]["requests"]["cpu"] = "160m"
    replaced = await rest("PUT", PART, patched.body)
    assert replaced.body["spec"]["containers"][0]["resources"]["requests"]["cpu"] == "160m"
    assert (await rest("GET", f"{PODS}/p")).body == replaced.body


async def test_nothing_else_does(rest: Any) -> None:
    made = await make(rest)
    wanted = {"metadata": {"labels": {"a": "b"}}, **wanting(limits={"cpu": "300m"})}
    wanted["spec"]["containers"][0]["image"] = "busybox:2"
    wanted["spec"]["activeDeadlineSeconds"] = 5
    patched = await rest("PATCH", PART, wanted, **STRATEGIC)
    assert patched.status == 200, patched.body
    assert "labels" not in patched.body["metadata"]
    patched.body["spec"]["containers"][0]["resources"]["limits"]["cpu"] = "200m"
    assert patched.body["spec"] == made["spec"]
    policy = {
        "spec": {"containers": [{"name": "c", "resizePolicy": [{"resourceName": "cpu", "restartPolicy": "RestartContainer"}]}]}
    }
    assert (await rest("PATCH", PART, policy, **STRATEGIC)).body["spec"]["containers"][0]["resizePolicy"]


REFUSALS = [
    ("another class of service", {"requests": {"cpu": "200m"}}, "spec", "Pod QOS Class may not change as a result of resizing"),
    (
        "another resource",
        {"limits": {"ephemeral-storage": "1Gi"}},
        "spec.containers[0].resources.limits",
        "only cpu and memory",
    ),
    ("no limit any more", {"limits": {"cpu": None}}, "spec.containers[0].resources.limits", "limits cannot be removed"),
    ("a request above the limit", {"requests": {"cpu": "9"}}, "spec.containers[0].resources.requests", "less than or equal to"),
    ("nonsense", {"limits": {"cpu": "-1"}}, "spec.containers[0].resources.limits[cpu]", "greater than or equal to 0"),
]


@pytest.mark.parametrize(("name", "change", "path", "says"), REFUSALS, ids=[each[0] for each in REFUSALS])
async def test_what_may_not_change(rest: Any, name: str, change: dict[str, Any], path: str, says: str) -> None:
    await make(rest)
    refused = await rest("PATCH", PART, wanting(**change), **STRATEGIC)
    assert refused.status == 422, refused.body
    assert any(each["field"] == path and says in each["message"] for each in refused.body["details"]["causes"]), refused.body


async def test_pods_that_cannot_be_resized(rest: Any) -> None:
    inits = [{"name": "i", "image": "busybox:1", "resources": SMALL}]
    await make(rest, initContainers=inits)
    wanted = {"spec": {"initContainers": [{"name": "i", "resources": {"limits": {"cpu": "300m"}}}]}}
    refused = await rest("PATCH", PART, wanted, **STRATEGIC)
    assert (refused.status, "spec.initContainers[0].resources" in refused.body["message"]) == (422, True)


async def test_not_through_the_pod_itself(rest: Any) -> None:
    await make(rest)
    refused = await rest("PATCH", f"{PODS}/p", wanting(limits={"cpu": "300m"}), **STRATEGIC)
    assert (refused.status, "pod updates may not change fields" in refused.body["message"]) == (422, True)


async def test_limit_ranges_and_quotas_hold(rest: Any) -> None:
    await make(rest)
    bounds = {"metadata": {"name": "b"}, "spec": {"limits": [{"type": "Container", "max": {"cpu": "1"}}]}}
    assert (await rest("POST", "/api/v1/namespaces/default/limitranges", bounds)).status == 201
    quota = {"metadata": {"name": "q"}, "spec": {"hard": {"limits.cpu": "500m"}}}
    assert (await rest("POST", "/api/v1/namespaces/default/resourcequotas", quota)).status == 201
    counted = {"status": {"hard": {"limits.cpu": "500m"}, "used": {"limits.cpu": "200m"}}}
    path = "/api/v1/namespaces/default/resourcequotas/q"
    assert (await rest("PATCH", f"{path}/status", counted, Content_Type="application/merge-patch+json")).status == 200
    for kind in ("limitranges/b", "resourcequotas/q"):
        assert (await rest("GET", f"/api/v1/namespaces/default/{kind}")).status == 200
    beyond = await rest("PATCH", PART, wanting(limits={"cpu": "2"}), **STRATEGIC)
    assert (beyond.status, "maximum cpu usage per Container is 1" in beyond.body["message"]) == (403, True)
    over = await rest("PATCH", PART, wanting(limits={"cpu": "600m"}), **STRATEGIC)
    assert (over.status, "exceeded quota: q, requested: limits.cpu=400m" in over.body["message"]) == (403, True)
    assert (await rest("PATCH", PART, wanting(limits={"cpu": "400m"}), **STRATEGIC)).status == 200
    assert (await rest("GET", path)).body["status"]["used"] == {"limits.cpu": "400m"}


async def test_a_pod_that_never_restarts_is_not_restarted_for_it(rest: Any) -> None:
    policy = [{"resourceName": "cpu", "restartPolicy": "RestartContainer"}]
    container = {"name": "c", "image": "busybox:1", "resizePolicy": policy}
    refused = await rest(
        "POST", PODS, {"metadata": {"name": "q"}, "spec": {"containers": [container], "restartPolicy": "Never"}}
    )
    assert (refused.status, "must be 'NotRequired'" in refused.body["message"]) == (422, True)
