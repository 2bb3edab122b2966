"""Ownership after creates and updates: rows of what Kubernetes does."""

from collections.abc import Sequence
from typing import Any

import pytest

from apimachinery import codec
from apimachinery.apply import (
    MAX_UPDATE_MANAGERS,
    given_managers,
    keep_times,
    shape_of,
    starting_managers,
    status_fields,
    track_update,
)
from apimachinery.kinds import ConfigMap, Deployment, Node, Pod
from apimachinery.kinds.meta import ManagedFieldsEntry

T1, T2, T3 = "2026-01-01T00:00:01Z", "2026-01-01T00:00:02Z", "2026-01-01T00:00:03Z"
CONFIG_MAP = shape_of(ConfigMap)


def config_map(**data: str) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c"}, "data": data}


def pod(**spec: Any) -> dict[str, Any]:
    container = {"name": "web", "image": "nginx", "ports": [{"containerPort": 80, "protocol": "TCP"}]}
    metadata = {"name": "p", "namespace": "default", "uid": "u", "labels": {"app": "web"}}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": {"containers": [container], **spec}}


def track(
    before: dict[str, Any] | None,
    after: dict[str, Any],
    managers: Sequence[ManagedFieldsEntry] = (),
    manager: str = "editor",
    now: str = T1,
    cls: Any = ConfigMap,
    subresource: str = "",
) -> list[ManagedFieldsEntry]:
    return track_update(
        before,
        after,
        managers,
        manager,
        shape=shape_of(cls),
        now=now,
        api_version=after["apiVersion"],
        subresource=subresource,
        ignored=status_fields(subresource),
    )


def held(entries: Sequence[ManagedFieldsEntry]) -> dict[str, Any]:
    return {
        f"{entry.manager}/{entry.subresource}" if entry.subresource else entry.manager: entry.fields_v1 for entry in entries
    }


def test_a_create_owns_what_it_gives_and_none_of_what_identifies_the_object() -> None:
    entries = track(None, pod(), manager="kubectl-create", cls=Pod)
    assert codec.to_plain(entries) == [
        {
            "manager": "kubectl-create",
            "operation": "Update",
            "apiVersion": "v1",
            "time": T1,
            "fieldsType": "FieldsV1",
            "fieldsV1": {
                "f:metadata": {"f:labels": {".": {}, "f:app": {}}},
                "f:spec": {
                    "f:containers": {
                        'k:{"name":"web"}': {
                            ".": {},
                            "f:image": {},
                            "f:name": {},
                            "f:ports": {
                                ".": {},
                                'k:{"containerPort":80,"protocol":"TCP"}': {".": {}, "f:containerPort": {}, "f:protocol": {}},
                            },
                        }
                    }
                },
            },
        }
    ]


def test_fields_are_written_in_order() -> None:
    ports = [{"containerPort": 443}, {"containerPort": 80}, {"containerPort": 8080}]
    obj = pod(hostNetwork=True, activeDeadlineSeconds=1)
    obj["spec"]["containers"][0] |= {"ports": ports, "args": ["x"]}
    fields = track(None, obj, cls=Pod)[0].fields_v1
    assert fields is not None
    assert list(fields["f:spec"]) == ["f:activeDeadlineSeconds", "f:containers", "f:hostNetwork"]
    container = fields["f:spec"]["f:containers"]['k:{"name":"web"}']
    assert list(container) == [".", "f:args", "f:image", "f:name", "f:ports"]
    assert list(container["f:ports"]) == [
        ".",
        'k:{"containerPort":80,"protocol":"TCP"}',
        'k:{"containerPort":443,"protocol":"TCP"}',
        'k:{"containerPort":8080,"protocol":"TCP"}',
    ]


CREATED = track(None, config_map(a="1", b="1"), manager="creator")


