"""The scale subresource: get, update and patch of a workload's Scale, each an update of the workload."""

from apimachinery import codec, errors
from apimachinery.kinds import Scale
from apiserver.core import meta, naming
from apiserver.core.bodies import check_plain, decode_object
from apiserver.core.patching import parse_patch
from apiserver.core.request import Document, PatchType, Request, Verb
from apiserver.core.scaling import SCALE_API_VERSION, rescaled, scale_of
from apiserver.registry.applying import Applies
from apiserver.registry.current import Current
from apiserver.registry.objects import Objects, Write
from apiserver.registry.reviewing import review_scale
from apiserver.registry.store import ObjectStore, Outcome, Written, presented


class Scales:
    """Serves the scale subresource of every workload that has one."""

    def __init__(self, store: ObjectStore, objects: Objects, applies: Applies) -> None:
        self._store = store
        self._objects = objects
        self._applies = applies

    async def handle(self, request: Request) -> Document:
        """Get, update or patch; raises ApiError 400, 404, 405, 409, 415 or 422."""
        match request.verb:
            case Verb.GET:
                found = await self._store.current(request.resource, request.namespace, request.name)
                return Document(codec.encode(scale_of(found.decode(request.resource))), found.revision)
            case Verb.UPDATE:
                return await self._update(request)
            case Verb.PATCH if request.content_type == PatchType.APPLY:
                return await _document(request, await self._applies.apply_scale(request), ())
            case Verb.PATCH:
                return await self._patch(request)
            case _:
                raise errors.method_not_allowed(request.verb)

    async def _update(self, request: Request) -> Document:
        scale, warnings = decode_object(
            Scale, request.body, request.content_type, request.options.field_validation, SCALE_API_VERSION, "Scale"
        )
        naming.settle_name(scale.metadata, request.name)

        async def decide(current: Current, write: Write) -> Outcome:
            old = current.decode(request.resource)
            wanted = scale.metadata
            meta.check_preconditions(request.resource, old.metadata, uid=wanted.uid, resource_version=wanted.resource_version)
            new = await review_scale(write.review, rescaled(old, scale), old)
            return await self._objects.revise(request, new, old, current, write.alone())

        return await _document(request, await self._objects.change(request, decide), warnings)

    async def _patch(self, request: Request) -> Document:
        patch = parse_patch(request.body, request.content_type)
        warnings: tuple[str, ...] = ()

        async def decide(current: Current, write: Write) -> Outcome:
            nonlocal warnings
            old = current.decode(request.resource)
            meta.check_preconditions(request.resource, old.metadata, resource_version=patch.resource_version())
            plain = patch.apply(Scale, codec.to_plain(scale_of(old)))
            warnings = check_plain(Scale, plain, request.options.field_validation, SCALE_API_VERSION)
            scale = codec.convert(Scale, plain)
            naming.settle_name(scale.metadata, request.name)
            wanted = scale.metadata
            meta.check_preconditions(request.resource, old.metadata, uid=wanted.uid, resource_version=wanted.resource_version)
            new = await review_scale(write.review, rescaled(old, scale), old)
            return await self._objects.revise(request, new, old, current, write.alone())

        written = await self._objects.change(request, decide)
        return await _document(request, written, warnings)


async def _document(request: Request, written: Written, warnings: tuple[str, ...]) -> Document:
    shown = await presented(request.resource, Current(b"", written.data, written.revision))
    scale = scale_of(shown.decode(request.resource))
    return Document(codec.encode(scale), written.revision, 200, (*warnings, *written.warnings))
