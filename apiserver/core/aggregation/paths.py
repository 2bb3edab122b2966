"""What a request for an aggregated API asks for, as authorization sees it, read off its path alone.

The rules are those of all API paths: `namespaces/NS/RESOURCE/NAME/SUBRESOURCE` below the group and version, a leading `watch`
of old clients included. Source: the Kubernetes page "Authorization", section "Determine the Request Verb".
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from urllib.parse import unquote

from apimachinery import errors, fields
from apimachinery.fields import FieldSelectorError
from apiserver.core.access import Question
from apiserver.core.parameters import parse_boolean
from apiserver.core.request import User

_VERBS = {
    "GET": "get",
    "HEAD": "get",
    "OPTIONS": "get",
    "POST": "create",
    "PUT": "update",
    "PATCH": "patch",
    "DELETE": "delete",
}
_ABOUT_MANY = ("list", "watch", "deletecollection")
_NAMESPACE_SUBRESOURCES = ("status", "finalize")
_STREAMING_SUBRESOURCES = ("attach", "exec", "log", "portforward", "proxy")


def group_version_of(path: str) -> tuple[str, str] | None:
    """The group and version that a path is below, `/apis/GROUP/VERSION` and `/api/VERSION`; None for others."""
    parts = path.split("/", 4)
    match parts:
        case ["", "apis", group, version, *_] if group and version:
            return group, version
        case ["", "api", version, *_] if version:
            return "", version
        case _:
            return None


def require_plain(path: str, raw_path: str) -> None:
    """Raise ApiError (400) unless the path as it was sent has the segments that are authorized, and nothing to resolve."""
    parts = path.split("/")
    if [unquote(part) for part in raw_path.split("/")] != parts:
        raise errors.bad_request("the segments of the path may not hold escaped slashes")
    if any(part in ("", ".", "..") for part in parts[1:-1]) or parts[-1] in (".", ".."):
        raise errors.bad_request("the path may not have empty segments, nor . or ..")


def question_of(user: User, method: str, path: str, query: Mapping[str, str]) -> Question:
    """What has to be allowed for a request; raises ApiError (405) for a method that the API does not have."""
    verb = _VERBS.get(method)
    if verb is None:
        raise errors.method_not_allowed(method)
    found = group_version_of(path)
    group, version = found or ("", "")
    rest = path.strip("/").split("/")[3 if group else 2 :]
    if found is None or not rest:
        return Question(user=user, verb=verb, path=path)
    watching = rest[0] == "watch" and len(rest) > 1
    if watching:
        rest = rest[1:]
    namespace = ""
    if rest[0] == "namespaces" and len(rest) > 1:
        namespace = rest[1]
        if len(rest) > 2 and rest[2] not in _NAMESPACE_SUBRESOURCES:
            rest = rest[2:]
    resource, name, subresource, *_ = (*rest, "", "")[: max(3, len(rest))]
    if verb == "get" and not name:
        verb = "watch" if parse_boolean(query.get("watch")) else "list"
    elif verb == "delete" and not name:
        verb = "deletecollection"
    if verb in _ABOUT_MANY and not name:
        name = _selected_name(query.get("fieldSelector", ""))
    return Question(
        user=user,
        verb="watch" if watching else verb,
        group=group,
        version=version,
        resource=resource,
        subresource=subresource,
        namespace=namespace,
        name=name,
    )


def require_single(parameters: Iterable[str]) -> None:
    """Raise ApiError (400) for a parameter that decides what is asked and stands twice: servers differ in which one counts."""
    for name, count in Counter(parameters).items():
        if count > 1 and name in ("watch", "fieldSelector"):
            raise errors.bad_request(f"the parameter {name} may be given once only")


def long_running(question: Question) -> bool:
    """Whether an answer may take for ever to begin or to end: watches and streams."""
    return question.verb == "watch" or question.subresource in _STREAMING_SUBRESOURCES


def _selected_name(selector: str) -> str:
    """The name that a field selector leaves, "" if it leaves several: who may see one object may list it by itself."""
    try:
        requirements = fields.parse(selector).requirements
    except FieldSelectorError:
        return ""
    return next((each.value for each in requirements if each.path == "metadata.name" and not each.negated), "")
