"""`kctl replace`: put manifests in the place of the objects they name; by force, deleting those first."""

from typing import Any

from kctl import applying, targets, watching
from kctl import raw as raw_request
from kctl.commands.delete import wait_until_gone
from kctl.durations import parse_duration
from kctl.errors import KctlError, StatusError, UnreachableError
from kctl.manifests import Document
from kctl.options import command, option, switch
from kctl.session import Session
from kctl.targets import Target
from kctl.writing import Writing, dry_run_option, output_option, report, validate_option, writing

FORCED_TIMEOUT_S = 300.0
_CASCADES = {"background": "Background", "foreground": "Foreground", "orphan": "Orphan"}


@command("replace")
@option("-f", "--filename", multiple=True, help="File, folder or - for standard input.")
@switch("-R", "--recursive", help="Read folders within folders too.")
@switch("--force", help="Delete the objects, wait until they are gone, and create them anew.")
@option("--cascade", default="background", bare="background", help="With --force: background, foreground or orphan.")
@option("--grace-period", type=int, default=-1, help="With --force: seconds a pod has to end by itself.")
@option("--timeout", default="0s", help="With --force: how long to wait for the deletion; 0 for five minutes.")
@switch("--wait", help="Accepted for kubectl's sake: with --force it is always waited.")
@switch("--save-config", help="Remember the manifest for a later apply.")
@option("--raw", default="", help="Send the request to this path, and print the answer as it comes.")
@option("--subresource", default="", help="Replace this part of the object: status or scale.")
@option("--field-manager", default="kubectl-replace", help="The name under which the fields are owned.")
@dry_run_option
@validate_option
@output_option
def replace(
    session: Session,
    filename: tuple[str, ...],
    recursive: bool,
    force: bool,
    cascade: str,
    grace_period: int,
    timeout: str,
    wait: bool,
    save_config: bool,
    raw: str,
    subresource: str,
    field_manager: str,
    dry_run: str,
    validate: str,
    output: str,
) -> None:
    """Replace objects by manifests, which must be complete."""
    if not filename:
        raise KctlError("must specify one of -f and -k")
    if raw:
        raw_request.send(session, "PUT", raw, filename)
        return
    limit_s = parse_duration(timeout, "timeout")
    if not force:
        for given, name in ((grace_period >= 0, "grace-period"), (limit_s != 0, "timeout")):
            if given:
                raise KctlError(f"--{name} must have --force specified")
    if force and dry_run != "none":
        raise KctlError("--dry-run can not be used when --force is set")
    if cascade not in _CASCADES:
        raise KctlError(f'invalid cascade value ({cascade}). Must be "background", "foreground", or "orphan"')
    how = writing(dry_run, validate, output, field_manager)
    documents = list(targets.read_documents(session, filename, recursive=recursive))
    if not documents:
        raise KctlError("no objects passed to replace")
    if force:
        options: dict[str, Any] = {"apiVersion": "v1", "kind": "DeleteOptions", "propagationPolicy": _CASCADES[cascade]}
        if grace_period >= 0:
            options["gracePeriodSeconds"] = max(grace_period, 1)  # a pod must not vanish before its node has ended it
        _delete_all(session, documents, options, how, limit_s or FORCED_TIMEOUT_S)
    errors: list[KctlError] = []
    for document in documents:
        try:
            _replace(session, document, how, subresource, save_config=save_config, create=force)
        except UnreachableError:
            raise  # the others would only repeat it
        except KctlError as error:
            errors.append(error)
    targets.gather(errors)


def _replace(session: Session, document: Document, how: Writing, subresource: str, *, save_config: bool, create: bool) -> None:
    target = targets.of_document(session, document)
    body = _body(document, target, save_config)
    if not how.pretending:
        try:
            if create:
                body = session.client.create(target.resource.path(target.namespace), body, how.validating_query)
            else:
                body = _put(session, target, body, subresource, how)
        except StatusError as error:
            raise error.while_doing(f"error when replacing {target.place}") from error
    report(session, how, body, target.title, "replaced")


def _put(session: Session, target: Target, body: dict[str, Any], subresource: str, how: Writing) -> Any:
    """Overwrite what is there now; a version in the manifest makes the server refuse when somebody else has written since."""
    path = target.resource.path(target.namespace, target.name, subresource)
    metadata = body["metadata"]
    if not metadata.get("resourceVersion"):
        current = session.client.get(path)
        body = {**body, "metadata": {**metadata, "resourceVersion": current["metadata"].get("resourceVersion", "")}}
    return session.client.update(path, body, how.validating_query)


def _body(document: Document, target: Target, save_config: bool) -> dict[str, Any]:
    body: dict[str, Any] = document.body
    metadata = dict(body.get("metadata") or {})
    if target.resource.namespaced:
        metadata["namespace"] = target.namespace
    if not target.name:
        raise KctlError(f"error when replacing {target.place}: resource name may not be empty")
    placed = {**body, "metadata": metadata}
    remembered = applying.LAST_APPLIED in (metadata.get("annotations") or {})
    return applying.annotated(placed) if save_config or remembered else placed


def _delete_all(session: Session, documents: list[Document], options: dict[str, Any], how: Writing, timeout_s: float) -> None:
    deadline = watching.Deadline(session.clock, timeout_s)
    deleted: list[tuple[Target, str]] = []
    for document in documents:
        target = targets.of_document(session, document)
        try:
            uid = str(session.client.get(target.path)["metadata"].get("uid") or "")
            session.client.delete(target.path, options)
        except StatusError as error:
            if error.not_found:
                continue
            raise error.while_doing(f"error when deleting {target.place}") from error
        if not how.output:
            session.say(f'{target.resource.label} "{target.name}" deleted')
        deleted.append((target, uid))
    for target, uid in deleted:
        wait_until_gone(session, target, uid, deadline)
