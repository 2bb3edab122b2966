"""Which resources the server has, found by asking it, so that kinds nobody here has a class for work like any other.

Groups are asked for in the server's own order of preference and only until a name is found: `pods` costs one request. Those
that others serve for the server may not answer for a while; what is elsewhere is found all the same.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from kctl.errors import KctlError, StatusError
from kctl.rest import RestClient

SERVER_ERRORS = 500


@dataclass(frozen=True)
class ResourceType:
    """One kind of object as the server lists it."""

    group: str
    version: str
    plural: str
    kind: str
    namespaced: bool = True
    singular: str = ""
    short_names: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()
    verbs: tuple[str, ...] = ()
    subresources: frozenset[str] = field(default_factory=frozenset)

    @property
    def api_version(self) -> str:
        return f"{self.group}/{self.version}" if self.group else self.version

    @property
    def qualified(self) -> str:
        """`pods`, `deployments.apps`."""
        return f"{self.plural}.{self.group}" if self.group else self.plural

    @property
    def label(self) -> str:
        """`pod`, `deployment.apps`: as it stands before a slash and a name."""
        return f"{self.kind.lower()}.{self.group}" if self.group else self.kind.lower()

    def path(self, namespace: str = "", name: str = "", subresource: str = "") -> str:
        root = f"/apis/{self.api_version}" if self.group else f"/api/{self.version}"
        scope = ["namespaces", namespace] if self.namespaced and namespace else []
        return "/".join([root, *scope, *(part for part in (self.plural, name, subresource) if part)])


class Discovery:
    """The server's resources, read group by group and remembered."""

    def __init__(self, client: RestClient) -> None:
        self._client = client
        self._lists: dict[str, tuple[ResourceType, ...]] = {}
        self._group_versions: list[str] | None = None
        self._unanswered: dict[str, StatusError] = {}

    def find(self, text: str) -> ResourceType:
        """The resource that `po`, `pod`, `pods`, `deploy.apps` or `deployments.v1.apps` names; raises KctlError."""
        name, _, rest = text.lower().partition(".")
        for listed in self._each():
            for resource in listed:
                named = name in (resource.plural, resource.singular, resource.kind.lower(), *resource.short_names)
                if named and rest in ("", resource.group, f"{resource.version}.{resource.group}", resource.version):
                    return resource
        unknown = f'the server doesn\'t have a resource type "{text}"'
        raise KctlError(f"{unknown}; {problem}" if (problem := self.unanswered()) else unknown)

    def unanswered(self) -> str:
        """What could not be read so far, in a sentence; "" when everything could."""
        failed = ", ".join(f"{version}: {error}" for version, error in self._unanswered.items())
        return f"unable to retrieve the complete list of server APIs: {failed}" if failed else ""

    def category(self, name: str) -> list[ResourceType]:
        """The members of a category such as `all`, one for each kind."""
        members: dict[tuple[str, str], ResourceType] = {}
        for listed in self._each():
            for resource in listed:
                if name in resource.categories:
                    members.setdefault((resource.group, resource.plural), resource)
        return list(members.values())

    def for_kind(self, api_version: str, kind: str) -> ResourceType:
        """The resource of an object's apiVersion and kind; raises KctlError in kubectl's words when there is none."""
        for resource in self._list(api_version):
            if resource.kind == kind:
                return resource
        raise KctlError(f'no matches for kind "{kind}" in version "{api_version}"\nensure CRDs are installed first')

    def all(self) -> Iterator[ResourceType]:
        """Every resource of every group, in the server's order."""
        for listed in self._each():
            yield from listed

    def preferred(self) -> list[ResourceType]:
        """Every resource of every group, each in the version that the server prefers."""
        first: dict[tuple[str, str], ResourceType] = {}
        for resource in self.all():
            first.setdefault((resource.group, resource.plural), resource)
        return list(first.values())

    def versions(self) -> list[str]:
        """`v1`, and `group/version` for every version of every group."""
        core = self._client.get("/api").get("versions") or []
        return [*map(str, core), *self._groups()]

    def _each(self) -> Iterator[tuple[ResourceType, ...]]:
        yield self._list("v1")
        for api_version in self._groups():
            try:
                yield self._list(api_version)
            except StatusError as error:
                if error.code < SERVER_ERRORS:
                    raise
                self._unanswered[api_version] = error

    def _groups(self) -> list[str]:
        if self._group_versions is None:
            found = self._client.get("/apis").get("groups") or []
            self._group_versions = [version["groupVersion"] for group in found for version in _by_preference(group)]
        return self._group_versions

    def _list(self, api_version: str) -> tuple[ResourceType, ...]:
        if api_version not in self._lists:
            path = f"/apis/{api_version}" if "/" in api_version else f"/api/{api_version}"
            try:
                self._lists[api_version] = parse_resources(self._client.get(path))
            except StatusError as error:
                if not error.not_found:
                    raise
                self._lists[api_version] = ()
        return self._lists[api_version]


def parse_resources(listed: Mapping[str, Any]) -> tuple[ResourceType, ...]:
    """The rows of an APIResourceList; subresources (`pods/log`) are gathered under their parents."""
    group, _, version = str(listed.get("groupVersion", "")).rpartition("/")
    rows = listed.get("resources") or []
    below: dict[str, set[str]] = {}
    for row in rows:
        parent, slash, child = row["name"].partition("/")
        if slash:
            below.setdefault(parent, set()).add(child)
    return tuple(_resource(row, group, version, below) for row in rows if "/" not in row["name"])


def _resource(row: Mapping[str, Any], group: str, version: str, below: Mapping[str, set[str]]) -> ResourceType:
    return ResourceType(
        group=row.get("group") or group,
        version=row.get("version") or version,
        plural=row["name"],
        kind=row["kind"],
        namespaced=bool(row.get("namespaced")),
        singular=row.get("singularName") or row["kind"].lower(),
        short_names=tuple(row.get("shortNames") or ()),
        categories=tuple(row.get("categories") or ()),
        verbs=tuple(row.get("verbs") or ()),
        subresources=frozenset(below.get(row["name"], ())),
    )


def _by_preference(group: Mapping[str, Any]) -> list[dict[str, Any]]:
    preferred = (group.get("preferredVersion") or {}).get("groupVersion")
    return sorted(group.get("versions") or [], key=lambda version: version["groupVersion"] != preferred)
