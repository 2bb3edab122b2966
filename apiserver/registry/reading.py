"""get, list and watch: all from the watch caches, which give consistent reads without a read of the storage for each.

One cache for each resource, made and run by the composition root. What the caches refuse becomes a Status here.
"""

from collections.abc import AsyncIterator, Mapping, Sequence

from apimachinery import errors
from apimachinery.errors import ApiError, Reason, api_error
from apimachinery.kinds.meta import StatusCause
from apimachinery.resources import Resource
from apiserver.cache import (
    NEWEST,
    CacheError,
    Continuation,
    NotFresh,
    Selection,
    TooOld,
    TooSlow,
    WatchCache,
    Watcher,
)
from apiserver.core.keys import KeySpace
from apiserver.core.parameters import EXACT, check_list, check_watch
from apiserver.core.request import Document, EventBatch, Listing, Request, Watching
from apiserver.core.selecting import parse_revision, parse_selectors, shortcut
from apiserver.core.tokens import Position, decode_token, encode_token
from apiserver.failures import storage_error
from apiserver.registry.current import Current, as_current
from apiserver.storage import port


class Reading:
    """The reading verbs, and the registry's view of single objects (`current.Reader`)."""

    def __init__(self, storage: port.Storage, caches: Mapping[Resource, WatchCache], keys: KeySpace) -> None:
        self._storage = storage
        self._caches = caches
        self._keys = keys

    def glimpse(self, resource: Resource, namespace: str, name: str) -> Current | None:
        """See `current.Reader.glimpse`."""
        entry = self._caches[resource].peek(namespace, name)
        return None if entry is None else Current(entry.key, entry.data, entry.revision)

    def view(self, resource: Resource, namespace: str = "") -> Sequence[Current]:
        """See `current.Reader.view`."""
        return [Current(entry.key, entry.data, entry.revision) for entry in self._caches[resource].view(namespace)]

    def changes(self, resource: Resource) -> int:
        """See `current.Reader.changes`."""
        return self._caches[resource].changes

    async def read(self, resource: Resource, namespace: str, name: str) -> Current | None:
        """See `current.Reader.read`."""
        try:
            found = await self._storage.get(self._keys.object(resource, namespace, name))
        except port.StorageError as error:
            raise storage_error(error, resource, name) from error
        return None if found is None else as_current(found)

    async def get(self, request: Request) -> Document:
        """One object, as new as the request asks; raises ApiError 400, 404 or 504."""
        resource, name = request.resource, request.name
        revision = parse_revision(request.options.resource_version)
        try:
            entry = await self._caches[resource].get(request.namespace, name, min_revision=revision)
        except (CacheError, port.StorageError) as error:
            raise _translate(error, resource, name) from error
        if entry is None:
            raise errors.not_found(resource.plural, name, group=resource.group)
        if entry.broken:
            raise errors.internal(f'{resource.qualified} "{name}" cannot be read from the storage; it can be deleted')
        return Document(entry.data, entry.revision)

    async def list(self, request: Request) -> Listing:
        """A page of a snapshot; raises ApiError 400, 410, 422 or 504."""
        options, resource = request.options, request.resource
        check_list(options)
        continuation: Continuation | None = None
        revision = parse_revision(options.resource_version)
        if options.continue_token:
            if options.resource_version not in ("", "0"):
                raise errors.bad_request("specifying resource version is not allowed when using continue")
            position = decode_token(options.continue_token)
            prefix = self._keys.collection(resource)
            continuation = Continuation(position.revision, prefix + position.key.encode())
        elif revision and options.resource_version_match == EXACT:
            continuation = Continuation(revision)
        try:
            listing = await self._caches[resource].list(
                _selection(request), min_revision=revision, limit=options.limit, continuation=continuation
            )
        except TooOld as error:
            raise self._list_expired(resource, continuation) from error
        except (CacheError, port.StorageError) as error:
            raise _translate(error, resource, "") from error
        token = "" if listing.continuation is None else self._token(resource, listing.continuation)
        return Listing(resource, listing.items, listing.revision, token, listing.remaining)

    async def watch(self, request: Request) -> Watching:
        """A running watch; raises ApiError 400, 410, 422 or 504."""
        options, resource = request.options, request.resource
        check_watch(options)
        revision = parse_revision(options.resource_version)
        try:
            watcher = await self._caches[resource].watch(
                _selection(request), start_revision=revision, initial_events=options.send_initial_events
            )
        except (CacheError, port.StorageError) as error:
            raise _translate(error, resource, "") from error
        return Watching(resource, _Batches(watcher, options.allow_bookmarks), options.timeout_s)

    def _list_expired(self, resource: Resource, continuation: Continuation | None) -> ApiError:
        """410; after the first page with a token by which the rest can be had, though not as of the same moment."""
        if continuation is None or not continuation.start_after:
            return errors.expired("The resourceVersion for the provided list is too old.")
        expired = errors.expired(
            "The provided continue parameter is too old to display a consistent list result. A new list can be started "
            "without it, or the continue token of this response used to get the rest of the results. The rest is inconsistent "
            "with what came before: objects created, changed or deleted since the first page may show up, or be missing."
        )
        expired.status.metadata.continue_ = self._token(resource, Continuation(NEWEST, continuation.start_after))
        return expired

    def _token(self, resource: Resource, continuation: Continuation) -> str:
        below = continuation.start_after[len(self._keys.collection(resource)) :].decode()
        return encode_token(Position(continuation.revision, below))


class _Batches:
    """A watcher's batches, without the bookmarks that the client did not ask for."""

    def __init__(self, watcher: Watcher, bookmarks: bool) -> None:
        self._watcher = watcher
        self._bookmarks = bookmarks

    def __aiter__(self) -> AsyncIterator[EventBatch]:
        return self

    async def __anext__(self) -> EventBatch:
        while True:
            try:
                batch = await self._watcher.__anext__()
            except CacheError as error:
                raise _translate(error, None, "") from error
            if not batch.bookmark or self._bookmarks:
                return batch

    async def aclose(self) -> None:
        await self._watcher.aclose()


def _selection(request: Request) -> Selection:
    options = request.options
    by_field = options.field_selector
    if request.name:
        by_field = ",".join(filter(None, (by_field, f"metadata.name={request.name}")))
    matches = parse_selectors(request.resource, options.label_selector, by_field)
    return Selection(request.namespace, matches, shortcut(matches))


def _translate(error: CacheError | port.StorageError, resource: Resource | None, name: str) -> ApiError:
    match error:
        case TooOld():
            return errors.expired(str(error))
        case TooSlow():
            return errors.expired("the watch was too slow and has been ended; resume after the last event")
        case NotFresh():
            cause = StatusCause(reason="ResourceVersionTooLarge", message="Too large resource version")
            message = f"Too large resource version: {error.revision}, current: {error.current}"
            return api_error(504, Reason.TIMEOUT, message, causes=[cause], retry_after_s=1)
        case port.StorageError() if resource is not None:
            return storage_error(error, resource, name)
        case _:
            return errors.unavailable("the cluster's storage does not answer")
