"""REST paths: from `/apis/apps/v1/namespaces/ns/deployments/web/scale` to the resource, namespace, name and subresource.

A cluster-scoped object asked for through a namespace path, and the other way round for an object by name, is no path at all
(404). Source: the Kubernetes page "API Concepts", section "Resource URIs"."""

from urllib.parse import unquote

import msgspec

from apimachinery import errors
from apimachinery.resources import Resource, ResourceTable

PROXY = "proxy"
CONNECT_SUBRESOURCES = frozenset(("log", "exec", "attach", "portforward", PROXY))


class Target(msgspec.Struct, frozen=True):
    """What a path names; an empty `name` means the collection."""

    resource: Resource
    namespace: str = ""
    name: str = ""
    subresource: str = ""


def parse_path(table: ResourceTable, path: str) -> Target | None:
    """The target of a decoded URL path, None when it names none."""
    parts = path.strip("/").split("/")
    if (place := _proxy_place(parts)) is not None:
        parts = parts[: place + 1]
    match parts:
        case ["api", version, *rest]:
            return _below(table, "", version, rest)
        case ["apis", group, version, *rest]:
            return _below(table, group, version, rest)
        case _:
            return None


def require_subresource(resource: Resource, subresource: str) -> None:
    """Raise 404 for a subresource that the resource does not have."""
    if subresource and subresource not in resource.subresources:
        raise errors.no_such_path()


def proxied_path(path: str, raw_path: str) -> str | None:
    """What stands behind `/proxy`, as it was written: "" or a path with its slash; None when the raw path is another one.

    Only what is passed on is taken from the raw path. What was authorized is the decoded one, so they must not differ before.
    """
    parts, raw = path.strip("/").split("/"), raw_path.lstrip("/").split("/")
    place = _proxy_place(parts)
    if place is None or [unquote(part) for part in raw[: place + 1]] != parts[: place + 1]:
        return None
    rest = raw[place + 1 :]
    return "/" + "/".join(rest) if rest else ""


def _proxy_place(parts: list[str]) -> int | None:
    """Where `proxy` stands in the path of a pod, a service or a node."""
    match parts:
        case ["api", "v1", "namespaces", _, "pods" | "services", _, "proxy", *_]:
            return 6
        case ["api", "v1", "nodes", _, "proxy", *_]:
            return 4
        case _:
            return None


def _below(table: ResourceTable, group: str, version: str, rest: list[str]) -> Target | None:
    if not all(rest):
        return None
    if rest[:1] == ["namespaces"] and len(rest) >= 3:
        scoped = _in_namespace(table, group, version, rest[1], rest[2:])
        if scoped is not None or (group, version) != ("", "v1"):
            return scoped
    if not rest or len(rest) > 3:
        return None
    resource = table.by_plural(group, version, rest[0])
    if resource is None:
        return None
    if resource.namespaced and len(rest) > 1:
        return None
    return _target(resource, "", rest[1:])


def _in_namespace(table: ResourceTable, group: str, version: str, namespace: str, rest: list[str]) -> Target | None:
    resource = table.by_plural(group, version, rest[0])
    if resource is None or not resource.namespaced or len(rest) > 3:
        return None
    return _target(resource, namespace, rest[1:])


def _target(resource: Resource, namespace: str, rest: list[str]) -> Target | None:
    name = rest[0] if rest else ""
    subresource = rest[1] if len(rest) > 1 else ""
    if subresource and subresource not in resource.subresources:
        return None
    return Target(resource, namespace, name, subresource)
