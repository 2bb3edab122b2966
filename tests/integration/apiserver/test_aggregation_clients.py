"""Stock clients and an aggregated API: kubectl 1.20, and the official Python client."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from kubernetes import client

from apimachinery import kinds
from tests.integration.apiserver.test_aggregation import NAME, Setting, register, running
from tests.integration.apiserver.test_kubectl import Kubectl, kubectl_for
from tests.support import extension_server as support
from tests.support.typed_client import configured

WAIT_S = 90.0
FLUNDER = {
    "apiVersion": f"{support.GROUP}/v1",
    "kind": "Flunder",
    "metadata": {"name": "a", "labels": {"x": "y"}},
    "bounce": 2,
}


@pytest.fixture
async def setting(tmp_path: Path) -> AsyncIterator[Setting]:
    async with running(tmp_path) as setting, asyncio.timeout(WAIT_S):
        await register(setting)
        yield setting


@pytest.fixture
def kubectl(setting: Setting, tmp_path: Path) -> Kubectl:
    return kubectl_for(setting.server, tmp_path)


async def test_kubectl_works_with_an_aggregated_kind(setting: Setting, kubectl: Kubectl) -> None:
    rows = [line.split() for line in (await kubectl("api-resources")).out.splitlines()]
    assert ["flunders", "fl", f"{support.GROUP}/v1", "true", "Flunder"] in rows
    assert f"{support.GROUP}/v1" in (await kubectl("api-versions")).out.splitlines()
    created = await kubectl("apply", "-f", "-", stdin=json.dumps(FLUNDER))
    assert created.out == "flunder.wardle.example.com/a created\n", created
    assert (await kubectl("get", "fl", "a", "-o", "jsonpath={.bounce}")).out == "2"
    assert (await kubectl("get", "flunders", "-A")).out.splitlines()[1].split()[:2] == ["default", "a"]
    explained = (await kubectl("explain", "flunder.bounce")).out
    assert "FIELD:    bounce <integer>" in explained
    assert "How high it goes." in explained
    refused = await kubectl("apply", "-f", "-", stdin=json.dumps({**FLUNDER, "bounce": "high"}))
    assert (refused.code, 'got "string", expected "integer"' in refused.err) == (1, True), refused
    assert (await kubectl("delete", "flunder", "a")).out == 'flunder.wardle.example.com "a" deleted\n'


async def test_kubectl_sees_what_is_not_available(setting: Setting, kubectl: Kubectl) -> None:
    rows = (await kubectl("get", "apiservices")).out.splitlines()
    assert rows[0].split() == ["NAME", "SERVICE", "AVAILABLE", "AGE"]
    shown = {row.split()[0]: row.split()[1:-1] for row in rows[1:]}
    assert (shown["v1.apps"], shown[NAME]) == (["Local", "True"], ["default/wardle", "True"])
    await setting.client.delete(kinds.Service, support.SERVICE, "default")
    await setting.reason("ServiceNotFound")
    assert "False (ServiceNotFound)" in (await kubectl("get", "apiservice", NAME)).out
    failed = await kubectl("get", "flunders")
    assert (failed.code, failed.err) == (1, "Error from server (ServiceUnavailable): service unavailable\n")
    assert (await kubectl("get", "namespaces")).code == 0
    described = (await kubectl("describe", "apiservice", NAME)).out
    assert 'service/wardle in "default" is not present' in described


async def test_the_python_client(setting: Setting) -> None:
    def use() -> dict[str, Any]:
        with configured(setting.server) as api:
            services = client.ApiregistrationV1Api(api)
            found = services.read_api_service(NAME)
            assert found.spec.service.port == 443
            assert [(each.type, each.status) for each in found.status.conditions] == [("Available", "True")]
            assert {"v1.", "v1.apps", NAME} <= {each.metadata.name for each in services.list_api_service().items}
            assert services.get_api_resources().resources[0].kind == "APIService"
            found.spec.version_priority = 7
            assert services.replace_api_service(NAME, found).spec.version_priority == 7
            custom = client.CustomObjectsApi(api)
            place = (support.GROUP, "v1", "default", "flunders")
            custom.create_namespaced_custom_object(*place, FLUNDER)
            listed: dict[str, Any] = custom.list_namespaced_custom_object(*place)
            services.delete_api_service(NAME)
            return listed

    listed = await asyncio.to_thread(use)
    assert [each["bounce"] for each in listed["items"]] == [2]
    await setting.until(f"{support.ROOT}/flunders", lambda status, _: status == 404)


METRICS = "/apis/metrics.k8s.io/v1beta1"
_USED = {"timestamp": "2026-01-01T00:00:00Z", "window": "30s"}
_ANSWERS: dict[str, Any] = {
    METRICS: {
        "kind": "APIResourceList",
        "apiVersion": "v1",
        "groupVersion": "metrics.k8s.io/v1beta1",
        "resources": [
            {"name": "nodes", "singularName": "", "namespaced": False, "kind": "NodeMetrics", "verbs": ["get", "list"]},
            {"name": "pods", "singularName": "", "namespaced": True, "kind": "PodMetrics", "verbs": ["get", "list"]},
        ],
    },
    f"{METRICS}/nodes": {
        "kind": "NodeMetricsList",
        "apiVersion": "metrics.k8s.io/v1beta1",
        "metadata": {},
        "items": [{"metadata": {"name": "n1"}, **_USED, "usage": {"cpu": "250m", "memory": "512Mi"}}],
    },
    f"{METRICS}/namespaces/default/pods": {
        "kind": "PodMetricsList",
        "apiVersion": "metrics.k8s.io/v1beta1",
        "metadata": {},
        "items": [
            {
                "metadata": {"name": "wardle", "namespace": "default"},
                **_USED,
                "containers": [{"name": "c", "usage": {"cpu": "7m", "memory": "3Mi"}}],
            }
        ],
    },
}


async def test_top_by_a_metrics_server(setting: Setting, kubectl: Kubectl) -> None:
    """metrics.k8s.io is nobody's but its APIService's."""
    assert "Metrics API not available" in (await kubectl("top", "node")).err

    def measured(request: web.BaseRequest) -> web.StreamResponse | None:
        answer = _ANSWERS.get(request.path)
        return None if answer is None else web.json_response(answer)

    setting.extension.answer = measured
    node = await setting.client.get(kinds.Node, "n1")
    node.status.capacity = node.status.allocatable = {"cpu": "1", "memory": "1Gi"}
    await setting.client.update_status(node)
    name = "v1beta1.metrics.k8s.io"
    await setting.client.create(support.api_service(setting.ca, group="metrics.k8s.io", version="v1beta1"))
    await setting.condition(lambda condition: condition["reason"] == "Passed", name)
    await setting.until(f"{METRICS}/nodes", lambda status, _: status == 200)
    nodes = (await kubectl("top", "node", "--no-headers")).out.split()
    assert nodes == ["n1", "250m", "25%", "512Mi", "50%"]
    pods = (await kubectl("top", "pod", "--no-headers")).out.split()
    assert pods == ["wardle", "7m", "3Mi"]
    assert setting.extension.got(f"{METRICS}/nodes")[-1].headers["x-remote-user"] == ["kubernetes-admin"]
