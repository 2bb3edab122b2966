"""Discovery and OpenAPI of several servers as one."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apiserver.core.aggregation import discovery, openapi
from apiserver.core.aggregation.ordering import Priority
from apiserver.openapi import gnostic

Plain = dict[str, Any]
RANKS = {("apps", "v1"): Priority(17800, 15), ("", "v1"): Priority(18000, 1), ("g", "v1"): Priority(100, 1)}
RANKS |= {("g", "v2"): Priority(20, 2), ("up", "v1"): Priority(20000, 1)}


def test_groups_in_the_old_form() -> None:
    found = discovery.group_documents(RANKS)
    assert [each["name"] for each in found["/apis"]["groups"]] == ["up", "apps", "g"]
    assert found["/apis/g"] == {
        "kind": "APIGroup",
        "apiVersion": "v1",
        "name": "g",
        "versions": [{"groupVersion": "g/v2", "version": "v2"}, {"groupVersion": "g/v1", "version": "v1"}],
        "preferredVersion": {"groupVersion": "g/v2", "version": "v2"},
    }
    own = {"paths": ["/apis", "/version"]}
    assert discovery.root_document(own, [("g", "v1")])["paths"] == ["/apis", "/apis/g", "/apis/g/v1", "/version"]


RESOURCE_LIST = {
    "resources": [
        {
            "name": "things",
            "singularName": "thing",
            "namespaced": True,
            "kind": "Thing",
            "verbs": ["get"],
            "shortNames": ["th"],
        },
        {"name": "things/scale", "kind": "Scale", "group": "autoscaling", "version": "v1", "verbs": ["get", "update"]},
        {"name": "things/status", "kind": "Thing", "verbs": ["get"]},
        {"name": "wide", "kind": "Wide", "verbs": [], "categories": ["all"]},
    ]
}
THINGS = {
    "resource": "things",
    "responseKind": {"group": "g", "version": "v1", "kind": "Thing"},
    "scope": "Namespaced",
    "singularResource": "thing",
    "verbs": ["get"],
    "shortNames": ["th"],
    "subresources": [
        {
            "subresource": "scale",
            "responseKind": {"group": "autoscaling", "version": "v1", "kind": "Scale"},
            "verbs": ["get", "update"],
        },
        {"subresource": "status", "responseKind": {"group": "g", "version": "v1", "kind": "Thing"}, "verbs": ["get"]},
    ],
}


def test_groups_in_the_aggregated_form() -> None:
    own_version = {"version": "v1", "resources": [{"resource": "deployments"}], "freshness": "Current"}
    own = {"kind": "APIGroupDiscoveryList", "items": [{"metadata": {"name": "apps"}, "versions": [own_version]}]}
    given = {("g", "v1"): (json.dumps(RESOURCE_LIST).encode(), True), ("g", "v2"): (b"", False)}
    found = discovery.merged_groups(own, RANKS, given)
    assert [item["metadata"]["name"] for item in found["items"]] == ["apps", "g"]
    assert found["items"][0]["versions"] == [own_version]
    second, first = found["items"][1]["versions"]
    assert second == {"version": "v2", "resources": [], "freshness": "Stale"}
    assert (first["version"], first["freshness"]) == ("v1", "Current")
    things, wide = first["resources"]
    assert things == THINGS
    assert (wide["scope"], wide["categories"]) == ("Cluster", ["all"])


NO_RESOURCE_LISTS = (
    *(b"", b"[]", b'{"resources": 1}', b'{"resources": [{"name": 1}]}', b"[" * 100_000),
    b'{"resources": [{"name": "\xff", "kind": "Thing"}]}',
)


@pytest.mark.parametrize("body", NO_RESOURCE_LISTS)
def test_what_is_no_resource_list_is_stale_and_empty(body: bytes) -> None:
    assert discovery.version_discovery("g", "v1", body, True) == {"version": "v1", "resources": [], "freshness": "Stale"}


def test_an_own_version_that_is_handed_over_is_described_by_its_servers() -> None:
    own_version = {"version": "v1", "resources": [{"resource": "deployments"}], "freshness": "Current"}
    own = {"items": [{"metadata": {"name": "apps"}, "versions": [own_version]}]}
    found = discovery.merged_groups(own, RANKS, {("apps", "v1"): (json.dumps(RESOURCE_LIST).encode(), True)})
    assert [each["resource"] for each in found["items"][0]["versions"][0]["resources"]] == ["things", "wide"]


def reference(name: str) -> Plain:
    return {"$ref": f"#/definitions/{name}"}


MINE = {"type": "object", "properties": {"name": {"type": "string"}}}
OWN: Plain = {
    "swagger": "2.0",
    "info": {"title": "t", "version": "v"},
    "paths": {"/apis/apps/v1/deployments": {"get": {"responses": {}}}},
    "definitions": {"Meta": MINE, "Same": {"type": "string"}},
}
THING = {
    "type": "object",
    "properties": {
        "meta": reference("Meta"),
        "same": reference("Same"),
        "more": {"type": "array", "items": reference("Thing")},
    },
    "x-kubernetes-group-version-kind": [{"group": "g", "kind": "Thing", "version": "v1"}],
    "example": {"no": "place for it"},
}
FOREIGN: Plain = {
    "swagger": "2.0",
    "paths": {
        "/apis/g/v1/things": {
            "get": {"operationId": "x", "responses": {"200": {"description": "OK", "schema": reference("Thing")}}},
            "post": {
                "parameters": [
                    {"in": "body", "name": "body", "schema": reference("Thing"), "uniqueItems": True},
                    {"in": "header", "name": "h", "type": "string"},
                    {"$ref": "#/parameters/p"},
                ]
            },
            "parameters": [{"in": "query", "name": "pretty", "type": "string", "minLength": 3}],
        },
        "/apis/g/v11/things": {"get": {}},
        "/api/v1/secrets": {"get": {}},
    },
    "definitions": {
        "Thing": THING,
        "Meta": {**MINE, "description": "Another one."},
        "Same": {"type": "string", "maxLength": 3},
        "Unused": {"type": "string"},
    },
}


def test_foreign_openapi_is_taken_in() -> None:
    taken = openapi.taken(json.dumps(FOREIGN).encode(), ["/apis/g/v1"])
    assert set(taken.paths) == {"/apis/g/v1/things"}
    assert set(taken.definitions) == {"Thing", "Meta", "Same"}
    found = openapi.merged(OWN, [taken])
    assert set(found["paths"]) == {"/apis/apps/v1/deployments", "/apis/g/v1/things"}
    assert set(found["definitions"]) == {"Meta", "Meta_v2", "Same", "Thing"}
    assert {name: found["definitions"][name] for name in OWN["definitions"]} == OWN["definitions"]
    thing = found["definitions"]["Thing"]
    assert thing["properties"] == {
        "meta": reference("Meta_v2"),
        "same": reference("Same"),
        "more": {"type": "array", "items": reference("Thing")},
    }
    assert thing["x-kubernetes-group-version-kind"] == THING["x-kubernetes-group-version-kind"]
    item = found["paths"]["/apis/g/v1/things"]
    assert item["post"]["parameters"] == [{"in": "body", "name": "body", "schema": reference("Thing")}]
    assert item["parameters"] == [{"in": "query", "name": "pretty", "type": "string"}]
    assert gnostic.encode(found)


def test_several_servers_keep_apart_what_differs() -> None:
    other = json.loads(json.dumps(FOREIGN).replace("/apis/g/v1/", "/apis/h/v1/"))
    other["definitions"]["Thing"]["description"] = "Of the other server."
    bodies = [(json.dumps(FOREIGN), "/apis/g/v1"), (json.dumps(other), "/apis/h/v1")]
    found = openapi.merged(OWN, [openapi.taken(body.encode(), [place]) for body, place in bodies])
    assert set(found["definitions"]) == {"Meta", "Meta_v2", "Same", "Thing", "Thing_v2"}
    second = found["definitions"]["Thing_v2"]
    assert (second["description"], second["properties"]["more"]["items"]) == ("Of the other server.", reference("Thing_v2"))
    assert second["properties"]["meta"] == reference("Meta_v2")
    answer = found["paths"]["/apis/h/v1/things"]["get"]["responses"]["200"]
    assert answer["schema"] == reference("Thing_v2")


def test_nobody_displaces_what_this_server_says() -> None:
    foreign = {"paths": {"/apis/apps/v1/deployments": {"get": {"operationId": "mine now"}}}}
    assert openapi.merged(OWN, [openapi.taken(json.dumps(foreign).encode(), ["/apis/apps/v1"])]) == OWN


@pytest.mark.parametrize(
    "body",
    [b"", b"[]", b'{"paths": []}', b'{"definitions": {"A": {"properties": 1}}}', b'{"definitions":' + b"[" * 100_000],
)
def test_what_is_no_openapi_document_is_refused(body: bytes) -> None:
    with pytest.raises(ValueError, match="no OpenAPI 2 document"):
        openapi.taken(body, ["/apis/g/v1"])


_SCHEMAS = st.recursive(
    st.fixed_dictionaries({}, optional={"type": st.sampled_from(["string", "object"]), "$ref": st.just("#/definitions/B")}),
    lambda inner: st.fixed_dictionaries(
        {},
        optional={
            "items": inner,
            "properties": st.dictionaries(st.sampled_from("ab"), inner, max_size=2),
            "additionalProperties": st.one_of(inner, st.booleans()),
            "required": st.lists(st.sampled_from("ab")),
            "enum": st.lists(st.text(max_size=3)),
        },
    ),
    max_leaves=8,
)


@given(st.dictionaries(st.sampled_from(["A", "B", "Meta"]), _SCHEMAS), _SCHEMAS)
def test_whatever_is_taken_can_be_sent(definitions: Plain, body: Plain) -> None:
    parameter = {"in": "body", "name": "body", "schema": body, "type": "odd"}
    document = {"paths": {"/apis/g/v1/x": {"post": {"parameters": [parameter]}}}, "definitions": definitions}
    taken = openapi.taken(json.dumps(document).encode(), ["/apis/g/v1"])
    found = openapi.merged(OWN, [taken])
    assert gnostic.encode(found)
    assert found["definitions"]["Meta"] == MINE
