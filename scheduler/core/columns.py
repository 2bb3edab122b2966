"""The cluster as columns: one row a node, one numpy array an attribute, so that a filter or a score is a vector function.

A node keeps its row until it is removed; a free row has `live` False and is reused. Amounts are int64 in the unit of their
column (cpu in thousandths of a core, everything else whole units). What pods use is kept per pod, so that taking one away is
exact. `labels_version`, `taints_version` and `images_version` move when any node's do: cached vectors are keyed by
them.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from apimachinery.kinds import Node, Taint
from scheduler.core.requirements import CPU, MEMORY, PODS, HostPort, Requirements, amount

Mask = NDArray[np.bool_]
Amounts = NDArray[np.int64]

_BASE = (CPU, MEMORY, PODS)


@dataclass(frozen=True)
class Usage:
    """What one pod takes of its node."""

    uid: str
    requirements: Requirements
    namespace: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)
    group: str = ""
    """The uid of what controls the pod; pods of one group are spread."""


@dataclass
class Row:
    """What a node has that is no number."""

    name: str
    labels: Mapping[str, str] = field(default_factory=dict)
    taints: Sequence[Taint] = ()
    images: Mapping[str, int] = field(default_factory=dict)
    pods: dict[str, Usage] = field(default_factory=dict)
    ports: list[HostPort] = field(default_factory=list)


class Columns:
    """Nodes, and the pods on them, assumed ones included."""

    def __init__(self, capacity: int = 64) -> None:
        self.resources: list[str] = list(_BASE)
        self.live: Mask = np.zeros(capacity, dtype=np.bool_)
        self.schedulable: Mask = np.zeros(capacity, dtype=np.bool_)
        self.allocatable: Amounts = np.zeros((len(_BASE), capacity), dtype=np.int64)
        self.used: Amounts = np.zeros((len(_BASE), capacity), dtype=np.int64)
        self.scored: Amounts = np.zeros((2, capacity), dtype=np.int64)
        self.rows: list[Row | None] = [None] * capacity
        self.labels_version = 0
        self.taints_version = 0
        self.images_version = 0
        self.namespace_labels: dict[str, Mapping[str, str]] = {}
        self._row_of: dict[str, int] = {}
        self._free: list[int] = list(range(capacity - 1, -1, -1))
        self._place_of: dict[str, str] = {}  # pod uid -> node name
        self._homeless: dict[str, dict[str, Usage]] = {}  # pods on nodes that are not (yet, or no longer) known
        self._groups: dict[str, dict[int, int]] = {}  # group -> row -> number of pods
        self._repelling: dict[str, Usage] = {}  # placed pods with required anti-affinity, by uid

    def __len__(self) -> int:
        """The number of nodes."""
        return len(self._row_of)

    @property
    def names(self) -> list[str]:
        return list(self._row_of)

    def row(self, index: int) -> Row:
        row = self.rows[index]
        assert row is not None
        return row

    def index_of(self, node: str) -> int | None:
        return self._row_of.get(node)

    def resource_index(self, resource: str) -> int | None:
        """The column of a resource that some node offers."""
        try:
            return self.resources.index(resource)
        except ValueError:
            return None

    def group_counts(self, group: str) -> Mapping[int, int]:
        """How many pods of a group are on which row."""
        return self._groups.get(group, {})

    def pods(self) -> Iterator[tuple[int, Usage]]:
        """Every pod that is on a known node, with the row of that node."""
        for index in self._row_of.values():
            for usage in self.row(index).pods.values():
                yield index, usage

    def repelling_pods(self) -> Iterator[tuple[int, Usage]]:
        """The placed pods that keep others away, with their rows."""
        for uid, usage in self._repelling.items():
            index = self._row_of.get(self._place_of[uid])
            if index is not None:
                yield index, usage

    def put_node(self, node: Node) -> None:
        """Add a node, or take over what has changed about it."""
        name = node.metadata.name
        index = self._row_of.get(name)
        if index is None:
            index = self._new_row(name)
        row = self.row(index)
        if row.labels != node.metadata.labels or not self.live[index]:
            row.labels = dict(node.metadata.labels)
            self.labels_version += 1
        if list(row.taints) != node.spec.taints or not self.live[index]:
            row.taints = tuple(node.spec.taints)
            self.taints_version += 1
        images = {name: image.size_bytes or 0 for image in node.status.images for name in image.names}
        if row.images != images or not self.live[index]:
            row.images = images
            self.images_version += 1
        self.schedulable[index] = not node.spec.unschedulable
        offered = node.status.allocatable or node.status.capacity
        amounts = {resource: amount(resource, quantity) for resource, quantity in offered.items()}
        for resource in amounts:
            if resource not in self.resources:
                self._add_resource(resource)
        for column, resource in enumerate(self.resources):
            self.allocatable[column, index] = amounts.get(resource, 0)
        self.live[index] = True

    def remove_node(self, name: str) -> None:
        """Forget a node; its pods stay known, in case it comes back."""
        index = self._row_of.pop(name, None)
        if index is None:
            return
        row = self.row(index)
        if row.pods:
            self._homeless[name] = dict(row.pods)
        for usage in row.pods.values():
            self._count(index, usage, -1)
        self.live[index] = self.schedulable[index] = False
        self.allocatable[:, index] = self.used[:, index] = 0
        self.scored[:, index] = 0
        self.rows[index] = None
        self._free.append(index)
        self.labels_version += 1
        self.taints_version += 1
        self.images_version += 1

    def place(self, usage: Usage, node: str) -> None:
        """Account for a pod on a node; one that is accounted for elsewhere moves."""
        if usage.uid in self._place_of:
            if self._place_of[usage.uid] == node:
                return
            self.displace(usage.uid)
        self._place_of[usage.uid] = node
        if usage.requirements.neighbours.required_anti:
            self._repelling[usage.uid] = usage
        index = self._row_of.get(node)
        if index is None:
            self._homeless.setdefault(node, {})[usage.uid] = usage
            return
        self._occupy(index, usage)

    def displace(self, uid: str) -> bool:
        """Account for a pod no longer; whether it was accounted for."""
        node = self._place_of.pop(uid, None)
        if node is None:
            return False
        self._repelling.pop(uid, None)
        index = self._row_of.get(node)
        if index is None:
            homeless = self._homeless.get(node, {})
            homeless.pop(uid, None)
            if not homeless:
                self._homeless.pop(node, None)
            return True
        row = self.row(index)
        usage = row.pods.pop(uid)
        self._count(index, usage, -1)
        self._book(index, usage.requirements, -1)
        for port in usage.requirements.ports:
            row.ports.remove(port)
        return True

    def place_of(self, uid: str) -> str | None:
        """The node on which a pod is accounted for."""
        return self._place_of.get(uid)

    def _occupy(self, index: int, usage: Usage) -> None:
        row = self.row(index)
        row.pods[usage.uid] = usage
        row.ports.extend(usage.requirements.ports)
        self._book(index, usage.requirements, 1)
        self._count(index, usage, 1)

    def _book(self, index: int, requirements: Requirements, sign: int) -> None:
        for resource, value in requirements.requests:
            column = self.resource_index(resource)
            if column is None:
                column = self._add_resource(resource)
            self.used[column, index] += sign * value
        self.used[_BASE.index(PODS), index] += sign
        self.scored[0, index] += sign * requirements.scored_milli_cpu
        self.scored[1, index] += sign * requirements.scored_memory_bytes

    def _count(self, index: int, usage: Usage, sign: int) -> None:
        if not usage.group:
            return
        counts = self._groups.setdefault(usage.group, {})
        counts[index] = counts.get(index, 0) + sign
        if not counts[index]:
            del counts[index]
            if not counts:
                del self._groups[usage.group]

    def _new_row(self, name: str) -> int:
        if not self._free:
            self._grow()
        index = self._free.pop()
        self._row_of[name] = index
        self.rows[index] = Row(name)
        for usage in self._homeless.pop(name, {}).values():
            self._occupy(index, usage)
        return index

    def _grow(self) -> None:
        size = len(self.rows)
        self.live = np.concatenate((self.live, np.zeros(size, dtype=np.bool_)))
        self.schedulable = np.concatenate((self.schedulable, np.zeros(size, dtype=np.bool_)))
        self.allocatable = np.concatenate((self.allocatable, np.zeros_like(self.allocatable)), axis=1)
        self.used = np.concatenate((self.used, np.zeros_like(self.used)), axis=1)
        self.scored = np.concatenate((self.scored, np.zeros_like(self.scored)), axis=1)
        self.rows.extend([None] * size)
        self._free.extend(range(2 * size - 1, size - 1, -1))

    def _add_resource(self, resource: str) -> int:
        self.resources.append(resource)
        empty = np.zeros((1, len(self.rows)), dtype=np.int64)
        self.allocatable = np.concatenate((self.allocatable, empty))
        self.used = np.concatenate((self.used, empty))
        return len(self.resources) - 1
