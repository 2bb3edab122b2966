"""Pods: what is decided when one is created or changed.

Source: the Kubernetes page "Pod Lifecycle".
"""

from collections.abc import Iterator

from apimachinery.errors import FieldError
from apimachinery.kinds import HostIP, Pod, PodIP, PodStatus
from apiserver.strategy.base import Strategy
from apiserver.strategy.pod_defaults import default_pod_only, default_pod_spec
from apiserver.strategy.pod_parts import PARTS, keep_all_but
from apiserver.strategy.pod_qos import qos_class
from apiserver.strategy.pod_spec import validate_pod_spec
from apiserver.strategy.pod_updates import validate_binding, validate_spec_update, validate_status_update
from apiserver.strategy.pod_warnings import pod_spec_warnings


class PodStrategy(Strategy[Pod]):
    """Pods change little once they exist; they alone are deleted gracefully, since they run."""

    has_status = True
    has_generation = True

    def prepare_create(self, obj: Pod) -> None:
        super().prepare_create(obj)
        obj.status = PodStatus(phase="Pending", qos_class=qos_class(obj.spec))

    def default(self, obj: Pod) -> None:
        default_pod_spec(obj.spec)
        default_pod_only(obj.spec)

    def prepare_update(self, new: Pod, old: Pod, subresource: str) -> None:
        if subresource in PARTS:
            keep_all_but(PARTS[subresource], new, old)
        super().prepare_update(new, old, subresource)
        if subresource == "status":
            new.status.qos_class = new.status.qos_class or old.status.qos_class
            _agree_on_addresses(new.status)

    def check(self, obj: Pod) -> Iterator[FieldError]:
        return validate_pod_spec(obj.spec, "spec")

    def validate(self, obj: Pod) -> list[FieldError]:
        found = super().validate(obj)
        if obj.spec.ephemeral_containers:
            found.append(FieldError.forbidden("spec.ephemeralContainers", "cannot be set on create"))
        if obj.spec.node_name and obj.spec.scheduling_gates:
            detail = "cannot be set until all schedulingGates have been cleared"
            found.append(FieldError.forbidden("spec.nodeName", detail))
        return found

    def validate_update(self, new: Pod, old: Pod, subresource: str) -> list[FieldError]:
        if subresource == "status" or new.spec == old.spec:
            return super().validate_update(new, old, "status")
        return super().validate_update(new, old, subresource)

    def check_update(self, new: Pod, old: Pod, subresource: str) -> Iterator[FieldError]:
        if subresource == "binding":
            return validate_binding(new, old)
        if subresource in PARTS:
            return PARTS[subresource].validate(new, old)
        return validate_spec_update(new.spec, old.spec, "spec")

    def check_status_update(self, new: Pod, old: Pod) -> Iterator[FieldError]:
        return validate_status_update(new, old)

    def warnings(self, obj: Pod) -> list[str]:
        return list(pod_spec_warnings(obj.spec, "spec"))

    def deletion_grace_seconds(self, obj: Pod, requested: int | None) -> int:
        """A pod that no node runs, or that has ended, goes at once; the others get what was asked, or what they ask for."""
        if not obj.spec.node_name or obj.status.phase in ("Succeeded", "Failed"):
            return 0
        if requested is not None:
            return max(requested, 0) if requested >= 0 else 1
        asked = obj.spec.termination_grace_period_seconds
        return 30 if asked is None else asked if asked >= 0 else 1


def _agree_on_addresses(status: PodStatus) -> None:
    """`podIP` is the first of `podIPs`, and so for the host; who writes one form writes both."""
    if status.pod_ip and (not status.pod_ips or status.pod_ips[0].ip != status.pod_ip):
        status.pod_ips = [PodIP(ip=status.pod_ip)]
    elif status.pod_ips and not status.pod_ip:
        status.pod_ip = status.pod_ips[0].ip
    if status.host_ip and not status.host_ips:
        status.host_ips = [HostIP(ip=status.host_ip)]
    elif status.host_ips and not status.host_ip:
        status.host_ip = status.host_ips[0].ip
