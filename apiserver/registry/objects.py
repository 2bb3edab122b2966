"""create, update, patch, delete of any kind: the same steps for all, with each kind's own rules behind `Strategy`.

    create:  decode → identity → defaults → ownership → admission → mutating webhooks → prepare → validate → bounds → reserve →
             validating webhooks → quotas → swap
    update:  decode → (current) preconditions → defaults → carry over, prepare → ownership → mutating webhooks → reserve →
             validate → bounds → validating webhooks → quotas → swap
    patch:   (current) → patch → as update
    apply:   (current) → merge and ownership → as update; as create when there is nothing yet
    delete:  (current) preconditions → deletion state machine → webhooks → swap

What webhooks change is treated as if it had been sent so, but is nobody's: ownership is settled before.

The steps from "(current)" on run again whenever another writer was faster; see `store`.
"""

import random
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, Protocol

import msgspec

from apimachinery import apply, codec, errors
from apimachinery.clock import Clock
from apimachinery.errors import ApiError, FieldError
from apimachinery.kinds import Namespace
from apimachinery.kinds.meta import ManagedFieldsEntry, Status, StatusDetails
from apimachinery.kinds.object import Object
from apimachinery.resources import EVENTS, RETURNED_WHEN_REMOVED, Resource
from apimachinery.times import format_time
from apiserver.core import bodies, deletion, forms, meta, naming, ownership, parameters
from apiserver.core.admission_review import CREATE, DELETE, UPDATE, delete_options
from apiserver.core.patching import parse_patch
from apiserver.core.request import Document, Request
from apiserver.failures import storage_error
from apiserver.registry.admission import Admission
from apiserver.registry.current import Current
from apiserver.registry.mutating import mutated, mutated_new, validated
from apiserver.registry.privileges import Privileges
from apiserver.registry.quotas import Quotas
from apiserver.registry.store import Drop, Leave, ObjectStore, Outcome, Put, Written
from apiserver.registry.webhooks import NOBODY, Review, Webhooks
from apiserver.storage import port
from apiserver.strategy import FORM_RULES, Strategy

NAME_ATTEMPTS_MAX = 8


class Reservation(Protocol):
    """What one write of one object holds outside of it (a Service's address and ports)."""

    async def prepare(self, new: Object, old: Object | None, *, dry_run: bool) -> tuple[port.Guard, ...]:
        """Reserve what `new` needs and write it into it; the guards make the write depend on the reservation.

        Called again, with the same reservations at hand, when the write has to be tried again. Raises ApiError (422).
        """
        ...

    async def written(self, data: bytes, *, removed: bool) -> None:
        """The write went through: give back what the object does not hold any more; all of it when it is gone."""
        ...

    async def failed(self) -> None:
        """The write did not happen: give back what was reserved for it."""
        ...


class Reservations(Protocol):
    """Makes a Reservation for each write of a resource."""

    def begin(self) -> Reservation: ...


class Write(msgspec.Struct):
    """What one write has to do with beside its object, in however many tries."""

    reservation: Reservation | None
    review: Review

    def alone(self) -> "Write":
        """The same for a change that webhooks have been asked about already."""
        return Write(self.reservation, NOBODY)


