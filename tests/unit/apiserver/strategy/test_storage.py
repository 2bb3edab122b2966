"""PersistentVolumes, claims to them, and the kinds of storage.k8s.io."""

from typing import Any

import pytest

from apimachinery import codec
from apimachinery.resources import (
    CSI_DRIVERS,
    CSI_NODES,
    CSI_STORAGE_CAPACITIES,
    PERSISTENT_VOLUME_CLAIMS,
    PERSISTENT_VOLUMES,
    STORAGE_CLASSES,
    VOLUME_ATTACHMENTS,
    VOLUME_ATTRIBUTES_CLASSES,
)
from apiserver.strategy import STRATEGIES
from tests.support.strategies import (
    ABSENT,
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
NODES = {"required": {"nodeSelectorTerms": [{"matchExpressions": [{"key": "a", "operator": "In", "values": ["b"]}]}]}}
VOLUME: Plain = {
    "metadata": {"name": "v"},
    "spec": {"accessModes": ["ReadWriteOnce"], "capacity": {"storage": "1024Mi"}, "hostPath": {"path": "/data"}},
}
NO_PATH = {"spec.hostPath": ABSENT}
CSI = {"driver": "csi.example.com", "volumeHandle": "h"}
VOLUME_ROWS = (
    Row("right", {}),
    Row("no source", NO_PATH, [wrong("spec", REQUIRED, "must specify a volume type")]),
    Row("two sources", {"spec.nfs": {"server": "s", "path": "/p"}}, [wrong("spec.nfs", FORBIDDEN, "more than 1 volume type")]),
    Row(
        "a path that leaves", {"spec.hostPath.path": "/a/../b"}, [wrong("spec.hostPath.path", INVALID, "must not contain '..'")]
    ),
    Row("no modes", {"spec.accessModes": []}, [wrong("spec.accessModes", REQUIRED)]),
    Row("mode", {"spec.accessModes": ["ReadWrite"]}, [wrong("spec.accessModes[0]", UNSUPPORTED)]),
    Row(
        "one pod, or more",
        {"spec.accessModes": ["ReadWriteOncePod", "ReadWriteMany"]},
        [wrong("spec.accessModes", FORBIDDEN, "may not use ReadWriteOncePod with other access modes")],
    ),
    Row("no capacity", {"spec.capacity": {}}, [wrong("spec.capacity", REQUIRED)]),
    Row("other capacity", {"spec.capacity.cpu": "1"}, [wrong("spec.capacity", UNSUPPORTED, '"storage"')]),
    Row("nothing in it", {"spec.capacity.storage": "0"}, [wrong("spec.capacity[storage]", INVALID, "greater than zero")]),
    Row("no quantity", {"spec.capacity.storage": "much"}, [wrong("spec.capacity[storage]", INVALID)]),
    Row(
        "policy",
        {"spec.persistentVolumeReclaimPolicy": "Burn"},
        [wrong("spec.persistentVolumeReclaimPolicy", UNSUPPORTED, '"Delete", "Recycle", "Retain"')],
    ),
    Row(
        "the whole node, recycled",
        {"spec.hostPath.path": "/", "spec.persistentVolumeReclaimPolicy": "Recycle"},
        [wrong("spec.persistentVolumeReclaimPolicy", FORBIDDEN, "hostPath mount of '/'")],
    ),
    Row("class", {"spec.storageClassName": "A b"}, [wrong("spec.storageClassName", INVALID)]),
    Row("volume mode", {"spec.volumeMode": "Tape"}, [wrong("spec.volumeMode", UNSUPPORTED)]),
    Row("local", {**NO_PATH, "spec.local": {"path": "/p"}, "spec.nodeAffinity": NODES}),
    Row(
        "local anywhere",
        {**NO_PATH, "spec.local": {"path": ""}},
        [wrong("spec.local.path", REQUIRED), wrong("spec.nodeAffinity", REQUIRED, "Local volume requires node affinity")],
    ),
    Row("nodes", {"spec.nodeAffinity": {}}, [wrong("spec.nodeAffinity.required", REQUIRED)]),
    Row("csi", {**NO_PATH, "spec.csi": CSI, "spec.volumeAttributesClassName": "gold"}),
    Row(
        "csi, half",
        {**NO_PATH, "spec.csi": {"nodeStageSecretRef": {"name": "s"}}},
        [
            wrong("spec.csi.driver", REQUIRED),
            wrong("spec.csi.volumeHandle", REQUIRED),
            wrong("spec.csi.nodeStageSecretRef.namespace", REQUIRED),
        ],
    ),
    Row("attributes without csi", {"spec.volumeAttributesClassName": "gold"}, [wrong("spec.csi", REQUIRED)]),
    Row(
        "nfs, half",
        {**NO_PATH, "spec.nfs": {"path": "p"}},
        [wrong("spec.nfs.server", REQUIRED), wrong("spec.nfs.path", INVALID)],
    ),
)


@pytest.mark.parametrize("row", VOLUME_ROWS, ids=lambda row: row.id)
def test_create_volume(row: Row) -> None:
    plain = changed(VOLUME, row.changes)
    check(errors_on_create(PERSISTENT_VOLUMES, plain), row.wrong)
    check_defaults_are_stable(PERSISTENT_VOLUMES, plain)


def test_a_new_volume() -> None:
    plain = codec.to_plain(created(PERSISTENT_VOLUMES, changed(VOLUME, {"metadata.creationTimestamp": "2026-01-31T12:00:00Z"})))
    assert plain["status"] == {"phase": "Pending", "lastPhaseTransitionTime": "2026-01-31T12:00:00Z"}
    assert plain["spec"]["capacity"] == {"storage": "1Gi"}
    assert plain["spec"]["persistentVolumeReclaimPolicy"] == "Retain"
    assert plain["spec"]["volumeMode"] == "Filesystem"


ON_CSI = {**NO_PATH, "spec.csi": CSI}
VOLUME_UPDATES = (
    Row("a claim", {"spec.claimRef": {"namespace": "a", "name": "b"}}),
    Row("capacity", {"spec.capacity.storage": "2Gi", "spec.persistentVolumeReclaimPolicy": "Delete"}),
    Row(
        "path", {"spec.hostPath.path": "/other"}, [wrong("spec.persistentvolumesource", FORBIDDEN, "immutable after creation")]
    ),
    Row("source", {**NO_PATH, "spec.csi": CSI}, [wrong("spec.persistentvolumesource", FORBIDDEN)]),
    Row("mode", {"spec.volumeMode": "Block"}, [wrong("spec.volumeMode", INVALID, "field is immutable")]),
    Row("nodes, once", {"spec.nodeAffinity": NODES}),
    Row(
        "nodes, again", {"spec.nodeAffinity": ABSENT}, [wrong("spec.nodeAffinity", INVALID)], base={"spec.nodeAffinity": NODES}
    ),
    Row(
        "a secret for growth, once",
        {"spec.csi.controllerExpandSecretRef": {"name": "a", "namespace": "b"}},
        base=ON_CSI,
    ),
    Row(
        "a secret for growth, again",
        {"spec.csi.controllerExpandSecretRef": {"name": "c", "namespace": "b"}},
        [wrong("spec.persistentvolumesource", FORBIDDEN)],
        base={**NO_PATH, "spec.csi": {**CSI, "controllerExpandSecretRef": {"name": "a", "namespace": "b"}}},
    ),
    Row("phase", {"status.phase": "Bound", "status.reason": "x"}, subresource="status"),
    Row("no phase", {"status.phase": "Half"}, [wrong("status.phase", UNSUPPORTED)], "status"),
)


@pytest.mark.parametrize("row", VOLUME_UPDATES, ids=lambda row: row.id)
def test_update_volume(row: Row) -> None:
    check(errors_on_update(PERSISTENT_VOLUMES, VOLUME, row), row.wrong)


CLAIM: Plain = {
    "metadata": {"name": "c", "namespace": "default"},
    "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}},
}
SNAPSHOT = {"apiGroup": "snapshot.storage.k8s.io", "kind": "VolumeSnapshot", "name": "s"}
CLAIM_ROWS = (
    Row("right", {}),
    Row("no modes", {"spec.accessModes": []}, [wrong("spec.accessModes", REQUIRED, "at least 1 access mode is required")]),
    Row("no size", {"spec.resources": {}}, [wrong("spec.resources[storage]", REQUIRED)]),
    Row("nothing", {"spec.resources.requests.storage": "0"}, [wrong("spec.resources[storage]", INVALID, "greater than zero")]),
    Row("limit", {"spec.resources.limits": {"storage": "-1"}}, [wrong("spec.resources.limits[storage]", INVALID)]),
    Row("no class at all", {"spec.storageClassName": ""}),
    Row("class", {"spec.storageClassName": "A b"}, [wrong("spec.storageClassName", INVALID)]),
    Row("mode", {"spec.volumeMode": "Tape"}, [wrong("spec.volumeMode", UNSUPPORTED)]),
    Row("selector", {"spec.selector": {"matchLabels": {"a b": ""}}}, [wrong("spec.selector.matchLabels", INVALID)]),
    Row("from a snapshot", {"spec.dataSource": SNAPSHOT}),
    Row("from a claim", {"spec.dataSourceRef": {"kind": "PersistentVolumeClaim", "name": "d"}}),
    Row("from a pod", {"spec.dataSourceRef": {"kind": "Pod", "name": "d"}}, [wrong("spec.dataSourceRef", INVALID)]),
    Row(
        "from nothing",
        {"spec.dataSource": {**SNAPSHOT, "name": ""}},
        [wrong("spec.dataSource.name", REQUIRED), wrong("spec.dataSourceRef.name", REQUIRED)],
    ),
    Row(
        "from two",
        {"spec.dataSource": SNAPSHOT, "spec.dataSourceRef": {**SNAPSHOT, "name": "t"}},
        [wrong("spec.dataSource", INVALID, "must match dataSourceRef")],
    ),
    Row(
        "from another namespace, and from here",
        {"spec.dataSource": SNAPSHOT, "spec.dataSourceRef": {**SNAPSHOT, "namespace": "n"}},
        [wrong("spec.dataSource", INVALID, "dataSourceRef.namespace is specified")],
    ),
)


@pytest.mark.parametrize("row", CLAIM_ROWS, ids=lambda row: row.id)
def test_create_claim(row: Row) -> None:
    plain = changed(CLAIM, row.changes)
    check(errors_on_create(PERSISTENT_VOLUME_CLAIMS, plain), row.wrong)
    check_defaults_are_stable(PERSISTENT_VOLUME_CLAIMS, plain)


def test_a_new_claim() -> None:
    obj = created(PERSISTENT_VOLUME_CLAIMS, changed(CLAIM, {"status": {"phase": "Bound"}, "spec.dataSource": SNAPSHOT}))
    plain = codec.to_plain(obj)
    assert plain["status"] == {"phase": "Pending"}
    assert plain["spec"]["volumeMode"] == "Filesystem"
    assert plain["spec"]["dataSourceRef"] == plain["spec"]["dataSource"] == SNAPSHOT


def test_a_data_source_of_any_kind_stands_in_the_reference_only() -> None:
    source = {"apiGroup": "example.com", "kind": "Tape", "name": "t"}
    assert created(PERSISTENT_VOLUME_CLAIMS, changed(CLAIM, {"spec.dataSource": source})).spec.data_source is None
    spec = created(PERSISTENT_VOLUME_CLAIMS, changed(CLAIM, {"spec.dataSourceRef": source})).spec
    assert (spec.data_source, spec.data_source_ref.kind) == (None, "Tape")


BOUND = {"spec.volumeName": "v", "status": {"phase": "Bound", "capacity": {"storage": "1Gi"}}}
REQUEST = "spec.resources.requests.storage"
GROWING = {**BOUND, REQUEST: "5Gi"}
IMMUTABLE = [wrong("spec", FORBIDDEN, "spec is immutable after creation except resources.requests")]
CLAIM_UPDATES = (
    Row("labels", {"metadata.labels": {"a": "b"}}),
    Row("a volume, once", {"spec.volumeName": "v"}),
    Row("another volume", {"spec.volumeName": "w"}, IMMUTABLE, base=BOUND),
    Row("a class, late", {"spec.storageClassName": "fast"}),
    Row("a class, too late", {"spec.storageClassName": "fast"}, IMMUTABLE, base=BOUND),
    Row("another class", {"spec.storageClassName": "fast"}, IMMUTABLE, base={"spec.storageClassName": "slow"}),
    Row("modes", {"spec.accessModes": ["ReadOnlyMany"]}, IMMUTABLE),
    Row("growth without a volume", {REQUEST: "2Gi"}, IMMUTABLE),
    Row("growth", {REQUEST: "2Gi"}, base=BOUND),
    Row("growth taken back", {REQUEST: "2Gi"}, base=GROWING),
    Row("smaller", {REQUEST: "1Gi"}, [wrong(REQUEST, FORBIDDEN, "less than status.capacity")], base=GROWING),
    Row("attributes", {"spec.volumeAttributesClassName": "gold"}, base=BOUND),
    Row("attributes without a volume", {"spec.volumeAttributesClassName": "gold"}, IMMUTABLE),
    Row(
        "status",
        {"status": {"phase": "Bound", "capacity": {"storage": "-1"}}},
        [wrong("status.capacity[storage]", INVALID)],
        "status",
    ),
    Row("phase", {"status.phase": "Half"}, [wrong("status.phase", UNSUPPORTED)], "status"),
)


@pytest.mark.parametrize("row", CLAIM_UPDATES, ids=lambda row: row.id)
def test_update_claim(row: Row) -> None:
    check(errors_on_update(PERSISTENT_VOLUME_CLAIMS, CLAIM, row), row.wrong)


CLASS: Plain = {"metadata": {"name": "fast"}, "provisioner": "csi.example.com", "parameters": {"type": "ssd"}}
TERM = {"matchLabelExpressions": [{"key": "zone", "values": ["a"]}]}
CLASS_ROWS = (
    Row("right", {"allowVolumeExpansion": True, "mountOptions": ["ro"], "allowedTopologies": [TERM]}),
    Row("no provisioner", {"provisioner": ""}, [wrong("provisioner", REQUIRED)]),
    Row("provisioner", {"provisioner": "a b"}, [wrong("provisioner", INVALID)]),
    Row("policy", {"reclaimPolicy": "Recycle"}, [wrong("reclaimPolicy", UNSUPPORTED, '"Delete", "Retain"')]),
    Row("binding", {"volumeBindingMode": "Late"}, [wrong("volumeBindingMode", UNSUPPORTED)]),
    Row("parameter", {"parameters": {"": "x"}}, [wrong("parameters", INVALID)]),
    Row("many parameters", {"parameters": {str(n): "" for n in range(513)}}, [wrong("parameters", TOO_LONG)]),
    Row("large parameters", {"parameters": {"a": "x" * (256 << 10)}}, [wrong("parameters", TOO_LONG)]),
    Row(
        "topology twice", {"allowedTopologies": [TERM, TERM]}, [wrong("allowedTopologies[1].matchLabelExpressions", DUPLICATE)]
    ),
    Row(
        "topology",
        {"allowedTopologies": [{"matchLabelExpressions": [{"key": "a b"}, {"key": "c", "values": ["d", "d"]}]}]},
        [
            wrong("allowedTopologies[0].matchLabelExpressions[0].key", INVALID),
            wrong("allowedTopologies[0].matchLabelExpressions[0].values", REQUIRED),
            wrong("allowedTopologies[0].matchLabelExpressions[1].values[1]", DUPLICATE),
        ],
    ),
)


@pytest.mark.parametrize("row", CLASS_ROWS, ids=lambda row: row.id)
def test_create_class(row: Row) -> None:
    plain = changed(CLASS, row.changes)
    check(errors_on_create(STORAGE_CLASSES, plain), row.wrong)
    check_defaults_are_stable(STORAGE_CLASSES, plain)


def test_defaults_of_a_class() -> None:
    obj = created(STORAGE_CLASSES, CLASS)
    assert (obj.reclaim_policy, obj.volume_binding_mode, obj.allow_volume_expansion) == ("Delete", "Immediate", None)


CLASS_UPDATES = (
    Row("growth", {"allowVolumeExpansion": True, "metadata.annotations": {"a": "b"}}),
    Row("parameters", {"parameters.type": "hdd"}, [wrong("parameters", FORBIDDEN, "updates to parameters are forbidden.")]),
    Row("provisioner", {"provisioner": "b"}, [wrong("provisioner", FORBIDDEN)]),
    Row("policy", {"reclaimPolicy": "Retain"}, [wrong("reclaimPolicy", FORBIDDEN)]),
    Row("binding", {"volumeBindingMode": "WaitForFirstConsumer"}, [wrong("volumeBindingMode", INVALID, "immutable")]),
)


@pytest.mark.parametrize("row", CLASS_UPDATES, ids=lambda row: row.id)
def test_update_class(row: Row) -> None:
    check(errors_on_update(STORAGE_CLASSES, CLASS, row), row.wrong)


def test_attributes_classes() -> None:
    plain: Plain = {"metadata": {"name": "gold"}, "driverName": "csi.example.com", "parameters": {"iops": "9"}}
    check(errors_on_create(VOLUME_ATTRIBUTES_CLASSES, plain), [])
    missing = {"driverName": "", "parameters": {}}
    expected = [wrong("driverName", REQUIRED), wrong("parameters", REQUIRED, "at least one key/value pair")]
    check(errors_on_create(VOLUME_ATTRIBUTES_CLASSES, changed(plain, missing)), expected)
    row = Row("", {"driverName": "other", "parameters.iops": "1"})
    expected = [wrong("driverName", FORBIDDEN), wrong("parameters", FORBIDDEN)]
    check(errors_on_update(VOLUME_ATTRIBUTES_CLASSES, plain, row), expected)


DRIVER: Plain = {"metadata": {"name": "csi.example.com"}, "spec": {}}
DRIVER_ROWS = (
    Row("right", {"spec.tokenRequests": [{"audience": ""}, {"audience": "a", "expirationSeconds": 600}]}),
    Row("a long name", {"metadata.name": "a" * 64}, [wrong("metadata.name", INVALID, "63")]),
    Row("group policy", {"spec.fsGroupPolicy": "Some"}, [wrong("spec.fsGroupPolicy", UNSUPPORTED)]),
    Row("modes", {"spec.volumeLifecycleModes": ["Forever"]}, [wrong("spec.volumeLifecycleModes[0]", UNSUPPORTED)]),
    Row(
        "tokens",
        {"spec.tokenRequests": [{"audience": "", "expirationSeconds": 599}, {"audience": ""}]},
        [wrong("spec.tokenRequests[0].expirationSeconds", INVALID), wrong("spec.tokenRequests[1].audience", DUPLICATE)],
    ),
    Row(
        "period",
        {"spec.nodeAllocatableUpdatePeriodSeconds": 9},
        [wrong("spec.nodeAllocatableUpdatePeriodSeconds", INVALID, "greater than or equal to 10 seconds")],
    ),
    Row(
        "secret tokens of none",
        {"spec.serviceAccountTokenInSecrets": True},
        [wrong("spec.serviceAccountTokenInSecrets", INVALID)],
    ),
)


@pytest.mark.parametrize("row", DRIVER_ROWS, ids=lambda row: row.id)
def test_create_driver(row: Row) -> None:
    plain = changed(DRIVER, row.changes)
    check(errors_on_create(CSI_DRIVERS, plain), row.wrong)
    check_defaults_are_stable(CSI_DRIVERS, plain)


def test_defaults_of_a_driver() -> None:
    assert codec.to_plain(created(CSI_DRIVERS, DRIVER))["spec"] == {
        "attachRequired": True,
        "fsGroupPolicy": "ReadWriteOnceWithFSType",
        "podInfoOnMount": False,
        "requiresRepublish": False,
        "seLinuxMount": False,
        "storageCapacity": False,
        "volumeLifecycleModes": ["Persistent"],
    }


def test_update_driver() -> None:
    allowed = Row("", {"spec.podInfoOnMount": True, "spec.storageCapacity": True, "spec.fsGroupPolicy": "File"})
    check(errors_on_update(CSI_DRIVERS, DRIVER, allowed), [])
    row = Row("", {"spec.attachRequired": False, "spec.volumeLifecycleModes": ["Ephemeral"]})
    expected = [wrong("spec.attachRequired", INVALID, "immutable"), wrong("spec.volumeLifecycleModes", INVALID, "immutable")]
    check(errors_on_update(CSI_DRIVERS, DRIVER, row), expected)


NODE: Plain = {"metadata": {"name": "n"}, "spec": {"drivers": [{"name": "a", "nodeID": "n", "topologyKeys": ["zone"]}]}}
D = "spec.drivers[0]"


def test_csi_nodes() -> None:
    check(errors_on_create(CSI_NODES, NODE), [])
    changes: Plain = {
        "spec.drivers": [
            {"name": "", "nodeID": "", "allocatable": {"count": -1}, "topologyKeys": ["a b", "a b"]},
            {"name": "b", "nodeID": "x" * 257},
            {"name": "b", "nodeID": "x"},
        ]
    }
    expected = [
        wrong(f"{D}.name", REQUIRED),
        wrong(f"{D}.nodeID", REQUIRED),
        wrong(f"{D}.allocatable.count", INVALID),
        wrong(f"{D}.topologyKeys[0]", INVALID),
        wrong(f"{D}.topologyKeys[1]", INVALID),
        wrong(f"{D}.topologyKeys[1]", DUPLICATE),
        wrong("spec.drivers[1].nodeID", INVALID, "256 characters or less"),
        wrong("spec.drivers[2].name", DUPLICATE),
    ]
    check(errors_on_create(CSI_NODES, changed(NODE, changes)), expected)


def test_a_driver_of_a_node_changes_its_room_only() -> None:
    check(errors_on_update(CSI_NODES, NODE, Row("", {f"{D}.allocatable": {"count": 4}})), [])
    check(errors_on_update(CSI_NODES, NODE, Row("", {"spec.drivers": []})), [])
    check(errors_on_update(CSI_NODES, NODE, Row("", {f"{D}.nodeID": "m"})), [wrong(D, INVALID, "field is immutable")])


CAPACITY: Plain = {
    "metadata": {"name": "x", "namespace": "default"},
    "storageClassName": "fast",
    "capacity": "1024Mi",
    "nodeTopology": {"matchLabels": {"zone": "a"}},
}


def test_capacities() -> None:
    check(errors_on_create(CSI_STORAGE_CAPACITIES, CAPACITY), [])
    assert created(CSI_STORAGE_CAPACITIES, CAPACITY).capacity == "1Gi"
    changes = {"storageClassName": "", "capacity": "-1", "maximumVolumeSize": "x", "nodeTopology.matchLabels": {"a b": ""}}
    expected = [
        wrong("storageClassName", REQUIRED),
        wrong("capacity", INVALID),
        wrong("maximumVolumeSize", INVALID),
        wrong("nodeTopology.matchLabels", INVALID),
    ]
    check(errors_on_create(CSI_STORAGE_CAPACITIES, changed(CAPACITY, changes)), expected)
    check(errors_on_update(CSI_STORAGE_CAPACITIES, CAPACITY, Row("", {"capacity": "2Gi"})), [])
    row = Row("", {"storageClassName": "slow", "nodeTopology.matchLabels.zone": "b"})
    expected = [wrong("storageClassName", INVALID, "immutable"), wrong("nodeTopology", INVALID, '{"zone":"b"}')]
    check(errors_on_update(CSI_STORAGE_CAPACITIES, CAPACITY, row), expected)


ATTACHMENT: Plain = {
    "metadata": {"name": "x"},
    "spec": {"attacher": "csi.example.com", "nodeName": "n", "source": {"persistentVolumeName": "v"}},
}
INLINE = {"accessModes": ["ReadWriteOnce"], "csi": CSI}
ATTACHMENT_ROWS = (
    Row("right", {}),
    Row("inline", {"spec.source": {"inlineVolumeSpec": INLINE}}),
    Row(
        "nothing",
        {"spec": {}},
        [
            wrong("spec.attacher", REQUIRED),
            wrong("spec.nodeName", REQUIRED),
            wrong("spec.source", REQUIRED, "must specify exactly one of inlineVolumeSpec and persistentVolumeName"),
        ],
    ),
    Row("both", {"spec.source.inlineVolumeSpec": INLINE}, [wrong("spec.source", FORBIDDEN, "exactly one")]),
    Row(
        "inline, with what only volumes have",
        {"spec.source": {"inlineVolumeSpec": {**INLINE, "capacity": {"storage": "1Gi"}}}},
        [wrong("spec.source.inlineVolumeSpec.capacity", FORBIDDEN, "in the context of inline volumes")],
    ),
)


@pytest.mark.parametrize("row", ATTACHMENT_ROWS, ids=lambda row: row.id)
def test_create_attachment(row: Row) -> None:
    plain = changed(ATTACHMENT, row.changes)
    check(errors_on_create(VOLUME_ATTACHMENTS, plain), row.wrong)
    check_defaults_are_stable(VOLUME_ATTACHMENTS, plain)


def test_update_attachment() -> None:
    check(
        errors_on_update(VOLUME_ATTACHMENTS, ATTACHMENT, Row("", {"spec.nodeName": "m"})), [wrong("spec", INVALID, "immutable")]
    )
    old = stored(VOLUME_ATTACHMENTS, ATTACHMENT)
    wanted = changed(codec.to_plain(old), {"status": {"attached": True}, "spec.nodeName": "m"})
    new, found = updated(VOLUME_ATTACHMENTS, old, wanted, "status")
    assert (new.status.attached, new.spec.node_name, found) == (True, "n", [])
    row = Row("", {"status": {"attached": False, "attachError": {"message": "x" * 1025}}}, subresource="status")
    check(errors_on_update(VOLUME_ATTACHMENTS, ATTACHMENT, row), [wrong("status.attachError.message", TOO_LONG)])


def test_who_must_say_which_state_is_replaced() -> None:
    for resource in (CSI_DRIVERS, CSI_NODES, CSI_STORAGE_CAPACITIES, VOLUME_ATTACHMENTS):
        assert not STRATEGIES[resource].allow_unconditional_update
    for resource in (PERSISTENT_VOLUMES, PERSISTENT_VOLUME_CLAIMS, STORAGE_CLASSES):
        assert STRATEGIES[resource].allow_unconditional_update
