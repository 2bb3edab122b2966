"""Admission webhooks: HTTPS servers that may change an object before it is stored, or refuse a request.

A write asks for its `Review` once. Where no webhook and no admission policy is about such requests, which a look into a dict
tells, that is NOBODY, and nothing more happens. Otherwise the object goes

    → mutating policies (`mutating_policies`) → each mutating webhook in turn
    → (built-in admission, and those that want it, once more, if anything was changed)
    → the kind's own rules → validating policies (`admission_policies`) → all validating webhooks at once → storage

as often as the write has to be tried on another state of the object.

The index of webhooks follows the watch caches of their configurations: it is made anew when a cache shows another view than
last time. A write of a configuration is answered once this server's cache shows it (`settled`), so that it takes effect at
once here, and soon elsewhere. Until the server's own objects have been made (`open`), nobody is asked: webhooks are reached
through what is made there.

A webhook that cannot be asked, or gives no good answer, fails the request (500) or is passed over, as its failurePolicy says;
what it refuses is refused with its own status. Source: the Kubernetes page "Dynamic Admission Control".
"""

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Any, Protocol, TypeVar

import msgspec

from apimachinery import codec, errors, patch
from apimachinery.clock import Clock
from apimachinery.errors import ApiError
from apimachinery.kinds import MutatingWebhookConfiguration, ValidatingWebhookConfiguration
from apimachinery.kinds.object import Object
from apimachinery.labels import SelectorError
from apimachinery.resources import (
    MUTATING_WEBHOOK_CONFIGURATIONS,
    NAMESPACES,
    SUBRESOURCES,
    VALIDATING_WEBHOOK_CONFIGURATIONS,
    Resource,
    ResourceTable,
)
from apiserver.cache import NotFresh
from apiserver.cel.library import authorization
from apiserver.core import admission_review as reviews
from apiserver.core import forms
from apiserver.core.access import Question
from apiserver.core.admission_review import CREATE, UPDATE, AnswerError, Attributes, Verdict
from apiserver.core.match_conditions import authorizer_value
from apiserver.core.naming import new_uid
from apiserver.core.request import Request
from apiserver.core.webhooks import Hook, compile_configuration, matched_row, selects
from apiserver.ports import Authorizer, BackendError, Backends
from apiserver.registry.admission_policies import ValidatingPolicies
from apiserver.registry.current import Entry, Reader, readable
from apiserver.registry.mutating_policies import MutatingPolicies, Settle, Turns
from apiserver.registry.webhook_metrics import WebhookMetrics

log = logging.getLogger(__name__)

REQUEST_TIME_S = 60.0
"""What all webhooks of one request may take together."""

ObjectT = TypeVar("ObjectT", bound=Object)
Matched = tuple[tuple[Hook, Resource], ...]
"""Webhooks that are about a request, each with the row in whose form it is told of it."""


class Configurations(Protocol):
    """The configurations of one kind as this server's watch cache has them."""

    def view(self) -> Sequence[Entry]:
        """All of them in the order of their names; the same object as long as nothing has changed."""
        ...

    async def wait_for(self, revision: int) -> None:
        """Wait until the cache is as new as this; raises NotFresh when that takes too long."""
        ...


