"""The policies of one family (validating or mutating) that are in force, by what they are about.

Policies and bindings are followed by way of the watch caches: they are compiled when a cache shows another view than last time,
and what has not changed is not compiled again. A write of one is answered once this server's cache shows it (`settled`).
Without any policy in force a request pays for a few comparisons. Parameters, too, are taken as the caches have them.

Source: the Kubernetes pages "Validating Admission Policy" and "Mutating Admission Policy".
"""

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeVar

import msgspec

from apimachinery import codec, labels
from apimachinery.errors import ApiError
from apimachinery.kinds import ParamRef
from apimachinery.resources import NAMESPACES, Resource, ResourceTable
from apiserver.core import forms
from apiserver.core.admission_policies import Binding, Rules
from apiserver.core.admission_requests import Situation
from apiserver.core.admission_rules import Matcher, concerns, matched_row, selects
from apiserver.core.request import Request
from apiserver.ports import Authorizer
from apiserver.registry.current import Reader

log = logging.getLogger(__name__)

NO_PARAMETERS: tuple[object, ...] = (None,)
PolicyT = TypeVar("PolicyT", bound=Rules)


class Entry(Protocol):
    @property
    def key(self) -> bytes: ...

    @property
    def data(self) -> bytes: ...

    @property
    def revision(self) -> int: ...


class Stored(Protocol):
    """The objects of one kind as this server's watch cache has them."""

    def view(self) -> Sequence[Entry]:
        """All of them in the order of their names; the same object as long as nothing has changed."""
        ...

    async def wait_for(self, revision: int) -> None:
        """Wait until the cache is as new as this; raises when that takes too long."""
        ...


@dataclass(frozen=True)
class Family(Generic[PolicyT]):
    """Where the policies of a family and their bindings are stored, and how they are compiled."""

    policies: Resource
    bindings: Resource
    compile_policy: Callable[[Any], PolicyT]
    compile_binding: Callable[[Any], Binding]


class MisconfiguredError(Exception):
    """A binding's parameters cannot be found; the text says why."""


