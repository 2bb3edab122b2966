"""The discovery documents of this server and of aggregated ones as one.

Groups and versions stand in the order of their priorities. What an aggregated version holds is taken from the last
APIResourceList of its servers; while they do not answer it is said to be stale, and empty if they never did.
Source: the Kubernetes page "API Concepts", section "API discovery", and the API reference of apidiscovery.k8s.io.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec

from apiserver.core.aggregation.ordering import GroupVersion, Priority, ordered

Plain = dict[str, Any]


class _Listed(msgspec.Struct, rename="camel"):
    """meta/v1.APIResource, as far as it matters here."""

    name: str
    kind: str
    namespaced: bool = False
    singular_name: str = ""
    group: str = ""
    version: str = ""
    verbs: list[str] = []
    short_names: list[str] | None = None
    categories: list[str] | None = None


class _ResourceList(msgspec.Struct):
    """meta/v1.APIResourceList"""

    resources: list[_Listed] | None = None


def group_documents(ranks: Mapping[GroupVersion, Priority]) -> dict[str, Plain]:
    """The old form of /apis and of each /apis/GROUP."""
    groups = [_group(name, versions) for name, versions in ordered(ranks).items() if name]
    found: dict[str, Plain] = {"/apis": {"kind": "APIGroupList", "apiVersion": "v1", "groups": groups}}
    found |= {f"/apis/{each['name']}": {"kind": "APIGroup", "apiVersion": "v1", **each} for each in groups}
    return found


def root_document(own: Plain, aggregated: Iterable[GroupVersion]) -> Plain:
    """All paths that are served."""
    added = {path for group, version in aggregated if group for path in (f"/apis/{group}", f"/apis/{group}/{version}")}
    return {**own, "paths": sorted({*own["paths"], *added})}


def merged_groups(
    own: Plain, ranks: Mapping[GroupVersion, Priority], aggregated: Mapping[GroupVersion, tuple[bytes, bool]]
) -> Plain:
    """An APIGroupDiscoveryList with aggregated versions; of these the APIResourceList is given, and whether it is current."""
    groups = {item["metadata"].get("name", ""): item for item in own["items"]}
    versions = {(name, each["version"]): each for name, item in groups.items() for each in item["versions"]}
    versions |= {key: version_discovery(*key, *given) for key, given in aggregated.items()}
    items = []
    for name, listed in ordered({key: ranks[key] for key in versions if key in ranks}).items():
        metadata = groups[name]["metadata"] if name in groups else {"name": name, "creationTimestamp": None}
        items.append({"metadata": metadata, "versions": [versions[name, version] for version in listed]})
    return {**own, "items": items}


def version_discovery(group: str, version: str, resource_list: bytes, current: bool) -> Plain:
    """An APIVersionDiscovery from an APIResourceList; from what is none, an empty one."""
    try:
        listed = msgspec.json.decode(resource_list, type=_ResourceList).resources or []
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        listed, current = [], False
    below: dict[str, list[_Listed]] = {}
    for each in listed:
        parent, slash, _ = each.name.partition("/")
        if slash:
            below.setdefault(parent, []).append(each)
    resources = [_resource(each, group, version, below.get(each.name, ())) for each in listed if "/" not in each.name]
    return {"version": version, "resources": resources, "freshness": "Current" if current else "Stale"}


def _resource(each: _Listed, group: str, version: str, below: Sequence[_Listed]) -> Plain:
    entry: Plain = {
        "resource": each.name,
        "responseKind": _kind(each, group, version),
        "scope": "Namespaced" if each.namespaced else "Cluster",
        "singularResource": each.singular_name,
        "verbs": each.verbs,
    }
    optional = {"shortNames": each.short_names, "categories": each.categories}
    entry |= {name: value for name, value in optional.items() if value}
    if below:
        entry["subresources"] = [
            {"subresource": sub.name.partition("/")[2], "responseKind": _kind(sub, group, version), "verbs": sub.verbs}
            for sub in below
        ]
    return entry


def _kind(each: _Listed, group: str, version: str) -> Plain:
    own_version = each.version or version
    return {"group": each.group if each.version else each.group or group, "version": own_version, "kind": each.kind}


def _group(name: str, versions: Sequence[str]) -> Plain:
    listed = [{"groupVersion": f"{name}/{version}", "version": version} for version in versions]
    return {"name": name, "versions": listed, "preferredVersion": listed[0]}