class Webhooks:
    """Opens a review for each request."""

    def __init__(
        self,
        reader: Reader,
        backends: Backends,
        *,
        validating: Configurations,
        mutating: Configurations,
        policies: ValidatingPolicies,
        mutating_policies: MutatingPolicies,
        table: ResourceTable,
        authorizer: Authorizer,
        metrics: WebhookMetrics,
        clock: Clock,
        rng: random.Random,
    ) -> None:
        self.policies = policies
        self.mutating_policies = mutating_policies
        self.reader = reader
        self.backends = backends
        self.authorizer = authorizer
        self.metrics = metrics
        self.clock = clock
        self.rng = rng
        self._validating = validating
        self._mutating = mutating
        self._table = table
        self._open = False
        self._seen: tuple[object, object, object] = ((), (), ())
        self._hooks: tuple[list[Hook], list[Hook]] = ([], [])
        self._matches: dict[tuple[str, str, str, str, str], tuple[Matched, Matched]] = {}

    def open(self) -> None:
        """Ask webhooks, and policies, from now on."""
        self._open = True

    def begin(
        self,
        request: Request,
        operation: str,
        options: Callable[[], bytes] | None = None,
        *,
        name: str | None = None,
        dry_run: bool = False,
    ) -> "Review":
        """The review of a request; `name` is the object's where the path has none.

        `options` makes those that the request came with, where they are not those of a create or an update.
        """
        self._follow()
        judged = self.policies.concerned(request, operation)
        changed = self.mutating_policies.concerned(request, operation)
        if not (judged or changed or self._hooks[0] or self._hooks[1]) or not self._open:
            return NOBODY
        row = request.form or request.resource
        mutating, validating = self._about(operation, row, request.subresource)
        if not (judged or changed or mutating or validating):
            return NOBODY
        kind = "CreateOptions" if operation == CREATE else "UpdateOptions"
        name = request.name if name is None else name
        about = Attributes(
            operation,
            row,
            request.subresource,
            name if row.stored_as == NAMESPACES else request.namespace,
            name,
            request.user,
            dry_run or request.options.dry_run,
            reviews.write_options(kind, request.options) if options is None else options(),
        )
        return _Review(self, request, about, mutating, validating, judged=judged, changed=changed)

    async def settled(self, resource: Resource, revision: int) -> None:
        """Wait until a configuration or policy that was written takes effect here; at once for what is neither."""
        if resource.group != VALIDATING_WEBHOOK_CONFIGURATIONS.group:
            return
        caches = {VALIDATING_WEBHOOK_CONFIGURATIONS: self._validating, MUTATING_WEBHOOK_CONFIGURATIONS: self._mutating}
        with suppress(NotFresh):  # it will be seen later, as on every other server
            if resource in caches:
                await caches[resource].wait_for(revision)
            await self.policies.settled(resource, revision)
            await self.mutating_policies.settled(resource, revision)

    def _follow(self) -> None:
        """Make the index anew if what it was made from has changed."""
        mutating, validating, rows = self._mutating.view(), self._validating.view(), self._table.rows
        seen = self._seen
        if mutating is seen[0] and validating is seen[1] and rows is seen[2]:
            return
        self._seen = (mutating, validating, rows)
        self._matches = {}
        self._hooks = (_compiled(MutatingWebhookConfiguration, mutating), _compiled(ValidatingWebhookConfiguration, validating))

    def _about(self, operation: str, row: Resource, subresource: str) -> tuple[Matched, Matched]:
        """The mutating and the validating webhooks that are about such requests."""
        key = (operation, row.group, row.version, row.plural, subresource)
        found = self._matches.get(key)
        if found is None:
            same = [each for each in self._table.rows if each.stored_as == row.stored_as and each != row]
            matches = [
                tuple(
                    (hook, told) for hook in hooks if (told := matched_row(hook, operation, row, subresource, same)) is not None
                )
                for hooks in self._hooks
            ]
            found = self._matches[key] = (matches[0], matches[1])
        return found


class Review:
    """The way of one request through policies and webhooks; this one meets nobody."""

    mutates = False
    """Whether any webhook may change the object."""
    validates = False
    warnings: tuple[str, ...] = ()
    """What policies and webhooks have said so far, for the caller."""

    async def mutate(
        self,
        new: Any,
        old: Object | None,
        *,
        settle: Callable[[Any], None] | None = None,
        again: Callable[[Any], Awaitable[None]] | None = None,
    ) -> Any:
        """`new` as the mutating webhooks have made it, which is another object if they have changed anything.

        `settle` brings in order what a webhook has changed (names, defaults); `again` is built-in admission, which has its say
        once more at the end. Raises ApiError: what a webhook or either of them refuses, 500 for a webhook that fails.
        """
        return new

    async def validate(self, new: Any, old: Object | None) -> None:
        """Ask policies, then the validating webhooks; raises ApiError, that of the first of them when several object."""


NOBODY = Review()


