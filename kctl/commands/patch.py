"""`kctl patch`: change parts of objects by a strategic merge, JSON merge or JSON patch."""

from pathlib import Path
from typing import Any

import click

from kctl import changing, selection, targets
from kctl.errors import KctlError
from kctl.options import command, option, switch
from kctl.printers import label_of
from kctl.selection import Selection
from kctl.session import Session
from kctl.targets import Target
from kctl.writing import Writing, dry_run_option, output_option, report, writing

SUBRESOURCES = ("resize", "scale", "status")


@command("patch")
@click.argument("arguments", nargs=-1, metavar="TYPE NAME... | TYPE/NAME...")
@option("-p", "--patch", "text", default="", help="The patch, as JSON or YAML.")
@option("--patch-file", default="", help="A file with the patch.")
@option("--type", "kind", default="strategic", help="strategic, merge or json.")
@option("--subresource", default="", help="Patch this part of the object: status, scale or resize.")
@option("-f", "--filename", multiple=True, help="Objects that manifests name.")
@switch("-R", "--recursive", help="Read folders within folders too.")
@switch("--local", help="Patch the manifests' objects here; ask no server.")
@option("--field-manager", default="kubectl-patch", help="The name under which the fields are owned.")
@dry_run_option
@output_option
def patch(
    session: Session,
    arguments: tuple[str, ...],
    text: str,
    patch_file: str,
    kind: str,
    subresource: str,
    filename: tuple[str, ...],
    recursive: bool,
    local: bool,
    field_manager: str,
    dry_run: str,
    output: str,
) -> None:
    """Change parts of objects."""
    if kind.lower() not in changing.PATCH_TYPES:
        raise KctlError(f'--type must be one of [json merge strategic], not "{kind}"')
    if subresource and subresource not in SUBRESOURCES:
        raise KctlError(f'invalid subresource value: "{subresource}". Must be one of [{" ".join(SUBRESOURCES)}]')
    if bool(text) == bool(patch_file):
        if text:
            raise KctlError("cannot specify --patch and --patch-file together")
        raise KctlError("must specify --patch or --patch-file containing the contents of the patch")
    content_type = changing.PATCH_TYPES[kind.lower()]
    body = changing.parse_patch(_read(patch_file) if patch_file else text, content_type)
    how = writing("client" if local else dry_run, output=output, field_manager=field_manager)
    wanted = Selection(arguments, filename, recursive, local=local)
    errors: list[KctlError] = []
    for target, current in _found(session, wanted, subresource):
        try:
            _patch(session, target, current, subresource, body, content_type, how, local=local)
        except KctlError as error:
            errors.append(error)
    targets.gather(errors)


def _found(session: Session, wanted: Selection, subresource: str) -> list[tuple[Target, dict[str, Any]]]:
    if not subresource or wanted.local:
        return [(each.target, each.object) for each in selection.choose(session, wanted)]
    return [(target, session.client.get(_path(target, subresource))) for target in selection.named(session, wanted)]


def _patch(
    session: Session,
    target: Target,
    current: dict[str, Any],
    subresource: str,
    body: Any,
    content_type: str,
    how: Writing,
    *,
    local: bool,
) -> None:
    if how.pretending:
        patched = changing.applied(current, body, content_type)
    else:
        patched = session.client.patch(_path(target, subresource), body, content_type, how.query)
    title = f"{label_of(patched)}/{target.name}" if subresource else target.title
    report(session, how, patched, title, "patched" if patched != current else "patched (no change)")


def _path(target: Target, subresource: str) -> str:
    return target.resource.path(target.namespace, target.name, subresource)


def _read(path: str) -> str:
    try:
        return Path(path).read_text()
    except FileNotFoundError as error:
        raise KctlError(f"unable to read patch file: open {path}: no such file or directory") from error
    except (OSError, UnicodeDecodeError) as error:
        raise KctlError(f"unable to read patch file: {path}: {error}") from error
