"""The rows of `kctl top`: what nodes and pods use, beside what they may use; pure.

CPU is counted in billionths of a core, as the metrics come, so that a sum of small values is rounded once. Memory is in bytes.
Source: the Kubernetes page "Resource metrics pipeline".
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from apimachinery.quantity import parse_quantity

Plain = Mapping[str, Any]
UNKNOWN = "<unknown>"
_MIB = 1 << 20


@dataclass(frozen=True)
class Use:
    """CPU in billionths of a core, memory in bytes."""

    cpu_nanos: int = 0
    memory_bytes: int = 0

    def __add__(self, other: "Use") -> "Use":
        return Use(self.cpu_nanos + other.cpu_nanos, self.memory_bytes + other.memory_bytes)

    @property
    def cpu_text(self) -> str:
        return f"{-(-self.cpu_nanos // 1_000_000)}m"

    @property
    def memory_text(self) -> str:
        return f"{self.memory_bytes // _MIB}Mi"


def use_of(resources: Plain | None) -> Use:
    """A list of quantities by resource."""
    listed = resources or {}
    cpu, memory = parse_quantity(str(listed.get("cpu", 0))), parse_quantity(str(listed.get("memory", 0)))
    return Use(int(cpu * 1_000_000_000), int(memory))


def total(uses: Sequence[Use]) -> Use:
    return sum(uses, Use())


def node_rows(
    metrics: Sequence[Plain], nodes: Sequence[Plain], sort_by: str = "", part: str = "allocatable"
) -> list[list[str]]:
    """A row for each node; those that have no metrics (yet) come last."""
    limits = {node["metadata"]["name"]: use_of((node.get("status") or {}).get(part)) for node in nodes}
    measured = [(str(each["metadata"]["name"]), use_of(each.get("usage"))) for each in metrics]
    rows = []
    for name, use in sorted(measured, key=lambda row: _order(row[0], row[1], sort_by)):
        limit = limits.get(name, Use())
        rows.append(
            [
                name,
                use.cpu_text,
                _percent(use.cpu_nanos, limit.cpu_nanos),
                use.memory_text,
                _percent(use.memory_bytes, limit.memory_bytes),
            ]
        )
    known = {name for name, _ in measured}
    return rows + [[name, *[UNKNOWN] * 4] for name in sorted(limits) if name not in known]


def pod_rows(
    metrics: Sequence[Plain], *, sort_by: str = "", with_namespace: bool = False, containers: bool = False, sum_up: bool = False
) -> list[list[str]]:
    """A row for each pod, or for each container; `sum_up` adds a line and the sum."""
    pods = [(each, total([use_of(part.get("usage")) for part in each.get("containers") or ()])) for each in metrics]
    rows: list[list[str]] = []
    for pod, use in sorted(pods, key=lambda row: _order(_place(row[0], with_namespace), row[1], sort_by)):
        metadata = pod["metadata"]
        lead = [*([metadata.get("namespace", "")] if with_namespace else []), metadata["name"]]
        if not containers:
            rows.append([*lead, use.cpu_text, use.memory_text])
            continue
        parts = [(str(part["name"]), use_of(part.get("usage"))) for part in pod.get("containers") or ()]
        for name, own in sorted(parts, key=lambda row: _order(row[0], row[1], sort_by)):
            rows.append([*lead, name, own.cpu_text, own.memory_text])
    if sum_up and rows:
        blank = [""] * (len(rows[0]) - 2)
        everything = total([use for _, use in pods])
        rows += [[*blank, "________", "________"], [*blank, everything.cpu_text, everything.memory_text]]
    return rows


def _order(name: str, use: Use, sort_by: str) -> tuple[int, str]:
    """Largest first when sorted by a resource, by name otherwise."""
    return ({"cpu": -use.cpu_nanos, "memory": -use.memory_bytes}.get(sort_by, 0), name)


def _place(pod: Plain, with_namespace: bool) -> str:
    metadata = pod["metadata"]
    return f"{metadata.get('namespace', '')}/{metadata['name']}" if with_namespace else str(metadata["name"])


def _percent(used: int, limit: int) -> str:
    return f"{used * 100 // limit}%" if limit else UNKNOWN
