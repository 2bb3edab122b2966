"""Descriptions of volumes, of claims to them, and of the classes that they belong to."""

from apimachinery.printing.storage import access_modes, is_default_class, phase, storage_class_of
from apimachinery.times import age_s, human_duration
from kctl.describe.common import (
    Plain,
    Surroundings,
    annotations,
    conditions,
    events,
    heading,
    labels,
    metadata_of,
)
from kctl.describe.pods import volume_source
from kctl.describe.text import Page

_CONDITION_COLUMNS = (
    ("Type", "type"),
    ("Status", "status"),
    ("LastProbeTime", "lastProbeTime"),
    ("LastTransitionTime", "lastTransitionTime"),
    ("Reason", "reason"),
    ("Message", "message"),
)
_NO_SOURCES = (
    "accessModes",
    "capacity",
    "claimRef",
    "mountOptions",
    "nodeAffinity",
    "persistentVolumeReclaimPolicy",
    "storageClassName",
    "volumeAttributesClassName",
    "volumeMode",
)


def describe_persistent_volume(volume: Plain, around: Surroundings) -> Page:
    page, spec, metadata = Page(), volume.get("spec") or {}, metadata_of(volume)
    heading(page, volume, namespaced=False)
    labels(page, metadata.get("labels"))
    annotations(page, metadata.get("annotations"))
    page.field("Finalizers", _listed(metadata.get("finalizers")))
    page.field("StorageClass", storage_class_of(volume))
    page.field("Status", _status(volume, around))
    claim = spec.get("claimRef")
    page.field("Claim", f"{claim.get('namespace', '')}/{claim.get('name', '')}" if claim else "")
    page.field("Reclaim Policy", spec.get("persistentVolumeReclaimPolicy", ""))
    page.field("Access Modes", access_modes(spec.get("accessModes")))
    page.optional("VolumeMode", spec.get("volumeMode"))
    page.field("Capacity", (spec.get("capacity") or {}).get("storage", "0"))
    _node_affinity(page, spec)
    page.field("Message", (volume.get("status") or {}).get("message") or "")
    page.line("Source:")
    for kind, source in spec.items():
        if kind not in _NO_SOURCES:
            volume_source(page, kind, source or {})
    events(page, around)
    return page


def describe_persistent_volume_claim(claim: Plain, around: Surroundings) -> Page:
    """`around.of("pods")`: the pods in its namespace."""
    page, spec, status, metadata = Page(), claim.get("spec") or {}, claim.get("status") or {}, metadata_of(claim)
    heading(page, claim)
    page.field("StorageClass", storage_class_of(claim))
    page.field("Status", _status(claim, around))
    page.field("Volume", spec.get("volumeName") or "")
    labels(page, metadata.get("labels"))
    annotations(page, metadata.get("annotations"))
    page.field("Finalizers", _listed(metadata.get("finalizers")))
    bound = bool(spec.get("volumeName"))
    page.field("Capacity", (status.get("capacity") or {}).get("storage", "0") if bound else "")
    page.field("Access Modes", access_modes(status.get("accessModes")) if bound else "")
    page.optional("VolumeMode", spec.get("volumeMode"))
    if source := spec.get("dataSource"):
        page.line("DataSource:")
        page.field("APIGroup", source.get("apiGroup") or "", 1)
        page.field("Kind", source.get("kind", ""), 1)
        page.field("Name", source.get("name", ""), 1)
    name = metadata.get("name")
    page.fields("Used By", [metadata_of(pod).get("name", "") for pod in around.of("pods") if name in _claims_of(pod)])
    conditions(page, status.get("conditions") or (), _CONDITION_COLUMNS)
    events(page, around)
    return page


def describe_claim_template(claim: Plain) -> Page:
    """What a StatefulSet claims for each of its pods."""
    page, spec, metadata = Page(), claim.get("spec") or {}, metadata_of(claim)
    page.field("Name", metadata.get("name", ""))
    page.field("StorageClass", storage_class_of(claim))
    labels(page, metadata.get("labels"))
    annotations(page, metadata.get("annotations"))
    page.field("Capacity", ((spec.get("resources") or {}).get("requests") or {}).get("storage", "<default>"))
    page.field("Access Modes", _listed(spec.get("accessModes")))
    return page


def describe_storage_class(storage_class: Plain, around: Surroundings) -> Page:
    page, metadata = Page(), metadata_of(storage_class)
    heading(page, storage_class, namespaced=False)
    page.field("IsDefaultClass", "Yes" if is_default_class(storage_class) else "No")
    annotations(page, metadata.get("annotations"))
    page.field("Provisioner", storage_class.get("provisioner", ""))
    parameters = storage_class.get("parameters") or {}
    page.field("Parameters", ",".join(f"{key}={value}" for key, value in sorted(parameters.items())) or "<none>")
    expansion = storage_class.get("allowVolumeExpansion")
    page.field("AllowVolumeExpansion", "<unset>" if expansion is None else expansion)
    page.fields("MountOptions", list(storage_class.get("mountOptions") or ()))
    page.field("ReclaimPolicy", storage_class.get("reclaimPolicy", ""))
    page.field("VolumeBindingMode", storage_class.get("volumeBindingMode", ""))
    for number, term in enumerate(storage_class.get("allowedTopologies") or ()):
        if not number:
            page.line("AllowedTopologies:")
        texts = [
            f"{each.get('key', '')} in [{', '.join(each.get('values') or ())}]"
            for each in term.get("matchLabelExpressions") or ()
        ]
        page.fields(f"Term {number}", texts, 1)
    events(page, around)
    return page


def _status(obj: Plain, around: Surroundings) -> str:
    deleted = metadata_of(obj).get("deletionTimestamp")
    if deleted:
        return f"Terminating (lasts {human_duration(max(age_s(deleted, around.now) or 0.0, 0.0))})"
    return phase(obj)


def _node_affinity(page: Page, spec: Plain) -> None:
    terms = ((spec.get("nodeAffinity") or {}).get("required") or {}).get("nodeSelectorTerms") or ()
    if not page.section("Node Affinity", not terms):
        return
    page.line("Required Terms:", 1)
    for number, term in enumerate(terms):
        texts = [
            f"{each.get('key', '')} {str(each.get('operator', '')).lower()} [{', '.join(each.get('values') or ())}]"
            for each in term.get("matchExpressions") or ()
        ]
        page.fields(f"Term {number}", texts, 2)


def _claims_of(pod: Plain) -> list[str]:
    """Names of the claims that a pod mounts, those made for it included."""
    found = []
    for volume in (pod.get("spec") or {}).get("volumes") or ():
        if volume.get("persistentVolumeClaim"):
            found.append(volume["persistentVolumeClaim"].get("claimName", ""))
        elif volume.get("ephemeral"):
            found.append(f"{metadata_of(pod).get('name', '')}-{volume.get('name', '')}")
    return found


def _listed(values: object) -> str:
    """`[a b]`"""
    return f"[{' '.join(map(str, values))}]" if isinstance(values, list) else "[]"
