"""The patch types over REST, on both storages: their directives, what they refuse, and writers that come in between."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

MERGE = "application/merge-patch+json"
STRATEGIC = "application/strategic-merge-patch+json"
JSON = "application/json-patch+json"
DEPLOYMENTS = "/apis/apps/v1/namespaces/default/deployments"
CONFIG_MAPS = "/api/v1/namespaces/default/configmaps"


def deployment() -> dict[str, Any]:
    containers = [{"name": "a", "image": "registry.local/a:1"}, {"name": "b", "image": "registry.local/b:1"}]
    volumes = [{"name": "v", "emptyDir": {}}]
    template = {"metadata": {"labels": {"app": "web"}}, "spec": {"containers": containers, "volumes": volumes}}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "web", "finalizers": ["x.io/a", "x.io/b"]},
        "spec": {"selector": {"matchLabels": {"app": "web"}}, "template": template},
    }


async def patched(rest: Any, patch: Any, content_type: str = STRATEGIC) -> Any:
    created = await rest("POST", DEPLOYMENTS, deployment())
    assert created.status == 201, created.body
    return await rest("PATCH", DEPLOYMENTS + "/web", patch, Content_Type=content_type)


def pod_spec(answer: Any) -> Any:
    assert answer.status == 200, answer.body
    return answer.body["spec"]["template"]["spec"]


def in_template(**spec: Any) -> dict[str, Any]:
    return {"spec": {"template": {"spec": spec}}}


async def test_patch_delete_takes_one_element_out(rest: Any) -> None:
    found = await patched(rest, in_template(containers=[{"name": "a", "$patch": "delete"}]))
    assert [each["name"] for each in pod_spec(found)["containers"]] == ["b"]


async def test_patch_replace_takes_the_list_as_it_is(rest: Any) -> None:
    found = await patched(rest, in_template(containers=[{"$patch": "replace"}, {"name": "c", "image": "registry.local/c:1"}]))
    assert [each["name"] for each in pod_spec(found)["containers"]] == ["c"]


async def test_retain_keys_changes_the_member_of_a_union(rest: Any) -> None:
    volume = {"name": "v", "$retainKeys": ["name", "hostPath"], "hostPath": {"path": "/x"}}
    found = await patched(rest, in_template(volumes=[volume]))
    assert pod_spec(found)["volumes"] == [{"name": "v", "hostPath": {"path": "/x"}}]


async def test_order_of_elements(rest: Any) -> None:
    found = await patched(rest, in_template(**{"$setElementOrder/containers": [{"name": "b"}, {"name": "a"}]}))
    assert [each["name"] for each in pod_spec(found)["containers"]] == ["b", "a"]


async def test_deletion_from_a_list_of_scalars(rest: Any) -> None:
    found = await patched(rest, {"metadata": {"$deleteFromPrimitiveList/finalizers": ["x.io/a"]}})
    assert found.body["metadata"]["finalizers"] == ["x.io/b"]


async def test_directives_are_fields_to_a_merge_patch(rest: Any) -> None:
    found = await patched(rest, {"metadata": {"$deleteFromPrimitiveList/finalizers": ["x.io/a"]}}, MERGE)
    assert (found.status, found.body["metadata"]["finalizers"]) == (200, ["x.io/a", "x.io/b"])
    assert 'unknown field \\"metadata.$deleteFromPrimitiveList/finalizers\\"' in found.headers["Warning"]


@pytest.mark.parametrize(
    ("patch", "content_type", "code", "message"),
    [
        ({"spec": {"$patch": "sink"}}, STRATEGIC, 400, "unknown value 'sink' of $patch"),
        ({"spec": {"replicas": "many"}}, MERGE, 400, "spec.replicas"),
        ({"spec": {"replicas": -1}}, MERGE, 422, "must be greater than or equal to 0"),
        ({"kind": "Pod"}, MERGE, 400, "a patch cannot change kind and apiVersion"),
        ({"metadata": {"name": "other"}}, MERGE, 400, "does not match the name on the URL"),
        ({"metadata": {"uid": "7"}}, MERGE, 409, "UID in precondition: 7"),
        ({"metadata": {"resourceVersion": "1"}}, MERGE, 409, "has been modified"),
        ([{"op": "replace", "path": "/metadata/resourceVersion", "value": "1"}], JSON, 409, "has been modified"),
        ([{"op": "test", "path": "/metadata/name", "value": "x"}], JSON, 422, "testing value /metadata/name failed"),
        ([{"op": "remove", "path": "/spec/nothing"}], JSON, 422, "does not exist"),
        ([{"op": "sink", "path": "/spec"}], JSON, 400, "unknown op"),
        (
            [{"op": "test", "path": "/kind", "value": "x"}] * 10_001,
            JSON,
            413,
            "maximum operations in a JSON patch is 10000",
        ),
        (b'{"spec":{"replicas":1},"spec":{"replicas":2}}', MERGE, 400, 'duplicate field "spec"'),
    ],
)
async def test_refused(rest: Any, patch: Any, content_type: str, code: int, message: str) -> None:
    created = (await rest("POST", DEPLOYMENTS, deployment())).body
    found = await rest("PATCH", DEPLOYMENTS + "/web?fieldValidation=Strict", patch, Content_Type=content_type)
    assert (found.status, message in found.body["message"]) == (code, True), found.body
    assert (await rest("GET", DEPLOYMENTS + "/web")).body == created


async def test_an_unknown_type_is_told_what_is_accepted(rest: Any) -> None:
    found = await patched(rest, {}, "application/json")
    assert (found.status, found.body["reason"]) == (415, "UnsupportedMediaType")
    accepted = f"accepted media types include: {JSON}, {MERGE}, {STRATEGIC}, application/apply-patch+yaml"
    assert accepted in found.body["message"]


async def test_keys_that_stand_twice_are_warned_about(rest: Any) -> None:
    found = await patched(rest, b'{"spec":{"replicas":1},"spec":{"replicas":2}}', MERGE)
    assert (found.status, found.body["spec"]["replicas"]) == (200, 2)
    assert 'duplicate field \\"spec\\"' in found.headers["Warning"]


async def test_a_patch_insists_on_a_revision_only_if_it_names_one(rest: Any) -> None:
    created = (await rest("POST", CONFIG_MAPS, {"metadata": {"name": "a"}, "data": {}})).body
    revision = created["metadata"]["resourceVersion"]
    path = CONFIG_MAPS + "/a"
    free = [{"data": {f"k{n}": "v"}} for n in range(6)]
    bound = [{"metadata": {"resourceVersion": revision}, "data": {f"b{n}": "v"}} for n in range(6)]
    found = await asyncio.gather(*(rest("PATCH", path, each, Content_Type=MERGE) for each in free + bound))
    assert {each.status for each in found[:6]} == {200}
    assert {each.status for each in found[6:]} <= {200, 409}
    assert sum(each.status == 200 for each in found[6:]) <= 1
    assert {f"k{n}" for n in range(6)} <= (await rest("GET", path)).body["data"].keys()
