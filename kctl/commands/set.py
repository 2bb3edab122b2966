"""`kctl set`: single parts of objects, mostly of their pod templates; what has changed is sent as a patch."""

from collections.abc import Callable, Mapping
from typing import Any

import click

from kctl import changing, generators_access, selection, targets, templates
from kctl.errors import KctlError
from kctl.exposing import pairs
from kctl.options import command, group, option, switch
from kctl.selection import NO_NAME, Chosen, Selection
from kctl.session import Session
from kctl.templates import Environment
from kctl.writing import Writing, dry_run_option, output_option, report, writing

Changed = Callable[[Chosen], Mapping[str, Any]]


@group("set")
def set_group() -> None:
    """Set parts of objects: image, env, resources, selector, serviceaccount, subject."""


def _shared(function: Any) -> Any:
    for decorate in (
        click.argument("arguments", nargs=-1, metavar="TYPE NAME | TYPE/NAME ..."),
        option("-f", "--filename", multiple=True, help="Objects that manifests name."),
        switch("-R", "--recursive", help="Read folders within folders too."),
        option("-l", "--selector", default="", help="Choose objects by labels."),
        switch("--all", help="All objects of the type."),
        switch("--local", help="Change the manifests' objects here; ask no server."),
        option("--field-manager", default="kubectl-set", help="The name under which the fields are owned."),
        dry_run_option,
        output_option,
    ):
        function = decorate(function)
    return function


@command("image")
@_shared
def set_image(session: Session, arguments: tuple[str, ...], **common: Any) -> None:
    """Set images: CONTAINER=IMAGE..., where `*` stands for every container."""
    words, settings = templates.split_words(arguments)
    images = templates.parse_images(settings)
    chosen = _choose(session, words, common)
    if not images:
        raise KctlError("at least one image update is required")
    _apply(session, chosen, "image updated", common, _template_change(templates.set_images(images)))


@command("env")
@_shared
@option("-e", "--env", multiple=True, help="KEY=VALUE, as an option.")
@option("--from", "source", default="", help="configmap/NAME or secret/NAME to take the keys of.")
@option("--keys", default="", help="Only these keys of --from, separated by commas.")
@option("--prefix", default="", help="What to put before the names that --from gives.")
@option("-c", "--containers", default="*", help="The containers; `*` may stand for any letters.")
@switch("--overwrite", default=True, help="Change values that are there already.")
@switch("--list", help="Show what the containers have.")
@switch("--resolve", help="With --list: show the values that references lead to.")
def set_env(
    session: Session,
    arguments: tuple[str, ...],
    env: tuple[str, ...],
    source: str,
    keys: str,
    prefix: str,
    containers: str,
    overwrite: bool,
    list: bool,
    resolve: bool,
    **common: Any,
) -> None:
    """Set environment variables: KEY=VALUE sets, KEY- removes."""
    words, settings = templates.split_words(arguments, removal=True)
    if "-" in settings:  # alone it stands for standard input
        settings = [each for each in settings if each != "-"] + _lines(session.read_stdin())
    wanted = templates.parse_environment([*settings, *env])
    if not words and not common["filename"]:
        raise KctlError("one or more resources must be specified as <resource> <name> or <resource>/<name>")
    if source:
        wanted = _with_source(session, wanted, source, prefix, keys)
    chosen = _choose(session, words, common)

    def change(each: Chosen) -> Mapping[str, Any]:
        subject = f"{each.target.resource.plural}/{each.target.name}"
        setting = templates.set_environment(wanted, overwrite=overwrite, pattern=containers, subject=subject)
        changed = _template_change(setting)(each)
        if not templates.matching(templates.pod_spec(changed), containers):
            session.note(
                f'Warning: {each.target.resource.kind}/{each.target.name} does not have any containers matching "{containers}"'
            )
        return changed

    if list:
        for each in chosen:
            _list_environment(session, each, change(each), containers, resolve=resolve)
        return
    _apply(session, chosen, "env updated", common, change)


