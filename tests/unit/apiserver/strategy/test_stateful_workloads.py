"""StatefulSets, DaemonSets, ReplicationControllers, PodTemplates, ControllerRevisions."""

from typing import Any

import pytest

from apimachinery import codec
from apimachinery.resources import (
    CONTROLLER_REVISIONS,
    DAEMON_SETS,
    POD_TEMPLATES,
    REPLICATION_CONTROLLERS,
    STATEFUL_SETS,
    Resource,
)
from tests.support.strategies import (
    ABSENT,
    DUPLICATE,
    FORBIDDEN,
    INVALID,
    NOT_FOUND,
    REQUIRED,
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
T = "spec.template"
POD: Plain = {"metadata": {"labels": {"app": "web"}}, "spec": {"containers": [{"name": "c", "image": "busybox:1"}]}}
PLAIN: Plain = {
    "metadata": {"name": "web", "namespace": "default"},
    "spec": {"selector": {"matchLabels": {"app": "web"}}, "template": POD},
}
CONTROLLER = changed(PLAIN, {"spec.selector": {"app": "web"}})
CLAIM: Plain = {
    "metadata": {"name": "data"},
    "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1024Mi"}}},
}
CLAIMS = "spec.volumeClaimTemplates"

SELECTING = (
    Row("right", {}),
    Row("no selector", {"spec.selector": ABSENT}, [wrong("spec.selector", REQUIRED, "empty selector is invalid for")]),
    Row("no image", {f"{T}.spec.containers[0].image": ""}, [wrong(f"{T}.spec.containers[0].image", REQUIRED)]),
    Row(
        "a selector of others",
        {f"{T}.metadata.labels": {"app": "db"}},
        [wrong(f"{T}.metadata.labels", INVALID, "`selector` does not match template `labels`")],
    ),
    Row("pods that end", {f"{T}.spec.restartPolicy": "Never"}, [wrong(f"{T}.spec.restartPolicy", UNSUPPORTED, '"Always"')]),
    Row("a deadline", {f"{T}.spec.activeDeadlineSeconds": 5}, [wrong(f"{T}.spec.activeDeadlineSeconds", FORBIDDEN)]),
    Row("readiness", {"spec.minReadySeconds": -1}, [wrong("spec.minReadySeconds", INVALID)]),
    Row("history", {"spec.revisionHistoryLimit": -1}, [wrong("spec.revisionHistoryLimit", INVALID)]),
)


@pytest.mark.parametrize("resource", [STATEFUL_SETS, DAEMON_SETS], ids=lambda resource: resource.plural)
@pytest.mark.parametrize("row", SELECTING, ids=lambda row: row.id)
def test_create(resource: Resource, row: Row) -> None:
    plain = changed(PLAIN, row.changes)
    check(errors_on_create(resource, plain), row.wrong)
    check_defaults_are_stable(resource, plain)


