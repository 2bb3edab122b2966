"""Server-side apply: a configuration becomes part of an object, and its fields the applier's.

In this order: the configuration is laid over the live object; what the applier set before, does not set now and nobody else
owns is taken out; whatever then differs from the live object and belongs to somebody else is a conflict, unless forced;
everyone loses what has changed or gone, and the applier's entry is what its configuration gives. Equal values never conflict:
such fields have several owners. Nulls in a configuration count as not given.
Source: the Kubernetes page "Server-Side Apply".
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

from apimachinery import errors
from apimachinery.apply import client_side, merging
from apimachinery.apply.elements import FIELD, SELF
from apimachinery.apply.fields import NO_FIELDS, FieldSet, Node, Path, path_text
from apimachinery.apply.managers import (
    APPLY,
    NEVER_OWNED,
    UPDATE,
    Held,
    Identity,
    Table,
    entries_of,
    identify,
    table_of,
)
from apimachinery.apply.shapes import FREE, Form, Shape
from apimachinery.apply.tracking import first_managers
from apimachinery.apply.versions import OneVersion, Versions, changes_by_version, known, lost_in_versions, united, without
from apimachinery.apply.walking import Difference, bounded_depth, fields_of, member_shape, places_of
from apimachinery.errors import ApiError, Reason
from apimachinery.kinds.meta import ManagedFieldsEntry, Status, StatusCause, StatusDetails

CONFLICT_CAUSE = "FieldManagerConflict"


class Applied(NamedTuple):
    """The object after an apply, without metadata.managedFields, and those entries."""

    object: dict[str, Any]
    managed_fields: list[ManagedFieldsEntry]


@dataclass(frozen=True)
class Conflict:
    """A field that an apply would change and that belongs to somebody else."""

    path: Path
    manager: str
    operation: str
    api_version: str
    subresource: str
    time: str | None

    @property
    def field(self) -> str:
        return path_text(self.path)

    @property
    def owner(self) -> str:
        """The manager as messages name it."""
        text = f'"{self.manager}"'
        if self.subresource:
            text += f' with subresource "{self.subresource}"'
        return f"{text} using {self.api_version}" if self.operation == UPDATE else text


class ApplyConflict(ApiError):  # noqa: N818 - named as the API names it
    """An apply that would change fields of other managers (409 Conflict); `conflicts` says which and whose."""

    def __init__(self, conflicts: Sequence[Conflict]) -> None:
        causes = [
            StatusCause(reason=CONFLICT_CAUSE, message=f"conflict with {each.owner}", field=each.field) for each in conflicts
        ]
        super().__init__(
            Status(
                status="Failure",
                code=409,
                reason=str(Reason.CONFLICT),
                message=_sentence(conflicts),
                details=StatusDetails(causes=causes),
            )
        )
        self.conflicts = tuple(conflicts)


@bounded_depth
def apply(
    live: Mapping[str, Any] | None,
    applied: Mapping[str, Any],
    managers: Sequence[ManagedFieldsEntry],
    *,
    manager: str,
    shape: Shape,
    now: str,
    api_version: str,
    force: bool = False,
    subresource: str = "",
    ignored: FieldSet = NO_FIELDS,
    versions: Versions | None = None,
) -> Applied:
    """`live` (None: there is none yet) after `manager` applied a configuration, all plain data of `api_version`.

    `managers` are the live object's entries; `ignored` are fields that this write cannot touch: they are taken from neither the
    configuration nor its ownership. `versions` are those of the kind, where they have paths of their own. Raises ApplyConflict,
    and ApiError (400) for a configuration that cannot be applied.
    """
    _require_applicable(applied, shape, api_version)
    before = _without_managed(live) if live is not None else dict(shape.blank)
    if live is not None and not managers:
        managers = first_managers(shape, before, now=now, api_version=api_version, ignored=ignored)
    wanted = _without_fields(_without_nulls(applied), ignored.tree)
    writer = identify(manager, APPLY, api_version, subresource)
    views = versions or OneVersion(api_version, shape)
    table, taken_over = client_side.inherited(before, known(table_of(managers), views), manager)
    table = {identity: _fitting(held, views.shape(views.of(held.api_version)) or shape) for identity, held in table.items()}
    others = {identity: held for identity, held in table.items() if identity != writer}
    given_up = united((*taken_over, *(held for identity, held in table.items() if identity == writer)), views)
    fields = fields_of(shape, wanted)
    owned = united((*others.values(), Held(fields, api_version, now)), views)
    after = merging.merged(shape, before, wanted)
    # Empty lists are nobody's, but what the configuration says stands in the object.
    places, kept = partial(places_of, shape, wanted), client_side.kept(manager)
    after = without(after, given_up, owned, api_version, views, kept=kept, places=places)
    changes = changes_by_version(views, before, after, {api_version, *owned})
    if not force:
        _require_no_conflict(shape, before, others, writer, changes, api_version, views)
    result = lost_in_versions(others, changes, views)
    fields = fields.difference(NEVER_OWNED)
    if fields:
        result[writer] = _held(table.get(writer), fields, api_version, now, unchanged=not changes[api_version])
    return Applied(client_side.with_last_applied(after, wanted, manager), entries_of(result))


def _held(previous: Held | None, fields: FieldSet, api_version: str, now: str, *, unchanged: bool) -> Held:
    if previous is not None and unchanged and previous.api_version == api_version and previous.fields == fields:
        return previous
    return Held(fields, api_version, now)


def _require_no_conflict(
    shape: Shape,
    live: Mapping[str, Any],
    others: Table,
    writer: Identity,
    changes: Mapping[str, Difference],
    api_version: str,
    versions: Versions,
) -> None:
    changed = {version: FieldSet(each.changed) for version, each in changes.items()}
    found = [
        (identity, held, held.fields.intersection(changed[versions.of(held.api_version)])) for identity, held in others.items()
    ]
    if not any(fields for _, _, fields in found):
        return
    allowed = client_side.allowed_conflicts(shape, live, writer.manager, api_version)
    conflicts = [
        Conflict(path, identity.manager, identity.operation, held.api_version, identity.subresource, held.time)
        for identity, held, fields in sorted(found, key=lambda each: each[0])
        for path in (fields.difference(allowed) if versions.of(held.api_version) == api_version else fields)
    ]
    if conflicts:
        raise ApplyConflict(conflicts)


def _sentence(conflicts: Sequence[Conflict]) -> str:
    if len(conflicts) == 1:
        return f"Apply failed with 1 conflict: conflict with {conflicts[0].owner}: {conflicts[0].field}"
    by_owner: dict[str, list[str]] = {}
    for each in conflicts:
        by_owner.setdefault(each.owner, []).append(f"- {each.field}")
    parts = [f"conflicts with {owner}:\n" + "\n".join(lines) for owner, lines in by_owner.items()]
    return f"Apply failed with {len(conflicts)} conflicts: " + "\n".join(parts)


def _require_applicable(applied: Mapping[str, Any], shape: Shape, api_version: str) -> None:
    if not isinstance(applied, dict) or not isinstance(applied.get("metadata", {}), dict | None):
        raise errors.bad_request("an apply configuration is an object with metadata")
    given = applied.get("apiVersion")
    if given != api_version:
        raise errors.bad_request(
            f"Incorrect version specified in apply patch. Specified patch version: {given or ''}, expected: {api_version}"
        )
    metadata = applied.get("metadata") or {}
    if metadata.get("managedFields") is not None:
        raise errors.bad_request("metadata.managedFields must be nil")
    wrong = merging.problems(shape, _without_nulls(applied))
    if wrong:
        subject = "/".join(part for part in (metadata.get("namespace"), metadata.get("name")) if isinstance(part, str))
        kind = f"{api_version}, Kind={applied.get('kind', '')}"
        raise errors.bad_request(f"failed to create typed patch object ({subject}; {kind}): {_listed(wrong)}")


def _listed(problems: Sequence[str]) -> str:
    return problems[0] if len(problems) == 1 else "errors:\n" + "\n".join(f"  {problem}" for problem in problems)


def _fitting(held: Held, shape: Shape) -> Held:
    """What is held, in the paths that `shape` has now: who holds a part of what has become atomic holds it all."""
    tree = _fitted(shape, held.fields.tree)
    return held if tree is held.fields.tree else held.with_fields(FieldSet(tree))


def _fitted(shape: Shape, node: Node) -> Node:
    if not node:
        return node
    if shape.form is Form.LEAF:
        return {}
    result = {
        element: child if element == SELF else _fitted(_shape_below(shape, element), child) for element, child in node.items()
    }
    return node if all(result[element] is child for element, child in node.items()) else result


def _shape_below(shape: Shape, element: str) -> Shape:
    if element.startswith(FIELD):
        return member_shape(shape, element.removeprefix(FIELD))
    return shape.element or FREE


def _without_managed(plain: Mapping[str, Any]) -> dict[str, Any]:
    metadata = plain.get("metadata")
    if not isinstance(metadata, Mapping) or "managedFields" not in metadata:
        return dict(plain)
    return {**plain, "metadata": {key: value for key, value in metadata.items() if key != "managedFields"}}


def _without_fields(plain: Mapping[str, Any], ignored: Node) -> dict[str, Any]:
    """Plain data without the fields of a set of named fields."""
    result = {}
    for name, value in plain.items():
        node = ignored.get(f"f:{name}")
        if node is None:
            result[name] = value
        elif node and isinstance(value, dict):
            result[name] = _without_fields(value, node)
    return result


def _without_nulls(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_nulls(item) for key, item in value.items() if item is not None}
    if isinstance(value, list):
        return [_without_nulls(item) for item in value]
    return value