class Objects:
    """The write verbs; one instance serves every resource."""

    def __init__(
        self,
        store: ObjectStore,
        strategies: Mapping[Resource, Strategy[Any]],
        admission: Admission,
        reservations: Mapping[Resource, Reservations],
        quotas: Quotas,
        privileges: Privileges,
        webhooks: Webhooks,
        *,
        clock: Clock,
        rng: random.Random,
        event_ttl_s: float,
    ) -> None:
        self._store = store
        self._strategies = strategies
        self._admission = admission
        self._reservations = reservations
        self._quotas = quotas
        self._privileges = privileges
        self._webhooks = webhooks
        self._clock = clock
        self._rng = rng
        self._event_ttl_s = event_ttl_s

    async def create(self, request: Request) -> Document:
        """Store a new object; raises ApiError 400, 403, 404 (namespace), 409 or 422."""
        obj, warnings = self._decode_new(request)
        return await self.introduce(request, obj, warnings)

    async def introduce(
        self,
        request: Request,
        obj: Object,
        warnings: tuple[str, ...] = (),
        owners: list[ManagedFieldsEntry] | None = None,
    ) -> Document:
        """Store a new object that has been decoded; `owners` are its managers where they are settled already."""
        resource = request.resource
        naming.settle_name(obj.metadata, request.name)
        naming.settle_namespace(resource, obj.metadata, request.namespace)
        naming.require_name(resource, obj.metadata)
        meta.begin(obj.metadata, self._clock.now(), self._rng)
        generated = not obj.metadata.name
        if generated:
            obj.metadata.name = naming.generate_name(obj.metadata.generate_name, self._rng)
        strategy = self._strategies[resource]
        strategy.default(obj)
        if owners is None:
            owners = ownership.created(request, obj, self.now())
        obj.metadata.managed_fields = owners
        await self._admission.admit_create(resource, obj)  # what it adds is complete, and nobody's
        review = self._webhooks.begin(request, CREATE, name="" if generated else obj.metadata.name)
        if review.mutates:
            again = partial(self._admission.admit_create, resource)
            obj, generated = await mutated_new(request, obj, review, strategy.default, again, generated=generated)
        strategy.prepare_create(obj)
        strategy.sign(obj, None, request.user, self._clock.now())
        _require_valid(resource, obj, strategy.validate(obj))
        told = await self._admission.admit_valid(resource, obj, None, "")
        self._privileges.admit(request, obj, None)
        warnings = (*warnings, *strategy.warnings(obj), *told)
        return await self._store_new(request, obj, review, warnings, generated=generated)

    async def update(self, request: Request) -> Document:
        """Replace an object; raises ApiError 400, 404, 409 or 422."""
        resource = request.resource
        row = request.form or resource
        shown, warnings = bodies.resource_decode(row, request.body, request.content_type, request.options.field_validation)
        incoming = forms.to_stored(row, shown)
        _require_storable(request, incoming)
        naming.settle_name(incoming.metadata, request.name)
        naming.settle_namespace(resource, incoming.metadata, request.namespace)
        wanted = incoming.metadata
        given = ownership.given_in_body(request, incoming)
        wanted.managed_fields = []
        pristine = codec.encode(incoming)

        async def decide(current: Current, write: Write) -> Outcome:
            old = current.decode(resource)
            meta.check_preconditions(resource, old.metadata, uid=wanted.uid, resource_version=wanted.resource_version)
            return await self.revise(request, codec.decode(resource.cls, pristine), old, current, write, given=given)

        return document(await self.change(request, decide), warnings)

    async def patch(self, request: Request) -> Document:
        """Apply a patch to an object; raises ApiError 400, 404, 409, 415 or 422."""
        resource, options = request.resource, request.options
        row = request.form or resource
        change = parse_patch(request.body, request.content_type)
        doubled = bodies.check_doubled(resource, request.body, options.field_validation)
        about_managers = ownership.is_mentioned(request.body)
        warnings: tuple[str, ...] = ()

        async def decide(current: Current, write: Write) -> Outcome:
            nonlocal warnings
            plain = msgspec.json.decode(current.data)
            old = codec.convert(resource.cls, plain)
            meta.check_preconditions(resource, old.metadata, resource_version=change.resource_version())
            shown = plain if row is resource else msgspec.json.decode(forms.shown(row, current.data))
            if not about_managers:
                shown, _ = ownership.without_managers(shown)
            shown, given = ownership.given_in_patched(change.apply(row.cls, shown))
            warnings = bodies.check_plain(row.cls, shown, options.field_validation, row.api_version)
            new = self.patched(request, shown, old)
            return await self.revise(request, new, old, current, write, given=given)

        written = await self.change(request, decide)
        return document(written, (*doubled, *warnings))

    def patched(self, request: Request, plain: Any, old: Object) -> Object:
        """The object that a patch of `old` has led to; raises ApiError 400, 409 for another object or another state of it."""
        row = request.form or request.resource
        new = forms.to_stored(row, from_plain(row, plain))
        naming.settle_name(new.metadata, request.name)
        wanted = new.metadata
        meta.check_preconditions(request.resource, old.metadata, uid=wanted.uid, resource_version=wanted.resource_version)
        return new

    def now(self) -> str:
        """The time as objects carry it."""
        return format_time(self._clock.now())

    async def delete(self, request: Request, admit: Callable[[Object], None] | None = None) -> Document:
        """Delete an object, or begin its deletion; raises ApiError 403, 404 or 409.

        `admit` is asked of each state that would be deleted, in place of the webhooks: it may change it, or raise an ApiError.
        """
        resource = request.resource
        options, uid, version = parameters.delete_options(request.options, request.body, request.content_type)
        self._admission.admit_delete(resource, request.name)
        policy = deletion.propagation(options.propagation_policy, options.orphan_dependents)
        review = NOBODY
        if admit is None:
            given = partial(delete_options, options, uid, version)
            review = self._webhooks.begin(request, DELETE, given, dry_run=options.dry_run)

        async def decide(current: Current, write: Write) -> Outcome:
            try:
                obj = current.decode(resource)
            except ApiError:
                return Drop()  # what cannot be read can at least be removed
            meta.check_preconditions(resource, obj.metadata, uid=uid, resource_version=version)
            self._privileges.admit_delete(request, obj)
            if admit is not None:
                admit(obj)
            strategy = self._strategies[resource]
            if not obj.metadata.deletion_timestamp:
                strategy.prepare_delete(obj)
            grace_s = strategy.deletion_grace_seconds(obj, options.grace_period_s)
            decision = deletion.decide_delete(obj, policy=policy, grace_s=grace_s, now=self._clock.now())
            if not isinstance(decision, deletion.Keep):
                await write.review.mutate(None, obj)
                await write.review.validate(None, obj)
            match decision:
                case deletion.Remove():
                    return Drop(obj)
                case deletion.Store(obj=marked):
                    return Put(marked)
                case deletion.Keep():
                    return Leave()

        written = await self.change(request, decide, review, dry_run=options.dry_run)
        return _deleted(resource, request.name, written)

    async def _store_new(
        self, request: Request, obj: Object, review: Review, warnings: tuple[str, ...], *, generated: bool
    ) -> Document:
        resource = request.resource
        if request.options.dry_run:
            return await self._preview_new(request, obj, review, warnings)
        ttl_s = self._event_ttl_s if resource is EVENTS else None
        reservation = self._reserve(resource)
        attempt = 0
        try:
            guards = await reservation.prepare(obj, None, dry_run=False) if reservation else ()
            await review.validate(obj, None)
            await self._quotas.open(resource).charge(obj, None)
            while True:
                attempt += 1
                try:
                    written = await self._store.create(resource, obj, ttl_s=ttl_s, guards=guards, fence=request.fence)
                    break
                except ApiError as error:
                    if not (generated and errors.is_already_exists(error) and attempt < NAME_ATTEMPTS_MAX):
                        raise
                    obj.metadata.name = naming.generate_name(obj.metadata.generate_name, self._rng)
        except ApiError as error:
            await _give_back(reservation, error)
            raise
        if reservation is not None:
            await reservation.written(written.data, removed=False)
        await self._webhooks.settled(resource, written.revision)
        return Document(written.data, written.revision, 201, (*warnings, *review.warnings))

    async def _preview_new(self, request: Request, obj: Object, review: Review, warnings: tuple[str, ...]) -> Document:
        resource, name = request.resource, obj.metadata.name
        if await self._store.reader.read(resource, obj.metadata.namespace, name) is not None:
            raise errors.already_exists(resource.plural, name, group=resource.group)
        reservation = self._reserve(resource)
        if reservation is not None:
            await reservation.prepare(obj, None, dry_run=True)
        await review.validate(obj, None)
        await self._quotas.open(resource).charge(obj, None, dry_run=True)
        return Document(codec.encode(obj), 0, 201, (*warnings, *review.warnings))

    async def change(
        self, request: Request, decide: "Deciding", review: Review | None = None, *, dry_run: bool = False
    ) -> Written:
        """Carry `decide` through for the object of a request, with its reservations and quotas kept in step.

        `review` is that of an update unless it is given.
        """
        reservation = self._reserve(request.resource)
        write = Write(reservation, self._webhooks.begin(request, UPDATE) if review is None else review)
        account = self._quotas.open(request.resource)
        dry_run = dry_run or request.options.dry_run

        async def settle(current: Current) -> Outcome:
            outcome = await decide(current, write)
            if isinstance(outcome, Put) and request.subresource in ("", "resize"):
                await account.charge(outcome.obj, current, dry_run=dry_run)
            return outcome

        try:
            written = await self._store.change(
                request.resource,
                request.namespace,
                request.name,
                settle,
                fence=request.fence,
                dry_run=dry_run,
                costly=write.review is not NOBODY,
            )
        except ApiError as error:
            await _give_back(reservation, error)
            raise
        if reservation is not None and not dry_run:
            await reservation.written(written.data, removed=written.removed)
        if written.changed:
            await self._webhooks.settled(request.resource, written.revision)
        if write.review.warnings:
            return msgspec.structs.replace(written, warnings=write.review.warnings)
        return written

    async def revise(
        self,
        request: Request,
        new: Object,
        old: Object,
        current: Current,
        write: Write,
        *,
        given: list[ManagedFieldsEntry] | None = None,
        owners: list[ManagedFieldsEntry] | None = None,
    ) -> Outcome:
        """What an update from `old` to `new` comes to, by the rules of the kind; raises ApiError (422).

        `given` are managers as the client wants them; `owners` those after this write, where they are settled already: then
        what the configuration seems to change may yet turn out to be how defaulting spells what is there.
        """
        resource, subresource = request.resource, request.subresource
        if subresource == "finalize":
            new = _finalized(new, old)
        strategy = self._strategies[resource]
        if not new.metadata.resource_version and not strategy.allow_unconditional_update:
            wrong = FieldError.invalid("metadata.resourceVersion", "", "must be specified for an update")
            raise errors.invalid(resource.kind, request.name, [wrong], group=resource.group)
        new.metadata.resource_version = old.metadata.resource_version
        strategy.default(new)
        strategy.prepare_update(new, old, subresource)
        strategy.sign(new, old, request.user, self._clock.now())
        before, settled = old.metadata.managed_fields, owners is not None
        new.metadata.managed_fields = before  # until it is known whether anything else has changed
        if owners is None:
            owners = ownership.updated(request, new, old, given, self.now())
        if write.review.mutates:
            new, owners = await mutated(request, new, old, owners, write.review, strategy, self._clock.now())
        guards: tuple[port.Guard, ...] = ()
        if write.reservation is not None and not subresource:
            guards = await write.reservation.prepare(new, old, dry_run=request.options.dry_run)
        _require_valid(resource, new, strategy.validate_update(new, old, subresource))
        told = await self._admission.admit_valid(resource, new, old, subresource)
        self._privileges.admit(request, new, old)
        if write.review.validates:
            await validated(new, old, owners, write.review)
        if deletion.is_released(new):
            return Drop(new)
        if (settled or owners is before) and codec.encode(new) == current.data:
            owners = apply.keep_times(before, owners)
            if owners == before or not (before or ownership.is_applied(owners)):
                return Leave()  # it need not be noted that nobody was known to own what nobody applied now
        new.metadata.managed_fields = owners
        return Put(new, guards, told)

    def _decode_new(self, request: Request) -> tuple[Object, tuple[str, ...]]:
        """The new object in a body, as it is to be stored; a form may ask more of new objects than the stored one does."""
        row = request.form or request.resource
        shown, warnings = bodies.resource_decode(row, request.body, request.content_type, request.options.field_validation)
        if row in FORM_RULES:
            _require_valid(row, shown, list(FORM_RULES[row](shown)))
        stored = forms.to_stored(row, shown)
        _require_storable(request, stored)
        return stored, warnings

    def _reserve(self, resource: Resource) -> Reservation | None:
        reservations = self._reservations.get(resource)
        return reservations.begin() if reservations is not None else None