U = "spec.updateStrategy"
STATEFUL = (
    Row("a name of two labels", {"metadata.name": "a.b"}, [wrong("metadata.name", INVALID, "RFC 1123 label")]),
    Row("fewer than none", {"spec.replicas": -1}, [wrong("spec.replicas", INVALID)]),
    Row("parallel", {"spec.podManagementPolicy": "Parallel"}),
    Row("order", {"spec.podManagementPolicy": "Any"}, [wrong("spec.podManagementPolicy", INVALID, "'OrderedReady' or")]),
    Row("on delete", {U: {"type": "OnDelete"}}),
    Row("on delete, rolling", {U: {"type": "OnDelete", "rollingUpdate": {}}}, [wrong(f"{U}.rollingUpdate", FORBIDDEN)]),
    Row("strategy", {U: {"type": "Magic"}}, [wrong(U, INVALID, "must be 'RollingUpdate' or 'OnDelete'")]),
    Row("partition", {U: {"rollingUpdate": {"partition": -1}}}, [wrong(f"{U}.rollingUpdate.partition", INVALID)]),
    Row("a third at once", {U: {"rollingUpdate": {"maxUnavailable": "33%"}}}),
    Row(
        "none at once",
        {U: {"rollingUpdate": {"maxUnavailable": "0%"}}},
        [wrong(f"{U}.rollingUpdate.maxUnavailable", INVALID, "cannot be 0")],
    ),
    Row(
        "more than all at once",
        {U: {"rollingUpdate": {"maxUnavailable": "101%"}}},
        [wrong(f"{U}.rollingUpdate.maxUnavailable", INVALID, "100%")],
    ),
    Row("first ordinal", {"spec.ordinals": {"start": -1}}, [wrong("spec.ordinals.start", INVALID)]),
    Row(
        "what becomes of claims",
        {"spec.persistentVolumeClaimRetentionPolicy": {"whenScaled": "Keep"}},
        [wrong("spec.persistentVolumeClaimRetentionPolicy.whenScaled", UNSUPPORTED, '"Delete", "Retain"')],
    ),
    Row("a claim", {CLAIMS: [CLAIM]}),
    Row("a claim without name", {CLAIMS: [{**CLAIM, "metadata": {}}]}, [wrong(f"{CLAIMS}[0].metadata.name", REQUIRED)]),
    Row("a claim twice", {CLAIMS: [CLAIM, CLAIM]}, [wrong(f"{CLAIMS}[1].metadata.name", DUPLICATE)]),
    Row(
        "a claim for nothing",
        {CLAIMS: [{**CLAIM, "spec": {"accessModes": ["ReadWriteOnce"]}}]},
        [wrong(f"{CLAIMS}[0].spec.resources[storage]", REQUIRED)],
    ),
    Row(
        "a claim that is mounted",
        {CLAIMS: [CLAIM], f"{T}.spec.containers[0].volumeMounts": [{"name": "data", "mountPath": "/data"}]},
    ),
    Row(
        "a claim that takes the place of a volume",
        {CLAIMS: [CLAIM], f"{T}.spec.volumes": [{"name": "data", "emptyDir": {}}]},
    ),
    Row(
        "a mount of nothing",
        {CLAIMS: [CLAIM], f"{T}.spec.containers[0].volumeMounts": [{"name": "logs", "mountPath": "/data"}]},
        [wrong(f"{T}.spec.containers[0].volumeMounts[0].name", NOT_FOUND)],
    ),
)


@pytest.mark.parametrize("row", STATEFUL, ids=lambda row: row.id)
def test_create_stateful_set(row: Row) -> None:
    plain = changed(PLAIN, row.changes)
    check(errors_on_create(STATEFUL_SETS, plain), row.wrong)
    check_defaults_are_stable(STATEFUL_SETS, plain)


def test_defaults_of_a_stateful_set() -> None:
    spec = codec.to_plain(created(STATEFUL_SETS, changed(PLAIN, {CLAIMS: [CLAIM]})))["spec"]
    assert {key: value for key, value in spec.items() if key not in ("template", "selector", "volumeClaimTemplates")} == {
        "podManagementPolicy": "OrderedReady",
        "replicas": 1,
        "revisionHistoryLimit": 10,
        "persistentVolumeClaimRetentionPolicy": {"whenDeleted": "Retain", "whenScaled": "Retain"},
        "updateStrategy": {"type": "RollingUpdate", "rollingUpdate": {"partition": 0, "maxUnavailable": 1}},
    }
    claim = spec["volumeClaimTemplates"][0]
    assert (claim["apiVersion"], claim["kind"]) == ("v1", "PersistentVolumeClaim")
    assert claim["spec"]["volumeMode"] == "Filesystem"
    assert claim["spec"]["resources"]["requests"] == {"storage": "1Gi"}
    assert claim["status"] == {"phase": "Pending"}


STATEFUL_UPDATES = (
    Row("replicas", {"spec.replicas": 3}),
    Row("image", {f"{T}.spec.containers[0].image": "busybox:2"}),
    Row("history", {"spec.revisionHistoryLimit": 3, "spec.ordinals": {"start": 1}, "spec.minReadySeconds": 1}),
    Row("service", {"spec.serviceName": "other"}, [wrong("spec", FORBIDDEN, "updates to statefulset spec for fields other")]),
    Row("claims", {CLAIMS: [CLAIM]}, [wrong("spec", FORBIDDEN)]),
    Row("order", {"spec.podManagementPolicy": "Parallel"}, [wrong("spec", FORBIDDEN)]),
)


