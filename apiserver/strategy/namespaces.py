"""Namespaces: a namespace that is deleted stays, Terminating, until the finalizer `kubernetes` has emptied it.

Source: the Kubernetes pages "Namespaces" and "Namespaces Walkthrough".
"""

from collections.abc import Iterator, Sequence

from apimachinery import names
from apimachinery.errors import FieldError
from apimachinery.kinds import Namespace, NamespaceStatus
from apiserver.core.pod_security import read_policy
from apiserver.strategy.base import Strategy
from apiserver.strategy.meta import validate_finalizer_name

FINALIZER = "kubernetes"
NAME_LABEL = "kubernetes.io/metadata.name"


class NamespaceStrategy(Strategy[Namespace]):
    has_status = True

    def name_problems(self, name: str) -> Sequence[str]:
        return names.dns_1123_label(name)

    def default(self, obj: Namespace) -> None:
        if obj.metadata.name:
            obj.metadata.labels[NAME_LABEL] = obj.metadata.name

    def prepare_create(self, obj: Namespace) -> None:
        super().prepare_create(obj)
        obj.metadata.labels[NAME_LABEL] = obj.metadata.name
        obj.status = NamespaceStatus(phase="Active")
        if FINALIZER not in obj.spec.finalizers:
            obj.spec.finalizers = [*obj.spec.finalizers, FINALIZER]

    def prepare_update(self, new: Namespace, old: Namespace, subresource: str) -> None:
        super().prepare_update(new, old, subresource)
        if not subresource:
            new.spec.finalizers = list(old.spec.finalizers)

    def check(self, obj: Namespace) -> Iterator[FieldError]:
        for index, name in enumerate(obj.spec.finalizers):
            yield from validate_finalizer_name(name, f"spec.finalizers[{index}]")

    def validate(self, obj: Namespace) -> list[FieldError]:
        return [*super().validate(obj), *read_policy(obj.metadata.labels)[1]]

    def check_update(self, new: Namespace, old: Namespace, subresource: str) -> Iterator[FieldError]:
        """Labels that were wrong before may stay so."""
        wrong = read_policy(new.metadata.labels)[1]
        return iter(wrong if wrong != read_policy(old.metadata.labels)[1] else ())

    def check_status_update(self, new: Namespace, old: Namespace) -> Iterator[FieldError]:
        phase, going = new.status.phase, new.metadata.deletion_timestamp is not None
        if not going and phase != "Active":
            yield FieldError.invalid("status.phase", phase, "may only be 'Active' if `deletionTimestamp` is empty")
        elif going and phase != "Terminating":
            yield FieldError.invalid("status.phase", phase, "may only be 'Terminating' if `deletionTimestamp` is not empty")
