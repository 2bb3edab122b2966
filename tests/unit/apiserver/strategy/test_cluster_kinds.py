"""Namespaces, Nodes, Events, Leases."""

from typing import Any

import pytest

from apimachinery import codec
from apimachinery.resources import EVENTS, LEASES, NAMESPACES, NODES
from apiserver.strategy import STRATEGIES
from tests.support.strategies import (
    DUPLICATE,
    FORBIDDEN,
    INVALID,
    REQUIRED,
    TOO_LONG,
    UNSUPPORTED,
    Row,
    changed,
    check,
    check_defaults_are_stable,
    created,
    errors_on_create,
    errors_on_update,
    stored,
    updated,
    wrong,
)

Plain = dict[str, Any]
NAMED: Plain = {"metadata": {"name": "x"}}
IN_DEFAULT: Plain = {"metadata": {"name": "x", "namespace": "default"}}


def test_a_new_namespace() -> None:
    plain = codec.to_plain(created(NAMESPACES, changed(NAMED, {"status": {"phase": "Terminating"}})))
    assert plain["metadata"]["labels"] == {"kubernetes.io/metadata.name": "x"}
    assert plain["spec"] == {"finalizers": ["kubernetes"]}
    assert plain["status"] == {"phase": "Active"}
    check_defaults_are_stable(NAMESPACES, NAMED)


NAMESPACE_ROWS = (
    Row("right", {}),
    Row("a name with a dot", {"metadata.name": "a.b"}, [wrong("metadata.name", INVALID, "RFC 1123 label")]),
    Row(
        "a name that is too long",
        {"metadata.name": "a" * 64},
        [wrong("metadata.name", INVALID), wrong("metadata.labels", INVALID)],
    ),
    Row("a finalizer", {"spec.finalizers": ["x"]}, [wrong("spec.finalizers[0]", INVALID)]),
)


@pytest.mark.parametrize("row", NAMESPACE_ROWS, ids=lambda row: row.id)
def test_namespaces(row: Row) -> None:
    check(errors_on_create(NAMESPACES, changed(NAMED, row.changes)), row.wrong)


def test_finalizers_of_a_namespace_change_by_finalize_only() -> None:
    old = stored(NAMESPACES, NAMED)
    plain = changed(codec.to_plain(old), {"spec": {"finalizers": []}, "metadata.labels": {}})
    for subresource, want in (("", ["kubernetes"]), ("status", ["kubernetes"]), ("finalize", [])):
        new, found = updated(NAMESPACES, old, plain, subresource)
        assert (new.spec.finalizers, found) == (want, [])
        assert new.metadata.labels == {"kubernetes.io/metadata.name": "x"}


GOING = {"metadata.deletionTimestamp": "2026-01-31T12:00:00Z"}
PHASES = (
    Row(
        "terminating, though it is not",
        {"status.phase": "Terminating"},
        [wrong("status.phase", INVALID, "may only be 'Active'")],
    ),
    Row(
        "active, though it goes",
        {"status.phase": "Active"},
        [wrong("status.phase", INVALID, "may only be 'Terminating'")],
        base=GOING,
    ),
    Row("terminating", {"status.phase": "Terminating"}, base=GOING),
)


@pytest.mark.parametrize("row", PHASES, ids=lambda row: row.id)
def test_phases(row: Row) -> None:
    check(errors_on_update(NAMESPACES, NAMED, Row(row.id, row.changes, row.wrong, "status", row.base)), row.wrong)


TAINT = {"key": "a/b", "value": "c", "effect": "NoSchedule"}
NODE_ROWS = (
    Row("right", {"spec.taints": [TAINT, {**TAINT, "effect": "NoExecute"}], "status.capacity": {"cpu": 2}}),
    Row("taint twice", {"spec.taints": [TAINT, TAINT]}, [wrong("spec.taints[1]", DUPLICATE, "a/b:NoSchedule")]),
    Row(
        "taint",
        {"spec.taints": [{"key": "", "value": "a b", "effect": "No"}]},
        [
            wrong("spec.taints[0].key", INVALID),
            wrong("spec.taints[0].value", INVALID),
            wrong("spec.taints[0].effect", UNSUPPORTED),
        ],
    ),
    Row("taint without effect", {"spec.taints": [{"key": "a"}]}, [wrong("spec.taints[0].effect", REQUIRED)]),
    Row("network", {"spec.podCIDR": "10.244.1.0/24"}),
    Row("no network", {"spec.podCIDR": "10.244.1.0"}, [wrong("spec.podCIDRs[0]", INVALID, "CIDR")]),
    Row(
        "networks that differ",
        {"spec.podCIDR": "10.244.1.0/24", "spec.podCIDRs": ["10.244.2.0/24"]},
        [wrong("spec.podCIDRs", INVALID)],
    ),
    Row(
        "two networks of a family",
        {"spec.podCIDRs": ["10.1.0.0/24", "10.2.0.0/24"]},
        [wrong("spec.podCIDRs", INVALID, "no more than one CIDR")],
    ),
    Row(
        "capacity",
        {"status": {"capacity": {"cpu": "-1"}, "allocatable": {"a b": "1"}}},
        [wrong("status.capacity[cpu]", INVALID), wrong("status.allocatable[a b]", INVALID)],
    ),
    Row(
        "address twice",
        {"status.addresses": [{"type": "InternalIP", "address": "10.0.0.1"}] * 2},
        [wrong("status.addresses[1]", DUPLICATE)],
    ),
    Row(
        "port",
        {"status.daemonEndpoints.kubeletEndpoint.Port": 70000},
        [wrong("status.daemonEndpoints.kubeletEndpoint.Port", INVALID)],
    ),
)


