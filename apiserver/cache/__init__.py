"""The watch cache between the API server's readers and the storage: one instance for each resource."""

from apiserver.cache.cache import WatchCache
from apiserver.cache.errors import CacheError, NotFresh, TooOld, TooSlow
from apiserver.cache.events import (
    ADDED,
    BOOKMARK,
    DELETED,
    MODIFIED,
    Entry,
    EventBatch,
    WatchEvent,
)
from apiserver.cache.listing import NEWEST, Continuation, Listing
from apiserver.cache.selection import Predicate, Selection
from apiserver.cache.watchers import Watcher

__all__ = [
    "ADDED",
    "BOOKMARK",
    "DELETED",
    "MODIFIED",
    "NEWEST",
    "CacheError",
    "Continuation",
    "Entry",
    "EventBatch",
    "Listing",
    "NotFresh",
    "Predicate",
    "Selection",
    "TooOld",
    "TooSlow",
    "WatchCache",
    "WatchEvent",
    "Watcher",
]
