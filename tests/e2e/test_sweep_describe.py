"""The sweep of kubectl 1.20 and kctl: describe, of an object of every kind that is served."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from apimachinery import resources
from apimachinery.resources import Resource
from tests.support.cluster import LocalCluster, Namespace
from tests.support.rest import path_of
from tests.support.served_objects import OBJECTS, named
from tests.support.sweeping import NO_SUCH_VERSION, TOOLS, Tool, of_each
from tests.support.waiting import eventually

NAME = "described"
NOWHERE = {"nodeSelector": {"no": "where"}}
# Nobody runs what these ask for; so they stay as they were made.
MANAGED = {
    resources.PODS: {"spec": {"containers": [{"name": "c", "image": "busybox:1"}], **NOWHERE}},
    resources.REPLICA_SETS: {"spec": {"replicas": 0}},
    resources.DEPLOYMENTS: {"spec": {"replicas": 0}},
}
# A Service named like the others gets Endpoints of that name; an address is named after itself.
NAMES = {
    resources.ENDPOINTS: "described-alone",
    resources.IP_ADDRESSES: "10.96.240.7",
    resources.API_SERVICES: "v1.x.example.com",
    resources.CUSTOM_RESOURCE_DEFINITIONS: "describeds.example.com",
}
# What is served at all depends on these: they must be gone before others look.
FOUND_BY_ALL = (resources.API_SERVICES, resources.CUSTOM_RESOURCE_DEFINITIONS)
# kubectl 1.20 asks for these in versions that Kubernetes 1.25 and later do not serve.
OUTDATED = {resources.POD_DISRUPTION_BUDGETS, resources.CRON_JOBS, resources.ENDPOINT_SLICES}
# kubectl does not say where these are.
WITHOUT_NAMESPACE = {resources.ROLES, resources.ROLE_BINDINGS, resources.DAEMON_SETS}
DESCRIBED = tuple(row for row in resources.TABLE.rows if "get" in row.verbs)


def _ids(row: Resource) -> str:
    return f"{row.plural}.{row.api_version.replace('/', '-')}"


def _merged(plain: Any, more: Any) -> Any:
    if not isinstance(plain, dict) or not isinstance(more, dict):
        return more
    return {**plain, **{key: _merged(plain.get(key), value) for key, value in more.items()}}


@pytest.fixture(scope="module")
def every(
    request: pytest.FixtureRequest, cluster: LocalCluster, show_in_reports: Callable[..., None]
) -> Iterator[dict[Resource, tuple[Namespace, str]]]:
    """An object of every kind: where it is, and its name. Nodes and namespaces are those that are there."""
    samples = dict(OBJECTS)
    made: list[str] = []
    with cluster.namespace("sweep-describe") as namespace:
        show_in_reports(request.node, namespace)
        found = {
            resources.NODES: (namespace, cluster.workers()[0]),
            resources.NAMESPACES: (namespace, namespace.name),
        }
        try:
            for row in DESCRIBED:
                if row in found or row not in samples:
                    continue
                name = NAMES.get(row, f"{NAME}-{row.version}" if row.conversion else NAME)
                body = named(row, _merged(samples[row], MANAGED.get(row, {})), name, namespace.name)
                collection = row.path(namespace.name)
                cluster.rest.create(collection, body)
                if not row.namespaced:
                    made.append(f"{collection}/{name}")
                found[row] = (namespace, name)
            yield found
        finally:
            for path in made:
                cluster.rest.request("DELETE", path)
            for path in (f"{row.path('')}/{NAMES[row]}" for row in FOUND_BY_ALL):
                eventually(lambda path=path: _is_gone(cluster, path))  # type: ignore[misc]


def _is_gone(cluster: LocalCluster, path: str) -> None:
    assert cluster.rest.find(path) is None, f"{path} is still there"


@pytest.mark.parametrize("row", DESCRIBED, ids=_ids)
def test_describe(every: dict[Resource, tuple[Namespace, str]], row: Resource) -> None:
    assert row in every, f"tests/support/served_objects.py has no {row.kind} of {row.api_version}"
    namespace, name = every[row]
    tools = [Tool(program, namespace.cluster, namespace.name) for program in TOOLS]
    word = f"{row.plural}.{row.version}.{row.group}" if row.group else row.plural
    for tool, shown in zip(tools, of_each(tools, "describe", word, name, code=None), strict=True):
        if row in OUTDATED and not tool.is_kctl:
            assert (shown.code, NO_SUCH_VERSION in shown.err) == (1, True), shown
            continue
        assert (shown.code, shown.err) == (0, ""), (tool.name, shown)
        assert re.search(rf"^Name: +{re.escape(name)}$", shown.out, re.MULTILINE), (tool.name, shown.out)
        assert "%!" not in shown.out  # what Go prints for values that do not fit
        if row.namespaced and row not in WITHOUT_NAMESPACE:
            assert re.search(rf"^Namespace: +{namespace.name}$", shown.out, re.MULTILINE), (tool.name, shown.out)


@pytest.mark.parametrize("program", TOOLS)
def test_describe_chooses(every: dict[Resource, tuple[Namespace, str]], program: str) -> None:
    namespace, _ = every[resources.PODS]
    tool = Tool(program, namespace.cluster, namespace.name)
    assert re.findall(r"^Name: +(\S+)$", tool("describe", "cm", "descr").out, re.MULTILINE) == [NAME]
    assert tool("describe", "cm,secret", NAME).out.count(NAME) >= 2
    assert "Events:" in tool("describe", f"pod/{NAME}").out
    assert "Events:" not in tool("describe", f"pod/{NAME}", "--show-events=false").out
    assert tool("describe", "pods", "-l", "no=such").out == ""
    assert tool("describe", "pod", "nobody", code=1).err == 'Error from server (NotFound): pods "nobody" not found\n'
    assert namespace.rest.get(path_of("pods", namespace.name, NAME))["metadata"]["name"] == NAME
