"""`kctl delete`: ask for deletion, then (unless told otherwise) wait until the objects are gone."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import click

from kctl import raw as raw_request
from kctl import targets, watching
from kctl.durations import parse_duration
from kctl.errors import KctlError, StatusError, WaitTimeoutError
from kctl.options import command, option, switch
from kctl.rest import StreamTimeoutError
from kctl.session import Session
from kctl.targets import Target
from kctl.writing import Writing, dry_run_option, writing

_CASCADES = {
    "background": "Background",
    "foreground": "Foreground",
    "orphan": "Orphan",
    "true": "Background",
    "false": "Orphan",
}


@dataclass(frozen=True)
class DeleteOptions:
    """What was asked for."""

    body: dict[str, Any]
    force: bool
    wait: bool
    timeout_s: float | None
    ignore_not_found: bool
    how: Writing


@command("delete")
@click.argument("arguments", nargs=-1, metavar="TYPE[,TYPE...] [NAME...] | TYPE/NAME...")
@option("-f", "--filename", multiple=True, help="Delete the objects that manifests name.")
@switch("-R", "--recursive", help="Read folders within folders too.")
@option("-l", "--selector", default="", help="Choose by labels.")
@option("--field-selector", default="", help="Choose by fields.")
@switch("--all", help="All objects of the given types.")
@switch("-A", "--all-namespaces", help="In every namespace.")
@switch("--wait", default=True, help="Return only once the objects are gone.")
@option("--timeout", default="0s", help="How long to wait; 0 for as long as it takes.")
@option("--grace-period", type=int, default=-1, help="Seconds a pod has to end by itself; -1 leaves it to the pod.")
@switch("--now", help="A grace period of one second.")
@switch("--force", help="With a grace period of 0: remove at once, without waiting for the node.")
@option("--cascade", default="background", bare="background", help="Dependents: background, foreground or orphan.")
@switch("--ignore-not-found", help="Say nothing about what does not exist.")
@option("-o", "--output", default="", help="name")
@option("--raw", default="", help="Send the request to this path, and print the answer as it comes.")
@dry_run_option
def delete(
    session: Session,
    arguments: tuple[str, ...],
    filename: tuple[str, ...],
    recursive: bool,
    selector: str,
    field_selector: str,
    all: bool,
    all_namespaces: bool,
    wait: bool,
    timeout: str,
    grace_period: int,
    now: bool,
    force: bool,
    cascade: str,
    ignore_not_found: bool,
    output: str,
    raw: str,
    dry_run: str,
) -> None:
    """Delete objects, by name, by selector or as manifests name them."""
    if raw:
        raw_request.send(session, "DELETE", raw, filename)
        return
    if cascade not in _CASCADES:
        raise KctlError(f'invalid cascade value ({cascade}). Must be "background", "foreground", or "orphan"')
    if output not in ("", "name"):
        raise KctlError(f"unexpected -o output mode: {output}. We only support '-o name'")
    grace_period = _grace_period(grace_period, now, force)
    body: dict[str, Any] = {"apiVersion": "v1", "kind": "DeleteOptions", "propagationPolicy": _CASCADES[cascade]}
    if grace_period >= 0:
        body["gracePeriodSeconds"] = grace_period
    how = writing(dry_run, output=output)
    if how.dry_run == "server":
        body["dryRun"] = ["All"]
    limit_s = parse_duration(timeout, "timeout")
    options = DeleteOptions(
        body, force, wait and how.dry_run == "none", limit_s if limit_s > 0 else None, ignore_not_found or all, how
    )
    if filename:
        documents = targets.read_documents(session, filename, recursive=recursive)
        found = [targets.of_document(session, document) for document in documents]
    else:
        found = _named(session, arguments, selector, field_selector, all, all_namespaces)
    _Deleter(session, options).run(found, by_name=bool(filename) or not (selector or field_selector or all))


def _grace_period(seconds: int, now: bool, force: bool) -> int:
    if now:
        if seconds != -1:
            raise KctlError("--now and --grace-period cannot be specified together")
        return 1
    if force and seconds < 0:
        return 0
    if seconds == 0 and not force:
        return 1  # a pod that vanishes before its node has ended it needs --force
    return seconds


def _named(
    session: Session, arguments: Sequence[str], selector: str, field_selector: str, everything: bool, all_namespaces: bool
) -> list[Target]:
    if not arguments:
        raise KctlError("You must provide one or more resources by argument or filename.")
    namespace = "" if all_namespaces else session.namespace
    found = targets.parse(session.discovery, arguments, namespace)
    chosen = bool(selector or field_selector or everything)
    if chosen and any(target.name for target in found):
        raise KctlError(
            "name cannot be provided when a selector is specified"
            if not everything
            else "setting 'all' parameter but found a name"
        )
    if not chosen:
        if any(not target.name for target in found):
            raise KctlError("resource(s) were provided, but no name was specified")
        return found
    query = watching.selectors(selector, field_selector)
    return [_target(target, item) for target in found for item in targets.fetch(session.client, target, query)]


def _target(collection: Target, item: dict[str, Any]) -> Target:
    metadata = item["metadata"]
    return replace(collection, name=metadata["name"], namespace=metadata.get("namespace", ""))


class _Deleter:
    """Deletes objects one after the other, then waits for all of them."""

    def __init__(self, session: Session, options: DeleteOptions) -> None:
        self._session, self._client, self._options = session, session.client, options

    def run(self, found: Sequence[Target], *, by_name: bool) -> None:
        if not found:
            self._session.say("No resources found")
            return
        if self._options.force:
            self._session.note(
                "Warning: Immediate deletion does not wait for confirmation that the running resource has been terminated."
            )
        errors: list[KctlError] = []
        deleted: list[tuple[Target, str]] = []
        for target in found:
            try:
                deleted.append((target, self._delete(target)))
            except StatusError as error:
                if not (error.not_found and (self._options.ignore_not_found or not by_name)):
                    errors.append(error.while_doing(f"error when deleting {target.place}") if target.place else error)
        if self._options.wait:
            deadline = watching.Deadline(self._session.clock, self._options.timeout_s)
            for target, uid in deleted:
                wait_until_gone(self._session, target, uid, deadline)
        targets.gather(errors)

    def _delete(self, target: Target) -> str:
        """Ask for the deletion; returns the uid of what goes away, "" when it is gone already."""
        how = self._options.how
        client = self._client
        answer = client.get(target.path) if how.pretending else client.delete(target.path, self._options.body)
        verb = "force deleted" if self._options.force else "deleted"
        title = target.title if how.output == "name" else f'{target.resource.label} "{target.name}" {verb}{how.suffix}'
        self._session.say(title)
        self._session.out.flush()
        if answer.get("kind") == "Status":
            return str((answer.get("details") or {}).get("uid") or "")
        return str((answer.get("metadata") or {}).get("uid") or "")


def wait_until_gone(session: Session, target: Target, uid: str, deadline: watching.Deadline) -> None:
    """Return once no object of that uid is there any more; raises WaitTimeoutError."""
    if _gone(session, target, uid):
        return
    collection, query = watching.collection_of(target), watching.selectors(name=target.name)
    present: set[str] = set()
    try:
        for change in watching.follow(session.client, collection, query, deadline):
            if change.type == watching.DELETED:
                present.discard(change.uid)
            elif change.object:
                present.add(change.uid)
                continue
            if not present or (uid and uid not in present):
                return
    except StreamTimeoutError as error:
        raise WaitTimeoutError(f"timed out waiting for the condition on {target.resource.plural}/{target.name}") from error


def _gone(session: Session, target: Target, uid: str) -> bool:
    try:
        present = session.client.get(target.path)
    except StatusError as error:
        if error.not_found:
            return True
        raise
    return bool(uid) and (present.get("metadata") or {}).get("uid") != uid
