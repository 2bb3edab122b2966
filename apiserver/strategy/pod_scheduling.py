"""Rules for what a pod asks of the nodes: affinity, tolerations, spreading, gates.

Source: the Kubernetes pages "Assigning Pods to Nodes", "Taints and Tolerations", "Pod Topology Spread Constraints" and
"Pod Scheduling Readiness".
"""

from collections.abc import Sequence

from apimachinery import names
from apimachinery.errors import FieldError
from apimachinery.kinds import (
    Affinity,
    LabelSelector,
    NodeAffinity,
    PodAffinityTerm,
    PodSchedulingGate,
    Toleration,
    TopologySpreadConstraint,
    WeightedPodAffinityTerm,
)
from apiserver.strategy.checks import Errors, named, one_of, optional_one_of, positive, unique
from apiserver.strategy.selectors import validate_label_selector, validate_node_selector, validate_node_selector_term

_REQUIRED = "requiredDuringSchedulingIgnoredDuringExecution"
_PREFERRED = "preferredDuringSchedulingIgnoredDuringExecution"
EFFECTS = ("NoExecute", "NoSchedule", "PreferNoSchedule")


def validate_affinity(affinity: Affinity, path: str) -> Errors:
    if affinity.node_affinity is not None:
        yield from _validate_node_affinity(affinity.node_affinity, f"{path}.nodeAffinity")
    for name, pods in (("podAffinity", affinity.pod_affinity), ("podAntiAffinity", affinity.pod_anti_affinity)):
        if pods is not None:
            where = f"{path}.{name}"
            for index, term in enumerate(pods.required_during_scheduling_ignored_during_execution):
                yield from _validate_pod_term(term, f"{where}.{_REQUIRED}[{index}]")
            weighted = pods.preferred_during_scheduling_ignored_during_execution
            yield from _validate_weighted(weighted, f"{where}.{_PREFERRED}")


def validate_tolerations(tolerations: Sequence[Toleration], path: str) -> Errors:
    for index, toleration in enumerate(tolerations):
        yield from _validate_toleration(toleration, f"{path}[{index}]")


def validate_spread(constraints: Sequence[TopologySpreadConstraint], path: str) -> Errors:
    for index, constraint in enumerate(constraints):
        yield from _validate_constraint(constraint, f"{path}[{index}]")
    pairs = [f"{{{each.topology_key}, {each.when_unsatisfiable}}}" for each in constraints]
    yield from unique(path, pairs, ".{topologyKey, whenUnsatisfiable}")


def validate_gates(gates: Sequence[PodSchedulingGate], path: str) -> Errors:
    for index, gate in enumerate(gates):
        yield from named(f"{path}[{index}].name", gate.name, names.qualified_name)
    yield from unique(path, (gate.name for gate in gates), ".name")


def _validate_node_affinity(affinity: NodeAffinity, path: str) -> Errors:
    required = affinity.required_during_scheduling_ignored_during_execution
    if required is not None:
        yield from validate_node_selector(required, f"{path}.{_REQUIRED}")
    for index, term in enumerate(affinity.preferred_during_scheduling_ignored_during_execution):
        where = f"{path}.{_PREFERRED}[{index}]"
        yield from _validate_weight(term.weight, where)
        yield from validate_node_selector_term(term.preference, f"{where}.preference")


def _validate_weighted(terms: Sequence[WeightedPodAffinityTerm], path: str) -> Errors:
    for index, term in enumerate(terms):
        yield from _validate_weight(term.weight, f"{path}[{index}]")
        yield from _validate_pod_term(term.pod_affinity_term, f"{path}[{index}].podAffinityTerm")


def _validate_weight(weight: int, path: str) -> Errors:
    if not 1 <= weight <= 100:
        yield FieldError.invalid(f"{path}.weight", weight, "must be in the range 1-100")


