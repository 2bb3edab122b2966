"""`kctl rollout`: status, history, undo, restart, pause and resume of Deployments."""

from collections.abc import Mapping, Sequence
from typing import Any

import click

from apimachinery.times import format_time
from kctl import pods, rollouts, targets, watching
from kctl.durations import parse_duration
from kctl.errors import KctlError, StatusError, WaitTimeoutError
from kctl.options import command, option, switch
from kctl.rest import JSON_PATCH, MERGE_PATCH, StreamTimeoutError
from kctl.session import Session
from kctl.targets import Target
from kctl.writing import dry_run_option, output_option, report, writing

RESTARTED_AT = "kubectl.kubernetes.io/restartedAt"


@click.group("rollout", context_settings={"help_option_names": ["-h", "--help"]})
def rollout() -> None:
    """Follow, undo and restart rollouts of Deployments."""


def _arguments(function: Any) -> Any:
    for decorate in (
        click.argument("arguments", nargs=-1, metavar="TYPE NAME... | TYPE/NAME..."),
        option("-f", "--filename", multiple=True, help="Objects that manifests name."),
        option("-l", "--selector", default="", help="Choose objects by labels."),
    ):
        function = decorate(function)
    return function


@command("status")
@_arguments
@switch("-w", "--watch", default=True, help="Follow until the rollout ends.")
@option("--revision", type=int, default=0, help="Fail when this revision is no longer the newest.")
@option("--timeout", default="0s", help="How long to follow; 0 for as long as it takes.")
def status(
    session: Session,
    arguments: tuple[str, ...],
    filename: tuple[str, ...],
    selector: str,
    watch: bool,
    revision: int,
    timeout: str,
) -> None:
    """Show how far a rollout is, and follow it to its end."""
    limit_s = parse_duration(timeout, "timeout")
    deadline = watching.Deadline(session.clock, limit_s if limit_s > 0 else None)
    for target, _ in _workloads(session, arguments, filename, selector):
        _follow(session, target, watch, revision, deadline)


def _follow(session: Session, target: Target, watch: bool, revision: int, deadline: watching.Deadline) -> None:
    said = ""
    query = watching.selectors(name=target.name)
    try:
        for change in watching.follow(session.client, watching.collection_of(target), query, deadline):
            if change.type == watching.DELETED:
                raise KctlError("object has been deleted")
            if not change.object:
                continue
            if revision and rollouts.revision_of(change.object) != revision:
                found = rollouts.revision_of(change.object)
                raise KctlError(f"desired revision ({revision}) is different from the running revision ({found})")
            state = rollouts.status(change.object)
            if state.failure:
                raise KctlError(state.failure)
            if state.message != said:
                session.say(state.message)
                session.out.flush()
                said = state.message
            if state.done or not watch:
                return
    except StreamTimeoutError as error:
        raise WaitTimeoutError("timed out waiting for the condition") from error


@command("history")
@_arguments
@option("--revision", type=int, default=0, help="Show this revision's pod template.")
@output_option
def history(
    session: Session, arguments: tuple[str, ...], filename: tuple[str, ...], selector: str, revision: int, output: str
) -> None:
    """Show the revisions of a Deployment."""
    for target, deployment in _workloads(session, arguments, filename, selector):
        known = rollouts.revisions(deployment, _replica_sets(session, target, deployment))
        if output:
            from kctl.printers import document_printer, output_of

            chosen = {number: each for number, each in known.items() if revision in (0, number)}
            for each in chosen.values():
                session.out.write(document_printer(output_of(output, tables=False))(each))
            continue
        if revision:
            _show_revision(session, target, known, revision)
            continue
        _show_history(session, target, known)


def _show_history(session: Session, target: Target, known: Mapping[int, Mapping[str, Any]]) -> None:
    from kctl.printers.table import Writer

    session.say(f"{target.title} ")
    rows = [["REVISION", "CHANGE-CAUSE"], *([str(number), rollouts.change_cause(each)] for number, each in known.items())]
    Writer(session.out).write([[first.ljust(8) + "  " + second] for first, second in rows])
    session.say("")


def _show_revision(session: Session, target: Target, known: Mapping[int, Mapping[str, Any]], revision: int) -> None:
    if revision not in known:
        raise KctlError("unable to find the specified revision")
    from kctl.describe.pods import describe_template
    from kctl.describe.text import Page

    session.say(f"{target.title} with revision #{revision}")
    template = (known[revision].get("spec") or {}).get("template") or {}
    page = Page()
    page.line("Pod Template:")
    page.extend(describe_template(template), 1)
    session.out.write(page.text())


