"""An imitation of the API server for unit tests of components: a Transport over a dict.

It keeps revisions, conflicts, watches, selectors, graceful deletion, finalizers and the status subresource; it neither
defaults nor validates nor authorizes. Tests see every write in `writes`, may let any of them fail through `fail`, and may hold
back or drop watch events through `drop`.
"""

import asyncio
import random
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from datetime import timedelta
from typing import Any, TypeVar

from apiclient.client import Client
from apiclient.transport import EventType, Fence, Name, PatchType, PodBinding, RawEvent, Selection, Verb, Write
from apimachinery import codec, errors, fields, labels, patch, times
from apimachinery.clock import Clock, SystemClock
from apimachinery.errors import ApiError
from apimachinery.kinds import DeleteOptions, Object
from apimachinery.resources import LEASES, PODS, Resource, resource_for

ObjectT = TypeVar("ObjectT", bound=Object)
Plain = dict[str, Any]
_Key = tuple[Resource, str, str]


class FakeApi:
    """Objects as plain data; every change is a revision in `history`."""

    def __init__(self, clock: Clock | None = None, rng: random.Random | None = None) -> None:
        self.clock = clock or SystemClock()
        self.rng = rng or random.Random(0)
        self.revision = 1
        self.writes: list[Write] = []
        self.bindings: list[PodBinding] = []
        self.fail: Callable[[Write], ApiError | None] = lambda _: None
        self.drop: Callable[[Resource, RawEvent], bool] = lambda _, __: False
        self.others: Callable[[str, str, bytes], tuple[int, bytes]] = lambda method, path, body: (404, b"{}")
        """What aggregated API servers answer."""
        self.compacted = 0
        self.tokens_given = 0
        self._objects: dict[_Key, Plain] = {}
        self._history: list[tuple[int, Resource, EventType, Plain, Plain | None]] = []
        self._changed = asyncio.Event()
        self._stream_generation = 0

    # what tests do directly

    def seed(self, *objects: Object) -> None:
        """Put objects in as they are (uid and creation time are filled in)."""
        for obj in objects:
            resource = resource_for(type(obj))
            self._insert(resource, codec.to_plain(obj))

    def objects(self, cls: type[ObjectT], namespace: str | None = None) -> list[ObjectT]:
        """All stored objects of a class, by name."""
        resource = resource_for(cls)
        found = [plain for key, plain in sorted(self._objects.items(), key=lambda item: item[0][1:]) if key[0] is resource]
        return [codec.convert(cls, plain) for plain in found if namespace in (None, plain["metadata"].get("namespace", ""))]

    def find(self, cls: type[ObjectT], name: str, namespace: str = "") -> ObjectT | None:
        plain = self._objects.get((resource_for(cls), namespace, name))
        return None if plain is None else codec.convert(cls, plain)

    def remove(self, cls: type[Object], name: str, namespace: str = "") -> None:
        """Take an object away at once, as if it had been deleted without grace or finalizers."""
        self._remove((resource_for(cls), namespace, name))

    def put(self, obj: Object) -> None:
        """Replace an object whatever its revision, status included; for playing another component's part."""
        resource = resource_for(type(obj))
        key = (resource, obj.metadata.namespace, obj.metadata.name)
        self._store(key, codec.to_plain(obj))

    def break_streams(self) -> None:
        """End every watch that is open now."""
        self._stream_generation += 1
        self._wake()

    def compact(self) -> None:
        """Forget history: watches from before now get 410."""
        self.compacted = self.revision

    # Transport

    async def get(self, name: Name, *, resource_version: str = "") -> bytes:
        await asyncio.sleep(0)
        return codec.encode(self._existing(name))

    async def list(self, name: Name, selection: Selection, *, resource_version: str = "") -> tuple[Sequence[bytes], int]:
        await asyncio.sleep(0)
        matches = _matcher(name, selection)
        found = [plain for key, plain in sorted(self._objects.items(), key=lambda i: i[0][1:]) if key[0] is name.resource]
        return [codec.encode(plain) for plain in found if matches(plain)], self.revision

    async def watch(self, name: Name, selection: Selection, *, resource_version: str = "") -> AsyncIterator[Sequence[RawEvent]]:
        matches = _matcher(name, selection)
        generation = self._stream_generation
        position = int(resource_version or 0)
        if not resource_version:
            items, position = await self.list(name, selection)
            initial = [RawEvent(EventType.ADDED, item, position) for item in items]
            yield [*initial, RawEvent(EventType.BOOKMARK, b"", position, initial_events_end=True)]
        elif position < self.compacted:
            raise errors.expired()
        while generation == self._stream_generation:
            batch = list(self._events_after(position, name.resource, matches))
            position = self.revision
            if batch := [event for event in batch if not self.drop(name.resource, event)]:
                yield batch
            else:
                await self._changed.wait()

    async def write(self, write: Write) -> bytes:
        await asyncio.sleep(0)
        self.writes.append(write)
        if (failure := self.fail(write)) is not None:
            raise failure
        self._check_fence(write.fence)
        match write.verb:
            case Verb.CREATE:
                return codec.encode(self._create(write))
            case Verb.UPDATE:
                return codec.encode(self._update(write.name, codec.decode_plain(write.body)))
            case Verb.PATCH:
                return codec.encode(self._patch(write))
            case Verb.DELETE:
                return codec.encode(self._delete(write))

    async def bind(self, bindings: Sequence[PodBinding], fence: Fence | None) -> Sequence[bytes]:
        await asyncio.sleep(0)
        self._check_fence(fence)
        return [self._bind(binding) for binding in bindings]

    async def carry(self, method: str, path: str, body: bytes) -> tuple[int, bytes]:
        await asyncio.sleep(0)
        return self.others(method, path, body)

    async def close(self) -> None:
        self.break_streams()

    # the rules

    def _create(self, write: Write) -> Plain:
        plain: Plain = codec.decode_plain(write.body)
        if write.name.subresource == "eviction":
            self._remove((PODS, write.name.namespace, write.name.name))
            return plain
        if write.name.subresource == "token":
            return self._token(write.name, plain)
        meta = plain.setdefault("metadata", {})
        if not meta.get("name"):
            meta["name"] = f"{meta.get('generateName', '')}{self.rng.getrandbits(25):05x}"
        if write.name.resource.namespaced:
            meta.setdefault("namespace", write.name.namespace)
        if (write.name.resource, meta.get("namespace", ""), meta["name"]) in self._objects:
            raise errors.already_exists(write.name.resource.plural, meta["name"], write.name.resource.group)
        return self._insert(write.name.resource, plain)

    def _token(self, name: Name, plain: Plain) -> Plain:
        """A made-up token that tells its number; the account need not exist."""
        self.tokens_given += 1
        spec = plain.get("spec", {})
        ends = self.clock.now() + timedelta(seconds=spec.get("expirationSeconds", 3600))
        status = {"token": f"token-{self.tokens_given}-{name.name}", "expirationTimestamp": times.format_time(ends)}
        return {**plain, "status": status}

    def _insert(self, resource: Resource, plain: Plain) -> Plain:
        meta = plain["metadata"]
        meta.setdefault("uid", f"uid-{self.rng.getrandbits(48):012x}")
        meta.setdefault("creationTimestamp", times.format_time(self.clock.now()))
        meta.setdefault("generation", 1)
        return self._store((resource, meta.get("namespace", ""), meta["name"]), plain)

    def _update(self, name: Name, plain: Plain) -> Plain:
        current = self._existing(name)
        expected = plain["metadata"].get("resourceVersion")
        if expected and expected != current["metadata"]["resourceVersion"]:
            raise errors.conflict(name.resource.plural, name.name, group=name.resource.group)
        updated = {**plain, "metadata": {**plain["metadata"]}}
        if name.subresource == "status":
            # as in Kubernetes, annotations may be written together with the status
            annotations = plain["metadata"].get("annotations", {})
            meta = {**current["metadata"], **({"annotations": annotations} if annotations else {})}
            updated = {**current, "metadata": meta, "status": plain.get("status", {})}
        elif "status" in name.resource.subresources and name.subresource != "finalize":
            updated["status"] = current.get("status", {})
            if updated.get("spec") != current.get("spec"):
                updated["metadata"]["generation"] = current["metadata"].get("generation", 0) + 1
        for kept in ("uid", "creationTimestamp", "deletionTimestamp"):
            if kept in current["metadata"]:
                updated["metadata"][kept] = current["metadata"][kept]
        if _comparable(updated) == _comparable(current):
            return current
        stored = self._store((name.resource, name.namespace, name.name), updated)
        if _finished(stored):
            self._remove((name.resource, name.namespace, name.name))
        return stored

    def _patch(self, write: Write) -> Plain:
        current = self._existing(write.name)
        change = codec.decode_plain(write.body)
        match write.patch_type:
            case PatchType.STRATEGIC:
                changed = patch.strategic_merge_patch(write.name.resource.cls, current, change)
            case PatchType.JSON:
                changed = patch.json_patch(current, change)
            case PatchType.APPLY:
                raise NotImplementedError("this server knows no field managers: test an apply against the real one")
            case _:
                changed = patch.merge_patch(current, change)
        return self._update(write.name, changed)

    def _delete(self, write: Write) -> Plain:
        name = write.name
        current = self._existing(name)
        options = codec.decode(DeleteOptions, write.body or b"{}")
        meta = current["metadata"]
        wanted = options.preconditions
        if wanted and (
            (wanted.uid and wanted.uid != meta["uid"])
            or (wanted.resource_version and wanted.resource_version != meta["resourceVersion"])
        ):
            raise errors.conflict(name.resource.plural, name.name, "the precondition does not hold")
        grace_s = options.grace_period_seconds
        if name.resource is PODS and grace_s != 0 and current.get("spec", {}).get("nodeName"):
            grace_s = 30 if grace_s is None else grace_s
        else:
            grace_s = 0
        finalizers = list(meta.get("finalizers", ()))
        policy = {"Foreground": "foregroundDeletion", "Orphan": "orphan"}.get(options.propagation_policy)
        if policy and policy not in finalizers:
            finalizers.append(policy)
        if grace_s == 0 and not finalizers and not current.get("spec", {}).get("finalizers"):
            return self._remove((name.resource, name.namespace, name.name))
        doomed = {**meta, "deletionGracePeriodSeconds": grace_s}
        doomed.setdefault("deletionTimestamp", times.format_time(self.clock.now()))
        if finalizers:
            doomed["finalizers"] = finalizers
        return self._store((name.resource, name.namespace, name.name), {**current, "metadata": doomed})

    def _bind(self, binding: PodBinding) -> bytes:
        pod = self._objects.get((PODS, binding.namespace, binding.name))
        if pod is None or (binding.uid and pod["metadata"]["uid"] != binding.uid):
            return codec.encode(errors.not_found("pods", binding.name).status)
        if pod["spec"].get("nodeName"):
            detail = f'pod {binding.name} is already assigned to node "{pod["spec"]["nodeName"]}"'
            return codec.encode(errors.conflict("pods/binding", binding.name, detail).status)
        self.bindings.append(binding)
        annotations = {**pod["metadata"].get("annotations", {}), **binding.annotations}
        meta = {**pod["metadata"], **({"annotations": annotations} if annotations else {})}
        bound = {**pod, "metadata": meta, "spec": {**pod["spec"], "nodeName": binding.node}}
        self._store((PODS, binding.namespace, binding.name), bound)
        return b""

    def _check_fence(self, fence: Fence | None) -> None:
        if fence is None:
            return
        lease = self._objects.get((LEASES, fence.namespace, fence.name))
        spec = {} if lease is None else lease.get("spec", {})
        if (spec.get("holderIdentity"), spec.get("leaseTransitions")) != (fence.holder, fence.epoch):
            raise errors.conflict("leases", fence.name, f"{fence.holder} does not lead any more")

    # storage

    def _existing(self, name: Name) -> Plain:
        plain = self._objects.get((name.resource, name.namespace, name.name))
        if plain is None:
            raise errors.not_found(name.resource.plural, name.name, name.resource.group)
        return plain

    def _store(self, key: _Key, plain: Plain) -> Plain:
        previous = self._objects.get(key)
        self.revision += 1
        stored = {**plain, "metadata": {**plain["metadata"], "resourceVersion": str(self.revision)}}
        self._objects[key] = stored
        kind = EventType.ADDED if previous is None else EventType.MODIFIED
        self._history.append((self.revision, key[0], kind, stored, previous))
        self._wake()
        return stored

    def _remove(self, key: _Key) -> Plain:
        previous = self._objects.pop(key)
        self.revision += 1
        final = {**previous, "metadata": {**previous["metadata"], "resourceVersion": str(self.revision)}}
        self._history.append((self.revision, key[0], EventType.DELETED, final, previous))
        self._wake()
        return final

    def _wake(self) -> None:
        self._changed.set()
        self._changed = asyncio.Event()

    def _events_after(self, position: int, resource: Resource, matches: Callable[[Plain], bool]) -> Iterable[RawEvent]:
        for revision, of, kind, plain, previous in self._history:
            if revision <= position or of is not resource:
                continue
            before = previous is not None and matches(previous)
            after = kind != EventType.DELETED and matches(plain)
            if after:
                yield RawEvent(EventType.MODIFIED if before else EventType.ADDED, codec.encode(plain), revision)
            elif before:
                yield RawEvent(EventType.DELETED, codec.encode(plain), revision)


def fake_client(api: FakeApi, **options: Any) -> Client:
    """A client of the imitation; options as Client takes them."""
    return Client(api, **options)


def _matcher(name: Name, selection: Selection) -> Callable[[Plain], bool]:
    by_label = labels.parse(selection.label_selector)
    by_field = fields.parse(selection.field_selector)

    def matches(plain: Plain) -> bool:
        meta = plain["metadata"]
        return (
            (not name.namespace or meta.get("namespace", "") == name.namespace)
            and by_label.matches(meta.get("labels", {}))
            and (by_field.empty or by_field.matches(fields.extract(name.resource, plain)))
        )

    return matches


def _finished(plain: Plain) -> bool:
    """Whether a deleting object has nothing left that keeps it."""
    meta = plain["metadata"]
    if not meta.get("deletionTimestamp") or meta.get("finalizers") or plain.get("spec", {}).get("finalizers"):
        return False
    return not meta.get("deletionGracePeriodSeconds")


def _comparable(plain: Plain) -> Plain:
    return {**plain, "metadata": {key: value for key, value in plain["metadata"].items() if key != "resourceVersion"}}
