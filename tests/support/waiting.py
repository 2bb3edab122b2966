"""Waiting for what a cluster is about to do, with a deadline and a sentence about what was seen last."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

from tests.support.rest import Rest

ResultT = TypeVar("ResultT")
POLL_S = 0.05
DEFAULT_TIMEOUT_S = 20.0


def eventually(check: Callable[[], ResultT], timeout_s: float = DEFAULT_TIMEOUT_S) -> ResultT:
    """What `check` returns once it no longer raises AssertionError; its last AssertionError when the time is up."""
    deadline = time.monotonic() + timeout_s
    while True:
        try:
            return check()
        except AssertionError as error:
            if time.monotonic() > deadline:
                raise AssertionError(f"still not so after {timeout_s:g} s: {error}") from error
        time.sleep(POLL_S)


def always(check: Callable[[], object], duration_s: float) -> None:
    """`check` raises no AssertionError during `duration_s`."""
    deadline = time.monotonic() + duration_s
    while time.monotonic() < deadline:
        check()
        time.sleep(POLL_S)


class Recorder:
    """Every watch event of a collection since it was opened: for states that come and go."""

    def __init__(self, rest: Rest, path: str, **query: Any) -> None:
        self._changed = threading.Condition()
        self._closed = False
        self.events: list[tuple[float, str, dict[str, Any]]] = []
        revision = rest.get(path, **query)["metadata"]["resourceVersion"]
        self._thread = threading.Thread(
            target=self._run, args=(rest, path, {**query, "resourceVersion": revision}), daemon=True
        )
        self._thread.start()

    def _run(self, rest: Rest, path: str, query: dict[str, Any]) -> None:
        for event in rest.watch(path, timeout_s=600, **query):
            with self._changed:
                if self._closed:
                    return
                self.events.append((time.monotonic(), event["type"], event["object"]))
                self._changed.notify_all()

    def wait(
        self, matches: Callable[[str, dict[str, Any]], object], what: str, timeout_s: float = DEFAULT_TIMEOUT_S
    ) -> dict[str, Any]:
        """The first object whose event matches, of the past too."""
        deadline = time.monotonic() + timeout_s
        seen = 0
        with self._changed:
            while True:
                for _, type_, found in self.events[seen:]:
                    if matches(type_, found):
                        return found
                seen = len(self.events)
                remaining = deadline - time.monotonic()
                if remaining <= 0:
                    raise AssertionError(f"no event of {what} within {timeout_s:g} s; {seen} other events came")
                self._changed.wait(remaining)

    def objects(self) -> list[dict[str, Any]]:
        with self._changed:
            return [found for _, _, found in self.events]

    def close(self) -> None:
        with self._changed:
            self._closed = True


@contextmanager
def recorded(rest: Rest, path: str, **query: Any) -> Iterator[Recorder]:
    recorder = Recorder(rest, path, **query)
    try:
        yield recorder
    finally:
        recorder.close()