class _Review(Review):
    """`judged`, `changed`: whether validating policies, mutating policies have to be asked."""

    def __init__(
        self,
        webhooks: Webhooks,
        request: Request,
        about: Attributes,
        mutating: Matched,
        validating: Matched,
        *,
        judged: bool,
        changed: bool,
    ) -> None:
        self.mutates = bool(mutating) or changed
        self.validates = bool(validating) or judged
        self.warnings = ()
        self._webhooks = webhooks
        self._about = about
        self._mutating = mutating
        self._validating = validating
        self._request = request
        self._judged = judged
        self._changed = changed
        self._deadline = webhooks.clock.monotonic() + REQUEST_TIME_S
        self._namespace: Mapping[str, str] | None = None

    async def mutate(
        self,
        new: Any,
        old: Object | None,
        *,
        settle: Callable[[Any], None] | None = None,
        again: Callable[[Any], Awaitable[None]] | None = None,
    ) -> Any:
        if not self.mutates:
            return new
        before = new
        turns = Turns()
        new = await self._by_policies(new, old, settle, turns)
        unasked = new
        previous: set[tuple[str, int]] = set()  # webhooks to be asked again should anything change after them
        waiting: set[tuple[str, int]] = set()  # those after which something has changed
        new = await self._round(new, old, settle, previous, waiting, second=False)
        if new is not unasked:
            turns.changed()
        if new is before:
            return new
        if again is not None:
            shown = codec.encode(new)
            await again(new)
            if codec.encode(new) != shown:
                waiting |= previous
                turns.changed()
        if turns.due:
            unasked = new
            new = await self._by_policies(new, old, settle, Turns(), only=turns.due)
            if new is not unasked:
                waiting |= previous
        return await self._round(new, old, settle, previous, waiting, second=True) if waiting else new

    async def validate(self, new: Any, old: Object | None) -> None:
        if self._judged:
            about = self._about
            told = await self._webhooks.policies.check(self._request, about.operation, about.options, new, old)
            self.warnings = tuple(dict.fromkeys((*self.warnings, *told)))
        if not self._validating:
            return
        objects = _Objects(self._about, new, old)
        calls = [self._visit(hook, row, objects) for hook, row in self._validating]
        results = await asyncio.gather(*calls, return_exceptions=True)
        for result in results:
            if isinstance(result, BaseException):
                raise result

    async def _by_policies(
        self, new: Any, old: Object | None, settle: Settle | None, turns: Turns, only: set[str] | None = None
    ) -> Any:
        if not self._changed:
            return new
        about, policies = self._about, self._webhooks.mutating_policies
        return await policies.mutate(
            self._request, about.operation, about.options, new, old, settle=settle, turns=turns, only=only
        )

    async def _round(
        self,
        new: Any,
        old: Object | None,
        settle: Callable[[Any], None] | None,
        previous: set[tuple[str, int]],
        waiting: set[tuple[str, int]],
        *,
        second: bool,
    ) -> Any:
        for hook, row in self._mutating:
            if second and hook.key not in waiting:
                continue
            objects = _Objects(self._about, new, old)
            verdict = await self._visit(hook, row, objects)
            if verdict is None:
                continue
            if verdict.patch and (changed := _patched(hook, row, objects, verdict)) is not None:
                new = changed
                if settle is not None:
                    settle(new)
                waiting |= previous
                previous.clear()
            if hook.reinvoked:
                previous.add(hook.key)
        return new

    async def _visit(self, hook: Hook, row: Resource, objects: "_Objects") -> Verdict | None:
        """What a webhook says; None when it is not to be called, or has failed and that does not matter."""
        if not await self._wanted(hook, objects):
            return None
        uid = new_uid(self._webhooks.rng)
        request = reviews.review_request(self._about, row, uid, objects.new_as(row), objects.old_as(row))
        if hook.conditions:
            finding = hook.conditions.find(_values(request, self._webhooks.authorizer, self._about))
            if finding.error:
                if hook.fails_open:
                    return None
                about = self._about
                raise errors.forbidden(about.row.plural, about.name, finding.error, group=about.row.group)
            if not finding.met:
                return None
        if self._about.dry_run and not hook.dry_run:
            raise errors.bad_request(f'admission webhook "{hook.name}" does not support dry run')
        return await self._ask(hook, request)

    async def _wanted(self, hook: Hook, objects: "_Objects") -> bool:
        namespace = None
        if hook.namespace_selector is not None:
            namespace = await self._namespace_labels(objects)
        return selects(hook, namespace=namespace, objects=(objects.new_labels, objects.old_labels))

    async def _ask(self, hook: Hook, request: reviews.ReviewRequest) -> Verdict | None:
        webhooks, about = self._webhooks, self._about
        started = webhooks.clock.monotonic()
        failure = ""
        verdict = None
        timeout_s = min(hook.timeout_s, self._deadline - started)
        try:
            if timeout_s <= 0:
                raise BackendError("the time that the request may take is over")
            answer = await webhooks.backends.post(hook.backend, reviews.encode_review(request), timeout_s=timeout_s)
            verdict = reviews.read_answer(answer, request.uid, mutating=hook.mutating)
        except BackendError as error:
            failure = f"failed to call webhook: {error}"
        except AnswerError as error:
            failure = f"received invalid webhook response: {error}"
        rejected = verdict is not None and not verdict.allowed
        webhooks.metrics.asked(hook, about.operation, webhooks.clock.monotonic() - started, rejected=rejected or bool(failure))
        if verdict is None:
            self._failed(hook, failure)
            return None
        self.warnings = tuple(dict.fromkeys((*self.warnings, *verdict.warnings)))
        if verdict.allowed:
            return verdict
        refusal = reviews.refusal(hook.name, verdict.status)
        refusal.warnings = self.warnings
        webhooks.metrics.rejected(hook, about.operation, "no_error", refusal.code)
        raise refusal

    def _failed(self, hook: Hook, failure: str) -> None:
        sentence = f'failed calling webhook "{hook.name}": {failure}'
        if not hook.fails_open:
            self._webhooks.metrics.rejected(hook, self._about.operation, "calling_webhook_error", 0)
            raise errors.internal(sentence)
        self._webhooks.metrics.failed_open(hook)
        log.warning("webhook failed and is passed over", extra={"webhook": hook.name, "error": failure})

    async def _namespace_labels(self, objects: "_Objects") -> Mapping[str, str] | None:
        """The labels of the object's namespace, or of the namespace that is the object; None for an object in none."""
        about = self._about
        if about.row.stored_as == NAMESPACES:
            return objects.new_labels if objects.new_labels is not None else objects.old_labels
        if not about.namespace:
            return None
        if self._namespace is None:
            reader = self._webhooks.reader
            found = reader.glimpse(NAMESPACES, "", about.namespace) or await reader.read(NAMESPACES, "", about.namespace)
            self._namespace = {} if found is None else msgspec.json.decode(found.data, type=_Labelled).metadata.labels
        return self._namespace


