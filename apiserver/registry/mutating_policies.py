"""Mutating admission policies in the way of requests: they change an object before mutating webhooks are asked.

Each policy in force is carried out once for each of its bindings and parameters, on what the one before has made. One whose
reinvocationPolicy is IfNeeded has another turn at the end when something has changed after its own; `Turns` keeps account.

Source: the Kubernetes page "Mutating Admission Policy".
"""

from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from apimachinery import apply, codec, patch
from apimachinery.errors import ApiError
from apimachinery.resources import (
    MUTATING_ADMISSION_POLICIES,
    MUTATING_ADMISSION_POLICY_BINDINGS,
    Resource,
    ResourceTable,
)
from apiserver.core import forms, ownership
from apiserver.core.admission_policies import Binding, Finding
from apiserver.core.admission_requests import Situation
from apiserver.core.mutating_policies import (
    MutatingPolicy,
    MutationError,
    compile_mutating_binding,
    compile_mutating_policy,
    mutated,
)
from apiserver.core.request import Request
from apiserver.ports import Authorizer
from apiserver.registry.admission_policies import refusal
from apiserver.registry.current import Reader
from apiserver.registry.policy_index import Family, MisconfiguredError, PolicyIndex, Stored

FAMILY = Family(
    MUTATING_ADMISSION_POLICIES, MUTATING_ADMISSION_POLICY_BINDINGS, compile_mutating_policy, compile_mutating_binding
)
Settle = Callable[[Any], None]


class Turns:
    """Which policies have had their turn at an object, and which of them should have another."""

    def __init__(self) -> None:
        self._taken: set[str] = set()
        self.due: set[str] = set()

    def changed(self) -> None:
        """The object was changed, after all turns so far."""
        self.due |= self._taken
        self._taken.clear()

    def taken(self, policy: MutatingPolicy) -> None:
        if policy.reinvoked:
            self._taken.add(policy.name)


class MutatingPolicies(PolicyIndex[MutatingPolicy]):
    """Asked about every write that they are `concerned` with, before it is validated."""

    def __init__(
        self, reader: Reader, stored: Mapping[Resource, Stored], *, table: ResourceTable, authorizer: Authorizer
    ) -> None:
        super().__init__(FAMILY, reader, stored, table=table, authorizer=authorizer)

    async def mutate(
        self,
        request: Request,
        operation: str,
        options: bytes,
        new: Any,
        old: Any,
        *,
        settle: Settle | None,
        turns: Turns,
        only: set[str] | None = None,
    ) -> Any:
        """`new` as the policies have made it, which is another object if they have changed anything; raises ApiError.

        `settle` brings in order what a policy has changed; `only` are the names of those that have another turn, None for all.
        """
        if new is None:
            return new
        situation = await self.situation(request, operation, options, new, old)
        for policy, binding, shown in self.about(situation):
            if only is not None and policy.name not in only:
                continue
            changed = self._carried_out(policy, binding, situation, shown)
            if changed is not None:
                if settle is not None:
                    settle(changed)
                situation.replace(changed)
                turns.changed()
            turns.taken(policy)
        return situation.new

    def _carried_out(self, policy: MutatingPolicy, binding: Binding, situation: Situation, shown: Resource) -> Any:
        """The object as the policy makes it; None when that is what it was."""
        new = situation.new
        whole = situation.has_forms
        cls: type[msgspec.Struct] = shown.cls if whole else type(new)
        shape = ownership.shape_of(shown) if whole else apply.shape_of(cls)
        with_params = policy.param_kind is not None
        try:
            parameters = self.parameters(policy, binding, situation)
            before: Any = situation.values(shown, None, with_params=False)["object"]
            after = before
            for each in parameters:
                values = situation.values(shown, each, with_params=with_params) | {"object": after}
                made = mutated(policy, values, shape)
                after = after if made is None else made
            return None if patch.equal(before, after) else _object(after, new, shown if whole else None)
        except MisconfiguredError as error:
            return _failed(policy, binding, situation, f"failed to configure binding: {error}")
        except (MutationError, ApiError) as error:
            return _failed(policy, binding, situation, str(error))


def _failed(policy: MutatingPolicy, binding: Binding, situation: Situation, problem: str) -> None:
    if not policy.fails_open:
        raise refusal(situation, "MutatingAdmissionPolicy", policy.name, binding.name, Finding(problem, error=True))


def _object(plain: Any, before: Any, row: Resource | None) -> Any:
    """The object of plain data in the form of `row` (None: what it was before), with the managers that it had."""
    if row is None:
        return codec.convert(type(before), plain)
    stored = forms.from_plain(row, plain, "a policy")
    managers = msgspec.structs.replace(stored.metadata, managed_fields=before.metadata.managed_fields)
    return msgspec.structs.replace(stored, metadata=managers)
