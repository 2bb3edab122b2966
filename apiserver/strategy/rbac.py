"""Roles, ClusterRoles and their bindings.

Source: the Kubernetes page "Using RBAC Authorization" and the API references of the kinds.
"""

from collections.abc import Iterator, Sequence
from typing import TypeVar

import msgspec

from apimachinery import names
from apimachinery.errors import FieldError
from apimachinery.kinds import ClusterRole, ClusterRoleBinding, PolicyRule, Role, RoleBinding, RoleRef, Subject
from apiserver.strategy.base import Strategy
from apiserver.strategy.checks import Errors, named, one_of, required, required_name
from apiserver.strategy.selectors import validate_label_selector

GROUP = "rbac.authorization.k8s.io"
SUBJECT_KINDS = ("Group", "ServiceAccount", "User")

AnyBinding = TypeVar("AnyBinding", RoleBinding, ClusterRoleBinding)
AnyRole = TypeVar("AnyRole", Role, ClusterRole)


class _AnyRoleStrategy(Strategy[AnyRole]):
    def name_problems(self, name: str) -> Sequence[str]:
        return names.path_segment(name)

    def check(self, obj: AnyRole) -> Iterator[FieldError]:
        for index, rule in enumerate(obj.rules):
            yield from _validate_rule(rule, f"rules[{index}]", namespaced=self.resource.namespaced)


class RoleStrategy(_AnyRoleStrategy[Role]):
    """Rules within one namespace."""


class ClusterRoleStrategy(_AnyRoleStrategy[ClusterRole]):
    """Rules everywhere; those of an aggregated role are put together by a controller."""

    def check(self, obj: ClusterRole) -> Iterator[FieldError]:
        yield from super().check(obj)
        if obj.aggregation_rule is None:
            return
        where = "aggregationRule.clusterRoleSelectors"
        selectors = obj.aggregation_rule.cluster_role_selectors
        yield from required(where, selectors, "at least one clusterRoleSelector required if aggregationRule is non-nil")
        for index, selector in enumerate(selectors):
            yield from validate_label_selector(selector, f"{where}[{index}]")


class _AnyBindingStrategy(Strategy[AnyBinding]):
    role_kinds: tuple[str, ...] = ()

    def name_problems(self, name: str) -> Sequence[str]:
        return names.path_segment(name)

    def default(self, obj: AnyBinding) -> None:
        obj.role_ref.api_group = obj.role_ref.api_group or GROUP
        for subject in obj.subjects:
            if subject.kind in ("Group", "User"):
                subject.api_group = subject.api_group or GROUP

    def check(self, obj: AnyBinding) -> Iterator[FieldError]:
        yield from _validate_reference(obj.role_ref, "roleRef", self.role_kinds)
        for index, subject in enumerate(obj.subjects):
            yield from _validate_subject(subject, f"subjects[{index}]", namespaced=self.resource.namespaced)

    def check_update(self, new: AnyBinding, old: AnyBinding, subresource: str) -> Iterator[FieldError]:
        if new.role_ref != old.role_ref:
            yield FieldError.invalid("roleRef", msgspec.to_builtins(new.role_ref), "cannot change roleRef")


class RoleBindingStrategy(_AnyBindingStrategy[RoleBinding]):
    role_kinds = ("ClusterRole", "Role")


class ClusterRoleBindingStrategy(_AnyBindingStrategy[ClusterRoleBinding]):
    role_kinds = ("ClusterRole",)


def _validate_rule(rule: PolicyRule, path: str, *, namespaced: bool) -> Errors:
    yield from required(f"{path}.verbs", rule.verbs, "verbs must contain at least one value")
    if rule.non_resource_urls:
        where = f"{path}.nonResourceURLs"
        if namespaced:
            detail = "namespaced rules cannot apply to non-resource URLs"
            yield FieldError.invalid(where, rule.non_resource_urls, detail)
        if rule.api_groups or rule.resources or rule.resource_names:
            detail = "rules cannot apply to both regular resources and non-resource URLs"
            yield FieldError.invalid(where, rule.non_resource_urls, detail)
        return
    yield from required(f"{path}.apiGroups", rule.api_groups, "resource rules must supply at least one api group")
    yield from required(f"{path}.resources", rule.resources, "resource rules must supply at least one resource")


def _validate_reference(reference: RoleRef, path: str, kinds: Sequence[str]) -> Errors:
    if reference.api_group != GROUP:
        yield FieldError.not_supported(f"{path}.apiGroup", reference.api_group, (GROUP,))
    if reference.kind not in kinds:
        yield FieldError.not_supported(f"{path}.kind", reference.kind, kinds)
    yield from required_name(f"{path}.name", reference.name, names.path_segment)


def _validate_subject(subject: Subject, path: str, *, namespaced: bool) -> Errors:
    yield from required(f"{path}.name", subject.name)
    yield from one_of(f"{path}.kind", subject.kind, SUBJECT_KINDS)
    if subject.kind == "ServiceAccount":
        if subject.name:
            yield from named(f"{path}.name", subject.name, names.dns_1123_subdomain)
        if subject.api_group:
            yield FieldError.not_supported(f"{path}.apiGroup", subject.api_group, ("",))
        if not namespaced:
            yield from required(f"{path}.namespace", subject.namespace)
    elif subject.kind in SUBJECT_KINDS and subject.api_group != GROUP:
        yield FieldError.not_supported(f"{path}.apiGroup", subject.api_group, (GROUP,))