@pytest.mark.parametrize("row", NODE_ROWS, ids=lambda row: row.id)
def test_nodes(row: Row) -> None:
    plain = changed(NAMED, row.changes)
    check(errors_on_create(NODES, plain), row.wrong)
    check_defaults_are_stable(NODES, plain)


def test_a_node_registers_with_its_status() -> None:
    node = created(NODES, changed(NAMED, {"status": {"capacity": {"memory": "1024Ki"}}, "spec.podCIDRs": ["10.244.1.0/24"]}))
    assert node.status.capacity == node.status.allocatable == {"memory": "1Mi"}
    assert node.spec.pod_cidr == "10.244.1.0/24"


NODE_UPDATES = (
    Row("a taint", {"spec.taints": [TAINT]}),
    Row("cordoned", {"spec.unschedulable": True}),
    Row("a network, the first time", {"spec.podCIDR": "10.244.1.0/24", "spec.podCIDRs": ["10.244.1.0/24"]}),
    Row(
        "another network",
        {"spec.podCIDR": "10.244.2.0/24", "spec.podCIDRs": ["10.244.2.0/24"]},
        [wrong("spec.podCIDRs", FORBIDDEN, "may not change podCIDR")],
        base={"spec.podCIDRs": ["10.244.1.0/24"]},
    ),
    Row("another provider", {"spec.providerID": "b"}, [wrong("spec.providerID", FORBIDDEN)], base={"spec.providerID": "a"}),
    Row("configuration by the API", {"spec.configSource": {}}, [wrong("spec.configSource", FORBIDDEN)]),
    Row(
        "status",
        {"status": {"capacity": {"cpu": "x"}, "allocatable": {"cpu": 1}}},
        [wrong("status.capacity[cpu]", INVALID)],
        "status",
    ),
)


@pytest.mark.parametrize("row", NODE_UPDATES, ids=lambda row: row.id)
def test_node_updates(row: Row) -> None:
    check(errors_on_update(NODES, NAMED, row), row.wrong)


EVENT: Plain = {**IN_DEFAULT, "involvedObject": {"kind": "Pod", "namespace": "default", "name": "p"}}
SERIES = {
    "eventTime": "2026-01-31T12:00:00.000000Z",
    "reportingComponent": "example.com/x",
    "reportingInstance": "x-1",
    "action": "Starting",
    "reason": "Started",
    "type": "Normal",
}
EVENT_ROWS = (
    Row("right", {}),
    Row("of something without namespace", {"involvedObject.namespace": ""}),
    Row(
        "beside another namespace",
        {"involvedObject.namespace": "other"},
        [wrong("involvedObject.namespace", INVALID, "does not match event.namespace")],
    ),
    Row("newer form", SERIES),
    Row(
        "newer form, half",
        {"eventTime": SERIES["eventTime"], "type": "Bad", "action": "a" * 129},
        [
            wrong("reportingComponent", REQUIRED),
            wrong("reportingInstance", REQUIRED),
            wrong("reason", REQUIRED),
            wrong("action", TOO_LONG),
            wrong("type", UNSUPPORTED),
        ],
    ),
    Row("a long note", {**SERIES, "message": "x" * 1025}, [wrong("message", TOO_LONG)]),
)


@pytest.mark.parametrize("row", EVENT_ROWS, ids=lambda row: row.id)
def test_events(row: Row) -> None:
    check(errors_on_create(EVENTS, changed(EVENT, row.changes)), row.wrong)


LEASE_ROWS = (
    Row(
        "right",
        {
            "spec": {
                "holderIdentity": "a",
                "leaseDurationSeconds": 4,
                "leaseTransitions": 0,
                "renewTime": "2026-01-31T12:00:00.000000Z",
            }
        },
    ),
    Row("no time at all", {"spec.leaseDurationSeconds": 0}, [wrong("spec.leaseDurationSeconds", INVALID, "greater than zero")]),
    Row("terms", {"spec.leaseTransitions": -1}, [wrong("spec.leaseTransitions", INVALID)]),
    Row("strategy", {"spec.strategy": "Mine"}, [wrong("spec.strategy", UNSUPPORTED)]),
    Row("strategy of one's own", {"spec.strategy": "example.com/mine", "spec.preferredHolder": "b"}),
    Row("preferred without strategy", {"spec.preferredHolder": "b"}, [wrong("spec.preferredHolder", FORBIDDEN)]),
)


@pytest.mark.parametrize("row", LEASE_ROWS, ids=lambda row: row.id)
def test_leases(row: Row) -> None:
    check(errors_on_create(LEASES, changed(IN_DEFAULT, row.changes)), row.wrong)
    assert not STRATEGIES[LEASES].allow_unconditional_update