def _validate_pod_term(term: PodAffinityTerm, path: str) -> Errors:
    yield from validate_label_selector(term.label_selector, f"{path}.labelSelector")
    yield from validate_label_selector(term.namespace_selector, f"{path}.namespaceSelector")
    for index, namespace in enumerate(term.namespaces):
        yield from named(f"{path}.namespaces[{index}]", namespace, names.dns_1123_label)
    yield from _validate_topology_key(term.topology_key, f"{path}.topologyKey")
    yield from _validate_label_keys(term.match_label_keys, term.label_selector, f"{path}.matchLabelKeys")
    yield from _validate_label_keys(term.mismatch_label_keys, term.label_selector, f"{path}.mismatchLabelKeys")
    for index, key in enumerate(term.match_label_keys):
        if key in term.mismatch_label_keys:
            yield FieldError.invalid(
                f"{path}.matchLabelKeys[{index}]", key, "exists in both matchLabelKeys and mismatchLabelKeys"
            )


def _validate_topology_key(key: str, path: str) -> Errors:
    if key:
        yield from named(path, key, names.qualified_name)
    else:
        yield FieldError.required(path, "can not be empty")


def _validate_label_keys(keys: Sequence[str], selector: LabelSelector | None, path: str) -> Errors:
    if keys and selector is None:
        yield FieldError.forbidden(path, "must not be specified when labelSelector is not set")
    for index, key in enumerate(keys):
        yield from named(f"{path}[{index}]", key, names.qualified_name)


def _validate_toleration(toleration: Toleration, path: str) -> Errors:
    if toleration.key:
        yield from named(f"{path}.key", toleration.key, names.qualified_name)
    elif toleration.operator != "Exists":
        detail = 'operator must be Exists when `key` is empty, which means "match all values and all keys"'
        yield FieldError.invalid(f"{path}.operator", toleration.operator, detail)
    if toleration.toleration_seconds is not None and toleration.effect != "NoExecute":
        detail = "effect must be 'NoExecute' when `tolerationSeconds` is set"
        yield FieldError.invalid(f"{path}.effect", toleration.effect, detail)
    if toleration.operator in ("Equal", ""):
        yield from named(f"{path}.operator", toleration.value, names.label_value)
    elif toleration.operator == "Exists":
        if toleration.value:
            detail = "value must be empty when `operator` is 'Exists'"
            yield FieldError.invalid(f"{path}.operator", toleration.value, detail)
    else:
        yield FieldError.not_supported(f"{path}.operator", toleration.operator, ("Equal", "Exists"))
    yield from optional_one_of(f"{path}.effect", toleration.effect, EFFECTS)


def _validate_constraint(constraint: TopologySpreadConstraint, path: str) -> Errors:
    yield from positive(f"{path}.maxSkew", constraint.max_skew)
    yield from _validate_topology_key(constraint.topology_key, f"{path}.topologyKey")
    yield from one_of(f"{path}.whenUnsatisfiable", constraint.when_unsatisfiable, ("DoNotSchedule", "ScheduleAnyway"))
    if constraint.min_domains is not None:
        yield from positive(f"{path}.minDomains", constraint.min_domains)
        if constraint.when_unsatisfiable != "DoNotSchedule":
            detail = f"can only use minDomains if whenUnsatisfiable=DoNotSchedule, not {constraint.when_unsatisfiable}"
            yield FieldError.invalid(f"{path}.minDomains", constraint.min_domains, detail)
    yield from optional_one_of(f"{path}.nodeAffinityPolicy", constraint.node_affinity_policy, ("Honor", "Ignore"))
    yield from optional_one_of(f"{path}.nodeTaintsPolicy", constraint.node_taints_policy, ("Honor", "Ignore"))
    yield from _validate_label_keys(constraint.match_label_keys, constraint.label_selector, f"{path}.matchLabelKeys")
    yield from validate_label_selector(constraint.label_selector, f"{path}.labelSelector")
