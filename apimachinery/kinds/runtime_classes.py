"""RuntimeClasses (group node.k8s.io/v1)."""

from typing import Annotated

import msgspec

from apimachinery.kinds.base import Base, Merge, Quantity, constant
from apimachinery.kinds.meta import ObjectMeta
from apimachinery.kinds.object import Object
from apimachinery.kinds.pods import Toleration


class Overhead(Base):
    """node/v1.Overhead"""

    pod_fixed: dict[str, Quantity] = {}


class Scheduling(Base):
    """node/v1.Scheduling"""

    node_selector: Annotated[dict[str, str], Merge(map_type="atomic")] = {}
    tolerations: Annotated[list[Toleration], Merge(list_type="atomic")] = []


class RuntimeClass(Object):
    """node/v1.RuntimeClass"""

    api_version: str = msgspec.field(name="apiVersion", default_factory=constant("node.k8s.io/v1"))
    kind: str = msgspec.field(name="kind", default_factory=constant("RuntimeClass"))
    metadata: ObjectMeta = msgspec.field(default_factory=ObjectMeta)
    handler: str = msgspec.field(default_factory=str)
    overhead: Overhead | None = None
    scheduling: Scheduling | None = None
