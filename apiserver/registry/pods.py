"""The binding of pods to nodes: one, and many in one go."""

from collections.abc import Sequence

from apimachinery import codec, errors
from apimachinery.clock import Clock
from apimachinery.errors import ApiError
from apimachinery.kinds import Binding, Pod
from apimachinery.kinds.meta import Status
from apimachinery.resources import PODS
from apiserver.core.admission_review import CREATE
from apiserver.core.binding import bind_pod, from_binding
from apiserver.core.bodies import decode_object
from apiserver.core.request import Bind, Document, Fence, Request
from apiserver.failures import storage_error
from apiserver.registry.current import Current, as_current
from apiserver.registry.fencing import Fenced
from apiserver.registry.reviewing import review_binding, review_binds
from apiserver.registry.store import ATTEMPTS_MAX, ObjectStore
from apiserver.registry.webhooks import Webhooks
from apiserver.storage import port

BINDINGS_MAX = 5_000


class Pods:
    """Binding."""

    def __init__(self, store: ObjectStore, webhooks: Webhooks, clock: Clock) -> None:
        self._store = store
        self._webhooks = webhooks
        self._clock = clock

    async def bind(self, request: Request) -> Document:
        """POST pods/NAME/binding."""
        binding, warnings = decode_object(
            Binding, request.body, request.content_type, request.options.field_validation, "v1", "Binding"
        )
        review = self._webhooks.begin(request, CREATE)
        bind = from_binding(request.namespace, request.name, await review_binding(review, binding, request))
        warnings = (*warnings, *review.warnings)
        if request.options.dry_run:
            found = await self._store.current(PODS, bind.namespace, bind.name)
            bind_pod(codec.decode(Pod, found.data), bind, self._clock.now())
            return Document(codec.encode(Status(status="Success", code=201)), 0, 201, warnings)
        (result,) = await self._bind_all((bind,), request.fence)
        if isinstance(result, ApiError):
            raise result
        return Document(codec.encode(Status(status="Success", code=201)), result, 201, warnings)

    async def bind_many(self, request: Request, binds: Sequence[Bind], fence: Fence | None) -> list[int | ApiError]:
        """Place many pods; for each, in order, the revision of the pod or why it was not placed.

        `request` is what each of the bindings would be on its own.
        """
        reviewed = await review_binds(self._webhooks, request, binds)
        done = iter(await self._bind_all([each for each in reviewed if isinstance(each, Bind)], fence))
        return [next(done) if isinstance(each, Bind) else each for each in reviewed]

    async def _bind_all(self, binds: Sequence[Bind], fence: Fence | None) -> list[int | ApiError]:
        if len(binds) > BINDINGS_MAX:
            raise errors.too_large(f"at most {BINDINGS_MAX} bindings are taken in one request, got {len(binds)}")
        results: list[int | ApiError] = [errors.internal("not tried")] * len(binds)
        starts = [self._store.reader.glimpse(PODS, bind.namespace, bind.name) for bind in binds]
        fresh = [False] * len(binds)
        fenced = Fenced(self._store.reader, fence, PODS, binds[0].name if binds else "")
        todo = list(range(len(binds)))
        for _ in range(ATTEMPTS_MAX):
            guards = await fenced.guards()
            writes: list[tuple[int, port.Write]] = []
            for index in todo:
                try:
                    write, starts[index], fresh[index] = await self._place(binds[index], starts[index], fresh[index], guards)
                    writes.append((index, write))
                except ApiError as error:
                    results[index] = error
            todo = await self._commit(binds, writes, results, starts, fresh, fenced)
            if not todo:
                return results
        for index in todo:
            results[index] = errors.conflict("pods/binding", binds[index].name)
        return results

    async def _place(
        self, bind: Bind, start: Current | None, fresh: bool, guards: tuple[port.Guard, ...]
    ) -> tuple[port.Write, Current, bool]:
        """The write that places one pod; a refusal stands only on the newest state."""
        if start is not None:
            try:
                return self._write(bind, start, guards), start, fresh
            except ApiError:
                if fresh:
                    raise
        start = await self._store.current(PODS, bind.namespace, bind.name)
        return self._write(bind, start, guards), start, True

    def _write(self, bind: Bind, start: Current, guards: tuple[port.Guard, ...]) -> port.Write:
        pod = codec.decode(Pod, start.data)
        bind_pod(pod, bind, self._clock.now())
        return port.Write(start.key, codec.encode_stored(pod), start.revision, guards)

    async def _commit(
        self,
        binds: Sequence[Bind],
        writes: Sequence[tuple[int, port.Write]],
        results: list[int | ApiError],
        starts: list[Current | None],
        fresh: list[bool],
        fenced: Fenced,
    ) -> list[int]:
        """Commit and note the results; the indices of those to try again."""
        if not writes:
            return []
        again: list[int] = []
        lost: port.GuardFailed | None = None
        for (index, _), outcome in zip(writes, await self._store.storage.commit([write for _, write in writes]), strict=True):
            match outcome:
                case int():
                    results[index] = outcome
                case port.Conflict():
                    starts[index], fresh[index] = as_current(outcome.current), True
                    again.append(index)
                case port.GuardFailed():
                    lost = outcome
                    again.append(index)
                case _:
                    results[index] = storage_error(outcome, PODS, binds[index].name)
        if lost is not None:
            fenced.failed(lost)
        return again
