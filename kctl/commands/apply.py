"""`kctl apply`: make the cluster match manifests, object by object; one that fails does not stop the others.

On this side: what the manifest said last is kept in an annotation, and a patch is made from that, the manifest and the object.
On the server's side (--server-side): the manifest is sent as it is, and the server knows whose each field is.
"""

import time
from typing import Any

import click

from kctl import applying, pruning, targets
from kctl.applicable import FIELD_MANAGER, SERVER_SIDE_FIELD_MANAGER, chooser, named
from kctl.commands import last_applied
from kctl.errors import KctlError, StatusError, UnreachableError
from kctl.manifests import Document
from kctl.options import Command, option, switch
from kctl.rest import APPLY_PATCH
from kctl.session import Session
from kctl.targets import Target
from kctl.writing import Writing, dry_run_option, field_manager_option, output_option, report, validate_option, writing

CONFLICT_RETRIES = 5
_CONFLICT_ADVICE = """
The fields above belong to others. To resolve this, either
* take them over: apply again with --force-conflicts;
* leave them to the others: remove them from your manifest;
* own them together: give them the values that they have."""


class ApplyGroup(Command, click.Group):
    """A command of its own with `-f`, and a group of what concerns the last-applied configuration."""


@click.group("apply", cls=ApplyGroup, invoke_without_command=True)
@option("-f", "--filename", multiple=True, help="File, folder or - for standard input.")
@switch("-R", "--recursive", help="Read folders within folders too.")
@option("-l", "--selector", default="", help="Only objects with these labels.")
@switch("--overwrite", default=True, help="Accepted for kubectl's sake.")
@switch("--force", help="Delete and create again what cannot be changed.")
@switch("--server-side", help="Let the server merge, and keep track of who owns which field.")
@switch("--force-conflicts", help="With --server-side: take over fields that others own.")
@switch("--prune", help="Delete what was applied with these labels and is in none of the manifests any more.")
@switch("--all", help="With --prune: whatever its labels are.")
@option("--prune-allowlist", "--prune-whitelist", "allowed", multiple=True, help="With --prune: only GROUP/VERSION/KIND.")
@field_manager_option
@dry_run_option
@validate_option
@output_option
@click.pass_context
def apply(
    ctx: click.Context,
    filename: tuple[str, ...],
    recursive: bool,
    selector: str,
    overwrite: bool,
    force: bool,
    server_side: bool,
    force_conflicts: bool,
    prune: bool,
    all: bool,
    allowed: tuple[str, ...],
    field_manager: str,
    dry_run: str,
    validate: str,
    output: str,
) -> None:
    """Make the cluster match manifests.

    What a manifest no longer says since it was applied last is removed; what others have set stays.
    """
    if ctx.invoked_subcommand is not None:
        return
    session = ctx.ensure_object(Session)
    if not filename:
        raise KctlError("must specify one of -f and -k")
    _require_consistent(server_side, force_conflicts, force, dry_run)
    kinds = pruning.kinds(allowed, selector, everything=all) if prune else []
    how = writing(dry_run, validate, output, field_manager or (SERVER_SIDE_FIELD_MANAGER if server_side else FIELD_MANAGER))
    applier = _ServerSide(session, how, force_conflicts) if server_side else _ClientSide(session, how, force)
    chosen = chooser(selector)
    errors: list[KctlError] = []
    applied: list[Target] = []
    for document in targets.read_documents(session, filename, recursive=recursive):
        if not chosen(document):
            continue
        try:
            applied.append(applier.apply(document))
        except UnreachableError:
            raise  # the others would only repeat it
        except KctlError as error:
            errors.append(error)
    if not applied and not errors:
        raise KctlError("no objects passed to apply")
    targets.gather(errors)
    if prune:
        pruning.prune(session, how, kinds, applied, selector)


def _require_consistent(server_side: bool, force_conflicts: bool, force: bool, dry_run: str) -> None:
    if force_conflicts and not server_side:
        raise KctlError("--force-conflicts only works with --server-side")
    if server_side and force:
        raise KctlError("--force cannot be used with --server-side")
    if server_side and dry_run == "client":
        raise KctlError("--dry-run=client doesn't work with --server-side (did you mean --dry-run=server instead?)")


