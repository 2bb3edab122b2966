"""PodSecurity over REST: who is refused, who is warned, and what a change of a namespace's labels says."""

from __future__ import annotations

from typing import Any

import pytest

MERGE = {"Content_Type": "application/merge-patch+json"}
PODS = "/api/v1/namespaces/guarded/pods"
HARDENED = {
    "allowPrivilegeEscalation": False,
    "capabilities": {"drop": ["ALL"]},
    "runAsNonRoot": True,
    "seccompProfile": {"type": "RuntimeDefault"},
}
FINDINGS = (
    'allowPrivilegeEscalation != false (container "c" must set securityContext.allowPrivilegeEscalation=false), '
    'unrestricted capabilities (container "c" must set securityContext.capabilities.drop=["ALL"]), '
    'runAsNonRoot != true (pod or container "c" must set securityContext.runAsNonRoot=true), '
    'seccompProfile (pod or container "c" must set securityContext.seccompProfile.type to "RuntimeDefault" or "Localhost")'
)


def spec(**context: Any) -> dict[str, Any]:
    return {"containers": [{"name": "c", "image": "busybox:1", "securityContext": context}]}


def pod(name: str, **context: Any) -> dict[str, Any]:
    return {"metadata": {"name": name}, "spec": spec(**context)}


def labels(**modes: str) -> dict[str, Any]:
    named = {f"pod-security.kubernetes.io/{mode.replace('_', '-')}": value for mode, value in modes.items()}
    return {"metadata": {"name": "guarded", "labels": named}}


async def guard(rest: Any, **modes: str) -> None:
    assert (await rest("POST", "/api/v1/namespaces", labels(**modes))).status == 201
    assert (await rest("GET", "/api/v1/namespaces/guarded")).status == 200


def warned(answer: Any) -> list[str]:
    return [each.split(" ", 2)[2][1:-1].replace('\\"', '"') for each in answer.headers.getall("Warning", ())]


async def test_what_is_enforced_is_refused(rest: Any) -> None:
    await guard(rest, enforce="restricted")
    refused = await rest("POST", PODS, pod("p"))
    assert (refused.status, refused.body["reason"]) == (403, "Forbidden")
    assert refused.body["message"] == f'pods "p" is forbidden: violates PodSecurity "restricted:latest": {FINDINGS}'
    assert warned(refused) == []
    made = await rest("POST", PODS, pod("p", **HARDENED))
    assert (made.status, warned(made)) == (201, [])
    assert (await rest("POST", f"{PODS}?dryRun=All", pod("q"))).status == 403
    assert (await rest("POST", "/api/v1/namespaces/default/pods", pod("q", privileged=True))).status == 201


async def test_what_is_only_warned_about_is_made(rest: Any) -> None:
    await guard(rest, enforce="baseline", warn="restricted", warn_version="v1.20")
    made = await rest("POST", PODS, pod("p"))
    left_out = FINDINGS.split(", ")[1]
    assert made.status == 201
    assert warned(made) == [f'would violate PodSecurity "restricted:v1.20": {FINDINGS.replace(f"{left_out}, ", "")}']
    assert (await rest("POST", PODS, pod("q", privileged=True))).status == 403


@pytest.mark.parametrize(
    ("path", "body"),
    [
        (
            "/apis/apps/v1/namespaces/guarded/deployments",
            {"selector": {"matchLabels": {"a": "b"}}, "template": {"metadata": {"labels": {"a": "b"}}, "spec": spec()}},
        ),
        (
            "/apis/batch/v1/namespaces/guarded/cronjobs",
            {
                "schedule": "* * * * *",
                "jobTemplate": {"spec": {"template": {"spec": {**spec(), "restartPolicy": "Never"}}}},
            },
        ),
    ],
)
async def test_workloads_are_warned_about(rest: Any, path: str, body: dict[str, Any]) -> None:
    await guard(rest, enforce="restricted")
    made = await rest("POST", path, {"metadata": {"name": "w"}, "spec": body})
    assert (made.status, warned(made)) == (201, [f'would violate PodSecurity "restricted:latest": {FINDINGS}'])
    changed = await rest("PATCH", f"{path}/w", {"metadata": {"labels": {"x": "y"}}}, **MERGE)
    assert (changed.status, warned(changed)) == (200, warned(made))


