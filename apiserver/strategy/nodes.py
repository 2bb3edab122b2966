"""Nodes: registered by their kubelets, status included.

Source: the Kubernetes pages "Nodes" and "Taints and Tolerations", and the API reference of NodeSpec.
"""

from collections.abc import Iterator, Sequence

from apimachinery import names
from apimachinery.errors import FieldError
from apimachinery.kinds import Node, NodeSpec, NodeStatus, Taint
from apiserver.strategy import meta
from apiserver.strategy.base import Strategy
from apiserver.strategy.checks import Errors, in_range, named, one_of
from apiserver.strategy.pod_scheduling import EFFECTS
from apiserver.strategy.quantities import canonicalize, validate_resource_list


class NodeStrategy(Strategy[Node]):
    has_status = True

    def default(self, obj: Node) -> None:
        spec = obj.spec
        if spec.pod_cidr and not spec.pod_cidrs:
            spec.pod_cidrs = [spec.pod_cidr]
        elif spec.pod_cidrs and not spec.pod_cidr:
            spec.pod_cidr = spec.pod_cidrs[0]
        canonicalize(obj.status.capacity)
        canonicalize(obj.status.allocatable)
        if obj.status.capacity and not obj.status.allocatable:
            obj.status.allocatable = dict(obj.status.capacity)

    def prepare_create(self, obj: Node) -> None:
        """The status stays: a kubelet registers its node with all that it has."""
        meta.clear_for_create(obj.metadata)

    def check(self, obj: Node) -> Iterator[FieldError]:
        yield from _validate_taints(obj.spec.taints, "spec.taints")
        yield from _validate_pod_cidrs(obj.spec, "spec")
        yield from _validate_status(obj.status, "status")

    def check_update(self, new: Node, old: Node, subresource: str) -> Iterator[FieldError]:
        if old.spec.pod_cidrs and new.spec.pod_cidrs != old.spec.pod_cidrs:
            yield FieldError.forbidden("spec.podCIDRs", 'node updates may not change podCIDR except from "" to valid')
        if old.spec.provider_id and new.spec.provider_id != old.spec.provider_id:
            detail = 'node updates may not change providerID except from "" to valid'
            yield FieldError.forbidden("spec.providerID", detail)
        if new.spec.config_source is not None and new.spec.config_source != old.spec.config_source:
            yield FieldError.forbidden("spec.configSource", "configSource is not served: it was removed from kubelets")

    def check_status_update(self, new: Node, old: Node) -> Iterator[FieldError]:
        return _validate_status(new.status, "status")

    def warnings(self, obj: Node) -> list[str]:
        found = ["spec.externalID: this field is deprecated, and is unused by Kubernetes"] if obj.spec.external_id else []
        return found + (["spec.configSource: the feature is no longer supported"] if obj.spec.config_source else [])


def _validate_taints(taints: Sequence[Taint], path: str) -> Errors:
    seen = set()
    for index, taint in enumerate(taints):
        where = f"{path}[{index}]"
        yield from named(f"{where}.key", taint.key, names.qualified_name)
        yield from named(f"{where}.value", taint.value, names.label_value)
        yield from one_of(f"{where}.effect", taint.effect, EFFECTS)
        if (taint.key, taint.effect) in seen:
            yield FieldError.duplicate(where, f"{taint.key}:{taint.effect}")
        seen.add((taint.key, taint.effect))


def _validate_pod_cidrs(spec: NodeSpec, path: str) -> Errors:
    if spec.pod_cidr and spec.pod_cidrs and spec.pod_cidr != spec.pod_cidrs[0]:
        yield FieldError.invalid(f"{path}.podCIDRs", spec.pod_cidrs, "first value must match `podCIDR`")
    for index, network in enumerate(spec.pod_cidrs):
        yield from named(f"{path}.podCIDRs[{index}]", network, names.cidr)
    families = [":" in network for network in spec.pod_cidrs]
    if len(families) != len(set(families)):
        yield FieldError.invalid(f"{path}.podCIDRs", spec.pod_cidrs, "must specify no more than one CIDR for each IP family")


def _validate_status(status: NodeStatus, path: str) -> Errors:
    yield from validate_resource_list(f"{path}.capacity", status.capacity)
    yield from validate_resource_list(f"{path}.allocatable", status.allocatable)
    seen = set()
    for index, address in enumerate(status.addresses):
        if (address.type, address.address) in seen:
            yield FieldError.duplicate(f"{path}.addresses[{index}]", address.address)
        seen.add((address.type, address.address))
    port = status.daemon_endpoints.kubelet_endpoint.port
    yield from in_range(f"{path}.daemonEndpoints.kubeletEndpoint.Port", port, 0, 65535)
