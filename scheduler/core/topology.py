"""Domains: nodes that share the value of a label (a zone, a rack, a host), and how many pods of a kind are in each."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from scheduler.core.columns import Amounts, Columns, Usage


class Domains:
    """The domains of one label: `of_row[i]` is the number of row i's domain, -1 where the label is missing."""

    def __init__(self, columns: Columns, topology_key: str) -> None:
        numbers: dict[str, int] = {}
        self.of_row: NDArray[np.int64] = np.full(len(columns.rows), -1, dtype=np.int64)
        for name in columns.names:
            index = columns.index_of(name)
            assert index is not None
            value = columns.row(index).labels.get(topology_key)
            if value is not None:
                self.of_row[index] = numbers.setdefault(value, len(numbers))
        self.count = len(numbers)
        self.values = list(numbers)

    def totals(self, columns: Columns, counts: Callable[[Usage], bool]) -> Amounts:
        """How many pods that `counts` are in each domain."""
        totals: Amounts = np.zeros(self.count, dtype=np.int64)
        for index, usage in columns.pods():
            domain = self.of_row[index]
            if domain >= 0 and counts(usage):
                totals[domain] += 1
        return totals

    def per_row(self, totals: Amounts, missing: int) -> Amounts:
        """For each row the total of its domain, `missing` where it has none."""
        if not self.count:
            return np.full(len(self.of_row), missing, dtype=np.int64)
        return np.where(self.of_row >= 0, totals[self.of_row], missing)


class DomainCache:
    """Domains by label, computed anew when some node's labels have changed."""

    def __init__(self) -> None:
        self._version = -1
        self._domains: dict[str, Domains] = {}

    def get(self, columns: Columns, topology_key: str) -> Domains:
        if columns.labels_version != self._version:
            self._domains.clear()
            self._version = columns.labels_version
        if topology_key not in self._domains:
            self._domains[topology_key] = Domains(columns, topology_key)
        return self._domains[topology_key]
