"""Roles and who has them (group rbac.authorization.k8s.io/v1)."""

from typing import Annotated

import msgspec

from apimachinery.kinds.base import Base, Merge, constant, required_list
from apimachinery.kinds.meta import LabelSelector, ObjectMeta
from apimachinery.kinds.object import Object


class PolicyRule(Base):
    """rbac/v1.PolicyRule"""

    api_groups: Annotated[list[str], Merge(list_type="atomic")] = []
    non_resource_urls: Annotated[list[str], Merge(list_type="atomic")] = msgspec.field(
        name="nonResourceURLs", default_factory=list
    )
    resource_names: Annotated[list[str], Merge(list_type="atomic")] = []
    resources: Annotated[list[str], Merge(list_type="atomic")] = []
    verbs: Annotated[list[str], Merge(list_type="atomic")] = msgspec.field(default_factory=required_list)


class Role(Object):
    """rbac/v1.Role"""

    api_version: str = msgspec.field(name="apiVersion", default_factory=constant("rbac.authorization.k8s.io/v1"))
    kind: str = msgspec.field(name="kind", default_factory=constant("Role"))
    metadata: ObjectMeta = msgspec.field(default_factory=ObjectMeta)
    rules: Annotated[list[PolicyRule], Merge(list_type="atomic")] = []


class RoleRef(Base):
    """rbac/v1.RoleRef"""

    kind: str = msgspec.field(default_factory=str)
    name: str = msgspec.field(default_factory=str)
    api_group: str = ""


class Subject(Base):
    """rbac/v1.Subject"""

    kind: str = msgspec.field(default_factory=str)
    name: str = msgspec.field(default_factory=str)
    namespace: str = ""
    api_group: str = ""


class RoleBinding(Object):
    """rbac/v1.RoleBinding"""

    api_version: str = msgspec.field(name="apiVersion", default_factory=constant("rbac.authorization.k8s.io/v1"))
    kind: str = msgspec.field(name="kind", default_factory=constant("RoleBinding"))
    metadata: ObjectMeta = msgspec.field(default_factory=ObjectMeta)
    role_ref: RoleRef = msgspec.field(default_factory=RoleRef)
    subjects: Annotated[list[Subject], Merge(list_type="atomic")] = []


class AggregationRule(Base):
    """rbac/v1.AggregationRule"""

    cluster_role_selectors: Annotated[list[LabelSelector], Merge(list_type="atomic")] = []


class ClusterRole(Object):
    """rbac/v1.ClusterRole"""

    api_version: str = msgspec.field(name="apiVersion", default_factory=constant("rbac.authorization.k8s.io/v1"))
    kind: str = msgspec.field(name="kind", default_factory=constant("ClusterRole"))
    metadata: ObjectMeta = msgspec.field(default_factory=ObjectMeta)
    aggregation_rule: AggregationRule | None = None
    rules: Annotated[list[PolicyRule], Merge(list_type="atomic")] = []


class ClusterRoleBinding(Object):
    """rbac/v1.ClusterRoleBinding"""

    api_version: str = msgspec.field(name="apiVersion", default_factory=constant("rbac.authorization.k8s.io/v1"))
    kind: str = msgspec.field(name="kind", default_factory=constant("ClusterRoleBinding"))
    metadata: ObjectMeta = msgspec.field(default_factory=ObjectMeta)
    role_ref: RoleRef = msgspec.field(default_factory=RoleRef)
    subjects: Annotated[list[Subject], Merge(list_type="atomic")] = []
