"""Imitations for tests: rules and flows in memory, with the tools' semantics."""

from collections.abc import Iterable, Mapping, Sequence

from kube_proxy.core.flows import Flow
from kube_proxy.core.rules import OWN_PREFIX
from kube_proxy.ports import PacketFilterError

BUILT_IN = {"nat": ("PREROUTING", "INPUT", "OUTPUT", "POSTROUTING"), "filter": ("INPUT", "FORWARD", "OUTPUT")}


class FakePacketFilter:
    """`tables` is table -> chain -> rules; `applied` are the texts, in order."""

    def __init__(self) -> None:
        self.tables: dict[str, dict[str, list[str]]] = {
            table: {chain: [] for chain in chains} for table, chains in BUILT_IN.items()
        }
        self.applied: list[str] = []

    async def own_chains(self) -> Mapping[str, frozenset[str]]:
        return {
            table: frozenset(name for name in chains if name.startswith(OWN_PREFIX)) for table, chains in self.tables.items()
        }

    async def apply(self, text: str) -> None:
        table, pending = (
            "",
            {name: {chain: list(rules) for chain, rules in chains.items()} for name, chains in self.tables.items()},
        )
        for line in filter(None, text.splitlines()):
            if line.startswith("*"):
                table = line[1:]
            elif line.startswith(":"):
                pending[table][line[1:].split()[0]] = []
            elif line.startswith("-A "):
                _, chain, rule = line.split(" ", 2)
                self._check_target(pending[table], rule)
                pending[table][chain].append(rule)
            elif line.startswith("-X "):
                self._delete(pending[table], line[3:])
            elif line != "COMMIT":
                raise PacketFilterError(f"cannot read {line!r}")
        self.tables = pending
        self.applied.append(text)

    async def ensure_jumps(self, jumps: Iterable[tuple[str, str, str]]) -> None:
        for table, chain, rule in reversed(list(jumps)):
            if rule not in self.tables[table][chain]:
                self._check_target(self.tables[table], rule)
                self.tables[table][chain].insert(0, rule)

    def _check_target(self, chains: Mapping[str, list[str]], rule: str) -> None:
        target = rule.rpartition("-j ")[2].split()[0]
        if target.startswith(OWN_PREFIX) and target not in chains:
            raise PacketFilterError(f"no chain {target}")

    def _delete(self, chains: dict[str, list[str]], name: str) -> None:
        if any(rule.endswith(f"-j {name}") for rules in chains.values() for rule in rules):
            raise PacketFilterError(f"chain {name} is in use")
        if chains.pop(name, None) is None:
            raise PacketFilterError(f"no chain {name}")


class FakeFlowTable:
    """`flows` are those that the kernel tracks; `forgotten` all that were to be forgotten."""

    def __init__(self) -> None:
        self.flows: list[Flow] = []
        self.forgotten: list[Flow] = []

    async def tracked(self) -> Sequence[Flow]:
        return tuple(self.flows)

    async def forget(self, flows: Iterable[Flow]) -> None:
        self.forgotten.extend(flows)
