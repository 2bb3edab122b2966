"""RuntimeClasses: which of a node's container runtimes runs a pod.

Source: the Kubernetes page "Runtime Class" and the API reference of RuntimeClass.
"""

from collections.abc import Iterator

from apimachinery import names
from apimachinery.errors import FieldError
from apimachinery.kinds import RuntimeClass
from apiserver.strategy.base import Strategy
from apiserver.strategy.checks import required_name, unchanged
from apiserver.strategy.meta import validate_labels
from apiserver.strategy.pod_scheduling import validate_tolerations
from apiserver.strategy.quantities import canonicalize, validate_resource_list


class RuntimeClassStrategy(Strategy[RuntimeClass]):
    def default(self, obj: RuntimeClass) -> None:
        if obj.overhead is not None:
            canonicalize(obj.overhead.pod_fixed)

    def check(self, obj: RuntimeClass) -> Iterator[FieldError]:
        yield from required_name("handler", obj.handler, names.dns_1123_label)
        if obj.overhead is not None:
            yield from validate_resource_list("overhead.podFixed", obj.overhead.pod_fixed)
        if obj.scheduling is not None:
            yield from validate_labels(obj.scheduling.node_selector, "scheduling.nodeSelector")
            yield from validate_tolerations(obj.scheduling.tolerations, "scheduling.tolerations")

    def check_update(self, new: RuntimeClass, old: RuntimeClass, subresource: str) -> Iterator[FieldError]:
        return unchanged("handler", new.handler, old.handler)