@command("undo")
@_arguments
@option("--to-revision", type=int, default=0, help="Which revision; the one before the newest by default.")
@dry_run_option
@output_option
def undo(
    session: Session,
    arguments: tuple[str, ...],
    filename: tuple[str, ...],
    selector: str,
    to_revision: int,
    dry_run: str,
    output: str,
) -> None:
    """Go back to an earlier revision."""
    how = writing(dry_run, output=output)
    for target, deployment in _workloads(session, arguments, filename, selector):
        if (deployment.get("spec") or {}).get("paused"):
            raise KctlError(
                f'cannot rollback a paused deployment; resume it first with "kctl rollout resume {target.title}" and try again'
            )
        known = rollouts.revisions(deployment, _replica_sets(session, target, deployment))
        try:
            chosen = known[rollouts.undo_target(known, to_revision)]
        except LookupError as error:
            raise KctlError(
                f'{error.args[0]} for deployment "{target.name}"' if not to_revision else str(error.args[0])
            ) from error
        template = rollouts.template_of(chosen)
        if template == (deployment.get("spec") or {}).get("template"):
            session.say(
                f"{target.title} skipped rollback (current template already matches revision {rollouts.revision_of(chosen)})"
            )
            continue
        result: Mapping[str, Any] = deployment
        if not how.pretending:
            patch = [{"op": "replace", "path": "/spec/template", "value": template}]
            cause = rollouts.change_cause(chosen)
            if cause != "<none>":
                annotations = {**(deployment["metadata"].get("annotations") or {}), rollouts.CHANGE_CAUSE: cause}
                patch.append({"op": "add", "path": "/metadata/annotations", "value": annotations})
            result = session.client.patch(target.path, patch, JSON_PATCH, how.query)
        report(session, how, result, target.title, "rolled back")


@command("restart")
@_arguments
@dry_run_option
@output_option
def restart(
    session: Session, arguments: tuple[str, ...], filename: tuple[str, ...], selector: str, dry_run: str, output: str
) -> None:
    """Replace all pods, a few at a time, with new ones of the same template."""
    now = format_time(session.clock.now())
    patch = {"spec": {"template": {"metadata": {"annotations": {RESTARTED_AT: now}}}}}
    _change(session, arguments, filename, selector, patch, "restarted", dry_run, output)


@command("pause")
@_arguments
@dry_run_option
@output_option
def pause(
    session: Session, arguments: tuple[str, ...], filename: tuple[str, ...], selector: str, dry_run: str, output: str
) -> None:
    """Keep changes from being rolled out."""
    _change(session, arguments, filename, selector, {"spec": {"paused": True}}, "paused", dry_run, output)


@command("resume")
@_arguments
@dry_run_option
@output_option
def resume(
    session: Session, arguments: tuple[str, ...], filename: tuple[str, ...], selector: str, dry_run: str, output: str
) -> None:
    """Roll out what has been held back."""
    _change(session, arguments, filename, selector, {"spec": {"paused": None}}, "resumed", dry_run, output)


for _command in (status, history, undo, restart, pause, resume):
    rollout.add_command(_command)


def _change(
    session: Session,
    arguments: Sequence[str],
    filename: Sequence[str],
    selector: str,
    patch: dict[str, Any],
    verb: str,
    dry_run: str,
    output: str,
) -> None:
    how = writing(dry_run, output=output)
    errors: list[KctlError] = []
    for target, deployment in _workloads(session, arguments, filename, selector):
        paused = bool((deployment.get("spec") or {}).get("paused"))
        title = f'{target.resource.plural} "{target.name}"'
        if verb == "restarted" and paused:
            errors.append(KctlError(f"{title} can't restart paused deployment (run rollout resume first)"))
            continue
        if (verb == "paused" and paused) or (verb == "resumed" and not paused):
            errors.append(KctlError(f"{title} is {'already paused' if paused else 'not paused'}"))
            continue
        try:
            result = deployment if how.pretending else session.client.patch(target.path, patch, MERGE_PATCH, how.query)
        except StatusError as error:
            errors.append(error)
            continue
        report(session, how, result, target.title, verb)
    targets.gather(errors)


def _workloads(
    session: Session, arguments: Sequence[str], filename: Sequence[str], selector: str
) -> list[tuple[Target, dict[str, Any]]]:
    """The Deployments that are meant; raises KctlError for kinds that have no rollouts here."""
    if filename:
        found = [targets.of_document(session, document) for document in targets.read_documents(session, filename)]
    else:
        found = targets.parse(session.discovery, arguments, session.namespace)
    if not found:
        raise KctlError("required resource not specified")
    result = []
    for target in found:
        if target.resource.kind != "Deployment":
            raise KctlError(f'no status viewer has been implemented for "{target.resource.plural}"')
        for item in targets.fetch(session.client, target, watching.selectors(selector)):
            own = Target(target.resource, item["metadata"]["name"], item["metadata"]["namespace"], target.place)
            result.append((own, item))
    return result


def _replica_sets(session: Session, target: Target, deployment: Mapping[str, Any]) -> list[dict[str, Any]]:
    resource = session.discovery.for_kind(target.resource.api_version, "ReplicaSet")
    query = watching.selectors(pods.selector_of(deployment))
    return targets.fetch(session.client, Target(resource, "", target.namespace), query)
