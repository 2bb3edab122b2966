"""`kctl label` and `kctl annotate`: set, change and remove entries of metadata.labels and metadata.annotations."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

import click

from kctl import selection, targets, watching
from kctl.errors import KctlError
from kctl.options import command, option, switch
from kctl.rest import MERGE_PATCH
from kctl.selection import Selection
from kctl.session import Session
from kctl.targets import Target
from kctl.writing import dry_run_option, output_option, report, writing

Errors: TypeAlias = list[KctlError]


@dataclass(frozen=True)
class Change:
    """What to set and what to remove."""

    values: Mapping[str, str]
    removed: tuple[str, ...]
    resource_version: str = ""


def parse_changes(words: Sequence[str], what: str) -> Change:
    """The changes of `a=b` and `c-`; raises KctlError."""
    values: dict[str, str] = {}
    removed: list[str] = []
    for word in words:
        key, equals, value = word.partition("=")
        if equals and key:
            values[key] = value
        elif not equals and word.endswith("-") and len(word) > 1:
            removed.append(word[:-1])
        else:
            raise KctlError(f"unknown {what} spec: {word}")
    if both := sorted(set(values) & set(removed)):
        raise KctlError(f"cannot modify and remove the same {what}(s): {', '.join(both)}")
    return Change(values, tuple(removed))


def split_arguments(arguments: Sequence[str]) -> tuple[list[str], list[str]]:
    """Resources, and the changes behind them: the first word with `=`, or that ends in `-`, begins the changes."""
    for place, word in enumerate(arguments):
        if "=" in word or (word.endswith("-") and len(word) > 1):
            return list(arguments[:place]), list(arguments[place:])
    return list(arguments), []


def _shared_options(function: Any) -> Any:
    for decorate in (
        click.argument("arguments", nargs=-1, metavar="TYPE NAME... KEY=VALUE... KEY-..."),
        option("-f", "--filename", multiple=True, help="Objects that manifests name."),
        switch("-R", "--recursive", help="Read folders within folders too."),
        option("-l", "--selector", default="", help="Choose objects by labels."),
        option("--field-selector", default="", help="Choose objects by fields."),
        switch("--all", help="All objects of the type."),
        switch("-A", "--all-namespaces", help="In every namespace."),
        switch("--overwrite", help="Change values that are there already."),
        switch("--list", help="Show what each object has."),
        option("--resource-version", default="", help="Only when the object has this version."),
        switch("--local", help="Change the manifests' objects here; ask no server."),
        option("--field-manager", default="", help="The name under which the fields are owned."),
        dry_run_option,
        output_option,
    ):
        function = decorate(function)
    return function


@command("label")
@_shared_options
def label(session: Session, **given: Any) -> None:
    """Set or remove labels of objects."""
    _run(session, "labels", "label", "labeled", **given)


@command("annotate")
@_shared_options
def annotate(session: Session, **given: Any) -> None:
    """Set or remove annotations of objects."""
    _run(session, "annotations", "annotation", "annotated", **given)


def _run(
    session: Session,
    section: str,
    what: str,
    done: str,
    *,
    arguments: tuple[str, ...],
    filename: tuple[str, ...],
    recursive: bool,
    selector: str,
    field_selector: str,
    all: bool,
    all_namespaces: bool,
    overwrite: bool,
    list: bool,
    resource_version: str,
    local: bool,
    field_manager: str,
    dry_run: str,
    output: str,
) -> None:
    how = writing("client" if local else dry_run, output=output, field_manager=field_manager or "kctl")
    words, changes = split_arguments(arguments)
    change = replace(parse_changes(changes, what), resource_version=resource_version)
    if not changes and not list:
        raise KctlError(f"at least one {what} update is required")
    if local:
        chosen = selection.choose(session, Selection(words, filename, recursive, local=True))
        for each in chosen:
            result, verb = _change(session, each.target, each.object, section, what, change, overwrite, how, done)
            report(session, how, result, each.target.title, verb)
        return
    if filename:
        documents = targets.read_documents(session, filename, recursive=recursive)
        found = [targets.of_document(session, document) for document in documents]
    else:
        found = targets.parse(session.discovery, words, "" if all_namespaces else session.namespace)
    if not found:
        raise KctlError("one or more resources must be specified as <resource> <name> or <resource>/<name>")
    if any(not each.name for each in found) and not (all or selector or field_selector or list):
        raise KctlError("resource(s) were provided, but no name was specified")
    errors: Errors = []
    for target in found:
        for item in targets.fetch(session.client, target, watching.selectors(selector, field_selector)):
            own = _own_target(target, item)
            if list:
                _list(session, own, item, section)
                continue
            try:
                result, verb = _change(session, own, item, section, what, change, overwrite, how, done)
            except KctlError as error:
                errors.append(error)
                continue
            report(session, how, result, own.title, verb)
    targets.gather(errors)


def _own_target(target: Target, item: Mapping[str, Any]) -> Target:
    metadata = item["metadata"]
    return Target(target.resource, metadata["name"], metadata.get("namespace", ""))


def _list(session: Session, target: Target, item: Mapping[str, Any], section: str) -> None:
    entries = sorted((item["metadata"].get(section) or {}).items())
    session.say(f"Listing {section} for {target.resource.kind}.{target.resource.api_version}/{target.name}:")
    for key, value in entries:
        session.say(f" {key}={value}")


def _change(
    session: Session,
    target: Target,
    item: Mapping[str, Any],
    section: str,
    what: str,
    change: Change,
    overwrite: bool,
    how: Any,
    done: str,
) -> tuple[Mapping[str, Any], str]:
    metadata = item.get("metadata") or {}
    present = metadata.get(section) or {}
    if not overwrite:
        taken = [key for key, value in change.values.items() if key in present and present[key] != value]
        if taken:
            raise KctlError(f"'{taken[0]}' already has a value ({present[taken[0]]}), and --overwrite is false")
    for key in change.removed:
        if key not in present:
            session.note(f'{what} "{key}" not found.')
    wanted = {key: value for key, value in {**present, **change.values}.items() if key not in change.removed}
    if wanted == present:
        return item, f"not {done}" if what == "label" else done
    verb = f"un{done}" if what == "label" and change.removed and not change.values else done
    if how.pretending:
        return {**item, "metadata": {**metadata, section: wanted}}, verb
    patch: dict[str, Any] = {"metadata": {section: {**change.values, **dict.fromkeys(change.removed)}}}
    if change.resource_version:
        patch["metadata"]["resourceVersion"] = change.resource_version
    return session.client.patch(target.path, patch, MERGE_PATCH, how.query), verb