class _ServerSide:
    """Has objects applied by the server."""

    def __init__(self, session: Session, how: Writing, force: bool) -> None:
        self._session, self._client, self._how, self._force = session, session.client, how, force

    def apply(self, document: Document) -> Target:
        """Apply one object and say which it was; raises KctlError that names the manifest."""
        target, body = named(self._session, document)
        query = {**self._how.validating_query, "force": "true" if self._force else "false"}
        try:
            applied = self._client.patch(target.path, body, APPLY_PATCH, query)
        except StatusError as error:
            if error.conflicting_fields:
                raise KctlError(f"{error}{_CONFLICT_ADVICE}") from error
            raise error.while_doing(f"error when applying {target.title} from {target.place}") from error
        report(self._session, self._how, applied, target.title, "serverside-applied")
        return target


class _ClientSide:
    """Applies objects by patches that are computed here."""

    def __init__(self, session: Session, how: Writing, force: bool) -> None:
        self._session, self._client, self._how, self._force = session, session.client, how, force

    def apply(self, document: Document) -> Target:
        """Create the object, or patch what is there, and say which it was; raises KctlError that names the manifest."""
        target, body = named(self._session, document)
        try:
            current = self._client.get(target.path)
        except StatusError as error:
            if not error.not_found:
                raise error.while_doing(
                    f"error when retrieving current configuration of {target.title} from {target.place}"
                ) from error
            self._create(target, body)
        else:
            self._update(target, body, current)
        return target

    def _create(self, target: Target, body: dict[str, Any]) -> None:
        created = applying.annotated(body)
        if not self._how.pretending:
            path = target.resource.path(target.namespace)
            try:
                created = self._client.create(path, created, self._how.validating_query)
            except StatusError as error:
                raise error.while_doing(f"error when creating {target.place}") from error
        report(self._session, self._how, created, target.title, "created")

    def _update(self, target: Target, body: dict[str, Any], current: dict[str, Any]) -> None:
        decision = applying.decide(body, current)
        if decision.unchanged:
            report(self._session, self._how, current, target.title, "unchanged")
            return
        if not decision.was_applied:
            self._session.note(
                f"Warning: resource {target.resource.plural}/{target.name} is missing the {applying.LAST_APPLIED} annotation, "
                "which apply needs to tell what to remove; it is added now"
            )
        if self._how.pretending:
            report(self._session, self._how, current, target.title, "configured")
            return
        try:
            changed = self._patch(target, body, decision)
        except StatusError as error:
            if not (self._force and error.reason in ("Invalid", "Conflict")):
                raise error.while_doing(f"error when applying patch to {target.title} from {target.place}") from error
            self._replace(target, body)
            return
        report(self._session, self._how, changed, target.title, "configured")

    def _patch(self, target: Target, body: dict[str, Any], decision: applying.Decision) -> dict[str, Any]:
        """Patch, computing the patch anew when somebody else has written in between."""
        for _ in range(CONFLICT_RETRIES):
            try:
                return dict(self._client.patch(target.path, decision.patch, decision.kind, self._how.validating_query))
            except StatusError as error:
                if error.reason != "Conflict":
                    raise
            decision = applying.decide(body, self._client.get(target.path))
        return dict(self._client.patch(target.path, decision.patch, decision.kind, self._how.validating_query))

    def _replace(self, target: Target, body: dict[str, Any]) -> None:
        self._client.delete(target.path, {"propagationPolicy": "Background"}, self._how.query)
        while self._exists(target):
            time.sleep(0.2)
        self._create(target, body)

    def _exists(self, target: Target) -> bool:
        try:
            self._client.get(target.path)
        except StatusError as error:
            if error.not_found:
                return False
            raise
        return True


for _command in (last_applied.view, last_applied.set_, last_applied.edit):
    apply.add_command(_command)
