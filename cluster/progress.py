"""The stages of `create` as a function of what is reported. Pure: reports in, passed stages and failures out."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field

from cluster.lifecycle import State
from cluster.messages import ServiceReport

# A service that ended this often before it ever was ready will not get better by waiting.
STARTS_MAX = 3
UP = frozenset({State.READY, State.DONE})


@dataclass(frozen=True, slots=True)
class Stage:
    """A part of the start that is awaited: it has passed once every (node, service) of it is up, and every node Ready."""

    name: str
    title: str
    services: frozenset[tuple[str, str]] = frozenset()
    nodes: frozenset[str] = frozenset()


@dataclass(slots=True)
class Progress:
    """What is up so far, and which stages are still awaited."""

    awaited: list[Stage]
    up: set[tuple[str, str]] = field(default_factory=set)
    ready_nodes: set[str] = field(default_factory=set)

    @property
    def complete(self) -> bool:
        return not self.awaited

    def on_service(self, report: ServiceReport) -> list[Stage]:
        """Take in a report; the stages that have passed with it."""
        if report.state in UP:
            self.up.add((report.node, report.service))
        return self._passed()

    def on_node(self, name: str, ready: bool) -> list[Stage]:
        """Take in a node's condition; the stages that have passed with it."""
        if ready:
            self.ready_nodes.add(name)
        else:
            self.ready_nodes.discard(name)
        return self._passed()

    def has_failed(self, report: ServiceReport) -> bool:
        """Whether `report` means that the cluster will not come up."""
        if (report.node, report.service) in self.up:
            return False
        return report.state == State.FAILED or (report.state == State.BACKOFF and report.starts >= STARTS_MAX)

    def missing(self) -> str:
        """What the awaited stages wait for, in words."""
        services = sorted({f"{service} on {node}" for stage in self.awaited for node, service in stage.services - self.up})
        nodes = sorted({name for stage in self.awaited for name in stage.nodes - self.ready_nodes})
        parts = [_join(services)] if services else []
        if nodes:
            parts.append(f"the Ready condition of {_join(nodes)}")
        return " and ".join(parts)

    def _passed(self) -> list[Stage]:
        passed = [stage for stage in self.awaited if stage.services <= self.up and stage.nodes <= self.ready_nodes]
        self.awaited = [stage for stage in self.awaited if stage not in passed]
        return passed


def _join(names: Collection[str]) -> str:
    return ", ".join(names)
