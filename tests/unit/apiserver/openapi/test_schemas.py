"""Schemas from classes: names, types, formats, references and marks; nothing refers to what is not there."""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import msgspec
import pytest

from apimachinery import kinds
from apimachinery.resources import RESOURCES, SUBRESOURCES, TABLE
from apiserver.openapi.documents import group_versions, openapi_v2, openapi_v3
from apiserver.openapi.schemas import V2, V3, definitions, reachable, schema_name, struct_schema, type_name

TABLE_PATH = Path(__file__).parents[5] / "shared" / "kubernetes-api" / "v1.36.json"
CLASSES = reachable([row.cls for row in TABLE.rows])


@cache
def documents() -> dict[str, Any]:
    """All documents, by their place; that of version 2 has the place ""."""
    made = {place: openapi_v3(rows, "v1") for place, rows in group_versions(TABLE.rows).items()}
    return {"": openapi_v2(TABLE.rows, "v1"), **made}


def references(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        for key, part in value.items():
            if key == "$ref" and isinstance(part, str):
                yield part
            else:
                yield from references(part)
    elif isinstance(value, list):
        for part in value:
            yield from references(part)


def property_of(cls: type[msgspec.Struct], name: str, dialect: Any = V2) -> Any:
    return struct_schema(cls, dialect)["properties"][name]


@pytest.mark.parametrize("place", ["", *group_versions(TABLE.rows)])
def test_every_reference_leads_somewhere(place: str) -> None:
    document = documents()[place]
    known = document["components"]["schemas"] if place else document["definitions"]
    prefix = "#/components/schemas/" if place else "#/definitions/"
    assert {each for each in references(document) if each.removeprefix(prefix) not in known} == set()


@pytest.mark.parametrize("place", ["", *group_versions(TABLE.rows)])
def test_operations_have_names_of_their_own(place: str) -> None:
    found = [
        operation["operationId"]
        for path in documents()[place]["paths"].values()
        for method, operation in path.items()
        if method != "parameters"
    ]
    assert len(found) == len(set(found)) > 0


def test_names_are_those_of_kubernetes() -> None:
    assert schema_name(kinds.Pod) == "io.k8s.api.core.v1.Pod"
    assert schema_name(kinds.ObjectMeta) == "io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta"
    assert [cls for cls in CLASSES if schema_name(cls).startswith("coxswain.")] == []
    assert len({schema_name(cls) for cls in CLASSES}) == len(CLASSES)


def test_properties() -> None:
    meta = "io.k8s.apimachinery.pkg.apis.meta.v1"
    assert property_of(kinds.DeploymentSpec, "replicas") == {"type": "integer", "format": "int32"}
    assert property_of(kinds.ObjectMeta, "generation") == {"type": "integer", "format": "int64"}
    assert property_of(kinds.ObjectMeta, "labels") == {"type": "object", "additionalProperties": {"type": "string"}}
    assert property_of(kinds.ObjectMeta, "creationTimestamp") == {"$ref": f"#/definitions/{meta}.Time"}
    assert property_of(kinds.LeaseSpec, "renewTime") == {"$ref": f"#/definitions/{meta}.MicroTime"}
    assert property_of(kinds.Secret, "data")["additionalProperties"] == {"type": "string", "format": "byte"}
    assert property_of(kinds.Secret, "stringData")["additionalProperties"] == {"type": "string"}
    assert property_of(kinds.ResourceRequirements, "limits")["additionalProperties"]["$ref"].endswith(".resource.Quantity")
    assert property_of(kinds.HTTPGetAction, "port")["$ref"].endswith(".intstr.IntOrString")
    assert property_of(kinds.PodSpec, "containers") == {
        "type": "array",
        "items": {"$ref": "#/definitions/io.k8s.api.core.v1.Container"},
        "x-kubernetes-list-map-keys": ["name"],
        "x-kubernetes-list-type": "map",
        "x-kubernetes-patch-merge-key": "name",
        "x-kubernetes-patch-strategy": "merge",
    }


def test_marks_beside_a_reference_are_wrapped_in_version_3() -> None:
    name = "io.k8s.api.apps.v1.DeploymentStrategy"
    mark = {"x-kubernetes-patch-strategy": "retainKeys"}
    assert property_of(kinds.DeploymentSpec, "strategy", V2) == {"$ref": f"#/definitions/{name}", **mark}
    assert property_of(kinds.DeploymentSpec, "strategy", V3) == {"allOf": [{"$ref": f"#/components/schemas/{name}"}], **mark}


def test_whole_objects_name_their_kind() -> None:
    schema = struct_schema(kinds.Deployment, V3)
    assert schema["x-kubernetes-group-version-kind"] == [{"group": "apps", "kind": "Deployment", "version": "v1"}]
    assert "x-kubernetes-group-version-kind" not in struct_schema(kinds.ObjectReference, V3)
    listed = documents()["apis/apps/v1"]["components"]["schemas"]["io.k8s.api.apps.v1.DeploymentList"]
    assert listed["x-kubernetes-group-version-kind"][0]["kind"] == "DeploymentList"


def test_two_types_of_value() -> None:
    name = "io.k8s.apimachinery.pkg.util.intstr.IntOrString"
    assert definitions([], V2)[name] == {"type": "string", "format": "int-or-string"}
    assert definitions([], V3)[name]["oneOf"] == [{"type": "integer"}, {"type": "string"}]


@pytest.mark.parametrize("row", RESOURCES, ids=lambda row: row.qualified)
def test_a_resource_has_its_paths(row: Any) -> None:
    namespace = "{namespace}" if row.namespaced else ""
    paths = documents()[""]["paths"]
    item = paths[row.path(namespace, "{name}")]
    assert {method for method in item if method != "parameters"} == {"get", "put", "patch", "delete"}
    assert [each["name"] for each in item["parameters"]][: 1 + row.namespaced] == ["name", "namespace"][: 1 + row.namespaced]
    gvk = {"group": row.group, "kind": row.kind, "version": row.version}
    assert item["patch"]["x-kubernetes-group-version-kind"] == gvk
    assert {"dryRun", "fieldValidation"} <= {each["name"] for each in item["patch"]["parameters"]}
    collection = paths[row.path(namespace)]
    assert [collection[each]["x-kubernetes-action"] for each in ("get", "post", "delete")] == [
        "list",
        "post",
        "deletecollection",
    ]
    for name in row.subresources:
        assert len(paths[row.path(namespace, "{name}", name)]) == 1 + len(SUBRESOURCES[name].verbs)


def test_operations_are_called_as_in_kubernetes() -> None:
    paths = documents()[""]["paths"]
    deployment = paths["/apis/apps/v1/namespaces/{namespace}/deployments/{name}"]
    assert deployment["get"]["operationId"] == "readAppsV1NamespacedDeployment"
    assert paths["/apis/apps/v1/deployments"]["get"]["operationId"] == "listAppsV1DeploymentForAllNamespaces"
    log = paths["/api/v1/namespaces/{namespace}/pods/{name}/log"]
    assert log["get"]["operationId"] == "readCoreV1NamespacedPodLog"
    slices = paths["/apis/discovery.k8s.io/v1/namespaces/{namespace}/endpointslices"]
    assert slices["delete"]["operationId"] == "deleteDiscoveryV1CollectionNamespacedEndpointSlice"


@pytest.mark.skipif(not TABLE_PATH.exists(), reason="the table of the Kubernetes API is not beside this repository")
@pytest.mark.parametrize("cls", CLASSES, ids=type_name)
def test_required_fields_are_those_of_the_table(cls: type[msgspec.Struct]) -> None:
    facts = json.loads(TABLE_PATH.read_text())["types"][type_name(cls)]
    schema = struct_schema(cls, V2)
    assert schema.get("required", []) == sorted(facts["required"])
    bytes_of_table = {name for name, field in facts["fields"].items() if "string:byte" in str(field)}
    assert {name for name, field in schema["properties"].items() if '"byte"' in json.dumps(field)} == bytes_of_table
