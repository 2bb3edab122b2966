"""What a pod asks of a node, in a hashable form: pods that ask the same share one evaluation of what does not change.

Source: the Kubernetes pages "Assigning Pods to Nodes", "Taints and Tolerations", "Pod Topology Spread Constraints" and
"Resource Management for Pods and Containers".
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from apimachinery.kinds import (
    Affinity,
    Container,
    NodeSelectorTerm,
    Pod,
    PodAffinity,
    PodAffinityTerm,
    PodAntiAffinity,
    Taint,
    Toleration,
    TopologySpreadConstraint,
)
from apimachinery.labels import Operator, Requirement, Selector, from_struct
from apimachinery.quantity import int_value, milli_value

CPU = "cpu"
MEMORY = "memory"
PODS = "pods"

DEFAULT_MILLI_CPU = 100
DEFAULT_MEMORY_BYTES = 200 * 1024 * 1024
"""What a container without requests is taken to need when nodes are scored (not when they are filtered)."""


@dataclass(frozen=True)
class Term:
    """One node selector term: all must hold. `names` are the matchFields on metadata.name."""

    labels: tuple[Requirement, ...]
    names: tuple[Requirement, ...] = ()

    @property
    def empty(self) -> bool:
        """An empty term matches no node."""
        return not self.labels and not self.names


@dataclass(frozen=True)
class PreferredTerm:
    weight: int
    term: Term


@dataclass(frozen=True)
class ToleratedTaint:
    """A toleration; an empty key tolerates every key, an empty effect every effect."""

    key: str
    operator: str
    value: str
    effect: str

    def tolerates(self, taint: Taint) -> bool:
        if self.effect and self.effect != taint.effect:
            return False
        if self.key and self.key != taint.key:
            return False
        match self.operator:
            case "Exists":
                return True
            case "" | "Equal":
                return bool(self.key) and self.value == taint.value
            case "Gt" | "Lt":
                return _compares(self.operator, taint.value, self.value)
        return False


@dataclass(frozen=True)
class HostPort:
    """A port of the node that the pod wants for itself; address "" is every address."""

    port: int
    protocol: str
    address: str

    def collides(self, other: "HostPort") -> bool:
        if (self.port, self.protocol) != (other.port, other.protocol):
            return False
        return not self.address or not other.address or self.address == other.address


@dataclass(frozen=True)
class NeighbourTerm:
    """Pods that should (not) be in the same domain; domains are the values of the node label `topology_key`."""

    selector: Selector
    topology_key: str
    namespaces: frozenset[str]
    namespace_selector: Selector
    weight: int = 0

    def matches(self, namespace: str, labels: Mapping[str, str], namespace_labels: Mapping[str, str]) -> bool:
        """Whether the term speaks of a pod with these labels in that namespace."""
        if namespace not in self.namespaces and not self.namespace_selector.matches(namespace_labels):
            return False
        return self.selector.matches(labels)


@dataclass(frozen=True)
class Neighbours:
    """Affinity to pods: `required` must be near, `required_anti` must not; the preferred ones carry weights."""

    required: tuple[NeighbourTerm, ...] = ()
    required_anti: tuple[NeighbourTerm, ...] = ()
    preferred: tuple[NeighbourTerm, ...] = ()
    preferred_anti: tuple[NeighbourTerm, ...] = ()


@dataclass(frozen=True)
class SpreadConstraint:
    """Pods that match are to be spread over the domains of a node label within `max_skew`."""

    max_skew: int
    topology_key: str
    selector: Selector
    hard: bool
    min_domains: int
    honour_affinity: bool
    honour_taints: bool


@dataclass(frozen=True)
class Requirements:
    """All that filters and scores read of a pod. `requests`: cpu in thousandths, the rest in whole units, without `pods`."""

    requests: tuple[tuple[str, int], ...]
    scored_milli_cpu: int
    scored_memory_bytes: int
    node_name: str
    selector: tuple[Requirement, ...]
    required_terms: tuple[Term, ...] | None
    preferred_terms: tuple[PreferredTerm, ...]
    tolerations: tuple[ToleratedTaint, ...]
    ports: tuple[HostPort, ...]
    images: tuple[str, ...]
    neighbours: Neighbours = Neighbours()
    spread: tuple[SpreadConstraint, ...] = ()

    def tolerates(self, taint: Taint) -> bool:
        return any(toleration.tolerates(taint) for toleration in self.tolerations)


def of_pod(pod: Pod) -> Requirements:
    """The requirements of a pod."""
    spec = pod.spec
    requests = pod_requests(pod)
    scored_cpu, scored_memory = scored_requests(pod)
    affinity = spec.affinity or Affinity()
    node_affinity = affinity.node_affinity
    required = node_affinity.required_during_scheduling_ignored_during_execution if node_affinity else None
    preferred = node_affinity.preferred_during_scheduling_ignored_during_execution if node_affinity else []
    return Requirements(
        requests=tuple(sorted(requests.items())),
        scored_milli_cpu=scored_cpu,
        scored_memory_bytes=scored_memory,
        node_name=spec.node_name,
        selector=tuple(Requirement(key, Operator.IN, frozenset((value,))) for key, value in sorted(spec.node_selector.items())),
        required_terms=None if required is None else tuple(_term(term) for term in required.node_selector_terms),
        preferred_terms=tuple(PreferredTerm(each.weight, _term(each.preference)) for each in preferred),
        tolerations=tuple(_toleration(each) for each in spec.tolerations),
        ports=host_ports(pod),
        images=tuple(sorted({container.image for container in spec.containers})),
        neighbours=_neighbours(pod, affinity),
        spread=tuple(_spread(pod, each) for each in spec.topology_spread_constraints),
    )


def pod_requests(pod: Pod) -> dict[str, int]:
    """What a pod reserves: its containers and sidecars together, or the largest step of its start, plus overhead.

    While a resize is on its way the pod reserves the larger of what it wants and what its node has granted it; what its node
    can never grant it does not reserve.
    """
    spec = pod.spec
    granted = _granted(pod)
    running: dict[str, int] = {}
    for container in spec.containers:
        _add(running, granted.get(container.name) or _requests(container))
    starting: dict[str, int] = {}
    sidecars: dict[str, int] = {}
    for container in spec.init_containers:
        step = granted.get(container.name) or _requests(container)
        if container.restart_policy == "Always":
            _add(running, step)
            _add(sidecars, step)
            _raise_to(starting, sidecars)
        else:
            _add(step, sidecars)
            _raise_to(starting, step)
    _raise_to(running, starting)
    if spec.resources is not None:
        running.update(_amounts(spec.resources.requests or spec.resources.limits))
    _add(running, _amounts(spec.overhead))
    return {name: amount for name, amount in running.items() if amount}


def _granted(pod: Pod) -> dict[str, dict[str, int]]:
    """What the containers of a pod reserve that were granted something else than they want, by name."""
    statuses = pod.status.container_statuses
    if not any(each.allocated_resources for each in statuses):
        return {}
    found: dict[str, dict[str, int]] = {}
    impossible = _is_impossible(pod)
    told = {each.name: each for each in (*statuses, *pod.status.init_container_statuses)}
    for container in (*pod.spec.containers, *pod.spec.init_containers):
        status = told.get(container.name)
        if status is None or not status.allocated_resources or status.allocated_resources == container.resources.requests:
            continue
        amounts = _amounts(status.allocated_resources)
        if not impossible:
            _raise_to(amounts, _requests(container))
        found[container.name] = amounts
    return found


def is_resized(new: Pod, old: Pod) -> bool:
    """Whether a pod that has its place may take more or less of it now."""
    return new.metadata.generation != old.metadata.generation or _granted(new) != _granted(old)


def _is_impossible(pod: Pod) -> bool:
    return any(each.type == "PodResizePending" and each.reason == "Infeasible" for each in pod.status.conditions)


def scored_requests(pod: Pod) -> tuple[int, int]:
    """Thousandths of a core and bytes that scoring takes the pod to need, with defaults for containers that say nothing."""
    cpu = memory = 0
    for container in pod.spec.containers:
        requests = _requests(container)
        cpu += requests.get(CPU, DEFAULT_MILLI_CPU)
        memory += requests.get(MEMORY, DEFAULT_MEMORY_BYTES)
    return cpu, memory


def host_ports(pod: Pod) -> tuple[HostPort, ...]:
    """The ports of the node that a pod takes."""
    found = set()
    for container in (*pod.spec.init_containers, *pod.spec.containers):
        for port in container.ports:
            number = port.host_port or (port.container_port if pod.spec.host_network else 0)
            if number:
                address = "" if port.host_ip in ("", "0.0.0.0") else port.host_ip
                found.add(HostPort(number, port.protocol or "TCP", address))
    return tuple(sorted(found, key=lambda port: (port.port, port.protocol, port.address)))


def amount(resource: str, quantity: str | int | float) -> int:
    """A quantity in the unit of its column: thousandths of a core, or whole units."""
    return milli_value(quantity) if resource == CPU else int_value(quantity)


def _term(term: NodeSelectorTerm) -> Term:
    return Term(
        tuple(Requirement(each.key, Operator(each.operator), frozenset(each.values)) for each in term.match_expressions),
        tuple(Requirement(each.key, Operator(each.operator), frozenset(each.values)) for each in term.match_fields),
    )


def _toleration(toleration: Toleration) -> ToleratedTaint:
    return ToleratedTaint(toleration.key, toleration.operator, toleration.value, toleration.effect)


def _neighbours(pod: Pod, affinity: Affinity) -> Neighbours:
    near, apart = affinity.pod_affinity or PodAffinity(), affinity.pod_anti_affinity or PodAntiAffinity()
    return Neighbours(
        tuple(_neighbour(pod, term) for term in near.required_during_scheduling_ignored_during_execution),
        tuple(_neighbour(pod, term) for term in apart.required_during_scheduling_ignored_during_execution),
        tuple(
            _neighbour(pod, each.pod_affinity_term, each.weight)
            for each in near.preferred_during_scheduling_ignored_during_execution
        ),
        tuple(
            _neighbour(pod, each.pod_affinity_term, each.weight)
            for each in apart.preferred_during_scheduling_ignored_during_execution
        ),
    )


def _neighbour(pod: Pod, term: PodAffinityTerm, weight: int = 0) -> NeighbourTerm:
    own = frozenset((pod.metadata.namespace,)) if not term.namespaces and term.namespace_selector is None else frozenset[str]()
    selector = from_struct(term.label_selector)
    extra = [_same(pod, key, Operator.IN) for key in term.match_label_keys if key in pod.metadata.labels]
    extra += [_same(pod, key, Operator.NOT_IN) for key in term.mismatch_label_keys if key in pod.metadata.labels]
    return NeighbourTerm(
        replace(selector, requirements=(*selector.requirements, *extra)),
        term.topology_key,
        frozenset(term.namespaces) | own,
        from_struct(term.namespace_selector),
        weight,
    )


def _spread(pod: Pod, constraint: TopologySpreadConstraint) -> SpreadConstraint:
    selector = from_struct(constraint.label_selector)
    same = tuple(_same(pod, key, Operator.IN) for key in constraint.match_label_keys if key in pod.metadata.labels)
    return SpreadConstraint(
        constraint.max_skew,
        constraint.topology_key,
        replace(selector, requirements=(*selector.requirements, *same)),
        constraint.when_unsatisfiable != "ScheduleAnyway",
        constraint.min_domains or 1,
        constraint.node_affinity_policy != "Ignore",
        constraint.node_taints_policy == "Honor",
    )


def _same(pod: Pod, key: str, operator: Operator) -> Requirement:
    return Requirement(key, operator, frozenset((pod.metadata.labels[key],)))


def _compares(operator: str, have: str, want: str) -> bool:
    try:
        return int(have) > int(want) if operator == "Gt" else int(have) < int(want)
    except ValueError:
        return False


def _requests(container: Container) -> dict[str, int]:
    return _amounts({**container.resources.limits, **container.resources.requests})


def _amounts(quantities: Mapping[str, str | int | float]) -> dict[str, int]:
    return {name: amount(name, quantity) for name, quantity in quantities.items()}


def _add(total: dict[str, int], more: Mapping[str, int]) -> None:
    for name, value in more.items():
        total[name] = total.get(name, 0) + value


def _raise_to(total: dict[str, int], least: Mapping[str, int]) -> None:
    for name, value in least.items():
        total[name] = max(total.get(name, 0), value)
