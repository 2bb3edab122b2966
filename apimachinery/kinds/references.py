"""References from one core object to another, and the node selector terms."""

from typing import Annotated

import msgspec

from apimachinery.kinds.base import Base, Merge, Quantity, required_list


class ObjectReference(Base):
    """core/v1.ObjectReference"""

    api_version: str = ""
    kind: str = ""
    name: str = ""
    namespace: str = ""
    uid: str = ""
    resource_version: str = ""
    field_path: str = ""


class LocalObjectReference(Base):
    """core/v1.LocalObjectReference"""

    name: str = ""


class TypedLocalObjectReference(Base):
    """core/v1.TypedLocalObjectReference"""

    kind: str = msgspec.field(default_factory=str)
    name: str = msgspec.field(default_factory=str)
    api_group: str = ""


class SecretReference(Base):
    """core/v1.SecretReference"""

    name: str = ""
    namespace: str = ""


class ConfigMapKeySelector(Base):
    """core/v1.ConfigMapKeySelector"""

    name: str = ""
    key: str = msgspec.field(default_factory=str)
    optional: bool | None = None


class SecretKeySelector(Base):
    """core/v1.SecretKeySelector"""

    name: str = ""
    key: str = msgspec.field(default_factory=str)
    optional: bool | None = None


class NodeSelectorRequirement(Base):
    """core/v1.NodeSelectorRequirement"""

    key: str = msgspec.field(default_factory=str)
    operator: str = msgspec.field(default_factory=str)
    values: Annotated[list[str], Merge(list_type="atomic")] = []


class NodeSelectorTerm(Base):
    """core/v1.NodeSelectorTerm"""

    match_expressions: Annotated[list[NodeSelectorRequirement], Merge(list_type="atomic")] = []
    match_fields: Annotated[list[NodeSelectorRequirement], Merge(list_type="atomic")] = []


class NodeSelector(Base):
    """core/v1.NodeSelector"""

    node_selector_terms: Annotated[list[NodeSelectorTerm], Merge(list_type="atomic")] = msgspec.field(
        default_factory=required_list
    )


class TypedObjectReference(Base):
    """core/v1.TypedObjectReference"""

    kind: str = msgspec.field(default_factory=str)
    name: str = msgspec.field(default_factory=str)
    namespace: str = ""
    api_group: str = ""


class ObjectFieldSelector(Base):
    """core/v1.ObjectFieldSelector"""

    api_version: str = ""
    field_path: str = msgspec.field(default_factory=str)


class ResourceFieldSelector(Base):
    """core/v1.ResourceFieldSelector"""

    container_name: str = ""
    divisor: Quantity | None = None
    resource: str = msgspec.field(default_factory=str)
