"""One attempt: filter, score, choose; and the verdict that explains it.

Nothing here changes the columns. The verdict is built only when it is asked for, and its detail is bounded: in a small cluster
every node is explained, in a large one the best few and some of the refused.
"""

import random
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from apimachinery.verdict import NodeVerdict, Verdict
from scheduler.core.columns import Columns, Mask, Usage
from scheduler.core.filters import Filter, default_filters
from scheduler.core.scores import Points, Score, default_scores
from scheduler.core.topology import DomainCache

EXPLAIN_ALL_UP_TO = 20
BEST_KEPT = 3
REFUSED_KEPT = 10


@dataclass(frozen=True)
class Attempt:
    """What one pass over the nodes gave. `chosen` is a row, None when nothing fits."""

    pod: Usage
    chosen: int | None
    feasible: Mask
    refused: Sequence[tuple[Filter, Mask]]
    """Each filter that refused rows, with the rows that it was the first to refuse."""
    objections: Sequence[tuple[Filter, Mask]]
    """The same filters and those behind them, with every row that each refuses."""
    points: Sequence[tuple[Score, Points]]
    total: Points | None


class Evaluator:
    """Filters and scores, with what they remember of the nodes."""

    def __init__(self, rng: random.Random) -> None:
        domains = DomainCache()
        self._filters = default_filters(domains)
        self._scores = default_scores(domains)
        self._rng = rng

    def attempt(self, columns: Columns, pod: Usage) -> Attempt:
        """Find the best row for a pod; chance decides between equals."""
        feasible = columns.live.copy()
        refused: list[tuple[Filter, Mask]] = []
        objections: list[tuple[Filter, Mask]] = []
        for each in self._filters:
            passes = each.passes(columns, pod)
            if passes is None:
                continue
            objections.append((each, columns.live & ~passes))
            dropped = feasible & ~passes
            if dropped.any():
                refused.append((each, dropped))
                feasible &= passes
        if not feasible.any():
            return Attempt(pod, None, feasible, refused, objections, (), None)
        points, total = self._score(columns, pod, feasible)
        best = np.flatnonzero(total == total.max())
        chosen = int(best[self._rng.randrange(len(best))])
        return Attempt(pod, chosen, feasible, refused, objections, points, total)

    def _score(self, columns: Columns, pod: Usage, feasible: Mask) -> tuple[list[tuple[Score, Points]], Points]:
        points = []
        total = np.zeros(len(columns.rows))
        for score in self._scores:
            given = score.points(columns, pod, feasible)
            if given is not None:
                # whole points, as Kubernetes counts them: differences below one are noise
                weighted = np.floor(given) * score.weight
                points.append((score, weighted))
                total += weighted
        return points, np.where(feasible, total, -1.0)


def rejectors(attempt: Attempt) -> frozenset[str]:
    """The names of the filters that refused some node: only what concerns them can make the pod fit."""
    return frozenset(each.name for each, _ in attempt.refused)


def verdict(columns: Columns, attempt: Attempt, time: str) -> Verdict:
    """The attempt in words; `time` is RFC 3339."""
    small = len(columns) <= EXPLAIN_ALL_UP_TO
    scored = _scored(columns, attempt, EXPLAIN_ALL_UP_TO if small else BEST_KEPT)
    if attempt.chosen is None:
        refused, reasons = _refused(columns, attempt)
        message = unschedulable_message(len(columns), reasons)
    else:
        refused, reasons = _refused(columns, attempt) if small else ([], _refusal_counts(attempt))
        message = ""
    kept = refused if small else refused[:REFUSED_KEPT]
    return Verdict(
        node="" if attempt.chosen is None else columns.row(attempt.chosen).name,
        time=time,
        message=message,
        feasible_nodes=int(attempt.feasible.sum()),
        reasons=reasons,
        nodes=[*scored, *kept],
        omitted_nodes=len(columns) - len(scored) - len(kept),
    )


def unschedulable_message(nodes: int, reasons: dict[str, int]) -> str:
    """`0/3 nodes are available: 1 Insufficient cpu, 2 node(s) were unschedulable.`"""
    if not nodes:
        return "no nodes available to schedule pods"
    listed = ", ".join(sorted(f"{count} {reason}" for reason, count in reasons.items()))
    return f"0/{nodes} nodes are available: {listed}."


def _scored(columns: Columns, attempt: Attempt, limit: int) -> list[NodeVerdict]:
    total = attempt.total
    if total is None or attempt.chosen is None:
        return []
    rows = np.flatnonzero(attempt.feasible)
    best = rows[np.argsort(-total[rows], kind="stable")]
    order = [attempt.chosen, *(int(index) for index in best[: limit + 1] if index != attempt.chosen)][:limit]
    return [
        NodeVerdict(
            node=columns.row(index).name,
            scores={score.name: int(points[index]) for score, points in attempt.points},
            total=int(total[index]),
        )
        for index in order
    ]


def _refused(columns: Columns, attempt: Attempt) -> tuple[list[NodeVerdict], dict[str, int]]:
    nodes: list[NodeVerdict] = []
    reasons: Counter[str] = Counter()
    for each, rows in attempt.refused:
        for index in np.flatnonzero(rows):
            refusal = each.explain(columns, attempt.pod, int(index))
            reasons.update(refusal.reasons)
            further = _further_advice(columns, attempt, each, int(index)) if len(nodes) < EXPLAIN_ALL_UP_TO else []
            nodes.append(
                NodeVerdict(
                    node=columns.row(int(index)).name,
                    refused_by=each.name,
                    reasons=list(refusal.reasons),
                    suggestions=[*refusal.suggestions, *further],
                )
            )
    return nodes, dict(reasons)


def _further_advice(columns: Columns, attempt: Attempt, first: Filter, index: int) -> list[str]:
    """What would have to change too, since other filters than the first refuse the row as well."""
    others = [each for each, rows in attempt.objections if each is not first and rows[index]]
    advice = [each.explain(columns, attempt.pod, index).suggestions for each in others]
    return [f"and also: {', or '.join(each)}" for each in advice if each]


def _refusal_counts(attempt: Attempt) -> dict[str, int]:
    return {each.name: int(rows.sum()) for each, rows in attempt.refused}
