"""Filters: which nodes a pod may run on. Each is a vector function, and can say in words why it refused one node.

The wording of a reason is Kubernetes', since people and scripts search for it; the suggestion beside it is ours.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Generic, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from apimachinery.kinds import Taint
from apimachinery.labels import Requirement
from apimachinery.quantity import canonical, from_milli
from scheduler.core.columns import Columns, Mask, Row, Usage
from scheduler.core.requirements import CPU, MEMORY, PODS, NeighbourTerm, Requirements, SpreadConstraint, Term
from scheduler.core.topology import DomainCache

UNSCHEDULABLE_TAINT = Taint(key="node.kubernetes.io/unschedulable", effect="NoSchedule")
_BLOCKING_EFFECTS = ("NoSchedule", "NoExecute")
CACHE_LIMIT = 512


@dataclass(frozen=True)
class Refusal:
    """Why a node was refused (Kubernetes' words, one for each shortage) and what would change that."""

    reasons: tuple[str, ...]
    suggestions: tuple[str, ...] = ()


class Filter(Protocol):
    """One reason for which nodes drop out."""

    @property
    def name(self) -> str:
        """As Kubernetes calls its plugin."""

    def passes(self, columns: Columns, pod: Usage) -> Mask | None:
        """True for each row that may stay; None when the pod asks nothing of the kind."""

    def explain(self, columns: Columns, pod: Usage, index: int) -> Refusal:
        """Why row `index` was refused; only asked of rows that were."""


VectorT = TypeVar("VectorT", bound=np.generic)


class VectorCache(Generic[VectorT]):
    """Vectors that depend only on the nodes and on a hashable question, until the nodes change."""

    def __init__(self, version: Callable[[Columns], int], dtype: type[VectorT]) -> None:
        self._version_of = version
        self._version = -1
        self._dtype = dtype
        self._vectors: dict[object, NDArray[VectorT]] = {}

    def get(self, columns: Columns, question: object, answer: Callable[[Row], object]) -> NDArray[VectorT]:
        """The vector of `answer` for each row (0 for a free one); `question` stands for what it asks."""
        if self._version_of(columns) != self._version or len(self._vectors) > CACHE_LIMIT:
            self._vectors.clear()
            self._version = self._version_of(columns)
        vector = self._vectors.get(question)
        if vector is None:
            answers = (0 if row is None else answer(row) for row in columns.rows)
            vector = self._vectors[question] = np.fromiter(answers, self._dtype, len(columns.rows))
        return vector


class NodeUnschedulable:
    name = "NodeUnschedulable"

    def passes(self, columns: Columns, pod: Usage) -> Mask | None:
        return None if pod.requirements.tolerates(UNSCHEDULABLE_TAINT) else columns.schedulable

    def explain(self, columns: Columns, pod: Usage, index: int) -> Refusal:
        return Refusal(("node(s) were unschedulable",), (f"kctl uncordon {columns.row(index).name}",))


class NodeName:
    name = "NodeName"

    def passes(self, columns: Columns, pod: Usage) -> Mask | None:
        wanted = pod.requirements.node_name
        if not wanted:
            return None
        mask = np.zeros(len(columns.rows), dtype=np.bool_)
        if (index := columns.index_of(wanted)) is not None:
            mask[index] = True
        return mask

    def explain(self, columns: Columns, pod: Usage, index: int) -> Refusal:
        return Refusal(("node(s) didn't match the requested node name",))


class TaintToleration:
    name = "TaintToleration"

    def __init__(self) -> None:
        self._cache = VectorCache(lambda columns: columns.taints_version, np.bool_)

    def passes(self, columns: Columns, pod: Usage) -> Mask | None:
        requirements = pod.requirements
        return self._cache.get(columns, requirements.tolerations, lambda row: not _untolerated(row, requirements))

    def explain(self, columns: Columns, pod: Usage, index: int) -> Refusal:
        taint = _untolerated(columns.row(index), pod.requirements)[0]
        value = f"={taint.value}" if taint.value else ""
        return Refusal(
            ("node(s) had untolerated taint(s)",),
            (
                f"add a toleration for {taint.key}{value}:{taint.effect} to the pod",
                f"remove the taint: kctl taint node {columns.row(index).name} {taint.key}:{taint.effect}-",
            ),
        )


class NodeAffinity:
    name = "NodeAffinity"

    def __init__(self) -> None:
        self._cache = VectorCache(lambda columns: columns.labels_version, np.bool_)

    def passes(self, columns: Columns, pod: Usage) -> Mask | None:
        asked = pod.requirements
        if not asked.selector and asked.required_terms is None:
            return None
        question = (asked.selector, asked.required_terms)
        return self._cache.get(columns, question, lambda row: node_matches(row, asked))

    def explain(self, columns: Columns, pod: Usage, index: int) -> Refusal:
        row, asked = columns.row(index), pod.requirements
        missing = [each for each in asked.selector if not each.matches(row.labels)]
        if missing:
            labels = " ".join(f"{each.key}={next(iter(each.values))}" for each in missing)
            suggestions: tuple[str, ...] = (f"label the node: kctl label node {row.name} {labels}", "change spec.nodeSelector")
        else:
            unmet = [_unmet(row, term) for term in asked.required_terms or ()]
            suggestions = tuple(f"the node would match with: {text}" for text in unmet if text)
        return Refusal(("node(s) didn't match Pod's node affinity/selector",), suggestions)


class NodePorts:
    name = "NodePorts"

    def passes(self, columns: Columns, pod: Usage) -> Mask | None:
        wanted = pod.requirements.ports
        if not wanted:
            return None
        free = (
            row is not None and not any(port.collides(taken) for port in wanted for taken in row.ports) for row in columns.rows
        )
        return np.fromiter(free, np.bool_, len(columns.rows))

    def explain(self, columns: Columns, pod: Usage, index: int) -> Refusal:
        taken = columns.row(index).ports
        ports = sorted({port.port for port in pod.requirements.ports if any(port.collides(other) for other in taken)})
        listed = ", ".join(map(str, ports))
        return Refusal(
            ("node(s) didn't have free ports for the requested pod ports",), (f"use another hostPort than {listed}",)
        )


class NodeResourcesFit:
    name = "NodeResourcesFit"

    def passes(self, columns: Columns, pod: Usage) -> Mask | None:
        pods = columns.resources.index(PODS)
        mask: Mask = columns.used[pods] < columns.allocatable[pods]
        for resource, wanted in pod.requirements.requests:
            column = columns.resource_index(resource)
            if column is None:
                return np.zeros(len(columns.rows), dtype=np.bool_)
            mask &= columns.used[column] + wanted <= columns.allocatable[column]
        return mask

    def explain(self, columns: Columns, pod: Usage, index: int) -> Refusal:
        reasons, suggestions = [], []
        pods = columns.resources.index(PODS)
        if columns.used[pods, index] >= columns.allocatable[pods, index]:
            reasons.append("Too many pods")
            suggestions.append(f"remove a pod from the node: it allows {columns.allocatable[pods, index]}")
        for resource, wanted in pod.requirements.requests:
            column = columns.resource_index(resource)
            offered = 0 if column is None else int(columns.allocatable[column, index])
            free = 0 if column is None else offered - int(columns.used[column, index])
            if wanted > free:
                reasons.append(f"Insufficient {resource}")
                suggestions.append(_shortage(resource, wanted, free, offered))
        return Refusal(tuple(reasons), tuple(suggestions))


class PodTopologySpread:
    """Hard spread constraints; the soft ones are scored."""

    name = "PodTopologySpread"

    def __init__(self, domains: DomainCache) -> None:
        self._domains = domains

    def passes(self, columns: Columns, pod: Usage) -> Mask | None:
        hard = [each for each in pod.requirements.spread if each.hard]
        if not hard:
            return None
        mask = np.ones(len(columns.rows), dtype=np.bool_)
        for constraint in hard:
            mask &= self._within_skew(columns, pod, constraint)
        return mask

    def explain(self, columns: Columns, pod: Usage, index: int) -> Refusal:
        labels = columns.row(index).labels
        missing = [each.topology_key for each in pod.requirements.spread if each.hard and each.topology_key not in labels]
        if missing:
            return Refusal(
                ("node(s) didn't match pod topology spread constraints (missing required label)",),
                (f"label the node with {', '.join(missing)}",),
            )
        return Refusal(
            ("node(s) didn't match pod topology spread constraints",),
            ("raise maxSkew, or make room in the domains with fewer pods",),
        )

    def _within_skew(self, columns: Columns, pod: Usage, constraint: SpreadConstraint) -> Mask:
        domains = self._domains.get(columns, constraint.topology_key)
        totals = domains.totals(columns, partial(matches_spread, constraint, pod))
        eligible = np.zeros(domains.count, dtype=np.bool_)
        for index in np.flatnonzero(columns.live & (domains.of_row >= 0)):
            if _counts_for_spread(columns.row(int(index)), pod.requirements, constraint):
                eligible[domains.of_row[index]] = True
        least = int(totals[eligible].min()) if eligible.any() else 0
        if int(eligible.sum()) < constraint.min_domains:
            least = 0
        own = 1 if constraint.selector.matches(pod.labels) else 0
        skew = domains.per_row(totals, missing=0) + own - least
        return (domains.of_row >= 0) & (skew <= constraint.max_skew)


class InterPodAffinity:
    """Required affinity and anti-affinity between pods, those of the pods that are already placed included."""

    name = "InterPodAffinity"

    def __init__(self, domains: DomainCache) -> None:
        self._domains = domains

    def passes(self, columns: Columns, pod: Usage) -> Mask | None:
        opinions = (self._near(columns, pod), self._apart(columns, pod), self._welcome(columns, pod))
        masks = [mask for mask in opinions if mask is not None]
        if not masks:
            return None
        return np.asarray(np.logical_and.reduce(masks), dtype=np.bool_)

    def explain(self, columns: Columns, pod: Usage, index: int) -> Refusal:
        for mask, reason, suggestion in (
            (self._near(columns, pod), "node(s) didn't match pod affinity rules", "run a matching pod in the node's domain"),
            (self._apart(columns, pod), "node(s) didn't match pod anti-affinity rules", "move the pods it must not meet"),
            (
                self._welcome(columns, pod),
                "node(s) didn't satisfy existing pods anti-affinity rules",
                "change the pod's labels, or move the pods that keep it away",
            ),
        ):
            if mask is not None and not mask[index]:
                return Refusal((reason,), (suggestion,))
        raise AssertionError(f"row {index} was not refused")

    def _near(self, columns: Columns, pod: Usage) -> Mask | None:
        terms = pod.requirements.neighbours.required
        if not terms:
            return None
        mask = np.ones(len(columns.rows), dtype=np.bool_)
        anyone = False
        labelled = np.ones(len(columns.rows), dtype=np.bool_)
        for term in terms:
            domains = self._domains.get(columns, term.topology_key)
            totals = domains.totals(columns, partial(speaks_of, columns, term))
            anyone = anyone or bool(totals.any())
            labelled &= domains.of_row >= 0
            mask &= domains.per_row(totals, missing=0) > 0
        if not anyone and all(speaks_of(columns, term, pod) for term in terms):
            return labelled  # the first of a group that wants to be together may start anywhere
        return mask

    def _apart(self, columns: Columns, pod: Usage) -> Mask | None:
        terms = pod.requirements.neighbours.required_anti
        if not terms:
            return None
        mask = np.ones(len(columns.rows), dtype=np.bool_)
        for term in terms:
            domains = self._domains.get(columns, term.topology_key)
            totals = domains.totals(columns, partial(speaks_of, columns, term))
            mask &= domains.per_row(totals, missing=0) == 0
        return mask

    def _welcome(self, columns: Columns, pod: Usage) -> Mask | None:
        mask: Mask | None = None
        for index, other in columns.repelling_pods():
            for term in other.requirements.neighbours.required_anti:
                if not speaks_of(columns, term, pod):
                    continue
                domains = self._domains.get(columns, term.topology_key)
                if domains.of_row[index] >= 0:
                    here = domains.of_row == domains.of_row[index]
                    mask = ~here if mask is None else mask & ~here
        return mask


def default_filters(domains: DomainCache) -> Sequence[Filter]:
    """All filters, the cheap and telling ones first: a node is said to be refused by the first that refuses it."""
    return (
        NodeUnschedulable(),
        NodeName(),
        TaintToleration(),
        NodeAffinity(),
        NodePorts(),
        NodeResourcesFit(),
        PodTopologySpread(domains),
        InterPodAffinity(domains),
    )


def node_matches(row: Row, asked: Requirements) -> bool:
    """Whether a node satisfies nodeSelector and required node affinity."""
    if not all(each.matches(row.labels) for each in asked.selector):
        return False
    return asked.required_terms is None or any(term_matches(row, term) for term in asked.required_terms)


def term_matches(row: Row, term: Term) -> bool:
    """Whether a node satisfies one node selector term."""
    if term.empty:
        return False
    name = {"metadata.name": row.name}
    return all(each.matches(row.labels) for each in term.labels) and all(each.matches(name) for each in term.names)


def speaks_of(columns: Columns, term: NeighbourTerm, usage: Usage) -> bool:
    """Whether a pod (anti-)affinity term is about that pod."""
    return term.matches(usage.namespace, usage.labels, columns.namespace_labels.get(usage.namespace, {}))


def matches_spread(constraint: SpreadConstraint, pod: Usage, other: Usage) -> bool:
    """Whether a placed pod counts for the spread of `pod`."""
    return other.namespace == pod.namespace and constraint.selector.matches(other.labels)


def _counts_for_spread(row: Row, asked: Requirements, constraint: SpreadConstraint) -> bool:
    if constraint.honour_affinity and not node_matches(row, asked):
        return False
    return not constraint.honour_taints or not _untolerated(row, asked)


def _untolerated(row: Row, asked: Requirements) -> list[Taint]:
    return [taint for taint in row.taints if taint.effect in _BLOCKING_EFFECTS and not asked.tolerates(taint)]


def _unmet(row: Row, term: Term) -> str:
    missing: list[Requirement] = [each for each in term.labels if not each.matches(row.labels)]
    return " and ".join(map(str, missing))


def _shortage(resource: str, wanted: int, free: int, offered: int) -> str:
    show = _quantity(resource)
    most, instead = show(max(free, 0)), show(wanted)
    if wanted > offered:
        return f"request at most {most} of {resource} instead of {instead}: the node has {show(offered)} in all"
    return f"free {show(wanted - free)} of {resource} on the node, or request at most {most} instead of {instead}"


def _quantity(resource: str) -> Callable[[int], str]:
    if resource == CPU:
        return from_milli
    if resource == MEMORY:
        return lambda value: f"{value // (1 << 20)}Mi" if value % (1 << 20) == 0 or value > 1 << 30 else canonical(value)
    return str
