"""pods/NAME/ephemeralcontainers over REST: what may be added, and that nothing else is changed on the way."""

from __future__ import annotations

from typing import Any

import pytest

PODS = "/api/v1/namespaces/default/pods"
PART = f"{PODS}/p/ephemeralcontainers"
STRATEGIC = {"Content_Type": "application/strategic-merge-patch+json"}
MERGE = {"Content_Type": "application/merge-patch+json"}


async def make(rest: Any) -> dict[str, Any]:
    pod = {"metadata": {"name": "p"}, "spec": {"containers": [{"name": "c", "image": "busybox:1"}]}}
    made = await rest("POST", PODS, pod)
    assert made.status == 201
    body: dict[str, Any] = made.body
    return body


def adding(**container: Any) -> dict[str, Any]:
    return {"spec": {"ephemeralContainers": [{"name": "e", "image": "busybox:1", **container}]}}


async def test_containers_are_added(rest: Any) -> None:
    made = await make(rest)
    assert (await rest("GET", PART)).body == made
    patched = await rest("PATCH", PART, adding(targetContainerName="c", stdin=True, tty=True), **STRATEGIC)
    assert patched.status == 200, patched.body
    (added,) = patched.body["spec"]["ephemeralContainers"]
    assert added == {
        "name": "e",
        "image": "busybox:1",
        "targetContainerName": "c",
        "stdin": True,
        "tty": True,
        "resources": {},
        "imagePullPolicy": "IfNotPresent",
        "terminationMessagePath": "/dev/termination-log",
        "terminationMessagePolicy": "File",
    }
    assert patched.body["metadata"]["generation"] == 2
    whole = patched.body
    whole["spec"]["ephemeralContainers"].append({"name": "f", "image": "busybox:1"})
    replaced = await rest("PUT", PART, whole)
    assert [each["name"] for each in replaced.body["spec"]["ephemeralContainers"]] == ["e", "f"]
    assert (await rest("GET", f"{PODS}/p")).body == replaced.body


async def test_nothing_else_is_changed(rest: Any) -> None:
    made = await make(rest)
    wanted = {**adding(), "metadata": {"labels": {"a": "b"}, "annotations": {"c": "d"}, "finalizers": ["example.com/f"]}}
    wanted["spec"]["containers"] = [{"name": "c", "image": "busybox:2"}]
    patched = await rest("PATCH", PART, wanted, **STRATEGIC)
    assert patched.status == 200, patched.body
    del patched.body["spec"]["ephemeralContainers"]
    assert patched.body["spec"] == made["spec"]
    assert not {"labels", "annotations", "finalizers"} & patched.body["metadata"].keys()


REFUSALS = [
    ({"name": "c"}, "spec.ephemeralContainers[0].name", "FieldValueDuplicate"),
    ({"name": ""}, "spec.ephemeralContainers[0].name", "FieldValueRequired"),
    ({"image": ""}, "spec.ephemeralContainers[0].image", "FieldValueRequired"),
    ({"targetContainerName": "x"}, "spec.ephemeralContainers[0].targetContainerName", "FieldValueNotFound"),
    ({"ports": [{"containerPort": 1}]}, "spec.ephemeralContainers[0].ports", "FieldValueForbidden"),
    ({"livenessProbe": {"exec": {"command": ["a"]}}}, "spec.ephemeralContainers[0].livenessProbe", "FieldValueForbidden"),
    ({"lifecycle": {"preStop": {"exec": {"command": ["a"]}}}}, "spec.ephemeralContainers[0].lifecycle", "FieldValueForbidden"),
    ({"resources": {"limits": {"cpu": "1"}}}, "spec.ephemeralContainers[0].resources", "FieldValueForbidden"),
]


@pytest.mark.parametrize(("change", "path", "reason"), REFUSALS, ids=[str(each[0])[:40] for each in REFUSALS])
async def test_what_may_not_be_added(rest: Any, change: dict[str, Any], path: str, reason: str) -> None:
    made = await make(rest)
    made["spec"]["ephemeralContainers"] = [{"name": "e", "image": "busybox:1", **change}]
    refused = await rest("PUT", PART, made)
    assert refused.status == 422, refused.body
    assert (path, reason) in {(each["field"], each["reason"]) for each in refused.body["details"]["causes"]}


async def test_what_was_added_stays_as_it_is(rest: Any) -> None:
    await make(rest)
    pod = (await rest("PATCH", PART, adding(), **STRATEGIC)).body
    for changed, words in (
        ([], 'existing ephemeral containers "e" may not be removed'),
        (
            [{**pod["spec"]["ephemeralContainers"][0], "image": "busybox:2"}],
            'existing ephemeral containers "e" may not be changed',
        ),
    ):
        refused = await rest("PUT", PART, {**pod, "spec": {**pod["spec"], "ephemeralContainers": changed}})
        assert refused.status == 422
        assert words in refused.body["message"]
    elsewhere = await rest("PATCH", f"{PODS}/p", adding(name="f"), **STRATEGIC)
    assert (elsewhere.status, "pod updates may not change fields" in elsewhere.body["message"]) == (422, True)


async def test_its_place_in_discovery(rest: Any) -> None:
    rows = {each["name"]: each for each in (await rest("GET", "/api/v1")).body["resources"]}
    assert rows["pods/ephemeralcontainers"]["kind"] == "Pod"
    assert rows["pods/ephemeralcontainers"]["verbs"] == ["get", "patch", "update"]
    assert (await rest("DELETE", PART)).status == 405


async def test_pod_security_looks_at_them(rest: Any) -> None:
    await make(rest)
    level = {"metadata": {"labels": {"pod-security.kubernetes.io/enforce": "baseline"}}}
    assert (await rest("PATCH", "/api/v1/namespaces/default", level, **MERGE)).status == 200
    assert (await rest("GET", "/api/v1/namespaces/default")).status == 200
    refused = await rest("PATCH", PART, adding(securityContext={"privileged": True}), **STRATEGIC)
    assert refused.status == 403
    assert 'privileged (container "e" must not set securityContext.privileged=true)' in refused.body["message"]
    assert (await rest("PATCH", PART, adding(), **STRATEGIC)).status == 200
