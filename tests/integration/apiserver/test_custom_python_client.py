"""Definitions and custom resources with the official Python client: typed, by group and version, and dynamic."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from kubernetes import client, dynamic, watch

from apiserver.app import Settings
from apiserver.storage.memory import MemoryStorage
from tests.support.custom import GROUP, crontab, definition
from tests.support.threaded_apiserver import threaded_api_server
from tests.support.typed_client import configured
from tests.support.waiting import eventually

WAIT_S = 20
NAME = f"crontabs.{GROUP}"
PLACE: dict[str, Any] = {"group": GROUP, "version": "v1", "plural": "crontabs"}


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[client.ApiClient]:
    directory = tmp_path_factory.mktemp("python-client")
    with (
        threaded_api_server(directory, storage=MemoryStorage, settings=Settings()) as threaded,
        configured(threaded.server) as made,
    ):
        yield made


@pytest.fixture
def kinds(api: client.ApiClient) -> Iterator[client.ApiextensionsV1Api]:
    """CronTabs are defined while a test lasts."""
    definitions = client.ApiextensionsV1Api(api)
    definitions.create_custom_resource_definition(definition())
    for event in watch.Watch().stream(
        definitions.list_custom_resource_definition, field_selector=f"metadata.name={NAME}", timeout_seconds=WAIT_S
    ):
        if any(each.type == "Established" and each.status == "True" for each in event["object"].status.conditions or ()):
            break
    yield definitions
    definitions.delete_custom_resource_definition(NAME)
    eventually(lambda: gone(definitions))


def gone(definitions: client.ApiextensionsV1Api) -> None:
    names = [each.metadata.name for each in definitions.list_custom_resource_definition().items]
    assert NAME not in names


def test_definitions(kinds: client.ApiextensionsV1Api) -> None:
    read = kinds.read_custom_resource_definition(NAME)
    (only,) = read.spec.versions
    described = only.schema.open_apiv3_schema.properties["spec"].properties
    assert (described["replicas"].default, described["size"].enum, described["port"].x_kubernetes_int_or_string) == (
        2,
        ["large", "small"],
        True,
    )
    assert (read.status.accepted_names.plural, read.status.stored_versions) == ("crontabs", ["v1"])
    read.spec.names.short_names = ["ct", "tab"]
    assert kinds.replace_custom_resource_definition(NAME, read).metadata.generation == 2
    patched = kinds.patch_custom_resource_definition(NAME, {"metadata": {"labels": {"a": "b"}}})
    assert patched.metadata.labels == {"a": "b"}
    assert kinds.read_custom_resource_definition_status(NAME).metadata.name == NAME


def test_objects_by_group_and_version(api: client.ApiClient, kinds: client.ApiextensionsV1Api) -> None:
    custom = client.CustomObjectsApi(api)
    where = {**PLACE, "namespace": "default"}
    made = custom.create_namespaced_custom_object(**where, body=crontab())
    assert made["spec"]["replicas"] == 2
    patched = custom.patch_namespaced_custom_object(**where, name="a", body={"spec": {"size": "small"}})
    assert patched["spec"]["size"] == "small"
    patched["spec"]["size"] = "large"
    assert custom.replace_namespaced_custom_object(**where, name="a", body=patched)["spec"]["size"] == "large"
    status = custom.patch_namespaced_custom_object_status(**where, name="a", body={"status": {"phase": "Up"}})
    assert status["status"] == {"phase": "Up"}
    scaled = custom.patch_namespaced_custom_object_scale(**where, name="a", body={"spec": {"replicas": 4}})
    assert scaled["spec"]["replicas"] == 4
    assert [each["metadata"]["name"] for each in custom.list_cluster_custom_object(**PLACE)["items"]] == ["a"]
    seen = []
    watcher = watch.Watch()
    for event in watcher.stream(custom.list_namespaced_custom_object, **where, resource_version="0", timeout_seconds=WAIT_S):
        seen.append((event["type"], event["object"]["spec"]["replicas"]))
        custom.delete_namespaced_custom_object(**where, name="a") if event["type"] == "ADDED" else watcher.stop()
    assert seen == [("ADDED", 4), ("DELETED", 4)]
    with pytest.raises(client.exceptions.ApiException) as refused:
        custom.create_namespaced_custom_object(**where, body=crontab(replicas="string"))
    assert refused.value.status == 422
    assert 'spec.replicas in body must be of type integer: \\"string\\"' in refused.value.body


def test_the_dynamic_client(api: client.ApiClient, kinds: client.ApiextensionsV1Api) -> None:
    found = dynamic.DynamicClient(api).resources.get(api_version=f"{GROUP}/v1", kind="CronTab")
    assert (found.name, found.namespaced, found.short_names) == ("crontabs", True, ["ct"])
    found.create(body=crontab(), namespace="default")
    assert found.get(name="a", namespace="default").spec.image == "registry.local/a:1"
    applied = found.server_side_apply(
        body={"apiVersion": f"{GROUP}/v1", "kind": "CronTab", "metadata": {"name": "a"}, "spec": {"tags": ["x"]}},
        namespace="default",
        field_manager="test",
    )
    assert applied.spec.tags == ["x"]
    assert found.delete(name="a", namespace="default").status == "Success"
