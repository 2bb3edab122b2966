"""`kctl cordon` and `kctl uncordon`: whether nodes take new pods."""

from collections.abc import Sequence
from typing import Any

import click

from kctl import targets, watching
from kctl.errors import KctlError
from kctl.options import command, option
from kctl.rest import MERGE_PATCH
from kctl.session import Session
from kctl.targets import Target
from kctl.writing import Writing, dry_run_option, writing


@command("cordon")
@click.argument("names", nargs=-1, metavar="NODE...")
@option("-l", "--selector", default="", help="Choose nodes by labels.")
@dry_run_option
def cordon(session: Session, names: tuple[str, ...], selector: str, dry_run: str) -> None:
    """Keep new pods away from nodes."""
    set_unschedulable(session, find_nodes(session, names, selector), True, writing(dry_run))


@command("uncordon")
@click.argument("names", nargs=-1, metavar="NODE...")
@option("-l", "--selector", default="", help="Choose nodes by labels.")
@dry_run_option
def uncordon(session: Session, names: tuple[str, ...], selector: str, dry_run: str) -> None:
    """Let new pods on nodes again."""
    set_unschedulable(session, find_nodes(session, names, selector), False, writing(dry_run))


def find_nodes(session: Session, names: Sequence[str], selector: str, *, every: bool = False) -> list[dict[str, Any]]:
    """The nodes of these names, or with these labels, or all; raises KctlError."""
    if not names and not selector and not every:
        raise KctlError("at least one node, or a selector, is needed")
    if names and selector:
        raise KctlError("cannot specify both a node name and a --selector option")
    resource = session.discovery.for_kind("v1", "Node")
    wanted = [name.removeprefix("node/").removeprefix("nodes/") for name in names] or [""]
    query = watching.selectors(selector)
    return [item for name in wanted for item in targets.fetch(session.client, Target(resource, name), query)]


def set_unschedulable(session: Session, nodes: Sequence[dict[str, Any]], wanted: bool, how: Writing) -> None:
    """Cordon or uncordon, and say so."""
    word = "cordoned" if wanted else "uncordoned"
    resource = session.discovery.for_kind("v1", "Node")
    for node in nodes:
        name = node["metadata"]["name"]
        if bool((node.get("spec") or {}).get("unschedulable")) == wanted:
            session.say(f"node/{name} already {word}{how.suffix}")
            continue
        if not how.pretending:
            patch = {"spec": {"unschedulable": wanted or None}}
            session.client.patch(resource.path("", name), patch, MERGE_PATCH, how.query)
        session.say(f"node/{name} {word}{how.suffix}")
