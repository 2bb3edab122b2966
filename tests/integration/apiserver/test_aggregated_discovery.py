"""What the server says of aggregated APIs: discovery in both forms, OpenAPI in both versions."""

from __future__ import annotations

from typing import Any

import pytest
from aiohttp import web

from apimachinery import kinds
from tests.integration.apiserver.test_aggregation import FLUNDERS, NAME, ROOT, Setting, setting, unregistered
from tests.support import extension_server as support

__all__ = ["setting", "unregistered"]


async def test_discovery_in_the_old_form(setting: Setting) -> None:
    _, groups = await setting.get("/apis")
    names = [each["name"] for each in groups["groups"]]
    assert names[:2] == ["apiregistration.k8s.io", "apps"]
    assert names[-1] == support.GROUP  # its priority is the lowest
    version = {"groupVersion": f"{support.GROUP}/v1", "version": "v1"}
    wanted = {"name": support.GROUP, "versions": [version], "preferredVersion": version}
    assert groups["groups"][-1] == wanted
    assert (await setting.get(f"/apis/{support.GROUP}"))[1] == {"kind": "APIGroup", "apiVersion": "v1", **wanted}
    assert {f"/apis/{support.GROUP}", ROOT} <= set((await setting.get("/"))[1]["paths"])
    _, listed = await setting.get(ROOT)
    assert [each["name"] for each in listed["resources"]] == ["flunders", "flunders/status"]


AGGREGATED = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"


async def test_discovery_in_the_aggregated_form(setting: Setting) -> None:
    def version_of(groups: Any) -> Any:
        (found,) = [each for each in groups["items"] if each["metadata"]["name"] == support.GROUP]
        return found["versions"][0]

    version = version_of((await setting.get("/apis", Accept=AGGREGATED))[1])
    assert version["freshness"] == "Current"
    (flunders,) = version["resources"]
    assert (flunders["resource"], flunders["scope"], flunders["shortNames"]) == ("flunders", "Namespaced", ["fl"])
    assert [each["subresource"] for each in flunders["subresources"]] == ["status"]
    await setting.client.delete(kinds.Endpoints, support.SERVICE, "default")
    await setting.reason("EndpointsNotFound")
    stale = await setting.until("/apis", lambda _, groups: version_of(groups)["freshness"] == "Stale", Accept=AGGREGATED)
    assert version_of(stale)["resources"] == version["resources"]
    _, core = await setting.get("/api", Accept=AGGREGATED)
    assert [each["metadata"].get("name") for each in core["items"]] == [None]


async def test_openapi(setting: Setting) -> None:
    place = ROOT.removeprefix("/")
    _, index = await setting.get("/openapi/v3")
    assert index["paths"][place] == {"serverRelativeURL": f"/openapi/v3{ROOT}?hash=ABC"}
    assert "apis/apps/v1" in index["paths"]
    _, document = await setting.get(index["paths"][place]["serverRelativeURL"])
    assert "com.example.wardle.v1.Flunder" in document["components"]["schemas"]
    _, whole = await setting.get("/openapi/v2", Accept="application/json")
    flunder = whole["definitions"]["com.example.wardle.v1.Flunder"]
    assert flunder["properties"]["metadata"] == {"$ref": "#/definitions/io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta_v2"}
    assert "notTheirs" not in str(whole["paths"]["/api/v1/nodes"])
    await setting.client.delete(kinds.APIService, NAME)
    await setting.until(FLUNDERS, lambda status, _: status == 404)
    assert place not in (await setting.get("/openapi/v3"))[1]["paths"]
    _, whole = await setting.get("/openapi/v2", Accept="application/json")
    assert "com.example.wardle.v1.Flunder" not in whole["definitions"]


RUBBISH = (b"?", b'{"paths": {"\xff": {}}}', b"[" * 100_000, b'{"paths": 1}')


@pytest.mark.parametrize("body", RUBBISH, ids=["no JSON", "no UTF-8", "too deep", "another shape"])
async def test_a_server_that_describes_nothing_hides_nobody_else(setting: Setting, body: bytes) -> None:
    setting.extension.answer = lambda request: web.Response(body=body) if request.path.startswith("/openapi") else None
    status, index = await setting.get("/openapi/v3")
    assert (status, ROOT.removeprefix("/") in index["paths"], "apis/apps/v1" in index["paths"]) == (200, False, True)
    status, whole = await setting.get("/openapi/v2", Accept="application/json")
    assert (status, "io.k8s.api.apps.v1.Deployment" in whole["definitions"]) == (200, True)
