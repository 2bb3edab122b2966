"""`kctl diff`: what an apply would change, shown by a program that compares two folders.

Each object is fetched, and the server is asked what an apply would make of it (a dry run); both go into files of the same
name in two folders. Exit code 0: no differences; 1: some; more: a failure.
"""

import subprocess
import tempfile
from pathlib import Path
from typing import Any

from kctl import applying, differing, targets
from kctl.applicable import FIELD_MANAGER, SERVER_SIDE_FIELD_MANAGER, chooser, named
from kctl.errors import KctlError, SilentError, StatusError
from kctl.manifests import Document
from kctl.options import command, option, switch
from kctl.printers.documents import to_yaml, without_managed_fields
from kctl.rest import APPLY_PATCH
from kctl.session import Session

FAILURE = 2
CONFLICT_RETRIES = 4


class DiffError(KctlError):
    """A failure, told apart from a difference by its exit code."""

    exit_code = FAILURE

    def __init__(self, error: KctlError) -> None:
        super().__init__(str(error))
        self._text = error.text()

    def text(self) -> str:
        return self._text


@command("diff")
@option("-f", "--filename", multiple=True, help="File, folder or - for standard input.")
@switch("-R", "--recursive", help="Read folders within folders too.")
@option("-l", "--selector", default="", help="Only objects with these labels.")
@switch("--server-side", help="Show what a server-side apply would change.")
@switch("--force-conflicts", help="With --server-side: as if fields that others own were taken over.")
@option("--field-manager", default="", help="The name under which the fields would be owned.")
@switch("--show-managed-fields", help="Compare managedFields too.")
@option("--concurrency", type=int, default=1, hidden=True, help="Accepted for kubectl's sake.")
def diff(
    session: Session,
    filename: tuple[str, ...],
    recursive: bool,
    selector: str,
    server_side: bool,
    force_conflicts: bool,
    field_manager: str,
    show_managed_fields: bool,
    concurrency: int,
) -> None:
    """Show what an apply of these manifests would change."""
    try:
        if not filename:
            raise KctlError("must specify one of -f and -k")
        if force_conflicts and not server_side:
            raise KctlError("--force-conflicts only works with --server-side")
        manager = field_manager or (SERVER_SIDE_FIELD_MANAGER if server_side else FIELD_MANAGER)
        query = {"dryRun": "All", "fieldManager": manager, "fieldValidation": "Strict"}
        if server_side:
            query["force"] = "true" if force_conflicts else "false"
        states = _applied_states if server_side else _states
        words = differing.program(session.environment.get("KUBECTL_EXTERNAL_DIFF", ""))
        with tempfile.TemporaryDirectory(prefix="LIVE-") as live, tempfile.TemporaryDirectory(prefix="MERGED-") as merged:
            chosen = chooser(selector)
            for document in targets.read_documents(session, filename, recursive=recursive):
                if chosen(document):
                    before, after = states(session, document, query)
                    if not show_managed_fields:
                        before, after = before and without_managed_fields(before), without_managed_fields(after)
                    _write(before, after, Path(live), Path(merged))
            code = _compare(session, [*words, live, merged])
    except KctlError as error:
        raise DiffError(error) from error
    if code:
        raise SilentError(code)


States = tuple[dict[str, Any] | None, dict[str, Any]]
"""The object as it is (None when it is not there), and as it would be."""


def _applied_states(session: Session, document: Document, query: dict[str, str]) -> States:
    """As the server itself applies."""
    target, body = named(session, document)
    try:
        current = session.client.get(target.path)
    except StatusError as error:
        if not error.not_found:
            raise
        current = None
    return current, session.client.patch(target.path, body, APPLY_PATCH, query)


def _states(session: Session, document: Document, query: dict[str, str]) -> States:
    """As `apply` does on this side."""
    target, body = named(session, document)
    for remaining in reversed(range(CONFLICT_RETRIES)):
        try:
            current = session.client.get(target.path)
        except StatusError as error:
            if not error.not_found:
                raise
            return None, session.client.create(target.resource.path(target.namespace), body, query)
        decision = applying.decide(body, current, remember=False)
        if decision.unchanged:
            return current, current
        try:
            return current, session.client.patch(target.path, decision.patch, decision.kind, query)
        except StatusError as error:
            if error.reason != "Conflict" or not remaining:
                raise
    raise AssertionError("the last round returns or raises")


def _write(before: dict[str, Any] | None, after: dict[str, Any], live: Path, merged: Path) -> None:
    name = differing.file_name(after)
    left, right = differing.masked(before, after)
    for state, folder in ((left, live), (right, merged)):
        if state:
            (folder / name).write_text(to_yaml(state))


def _compare(session: Session, words: list[str]) -> int:
    """Run the program on our own streams; returns its exit code."""
    session.out.flush()
    try:
        return subprocess.run(words, check=False).returncode
    except FileNotFoundError as error:
        raise KctlError(f'failed to run "{words[0]}": executable file not found in $PATH') from error
    except OSError as error:
        raise KctlError(f'failed to run "{words[0]}": {error.strerror}') from error
