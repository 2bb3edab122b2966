"""Metadata: names, labels, annotations, owners, finalizers, what updates may not change."""

import pytest

from apimachinery import codec
from apimachinery.resources import CONFIG_MAPS, NAMESPACES, NODES, RESOURCES, Resource
from apiserver.strategy import STRATEGIES
from tests.support.strategies import (
    ABSENT,
    FORBIDDEN,
    INVALID,
    REQUIRED,
    TOO_LONG,
    Row,
    changed,
    check,
    errors_on_create,
    errors_on_update,
    stored,
    updated,
    wrong,
)

PLAIN = {"metadata": {"name": "a", "namespace": "default"}}
OWNER = {"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "r", "uid": "u"}

CREATES = (
    Row("right", {}),
    Row("no name", {"metadata.name": ABSENT}, [wrong("metadata.name", REQUIRED, "name or generateName")]),
    Row("a name in capitals", {"metadata.name": "A"}, [wrong("metadata.name", INVALID, "RFC 1123 subdomain")]),
    Row("a name that is too long", {"metadata.name": "a" * 254}, [wrong("metadata.name", INVALID, "no more than 253")]),
    Row("a prefix in capitals", {"metadata.generateName": "A-"}, [wrong("metadata.generateName", INVALID)]),
    Row("a prefix", {"metadata.generateName": "a-"}),
    Row("no namespace", {"metadata.namespace": ABSENT}, [wrong("metadata.namespace", REQUIRED)]),
    Row("a wrong namespace", {"metadata.namespace": "a.b"}, [wrong("metadata.namespace", INVALID)]),
    Row("labels", {"metadata.labels": {"a.b/c": "", "d": "E_f"}}),
    Row("a label's key", {"metadata.labels": {"a b": "c"}}, [wrong("metadata.labels", INVALID, '"a b"')]),
    Row("a label's value", {"metadata.labels": {"a": "b c"}}, [wrong("metadata.labels", INVALID, '"b c"')]),
    Row("a label's long value", {"metadata.labels": {"a": "b" * 64}}, [wrong("metadata.labels", INVALID, "63")]),
    Row("annotations may be in capitals", {"metadata.annotations": {"A.b/C": "any text"}}),
    Row("an annotation's key", {"metadata.annotations": {"a b": "c"}}, [wrong("metadata.annotations", INVALID)]),
    Row(
        "much annotation",
        {"metadata.annotations": {"a": "x" * (256 << 10)}},
        [wrong("metadata.annotations", TOO_LONG, "262144")],
    ),
    Row("as much as goes", {"metadata.annotations": {"a": "x" * ((256 << 10) - 1)}}),
    Row("an owner", {"metadata.ownerReferences": [OWNER]}),
    Row(
        "an owner without uid",
        {"metadata.ownerReferences": [{**OWNER, "uid": ""}]},
        [wrong("metadata.ownerReferences[0].uid", INVALID)],
    ),
    Row(
        "an owner without version",
        {"metadata.ownerReferences": [{**OWNER, "apiVersion": "apps/"}]},
        [wrong("metadata.ownerReferences[0].apiVersion", INVALID)],
    ),
    Row(
        "two controllers",
        {"metadata.ownerReferences": [{**OWNER, "controller": True}, {**OWNER, "uid": "v", "controller": True}]},
        [wrong("metadata.ownerReferences", INVALID, "Only one reference can have Controller set to true")],
    ),
    Row(
        "an event as owner",
        {"metadata.ownerReferences": [{**OWNER, "apiVersion": "v1", "kind": "Event"}]},
        [wrong("metadata.ownerReferences[0]", INVALID, "disallowed")],
    ),
    Row("finalizers", {"metadata.finalizers": ["example.com/x", "orphan"]}),
    Row(
        "a finalizer without domain",
        {"metadata.finalizers": ["x"]},
        [wrong("metadata.finalizers[0]", INVALID, "fully qualified")],
    ),
    Row("an empty finalizer", {"metadata.finalizers": [""]}, [wrong("metadata.finalizers[0]", REQUIRED)]),
    Row(
        "finalizers that contradict each other",
        {"metadata.finalizers": ["orphan", "foregroundDeletion"]},
        [wrong("metadata.finalizers", INVALID, "cannot be both set")],
    ),
)


@pytest.mark.parametrize("row", CREATES, ids=lambda row: row.id)
def test_create(row: Row) -> None:
    check(errors_on_create(CONFIG_MAPS, changed(PLAIN, row.changes)), row.wrong)


GOING = {"metadata.deletionTimestamp": "2026-01-31T12:00:00Z", "metadata.finalizers": ["a/b"]}
UPDATES = (
    Row("nothing", {}),
    Row("labels", {"metadata.labels": {"a": "b"}}),
    Row("wrong labels", {"metadata.labels": {"a": " "}}, [wrong("metadata.labels", INVALID)]),
    Row("another name", {"metadata.name": "b"}, [wrong("metadata.name", INVALID, "field is immutable")]),
    Row("another namespace", {"metadata.namespace": "b"}, [wrong("metadata.namespace", INVALID, "field is immutable")]),
    Row("another uid", {"metadata.uid": "b"}, [wrong("metadata.uid", INVALID, "field is immutable")]),
    Row("no uid", {"metadata.uid": ABSENT}),
    Row("no creation", {"metadata.creationTimestamp": ABSENT}),
    Row(
        "another creation",
        {"metadata.creationTimestamp": "2027-01-31T12:00:00Z"},
        [wrong("metadata.creationTimestamp", INVALID, "field is immutable")],
    ),
    Row(
        "deletion by update",
        {"metadata.deletionTimestamp": "2027-01-31T12:00:00Z"},
        [wrong("metadata.deletionTimestamp", INVALID)],
    ),
    Row("deletion taken back", {"metadata.deletionTimestamp": ABSENT, "metadata.labels": {"a": "b"}}, base=GOING),
    Row("a finalizer removed while it goes", {"metadata.finalizers": []}, base=GOING),
    Row(
        "a finalizer added while it goes",
        {"metadata.finalizers": ["a/b", "a/c"]},
        [wrong("metadata.finalizers", FORBIDDEN, "a/c")],
        base=GOING,
    ),
)


@pytest.mark.parametrize("row", UPDATES, ids=lambda row: row.id)
def test_update(row: Row) -> None:
    check(errors_on_update(CONFIG_MAPS, PLAIN, row), row.wrong)


def test_a_deletion_cannot_be_taken_back() -> None:
    old = stored(CONFIG_MAPS, changed(PLAIN, GOING))
    new, _ = updated(CONFIG_MAPS, old, changed(codec.to_plain(old), {"metadata.deletionTimestamp": ABSENT}))
    assert new.metadata.deletion_timestamp == old.metadata.deletion_timestamp


def test_what_only_the_server_sets_is_cleared() -> None:
    obj = codec.convert(CONFIG_MAPS.cls, changed(PLAIN, {"metadata.generation": 9, "metadata.selfLink": "/x", **GOING}))
    STRATEGIES[CONFIG_MAPS].prepare_create(obj)
    assert (obj.metadata.generation, obj.metadata.self_link, obj.metadata.deletion_timestamp) == (None, "", None)
    assert obj.metadata.finalizers == ["a/b"]


@pytest.mark.parametrize("resource", [NODES, NAMESPACES], ids=lambda resource: resource.plural)
def test_cluster_scoped_kinds_have_no_namespace(resource: Resource) -> None:
    check(errors_on_create(resource, PLAIN), [wrong("metadata.namespace", FORBIDDEN, "not allowed on this type")])


def test_every_resource_has_a_strategy() -> None:
    assert set(STRATEGIES) == set(RESOURCES)
    assert all(strategy.resource is resource for resource, strategy in STRATEGIES.items())
