"""Custom resources over the REST and gRPC doors, on both storages."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from apiclient.client import Client
from apimachinery import codec
from apimachinery.custom_rows import rows_of
from apimachinery.kinds import CustomResourceDefinition
from apimachinery.kinds.custom import Custom
from apimachinery.resources import CUSTOM_RESOURCE_DEFINITIONS
from tests.integration.apiserver.conftest import Answer, Rest
from tests.support import custom
from tests.support.apiserver import RunningServer
from tests.support.custom import DEFINITIONS, crontab, definition, version

BASE = f"/apis/{custom.GROUP}/v1"
PLACE = f"{BASE}/namespaces/default/crontabs"
MERGE, JSON_PATCH, APPLY = (f"application/{each}" for each in ("merge-patch+json", "json-patch+json", "apply-patch+yaml"))
TABLE = "application/json;as=Table;v=v1;g=meta.k8s.io"

Plain = dict[str, Any]


async def eventually(check: Callable[[], Awaitable[bool]]) -> None:
    """Ask again until it is so; there is no event for what these tests wait for."""
    async with asyncio.timeout(20):
        while not await check():  # noqa: ASYNC110 - what is waited for is in another process, as it were
            await asyncio.sleep(0.02)


async def served(rest: Rest, plain: Plain) -> Plain:
    """Create a definition and wait until it is established."""
    answer = await rest("POST", DEFINITIONS, plain)
    assert answer.status == 201, answer.body
    return await established(rest, plain["metadata"]["name"])


async def established(rest: Rest, name: str) -> Plain:
    found: Plain = {}

    async def is_established() -> bool:
        nonlocal found
        found = (await rest("GET", f"{DEFINITIONS}/{name}")).body
        return custom.condition(found, "Established").get("status") == "True"

    await eventually(is_established)
    return found


async def gone(rest: Rest, path: str) -> None:
    async def is_gone() -> bool:
        return (await rest("GET", path)).status == 404

    await eventually(is_gone)


async def becomes(read: Callable[[], Awaitable[Answer]], check: Callable[[Answer], bool]) -> None:
    async def is_so() -> bool:
        return check(await read())

    await eventually(is_so)


@pytest.fixture
async def crontabs(rest: Rest) -> Plain:
    return await served(rest, definition())


async def test_a_definition_is_completed_and_established(rest: Rest, crontabs: Plain) -> None:
    names = {**definition()["spec"]["names"], "singular": "crontab", "listKind": "CronTabList"}
    assert crontabs["spec"]["names"] == names
    assert crontabs["spec"]["conversion"] == {"strategy": "None"}
    status = crontabs["status"]
    assert (status["acceptedNames"], status["storedVersions"]) == (names, ["v1"])
    reasons = {each["type"]: (each["status"], each["reason"]) for each in status["conditions"]}
    assert reasons == {"NamesAccepted": ("True", "NoConflicts"), "Established": ("True", "InitialNamesAccepted")}


async def test_an_object_is_pruned_defaulted_and_validated(rest: Rest, crontabs: Plain) -> None:
    made = await rest("POST", PLACE, crontab(unknown=1, free={"a": {"b": 1}}, note=None))
    assert made.status == 201
    expected = crontab(free={"a": {"b": 1}}, note=None)["spec"] | {"replicas": 2}
    assert made.body["spec"] == expected
    assert made.headers.getall("Warning") == ['299 - "unknown field \\"spec.unknown\\""']
    assert made.body["metadata"]["generation"] == 1

    strict = await rest("POST", PLACE + "?fieldValidation=Strict", crontab("b", unknown=1))
    assert strict.status == 400
    assert 'strict decoding error: unknown field "spec.unknown"' in strict.body["message"]

    wrong = await rest("POST", PLACE, crontab("b", replicas="string", size="huge", cronSpec="never", tags=["x", "x"]))
    assert wrong.status == 422
    causes = {each["field"]: each["message"] for each in wrong.body["details"]["causes"]}
    assert causes["spec.replicas"] == ('Invalid value: "string": spec.replicas in body must be of type integer: "string"')
    assert causes["spec.size"] == 'Unsupported value: "huge": supported values: "large", "small"'
    assert causes["spec.cronSpec"].startswith('Invalid value: "never": spec.cronSpec in body should match ')
    assert causes["spec.tags[1]"] == 'Duplicate value: "x"'


async def test_reading_in_every_form(rest: Rest, crontabs: Plain) -> None:
    for name, size in (("a", "small"), ("b", "large")):
        await rest("POST", PLACE, {**crontab(name, size=size)})
    listed = (await rest("GET", PLACE)).body
    assert (listed["kind"], listed["apiVersion"], len(listed["items"])) == ("CronTabList", f"{custom.GROUP}/v1", 2)
    large = (await rest("GET", PLACE + "?fieldSelector=spec.size%3Dlarge")).body
    assert [each["metadata"]["name"] for each in large["items"]] == ["b"]
    assert (await rest("GET", PLACE + "?fieldSelector=spec.image%3Dx")).status == 400
    table = (await rest("GET", PLACE, Accept=TABLE)).body
    assert [(each["name"], each["type"], each["priority"]) for each in table["columnDefinitions"]] == [
        ("Name", "string", 0),
        ("Spec", "string", 0),
        ("Replicas", "integer", 1),
        ("Age", "date", 0),
    ]
    assert table["rows"][0]["cells"][:3] == ["a", "* * * * */5", 2]
    assert table["rows"][0]["cells"][3].endswith("s")
    partial = (await rest("GET", PLACE + "/a", Accept="application/json;as=PartialObjectMetadata;v=v1;g=meta.k8s.io")).body
    assert (partial["kind"], partial["metadata"]["name"]) == ("PartialObjectMetadata", "a")


async def test_generation_and_the_status_subresource(rest: Rest, crontabs: Plain) -> None:
    made = (await rest("POST", PLACE, {**crontab(), "status": {"phase": "given"}})).body
    assert "status" not in made
    status = await rest(
        "PATCH", PLACE + "/a/status", {"status": {"phase": "Up"}, "spec": {"size": "small"}}, Content_Type=MERGE
    )
    assert (status.body["status"], status.body["metadata"]["generation"]) == ({"phase": "Up"}, 1)
    assert "size" not in status.body["spec"]
    labelled = await rest("PATCH", PLACE + "/a/status", {"metadata": {"labels": {"a": "b"}}}, Content_Type=MERGE)
    assert "labels" not in labelled.body["metadata"]
    patch = [{"op": "add", "path": "/spec/size", "value": "large"}, {"op": "add", "path": "/status", "value": {}}]
    changed = (await rest("PATCH", PLACE + "/a", patch, Content_Type=JSON_PATCH)).body
    assert (changed["status"], changed["metadata"]["generation"]) == ({"phase": "Up"}, 2)
    refused = await rest("PATCH", PLACE + "/a", {}, Content_Type="application/strategic-merge-patch+json")
    assert refused.status == 415
    changed["metadata"].pop("resourceVersion")
    assert (await rest("PUT", PLACE + "/a", changed)).status == 422


async def test_scale(rest: Rest, crontabs: Plain) -> None:
    await rest("POST", PLACE, crontab())
    await rest("PATCH", PLACE + "/a/status", {"status": {"replicas": 1, "selector": "app=a"}}, Content_Type=MERGE)
    scale = (await rest("GET", PLACE + "/a/scale")).body
    assert (scale["kind"], scale["spec"], scale["status"]) == (
        "Scale",
        {"replicas": 2},
        {"replicas": 1, "selector": "app=a"},
    )
    scale["spec"]["replicas"] = 5
    assert (await rest("PUT", PLACE + "/a/scale", scale)).body["spec"] == {"replicas": 5}
    assert (await rest("PATCH", PLACE + "/a/scale", {"spec": {"replicas": 50}}, Content_Type=MERGE)).status == 422
    assert (await rest("GET", PLACE + "/a")).body["spec"]["replicas"] == 5


async def test_server_side_apply_by_the_schema(rest: Rest, crontabs: Plain) -> None:
    one = crontab(ports=[{"name": "http"}], tags=["a"])
    path = PLACE + "/a?fieldManager={}"
    first = await rest("PATCH", path.format("one"), one, Content_Type=APPLY)
    assert (first.status, first.body["spec"]["ports"]) == (201, [{"name": "http", "number": 80}])
    mine = {
        "apiVersion": one["apiVersion"],
        "kind": "CronTab",
        "spec": {"ports": [{"name": "ssh", "number": 22}], "tags": ["b"]},
    }
    second = (await rest("PATCH", path.format("two"), mine, Content_Type=APPLY)).body["spec"]
    assert (second["ports"], second["tags"]) == ([{"name": "http", "number": 80}, {"name": "ssh", "number": 22}], ["a", "b"])
    other = {**mine, "spec": {"image": "other"}}
    conflict = await rest("PATCH", path.format("two"), other, Content_Type=APPLY)
    assert (conflict.status, conflict.body["details"]["causes"][0]["field"]) == (409, ".spec.image")
    unknown = await rest("PATCH", path.format("two"), {**mine, "spec": {"nothing": 1}}, Content_Type=APPLY)
    assert (unknown.status, "field not declared in schema" in unknown.body["message"]) == (400, True)


async def test_watch_over_both_doors(rest: Rest, client: Client, server: RunningServer, crontabs: Plain) -> None:
    async with server.session() as session, session.get(server.url + PLACE + "?watch=true") as response:
        await rest("POST", PLACE, crontab())
        event = json.loads(await response.content.readline())
        assert (event["type"], event["object"]["metadata"]["name"]) == ("ADDED", "a")
        await rest("DELETE", f"{DEFINITIONS}/crontabs.{custom.GROUP}")
        lines = [json.loads(line) async for line in response.content]  # ends when the kind is gone
    assert [each["type"] for each in lines][-1] == "DELETED"


async def test_discovery_and_openapi_follow(rest: Rest, crontabs: Plain) -> None:
    listed = (await rest("GET", BASE)).body["resources"]
    assert [each["name"] for each in listed] == ["crontabs", "crontabs/scale", "crontabs/status"]
    assert (listed[0]["shortNames"], listed[0]["categories"], listed[0]["singularName"]) == (["ct"], ["all"], "crontab")
    aggregated = (
        await rest("GET", "/apis", Accept="application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList")
    ).body
    assert custom.GROUP in [each["metadata"]["name"] for each in aggregated["items"]]
    name = "com.example.stable.v1.CronTab"
    v2 = (await rest("GET", "/openapi/v2")).body
    assert v2["definitions"][name]["properties"]["spec"]["properties"]["cronSpec"]["description"] == "When it runs."
    assert f"{PLACE.replace('default', '{namespace}')}/{{name}}/scale" in v2["paths"]
    v3 = (await rest("GET", f"/openapi/v3{BASE}")).body
    assert v3["components"]["schemas"][name]["properties"]["spec"]["properties"]["replicas"]["default"] == 2
    await rest("DELETE", f"{DEFINITIONS}/crontabs.{custom.GROUP}")
    await gone(rest, PLACE)
    assert (await rest("GET", BASE)).status == 404
    assert name not in (await rest("GET", "/openapi/v2")).body["definitions"]
    assert (await rest("GET", f"/openapi/v3{BASE}")).status == 404


async def test_a_deleted_definition_waits_for_its_objects(rest: Rest, crontabs: Plain) -> None:
    held = crontab()
    held["metadata"]["finalizers"] = ["example.com/hold"]
    await rest("POST", PLACE, held)
    await rest("POST", PLACE, crontab("b"))
    path = f"{DEFINITIONS}/crontabs.{custom.GROUP}"
    going = (await rest("DELETE", path)).body
    assert going["metadata"]["finalizers"] == ["customresourcecleanup.apiextensions.k8s.io"]
    await gone(rest, PLACE + "/b")
    await becomes(
        lambda: rest("GET", path), lambda answer: custom.condition(answer.body, "Terminating").get("status") == "True"
    )
    refused = await rest("POST", PLACE, crontab("c"))
    assert (refused.status, refused.body["reason"]) == (405, "MethodNotAllowed")
    released = await rest("PATCH", PLACE + "/a", {"metadata": {"finalizers": None}}, Content_Type=MERGE)
    assert released.status == 200
    await gone(rest, path)
    await served(rest, definition())
    assert (await rest("GET", PLACE)).body["items"] == []


async def test_taken_names_are_not_accepted(rest: Rest, crontabs: Plain) -> None:
    other = definition(plural="cronjobs", kind="CronTab")
    await rest("POST", DEFINITIONS, other)
    path = f"{DEFINITIONS}/cronjobs.{custom.GROUP}"
    await becomes(
        lambda: rest("GET", path), lambda answer: custom.condition(answer.body, "NamesAccepted").get("status") == "False"
    )
    found = (await rest("GET", path)).body
    accepted = custom.condition(found, "NamesAccepted")
    assert accepted["reason"] == "SingularConflict"
    assert accepted["message"] == "; ".join(
        f'"{each}" is already in use' for each in ("crontab", "ct", "CronTab", "CronTabList")
    )
    assert custom.condition(found, "Established")["reason"] == "NotAccepted"
    assert (await rest("GET", f"{BASE}/cronjobs")).status == 404
    await rest("DELETE", f"{DEFINITIONS}/crontabs.{custom.GROUP}")
    await established(rest, f"cronjobs.{custom.GROUP}")
    assert (await rest("GET", f"{BASE}/cronjobs")).status == 200


async def test_several_versions_of_one_kind(rest: Rest) -> None:
    await served(rest, definition(version("v1beta1", storage=False, deprecated=True), version("v1")))
    beta = f"/apis/{custom.GROUP}/v1beta1/namespaces/default/crontabs"
    made = await rest("POST", beta, crontab(api_version=f"{custom.GROUP}/v1beta1"))
    assert (made.status, made.body["apiVersion"]) == (201, f"{custom.GROUP}/v1beta1")
    assert [each for each in made.headers.getall("Warning") if "is deprecated" in each]
    assert (await rest("GET", PLACE + "/a")).body["apiVersion"] == f"{custom.GROUP}/v1"
    assert [each["apiVersion"] for each in (await rest("GET", beta)).body["items"]] == [f"{custom.GROUP}/v1beta1"]
    changed = await rest("PATCH", beta + "/a", {"spec": {"size": "small"}}, Content_Type=MERGE)
    assert (changed.body["apiVersion"], changed.body["metadata"]["generation"]) == (f"{custom.GROUP}/v1beta1", 2)
    groups = {each["name"]: each for each in (await rest("GET", "/apis")).body["groups"]}
    assert [each["version"] for each in groups[custom.GROUP]["versions"]] == ["v1", "v1beta1"]
    both = (await rest("GET", PLACE + "/a")).body
    assert both["spec"]["size"] == "small"


async def test_whoever_asks_for_a_deprecated_version_is_told(server: RunningServer, rest: Rest) -> None:
    warning = {"deprecated": True, "deprecationWarning": "take v1"}
    await served(rest, definition(version("v1beta1", storage=False, **warning), version("v1")))
    await rest("POST", PLACE, crontab())
    beta = PLACE.replace("/v1/", "/v1beta1/")
    table = {"Accept": "application/json;as=Table;v=v1;g=meta.k8s.io"}
    for method, path, body, headers in (
        ("GET", beta, None, {}),
        ("GET", beta, None, table),
        ("GET", beta.replace("/namespaces/default", ""), None, {}),
        ("GET", beta + "/a", None, {}),
        ("GET", beta + "/nobody", None, {}),
        ("GET", beta + "/a/scale", None, {}),
        ("PUT", beta + "/a/status", {}, {}),
        ("DELETE", beta, None, {}),
    ):
        found = await rest(method, path, body, **headers)
        assert found.headers.getall("Warning") == ['299 - "take v1"'], (method, path)
        told = await rest(method, path.replace("/v1beta1/", "/v1/"), body, **headers)
        assert "Warning" not in told.headers, (method, path)
    async with server.session() as session, session.get(f"{server.url}{beta}?watch=true&timeoutSeconds=1") as watch:
        assert watch.headers.getall("Warning") == ['299 - "take v1"']


async def test_another_storage_version_and_schema_show_what_is_stored_anew(rest: Rest) -> None:
    await served(rest, definition(version("v1"), version("v2", storage=False)))
    await rest("POST", PLACE, crontab(size="small"))
    path = f"{DEFINITIONS}/crontabs.{custom.GROUP}"
    now = (await rest("GET", path)).body
    one, two = version("v1", storage=False), version("v2")
    two["schema"]["openAPIV3Schema"]["properties"]["spec"]["properties"]["level"] = {"type": "integer", "default": 7}
    del two["schema"]["openAPIV3Schema"]["properties"]["spec"]["properties"]["size"]
    two["selectableFields"] = []
    now["spec"]["versions"] = [one, two]
    changed = await rest("PUT", path, now)
    assert changed.body["status"]["storedVersions"] == ["v1", "v2"]
    newer = f"/apis/{custom.GROUP}/v2/namespaces/default/crontabs/a"
    await becomes(lambda: rest("GET", newer), lambda answer: answer.body.get("spec", {}).get("level") == 7)
    shown = (await rest("GET", newer)).body
    assert (shown["apiVersion"], "size" in shown["spec"]) == (f"{custom.GROUP}/v2", False)
    listed = (await rest("GET", newer.removesuffix("/a"))).body["items"]
    assert [(each["apiVersion"], each["spec"]["level"]) for each in listed] == [(f"{custom.GROUP}/v2", 7)]
    assert (await rest("GET", PLACE + "/a")).body["spec"]["size"] == "small", "what is stored in v1 is still whole in v1"
    assert (await rest("PATCH", newer, {"metadata": {"labels": {"a": "b"}}}, Content_Type=MERGE)).status == 200
    assert "size" not in (await rest("GET", PLACE + "/a")).body["spec"], "once it has been stored in v2 it is not"
    now = (await rest("GET", path)).body
    now["spec"]["versions"] = [two]
    refused = await rest("PUT", path, now)
    assert (refused.status, "missing from spec.versions" in refused.body["message"]) == (422, True)


async def test_objects_outlive_a_schema_that_becomes_stricter(rest: Rest, crontabs: Plain) -> None:
    await rest("POST", PLACE, crontab(size="small"))
    stricter = version()
    stricter["schema"]["openAPIV3Schema"]["properties"]["spec"]["properties"]["size"]["enum"] = ["large"]
    path = f"{DEFINITIONS}/crontabs.{custom.GROUP}"
    await rest("PATCH", path, {"spec": {"versions": [stricter]}}, Content_Type=MERGE)
    await becomes(lambda: rest("POST", PLACE + "?dryRun=All", crontab("b", size="small")), lambda answer: answer.status == 422)
    kept = await rest("PATCH", PLACE + "/a", {"spec": {"replicas": 3}}, Content_Type=MERGE)
    assert (kept.status, kept.body["spec"]["replicas"]) == (200, 3)


async def test_collections_finalizers_and_dry_runs(rest: Rest, crontabs: Plain) -> None:
    tried = await rest("POST", PLACE + "?dryRun=All", crontab())
    assert (tried.status, tried.body["spec"]["replicas"]) == (201, 2)
    assert (await rest("GET", PLACE + "/a")).status == 404
    for name in ("a", "b", "c"):
        await rest("POST", PLACE, crontab(name))
    assert (await rest("POST", PLACE, crontab("a"))).status == 409
    removed = await rest("DELETE", PLACE + "/a")
    assert (removed.body["kind"], removed.body["details"]["kind"]) == ("Status", "crontabs")
    await rest("DELETE", PLACE)
    assert (await rest("GET", PLACE)).body["items"] == []


async def test_many_writers_of_one_object(rest: Rest, crontabs: Plain) -> None:
    await rest("POST", PLACE, crontab())
    patches = [rest("PATCH", PLACE + "/a", {"spec": {"free": {f"w{n}": n}}}, Content_Type=MERGE) for n in range(10)]
    assert {each.status for each in await asyncio.gather(*patches)} == {200}
    assert len((await rest("GET", PLACE + "/a")).body["spec"]["free"]) == 10


async def test_rules_in_cel(rest: Rest) -> None:
    ruled = version()
    spec = ruled["schema"]["openAPIV3Schema"]["properties"]["spec"]
    spec["x-kubernetes-validations"] = [{"rule": "self.replicas < 5 || self.size == 'large'", "message": "many must be large"}]
    spec["properties"]["image"]["x-kubernetes-validations"] = [{"rule": "self == oldSelf", "message": "image is final"}]
    await served(rest, definition(ruled))
    refused = await rest("POST", PLACE, crontab(replicas=6, size="small"))
    assert refused.status == 422
    assert refused.body["details"]["causes"] == [
        {"field": "spec", "message": 'Invalid value: "object": many must be large', "reason": "FieldValueInvalid"}
    ]
    assert (await rest("POST", PLACE, crontab(replicas=6, size="large"))).status == 201
    final = await rest("PATCH", PLACE + "/a", {"spec": {"image": "other"}}, Content_Type=MERGE)
    assert (final.status, "image is final" in final.body["message"]) == (422, True)
    wrong = definition(version(), plural="others", kind="Other")
    wrong["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["x-kubernetes-validations"] = [{"rule": "self.spec.nothing > 1"}]
    answer = await rest("POST", DEFINITIONS, wrong)
    assert answer.status == 422
    (cause,) = answer.body["details"]["causes"]
    assert cause["field"] == "spec.versions[0].schema.openAPIV3Schema.x-kubernetes-validations[0].rule"
    assert "compilation failed" in cause["message"]


async def test_the_components_door_serves_them_too(rest: Rest, client: Client, crontabs: Plain) -> None:
    cls: type[Custom] = rows_of(codec.convert(CustomResourceDefinition, crontabs))[0].cls  # type: ignore[assignment]
    made = await client.create(codec.convert(cls, crontab()), "default")
    assert made.content["spec"]["replicas"] == 2
    made.content["spec"]["size"] = "small"
    assert (await client.update(made)).metadata.generation == 2
    listed = await client.list(cls, field_selector="spec.size=small")
    assert [each.metadata.name for each in listed.items] == ["a"]
    watching = client.watch(cls, "default", resource_version=str(listed.revision))
    first = asyncio.create_task(anext(aiter(watching)))
    await client.delete(cls, "a", "default")
    (event,) = await asyncio.wait_for(first, 20)
    assert event.object is not None
    assert (event.type, event.object.content["spec"]["size"]) == ("DELETED", "small")


async def test_a_definition_that_cannot_be_served_stops_no_other(rest: Rest, server: RunningServer, crontabs: Plain) -> None:
    """Stored by somebody who checks less: an expression that means nothing."""
    poison = definition(plural="poisons", kind="Poison")
    schema = poison["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    poison["metadata"]["uid"] = "00000000-0000-0000-0000-000000000001"
    schema["x-kubernetes-validations"] = [{"rule": "this is nothing"}]
    poison["spec"]["names"]["shortNames"] = []
    stored = codec.encode_stored(codec.convert(CustomResourceDefinition, poison))
    key = server.assembly.keys.object(CUSTOM_RESOURCE_DEFINITIONS, "", f"poisons.{custom.GROUP}")
    await server.assembly.storage.create(key, stored)
    await established(rest, f"poisons.{custom.GROUP}")
    assert (await rest("GET", f"{BASE}/poisons")).status == 404
    assert (await rest("POST", PLACE, crontab())).status == 201
    await served(rest, definition(plural="others", kind="Other", group="other.example.com"))