@command("resources")
@_shared
@option("--limits", default="", help="cpu=200m,memory=512Mi")
@option("--requests", default="", help="cpu=100m,memory=256Mi")
@option("-c", "--containers", default="*", help="The containers; `*` may stand for any letters.")
def set_resources(
    session: Session, arguments: tuple[str, ...], limits: str, requests: str, containers: str, **common: Any
) -> None:
    """Set what containers ask for and may use."""
    chosen = _choose(session, arguments, common)
    if not limits and not requests:
        raise KctlError("you must specify an update to requests or limits (in the form of --requests/--limits)")
    change = templates.set_resources(templates.parse_quantities(limits), templates.parse_quantities(requests), containers)
    _apply(session, chosen, "resource requirements updated", common, _template_change(change))


@command("selector")
@_shared
@option("--resource-version", default="", help="Only when the object has this version.")
def set_selector(session: Session, arguments: tuple[str, ...], resource_version: str, **common: Any) -> None:
    """Set a Service's selector: KEY=VALUE,..."""
    if not arguments or "=" not in arguments[-1]:
        raise KctlError(NO_NAME)
    wanted = pairs(arguments[-1], "the selector")

    def change(each: Chosen) -> Mapping[str, Any]:
        if each.target.resource.kind != "Service":
            raise KctlError("setting a selector is only supported for Services")
        metadata = each.object["metadata"]
        if resource_version and resource_version != metadata.get("resourceVersion"):
            raise KctlError(f"the object has been modified: its resourceVersion is {metadata.get('resourceVersion')}")
        return {**each.object, "spec": {**(each.object.get("spec") or {}), "selector": wanted}}

    chosen = _choose(session, arguments[:-1], common)
    _apply(session, chosen, "selector updated", common, change, silent_when_equal=False)


@command("serviceaccount")
@_shared
def set_service_account(session: Session, arguments: tuple[str, ...], **common: Any) -> None:
    """Set the service account of a pod template: TYPE NAME SERVICE-ACCOUNT."""
    if not arguments:
        raise KctlError("serviceaccount is required")
    chosen = _choose(session, arguments[:-1], common)
    change = templates.set_service_account(arguments[-1])
    _apply(session, chosen, "serviceaccount updated", common, _template_change(change), silent_when_equal=False)


@command("subject")
@_shared
@option("--user", "users", multiple=True, help="A user to add.")
@option("--group", "groups", multiple=True, help="A group to add.")
@option("--serviceaccount", "accounts", multiple=True, help="NAMESPACE:NAME of a ServiceAccount to add.")
def set_subject(
    session: Session,
    arguments: tuple[str, ...],
    users: tuple[str, ...],
    groups: tuple[str, ...],
    accounts: tuple[str, ...],
    **common: Any,
) -> None:
    """Add subjects to a RoleBinding or ClusterRoleBinding."""
    if not (users or groups or accounts):
        raise KctlError("you must specify at least one value of user, group or serviceaccount")
    namespace = "" if common["local"] else session.namespace
    added = generators_access.subjects(users, groups, accounts, namespace)

    def change(each: Chosen) -> Mapping[str, Any]:
        if not each.object["kind"].endswith("RoleBinding"):
            raise KctlError("setting subjects is only supported for RoleBindings and ClusterRoleBindings")
        present = each.object.get("subjects") or []
        return {**each.object, "subjects": [*present, *(subject for subject in added if subject not in present)]}

    _apply(session, _choose(session, arguments, common), "subjects updated", common, change, silent_when_equal=False)


def _choose(session: Session, words: Any, common: Mapping[str, Any]) -> list[Chosen]:
    return selection.choose(
        session,
        Selection(words, common["filename"], common["recursive"], common["selector"], common["all"], common["local"]),
    )


def _template_change(change: templates.Change) -> Changed:
    def changed(each: Chosen) -> Mapping[str, Any]:
        try:
            templates.pod_spec(each.object)
        except KctlError as error:
            raise KctlError(f"{each.target.resource.plural}/{each.target.name} {error}: *v1.{each.object['kind']}") from error
        return templates.changed(each.object, change)

    return changed


