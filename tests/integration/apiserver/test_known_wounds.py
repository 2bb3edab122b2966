"""What hurt other API servers, each by the name it is known by. Those of proxies are in test_proxying and test_aggregation."""

from __future__ import annotations

from typing import Any

import pytest

from apimachinery.resources import TABLE, Resource
from tests.integration.apiserver.conftest import Rest

CLUSTER_SCOPED = [row for row in TABLE.rows if not row.namespaced]


@pytest.mark.parametrize("row", CLUSTER_SCOPED, ids=lambda row: row.qualified)
async def test_cve_2019_11247_a_namespace_is_no_way_to_what_is_in_none(rest: Rest, row: Resource) -> None:
    """Who may do something in a namespace could do it to the whole cluster, by a path that leads through the namespace."""
    root = f"/apis/{row.api_version}" if row.group else f"/api/{row.version}"
    through = f"{root}/namespaces/default/{row.plural}"
    manifest: dict[str, Any] = {"apiVersion": row.api_version, "kind": row.kind, "metadata": {"name": "x"}}
    if row.plural != "namespaces":  # of which there is a path of this form, for a namespace's own subresources
        assert (await rest("GET", through)).status == 404
        assert (await rest("POST", through, manifest)).status == 404
        assert (await rest("DELETE", through)).status == 404
    for method in ("GET", "PUT", "PATCH", "DELETE"):
        body = manifest if method in ("PUT", "PATCH") else None
        answer = await rest(method, f"{through}/x", body, Content_Type="application/merge-patch+json")
        assert (answer.status, answer.body["message"]) == (404, "the server could not find the requested resource")
    for subresource in row.subresources:
        assert (await rest("GET", f"{through}/x/{subresource}")).status == 404
