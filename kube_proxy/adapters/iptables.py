"""The packet filter through iptables' own tools, which work on both of its kernel interfaces."""

from collections.abc import Iterable, Mapping, Sequence

from kube_proxy.adapters.processes import run
from kube_proxy.core.rules import OWN_PREFIX
from kube_proxy.ports import PacketFilterError

LOCK_WAIT_S = "5"
TABLES = ("nat", "filter")


class Iptables:
    """Rules of the network namespace that this process is in."""

    async def own_chains(self) -> Mapping[str, frozenset[str]]:
        found = {}
        for table in TABLES:
            saved = await _checked(["iptables-save", "-t", table])
            names = (line[1:].split(" ", 1)[0] for line in saved.splitlines() if line.startswith(":"))
            found[table] = frozenset(name for name in names if name.startswith(OWN_PREFIX))
        return found

    async def apply(self, text: str) -> None:
        await _checked(["iptables-restore", "--noflush", "-w", LOCK_WAIT_S], text)

    async def ensure_jumps(self, jumps: Iterable[tuple[str, str, str]]) -> None:
        for table, chain, rule in reversed(list(jumps)):
            code, _, _ = await run(["iptables", "-w", LOCK_WAIT_S, "-t", table, "-C", chain, *rule.split()])
            if code != 0:
                await _checked(["iptables", "-w", LOCK_WAIT_S, "-t", table, "-I", chain, *rule.split()])


async def _checked(argv: Sequence[str], text: str = "") -> str:
    code, out, err = await run(argv, text)
    if code != 0:
        raise PacketFilterError(f"{' '.join(argv)} exited with {code}: {err.strip() or out.strip()}")
    return out
