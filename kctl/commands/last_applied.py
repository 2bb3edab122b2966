"""`kctl apply view-last-applied|set-last-applied|edit-last-applied`: the annotation that apply remembers manifests in."""

from typing import Any

import click

from kctl import applying, editing, editor, manifests, selection, targets
from kctl.errors import KctlError
from kctl.options import command, option, switch
from kctl.printers.documents import to_json, to_yaml
from kctl.rest import MERGE_PATCH
from kctl.selection import Chosen, Selection
from kctl.session import Session
from kctl.targets import Target
from kctl.writing import Writing, dry_run_option, output_option, report, writing

FIELD_MANAGER = "kubectl-last-applied"


def _chosen_options(function: Any) -> Any:
    for decorate in (
        click.argument("arguments", nargs=-1, metavar="TYPE NAME | TYPE/NAME ..."),
        option("-f", "--filename", multiple=True, help="Objects that manifests name."),
        switch("-R", "--recursive", help="Read folders within folders too."),
        option("-l", "--selector", default="", help="Choose objects by labels."),
    ):
        function = decorate(function)
    return function


@command("view-last-applied")
@_chosen_options
@switch("--all", help="All objects of the type.")
@option("-o", "--output", default="yaml", type=click.Choice(["yaml", "json"]), help="yaml or json.")
def view(
    session: Session,
    arguments: tuple[str, ...],
    filename: tuple[str, ...],
    recursive: bool,
    selector: str,
    all: bool,
    output: str,
) -> None:
    """Show what was applied last."""
    for each in selection.choose(session, Selection(arguments, filename, recursive, selector, all)):
        last = _last(each)
        session.out.write(to_json(last) if output == "json" else to_yaml(last))


@command("set-last-applied")
@option("-f", "--filename", multiple=True, help="The manifests.")
@switch("--create-annotation", help="Also for objects that were never applied.")
@dry_run_option
@output_option
def set_(session: Session, filename: tuple[str, ...], create_annotation: bool, dry_run: str, output: str) -> None:
    """Remember manifests as if they had been applied."""
    if not filename:
        raise KctlError("must specify one of -f and -k")
    how = writing(dry_run, output=output, field_manager=FIELD_MANAGER)
    for document in targets.read_documents(session, filename):
        target = targets.of_document(session, document)
        current = session.client.get(target.path)
        if applying.last_applied(current) is None and not create_annotation:
            raise KctlError(
                f"no last-applied-configuration annotation found on resource: {target.name}, "
                "to create the annotation, run the command with --create-annotation"
            )
        body = document.body
        if target.resource.namespaced:
            body = {**body, "metadata": {**(body.get("metadata") or {}), "namespace": target.namespace}}
        _remember(session, how, target, current, body, "configured")


@command("edit-last-applied")
@_chosen_options
@option("-o", "--output", default="yaml", type=click.Choice(["yaml", "json"]), help="Edit as yaml or json.")
def edit(
    session: Session,
    arguments: tuple[str, ...],
    filename: tuple[str, ...],
    recursive: bool,
    selector: str,
    output: str,
) -> None:
    """Edit what was applied last."""
    how = writing("none", field_manager=FIELD_MANAGER)
    for each in selection.choose(session, Selection(arguments, filename, recursive, selector, everything=True)):
        before = editing.render([_last(each)], output)
        text, path = editor.edit(editing.with_header(before, ()), f".{output}", session.environment)
        after = editing.without_comments(text)
        if editing.same(before, after) or not after.strip():
            path.unlink()
            session.note("Edit cancelled, no changes made.")
            continue
        documents = list(manifests.objects(manifests.parse(after, str(path))))  # a failure leaves the file to its editor
        if len(documents) != 1:
            raise KctlError(f"{path}: one object is expected")
        path.unlink()
        _remember(session, how, each.target, each.object, documents[0].body, "edited")


def _last(each: Chosen) -> dict[str, Any]:
    last = applying.last_applied(each.object)
    if last is None:
        raise KctlError(f"no last-applied-configuration annotation found on resource: {each.target.name}")
    return last


def _remember(session: Session, how: Writing, target: Target, current: dict[str, Any], body: dict[str, Any], verb: str) -> None:
    text = applying.annotated(body)["metadata"]["annotations"][applying.LAST_APPLIED]
    patch = {"metadata": {"annotations": {applying.LAST_APPLIED: text}}}
    result = current if how.pretending else session.client.patch(target.path, patch, MERGE_PATCH, how.query)
    report(session, how, result, target.title, verb)
