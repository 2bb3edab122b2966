"""REST paths: what each names, and what names nothing."""

from dataclasses import dataclass

import pytest

from apimachinery.resources import TABLE
from apiserver.core.paths import parse_path


@dataclass(frozen=True)
class Case:
    id: str
    path: str
    want: tuple[str, str, str, str] | None
    """plural, namespace, name, subresource"""


CASES = (
    Case("collection of all namespaces", "/api/v1/pods", ("pods", "", "", "")),
    Case("collection of a namespace", "/api/v1/namespaces/ns/pods", ("pods", "ns", "", "")),
    Case("object", "/api/v1/namespaces/ns/pods/a", ("pods", "ns", "a", "")),
    Case("subresource", "/api/v1/namespaces/ns/pods/a/log", ("pods", "ns", "a", "log")),
    Case("group", "/apis/apps/v1/namespaces/ns/deployments/web/scale", ("deployments", "ns", "web", "scale")),
    Case("namespaces themselves", "/api/v1/namespaces", ("namespaces", "", "", "")),
    Case("a namespace", "/api/v1/namespaces/pods", ("namespaces", "", "pods", "")),
    Case("a namespace's finalize", "/api/v1/namespaces/ns/finalize", ("namespaces", "", "ns", "finalize")),
    Case("a namespace's status", "/api/v1/namespaces/ns/status", ("namespaces", "", "ns", "status")),
    Case("cluster-scoped", "/api/v1/nodes/n", ("nodes", "", "n", "")),
    Case("cluster-scoped subresource", "/api/v1/nodes/n/status", ("nodes", "", "n", "status")),
    Case("trailing slash", "/api/v1/pods/", ("pods", "", "", "")),
    Case("cluster-scoped through a namespace", "/api/v1/namespaces/ns/nodes/n", None),
    Case("cluster-scoped collection through a namespace", "/api/v1/namespaces/ns/nodes", None),
    Case("namespaced object without a namespace", "/api/v1/pods/a", None),
    Case("unknown resource", "/api/v1/podz", None),
    Case("unknown group", "/apis/none/v1/pods", None),
    Case("unknown version", "/apis/apps/v2/deployments", None),
    Case("core resource in a group", "/apis/apps/v1/pods", None),
    Case("unknown subresource", "/api/v1/namespaces/ns/pods/a/logs", None),
    Case("subresource of another kind", "/api/v1/namespaces/ns/configmaps/a/status", None),
    Case("too deep", "/api/v1/namespaces/ns/pods/a/log/b", None),
    Case("empty part", "/api/v1/namespaces//pods", None),
    Case("no resource", "/api/v1", None),
    Case("something else", "/healthz", None),
    Case("root", "/", None),
)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)
def test_path(case: Case) -> None:
    target = parse_path(TABLE, case.path)
    found = None if target is None else (target.resource.plural, target.namespace, target.name, target.subresource)
    assert found == case.want
    if target is not None:
        assert target.resource.path(target.namespace, target.name, target.subresource) == case.path.rstrip("/")