class PolicyIndex(Generic[PolicyT]):
    """All policies of a family."""

    def __init__(
        self,
        family: Family[PolicyT],
        reader: Reader,
        stored: Mapping[Resource, Stored],
        *,
        table: ResourceTable,
        authorizer: Authorizer,
    ) -> None:
        self._family = family
        self._reader = reader
        self._policies = stored[family.policies]
        self._bindings = stored[family.bindings]
        self._table = table
        self._authorizer = authorizer
        self._seen: tuple[object, object, object] = ((), (), ())
        self._in_force: tuple[tuple[PolicyT, tuple[Binding, ...]], ...] = ()
        self._about: dict[tuple[str, str, str, str, str], tuple[tuple[PolicyT, tuple[Binding, ...]], ...]] = {}
        self._equivalent: dict[tuple[str, str, str], tuple[Resource, ...]] = {}
        self._compiled: dict[tuple[bytes, int], Any] = {}

    def concerned(self, request: Request, operation: str) -> bool:
        """Whether any policy may be about such a request."""
        policies, bindings, rows = self._policies.view(), self._bindings.view(), self._table.rows
        seen = self._seen
        if policies is not seen[0] or bindings is not seen[1] or rows is not seen[2]:
            self._seen = (policies, bindings, rows)
            self._follow(policies, bindings)
        return bool(self._in_force) and bool(self._candidates(request, operation))

    async def settled(self, resource: Resource, revision: int) -> None:
        """Wait until a policy or binding that was written takes effect here; at once for what is neither."""
        if resource == self._family.policies:
            await self._policies.wait_for(revision)
        elif resource == self._family.bindings:
            await self._bindings.wait_for(revision)

    async def situation(self, request: Request, operation: str, options: bytes, new: Any, old: Any) -> Situation:
        """The request as policies see it; `options` are its own as JSON, empty for none."""
        situation = Situation(request, operation, options, new, old, self._authorizer.decide)
        namespace = await self._namespace(situation)
        situation.namespace = None if namespace is None else msgspec.json.decode(namespace)
        return situation

    def about(self, situation: Situation) -> Iterator[tuple[PolicyT, Binding, Resource]]:
        """The policies in force that are about it, once for each binding, and the row in whose form they look at it."""
        for policy, bindings in self._candidates(situation.request, situation.operation):
            shown = self._matched(policy.matcher, situation)
            if shown is not None:
                for binding in bindings:
                    if self._matched(binding.matcher, situation) is not None:
                        yield policy, binding, shown

    def parameters(self, policy: PolicyT, binding: Binding, situation: Situation) -> Sequence[object]:
        """The objects of parameters, each of which the policy is judged with; raises MisconfiguredError."""
        kind, reference = policy.param_kind, binding.param_ref
        if kind is None or reference is None:
            return NO_PARAMETERS
        row = self._table.by_kind(kind.api_version, kind.kind)
        if row is None:
            raise MisconfiguredError(f"paramKind kind `{kind.api_version}, Kind={kind.kind}` not known")
        found = self._referred(row, reference, situation.request.namespace)
        if not found and reference.parameter_not_found_action != "Allow":
            raise MisconfiguredError("no params found for policy binding with `Deny` parameterNotFoundAction")
        return found

    def _referred(self, row: Resource, reference: ParamRef, request_namespace: str) -> list[object]:
        namespace = ""
        if row.namespaced:
            namespace = reference.namespace or request_namespace
            if not namespace:
                raise MisconfiguredError(
                    "cannot use namespaced paramRef in policy binding that matches cluster-scoped resources"
                )
        elif reference.namespace:
            raise MisconfiguredError("paramRef.namespace must not be provided for a cluster-scoped `paramKind`")
        stored = row.stored_as
        if reference.name:
            one = self._reader.glimpse(stored, namespace, reference.name)
            entries = [] if one is None else [one]
        else:
            entries = list(self._reader.view(stored, namespace))
        selector = labels.from_struct(reference.selector) if reference.selector is not None else None
        objects = [_shown(row, each.data) for each in entries]
        return [each for each in objects if selector is None or selector.matches(_labels_of(each))]

    def _candidates(self, request: Request, operation: str) -> tuple[tuple[PolicyT, tuple[Binding, ...]], ...]:
        """The policies in force that may be about such requests."""
        row = request.row
        key = (operation, row.group, row.version, row.plural, request.subresource)
        found = self._about.get(key)
        if found is None:
            same = self._same(row)
            found = self._about[key] = tuple(
                (policy, bindings)
                for policy, bindings in self._in_force
                if concerns(policy.matcher, operation, row, request.subresource, same)
            )
        return found

    def _same(self, row: Resource) -> tuple[Resource, ...]:
        """The other rows that show the same stored objects."""
        key = (row.group, row.version, row.plural)
        found = self._equivalent.get(key)
        if found is None:
            same = (each for each in self._table.rows if each.stored_as == row.stored_as and each != row)
            found = self._equivalent[key] = tuple(same)
        return found

    def _matched(self, matcher: Matcher, situation: Situation) -> Resource | None:
        row, request = situation.row, situation.request
        found = matched_row(matcher, situation.operation, row, request.subresource, self._same(row), situation.name)
        if found is None or not selects(matcher, namespace=situation.namespace_labels, objects=situation.labels):
            return None
        return found

    async def _namespace(self, situation: Situation) -> bytes | None:
        """The namespace of what is written."""
        name = situation.request.namespace
        if not name:
            return None
        found = self._reader.glimpse(NAMESPACES, "", name) or await self._reader.read(NAMESPACES, "", name)
        return None if found is None else found.data

    def _follow(self, policies: Sequence[Entry], bindings: Sequence[Entry]) -> None:
        """Compile what has changed, and pair policies with their bindings."""
        family = self._family
        before, self._compiled, self._about, self._equivalent = self._compiled, {}, {}, {}
        by_policy: dict[str, list[Binding]] = {}
        for entry in bindings:
            binding = self._made(before, entry, family.bindings.cls, family.compile_binding)
            if binding is not None:
                by_policy.setdefault(binding.policy, []).append(binding)
        in_force = []
        for entry in policies:
            policy = self._made(before, entry, family.policies.cls, family.compile_policy)
            if policy is not None and policy.name in by_policy:
                in_force.append((policy, tuple(by_policy[policy.name])))
        self._in_force = tuple(in_force)

    def _made(
        self, before: Mapping[tuple[bytes, int], Any], entry: Entry, cls: type[Any], compile_it: Callable[[Any], Any]
    ) -> Any:
        key = (entry.key, entry.revision)
        made = before.get(key)
        if made is None:
            try:
                made = compile_it(codec.decode(cls, entry.data))
            except (ApiError, labels.SelectorError):
                log.warning(
                    "an admission policy or binding cannot be read and is passed over", extra={"key": entry.key.decode()}
                )
                return None
        self._compiled[key] = made
        return made


def _shown(row: Resource, data: bytes) -> dict[str, Any]:
    plain: dict[str, Any] = msgspec.json.decode(forms.shown(row, data))
    return plain


def _labels_of(plain: Mapping[str, Any]) -> Mapping[str, str]:
    return (plain.get("metadata") or {}).get("labels") or {}
