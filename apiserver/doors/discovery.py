"""What the server says about itself: versions, groups, resources. Made once, from the resource table."""

from collections.abc import Mapping
from typing import Any

from apimachinery import codec
from apimachinery.resources import Resource, ResourceTable

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

_SUBRESOURCES: Mapping[str, tuple[str, str, str, tuple[str, ...]]] = {
    "status": ("", "", "", ("get", "patch", "update")),
    "scale": ("autoscaling", "v1", "Scale", ("get", "patch", "update")),
    "binding": ("", "v1", "Binding", ("create",)),
    "eviction": ("policy", "v1", "Eviction", ("create",)),
    "finalize": ("", "", "", ("update",)),
    "log": ("", "", "", ("get",)),
    "exec": ("", "v1", "PodExecOptions", ("create", "get")),
    "attach": ("", "v1", "PodAttachOptions", ("create", "get")),
    "portforward": ("", "v1", "PodPortForwardOptions", ("create", "get")),
    "proxy": ("", "v1", "", ("create", "delete", "get", "patch", "update")),
}


def documents(table: ResourceTable) -> dict[str, bytes]:
    """The JSON documents by path: /version, /api, /api/v1, /apis, /apis/GROUP, /apis/GROUP/VERSION, and / itself."""
    groups = list(dict.fromkeys((row.group, row.version) for row in table.rows))
    named = [_group(name, [version for group, version in groups if group == name]) for name in _names(groups)]
    found: dict[str, Any] = {
        "/version": VERSION,
        "/api": {"kind": "APIVersions", "versions": ["v1"], "serverAddressByClientCIDRs": []},
        "/apis": {"kind": "APIGroupList", "apiVersion": "v1", "groups": named},
    }
    for group in named:
        found[f"/apis/{group['name']}"] = {"kind": "APIGroup", "apiVersion": "v1", **group}
    for group_name, version in groups:
        path = f"/apis/{group_name}/{version}" if group_name else f"/api/{version}"
        found[path] = _resource_list(table, group_name, version)
    found["/"] = {"paths": sorted([*found, "/healthz", "/livez", "/metrics", "/readyz"])}
    return {path: codec.encode(document) for path, document in found.items()}


def _names(groups: list[tuple[str, str]]) -> list[str]:
    return list(dict.fromkeys(name for name, _ in groups if name))


def _group(name: str, versions: list[str]) -> dict[str, Any]:
    listed = [{"groupVersion": f"{name}/{version}", "version": version} for version in versions]
    return {"name": name, "versions": listed, "preferredVersion": listed[0]}


def _resource_list(table: ResourceTable, group: str, version: str) -> dict[str, Any]:
    rows = [row for row in table.rows if (row.group, row.version) == (group, version)]
    resources = [entry for row in rows for entry in (_resource(row), *(_subresource(row, each) for each in row.subresources))]
    group_version = f"{group}/{version}" if group else version
    return {"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": group_version, "resources": resources}


def _resource(row: Resource) -> dict[str, Any]:
    entry: dict[str, Any] = {
        "name": row.plural,
        "singularName": row.singular,
        "namespaced": row.namespaced,
        "kind": row.kind,
        "verbs": list(row.verbs),
    }
    if row.short_names:
        entry["shortNames"] = list(row.short_names)
    if row.categories:
        entry["categories"] = list(row.categories)
    return entry


def _subresource(row: Resource, name: str) -> dict[str, Any]:
    group, version, kind, verbs = _SUBRESOURCES[name]
    entry: dict[str, Any] = {
        "name": f"{row.plural}/{name}",
        "singularName": "",
        "namespaced": row.namespaced,
        "kind": f"{row.kind}ProxyOptions" if name == "proxy" else kind or row.kind,
        "verbs": list(verbs),
    }
    if version:
        entry["version"] = version
        if group:
            entry["group"] = group
    return entry