class Deciding(Protocol):
    async def __call__(self, current: Current, write: Write, /) -> Outcome: ...


def from_plain(resource: Resource, plain: Any) -> Object:
    """A patched object; raises ApiError (400)."""
    new = codec.convert(resource.cls, plain)
    if (new.kind, new.api_version) != (resource.kind, resource.api_version):
        raise errors.bad_request("a patch cannot change kind and apiVersion")
    return new


def _finalized(new: Object, old: Object) -> Object:
    """Of an update through `finalize` only spec.finalizers counts."""
    result = codec.deep_copy(old)
    if isinstance(result, Namespace) and isinstance(new, Namespace):
        result.spec.finalizers = new.spec.finalizers
    return result


def _require_storable(request: Request, obj: Object) -> None:
    """What is too large to be stored is not worth a closer look, which may take seconds."""
    if len(request.body) > port.VALUE_BYTES_MAX and len(codec.encode(obj)) > port.VALUE_BYTES_MAX:
        raise storage_error(port.TooLarge("the object"), request.resource, obj.metadata.name)


def _require_valid(resource: Resource, obj: Object, wrong: Sequence[FieldError]) -> None:
    if wrong:
        raise errors.invalid(resource.kind, obj.metadata.name, wrong, group=resource.group)


async def _give_back(reservation: Reservation | None, error: ApiError) -> None:
    """Only when the write is known not to have happened (a timeout leaves it open; the repair loop will tell)."""
    if reservation is not None and error.code != 504:
        await reservation.failed()


def document(written: Written, warnings: tuple[str, ...]) -> Document:
    """The answer to a change."""
    return Document(written.data, written.revision, 200, (*warnings, *written.warnings))


def _deleted(resource: Resource, name: str, written: Written) -> Document:
    uid = _uid_in(written.data)
    if not written.removed or (resource in RETURNED_WHEN_REMOVED and uid is not None):
        return Document(written.data, written.revision, warnings=written.warnings)
    details = StatusDetails(name=name, group=resource.group, kind=resource.plural, uid=uid or "")
    return Document(codec.encode(Status(status="Success", details=details)), written.revision, warnings=written.warnings)


def _uid_in(data: bytes) -> str | None:
    """The uid in an object's JSON, None when that cannot be read."""
    try:
        return msgspec.json.decode(data, type=_OnlyMeta).metadata.uid
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return None


class _OnlyUid(msgspec.Struct):
    uid: str = ""


class _OnlyMeta(msgspec.Struct):
    metadata: _OnlyUid = msgspec.field(default_factory=_OnlyUid)