def _apply(
    session: Session,
    chosen: list[Chosen],
    verb: str,
    common: Mapping[str, Any],
    change: Changed,
    *,
    silent_when_equal: bool = True,
) -> None:
    dry_run = "client" if common["local"] else common["dry_run"]
    how = writing(dry_run, output=common["output"], field_manager=common["field_manager"])
    errors: list[KctlError] = []
    for each in chosen:
        try:
            result = _write(session, each, change(each), how)
        except KctlError as error:
            errors.append(error)
            continue
        if result is not None:
            report(session, how, result, each.target.title, verb)
        elif not silent_when_equal or how.output:
            report(session, how, each.object, each.target.title, verb)
    targets.gather(errors)


def _write(session: Session, each: Chosen, changed: Mapping[str, Any], how: Writing) -> Mapping[str, Any] | None:
    """The object as it is now; None when nothing was to be done."""
    body, kind = changing.between(each.object, changed)
    if not body:
        return None
    if how.pretending:
        return changed
    result: Mapping[str, Any] = session.client.patch(each.target.path, body, kind, how.query)
    return result


def _with_source(session: Session, wanted: Environment, source: str, prefix: str, keys: str) -> Environment:
    target = targets.one(session, [source], "")
    found = session.client.get(target.path)
    entries = templates.environment_from(found, prefix, [each for each in keys.split(",") if each])
    for entry in entries:
        (reference,) = entry["valueFrom"].values()
        bare = entry["name"].removeprefix(prefix)
        if bare != reference["key"]:
            session.note(f"Warning: key {reference['key']} transferred to {bare}")
    return Environment((*wanted.entries, *entries), wanted.removed)


def _list_environment(session: Session, each: Chosen, changed: Mapping[str, Any], containers: str, *, resolve: bool) -> None:
    for container in templates.matching(templates.pod_spec(changed), containers):
        session.say(f"# {each.target.resource.kind} {each.target.name}, container {container['name']}")
        for entry in container.get("env") or ():
            session.say(_environment_line(session, entry, each.target.namespace, resolve=resolve))


def _environment_line(session: Session, entry: Mapping[str, Any], namespace: str, *, resolve: bool) -> str:
    name, origin = entry["name"], entry.get("valueFrom")
    if not origin:
        return f"{name}={entry.get('value', '')}"
    for field, kind in (("configMapKeyRef", "configmap"), ("secretKeyRef", "secret")):
        reference = origin.get(field)
        if reference:
            if resolve:
                return f"{name}={_value(session, kind, reference, namespace)}"
            return f"# {name} from {kind} {reference.get('name', '')}, key {reference['key']}"
    if origin.get("fieldRef"):
        return f"# {name} from field path {origin['fieldRef'].get('fieldPath', '')}"
    reference = origin.get("resourceFieldRef") or {}
    return f"# {name} from resource {reference.get('resource', '')}"


def _value(session: Session, kind: str, reference: Mapping[str, Any], namespace: str) -> str:
    import base64

    found = session.client.get(f"/api/v1/namespaces/{namespace}/{kind}s/{reference.get('name', '')}")
    data = found.get("data") or {}
    if reference["key"] not in data:
        raise KctlError(f"key {reference['key']} not found in {kind} {reference.get('name', '')}")
    value = str(data[reference["key"]])
    return base64.b64decode(value).decode(errors="replace") if kind == "secret" else value


def _lines(text: str) -> list[str]:
    return [line for line in map(str.strip, text.splitlines()) if line and not line.startswith("#")]


for _command, _names in (
    (set_image, ("image",)),
    (set_env, ("env",)),
    (set_resources, ("resources", "limits")),
    (set_selector, ("selector",)),
    (set_service_account, ("serviceaccount", "sa")),
    (set_subject, ("subject",)),
):
    for _alias in _names:
        set_group.add_command(_command, _alias)
