"""`kctl scale`: set the number of replicas through the scale subresource."""

from typing import Any

import click

from kctl import targets, watching
from kctl.durations import parse_duration
from kctl.errors import KctlError, StatusError
from kctl.options import command, option, switch
from kctl.rest import MERGE_PATCH, StreamTimeoutError
from kctl.session import Session
from kctl.targets import Target
from kctl.writing import Writing, dry_run_option, output_option, report, writing

ATTEMPTS = 10
"""How often a scale with --current-replicas is tried while others keep writing to the object."""


@command("scale")
@click.argument("arguments", nargs=-1, metavar="TYPE NAME... | TYPE/NAME...")
@option("--replicas", type=int, required=True, help="How many.")
@option("--current-replicas", type=int, default=-1, help="Only when there are so many now.")
@option("--resource-version", default="", help="Only when the object has this version.")
@option("-f", "--filename", multiple=True, help="Objects that manifests name.")
@option("-l", "--selector", default="", help="Choose objects by labels.")
@switch("--all", help="All objects of the type.")
@option("--timeout", default="0s", help="Wait so long for the number to be reached; 0: do not wait.")
@dry_run_option
@output_option
def scale(
    session: Session,
    arguments: tuple[str, ...],
    replicas: int,
    current_replicas: int,
    resource_version: str,
    filename: tuple[str, ...],
    selector: str,
    all: bool,
    timeout: str,
    dry_run: str,
    output: str,
) -> None:
    """Set how many replicas of a workload run."""
    if replicas < 0:
        raise KctlError("The --replicas=COUNT flag is required, and COUNT must be greater than or equal to 0")
    how = writing(dry_run, output=output)
    if filename:
        found = [targets.of_document(session, document) for document in targets.read_documents(session, filename)]
    else:
        found = targets.parse(session.discovery, arguments, session.namespace)
    if not found or (not selector and not all and any(not each.name for each in found)):
        raise KctlError("resource(s) were provided, but no name was specified")
    errors: list[KctlError] = []
    for target in found:
        for item in targets.fetch(session.client, target, watching.selectors(selector)):
            own = Target(target.resource, item["metadata"]["name"], item["metadata"].get("namespace", ""))
            try:
                _scale(session, own, replicas, current_replicas, resource_version, how)
                _await(session, own, replicas, parse_duration(timeout, "timeout"))
            except KctlError as error:
                errors.append(error)
    targets.gather(errors)


def _scale(session: Session, target: Target, replicas: int, current: int, revision: str, how: Writing) -> None:
    if "scale" not in target.resource.subresources:
        raise KctlError(f"could not find scale subresource for {target.resource.api_version}, Kind={target.resource.kind}")
    for attempt in range(1, ATTEMPTS + 1):
        try:
            answer = _try(session, target, replicas, current, revision, how)
            break
        except StatusError as error:
            # Who gave a version means that one. Otherwise somebody wrote in between, be it the controller its status: again.
            if error.reason != "Conflict" or revision or attempt == ATTEMPTS:
                raise
    report(session, how, answer, target.title, "scaled")


def _try(session: Session, target: Target, replicas: int, current: int, revision: str, how: Writing) -> Any:
    path = target.resource.path(target.namespace, target.name, "scale")
    if current >= 0:
        scaled = session.client.get(path)
        actual = (scaled.get("spec") or {}).get("replicas") or 0
        if actual != current:
            raise KctlError(f"Expected replicas to be {current}, was {actual}")
        revision = revision or scaled["metadata"]["resourceVersion"]
    if how.pretending:
        return {}
    patch = {"spec": {"replicas": replicas}, **({"metadata": {"resourceVersion": revision}} if revision else {})}
    return session.client.patch(path, patch, MERGE_PATCH, how.query)


def _await(session: Session, target: Target, replicas: int, timeout_s: float) -> None:
    if timeout_s <= 0:
        return
    deadline = watching.Deadline(session.clock, timeout_s)
    query = watching.selectors(name=target.name)
    try:
        for change in watching.follow(session.client, watching.collection_of(target), query, deadline):
            status = change.object.get("status") or {}
            if change.object and (status.get("replicas") or 0) == replicas:
                return
            if change.type == watching.DELETED:
                raise StatusError({"code": 404, "reason": "NotFound", "message": f"{target.title} was deleted"})
    except StreamTimeoutError as error:
        raise KctlError(f"timed out waiting for {target.title} to be scaled") from error
