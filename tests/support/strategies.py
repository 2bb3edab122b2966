"""Rows for tests of validation: a right object, what is changed in it, and the errors that must follow."""

import copy
import itertools
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from apimachinery import codec
from apimachinery.errors import Cause, FieldError
from apimachinery.resources import Resource
from apiserver.strategy import STRATEGIES

Plain = dict[str, Any]
ABSENT = object()
"""In the place of a value: the field is taken away."""

REQUIRED, INVALID, DUPLICATE = Cause.REQUIRED, Cause.INVALID, Cause.DUPLICATE
FORBIDDEN, UNSUPPORTED, NOT_FOUND = Cause.FORBIDDEN, Cause.NOT_SUPPORTED, Cause.NOT_FOUND
TOO_LONG, TOO_MANY = Cause.TOO_LONG, Cause.TOO_MANY


@dataclass(frozen=True)
class Refusal:
    """An expected error: its path, its cause, and words of its sentence."""

    path: str
    cause: Cause
    says: str = ""


@dataclass(frozen=True)
class Row:
    """`changes` maps paths (`spec.containers[0].image`) to values; an empty `wrong` expects the object to be accepted."""

    id: str
    changes: Mapping[str, Any]
    wrong: Sequence[Refusal] = ()
    subresource: str = ""
    base: Mapping[str, Any] = field(default_factory=dict)
    """Changes that the stored object of an update has already."""


def wrong(path: str, cause: Cause, says: str = "") -> Refusal:
    return Refusal(path, cause, says)


def changed(plain: Plain, changes: Mapping[str, Any]) -> Plain:
    """A copy with other values at some paths; missing parents are made."""
    result = copy.deepcopy(plain)
    for path, value in changes.items():
        steps: list[str | int] = [
            int(step[1:-1]) if step[0] == "[" else step for step in re.findall(r"[^.\[\]]+|\[\d+\]", path)
        ]
        parent: Any = result
        for step, following in itertools.pairwise(steps):
            parent = _entered(parent, step, [] if isinstance(following, int) else {})
        _put(parent, steps[-1], copy.deepcopy(value) if value is not ABSENT else value)
    return result


def created(resource: Resource, plain: Plain) -> Any:
    """The object as a create leaves it before validation."""
    strategy = STRATEGIES[resource]
    obj = codec.convert(resource.cls, plain)
    strategy.default(obj)
    strategy.prepare_create(obj)
    return obj


def errors_on_create(resource: Resource, plain: Plain) -> list[FieldError]:
    obj = created(resource, plain)
    before = codec.encode(obj)
    found = STRATEGIES[resource].validate(obj)
    assert codec.encode(obj) == before, "validation changes nothing"
    return found


def stored(resource: Resource, plain: Plain) -> Any:
    """An object as it is kept, with the marks of the server and the status of `plain`."""
    obj = created(resource, plain)
    obj.metadata.uid = "uid"
    obj.metadata.creation_timestamp = "2026-01-31T12:00:00Z"
    if "status" in plain:
        obj.status = codec.convert(resource.cls, {"status": plain["status"]}).status
    if "deletionTimestamp" in plain.get("metadata", {}):
        obj.metadata.deletion_timestamp = plain["metadata"]["deletionTimestamp"]
    return obj


def updated(resource: Resource, old: Any, plain: Plain, subresource: str = "") -> tuple[Any, list[FieldError]]:
    """The object that an update would store, and what is wrong with it."""
    strategy = STRATEGIES[resource]
    before = codec.encode(old)
    new = codec.convert(resource.cls, plain)
    strategy.default(new)
    strategy.prepare_update(new, old, subresource)
    found = strategy.validate_update(new, old, subresource)
    assert codec.encode(old) == before, "the stored object is read-only"
    return new, found


def errors_on_update(resource: Resource, plain: Plain, row: Row) -> list[FieldError]:
    """What is wrong with an update by `row` of the stored `plain`."""
    old = stored(resource, changed(plain, row.base))
    return updated(resource, old, changed(codec.to_plain(old), row.changes), row.subresource)[1]


def check(found: Sequence[FieldError], expected: Sequence[Refusal]) -> None:
    """Exactly the expected errors, whatever their order, each with its words."""
    assert sorted((each.path, each.cause) for each in found) == sorted((each.path, each.cause) for each in expected), found
    for refusal in expected:
        sentences = [each.message for each in found if (each.path, each.cause) == (refusal.path, refusal.cause)]
        assert any(refusal.says in sentence for sentence in sentences), (refusal, sentences)


def check_defaults_are_stable(resource: Resource, plain: Plain) -> None:
    """Defaulting twice is defaulting once, also after a round trip through bytes."""
    strategy = STRATEGIES[resource]
    obj = codec.convert(resource.cls, plain)
    strategy.default(obj)
    once = codec.encode(obj)
    strategy.default(obj)
    assert codec.encode(obj) == once
    again = codec.decode(resource.cls, once)
    strategy.default(again)
    assert codec.encode(again) == once


def _entered(parent: Any, step: str | int, empty: Any) -> Any:
    if isinstance(step, int):
        while len(parent) <= step:
            parent.append(copy.deepcopy(empty))
        return parent[step]
    if parent.get(step) is None:
        parent[step] = empty
    return parent[step]


def _put(parent: Any, step: str | int, value: Any) -> None:
    if value is ABSENT:
        del parent[step]
    elif isinstance(step, int) and step == len(parent):
        parent.append(value)
    else:
        parent[step] = value