@pytest.mark.parametrize("row", STATEFUL_UPDATES, ids=lambda row: row.id)
def test_update_stateful_set(row: Row) -> None:
    check(errors_on_update(STATEFUL_SETS, PLAIN, row), row.wrong)


R = f"{U}.rollingUpdate"
DAEMON = (
    Row("on delete", {U: {"type": "OnDelete"}}),
    Row("strategy", {U: {"type": "Magic"}}, [wrong(f"{U}.type", UNSUPPORTED, '"OnDelete", "RollingUpdate"')]),
    Row("surge", {R: {"maxSurge": "10%", "maxUnavailable": 0}}),
    Row("surge and loss", {R: {"maxSurge": 1}}, [wrong(f"{R}.maxSurge", INVALID, "maxUnavailable is non-zero")]),
    Row("neither", {R: {"maxUnavailable": "0%"}}, [wrong(f"{R}.maxUnavailable", REQUIRED, "cannot be 0 when maxSurge is 0")]),
    Row("no percentage", {R: {"maxUnavailable": "some"}}, [wrong(f"{R}.maxUnavailable", INVALID, "percent")]),
)


@pytest.mark.parametrize("row", DAEMON, ids=lambda row: row.id)
def test_create_daemon_set(row: Row) -> None:
    plain = changed(PLAIN, row.changes)
    check(errors_on_create(DAEMON_SETS, plain), row.wrong)
    check_defaults_are_stable(DAEMON_SETS, plain)


def test_defaults_of_a_daemon_set() -> None:
    spec = codec.to_plain(created(DAEMON_SETS, PLAIN))["spec"]
    assert spec["updateStrategy"] == {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 1, "maxSurge": 0}}
    assert spec["revisionHistoryLimit"] == 10
    assert spec["template"]["spec"]["restartPolicy"] == "Always"


def test_the_selector_of_a_daemon_set_is_immutable() -> None:
    changes = {"spec.selector.matchLabels.v": "2", f"{T}.metadata.labels.v": "2"}
    check(errors_on_update(DAEMON_SETS, PLAIN, Row("", changes)), [wrong("spec.selector", INVALID, "field is immutable")])


REPLICATION = (
    Row("right", {}),
    Row("of its template's labels", {"spec.selector": ABSENT}),
    Row("fewer than none", {"spec.replicas": -1}, [wrong("spec.replicas", INVALID)]),
    Row("no template", {"spec.template": ABSENT}, [wrong("spec.template", REQUIRED)]),
    Row(
        "neither selector nor labels",
        {"spec.selector": {}, f"{T}.metadata.labels": {}},
        [wrong("spec.selector", REQUIRED)],
    ),
    Row("a selector of others", {"spec.selector": {"app": "db"}}, [wrong(f"{T}.metadata.labels", INVALID)]),
    Row("pods that end", {f"{T}.spec.restartPolicy": "Never"}, [wrong(f"{T}.spec.restartPolicy", UNSUPPORTED)]),
)


@pytest.mark.parametrize("row", REPLICATION, ids=lambda row: row.id)
def test_create_replication_controller(row: Row) -> None:
    plain = changed(CONTROLLER, row.changes)
    check(errors_on_create(REPLICATION_CONTROLLERS, plain), row.wrong)
    check_defaults_are_stable(REPLICATION_CONTROLLERS, plain)


def test_a_replication_controller_takes_the_labels_of_its_template() -> None:
    plain = codec.to_plain(created(REPLICATION_CONTROLLERS, changed(CONTROLLER, {"spec.selector": ABSENT})))
    assert plain["spec"]["selector"] == plain["metadata"]["labels"] == {"app": "web"}
    assert plain["spec"]["replicas"] == 1


