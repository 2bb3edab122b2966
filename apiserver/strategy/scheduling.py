"""PriorityClasses: names for how important pods are.

Source: the Kubernetes page "Pod Priority and Preemption".
"""

from collections.abc import Iterator

from apimachinery.errors import FieldError
from apimachinery.kinds import PriorityClass
from apiserver.strategy import meta
from apiserver.strategy.base import Strategy
from apiserver.strategy.checks import one_of, unchanged

USER_VALUE_MAX = 1_000_000_000
RESERVED_PREFIX = "system-"
SYSTEM_CLASSES = {"system-cluster-critical": 2_000_000_000, "system-node-critical": 2_000_001_000}
PREEMPTION_POLICIES = ("Never", "PreemptLowerPriority")


class PriorityClassStrategy(Strategy[PriorityClass]):
    def default(self, obj: PriorityClass) -> None:
        obj.preemption_policy = obj.preemption_policy or "PreemptLowerPriority"

    def prepare_create(self, obj: PriorityClass) -> None:
        meta.clear_for_create(obj.metadata)
        obj.metadata.generation = 1

    def check(self, obj: PriorityClass) -> Iterator[FieldError]:
        name = obj.metadata.name
        if name.startswith(RESERVED_PREFIX):
            if SYSTEM_CLASSES.get(name) != obj.value or obj.global_default:
                detail = f"priority class names with '{RESERVED_PREFIX}' prefix are reserved for system use only"
                yield FieldError.forbidden("metadata.name", detail)
        elif obj.value > USER_VALUE_MAX:
            detail = f"maximum allowed value of a user defined priority is {USER_VALUE_MAX}"
            yield FieldError.forbidden("value", detail)
        yield from one_of("preemptionPolicy", obj.preemption_policy, PREEMPTION_POLICIES)

    def check_update(self, new: PriorityClass, old: PriorityClass, subresource: str) -> Iterator[FieldError]:
        if new.value != old.value:
            yield FieldError.forbidden("value", "may not be changed in an update.")
        yield from unchanged("preemptionPolicy", new.preemption_policy, old.preemption_policy)
