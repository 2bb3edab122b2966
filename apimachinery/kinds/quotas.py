"""What a namespace may use: LimitRanges (of each object) and ResourceQuotas (of all together)."""

from typing import Annotated

import msgspec

from apimachinery.kinds.base import Base, Merge, Quantity, constant, required_list
from apimachinery.kinds.meta import ObjectMeta
from apimachinery.kinds.object import Object


class LimitRangeItem(Base):
    """core/v1.LimitRangeItem"""

    default: dict[str, Quantity] = {}
    default_request: dict[str, Quantity] = {}
    max: dict[str, Quantity] = {}
    max_limit_request_ratio: dict[str, Quantity] = {}
    min: dict[str, Quantity] = {}
    type: str = msgspec.field(default_factory=str)


class LimitRangeSpec(Base):
    """core/v1.LimitRangeSpec"""

    limits: Annotated[list[LimitRangeItem], Merge(list_type="atomic")] = msgspec.field(default_factory=required_list)


class LimitRange(Object):
    """core/v1.LimitRange"""

    api_version: str = msgspec.field(name="apiVersion", default_factory=constant("v1"))
    kind: str = msgspec.field(name="kind", default_factory=constant("LimitRange"))
    metadata: ObjectMeta = msgspec.field(default_factory=ObjectMeta)
    spec: LimitRangeSpec = msgspec.field(default_factory=LimitRangeSpec)


class ScopedResourceSelectorRequirement(Base):
    """core/v1.ScopedResourceSelectorRequirement"""

    operator: str = msgspec.field(default_factory=str)
    scope_name: str = msgspec.field(default_factory=str)
    values: Annotated[list[str], Merge(list_type="atomic")] = []


class ScopeSelector(Base):
    """core/v1.ScopeSelector"""

    match_expressions: Annotated[list[ScopedResourceSelectorRequirement], Merge(list_type="atomic")] = []


class ResourceQuotaSpec(Base):
    """core/v1.ResourceQuotaSpec"""

    hard: dict[str, Quantity] = {}
    scopes: Annotated[list[str], Merge(list_type="atomic")] = []
    scope_selector: ScopeSelector | None = None


class ResourceQuotaStatus(Base):
    """core/v1.ResourceQuotaStatus"""

    hard: dict[str, Quantity] = {}
    used: dict[str, Quantity] = {}


class ResourceQuota(Object):
    """core/v1.ResourceQuota"""

    api_version: str = msgspec.field(name="apiVersion", default_factory=constant("v1"))
    kind: str = msgspec.field(name="kind", default_factory=constant("ResourceQuota"))
    metadata: ObjectMeta = msgspec.field(default_factory=ObjectMeta)
    spec: ResourceQuotaSpec = msgspec.field(default_factory=ResourceQuotaSpec)
    status: ResourceQuotaStatus = msgspec.field(default_factory=ResourceQuotaStatus)
