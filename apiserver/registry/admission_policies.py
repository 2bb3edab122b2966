"""Validating admission policies in the way of requests: what a policy in force refuses is not written.

    a valid object → policies that are about such requests, by a look into a dict → selectors, bindings, parameters
    → each policy judges (`core.admission_policies`) → refused, or warnings for the caller, or a line in the log for auditors

Policies and bindings are followed by way of the watch caches: they are compiled when a cache shows another view than last time,
and what has not changed is not compiled again. A write of one is answered once this server's cache shows it (`settled`).
Without any policy in force a request pays for a few comparisons. When policies are asked is the business of `webhooks`.

Parameters, too, are taken as the caches have them. What goes wrong in a policy, or in finding its parameters, refuses the
request or does not matter, as its failurePolicy says.

Source: the Kubernetes page "Validating Admission Policy".
"""

import logging
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

import msgspec

from apimachinery import codec, errors, labels
from apimachinery.errors import ApiError
from apimachinery.kinds import ParamRef, ValidatingAdmissionPolicy, ValidatingAdmissionPolicyBinding
from apimachinery.kinds.meta import Status, StatusCause, StatusDetails
from apimachinery.resources import (
    NAMESPACES,
    VALIDATING_ADMISSION_POLICIES,
    VALIDATING_ADMISSION_POLICY_BINDINGS,
    Resource,
    ResourceTable,
)
from apiserver.core import forms
from apiserver.core.admission_policies import (
    AUDIT,
    DENY,
    WARN,
    Binding,
    Finding,
    Judgement,
    Policy,
    compile_binding,
    compile_policy,
    judge,
)
from apiserver.core.admission_requests import Situation
from apiserver.core.admission_rules import Matcher, concerns, matched_row, selects
from apiserver.core.request import Request
from apiserver.ports import Authorizer
from apiserver.registry.current import Reader

log = logging.getLogger(__name__)

REASON_CODES = {"Unauthorized": 401, "Forbidden": 403, "RequestEntityTooLarge": 413, "Invalid": 422}
NO_PARAMETERS: tuple[object, ...] = (None,)


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


InForce = tuple[tuple[Policy, tuple[Binding, ...]], ...]
"""Policies with their bindings."""


