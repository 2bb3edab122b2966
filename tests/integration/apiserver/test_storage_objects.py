"""Admission of claims and volumes over REST: default classes and protection."""

from __future__ import annotations

from typing import Any

import pytest

CLAIMS = "/api/v1/namespaces/default/persistentvolumeclaims"
CLASSES = "/apis/storage.k8s.io/v1/storageclasses"
DEFAULT = "storageclass.kubernetes.io/is-default-class"
BETA = "storageclass.beta.kubernetes.io/is-default-class"


def claim(name: str, **spec: Any) -> dict[str, Any]:
    wanted = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}, **spec}
    return {"metadata": {"name": name}, "spec": wanted}


async def make_class(rest: Any, name: str, **annotations: str) -> None:
    body = {"metadata": {"name": name, "annotations": annotations}, "provisioner": "example.com/p"}
    assert (await rest("POST", CLASSES, body)).status == 201
    assert (await rest("GET", f"{CLASSES}/{name}")).status == 200


async def class_of(rest: Any, body: dict[str, Any]) -> str | None:
    made = await rest("POST", f"{CLAIMS}?dryRun=All", body)
    assert made.status == 201, made.body
    named: str | None = made.body["spec"].get("storageClassName")
    return named


async def test_a_claim_without_a_class_gets_the_default(rest: Any) -> None:
    await make_class(rest, "plain")
    await make_class(rest, "not", **{DEFAULT: "false"})
    assert await class_of(rest, claim("c")) is None
    await make_class(rest, "old", **{BETA: "true"})
    assert await class_of(rest, claim("c")) == "old"
    assert await class_of(rest, claim("c", storageClassName="")) == ""
    assert await class_of(rest, claim("c", storageClassName="plain")) == "plain"
    annotated = claim("c")
    annotated["metadata"]["annotations"] = {"volume.beta.kubernetes.io/storage-class": "plain"}
    assert await class_of(rest, annotated) is None


@pytest.mark.parametrize(
    ("path", "spec", "finalizer"),
    [
        (CLAIMS, claim("x")["spec"], "kubernetes.io/pvc-protection"),
        (
            "/api/v1/persistentvolumes",
            {"accessModes": ["ReadWriteOnce"], "capacity": {"storage": "1Gi"}, "hostPath": {"path": "/srv"}},
            "kubernetes.io/pv-protection",
        ),
    ],
    ids=["claim", "volume"],
)
async def test_storage_is_protected_from_the_start(rest: Any, path: str, spec: dict[str, Any], finalizer: str) -> None:
    made = await rest("POST", path, {"metadata": {"name": "x", "finalizers": ["example.com/mine"]}, "spec": spec})
    assert made.body["metadata"]["finalizers"] == ["example.com/mine", finalizer]
    again = await rest("POST", path, {"metadata": {"name": "y", "finalizers": [finalizer]}, "spec": spec})
    assert again.body["metadata"]["finalizers"] == [finalizer]
    deleted = await rest("DELETE", f"{path}/y")
    assert (deleted.status, deleted.body["metadata"]["finalizers"]) == (200, [finalizer])
    assert (await rest("GET", f"{path}/y")).body["metadata"]["deletionTimestamp"]
    freed = await rest("PATCH", f"{path}/y", {"metadata": {"finalizers": []}}, Content_Type="application/merge-patch+json")
    assert freed.status == 200
    assert (await rest("GET", f"{path}/y")).status == 404