class _Objects:
    """The object and its state before, in the forms that webhooks ask for; each is made once."""

    def __init__(self, about: Attributes, new: Any, old: Any) -> None:
        below = SUBRESOURCES.get(about.subresource)
        self.new = new
        self.has_forms = below is None or not below.kind
        self.new_labels = _labels(new)
        self.old_labels = _labels(old)
        self._old = old
        self._made: dict[tuple[bool, str], bytes] = {}

    def new_as(self, row: Resource) -> bytes:
        """As JSON; empty when there is none."""
        return self._shown(row, self.new, is_new=True)

    def old_as(self, row: Resource) -> bytes:
        return self._shown(row, self._old, is_new=False)

    def _shown(self, row: Resource, value: Any, *, is_new: bool) -> bytes:
        if value is None:
            return b""
        key = (is_new, row.api_version)
        if key not in self._made:
            data = codec.encode(value)
            self._made[key] = forms.shown(row, data) if self.has_forms else data
        return self._made[key]


def _patched(hook: Hook, row: Resource, objects: _Objects, verdict: Verdict) -> Any:
    """The object with a webhook's patch; None when that changes nothing. Raises ApiError (500)."""
    if objects.new is None:
        raise errors.internal(
            f'admission webhook "{hook.name}" attempted to modify the object, which is not supported for this operation'
        )
    before = msgspec.json.decode(objects.new_as(row))
    try:
        after = patch.json_patch(before, list(verdict.patch))
        if patch.equal(before, after):
            return None
        if not objects.has_forms:
            return codec.convert(type(objects.new), after)
        changed = codec.convert(row.cls, after)
        if (changed.kind, changed.api_version) != (row.kind, row.api_version):
            raise errors.bad_request("a webhook cannot change kind and apiVersion")
        return forms.to_stored(row, changed)
    except patch.PatchError as error:
        raise errors.internal(f'admission webhook "{hook.name}": the patch cannot be applied: {error}') from error
    except ApiError as error:
        raise errors.internal(f'admission webhook "{hook.name}": the patched object is none: {error}') from error


def _values(request: reviews.ReviewRequest, authorizer: Authorizer, about: Attributes) -> dict[str, object]:
    """What match conditions see."""
    plain = msgspec.json.decode(msgspec.json.encode(request))
    new, old = plain.pop("object"), plain.pop("oldObject")

    def ask(question: Question) -> authorization.Verdict:
        decision = authorizer.decide(question)
        return authorization.Verdict(decision.allowed, decision.reason, decision.error)

    subject = authorization.Subject(
        group=about.row.group,
        resource=about.row.plural,
        subresource=about.subresource,
        namespace=about.namespace,
        name=about.name,
    )
    checks = replace(authorizer_value(about.user, ask), request=subject)
    return {"object": new, "oldObject": old, "request": plain, "authorizer": checks}


def _compiled(cls: type[Any], view: Sequence[Entry]) -> list[Hook]:
    hooks: list[Hook] = []
    for configuration in readable(cls, view):
        try:
            hooks += compile_configuration(configuration)
        except SelectorError as error:
            name = configuration.metadata.name
            log.warning("a webhook configuration is passed over", extra={"configuration": name, "error": str(error)})
    return hooks


def _labels(value: Any) -> Mapping[str, str] | None:
    """The labels of an object; None for what is none, or can have none."""
    meta = getattr(value, "metadata", None)
    found: Mapping[str, str] | None = getattr(meta, "labels", None)
    return found


class _OnlyLabels(msgspec.Struct):
    labels: dict[str, str] = {}


class _Labelled(msgspec.Struct):
    metadata: _OnlyLabels = msgspec.field(default_factory=_OnlyLabels)


__all__ = ["CREATE", "NOBODY", "REQUEST_TIME_S", "UPDATE", "Review", "Webhooks"]
