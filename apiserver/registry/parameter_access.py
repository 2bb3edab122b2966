"""Whoever makes objects the parameters of a policy must be able to read them.

A policy's author has to be allowed to get all objects of their kind, a binding's author to get, or list, those that it names. A
policy's messages tell what its parameters say; without this, who may write policies could read every Secret.

Source: the Kubernetes page "Validating Admission Policy", section "Parameter resources".
"""

from collections.abc import Callable

from apimachinery import codec
from apimachinery.errors import ApiError
from apimachinery.kinds import (
    MutatingAdmissionPolicy,
    MutatingAdmissionPolicyBinding,
    ParamKind,
    ValidatingAdmissionPolicy,
    ValidatingAdmissionPolicyBinding,
)
from apimachinery.kinds.object import Object
from apimachinery.resources import MUTATING_ADMISSION_POLICIES, VALIDATING_ADMISSION_POLICIES, ResourceTable
from apiserver.core.access import Decision, Question
from apiserver.core.request import User
from apiserver.registry.current import Reader

POLICIES = (ValidatingAdmissionPolicy, MutatingAdmissionPolicy)
BINDINGS = (ValidatingAdmissionPolicyBinding, MutatingAdmissionPolicyBinding)


class ParameterAccess:
    """Asked about every policy and binding that would be stored."""

    def __init__(self, table: ResourceTable, reader: Reader, decide: Callable[[Question], Decision]) -> None:
        self._table = table
        self._reader = reader
        self._decide = decide

    def lacking(self, user: User, new: Object, old: Object | None) -> str:
        """What the user lacks to make `new` of `old`; "" for nothing, and for what is neither policy nor binding."""
        if isinstance(new, POLICIES):
            before = old.spec.param_kind if isinstance(old, POLICIES) else None
            kind = new.spec.param_kind
            return "" if kind is None or kind == before else self._of_policy(user, kind)
        if isinstance(new, BINDINGS):
            unchanged = isinstance(old, BINDINGS) and old.spec.param_ref == new.spec.param_ref
            same = unchanged and isinstance(old, BINDINGS) and old.spec.policy_name == new.spec.policy_name
            return "" if new.spec.param_ref is None or same else self._of_binding(user, new)
        return ""

    def _of_policy(self, user: User, kind: ParamKind) -> str:
        if self._may(user, "get", kind, "", ""):
            return ""
        about = f"(kind={kind.kind}, apiVersion={kind.api_version})"
        return f'user {user.name} must have "get" permission on all objects of the referenced paramKind {about}'

    def _of_binding(self, user: User, binding: ValidatingAdmissionPolicyBinding | MutatingAdmissionPolicyBinding) -> str:
        reference = binding.spec.param_ref
        assert reference is not None, "there are parameters"
        verb = "get" if reference.name else "list"
        if self._may(user, verb, self._kind_for(binding), reference.namespace, reference.name):
            return ""
        return f'user {user.name} does not have "{verb}" permission on the object referenced by paramRef'

    def _kind_for(self, binding: ValidatingAdmissionPolicyBinding | MutatingAdmissionPolicyBinding) -> ParamKind | None:
        """The kind of a binding's parameters; None when its policy is not there, or does not say."""
        validating = isinstance(binding, ValidatingAdmissionPolicyBinding)
        row = VALIDATING_ADMISSION_POLICIES if validating else MUTATING_ADMISSION_POLICIES
        found = self._reader.glimpse(row, "", binding.spec.policy_name)
        try:
            policy = codec.decode(row.cls, found.data) if found is not None else None
        except ApiError:
            return None
        return policy.spec.param_kind if isinstance(policy, POLICIES) else None

    def _may(self, user: User, verb: str, kind: ParamKind | None, namespace: str, name: str) -> bool:
        """What kind it is that is not known may be any."""
        group = version = resource = "*"
        if kind is not None:
            group, _, version = kind.api_version.rpartition("/")
            row = self._table.by_kind(kind.api_version, kind.kind)
            resource = row.plural if row is not None else "*"
        asked = Question(user=user, verb=verb, group=group, version=version, resource=resource, namespace=namespace, name=name)
        return self._decide(asked).allowed
