"""`kctl wait`: until objects meet a condition, have a value, or are gone."""

from collections.abc import Callable, Mapping
from typing import Any

import click

from kctl import targets, watching
from kctl.commands.delete import wait_until_gone
from kctl.durations import parse_duration
from kctl.errors import KctlError, StatusError, WaitTimeoutError
from kctl.options import command, option, switch
from kctl.rest import StreamTimeoutError
from kctl.session import Session
from kctl.targets import Target

Met = Callable[[Mapping[str, Any]], bool]


@command("wait")
@click.argument("arguments", nargs=-1, metavar="TYPE NAME... | TYPE/NAME...")
@option("--for", "condition", required=True, help="create, delete, condition=TYPE[=STATUS] or jsonpath=PATH[=VALUE].")
@option("--timeout", default="30s", help="How long in all; 0 looks once, a negative time waits a week.")
@option("-f", "--filename", multiple=True, help="Objects that manifests name.")
@option("-l", "--selector", default="", help="Choose objects by labels.")
@option("--field-selector", default="", help="Choose objects by fields.")
@switch("--all", help="All objects of the type.")
@switch("-A", "--all-namespaces", help="In every namespace.")
def wait(
    session: Session,
    arguments: tuple[str, ...],
    condition: str,
    timeout: str,
    filename: tuple[str, ...],
    selector: str,
    field_selector: str,
    all: bool,
    all_namespaces: bool,
) -> None:
    """Wait until objects meet a condition."""
    if filename:
        found = [targets.of_document(session, document) for document in targets.read_documents(session, filename)]
    else:
        found = targets.parse(session.discovery, arguments, "" if all_namespaces else session.namespace)
    if not found:
        raise KctlError("arguments in resource/name form must have a single resource and name")
    if any(not each.name for each in found) and not (all or selector or field_selector):
        raise KctlError("resource name may not be empty")
    limit_s = parse_duration(timeout, "timeout")
    deadline = watching.Deadline(session.clock, limit_s if limit_s >= 0 else 7 * 86400.0)
    if condition.lower() == "create":
        _await_creation(session, found, selector, field_selector, deadline)
        return
    met = None if condition.lower() == "delete" else condition_of(condition)
    own = _resolve(session, found, selector, field_selector)
    errors: list[KctlError] = []
    for target in own:
        try:
            if met is None:
                wait_until_gone(session, target, "", deadline)
            else:
                await_condition(session, target, met, deadline)
        except KctlError as error:
            errors.append(error)
            continue
        session.say(f"{target.title} condition met")
        session.out.flush()
    if not own and met is not None:
        raise KctlError("no matching resources found")
    targets.gather(errors)


def condition_of(text: str) -> Met:
    """The test that `--for` describes; raises KctlError."""
    kind, equals, rest = text.partition("=")
    if equals and rest and kind.lower() == "condition":
        name, _, wanted = rest.partition("=")
        return _condition(name, wanted or "True")
    if equals and rest and kind.lower() == "jsonpath":
        return _jsonpath(rest)
    raise KctlError(f'unrecognized condition: "{text}"')


def await_condition(session: Session, target: Target, met: Met, deadline: watching.Deadline) -> None:
    """Return once the object meets the condition; raises KctlError when it does not in time, or is deleted."""
    try:
        changes = watching.follow(
            session.client, watching.collection_of(target), watching.selectors(name=target.name), deadline
        )
        seen = False
        for change in changes:
            if change.type == watching.DELETED:
                raise StatusError(_not_found(target))
            if change.type == watching.SYNCED and not seen:
                raise StatusError(_not_found(target))
            seen = True
            if change.object and met(change.object):
                return
    except StreamTimeoutError as error:
        raise WaitTimeoutError(f"timed out waiting for the condition on {target.resource.plural}/{target.name}") from error


def _condition(name: str, wanted: str) -> Met:
    def met(obj: Mapping[str, Any]) -> bool:
        for each in (obj.get("status") or {}).get("conditions") or ():
            if str(each.get("type", "")).lower() == name.lower():
                return not _outdated(obj, each) and str(each.get("status", "")).lower() == wanted.lower()
        return False

    return met


def _outdated(obj: Mapping[str, Any], condition: Mapping[str, Any]) -> bool:
    """Whether what the condition says is about an earlier state of the object's spec."""
    generation = (obj.get("metadata") or {}).get("generation") or 0
    observed = int(condition.get("observedGeneration") or (obj.get("status") or {}).get("observedGeneration") or 0)
    return 0 < observed < generation


def _jsonpath(expression: str) -> Met:
    from apimachinery import jsonpath

    path, separator, wanted = expression.partition("}=") if "}" in expression else expression.partition("=")
    if separator == "}=" or (path.startswith("{") and not path.endswith("}")):
        path += "}"
    if separator and not wanted:
        raise KctlError("jsonpath wait has to have a value after equal sign")
    wanted = wanted.strip("'\"")
    try:
        template = jsonpath.parse(jsonpath.relaxed(path.strip("'\"")))
    except jsonpath.JsonPathError as error:
        raise KctlError(str(error)) from error

    def met(obj: Mapping[str, Any]) -> bool:
        values = jsonpath.find(template, obj)
        if not values:
            return False
        if len(values) > 1:
            raise KctlError("given jsonpath expression matches more than one value")
        if isinstance(values[0], dict | list):
            raise KctlError("jsonpath leads to a nested object or list which is not supported")
        return not separator or jsonpath.value_text(values[0]).strip() == wanted.strip()

    return met


def _resolve(session: Session, found: list[Target], selector: str, field_selector: str) -> list[Target]:
    own: list[Target] = []
    for target in found:
        if target.name:
            own.append(target)
            continue
        items = targets.fetch(session.client, target, watching.selectors(selector, field_selector))
        own += [Target(target.resource, item["metadata"]["name"], item["metadata"].get("namespace", "")) for item in items]
    return own


def _await_creation(
    session: Session, found: list[Target], selector: str, field_selector: str, deadline: watching.Deadline
) -> None:
    for target in found:
        query = watching.selectors(selector, field_selector, target.name)
        try:
            for change in watching.follow(session.client, watching.collection_of(target), query, deadline):
                if change.object and change.type != watching.DELETED:
                    session.say(f"{target.resource.label}/{change.object['metadata']['name']} condition met")
                    break
        except StreamTimeoutError as error:
            raise WaitTimeoutError(f"timed out waiting for {target.title} to be created") from error


def _not_found(target: Target) -> dict[str, Any]:
    message = f'{target.resource.qualified} "{target.name}" not found'
    return {"code": 404, "reason": "NotFound", "message": message}
