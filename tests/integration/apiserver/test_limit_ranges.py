"""LimitRanges over REST: pods get defaults, and what is out of bounds is refused."""

from __future__ import annotations

from typing import Any

ROOT = "/api/v1/namespaces/default"
MERGE = {"Content_Type": "application/merge-patch+json"}


async def impose(rest: Any, *items: dict[str, Any]) -> None:
    """Make a LimitRange and wait until the cache has it, as every consistent read does."""
    made = await rest("POST", f"{ROOT}/limitranges", {"metadata": {"name": "bounds"}, "spec": {"limits": list(items)}})
    assert made.status == 201
    assert (await rest("GET", f"{ROOT}/limitranges/bounds")).status == 200


def pod(name: str, **resources: Any) -> dict[str, Any]:
    container = {"name": "c", "image": "busybox:1", "resources": resources}
    return {"metadata": {"name": name}, "spec": {"containers": [container]}}


def claim(name: str, storage: str) -> dict[str, Any]:
    spec = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": storage}}}
    return {"metadata": {"name": name}, "spec": spec}


async def test_containers_get_defaults(rest: Any) -> None:
    await impose(rest, {"type": "Container", "default": {"cpu": "500m"}, "defaultRequest": {"memory": "0.5Gi"}})
    made = (await rest("POST", f"{ROOT}/pods", pod("p"))).body
    resources = made["spec"]["containers"][0]["resources"]
    assert resources == {"limits": {"cpu": "500m"}, "requests": {"cpu": "500m", "memory": "512Mi"}}
    told = made["metadata"]["annotations"]["kubernetes.io/limit-ranger"]
    assert told == "LimitRanger plugin set: cpu, memory request for container c; cpu limit for container c"
    assert made["status"]["qosClass"] == "Burstable"


async def test_a_pod_out_of_bounds_is_refused(rest: Any) -> None:
    await impose(rest, {"type": "Container", "max": {"cpu": "1"}}, {"type": "Pod", "min": {"memory": "1Mi"}})
    refused = await rest("POST", f"{ROOT}/pods", pod("p", limits={"cpu": "2"}))
    assert (refused.status, refused.body["reason"]) == (403, "Forbidden")
    assert refused.body["message"] == (
        'pods "p" is forbidden: [maximum cpu usage per Container is 1, but limit is 2, '
        "minimum memory usage per Pod is 1Mi.  No request is specified]"
    )
    assert (await rest("POST", f"{ROOT}/pods", pod("q", limits={"memory": "1Mi"}))).status == 201


async def test_what_is_invalid_is_called_so_first(rest: Any) -> None:
    await impose(rest, {"type": "Container", "max": {"cpu": "1"}})
    refused = await rest("POST", f"{ROOT}/pods", pod("p", limits={"cpu": "2"}, requests={"cpu": "3"}))
    assert refused.status == 422


async def test_pods_that_exist_are_left_alone(rest: Any) -> None:
    assert (await rest("POST", f"{ROOT}/pods", pod("p"))).status == 201
    await impose(rest, {"type": "Container", "min": {"cpu": "1"}})
    assert (await rest("PATCH", f"{ROOT}/pods/p", {"metadata": {"labels": {"a": "b"}}}, **MERGE)).status == 200


async def test_claims(rest: Any) -> None:
    await impose(rest, {"type": "PersistentVolumeClaim", "max": {"storage": "2Gi"}})
    refused = await rest("POST", f"{ROOT}/persistentvolumeclaims", claim("c", "3Gi"))
    assert refused.status == 403
    assert refused.body["message"] == (
        'persistentvolumeclaims "c" is forbidden: maximum storage usage per PersistentVolumeClaim is 2Gi, but request is 3Gi'
    )
    assert (await rest("POST", f"{ROOT}/persistentvolumeclaims", claim("c", "1Gi"))).status == 201


async def test_other_namespaces_are_not_bound(rest: Any) -> None:
    await impose(rest, {"type": "Container", "min": {"cpu": "1"}, "max": {"cpu": "1"}})
    await rest("POST", "/api/v1/namespaces", {"metadata": {"name": "free"}})
    made = await rest("POST", "/api/v1/namespaces/free/pods", pod("p"))
    assert (made.status, made.body["spec"]["containers"][0]["resources"]) == (201, {})


async def test_a_dry_run_is_bound_too(rest: Any) -> None:
    await impose(rest, {"type": "Container", "max": {"cpu": "1"}})
    refused = await rest("POST", f"{ROOT}/pods?dryRun=All", pod("p", limits={"cpu": "2"}))
    assert refused.status == 403
