"""The paths of the API and what can be done on them, apart from the version of OpenAPI that tells it.

Each row of the resource table gives its collection (in a namespace, and over all of them), its objects and their subresources.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import msgspec

from apimachinery import kinds
from apimachinery.resources import RETURNED_WHEN_REMOVED, SUBRESOURCES, Resource, Subresource
from apiserver.core.custom import CustomResource
from apiserver.core.patching import CUSTOM_PATCH_TYPES, PATCH_TYPES
from apiserver.openapi.custom import list_name, row_schema_name
from apiserver.openapi.schemas import META, PATCH, schema_name

STATUS = f"{META}.Status"
DELETE_OPTIONS = f"{META}.DeleteOptions"


@dataclass(frozen=True)
class Parameter:
    """One parameter of a path or a query; all of them are optional but those of a path."""

    name: str
    type: str = "string"
    description: str = ""


@dataclass(frozen=True)
class Operation:
    """One method of a path. `body`, `answer`: names of schemas, "" for none; an answer without one is text."""

    method: str
    identifier: str
    action: str
    gvk: tuple[str, str, str]
    tag: str
    parameters: Sequence[Parameter] = ()
    body: str = ""
    body_required: bool = True
    consumes: Sequence[str] = ("application/json", "application/yaml")
    answer: str = ""
    created: bool = False


@dataclass
class Path:
    """A path, its parameters and its operations."""

    path: str
    parameters: Sequence[Parameter] = ()
    operations: list[Operation] = field(default_factory=list)


PRETTY = Parameter("pretty", description="If true, the output is indented.")
_DRY_RUN = Parameter("dryRun", description="All: the change is tried and not kept.")
_MANAGER = Parameter("fieldManager", description="The name under which fields are owned.")
_VALIDATION = Parameter("fieldValidation", description="What unknown and doubled fields lead to: Ignore, Warn or Strict.")
_WRITE = (_DRY_RUN, _MANAGER, _VALIDATION)
_FORCE = Parameter("force", "boolean", "Take over fields that others own (server-side apply).")
_SELECT = (
    Parameter("allowWatchBookmarks", "boolean", "Send bookmarks while watching."),
    Parameter("continue", description="The token of the next page, from the page before it."),
    Parameter("fieldSelector", description="Only objects whose fields match."),
    Parameter("labelSelector", description="Only objects whose labels match."),
    Parameter("limit", "integer", "At most this many objects in a page."),
    Parameter("resourceVersion", description="The version that the answer is based on."),
    Parameter("resourceVersionMatch", description="How resourceVersion is meant: Exact or NotOlderThan."),
    Parameter("sendInitialEvents", "boolean", "Begin a watch with the objects that there are."),
    Parameter("timeoutSeconds", "integer", "How long a list or a watch may last."),
)
_WATCH = Parameter("watch", "boolean", "Send changes as they happen instead of a list.")
_DELETE = (
    _DRY_RUN,
    Parameter("gracePeriodSeconds", "integer", "Seconds until the object is gone; 0 for at once."),
    Parameter("orphanDependents", "boolean", "Deprecated: see propagationPolicy."),
    Parameter("propagationPolicy", description="What becomes of dependents: Orphan, Background or Foreground."),
)
_LOG = (
    Parameter("container"),
    Parameter("follow", "boolean"),
    Parameter("limitBytes", "integer"),
    Parameter("previous", "boolean"),
    Parameter("sinceSeconds", "integer"),
    Parameter("sinceTime"),
    Parameter("tailLines", "integer"),
    Parameter("timestamps", "boolean"),
)
_STREAM = (
    Parameter("command"),
    Parameter("container"),
    Parameter("stderr", "boolean"),
    Parameter("stdin", "boolean"),
    Parameter("stdout", "boolean"),
    Parameter("tty", "boolean"),
)
_OPTIONS = {"log": _LOG, "exec": _STREAM, "attach": _STREAM[1:], "portforward": (Parameter("ports", "integer"),)}

_NAMESPACE = Parameter("namespace", description="The namespace of the object.")
_METHODS = {"get": "get", "update": "put", "patch": "patch", "create": "post", "delete": "delete"}
_WORDS = {"get": "read", "update": "replace", "patch": "patch", "create": "create", "delete": "delete"}


def paths_of(row: Resource) -> Iterator[Path]:
    """All paths of one resource."""
    scope = (_NAMESPACE,) if row.namespaced else ()
    named = (Parameter("name", description=f"The name of the {row.kind}."), *scope)
    collection = row.path("{namespace}" if row.namespaced else "")
    found = [Path(collection, scope, list(_on_collection(row)))]
    if row.namespaced and "list" in row.verbs:
        found.append(Path(row.path(), (), [_list(row, everywhere=True)]))
    found.append(Path(f"{collection}/{{name}}", named, list(_on_object(row))))
    for name in row.subresources:
        operations = list(_on_subresource(row, name, SUBRESOURCES[name]))
        found.append(Path(f"{collection}/{{name}}/{name}", named, operations))
    return (path for path in found if path.operations)


def _on_collection(row: Resource) -> Iterator[Operation]:
    if "list" in row.verbs:
        yield _list(row)
    if "create" in row.verbs:
        name = row_schema_name(row)
        yield _operation(row, "create", _WRITE, body=name, answer=name, created=True)
    if "deletecollection" in row.verbs:
        yield Operation(
            "delete",
            f"delete{_group_name(row)}Collection{_scoped_kind(row)}",
            "deletecollection",
            _gvk(row),
            _tag(row),
            (*_SELECT, *_DELETE),
            body=DELETE_OPTIONS,
            body_required=False,
            answer=STATUS,
        )


def _on_object(row: Resource) -> Iterator[Operation]:
    name = row_schema_name(row)
    for verb in ("get", "update", "patch"):
        if verb in row.verbs:
            yield _reading_or_writing(row, verb, name)
    if "delete" in row.verbs:
        answer = name if row in RETURNED_WHEN_REMOVED else STATUS
        yield _operation(row, "delete", _DELETE, body=DELETE_OPTIONS, body_required=False, answer=answer)


def _on_subresource(row: Resource, name: str, sub: Subresource) -> Iterator[Operation]:
    gvk = sub.gvk(row)
    suffix = name.capitalize()
    if sub.streams:
        for verb in sub.verbs:
            method = _METHODS[verb]
            identifier = f"connect{_group_name(row)}{method.capitalize()}{_scoped_kind(row)}{suffix}"
            if name == "log":
                identifier = f"read{_group_name(row)}{_scoped_kind(row)}Log"
            action = "get" if name == "log" else "connect"
            yield Operation(method, identifier, action, gvk, _tag(row), _OPTIONS.get(name, ()))
        return
    schema = _schema_of_kind(row, sub)
    for verb in sub.verbs:
        if verb == "create":
            yield _operation(row, verb, _WRITE, suffix=suffix, gvk=gvk, body=schema, answer=schema, created=True)
        else:
            yield _reading_or_writing(row, verb, schema, suffix=suffix, gvk=gvk)


def _reading_or_writing(
    row: Resource, verb: str, schema: str, *, suffix: str = "", gvk: tuple[str, str, str] | None = None
) -> Operation:
    match verb:
        case "get":
            version = (Parameter("resourceVersion"),) if not suffix else ()
            return _operation(row, verb, version, suffix=suffix, gvk=gvk, answer=schema)
        case "patch":
            return _operation(
                row, verb, (*_WRITE, _FORCE), suffix=suffix, gvk=gvk, body=PATCH, answer=schema, consumes=_patch_types(row)
            )
        case _:
            return _operation(row, verb, _WRITE, suffix=suffix, gvk=gvk, body=schema, answer=schema)


def _list(row: Resource, *, everywhere: bool = False) -> Operation:
    scope = f"{row.kind}ForAllNamespaces" if everywhere else _scoped_kind(row)
    watch = (_WATCH,) if "watch" in row.verbs else ()
    identifier = f"list{_group_name(row)}{scope}"
    return Operation("get", identifier, "list", _gvk(row), _tag(row), (*_SELECT, *watch), answer=list_name(row))


def _operation(
    row: Resource,
    verb: str,
    parameters: Sequence[Parameter],
    *,
    suffix: str = "",
    gvk: tuple[str, str, str] | None = None,
    **more: object,
) -> Operation:
    method = _METHODS[verb]
    identifier = f"{_WORDS[verb]}{_group_name(row)}{_scoped_kind(row)}{suffix}"
    return Operation(method, identifier, method, gvk or _gvk(row), _tag(row), parameters, **more)  # type: ignore[arg-type]


def _patch_types(row: Resource) -> Sequence[str]:
    return CUSTOM_PATCH_TYPES if isinstance(row, CustomResource) else PATCH_TYPES


def _gvk(row: Resource) -> tuple[str, str, str]:
    return row.group, row.version, row.kind


def _scoped_kind(row: Resource) -> str:
    return f"Namespaced{row.kind}" if row.namespaced else row.kind


def _group_words(row: Resource) -> list[str]:
    return (row.group.removesuffix(".k8s.io") or "core").split(".")


def _group_name(row: Resource) -> str:
    """`CoreV1`, `AppsV1`, `RbacAuthorizationV1`."""
    return "".join(_capital(word) for word in (*_group_words(row), row.version))


def _tag(row: Resource) -> str:
    first, *others = _group_words(row)
    return "".join((first, *map(_capital, others))) + f"_{row.version}"


def _capital(word: str) -> str:
    return word[:1].upper() + word[1:]


def _schema_of_kind(row: Resource, sub: Subresource) -> str:
    found = subresource_class(sub)
    return schema_name(found) if found is not None else row_schema_name(row)


def subresource_class(sub: Subresource) -> type[msgspec.Struct] | None:
    """The class of a subresource that is of another kind than its object."""
    found: type[msgspec.Struct] | None = getattr(kinds, sub.kind, None) if sub.kind else None
    return found
