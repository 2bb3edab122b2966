"""`kctl taint`: set and remove the taints of nodes.

A taint is told by its key and effect. Others, the node controller above all, write taints too: a change is computed from the
node's newest version and written only onto that one.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import click

from kctl.commands.nodes import find_nodes
from kctl.errors import KctlError, StatusError
from kctl.options import command, option, switch
from kctl.rest import MERGE_PATCH
from kctl.session import Session
from kctl.writing import Writing, dry_run_option, writing

EFFECTS = ("NoSchedule", "PreferNoSchedule", "NoExecute")
CONFLICT_RETRIES = 5
_NODE_TYPES = ("node", "nodes", "no")

Taint = dict[str, Any]


@dataclass(frozen=True)
class Changes:
    """Taints to set, and those to remove by key and effect (an empty effect: all of the key)."""

    added: tuple[Taint, ...]
    removed: tuple[tuple[str, str], ...]

    @property
    def done(self) -> str:
        if self.added and self.removed:
            return "modified"
        return "tainted" if self.added else "untainted"


@command("taint")
@click.argument("arguments", nargs=-1, metavar="NODE... KEY[=VALUE]:EFFECT... KEY[:EFFECT]-...")
@option("-l", "--selector", default="", help="Choose nodes by labels.")
@switch("--all", help="All nodes.")
@switch("--overwrite", help="Change the values of taints that are there already.")
@dry_run_option
def taint(session: Session, arguments: tuple[str, ...], selector: str, all: bool, overwrite: bool, dry_run: str) -> None:
    """Keep pods that do not tolerate it off a node, or let them on again."""
    how = writing(dry_run)
    names, words = split_arguments(arguments)
    changes = parse_changes(words)
    for node in find_nodes(session, names, selector, every=all):
        _change(session, node, changes, overwrite, how)
        session.say(f"node/{node['metadata']['name']} {changes.done}{how.suffix}")


def split_arguments(arguments: Sequence[str]) -> tuple[list[str], list[str]]:
    """Nodes (without the word `node` in front) and changes: the first word that no node is called by begins the changes."""
    first = next((place for place, word in enumerate(arguments) if "=" in word or ":" in word or word.endswith("-")), None)
    names = list(arguments[:first])
    if names and names[0] in _NODE_TYPES:
        names = names[1:]
    return names, [] if first is None else list(arguments[first:])


def parse_changes(words: Sequence[str]) -> Changes:
    """The changes of `key=value:effect`, `key:effect-` and `key-`; raises KctlError."""
    if not words:
        raise KctlError("at least one taint update is required")
    added: list[Taint] = []
    removed: list[tuple[str, str]] = []
    for word in words:
        given, colon, effect = word.removesuffix("-").partition(":")
        key, equals, value = given.partition("=")
        if not key or (colon and not effect) or (not colon and (equals or not word.endswith("-"))):
            raise KctlError(f"invalid taint spec: {word}")
        if effect and effect not in EFFECTS:
            raise KctlError(f"invalid taint effect: {effect}, unsupported taint effect")
        if word.endswith("-"):
            removed.append((key, effect))
        else:
            added.append({"key": key, **({"value": value} if value else {}), "effect": effect})
    if len({_identity(each) for each in added}) != len(added):
        raise KctlError("duplicated taints with the same key and effect")
    if both := [each["key"] for each in added if _is_removed(each, removed)]:
        raise KctlError(f"can not both modify and remove the following taint(s) in the same command: {', '.join(both)}")
    return Changes(tuple(added), tuple(removed))


def changed(name: str, present: Sequence[Taint], changes: Changes, overwrite: bool) -> list[Taint]:
    """The node's taints after the changes; raises KctlError for one that is not there to remove, or there already."""
    for key, effect in changes.removed:
        if not any(_is_removed(each, [(key, effect)]) for each in present):
            raise KctlError(f'taint "{key}{":" if effect else ""}{effect}" not found')
    added = {_identity(each): each for each in changes.added}
    taken = [each["key"] for each in present if _identity(each) in added]
    if taken and not overwrite:
        raise KctlError(f"node {name} already has {', '.join(taken)} taint(s) with same effect(s) and --overwrite is false")
    kept = [each for each in present if _identity(each) not in added and not _is_removed(each, changes.removed)]
    return [*kept, *changes.added]


def _change(session: Session, node: Mapping[str, Any], changes: Changes, overwrite: bool, how: Writing) -> None:
    resource = session.discovery.for_kind("v1", "Node")
    path = resource.path("", node["metadata"]["name"])
    for left in reversed(range(CONFLICT_RETRIES)):
        present = (node.get("spec") or {}).get("taints") or []
        wanted = changed(node["metadata"]["name"], present, changes, overwrite)
        if how.pretending:
            return
        patch = {
            "metadata": {"resourceVersion": node["metadata"]["resourceVersion"]},
            "spec": {"taints": wanted or None},
        }
        try:
            session.client.patch(path, patch, MERGE_PATCH, how.query)
            return
        except StatusError as error:
            if error.reason != "Conflict" or not left:
                raise
        node = session.client.get(path)


def _identity(taint: Taint) -> tuple[str, str]:
    return taint["key"], taint["effect"]


def _is_removed(taint: Taint, removed: Sequence[tuple[str, str]]) -> bool:
    return any(taint["key"] == key and effect in ("", taint["effect"]) for key, effect in removed)
