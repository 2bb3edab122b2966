"""Rules for metadata: names, labels, annotations, owners, finalizers, and what an update may not change.

Source: the Kubernetes pages "Object Names and IDs", "Labels and Selectors", "Annotations", "Owners and Dependents" and
"Finalizers".
"""

from collections.abc import Mapping, Sequence

from apimachinery import names
from apimachinery.errors import FieldError
from apimachinery.kinds.meta import ObjectMeta, OwnerReference
from apiserver.strategy.checks import Errors, named, not_negative, required, unchanged

ANNOTATIONS_BYTES_MAX = 256 << 10
FOREGROUND = "foregroundDeletion"
ORPHAN = "orphan"
_STANDARD_FINALIZERS = (FOREGROUND, ORPHAN, "kubernetes")


def validate_meta(meta: ObjectMeta, *, namespaced: bool, name_rule: names.NameRule, path: str = "metadata") -> Errors:
    """Rules for the metadata of a whole object."""
    if meta.generate_name:
        for problem in names.generated(name_rule, meta.generate_name):
            yield FieldError.invalid(f"{path}.generateName", meta.generate_name, problem)
    if meta.name:
        yield from named(f"{path}.name", meta.name, name_rule)
    else:
        yield FieldError.required(f"{path}.name", "name or generateName is required")
    yield from _validate_namespace(meta.namespace, namespaced, f"{path}.namespace")
    yield from not_negative(f"{path}.generation", meta.generation)
    yield from validate_labels(meta.labels, f"{path}.labels")
    yield from validate_annotations(meta.annotations, f"{path}.annotations")
    yield from _validate_owners(meta.owner_references, f"{path}.ownerReferences")
    yield from _validate_finalizers(meta.finalizers, f"{path}.finalizers")


def validate_template_meta(meta: ObjectMeta, path: str) -> Errors:
    """Rules for the metadata of a template, which has no name of its own."""
    yield from validate_labels(meta.labels, f"{path}.labels")
    yield from validate_annotations(meta.annotations, f"{path}.annotations")
    yield from _validate_finalizers(meta.finalizers, f"{path}.finalizers")


def validate_meta_update(new: ObjectMeta, old: ObjectMeta, path: str = "metadata") -> Errors:
    """What an update may not change."""
    for attribute, wire_name in _IMMUTABLE:
        yield from unchanged(f"{path}.{wire_name}", getattr(new, attribute), getattr(old, attribute))
    if old.deletion_timestamp:
        added = [each for each in new.finalizers if each not in old.finalizers]
        if added:
            detail = f"no new finalizers can be added if the object is being deleted, found new finalizers {added}"
            yield FieldError.forbidden(f"{path}.finalizers", detail)


_IMMUTABLE = (
    ("name", "name"),
    ("namespace", "namespace"),
    ("uid", "uid"),
    ("creation_timestamp", "creationTimestamp"),
    ("deletion_timestamp", "deletionTimestamp"),
    ("deletion_grace_period_seconds", "deletionGracePeriodSeconds"),
)


def clear_for_create(meta: ObjectMeta) -> None:
    """Drop what only the server sets, whatever the client sent."""
    meta.deletion_timestamp = None
    meta.deletion_grace_period_seconds = None
    meta.generation = None
    meta.self_link = ""


def carry_over(new: ObjectMeta, old: ObjectMeta) -> None:
    """Take from the stored object what the server set and the client may leave out; what differs is refused later."""
    new.uid = new.uid or old.uid
    new.creation_timestamp = new.creation_timestamp or old.creation_timestamp
    new.deletion_timestamp = new.deletion_timestamp or old.deletion_timestamp
    if new.deletion_grace_period_seconds is None:
        new.deletion_grace_period_seconds = old.deletion_grace_period_seconds
    new.generation = old.generation
    new.generate_name = new.generate_name or old.generate_name
    new.self_link = ""


def validate_labels(labels: Mapping[str, str], path: str) -> Errors:
    for key, value in labels.items():
        yield from named(path, key, names.qualified_name)
        yield from named(path, value, names.label_value)


def validate_annotations(annotations: Mapping[str, str], path: str) -> Errors:
    size_bytes = 0
    for key, value in annotations.items():
        for problem in names.qualified_name(key.lower()):
            yield FieldError.invalid(path, key, problem)
        size_bytes += len(key.encode()) + len(value.encode())
    if size_bytes > ANNOTATIONS_BYTES_MAX:
        yield FieldError.too_long(path, ANNOTATIONS_BYTES_MAX)


def _validate_namespace(namespace: str, namespaced: bool, path: str) -> Errors:
    if not namespaced:
        if namespace:
            yield FieldError.forbidden(path, "not allowed on this type")
    elif namespace:
        yield from named(path, namespace, names.dns_1123_label)
    else:
        yield FieldError.required(path)


def _validate_owners(owners: Sequence[OwnerReference], path: str) -> Errors:
    controllers = []
    for index, owner in enumerate(owners):
        where = f"{path}[{index}]"
        if not owner.api_version or owner.api_version.count("/") > 1 or not owner.api_version.rpartition("/")[2]:
            yield FieldError.invalid(f"{where}.apiVersion", owner.api_version, "version must not be empty")
        if owner.api_version == "v1" and owner.kind == "Event":
            yield FieldError.invalid(where, owner.kind, "v1, Kind=Event is disallowed from being an owner")
        for name, value in (("kind", owner.kind), ("name", owner.name), ("uid", owner.uid)):
            if not value:
                yield FieldError.invalid(f"{where}.{name}", value, "must not be empty")
        if owner.controller:
            controllers.append(f"{owner.kind}/{owner.name}")
    if len(controllers) > 1:
        detail = f"Only one reference can have Controller set to true. Found {', '.join(controllers)}"
        yield FieldError.invalid(path, controllers[1], detail)


def _validate_finalizers(finalizers: Sequence[str], path: str) -> Errors:
    for index, name in enumerate(finalizers):
        yield from validate_finalizer_name(name, f"{path}[{index}]")
    if FOREGROUND in finalizers and ORPHAN in finalizers:
        yield FieldError.invalid(path, list(finalizers), f"finalizer {ORPHAN} and {FOREGROUND} cannot be both set")


def validate_finalizer_name(name: str, path: str) -> Errors:
    """A finalizer is a qualified name, with its owner's domain unless it is one of the standard ones."""
    yield from required(path, name)
    yield from named(path, name, names.qualified_name) if name else ()
    if name and "/" not in name and name not in _STANDARD_FINALIZERS:
        yield FieldError.invalid(path, name, "name is neither a standard finalizer name nor is it fully qualified")
