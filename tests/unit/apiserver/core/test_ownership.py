"""Names of managers, what clients say of them, options of writes, and configurations as they are stored."""

from __future__ import annotations

from typing import Any

import pytest

from apimachinery.errors import ApiError
from apimachinery.kinds import ConfigMap, Node, ObjectMeta, Pod
from apimachinery.kinds.meta import ManagedFieldsEntry
from apimachinery.kinds.object import Object
from apimachinery.resources import CONFIG_MAPS
from apiserver.core import ownership
from apiserver.core.parameters import parse_options, require_write_options
from apiserver.core.request import FieldValidation, Options, PatchType, Request, User, Verb
from apiserver.core.scaling import configuration_of_scale
from apiserver.core.spelling import spelled

NOW = "2026-01-01T00:00:01Z"


def request(verb: Verb = Verb.UPDATE, **more: Any) -> Request:
    return Request(verb=verb, resource=CONFIG_MAPS, user=User("u"), namespace="default", name="a", **more)


@pytest.mark.parametrize(
    ("agent", "want"),
    [
        ("kubectl/v1.36.0 (linux/amd64) kubernetes/abc", "kubectl"),
        ("Go-http-client/1.1", "Go-http-client"),
        ("curl", "curl"),
        ("", ""),
        ("/x", ""),
        ("a\x00b\tc/1", "abc"),
        ("x" * 200, "x" * 128),
        ("é" * 100, "é" * 64),
        ("system:node:n1", "system:node:n1"),
    ],
)
def test_manager_of_agent(agent: str, want: str) -> None:
    assert ownership.manager_of_agent(agent) == want


def test_a_given_name_comes_before_the_agents() -> None:
    assert request(options=Options(field_manager="m"), agent="a").manager == "m"
    assert request(agent="a").manager == "a"


@pytest.mark.parametrize(
    ("body", "content_type", "want"),
    [
        (b'{"metadata":{"name":"a"}}', "application/json", None),
        (b'{"metadata":{"managedFields":null}}', "application/json", None),
        (b'{"metadata":{"managedFields":[]}}', "application/json", []),
        (b'{"metadata":{"annotations":{"x":"\\"managedFields\\":[]"}}}', "application/json", None),
        (b"metadata: {managedFields: []}", "application/yaml", []),
        (b"metadata: {managedFields: }", "application/yaml", None),
    ],
)
def test_what_a_body_says_of_managers(body: bytes, content_type: str, want: Any) -> None:
    assert ownership.given_in_body(request(body=body, content_type=content_type), ConfigMap()) == want


def test_managers_that_a_body_names_are_taken_as_they_are() -> None:
    entries = [ManagedFieldsEntry(manager="m")]
    assert ownership.given_in_body(request(), ConfigMap(metadata=ObjectMeta(managed_fields=entries))) is entries


def test_the_same_list_comes_back_when_nothing_changes() -> None:
    old = ConfigMap(metadata=ObjectMeta(name="a"), data={"k": "v"})
    old.metadata.managed_fields = ownership.created(request(Verb.CREATE, agent="m"), old, NOW)
    new = ConfigMap(metadata=ObjectMeta(name="a"), data={"k": "v"})
    assert ownership.updated(request(agent="n"), new, old, None, NOW) is old.metadata.managed_fields
    new.data["k"] = "w"
    after = ownership.updated(request(agent="n"), new, old, None, NOW)
    assert [(each.manager, each.fields_v1) for each in after] == [
        ("m", {"f:data": {}}),
        ("n", {"f:data": {"f:k": {}}}),
    ]


@pytest.mark.parametrize(
    ("verb", "kind", "options", "message"),
    [
        (Verb.PATCH, PatchType.APPLY, Options(), "fieldManager: Required value: is required for apply patch"),
        (Verb.PATCH, PatchType.MERGE, Options(force=False), "force: Forbidden: may not be specified for non-apply patch"),
        (Verb.CREATE, "application/json", Options(field_manager="x" * 129), 'CreateOptions.meta.k8s.io "" is invalid'),
        (Verb.UPDATE, "application/json", Options(field_manager="é" * 65), "may not be more than 128 bytes"),
        (Verb.UPDATE, "application/json", Options(field_manager="a\nb"), "should only contain printable characters"),
    ],
)
def test_options_that_are_refused(verb: Verb, kind: str, options: Options, message: str) -> None:
    with pytest.raises(ApiError) as caught:
        require_write_options(request(verb, content_type=str(kind), options=options))
    assert caught.value.code == 422
    assert message in str(caught.value)


def test_options_that_are_taken() -> None:
    require_write_options(request(Verb.PATCH, content_type=PatchType.APPLY, options=Options(field_manager="m", force=True)))
    require_write_options(request(Verb.UPDATE))
    assert parse_options([("force", "true")], default_validation=FieldValidation.WARN).force is True
    assert parse_options([], default_validation=FieldValidation.WARN).force is None


def containers(**resources: Any) -> dict[str, Any]:
    return {"spec": {"containers": [{"name": "c", "env": [{"name": "1000m", "value": "1000m"}], "resources": resources}]}}


@pytest.mark.parametrize(
    ("cls", "plain", "want"),
    [
        (Pod, containers(limits={"cpu": "1000m", "memory": 1024}), containers(limits={"cpu": "1", "memory": "1024"})),
        (Pod, containers(limits={"cpu": "one"}), containers(limits={"cpu": "one"})),
        (Pod, containers(limits={"cpu": None}, strange="1000m"), containers(limits={"cpu": None}, strange="1000m")),
        (Pod, {"metadata": {"labels": {"cpu": "1000m"}}}, {"metadata": {"labels": {"cpu": "1000m"}}}),
        (Pod, {"spec": "1000m"}, {"spec": "1000m"}),
        (
            Pod,
            {"spec": {"volumes": [{"name": "v", "emptyDir": {"sizeLimit": "1024Mi"}}]}},
            {"spec": {"volumes": [{"name": "v", "emptyDir": {"sizeLimit": "1Gi"}}]}},
        ),
        (Node, {"status": {"capacity": {"cpu": 2}}}, {"status": {"capacity": {"cpu": "2"}}}),
    ],
)
def test_quantities_as_they_are_stored(cls: type[Object], plain: Any, want: Any) -> None:
    before = repr(plain)
    assert spelled(cls, plain) == want
    assert repr(plain) == before


def test_a_scale_speaks_of_replicas_only() -> None:
    scale = {"apiVersion": "autoscaling/v1", "kind": "Scale", "metadata": {"name": "a", "labels": {"x": "y"}}}
    want = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}}
    assert configuration_of_scale(CONFIG_MAPS, scale) == want
    assert configuration_of_scale(CONFIG_MAPS, {**scale, "spec": {"replicas": 3}})["spec"] == {"replicas": 3}
    for wrong in ({**scale, "apiVersion": "v1"}, {**scale, "spec": {"replicas": "many"}}):
        with pytest.raises(ApiError) as caught:
            configuration_of_scale(CONFIG_MAPS, wrong)
        assert caught.value.code == 400