async def test_a_pod_that_exists_is_judged_by_its_images_only(rest: Any) -> None:
    await guard(rest)
    assert (await rest("POST", PODS, pod("p"))).status == 201
    await rest("PATCH", "/api/v1/namespaces/guarded", labels(enforce="restricted"), **MERGE)
    assert (await rest("GET", "/api/v1/namespaces/guarded")).status == 200
    assert (await rest("PATCH", f"{PODS}/p", {"metadata": {"labels": {"a": "b"}}}, **MERGE)).status == 200
    status = {"status": {"phase": "Running"}}
    assert (await rest("PATCH", f"{PODS}/p/status", status, **MERGE)).status == 200
    other = {"spec": {"containers": [{"name": "c", "image": "busybox:2"}]}}
    changed = await rest("PATCH", f"{PODS}/p", other, Content_Type="application/strategic-merge-patch+json")
    assert changed.status == 403
    assert (await rest("DELETE", f"{PODS}/p")).status == 200


async def test_a_stricter_namespace_says_which_pods_break_it(rest: Any) -> None:
    await guard(rest, enforce="baseline", warn="privileged")
    for name in ("b", "a", "z"):
        assert (await rest("POST", PODS, pod(name, **(HARDENED if name == "z" else {})))).status == 201
    assert len((await rest("GET", PODS)).body["items"]) == 3
    for query in ("?dryRun=All", ""):
        changed = await rest("PATCH", f"/api/v1/namespaces/guarded{query}", labels(enforce="restricted"), **MERGE)
        assert changed.status == 200
        assert warned(changed) == [
            'existing pods in namespace "guarded" violate the new PodSecurity enforce level "restricted:latest"',
            "a (and 1 other pod): allowPrivilegeEscalation != false, unrestricted capabilities, runAsNonRoot != true, "
            "seccompProfile",
        ]
    assert warned(await rest("PATCH", "/api/v1/namespaces/guarded", labels(enforce="restricted"), **MERGE)) == []
    assert warned(await rest("PATCH", "/api/v1/namespaces/guarded", labels(enforce="privileged"), **MERGE)) == []


async def test_labels_that_mean_nothing_are_refused(rest: Any) -> None:
    refused = await rest("POST", "/api/v1/namespaces", labels(enforce="strict", warn_version="1.20"))
    assert refused.status == 422
    assert {(each["field"], each["message"]) for each in refused.body["details"]["causes"]} == {
        (
            "metadata.labels[pod-security.kubernetes.io/enforce]",
            'Invalid value: "strict": must be one of privileged, baseline, restricted',
        ),
        (
            "metadata.labels[pod-security.kubernetes.io/warn-version]",
            'Invalid value: "1.20": must be "latest" or "v1.x"',
        ),
    }
    await guard(rest)
    assert (await rest("PATCH", "/api/v1/namespaces/guarded", labels(audit="x"), **MERGE)).status == 422


async def test_what_is_audited_goes_to_the_log(rest: Any, caplog: pytest.LogCaptureFixture) -> None:
    await guard(rest, audit="restricted", audit_version="v1.30")
    with caplog.at_level("INFO", "apiserver.registry.pod_security"):
        made = await rest("POST", PODS, pod("p"))
    assert (made.status, warned(made)) == (201, [])
    (record,) = [each for each in caplog.records if each.name == "apiserver.registry.pod_security"]
    assert (
        vars(record).items()
        >= {
            "object": "pods/p",
            "namespace": "guarded",
            "findings": f'would violate PodSecurity "restricted:v1.30": {FINDINGS}',
        }.items()
    )
