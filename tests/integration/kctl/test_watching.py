"""Following objects through watches that end, grow too old, and miss what happened in between."""

from __future__ import annotations

import json
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler
from typing import Any

import pytest

from apimachinery.clock import SystemClock
from kctl import watching
from kctl.discovery import ResourceType
from kctl.errors import StatusError
from kctl.kubeconfig import Connection
from kctl.rest import RestClient
from kctl.targets import Target

CONFIG_MAPS = Target(ResourceType("", "v1", "configmaps", "ConfigMap"), "", "n")


def item(name: str, revision: int) -> dict[str, Any]:
    return {"metadata": {"name": name, "uid": f"uid-{name}", "resourceVersion": str(revision)}}


class Script:
    """A server that answers lists and watches one after the other from prepared lists of objects and events."""

    def __init__(self, lists: list[list[dict[str, Any]]], watches: list[list[tuple[str, dict[str, Any]]]]) -> None:
        self.lists, self.watches, self.asked = lists, watches, []  # type: ignore[var-annotated]

    def __call__(self, request: BaseHTTPRequestHandler) -> None:
        watch = "watch=true" in request.path
        self.asked.append("watch" if watch else "list")
        if watch:
            events = self.watches.pop(0) if self.watches else []
            data = "".join(json.dumps({"type": kind, "object": obj}) + "\n" for kind, obj in events).encode()
        else:
            listed = self.lists.pop(0) if len(self.lists) > 1 else self.lists[0]
            data = json.dumps({"items": listed, "metadata": {"resourceVersion": "5"}}).encode()
        request.send_response(200)
        request.send_header("Content-Length", str(len(data)))
        request.end_headers()
        request.wfile.write(data)


def followed(url: str, count: int) -> list[tuple[str, str]]:
    """The first changes."""
    client = RestClient(Connection(url))
    seen: list[tuple[str, str]] = []
    for change in watching.follow(client, CONFIG_MAPS, {}, watching.Deadline(SystemClock(), 20)):
        seen.append((change.type, change.object.get("metadata", {}).get("name", "")))
        if len(seen) == count:
            return seen
    raise AssertionError("following does not end by itself")


def test_a_watch_that_ends_is_followed_by_a_list_that_tells_the_difference(misbehaving: Callable[..., str]) -> None:
    bookmark = {"metadata": {"resourceVersion": "6"}}
    script = Script(
        [[item("a", 1), item("b", 2)], [item("b", 3), item("c", 4)]], [[("MODIFIED", item("a", 3)), ("BOOKMARK", bookmark)]]
    )
    seen = followed(misbehaving(script), 9)
    assert seen[:7] == [
        ("ADDED", "a"), ("ADDED", "b"), ("SYNCED", ""), ("MODIFIED", "a"), ("DELETED", "a"), ("MODIFIED", "b"), ("ADDED", "c"),
    ]  # fmt: skip
    assert script.asked[:4] == ["list", "watch", "list", "watch"]


def test_a_revision_that_is_too_old_leads_to_a_new_list(misbehaving: Callable[..., str]) -> None:
    gone = {"kind": "Status", "code": 410, "reason": "Expired", "message": "too old"}
    seen = followed(misbehaving(Script([[item("a", 1)]], [[("ERROR", gone)]])), 4)
    assert seen[:4] == [("ADDED", "a"), ("SYNCED", ""), ("MODIFIED", "a"), ("SYNCED", "")]


def test_any_other_error_is_raised(misbehaving: Callable[..., str]) -> None:
    failure = {"kind": "Status", "code": 500, "reason": "InternalError", "message": "broken"}
    client = RestClient(Connection(misbehaving(Script([[]], [[("ERROR", failure)]]))))
    with pytest.raises(StatusError, match="broken"):
        list(watching.follow(client, CONFIG_MAPS, {}, watching.Deadline(SystemClock(), 5)))