class Policies:
    """All policies of the cluster; asked about every write of a valid object."""

    def __init__(
        self,
        reader: Reader,
        *,
        policies: Stored,
        bindings: Stored,
        table: ResourceTable,
        authorizer: Authorizer,
    ) -> None:
        self._reader = reader
        self._policies = policies
        self._bindings = bindings
        self._table = table
        self._authorizer = authorizer
        self._seen: tuple[object, object, object] = ((), (), ())
        self._in_force: InForce = ()
        self._about: dict[tuple[str, str, str, str, str], InForce] = {}
        self._compiled: dict[tuple[bytes, int], Policy | Binding] = {}

    def concerned(self, request: Request, operation: str) -> bool:
        """Whether any policy may be about such a request: then `check` has to be asked."""
        policies, bindings, rows = self._policies.view(), self._bindings.view(), self._table.rows
        seen = self._seen
        if policies is not seen[0] or bindings is not seen[1] or rows is not seen[2]:
            self._seen = (policies, bindings, rows)
            self._follow(policies, bindings)
        return bool(self._in_force) and bool(self._candidates(request, operation))

    async def settled(self, resource: Resource, revision: int) -> None:
        """Wait until a policy or binding that was written takes effect here; at once for what is neither."""
        if resource == VALIDATING_ADMISSION_POLICIES:
            await self._policies.wait_for(revision)
        elif resource == VALIDATING_ADMISSION_POLICY_BINDINGS:
            await self._bindings.wait_for(revision)

    async def check(self, request: Request, operation: str, options: bytes, new: Any, old: Any) -> tuple[str, ...]:
        """Warnings about a request from `old` to `new`, each None where there is none; raises ApiError when it is refused.

        options: those of the request as JSON, empty for none.
        """
        situation = Situation(request, operation, options, new, old, self._authorizer.decide)
        namespace = await self._namespace(situation)
        situation.namespace = None if namespace is None else msgspec.json.decode(namespace)
        warnings: list[str] = []
        for policy, bindings in self._candidates(request, operation):
            shown = self._matched(policy.matcher, situation)
            if shown is None:
                continue
            for binding in bindings:
                if self._matched(binding.matcher, situation) is not None:
                    warnings += self._apply(policy, binding, situation, shown)
        return tuple(dict.fromkeys(warnings))

    def _apply(self, policy: Policy, binding: Binding, situation: Situation, shown: Resource) -> list[str]:
        """Judge, and act upon what is found; answers warnings."""
        warnings: list[str] = []
        try:
            parameters = self._parameters(policy, binding, situation)
        except _MisconfiguredError as error:
            if policy.fails_open:
                return warnings
            raise _refusal(situation, policy, binding, Finding(f"failed to configure binding: {error}")) from error
        for each in parameters:
            judgement = judge(policy, situation.values(shown, each, with_params=policy.param_kind is not None))
            for finding in judgement.findings:
                if WARN in binding.actions:
                    about = f"ValidatingAdmissionPolicy '{policy.name}' with binding '{binding.name}'"
                    warnings.append(f"Validation failed for {about}: {finding.message}")
            if AUDIT in binding.actions or judgement.annotations:
                _audit(situation, policy, binding, judgement)
            if judgement.findings and DENY in binding.actions:
                raise _refusal(situation, policy, binding, judgement.findings[0])
        return warnings

    def _candidates(self, request: Request, operation: str) -> InForce:
        """The policies in force that may be about such requests."""
        row = request.form or request.resource
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

    def _same(self, row: Resource) -> list[Resource]:
        """The other rows that show the same stored objects."""
        return [each for each in self._table.rows if each.stored_as == row.stored_as and each != row]

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

    def _parameters(self, policy: Policy, binding: Binding, situation: Situation) -> Sequence[object]:
        """The objects of parameters, each of which the policy is judged with; raises _MisconfiguredError."""
        kind, reference = policy.param_kind, binding.param_ref
        if kind is None or reference is None:
            return NO_PARAMETERS
        row = self._table.by_kind(kind.api_version, kind.kind)
        if row is None:
            raise _MisconfiguredError(f"paramKind kind `{kind.api_version}, Kind={kind.kind}` not known")
        found = self._referred(row, reference, situation.request.namespace)
        if not found and reference.parameter_not_found_action != "Allow":
            raise _MisconfiguredError("no params found for policy binding with `Deny` parameterNotFoundAction")
        return found

    def _referred(self, row: Resource, reference: ParamRef, request_namespace: str) -> list[object]:
        namespace = ""
        if row.namespaced:
            namespace = reference.namespace or request_namespace
            if not namespace:
                raise _MisconfiguredError(
                    "cannot use namespaced paramRef in policy binding that matches cluster-scoped resources"
                )
        elif reference.namespace:
            raise _MisconfiguredError("paramRef.namespace must not be provided for a cluster-scoped `paramKind`")
        stored = row.stored_as
        if reference.name:
            one = self._reader.glimpse(stored, namespace, reference.name)
            entries = [] if one is None else [one]
        else:
            entries = list(self._reader.view(stored, namespace))
        selector = labels.from_struct(reference.selector) if reference.selector is not None else None
        objects = [_shown(row, each.data) for each in entries]
        return [each for each in objects if selector is None or selector.matches(_labels_of(each))]

    def _follow(self, policies: Sequence[Entry], bindings: Sequence[Entry]) -> None:
        """Compile what has changed, and pair policies with their bindings."""
        before, self._compiled, self._about = self._compiled, {}, {}
        by_policy: dict[str, list[Binding]] = {}
        for entry in bindings:
            binding = self._made(before, entry, ValidatingAdmissionPolicyBinding, compile_binding)
            if binding is not None:
                by_policy.setdefault(binding.policy, []).append(binding)
        in_force = []
        for entry in policies:
            policy = self._made(before, entry, ValidatingAdmissionPolicy, compile_policy)
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


class _MisconfiguredError(Exception):
    """A binding's parameters cannot be found; the text says why."""


def _refusal(situation: Situation, policy: Policy, binding: Binding, finding: Finding) -> ApiError:
    detail = f"ValidatingAdmissionPolicy '{policy.name}' with binding '{binding.name}' denied request: {finding.message}"
    row, name = situation.row, situation.name
    status = errors.forbidden(row.plural, name, detail, group=row.group).status
    reason = finding.reason or "Invalid"
    details = StatusDetails(name=name, group=row.group, kind=row.plural, causes=[StatusCause(message=detail)])
    return ApiError(
        Status(status="Failure", message=status.message, reason=reason, code=REASON_CODES.get(reason, 422), details=details)
    )


def _audit(situation: Situation, policy: Policy, binding: Binding, judgement: Judgement) -> None:
    findings = [each.message for each in judgement.findings] if AUDIT in binding.actions else []
    if not findings and not judgement.annotations:
        return
    log.info(
        "admission policy audit",
        extra={
            "policy": policy.name,
            "binding": binding.name,
            "user": situation.request.user.name,
            "operation": situation.operation,
            "resource": situation.row.qualified,
            "namespace": situation.request.namespace,
            "object": situation.name,
            "findings": findings,
            "annotations": dict(judgement.annotations),
        },
    )


def _shown(row: Resource, data: bytes) -> dict[str, Any]:
    plain: dict[str, Any] = msgspec.json.decode(forms.shown(row, data))
    return plain


def _labels_of(plain: Mapping[str, Any]) -> Mapping[str, str]:
    return (plain.get("metadata") or {}).get("labels") or {}
