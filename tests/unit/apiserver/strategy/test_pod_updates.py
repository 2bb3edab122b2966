"""Updates of pods: what may change, by which subresource."""

from typing import Any

import pytest

from apimachinery import codec
from apimachinery.resources import PODS
from tests.support.strategies import (
    ABSENT,
    FORBIDDEN,
    INVALID,
    REQUIRED,
    Row,
    changed,
    check,
    errors_on_update,
    stored,
    updated,
    wrong,
)

Plain = dict[str, Any]
C = "spec.containers[0]"
PLAIN: Plain = {
    "metadata": {"name": "a", "namespace": "default"},
    "spec": {
        "containers": [{"name": "c", "image": "busybox:1"}],
        "initContainers": [{"name": "i", "image": "busybox:1"}],
        "tolerations": [{"key": "k", "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 5}],
    },
}
MORE = {"key": "other", "operator": "Exists"}
GATED = {"spec.schedulingGates": [{"name": "a/b"}, {"name": "a/c"}]}
ENDED = {"name": "c", "image": "", "imageID": "", "ready": False, "restartCount": 0, "state": {"terminated": {"exitCode": 1}}}
RUNNING = {**ENDED, "state": {"running": {}}}
NODE = {
    "nodeAffinity": {
        "requiredDuringSchedulingIgnoredDuringExecution": {
            "nodeSelectorTerms": [{"matchExpressions": [{"key": "a", "operator": "Exists"}]}]
        }
    }
}
TERM = "spec.affinity.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms[0].matchExpressions"

ROWS = (
    Row("nothing", {}),
    Row("labels", {"metadata.labels": {"a": "b"}}),
    Row("an image", {f"{C}.image": "busybox:2", "spec.initContainers[0].image": "busybox:2"}),
    Row("no image", {f"{C}.image": ""}, [wrong(f"{C}.image", REQUIRED)]),
    Row("a command", {f"{C}.command": ["x"]}, [wrong("spec", FORBIDDEN, "pod updates may not change fields other than")]),
    Row("names what was changed", {"spec.hostNetwork": True}, [wrong("spec", FORBIDDEN, "spec.hostNetwork")]),
    Row("a node", {"spec.nodeName": "n"}, [wrong("spec", FORBIDDEN, "spec.nodeName")]),
    Row("resources", {f"{C}.resources.limits": {"cpu": "1"}}, [wrong("spec", FORBIDDEN)]),
    Row(
        "a container more",
        {"spec.containers[1]": {"name": "d", "image": "x"}},
        [wrong("spec.containers", FORBIDDEN, "may not add or remove containers")],
    ),
    Row("an init container fewer", {"spec.initContainers": ABSENT}, [wrong("spec.initContainers", FORBIDDEN)]),
    Row("a deadline", {"spec.activeDeadlineSeconds": 5}),
    Row("a deadline brought forward", {"spec.activeDeadlineSeconds": 4}, base={"spec.activeDeadlineSeconds": 5}),
    Row(
        "a deadline put off",
        {"spec.activeDeadlineSeconds": 6},
        [wrong("spec.activeDeadlineSeconds", INVALID, "less than or equal to previous value")],
        base={"spec.activeDeadlineSeconds": 5},
    ),
    Row(
        "a deadline taken away",
        {"spec.activeDeadlineSeconds": ABSENT},
        [wrong("spec.activeDeadlineSeconds", INVALID, "nil value")],
        base={"spec.activeDeadlineSeconds": 5},
    ),
    Row("a toleration more", {"spec.tolerations[1]": MORE}),
    Row("a toleration's time", {"spec.tolerations[0].tolerationSeconds": 9}),
    Row("a toleration fewer", {"spec.tolerations": []}, [wrong("spec.tolerations", FORBIDDEN, "existing toleration")]),
    Row("another toleration", {"spec.tolerations[0].key": "x"}, [wrong("spec.tolerations", FORBIDDEN)]),
    Row(
        "grace from negative to one", {"spec.terminationGracePeriodSeconds": 1}, base={"spec.terminationGracePeriodSeconds": -1}
    ),
    Row(
        "grace otherwise",
        {"spec.terminationGracePeriodSeconds": 1},
        [wrong("spec", FORBIDDEN, "terminationGracePeriodSeconds")],
    ),
    Row("a gate removed", {"spec.schedulingGates": [{"name": "a/c"}]}, base=GATED),
    Row(
        "a gate added",
        {"spec.schedulingGates": [{"name": "a/d"}]},
        [wrong("spec.schedulingGates[0].name", FORBIDDEN, "only deletion is allowed")],
    ),
    Row("a gated pod asks more of its node", {"spec.nodeSelector": {"a": "b"}, "spec.affinity": NODE}, base=GATED),
    Row(
        "it asks still more",
        {f"{TERM}[1]": {"key": "b", "operator": "Exists"}},
        base={**GATED, "spec.affinity": NODE},
    ),
    Row(
        "it asks less",
        {f"{TERM}[0].key": "b"},
        [wrong("spec", FORBIDDEN, "spec.affinity")],
        base={**GATED, "spec.affinity": NODE},
    ),
    Row(
        "it wants another node",
        {"spec.nodeSelector": {}},
        [wrong("spec", FORBIDDEN)],
        base={**GATED, "spec.nodeSelector": {"a": "b"}},
    ),
    Row("one that is not gated asks more", {"spec.nodeSelector": {"a": "b"}}, [wrong("spec", FORBIDDEN, "spec.nodeSelector")]),
    Row("placing", {"spec.nodeName": "n"}, subresource="binding"),
    Row(
        "placing again",
        {"spec.nodeName": "m"},
        [wrong("spec.nodeName", FORBIDDEN, "already assigned to node n")],
        subresource="binding",
        base={"spec.nodeName": "n"},
    ),
    Row(
        "placing and more", {"spec.nodeName": "n", "spec.hostNetwork": True}, [wrong("spec", FORBIDDEN)], subresource="binding"
    ),
    Row("a status", {"status": {"phase": "Running", "podIP": "10.244.0.5"}}, subresource="status"),
    Row(
        "another quality of service",
        {"status": {"qosClass": "Guaranteed"}},
        [wrong("status.qosClass", INVALID, "field is immutable")],
        subresource="status",
    ),
    Row(
        "a container restarts",
        {"status.containerStatuses": [RUNNING]},
        subresource="status",
        base={"status.containerStatuses": [ENDED]},
    ),
    Row(
        "a container that must not",
        {"status.containerStatuses": [RUNNING]},
        [wrong("status.containerStatuses[0].state", FORBIDDEN, "non-terminated")],
        subresource="status",
        base={"status.containerStatuses": [ENDED], "spec.restartPolicy": "Never"},
    ),
    Row(
        "a container that may after a failure",
        {"status.containerStatuses": [RUNNING]},
        subresource="status",
        base={"status.containerStatuses": [ENDED], "spec.restartPolicy": "OnFailure"},
    ),
)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.id)
def test_update(row: Row) -> None:
    check(errors_on_update(PODS, PLAIN, row), row.wrong)


def test_each_subresource_changes_its_own_part() -> None:
    old = stored(PODS, PLAIN)
    plain = changed(codec.to_plain(old), {f"{C}.image": "busybox:2", "status.phase": "Running", "metadata.labels": {"a": "b"}})
    main, _ = updated(PODS, old, plain)
    assert (main.spec.containers[0].image, main.status.phase, main.metadata.generation) == ("busybox:2", "Pending", 2)
    status, _ = updated(PODS, old, plain, "status")
    assert (status.spec.containers[0].image, status.status.phase, status.metadata.generation) == ("busybox:1", "Running", 1)
    assert status.metadata.labels == {"a": "b"}


def test_addresses_in_both_forms() -> None:
    old = stored(PODS, PLAIN)
    new, _ = updated(
        PODS, old, changed(codec.to_plain(old), {"status": {"podIP": "10.244.0.5", "hostIPs": [{"ip": "10.0.0.1"}]}}), "status"
    )
    assert codec.to_plain(new)["status"] == {
        "qosClass": "BestEffort",
        "podIP": "10.244.0.5",
        "podIPs": [{"ip": "10.244.0.5"}],
        "hostIP": "10.0.0.1",
        "hostIPs": [{"ip": "10.0.0.1"}],
    }


def test_owners_do_not_come_with_a_status() -> None:
    old = stored(PODS, PLAIN)
    owner = {"apiVersion": "v1", "kind": "Pod", "name": "x", "uid": "u"}
    new, found = updated(PODS, old, changed(codec.to_plain(old), {"metadata.ownerReferences": [owner]}), "status")
    assert (new.metadata.owner_references, found) == ([], [])
