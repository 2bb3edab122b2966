"""PodDisruptionBudgets (group policy/v1)."""

from typing import Annotated

import msgspec

from apimachinery.kinds.base import Base, Int32, Int64, IntOrString, Merge, Time, constant
from apimachinery.kinds.meta import Condition, LabelSelector, ObjectMeta
from apimachinery.kinds.object import Object


class PodDisruptionBudgetSpec(Base):
    """policy/v1.PodDisruptionBudgetSpec"""

    max_unavailable: IntOrString | None = None
    min_available: IntOrString | None = None
    selector: Annotated[LabelSelector | None, Merge(patch="replace")] = None
    unhealthy_pod_eviction_policy: str = ""


class PodDisruptionBudgetStatus(Base):
    """policy/v1.PodDisruptionBudgetStatus"""

    conditions: Annotated[list[Condition], Merge(patch="merge", merge_key="type", list_type="map", keys=("type",))] = []
    current_healthy: Int32 = msgspec.field(default_factory=int)
    desired_healthy: Int32 = msgspec.field(default_factory=int)
    disrupted_pods: dict[str, Time] = {}
    disruptions_allowed: Int32 = msgspec.field(default_factory=int)
    expected_pods: Int32 = msgspec.field(default_factory=int)
    observed_generation: Int64 | None = None


class PodDisruptionBudget(Object):
    """policy/v1.PodDisruptionBudget"""

    api_version: str = msgspec.field(name="apiVersion", default_factory=constant("policy/v1"))
    kind: str = msgspec.field(name="kind", default_factory=constant("PodDisruptionBudget"))
    metadata: ObjectMeta = msgspec.field(default_factory=ObjectMeta)
    spec: PodDisruptionBudgetSpec = msgspec.field(default_factory=PodDisruptionBudgetSpec)
    status: PodDisruptionBudgetStatus = msgspec.field(default_factory=PodDisruptionBudgetStatus)
