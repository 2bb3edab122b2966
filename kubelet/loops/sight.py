"""What one pod has at the runtime: as it was last looked at, and what has to be looked at again.

What is told (events of the runtime, its lists) is only noted; `refresh` asks the runtime about it. A call that failed may have
had an effect all the same: after `doubt`, the next look is at everything that the runtime lists.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import replace
from typing import TypeVar

from kubelet.core import model
from kubelet.core.logs import parse_line
from kubelet.core.model import ContainerRecord, Observation, RuntimeEvent, Sandbox
from kubelet.loops.kit import Kit
from kubelet.ports import RuntimeFailureError, RuntimeNotFoundError

ResultT = TypeVar("ResultT")

_SETTLING_S = (0.005, 0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.0)
_MESSAGE_LIMIT_BYTES = 4096
_LOG_TAIL_BYTES = 2048


class Sight:
    """Belongs to one worker, which notes in `seen` what it did itself.

    `found_running` is told of a container that runs though nobody has told of its start.
    """

    def __init__(self, kit: Kit, uid: str, seen: Observation, found_running: Callable[[ContainerRecord], None]) -> None:
        self.seen = seen
        self._kit = kit
        self._uid = uid
        self._found_running = found_running
        self._stale: set[str] = set()
        self._sandbox_of: dict[str, str] = {}
        """By what the runtime last listed: each container's sandbox, and itself for a sandbox."""
        self._unsure = False
        self._early: set[str] = set()
        self._exits: set[str] = set()

    def happened(self, event: RuntimeEvent, *, known: bool = True) -> None:
        """Something happened to the sandbox or a container, or to one (not `known`) that may turn out to be the pod's."""
        (self._stale if known else self._early).add(event.container_id)
        if event.exited:
            self._exits.add(event.container_id)

    def suspect(self, identities: Iterable[str]) -> None:
        """These may not be any more what they were."""
        self._stale |= set(identities)

    def doubt(self) -> None:
        """A call to the runtime failed: it may have had an effect all the same."""
        self._unsure = True

    def relisted(self, sandboxes: Iterable[Sandbox], containers: Iterable[ContainerRecord]) -> bool:
        """What the runtime lists of this pod; whether anything differs from what is known, and has to be looked into."""
        sandboxes, containers = list(sandboxes), list(containers)
        self._sandbox_of = {each.id: each.sandbox_id for each in containers} | {each.id: each.id for each in sandboxes}
        listed = {each.id: each.state for each in containers}
        ready = {each.id: each.ready for each in sandboxes}
        known = {each.id: each.state for each in self.seen.containers}
        known_ready = {each.id: each.ready for each in self.seen.sandboxes}
        different = {each for each in listed.keys() | known.keys() if listed.get(each) != known.get(each)}
        different |= {each for each in ready.keys() | known_ready.keys() if ready.get(each) != known_ready.get(each)}
        self._stale |= different
        return bool(different)

    async def refresh(self) -> None:
        """Ask the runtime about what is said to have changed."""
        if self._unsure:
            await self._take_stock()
        stale, self._stale = self._stale | (self._early & self.seen.ids()), set()
        self._early.clear()
        sandboxes = {each.id for each in self.seen.sandboxes}
        sandboxes |= {identity for identity, sandbox in self._sandbox_of.items() if identity == sandbox}
        try:
            for identity in sorted(stale):
                if identity in sandboxes:
                    await self._refresh_sandbox(identity)
                else:
                    await self.look_at(identity)
        except RuntimeFailureError:
            self._stale |= stale
            raise
        self._exits &= self._stale | self._early

    async def _take_stock(self) -> None:
        """Find what came of calls whose answers were lost: the names of those sandboxes and containers are taken."""
        sandboxes, containers = await asyncio.gather(self._kit.runtime.list_sandboxes(), self._kit.runtime.list_containers())
        self._unsure = False
        self.relisted(
            (each for each in sandboxes if each.pod_uid == self._uid),
            (each for each in containers if each.pod_uid == self._uid),
        )

    async def _refresh_sandbox(self, identity: str) -> None:
        try:
            sandbox = await self._settled(identity, self._kit.runtime.sandbox_status, lambda found: not found.ready)
            self.seen = self.seen.with_sandbox(sandbox)
        except RuntimeNotFoundError:
            self.seen = self.seen.without_sandbox(identity)

    async def look_at(self, identity: str) -> None:
        """Ask the runtime about a container."""
        try:
            record = await self._settled(identity, self._kit.runtime.container_status, lambda found: found.over)
        except RuntimeNotFoundError:
            self._kit.prober.forget(identity)
            self.seen = self.seen.without_container(identity)
            return
        before = next((each for each in self.seen.containers if each.id == identity), None)
        sandbox = self.seen.sandbox
        belongs = before.sandbox_id if before is not None else self._sandbox_of.get(identity, sandbox.id if sandbox else "")
        record = replace(record, sandbox_id=belongs)
        if record.running and before is None:
            self._found_running(record)
        if record.over:
            self._kit.prober.forget(identity)
            if before is None or not before.over:
                record = await self._with_last_words(record)
            else:
                record = replace(record, message=before.message)
        self.seen = self.seen.with_container(record)

    async def _settled(
        self, identity: str, look: Callable[[str], Awaitable[ResultT]], ended: Callable[[ResultT], bool]
    ) -> ResultT:
        """What the runtime says; of what is known to have ended, once the runtime itself has taken that in."""
        found = await look(identity)
        for wait_s in _SETTLING_S if identity in self._exits else ():
            if ended(found):
                break
            await asyncio.sleep(wait_s)
            found = await look(identity)
        return found

    async def _with_last_words(self, record: ContainerRecord) -> ContainerRecord:
        """The container with the message that it left, if it left one."""
        files, settings = self._kit.filesystem, self._kit.settings
        path = files.termination_path(self._uid, record.name, record.attempt)
        text = await files.read_tail(path, _MESSAGE_LIMIT_BYTES, path.rpartition("/")[0])
        policy = record.annotations.get(model.MESSAGE_POLICY, "File")
        if not text and policy == "FallbackToLogsOnError" and record.exit_code != 0 and record.log_path:
            raw = await files.read_tail(record.log_path, 2 * _LOG_TAIL_BYTES, settings.pod_logs_directory)
            text = _log_text(raw)
        return replace(record, message=text.decode(errors="replace") or record.message)


def _log_text(raw: bytes) -> bytes:
    lines = [record.text for line in raw.splitlines() if (record := parse_line(line)) is not None]
    return b"".join(lines)[-_LOG_TAIL_BYTES:]
