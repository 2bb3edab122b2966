"""Volumes of pods: one source each, and what each source needs."""

from typing import Any

import pytest

from apimachinery.resources import PODS
from tests.support.strategies import (
    DUPLICATE,
    FORBIDDEN,
    INVALID,
    REQUIRED,
    UNSUPPORTED,
    Row,
    changed,
    check,
    check_defaults_are_stable,
    errors_on_create,
    wrong,
)

Plain = dict[str, Any]
PLAIN: Plain = {
    "metadata": {"name": "a", "namespace": "default"},
    "spec": {"containers": [{"name": "c", "image": "busybox:1"}]},
}
V = "spec.volumes[0]"
SOURCES = f"{V}.projected.sources"


def volume(**source: Any) -> Plain:
    return {"spec.volumes": [{"name": "v", **source}]}


def projected(*sources: Plain) -> Plain:
    return volume(projected={"sources": list(sources)})


CLAIM = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}

ROWS = (
    Row("no name", {"spec.volumes": [{}]}, [wrong(f"{V}.name", REQUIRED)]),
    Row("a name with a dot", {"spec.volumes": [{"name": "a.b"}]}, [wrong(f"{V}.name", INVALID)]),
    Row("a name twice", {"spec.volumes": [{"name": "v"}, {"name": "v"}]}, [wrong("spec.volumes[1].name", DUPLICATE)]),
    Row("no source is an empty directory", volume()),
    Row(
        "two sources",
        volume(emptyDir={}, secret={"secretName": "x"}),
        [wrong(f"{V}.secret", FORBIDDEN, "more than 1 volume type")],
    ),
    Row("an empty directory", volume(emptyDir={"medium": "Memory", "sizeLimit": "1Gi"})),
    Row("one of wrong size", volume(emptyDir={"sizeLimit": "-1"}), [wrong(f"{V}.emptyDir.sizeLimit", INVALID)]),
    Row("one of another medium", volume(emptyDir={"medium": "Paper"}), [wrong(f"{V}.emptyDir.medium", UNSUPPORTED)]),
    Row("a path of the host", volume(hostPath={"path": "/var", "type": "Directory"})),
    Row("no path", volume(hostPath={"path": ""}), [wrong(f"{V}.hostPath.path", REQUIRED)]),
    Row(
        "a path with a way out",
        volume(hostPath={"path": "/var/../etc"}),
        [wrong(f"{V}.hostPath.path", INVALID, "must not contain '..'")],
    ),
    Row("a path's type", volume(hostPath={"path": "/", "type": "Pipe"}), [wrong(f"{V}.hostPath.type", UNSUPPORTED)]),
    Row("a secret", volume(secret={"secretName": "x", "items": [{"key": "k", "path": "a/b", "mode": 0o400}]})),
    Row("no secret", volume(secret={}), [wrong(f"{V}.secret.secretName", REQUIRED)]),
    Row(
        "a mode",
        volume(secret={"secretName": "x", "defaultMode": 0o1000}),
        [wrong(f"{V}.secret.defaultMode", INVALID, "0777 (octal)")],
    ),
    Row(
        "a file's key, path and mode",
        volume(configMap={"name": "x", "items": [{"key": "", "path": "../k", "mode": -1}]}),
        [
            wrong(f"{V}.configMap.items[0].key", REQUIRED),
            wrong(f"{V}.configMap.items[0].path", INVALID, "must not contain '..'"),
            wrong(f"{V}.configMap.items[0].mode", INVALID),
        ],
    ),
    Row(
        "a file of the volume's own",
        volume(configMap={"name": "x", "items": [{"key": "k", "path": "..data"}]}),
        [wrong(f"{V}.configMap.items[0].path", INVALID, "must not start with '..'")],
    ),
    Row("no map", volume(configMap={}), [wrong(f"{V}.configMap.name", REQUIRED)]),
    Row("the pod's own fields", volume(downwardAPI={"items": [{"path": "l", "fieldRef": {"fieldPath": "metadata.labels"}}]})),
    Row(
        "no field",
        volume(downwardAPI={"items": [{"path": "l"}]}),
        [wrong(f"{V}.downwardAPI.items[0]", REQUIRED, "one of fieldRef and resourceFieldRef")],
    ),
    Row(
        "a field only for the environment",
        volume(downwardAPI={"items": [{"path": "l", "fieldRef": {"fieldPath": "status.podIP"}}]}),
        [wrong(f"{V}.downwardAPI.items[0].fieldRef.fieldPath", UNSUPPORTED)],
    ),
    Row(
        "a resource of no container",
        volume(downwardAPI={"items": [{"path": "l", "resourceFieldRef": {"resource": "limits.cpu"}}]}),
        [wrong(f"{V}.downwardAPI.items[0].resourceFieldRef.containerName", REQUIRED)],
    ),
    Row(
        "projected", projected({"secret": {"name": "x"}}, {"configMap": {"name": "x"}}, {"serviceAccountToken": {"path": "t"}})
    ),
    Row("projected nothing", projected({}), [wrong(f"{SOURCES}[0]", REQUIRED)]),
    Row(
        "projected two at once",
        projected({"secret": {"name": "x"}, "configMap": {"name": ""}}),
        [wrong(f"{SOURCES}[0].configMap", FORBIDDEN), wrong(f"{SOURCES}[0].configMap.name", REQUIRED)],
    ),
    Row(
        "projected onto one path",
        projected({"serviceAccountToken": {"path": "t"}}, {"secret": {"name": "x", "items": [{"key": "k", "path": "t"}]}}),
        [wrong(f"{SOURCES}[1]", INVALID, "conflicting duplicate paths")],
    ),
    Row(
        "a token that lives too shortly",
        projected({"serviceAccountToken": {"path": "t", "expirationSeconds": 599}}),
        [wrong(f"{SOURCES}[0].serviceAccountToken.expirationSeconds", INVALID, "10 minutes")],
    ),
    Row(
        "a trust bundle by name and signer",
        projected({"clusterTrustBundle": {"name": "x", "signerName": "y", "path": "p"}}),
        [wrong(f"{SOURCES}[0].clusterTrustBundle", REQUIRED)],
    ),
    Row("a claim", volume(persistentVolumeClaim={"claimName": "x"})),
    Row("no claim", volume(persistentVolumeClaim={"claimName": ""}), [wrong(f"{V}.persistentVolumeClaim.claimName", REQUIRED)]),
    Row(
        "a claim's name",
        volume(persistentVolumeClaim={"claimName": "A"}),
        [wrong(f"{V}.persistentVolumeClaim.claimName", INVALID)],
    ),
    Row("a claim of its own", volume(ephemeral={"volumeClaimTemplate": {"spec": CLAIM}})),
    Row("no template", volume(ephemeral={}), [wrong(f"{V}.ephemeral.volumeClaimTemplate", REQUIRED)]),
    Row(
        "an empty template",
        volume(ephemeral={"volumeClaimTemplate": {"spec": {}}}),
        [
            wrong(f"{V}.ephemeral.volumeClaimTemplate.spec.accessModes", REQUIRED),
            wrong(f"{V}.ephemeral.volumeClaimTemplate.spec.resources[storage]", REQUIRED),
        ],
    ),
    Row("NFS", volume(nfs={"server": "s", "path": "/p"})),
    Row(
        "NFS without server",
        volume(nfs={"server": "", "path": "p"}),
        [wrong(f"{V}.nfs.server", REQUIRED), wrong(f"{V}.nfs.path", INVALID)],
    ),
    Row("CSI without driver", volume(csi={"driver": ""}), [wrong(f"{V}.csi.driver", REQUIRED)]),
    Row("an image", volume(image={"reference": "busybox:1"})),
    Row(
        "an image's policy", volume(image={"reference": "x", "pullPolicy": "No"}), [wrong(f"{V}.image.pullPolicy", UNSUPPORTED)]
    ),
    Row("RBD without image", volume(rbd={"monitors": ["m"], "image": ""}), [wrong(f"{V}.rbd.image", REQUIRED)]),
)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.id)
def test_create(row: Row) -> None:
    plain = changed(PLAIN, row.changes)
    check(errors_on_create(PODS, plain), row.wrong)
    check_defaults_are_stable(PODS, plain)
