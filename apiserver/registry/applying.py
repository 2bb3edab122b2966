"""Server-side apply: PATCH with a configuration, on an object that may not exist yet, on its status, and on its scale.

A configuration is of the version that was asked, and so is the object that it is laid over; see `core.forms`.
What is applied is settled on the newest state at hand, so a loser of a swap applies again, and a conflict is only reported on
what storage holds. An object that does not exist is created from the configuration; who loses that race goes on as an update.
Source: the Kubernetes page "Server-Side Apply".
"""

from collections.abc import Callable
from typing import Any

import msgspec

from apimachinery import codec, errors
from apimachinery.errors import ApiError
from apimachinery.kinds import Scale
from apiserver.core import bodies, forms, ownership
from apiserver.core.request import Document, FieldValidation, Request, Verb
from apiserver.core.scaling import SCALE_API_VERSION, configuration_of_scale
from apiserver.registry.current import Current
from apiserver.registry.objects import Objects, Write, document
from apiserver.registry.reviewing import review_scale
from apiserver.registry.store import Outcome, Written

ATTEMPTS_MAX = 5


class Applies:
    """Serves server-side apply for every resource."""

    def __init__(self, objects: Objects) -> None:
        self._objects = objects

    async def apply(self, request: Request, may_create: Callable[[Request], None]) -> Document:
        """Apply a configuration; raises ApiError 400, 403, 404, 409 or 422.

        `may_create` raises ApiError (403) for a user that may not create the object; it is asked only when there is none.
        """
        row = ownership.spoken(request)
        wanted, warnings = configuration(request, row.api_version, row.kind)
        for _ in range(ATTEMPTS_MAX):
            try:
                return document(await self._change(request, wanted), warnings)
            except ApiError as error:
                if request.subresource or not errors.is_not_found(error):
                    raise
            try:
                return await self._create(request, wanted, warnings, may_create)
            except ApiError as error:
                if not errors.is_already_exists(error):
                    raise
        raise errors.conflict(request.resource.plural, request.name, group=request.resource.group)

    async def apply_scale(self, request: Request) -> Written:
        """Apply a Scale: its replicas become the workload's and the applier's."""
        scale, _ = configuration(request, SCALE_API_VERSION, "Scale")
        bodies.check_plain(Scale, scale, FieldValidation.STRICT, SCALE_API_VERSION)
        return await self._change(request, configuration_of_scale(request.resource, scale))

    async def _change(self, request: Request, wanted: dict[str, Any]) -> Written:
        async def decide(current: Current, write: Write) -> Outcome:
            old = current.decode(request.resource)
            data = current.data if request.form is None else forms.shown(request.form, current.data)
            live, _ = ownership.without_managers(msgspec.json.decode(data))
            applied = ownership.applied(request, live, wanted, old.metadata.managed_fields, self._objects.now())
            new = self._objects.patched(request, applied.object, old)
            if request.subresource == "scale":
                new, write = await review_scale(write.review, new, old), write.alone()
            return await self._objects.revise(request, new, old, current, write, owners=applied.managed_fields)

        return await self._objects.change(request, decide)

    async def _create(
        self, request: Request, wanted: dict[str, Any], warnings: tuple[str, ...], may_create: Callable[[Request], None]
    ) -> Document:
        resource, row = request.resource, ownership.spoken(request)
        uid = (wanted.get("metadata") or {}).get("uid")
        if uid:
            detail = f"uid mismatch: the provided object specified uid {uid}, and no existing object was found"
            raise errors.conflict(resource.plural, request.name, detail, group=resource.group)
        may_create(msgspec.structs.replace(request, resource=row, verb=Verb.CREATE))
        applied = ownership.applied(request, None, wanted, (), self._objects.now())
        obj = self._objects.stored_new(request, row, forms.as_shown(row, applied.object, "an apply configuration"))
        return await self._objects.introduce(request, obj, warnings, applied.managed_fields)


def configuration(request: Request, api_version: str, kind: str) -> tuple[dict[str, Any], tuple[str, ...]]:
    """The configuration in a body, and warnings about keys that stand twice in it; raises ApiError (400)."""
    plain, doubled = _read(request.body)
    if not isinstance(plain, dict):
        raise errors.bad_request("error decoding YAML: an apply configuration is an object")
    given = plain.get("kind")
    if not given:
        raise errors.bad_request("error decoding YAML: Object 'Kind' is missing")
    if given != kind:
        raise errors.bad_request(
            f'no kind "{given}" of version "{plain.get("apiVersion", "")}" is accepted here: '
            f'expected "{kind}" of "{api_version}"'
        )
    return plain, bodies.refuse_doubled(request.resource, doubled, request.options.field_validation)


def _read(body: bytes) -> tuple[Any, list[str]]:
    """Plain data from JSON or YAML, and the keys that stand twice in one map; raises ApiError (400).

    Nearly all JSON is YAML, but not all of it means the same there: surrogate pairs, for instance.
    """
    try:
        return msgspec.json.decode(body), codec.duplicate_keys(body)
    except (msgspec.DecodeError, UnicodeDecodeError):
        as_json, doubled = bodies.yaml_to_json(body)
        return msgspec.json.decode(as_json), doubled
    except RecursionError:
        raise errors.bad_request("error decoding YAML: the document is nested too deeply") from None
