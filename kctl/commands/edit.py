"""`kctl edit`: objects in an editor; what was changed is sent as a patch.

The editor is opened again, with the errors as comments, until the server accepts what was written or nothing has been changed
since the last error. What cannot be sent is kept in a file whose name is printed.
"""

import json
from pathlib import Path
from typing import Any

import click

from kctl import applying, changing, editing, editor, selection
from kctl.editing import Edited, Reason
from kctl.errors import KctlError, SilentError, StatusError
from kctl.manifests import ManifestError
from kctl.options import command, option, switch
from kctl.printers.documents import without_managed_fields
from kctl.selection import Selection
from kctl.session import Session
from kctl.targets import Target
from kctl.writing import Writing, report, validate_option, writing

SUBRESOURCES = ("resize", "scale", "status")


@command("edit")
@click.argument("arguments", nargs=-1, metavar="TYPE NAME... | TYPE/NAME...")
@option("-f", "--filename", multiple=True, help="Objects that manifests name.")
@switch("-R", "--recursive", help="Read folders within folders too.")
@option("-l", "--selector", default="", hidden=True, help="Choose objects by labels.")
@option("-o", "--output", default=None, type=click.Choice(["yaml", "json"]), help="Edit, and show the result, as yaml or json.")
@switch("--output-patch", help="Print the patch that is sent.")
@option("--subresource", default="", help="Edit this part of the object: status, scale or resize.")
@switch("--save-config", help="Remember the object for a later apply.")
@switch("--show-managed-fields", help="Show managedFields too.")
@option("--field-manager", default="kubectl-edit", help="The name under which the fields are owned.")
@validate_option
def edit(
    session: Session,
    arguments: tuple[str, ...],
    filename: tuple[str, ...],
    recursive: bool,
    selector: str,
    output: str | None,
    output_patch: bool,
    subresource: str,
    save_config: bool,
    show_managed_fields: bool,
    field_manager: str,
    validate: str,
) -> None:
    """Edit objects in an editor of your own: KUBE_EDITOR, EDITOR or vi."""
    if subresource and subresource not in SUBRESOURCES:
        raise KctlError(f'invalid subresource value: "{subresource}". Must be one of [{" ".join(SUBRESOURCES)}]')
    chosen = selection.choose(session, Selection(arguments, filename, recursive, selector, everything=True))
    if not chosen:
        raise KctlError("edit cancelled, no objects found.")
    found = [(each.target, each.object) for each in chosen]
    if subresource:
        found = [
            (target, session.client.get(target.resource.path(target.namespace, target.name, subresource)))
            for target, _ in found
        ]
    if not show_managed_fields:
        found = [(target, without_managed_fields(obj)) for target, obj in found]
    how = writing("none", validate, output or "", field_manager=field_manager)
    _Editing(session, how, output or "yaml", subresource, output_patch=output_patch, save_config=save_config).run(found)


class _Editing:
    """One session with the editor; `run` returns once everything is written, or raises."""

    def __init__(
        self, session: Session, how: Writing, output: str, subresource: str, *, output_patch: bool, save_config: bool
    ) -> None:
        self._session, self._how, self._output, self._subresource = session, how, output, subresource
        self._output_patch, self._save_config = output_patch, save_config

    def run(self, found: list[tuple[Target, dict[str, Any]]]) -> None:
        original = text = editing.render([obj for _, obj in found], self._output)
        reasons: list[Reason] = []
        kept: Path | None = None
        while True:
            edited, path = self._open(text, reasons, kept)
            body = editing.without_comments(edited)
            if reasons and editing.same(body, text):
                self._keep(path, "Edit cancelled, no valid changes were saved.")
            if editing.same(body, original) or not body.strip():
                path.unlink()
                what = "saved file was empty." if not body.strip() else "no changes made."
                self._session.note(f"Edit cancelled, {what}")
                return
            try:
                changes = editing.parse(body, found)
            except ManifestError as error:
                reasons = [editing.syntax_reason(found[0][0], error)]
                self._session.note(f"error: {editing.subject(found[0][0])} is invalid")
                text, kept = body, path
                continue
            except KctlError as error:
                self._keep(path, str(error))
            refused, reasons = self._send(changes, path)
            if not refused:
                path.unlink()
                return
            if len(refused) < len(found):  # the others are written: what is left is edited further
                found = [(each.target, each.before) for each in refused]
                original = editing.render([each.before for each in refused], self._output)
                body = editing.render([each.after for each in refused], self._output)
            text, kept = body, path

    def _open(self, text: str, reasons: list[Reason], kept: Path | None) -> tuple[str, Path]:
        """Edit; the file of the try before is kept until its content is in a new one."""
        try:
            edited = editor.edit(editing.with_header(text, reasons), f".{self._output}", self._session.environment)
        except KctlError:
            if kept is not None:
                self._session.note(f'A copy of your changes has been stored to "{kept}"')
            raise
        if kept is not None:
            kept.unlink(missing_ok=True)
        return edited

    def _keep(self, path: Path, message: str) -> None:
        self._session.note(f'A copy of your changes has been stored to "{path}"')
        raise KctlError(message)

    def _send(self, changes: list[Edited], path: Path) -> tuple[list[Edited], list[Reason]]:
        """Patch each object; returns those to edit further and why; raises when one cannot be saved at all."""
        refused: list[Edited] = []
        reasons: list[Reason] = []
        failed: list[tuple[Target, StatusError]] = []
        for change in changes:
            try:
                self._patch(change)
            except StatusError as error:
                if error.code not in (400, 422):
                    failed.append((change.target, error))
                    continue
                refused.append(change)
                reasons.append(editing.refusal_reason(change.target, error))
                self._session.note(f"error: {editing.subject(change.target)} is invalid")
        if failed:
            for sentence in editing.failures(failed):
                self._session.note(sentence)
            if all(error.not_found for _, error in failed):
                self._session.note(f'The edits you made on deleted resources have been saved to "{path}"')
            else:
                self._session.note(f"You can run `kctl replace -f {path}` to try this update again.")
            raise SilentError
        return refused, reasons

    def _patch(self, change: Edited) -> None:
        target = change.target
        after = change.after
        remembered = applying.LAST_APPLIED in (after["metadata"].get("annotations") or {})
        if after != change.before and (self._save_config or remembered) and not self._subresource:
            after = applying.annotated(after)
        body, kind = changing.between(change.before, after)
        if not body:
            report(self._session, self._how, after, target.title, "skipped")
            return
        if self._output_patch:
            self._session.say(f"Patch: {json.dumps(body, separators=(',', ':'), ensure_ascii=False)}")
        path = target.resource.path(target.namespace, target.name, self._subresource)
        answer = self._session.client.patch(path, body, kind, self._how.validating_query)
        report(self._session, self._how, answer, target.title, "edited")
