"""Scores: which of the nodes that fit is best. Each is a vector of 0..100 for every row; weights are Kubernetes' own.

Only rows in `feasible` are compared; what stands in the others means nothing.
"""

from collections.abc import Sequence
from functools import partial
from typing import Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

from scheduler.core.columns import Columns, Mask, Row, Usage
from scheduler.core.filters import VectorCache, matches_spread, speaks_of, term_matches
from scheduler.core.requirements import CPU, MEMORY, Requirements
from scheduler.core.topology import DomainCache

Points: TypeAlias = NDArray[np.float64]
FULL = 100.0

_IMAGE_FLOOR_BYTES = 23 * 1024 * 1024
_IMAGE_CEILING_BYTES = 1000 * 1024 * 1024


class Score(Protocol):
    """One view of what is better."""

    @property
    def name(self) -> str:
        """As Kubernetes calls its plugin."""

    @property
    def weight(self) -> int:
        """How much it counts beside the others."""

    def points(self, columns: Columns, pod: Usage, feasible: Mask) -> Points | None:
        """0..100 for each row; None when it has no opinion about this pod."""


class NodeResourcesFit:
    """The emptier, the better."""

    name = "NodeResourcesFit"
    weight = 1

    def points(self, columns: Columns, pod: Usage, feasible: Mask) -> Points | None:
        cpu, memory = _used_shares(columns, pod)
        return np.asarray((2.0 - cpu - memory) * (FULL / 2))


class NodeResourcesBalancedAllocation:
    """The more evenly processor and memory are used, the better."""

    name = "NodeResourcesBalancedAllocation"
    weight = 1

    def points(self, columns: Columns, pod: Usage, feasible: Mask) -> Points | None:
        cpu, memory = _used_shares(columns, pod)
        return np.asarray(FULL * (1.0 - np.abs(cpu - memory) / 2))


class TaintToleration:
    """The fewer PreferNoSchedule taints it does not tolerate, the better."""

    name = "TaintToleration"
    weight = 3

    def __init__(self) -> None:
        self._cache = VectorCache(lambda columns: columns.taints_version, np.float64)

    def points(self, columns: Columns, pod: Usage, feasible: Mask) -> Points | None:
        asked = pod.requirements
        counts = self._cache.get(columns, asked.tolerations, lambda row: _resented(row, asked))
        most = counts[feasible].max(initial=0.0)
        return None if not most else np.asarray(FULL * np.clip(1.0 - counts / most, 0.0, 1.0))


class NodeAffinity:
    """The more of its preferred terms a node satisfies, the better."""

    name = "NodeAffinity"
    weight = 2

    def __init__(self) -> None:
        self._cache = VectorCache(lambda columns: columns.labels_version, np.float64)

    def points(self, columns: Columns, pod: Usage, feasible: Mask) -> Points | None:
        preferred = pod.requirements.preferred_terms
        if not preferred:
            return None
        sums = self._cache.get(
            columns,
            preferred,
            lambda row: sum(each.weight for each in preferred if each.term.empty or term_matches(row, each.term)),
        )
        return _normalized(sums, feasible)


class ImageLocality:
    """The more of its images are there, the better; spread is left to the others."""

    name = "ImageLocality"
    weight = 1

    def __init__(self) -> None:
        self._cache = VectorCache(lambda columns: columns.images_version, np.float64)

    def points(self, columns: Columns, pod: Usage, feasible: Mask) -> Points | None:
        wanted = pod.requirements.images
        sums = self._cache.get(columns, wanted, lambda row: sum(row.images.get(image, 0) for image in wanted))
        if not sums.any():
            return None
        floor, ceiling = _IMAGE_FLOOR_BYTES, _IMAGE_CEILING_BYTES * max(len(wanted), 1)
        return np.asarray(FULL * (np.clip(sums, floor, ceiling) - floor) / (ceiling - floor))


class PodTopologySpread:
    """The fewer pods of its group (or that its soft constraints speak of) are in a node's domain, the better."""

    name = "PodTopologySpread"
    weight = 2

    def __init__(self, domains: DomainCache) -> None:
        self._domains = domains

    def points(self, columns: Columns, pod: Usage, feasible: Mask) -> Points | None:
        soft = [each for each in pod.requirements.spread if not each.hard]
        counts = np.zeros(len(columns.rows))
        if soft:
            for constraint in soft:
                domains = self._domains.get(columns, constraint.topology_key)
                totals = domains.totals(columns, partial(matches_spread, constraint, pod))
                counts += domains.per_row(totals, missing=int(totals.max(initial=0)) + 1)
        elif pod.group and not pod.requirements.spread:
            for index, count in columns.group_counts(pod.group).items():
                counts[index] = count
        most = counts[feasible].max(initial=0.0)
        return None if not most else np.asarray(FULL * np.clip(1.0 - counts / most, 0.0, 1.0))


class InterPodAffinity:
    """The more pods it would like to be near, and the fewer it would not, the better."""

    name = "InterPodAffinity"
    weight = 2

    def __init__(self, domains: DomainCache) -> None:
        self._domains = domains

    def points(self, columns: Columns, pod: Usage, feasible: Mask) -> Points | None:
        neighbours = pod.requirements.neighbours
        if not neighbours.preferred and not neighbours.preferred_anti:
            return None
        sums = np.zeros(len(columns.rows))
        for sign, terms in ((1, neighbours.preferred), (-1, neighbours.preferred_anti)):
            for term in terms:
                domains = self._domains.get(columns, term.topology_key)
                totals = domains.totals(columns, partial(speaks_of, columns, term))
                sums += sign * term.weight * domains.per_row(totals, missing=0)
        return _normalized(sums, feasible)


def default_scores(domains: DomainCache) -> Sequence[Score]:
    return (
        NodeResourcesFit(),
        NodeResourcesBalancedAllocation(),
        TaintToleration(),
        NodeAffinity(),
        ImageLocality(),
        PodTopologySpread(domains),
        InterPodAffinity(domains),
    )


def _resented(row: Row, asked: Requirements) -> int:
    return sum(taint.effect == "PreferNoSchedule" and not asked.tolerates(taint) for taint in row.taints)


def _used_shares(columns: Columns, pod: Usage) -> tuple[Points, Points]:
    """The shares of processor and memory that would be in use with the pod, 0..1; 1 where a node has none."""
    cpu, memory = columns.resources.index(CPU), columns.resources.index(MEMORY)
    return (
        _share(columns.scored[0] + pod.requirements.scored_milli_cpu, columns.allocatable[cpu]),
        _share(columns.scored[1] + pod.requirements.scored_memory_bytes, columns.allocatable[memory]),
    )


def _share(used: NDArray[np.int64], offered: NDArray[np.int64]) -> Points:
    return np.minimum(used / np.maximum(offered, 1), 1.0)


def _normalized(sums: Points, feasible: Mask) -> Points | None:
    """Spread over 0..100 between the least and the most of the feasible rows; None when they are all equal."""
    least, most = sums[feasible].min(initial=np.inf), sums[feasible].max(initial=-np.inf)
    if not most > least:
        return None
    return np.asarray(FULL * np.clip((sums - least) / (most - least), 0.0, 1.0))
