"""What the server says about its groups, versions and resources, from the resource table: made when first asked for, then
kept until custom resources come or go.

There are two forms. The old one is a document for each step (/api, /apis, /apis/GROUP, /apis/GROUP/VERSION); the aggregated one
(APIGroupDiscoveryList) has everything below /api or /apis in one, for clients that ask for it.
Source: the Kubernetes page "API Concepts", section "API discovery".
"""

from collections.abc import Mapping
from typing import Any

import msgspec

from apimachinery import codec
from apimachinery.resources import SUBRESOURCES, Resource, ResourceTable
from apiserver.core.negotiation import Form
from apiserver.openapi.library import Published, publish

VERSION = {
    "major": "1",
    "minor": "36",
    "gitVersion": "v1.36.0+coxswain",
    "gitCommit": "",
    "gitTreeState": "clean",
    "buildDate": "1970-01-01T00:00:00Z",
    "goVersion": "python",
    "compiler": "cpython",
    "platform": "linux/amd64",
}
_OTHER_PATHS = (
    "/.well-known/openid-configuration",
    "/healthz",
    "/livez",
    "/metrics",
    "/openapi/v2",
    "/openapi/v3",
    "/openid/v1/jwks",
    "/readyz",
)


class Discovery:
    """The documents of one table."""

    def __init__(self, table: ResourceTable) -> None:
        self._table = table
        self._generation = table.generation
        self._documents: Mapping[str, bytes] = {}
        self._aggregated: dict[tuple[str, str], Published] = {}

    def document(self, path: str) -> bytes | None:
        """The old form of a path, None where there is none."""
        self._forget_old()
        if not self._documents:
            self._documents = documents(self._table)
        return self._documents.get(path)

    def aggregated(self, path: str, form: Form) -> Published:
        """All that is below /api or /apis, in apidiscovery.k8s.io of the form's version."""
        self._forget_old()
        found = self._aggregated.get((path, form.version))
        if found is None:
            made = msgspec.json.encode(aggregated(self._table, core=path == "/api", version=form.version))
            found = self._aggregated[path, form.version] = publish(made)
        return found

    def _forget_old(self) -> None:
        if self._generation != self._table.generation:
            self._generation = self._table.generation
            self._documents = {}
            self._aggregated = {}


def documents(table: ResourceTable) -> dict[str, bytes]:
    """The JSON documents by path: /version, /api, /api/v1, /apis, /apis/GROUP, /apis/GROUP/VERSION, and / itself."""
    groups = _group_versions(table)
    named = [_group(name, [version for group, version in groups if group == name]) for name in _names(groups)]
    core = [version for group, version in groups if not group]
    found: dict[str, Any] = {
        "/version": VERSION,
        "/api": {"kind": "APIVersions", "versions": core, "serverAddressByClientCIDRs": []},
        "/apis": {"kind": "APIGroupList", "apiVersion": "v1", "groups": named},
    }
    for group in named:
        found[f"/apis/{group['name']}"] = {"kind": "APIGroup", "apiVersion": "v1", **group}
    for group_name, version in groups:
        path = f"/apis/{group_name}/{version}" if group_name else f"/api/{version}"
        found[path] = _resource_list(table, group_name, version)
    found["/"] = {"paths": sorted([*found, *_OTHER_PATHS])}
    return {path: codec.encode(document) for path, document in found.items()}


def aggregated(table: ResourceTable, *, core: bool, version: str) -> dict[str, Any]:
    """An APIGroupDiscoveryList of the core group, or of all others."""
    groups = _group_versions(table)
    items = [
        {
            "metadata": {"name": name, "creationTimestamp": None} if name else {"creationTimestamp": None},
            "versions": [_version_discovery(table, name, each) for group, each in groups if group == name],
        }
        for name in ([""] if core else _names(groups))
    ]
    return {
        "kind": "APIGroupDiscoveryList",
        "apiVersion": f"apidiscovery.k8s.io/{version}",
        "metadata": {},
        "items": items,
    }


def _group_versions(table: ResourceTable) -> list[tuple[str, str]]:
    return list(dict.fromkeys((row.group, row.version) for row in table.rows))


def _names(groups: list[tuple[str, str]]) -> list[str]:
    return list(dict.fromkeys(name for name, _ in groups if name))


def _group(name: str, versions: list[str]) -> dict[str, Any]:
    listed = [{"groupVersion": f"{name}/{version}", "version": version} for version in versions]
    return {"name": name, "versions": listed, "preferredVersion": listed[0]}


def _rows(table: ResourceTable, group: str, version: str) -> list[Resource]:
    return sorted((row for row in table.rows if (row.group, row.version) == (group, version)), key=lambda row: row.plural)


def _version_discovery(table: ResourceTable, group: str, version: str) -> dict[str, Any]:
    resources = [_resource_discovery(row) for row in _rows(table, group, version)]
    return {"version": version, "resources": resources, "freshness": "Current"}


def _resource_discovery(row: Resource) -> dict[str, Any]:
    entry: dict[str, Any] = {
        "resource": row.plural,
        "responseKind": {"group": row.group, "version": row.version, "kind": row.kind},
        "scope": "Namespaced" if row.namespaced else "Cluster",
        "singularResource": row.singular,
        "verbs": sorted(row.verbs),
        **_names_of(row),
    }
    if row.subresources:
        entry["subresources"] = [_subresource_discovery(row, name) for name in sorted(row.subresources)]
    return entry


def _subresource_discovery(row: Resource, name: str) -> dict[str, Any]:
    sub = SUBRESOURCES[name]
    group, version, kind = sub.gvk(row)
    return {
        "subresource": name,
        "responseKind": {"group": group, "version": version, "kind": kind},
        "verbs": sorted(sub.verbs),
    }


def _resource_list(table: ResourceTable, group: str, version: str) -> dict[str, Any]:
    rows = _rows(table, group, version)
    resources = [
        entry for row in rows for entry in (_resource(row), *(_subresource(row, each) for each in sorted(row.subresources)))
    ]
    group_version = f"{group}/{version}" if group else version
    return {"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": group_version, "resources": resources}


def _resource(row: Resource) -> dict[str, Any]:
    return {
        "name": row.plural,
        "singularName": row.singular,
        "namespaced": row.namespaced,
        "kind": row.kind,
        "verbs": sorted(row.verbs),
        **_names_of(row),
    }


def _names_of(row: Resource) -> dict[str, Any]:
    given = {"shortNames": list(row.short_names), "categories": list(row.categories)}
    return {name: value for name, value in given.items() if value}


def _subresource(row: Resource, name: str) -> dict[str, Any]:
    sub = SUBRESOURCES[name]
    entry: dict[str, Any] = {
        "name": f"{row.plural}/{name}",
        "singularName": "",
        "namespaced": row.namespaced,
        "kind": sub.gvk(row)[2],
        "verbs": sorted(sub.verbs),
    }
    if sub.version:
        entry["version"] = sub.version
        if sub.group:
            entry["group"] = sub.group
    return entry