@pytest.mark.parametrize("resource", [STATEFUL_SETS, REPLICATION_CONTROLLERS], ids=lambda resource: resource.plural)
def test_counts(resource: Resource) -> None:
    plain = PLAIN if resource is STATEFUL_SETS else CONTROLLER
    for changes, expected in (
        ({"status": {"replicas": 3, "readyReplicas": 2, "availableReplicas": 1}}, []),
        ({"status": {"replicas": -1}}, [wrong("status.replicas", INVALID)]),
        ({"status": {"replicas": 1, "readyReplicas": 2}}, [wrong("status.readyReplicas", INVALID)]),
        ({"status": {"replicas": 2, "readyReplicas": 1, "availableReplicas": 2}}, [wrong("status.availableReplicas", INVALID)]),
    ):
        check(errors_on_update(resource, plain, Row("", changes, subresource="status")), expected)


def test_counts_of_a_daemon_set() -> None:
    row = Row("", {"status": {"numberReady": -1, "collisionCount": 1}}, subresource="status", base={"status.collisionCount": 2})
    expected = [wrong("status.numberReady", INVALID), wrong("status.collisionCount", INVALID, "cannot be decremented")]
    check(errors_on_update(DAEMON_SETS, PLAIN, row), expected)


def test_the_generation_counts_changes_of_the_specification() -> None:
    template: Plain = {"metadata": PLAIN["metadata"], "template": POD}
    for resource, plain, image in (
        (STATEFUL_SETS, PLAIN, f"{T}.spec.containers[0].image"),
        (DAEMON_SETS, PLAIN, f"{T}.spec.containers[0].image"),
        (REPLICATION_CONTROLLERS, CONTROLLER, f"{T}.spec.containers[0].image"),
        (POD_TEMPLATES, template, "template.spec.containers[0].image"),
    ):
        old = stored(resource, plain)
        was = codec.to_plain(old)
        assert old.metadata.generation == 1
        assert updated(resource, old, changed(was, {image: "busybox:2"}))[0].metadata.generation == 2
        assert updated(resource, old, changed(was, {"metadata.labels": {"a": "b"}}))[0].metadata.generation == 1


@pytest.mark.parametrize("resource", [STATEFUL_SETS, DAEMON_SETS, REPLICATION_CONTROLLERS], ids=lambda each: each.plural)
def test_status_and_specification_keep_apart(resource: Resource) -> None:
    old = stored(resource, CONTROLLER if resource is REPLICATION_CONTROLLERS else PLAIN)
    wanted = changed(codec.to_plain(old), {"status.observedGeneration": 1, "spec.minReadySeconds": 9})
    by_status, found = updated(resource, old, wanted, "status")
    assert (by_status.status.observed_generation, by_status.spec.min_ready_seconds, found) == (1, None, [])
    by_spec, found = updated(resource, old, wanted)
    assert (by_spec.status.observed_generation, by_spec.spec.min_ready_seconds, found) == (None, 9, [])


REVISION: Plain = {"metadata": PLAIN["metadata"], "data": {"spec": {"a": 1}}, "revision": 1}
REVISIONS = (
    Row("right", {}),
    Row("no data", {"data": ABSENT}, [wrong("data", REQUIRED, "data is mandatory")]),
    Row("number", {"revision": -1}, [wrong("revision", INVALID)]),
)


@pytest.mark.parametrize("row", REVISIONS, ids=lambda row: row.id)
def test_create_revision(row: Row) -> None:
    check(errors_on_create(CONTROLLER_REVISIONS, changed(REVISION, row.changes)), row.wrong)


def test_update_revision() -> None:
    check(errors_on_update(CONTROLLER_REVISIONS, REVISION, Row("", {"revision": 2, "metadata.labels": {"a": "b"}})), [])
    expected = [wrong("data", INVALID, "field is immutable")]
    check(errors_on_update(CONTROLLER_REVISIONS, REVISION, Row("", {"data": {"spec": {}}})), expected)


def test_pod_templates() -> None:
    plain: Plain = {"metadata": PLAIN["metadata"], "template": POD}
    check(errors_on_create(POD_TEMPLATES, plain), [])
    check_defaults_are_stable(POD_TEMPLATES, plain)
    expected = [wrong("template.spec.containers", REQUIRED)]
    check(errors_on_create(POD_TEMPLATES, changed(plain, {"template.spec": {}})), expected)
