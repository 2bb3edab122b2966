"""What the watch cache refuses. Storage errors pass through it unchanged."""

# ruff: noqa: N818 - the errors are named for what happened


class CacheError(Exception):
    """Root of what the cache itself raises."""


class TooOld(CacheError):
    """The history after `revision` is no longer there: the reader lists again (HTTP 410, reason Expired)."""

    def __init__(self, revision: int) -> None:
        super().__init__(f"too old resource version: {revision}")
        self.revision = revision


class NotFresh(CacheError):
    """The cache did not reach `revision` in time: try again (HTTP 504, reason Timeout)."""

    def __init__(self, revision: int, current: int) -> None:
        super().__init__(f"revision {revision} not reached in time, at {current}")
        self.revision = revision
        self.current = current


class TooSlow(CacheError):
    """The watcher did not take its events and is cut off; it may resume after the last one it took."""