UPDATES: tuple[tuple[str, dict[str, Any], dict[str, Any]], ...] = (
    (
        "a changed field moves to who changed it",
        config_map(a="2", b="1"),
        {"creator": {"f:data": {".": {}, "f:b": {}}}, "editor": {"f:data": {"f:a": {}}}},
    ),
    (
        "a new field belongs to who added it",
        config_map(a="1", b="1", c="1"),
        {"creator": {"f:data": {".": {}, "f:a": {}, "f:b": {}}}, "editor": {"f:data": {"f:c": {}}}},
    ),
    ("a removed field belongs to nobody", config_map(a="1"), {"creator": {"f:data": {".": {}, "f:a": {}}}}),
    (
        "what has no field left has no entry",
        {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c", "labels": {"x": "y"}}},
        {"editor": {"f:metadata": {"f:labels": {".": {}, "f:x": {}}}}},
    ),
)


@pytest.mark.parametrize(("after", "want"), [row[1:] for row in UPDATES], ids=[row[0] for row in UPDATES])
def test_update(after: dict[str, Any], want: dict[str, Any]) -> None:
    assert held(track(config_map(a="1", b="1"), after, CREATED, now=T2)) == want


NO_CHANGES: tuple[tuple[str, dict[str, Any]], ...] = (
    ("nothing changed", {}),
    ("only what the server keeps changed", {"resourceVersion": "7", "generation": 2, "creationTimestamp": T3, "uid": "v"}),
    ("managedFields themselves", {"managedFields": [{"manager": "x"}]}),
)


@pytest.mark.parametrize("metadata", [row[1] for row in NO_CHANGES], ids=[row[0] for row in NO_CHANGES])
def test_update_that_changes_nothing_keeps_entries_and_times(metadata: dict[str, Any]) -> None:
    before, after = config_map(a="1", b="1"), config_map(a="1", b="1")
    after["metadata"] |= metadata
    assert track(before, after, CREATED, manager="creator", now=T2) == CREATED


def test_a_second_update_joins_the_same_entry_and_moves_its_time() -> None:
    entries = track(config_map(a="1", b="1"), config_map(a="2", b="1"), CREATED, now=T2)
    entries = track(config_map(a="2", b="1"), config_map(a="2", b="2"), entries, now=T3)
    assert held(entries) == {"creator": {"f:data": {}}, "editor": {"f:data": {"f:a": {}, "f:b": {}}}}
    assert [(entry.manager, entry.time) for entry in entries] == [("creator", T1), ("editor", T3)]


def test_the_order_of_keyed_elements_is_nobodys() -> None:
    before, after = pod(), pod()
    before["spec"]["containers"].append({"name": "side", "image": "x"})
    after["spec"]["containers"].insert(0, {"name": "side", "image": "x"})
    entries = track(None, before, cls=Pod)
    assert track(before, after, entries, manager="other", cls=Pod) == entries


def test_atomic_lists_and_maps_are_owned_whole() -> None:
    before, after = pod(nodeSelector={"a": "1"}), pod(nodeSelector={"a": "1", "b": "2"})
    after["spec"]["containers"][0]["args"] = ["x"]
    entries = track(before, after, track(None, before, cls=Pod), manager="other", cls=Pod)
    assert held(entries)["other"] == {"f:spec": {"f:containers": {'k:{"name":"web"}': {"f:args": {}}}, "f:nodeSelector": {}}}


def test_types_that_are_references_are_owned_whole() -> None:
    env = {"name": "E", "valueFrom": {"configMapKeyRef": {"name": "c", "key": "k"}}}
    obj = pod(imagePullSecrets=[{"name": "s"}])
    obj["spec"]["containers"][0]["env"] = [env]
    fields = track(None, obj, cls=Pod)[0].fields_v1
    assert fields is not None
    found = fields["f:spec"]["f:containers"]['k:{"name":"web"}']["f:env"]['k:{"name":"E"}']
    assert found == {".": {}, "f:name": {}, "f:valueFrom": {".": {}, "f:configMapKeyRef": {}}}
    assert fields["f:spec"]["f:imagePullSecrets"] == {".": {}, 'k:{"name":"s"}': {}}


def test_sets_are_owned_by_value() -> None:
    obj = config_map() | {"metadata": {"name": "c", "finalizers": ["x/y"]}}
    assert held(track(None, obj))["editor"]["f:metadata"] == {"f:finalizers": {".": {}, 'v:"x/y"': {}}}


def test_an_element_that_stands_twice_is_owned_whole() -> None:
    obj = pod()
    obj["spec"]["containers"][0]["env"] = [{"name": "A", "value": "1"}, {"name": "A", "value": "2"}]
    entries = track(None, obj, cls=Pod)
    env = entries[0].fields_v1["f:spec"]["f:containers"]['k:{"name":"web"}']["f:env"]  # type: ignore[index]
    assert env == {".": {}, 'k:{"name":"A"}': {}}
    changed = pod()
    changed["spec"]["containers"][0]["env"] = [{"name": "A", "value": "1"}, {"name": "A", "value": "3"}]
    assert held(track(obj, changed, entries, manager="other", cls=Pod))["other"] == {
        "f:spec": {"f:containers": {'k:{"name":"web"}': {"f:env": {'k:{"name":"A"}': {}}}}}
    }


def test_status_is_owned_through_its_subresource_only() -> None:
    before, after = pod(), pod()
    after["status"] = {"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]}
    entries = track(None, before, cls=Pod, manager="kubectl-create")
    assert track(before, after, entries, manager="kubectl-edit", cls=Pod) == entries
    entries = track(before, after, entries, manager="kubelet", cls=Pod, subresource="status", now=T2)
    assert held(entries)["kubelet/status"] == {
        "f:status": {
            ".": {},
            "f:conditions": {".": {}, 'k:{"type":"Ready"}': {".": {}, "f:status": {}, "f:type": {}}},
            "f:phase": {},
        }
    }
    changed = {**after, "spec": {"containers": []}, "status": {**after["status"], "phase": "Failed"}}
    later = track(after, changed, entries, manager="kubelet", cls=Pod, subresource="status", now=T3)
    assert held(later) == held(entries)
    assert [entry.time for entry in later] == [T1, T3]


def test_an_applier_loses_what_an_update_changes() -> None:
    entry = ManagedFieldsEntry(
        manager="kubectl", operation="Apply", api_version="v1", time=T1, fields_v1={"f:data": {"f:a": {}, "f:b": {}}}
    )
    entries = track(config_map(a="1", b="1"), config_map(a="2", b="1"), [entry], manager="kubectl", now=T2)
    assert [(each.manager, each.operation, each.fields_v1) for each in entries] == [
        ("kubectl", "Apply", {"f:data": {"f:b": {}}}),
        ("kubectl", "Update", {"f:data": {"f:a": {}}}),
    ]


def test_no_more_than_ten_managers_that_update() -> None:
    obj, entries = config_map(first="x"), track(None, config_map(first="x"), manager="creator", now="2026-01-01T00:00:00Z")
    for number in range(MAX_UPDATE_MANAGERS + 3):
        after = config_map(**obj["data"], **{f"key{number}": "x"})
        entries = track(obj, after, entries, manager=f"manager{number:02}", now=f"2026-01-01T00:01:{number:02}Z")
        obj = after
        assert len(entries) <= MAX_UPDATE_MANAGERS
    assert entries[0].manager == "ancient-changes"
    assert set(entries[0].fields_v1["f:data"]) == {".", "f:first", "f:key0", "f:key1", "f:key2", "f:key3"}  # type: ignore[index]
    assert entries[0].time == "2026-01-01T00:01:03Z"
    assert [entry.manager for entry in entries[1:]] == [f"manager{number:02}" for number in range(4, 13)]


def test_ancient_changes_keep_api_versions_apart() -> None:
    entries = [
        ManagedFieldsEntry(
            manager=f"m{n}", operation="Update", api_version=f"g/v{1 + n % 2}", time=T1, fields_v1={"f:data": {f"f:k{n}": {}}}
        )
        for n in range(12)
    ]
    data = {f"k{n}": "x" for n in range(12)}
    result = track(config_map(**data), config_map(**data, new="x"), entries, now=T2)
    assert len(result) == MAX_UPDATE_MANAGERS
    ancient = {entry.api_version: entry.fields_v1 for entry in result if entry.manager == "ancient-changes"}
    assert ancient == {
        "g/v1": {"f:data": {"f:k0": {}, "f:k10": {}, "f:k2": {}}},
        "g/v2": {"f:data": {"f:k1": {}, "f:k11": {}}},
    }


def test_an_object_nobody_is_known_to_own_stays_so() -> None:
    assert track(config_map(a="1"), config_map(a="2"), []) == []


LIVE = CREATED
STARTS: tuple[tuple[str, dict[str, Any], str, Any], ...] = (
    ("says nothing", {}, "", LIVE),
    ("null is nothing", {"managedFields": None}, "", LIVE),
    ("an empty list clears", {"managedFields": []}, "", []),
    ("an empty entry clears", {"managedFields": [{}]}, "", []),
    ("the same again", {"managedFields": codec.to_plain(LIVE)}, "", LIVE),
    ("not through a subresource", {"managedFields": []}, "status", LIVE),
    ("malformed leaves the live ones", {"managedFields": [{"manager": "x", "operation": "Sing"}]}, "", LIVE),
    (
        "malformed fields too",
        {"managedFields": [{"manager": "x", "operation": "Update", "fieldsV1": {"q": {}}}]},
        "",
        LIVE,
    ),
    (
        "others are taken, in normal spelling",
        {"managedFields": [{"manager": "x", "operation": "Apply", "fieldsV1": {'k:{"b": 1, "a": 2}': {}, "f:x": {}}}]},
        "",
        [
            ManagedFieldsEntry(
                manager="x", operation="Apply", fields_type="FieldsV1", fields_v1={"f:x": {}, 'k:{"a":2,"b":1}': {}}
            )
        ],
    ),
)


@pytest.mark.parametrize(("metadata", "subresource", "want"), [row[1:] for row in STARTS], ids=[row[0] for row in STARTS])
def test_managers_given_by_a_client(metadata: dict[str, Any], subresource: str, want: list[ManagedFieldsEntry]) -> None:
    assert starting_managers(LIVE, given_managers(metadata), subresource) == want


def test_times_alone_are_no_change() -> None:
    later = [codec.convert(ManagedFieldsEntry, codec.to_plain(entry) | {"time": T3}) for entry in LIVE]
    assert keep_times(LIVE, later) == LIVE
    other = track(config_map(a="1", b="1"), config_map(a="2", b="1"), LIVE, now=T2)
    assert keep_times(LIVE, other) == other


STRUCTS: tuple[tuple[str, Any, dict[str, Any], dict[str, Any]], ...] = (
    ("pod image", Pod, pod(), pod(containers=[{"name": "web", "image": "nginx:2"}])),
    ("labels gone", Pod, pod(), pod() | {"metadata": {"name": "p"}}),
    ("data", ConfigMap, config_map(a="1"), config_map(b="1")),
    (
        "template",
        Deployment,
        {"apiVersion": "apps/v1", "kind": "Deployment", "spec": {"replicas": 1}},
        {"apiVersion": "apps/v1", "kind": "Deployment", "spec": {"replicas": 2, "template": {"spec": pod()["spec"]}}},
    ),
    (
        "cordon",
        Node,
        {"apiVersion": "v1", "kind": "Node", "spec": {"podCIDR": "10.244.0.0/24"}},
        {"apiVersion": "v1", "kind": "Node", "spec": {"podCIDR": "10.244.0.0/24", "unschedulable": True}},
    ),
)


@pytest.mark.parametrize(("cls", "before", "after"), [row[1:] for row in STRUCTS], ids=[row[0] for row in STRUCTS])
def test_structs_and_plain_data_give_the_same(cls: Any, before: dict[str, Any], after: dict[str, Any]) -> None:
    old, new = codec.convert(cls, before), codec.convert(cls, after)
    entries = track(None, codec.to_plain(old), cls=cls)
    options: dict[str, Any] = {"shape": shape_of(cls), "now": T2, "api_version": after["apiVersion"]}
    from_structs = track_update(old, new, entries, "editor", **options)
    assert from_structs == track_update(codec.to_plain(old), codec.to_plain(new), entries, "editor", **options)
    assert from_structs != entries


def test_structs_that_differ_in_managers_only_do_not_differ() -> None:
    before, after = codec.convert(Pod, pod()), codec.convert(Pod, pod())
    after.metadata.managed_fields = list(CREATED)
    assert track_update(before, after, CREATED, "x", shape=shape_of(Pod), now=T2, api_version="v1") == CREATED
