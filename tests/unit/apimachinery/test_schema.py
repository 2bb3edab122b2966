"""What the classes say about merging, and the rows of resources."""

import pytest

from apimachinery.kinds import Deployment, PodSpec
from apimachinery.kinds.meta import ManagedFieldsEntry, ObjectMeta
from apimachinery.resources import RESOURCES, TABLE, Resource, by_kind, by_plural, resource_for
from apimachinery.schema import UNKNOWN, Shape, merge_info, type_info


def test_descends_by_wire_names() -> None:
    containers = type_info(Deployment).field("spec").field("template").field("spec").field("containers")
    assert (containers.shape, containers.merges, containers.retains_keys) == (Shape.LIST, True, False)
    assert containers.merge.merge_key == "name"
    assert containers.element is not None
    ports = containers.element.field("ports")
    assert ports.merge.keys == ("containerPort", "protocol")
    assert containers.element.field("resources").field("limits").field("cpu").shape is Shape.SCALAR


def test_shapes_and_marks() -> None:
    fields = merge_info(PodSpec)
    assert fields["nodeSelector"].shape is Shape.MAP
    assert fields["nodeSelector"].merge.map_type == "atomic"
    assert fields["volumes"].retains_keys
    assert fields["hostIPC"].shape is Shape.SCALAR
    assert fields["affinity"].shape is Shape.STRUCT
    assert merge_info(ObjectMeta)["finalizers"].merge.list_type == "set"
    assert merge_info(ManagedFieldsEntry)["fieldsV1"].shape is Shape.FREE
    assert type_info(PodSpec).field("no such field") is UNKNOWN
    assert UNKNOWN.field("x") is UNKNOWN


@pytest.mark.parametrize("resource", RESOURCES, ids=lambda resource: resource.plural)
def test_rows_are_found_by_every_name(resource: Resource) -> None:
    assert by_plural(resource.group, resource.version, resource.plural) is resource
    assert by_kind(resource.api_version, resource.kind) is resource
    assert resource_for(resource.cls) is resource
    named = (resource.plural, resource.singular, *resource.short_names, resource.kind, f"{resource.plural}.{resource.version}")
    for name in named[:-1]:
        assert TABLE.find(name) is resource
    if resource.group:
        assert TABLE.find(resource.qualified) is resource
        assert TABLE.find(f"{resource.plural}.{resource.version}.{resource.group}") is resource
    fresh = resource.cls()
    assert (fresh.api_version, fresh.kind) == (resource.api_version, resource.kind)


def test_paths() -> None:
    deployments = by_plural("apps", "v1", "deployments")
    pods = by_plural("", "v1", "pods")
    assert deployments is not None
    assert pods is not None
    assert deployments.path("ns", "web", "status") == "/apis/apps/v1/namespaces/ns/deployments/web/status"
    assert pods.path() == "/api/v1/pods"
    assert deployments.storage_prefix() == "apps/deployments/"
    assert TABLE.find("nothing") is None
