"""Which requests admission webhooks are asked about: rules, selectors, conditions, versions, subresources, connections."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from apiclient.client import Client
from apiclient.transport import PodBinding
from apimachinery.errors import ApiError
from apimachinery.kinds import ConfigMap, ObjectMeta
from tests.integration.apiserver.conftest import Rest
from tests.integration.apiserver.test_streams import PODS, Setting, setting
from tests.support.services import one_pod_service
from tests.support.webhook_server import (
    MUTATING,
    VALIDATING,
    Plain,
    WebhookServer,
    allowed,
    configuration,
    labelled,
    patched,
    refused,
    rule,
    webhook_server,
)

__all__ = ["setting"]

MAPS = "/api/v1/namespaces/default/configmaps"
SCALERS = "/apis/autoscaling/{}/namespaces/default/horizontalpodautoscalers"
DEPLOYMENTS = "/apis/apps/v1/namespaces/default/deployments"
MERGE = "application/merge-patch+json"
APPLY = "application/apply-patch+yaml"
POD: Plain = {"metadata": {"name": "p"}, "spec": {"containers": [{"name": "c", "image": "registry.local/busybox:1"}]}}


@pytest.fixture
async def hooks(tmp_path: Path) -> AsyncIterator[WebhookServer]:
    async with webhook_server(tmp_path) as server:
        server.answers["/v"] = lambda asked: allowed()
        yield server


async def register(rest: Rest, path: str, *webhooks: Plain, name: str = "w") -> None:
    answer = await rest("POST", path, configuration(name, *webhooks))
    assert answer.status == 201, answer.body


def named(name: str, **metadata: Any) -> Plain:
    return {"metadata": {"name": name, **metadata}}


@pytest.mark.parametrize(
    ("rules", "asked"),
    [
        ([rule("configmaps", operations=["CREATE"])], ["CREATE configmaps"]),
        ([rule("configmaps", operations=["DELETE", "UPDATE"])], ["UPDATE configmaps", "DELETE configmaps"]),
        ([rule("*", groups=[""], scope="Namespaced")], ["CREATE configmaps", "UPDATE configmaps", "DELETE configmaps"]),
        ([rule("*", scope="Cluster", operations=["CREATE"])], ["CREATE namespaces"]),
        ([rule("*", groups=["apps"])], []),
        ([rule("*", versions=["v2"])], []),
        ([rule("secrets")], []),
        ([rule("configmaps/status", "*/scale")], []),
        ([rule("secrets"), rule("configmaps", operations=["DELETE"])], ["DELETE configmaps"]),
        ([], []),
    ],
    ids=["create", "others", "namespaced", "cluster", "group", "version", "resource", "subresource", "any rule", "none"],
)
async def test_rules(rest: Rest, hooks: WebhookServer, rules: list[Plain], asked: list[str]) -> None:
    webhook = {**hooks.webhook("v.example.com", "/v"), "rules": rules}
    await register(rest, VALIDATING, webhook)
    await rest("POST", MAPS, named("m"))
    await rest("PUT", f"{MAPS}/m", named("m", labels={"a": "b"}))
    await rest("DELETE", f"{MAPS}/m")
    await rest("POST", "/api/v1/namespaces", named("n"))
    assert [f"{each['operation']} {each['resource']['resource']}" for each in hooks.asked("/v")] == asked


async def test_namespace_selectors(rest: Rest, hooks: WebhookServer) -> None:
    """Objects outside of namespaces are always selected, a namespace by its own labels."""
    for name, labels in (("yes", {"hooked": "true"}), ("no", {})):
        await rest("POST", "/api/v1/namespaces", named(name, labels=labels))
    selector = {"matchLabels": {"hooked": "true"}}
    rules = [rule("configmaps", "namespaces", "priorityclasses")]
    await register(rest, VALIDATING, hooks.webhook("v.example.com", "/v", *rules, namespaceSelector=selector))
    for namespace in ("yes", "no"):
        await rest("POST", f"/api/v1/namespaces/{namespace}/configmaps", named(f"in-{namespace}"))
    await rest("POST", "/apis/scheduling.k8s.io/v1/priorityclasses", {**named("cluster"), "value": 1})
    await rest("POST", "/api/v1/namespaces", named("not-hooked"))
    await rest("PATCH", "/api/v1/namespaces/not-hooked", {"metadata": {"labels": {"hooked": "true"}}}, Content_Type=MERGE)
    await rest("DELETE", "/api/v1/namespaces/no")
    assert hooks.asked("/v")[-1]["namespace"] == "not-hooked", "a namespace is in itself"
    asked = [f"{each['operation']} {each['name']}" for each in hooks.asked("/v")]
    assert asked == ["CREATE in-yes", "CREATE cluster", "UPDATE not-hooked"]


async def test_object_selectors_look_at_both_states(rest: Rest, hooks: WebhookServer) -> None:
    selector = {"matchExpressions": [{"key": "hooked", "operator": "Exists"}]}
    await register(rest, VALIDATING, hooks.webhook("v.example.com", "/v", objectSelector=selector))
    await rest("POST", MAPS, named("m"))
    for labels in ({"hooked": "1"}, {}, {"other": "1"}, {"hooked": "2"}):
        await rest("PUT", f"{MAPS}/m", named("m", labels=labels))
    await rest("DELETE", f"{MAPS}/m")
    seen = [(each["operation"], (each["object"] or {}).get("metadata", {}).get("labels")) for each in hooks.asked("/v")]
    assert seen == [("UPDATE", {"hooked": "1"}), ("UPDATE", None), ("UPDATE", {"hooked": "2"}), ("DELETE", None)]


def scaler(version: str, name: str) -> Plain:
    target = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"}
    spec: Plain = {"scaleTargetRef": target, "maxReplicas": 5}
    if version == "v1":
        spec["targetCPUUtilizationPercentage"] = 50
    return {**named(name), "spec": spec}


async def test_equivalent_versions_are_told_of_in_the_version_of_the_rule(rest: Rest, hooks: WebhookServer) -> None:
    v1_only = rule("horizontalpodautoscalers", groups=["autoscaling"], versions=["v1"])
    hooks.answers["/exact"] = lambda asked: allowed()
    hooks.answers["/m"] = lambda asked: patched({"op": "replace", "path": "/spec/targetCPUUtilizationPercentage", "value": 70})
    await register(rest, VALIDATING, hooks.webhook("exact.example.com", "/exact", v1_only, matchPolicy="Exact"))
    assert (await rest("POST", SCALERS.format("v2"), scaler("v2", "a"))).status == 201
    assert hooks.paths() == []
    await register(rest, MUTATING, hooks.webhook("m.example.com", "/m", v1_only))
    cpu = {"type": "Resource", "resource": {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 10}}}
    wanted = scaler("v2", "b")
    wanted["spec"]["metrics"] = [cpu]
    made = await rest("POST", SCALERS.format("v2"), wanted)
    assert made.body["spec"]["metrics"][0]["resource"]["target"]["averageUtilization"] == 70
    (asked,) = hooks.asked("/m")
    assert (asked["kind"]["version"], asked["resource"]["version"]) == ("v1", "v1")
    assert (asked["requestKind"]["version"], asked["requestResource"]["version"]) == ("v2", "v2")
    assert (asked["object"]["apiVersion"], asked["object"]["spec"]["targetCPUUtilizationPercentage"]) == ("autoscaling/v1", 10)
    made = await rest("POST", SCALERS.format("v1"), scaler("v1", "c"))
    assert made.body["spec"]["targetCPUUtilizationPercentage"] == 70
    assert hooks.paths() == ["/m", "/m", "/exact"]


async def test_events_of_both_groups_are_one(rest: Rest, hooks: WebhookServer) -> None:
    await register(rest, VALIDATING, hooks.webhook("v.example.com", "/v", rule("events", groups=["events.k8s.io"])))
    event = {"involvedObject": {"kind": "Pod", "name": "p", "namespace": "default"}, "reason": "Tested"}
    assert (await rest("POST", "/api/v1/namespaces/default/events", {**named("e"), **event})).status == 201
    (asked,) = hooks.asked("/v")
    assert (asked["kind"]["group"], asked["requestKind"]["group"]) == ("events.k8s.io", "")
    assert asked["object"]["regarding"]["name"] == "p"


async def test_match_conditions(rest: Rest, hooks: WebhookServer) -> None:
    conditions = [
        {"name": "not-mine", "expression": "request.userInfo.username != 'nobody'"},
        {"name": "keyed", "expression": "has(object.data) && 'k' in object.data"},
        {"name": "may", "expression": "authorizer.group('').resource('configmaps').check('create').allowed()"},
        {"name": "may-this", "expression": "authorizer.requestResource.check('create').allowed()"},
        {
            "name": "not-all",
            "expression": "!authorizer.serviceAccount('a', 'b').path('/metrics').check('get').allowed()",
        },
    ]
    await register(rest, VALIDATING, hooks.webhook("v.example.com", "/v", matchConditions=conditions))
    await rest("POST", MAPS, {**named("with"), "data": {"k": "v"}})
    await rest("POST", MAPS, {**named("without"), "data": {"l": "v"}})
    assert [each["name"] for each in hooks.asked("/v")] == ["with"]


@pytest.mark.parametrize(("policy", "code"), [("Fail", 403), ("Ignore", 201)])
async def test_conditions_without_a_value_follow_the_failure_policy(
    rest: Rest, hooks: WebhookServer, policy: str, code: int
) -> None:
    conditions = [{"name": "broken", "expression": "object.data.absent == 'x'"}]
    webhook = hooks.webhook("v.example.com", "/v", matchConditions=conditions, failurePolicy=policy)
    await register(rest, VALIDATING, webhook)
    answer = await rest("POST", MAPS, named("m"))
    assert answer.status == code
    assert hooks.paths() == []
    assert code == 201 or 'matchCondition "broken"' in answer.body["message"]


async def test_a_condition_that_does_not_hold_decides_even_beside_one_without_a_value(rest: Rest, hooks: WebhookServer) -> None:
    conditions = [{"name": "broken", "expression": "object.data.absent == 'x'"}, {"name": "no", "expression": "false"}]
    await register(rest, VALIDATING, hooks.webhook("v.example.com", "/v", matchConditions=conditions))
    assert (await rest("POST", MAPS, named("m"))).status == 201
    assert hooks.paths() == []


async def deployment(rest: Rest) -> None:
    template = {"metadata": {"labels": {"app": "web"}}, "spec": POD["spec"]}
    spec = {"replicas": 1, "selector": {"matchLabels": {"app": "web"}}, "template": template}
    assert (await rest("POST", DEPLOYMENTS, {**named("web"), "spec": spec})).status == 201


async def test_scale(rest: Rest, hooks: WebhookServer) -> None:
    await deployment(rest)
    hooks.answers["/m"] = lambda asked: patched({"op": "replace", "path": "/spec/replicas", "value": 3})
    hooks.answers["/v"] = lambda asked: refused("too many") if asked["object"]["spec"]["replicas"] > 3 else allowed("scaled")
    await register(rest, VALIDATING, hooks.webhook("v.example.com", "/v", rule("deployments/scale")))
    scale = {"apiVersion": "autoscaling/v1", "kind": "Scale", "metadata": {"name": "web"}, "spec": {"replicas": 9}}
    path = f"{DEPLOYMENTS}/web/scale"
    for method, body, headers in (
        ("PUT", scale, {}),
        ("PATCH", {"spec": {"replicas": 8}}, {"Content_Type": MERGE}),
        ("PATCH", scale, {"Content_Type": APPLY}),
    ):
        query = "?fieldManager=a&force=true" if headers.get("Content_Type") == APPLY else ""
        answer = await rest(method, path + query, body, **headers)
        assert answer.status == 400
        assert answer.body["message"] == 'admission webhook "v.example.com" denied the request: too many'
    asked = hooks.asked("/v")[0]
    assert asked["kind"] == {"group": "autoscaling", "version": "v1", "kind": "Scale"}
    assert (asked["resource"]["resource"], asked["subResource"], asked["requestSubResource"]) == (
        "deployments",
        "scale",
        "scale",
    )
    assert (asked["operation"], asked["oldObject"]["spec"]["replicas"], asked["object"]["spec"]["replicas"]) == ("UPDATE", 1, 9)
    await register(rest, MUTATING, hooks.webhook("m.example.com", "/m", rule("deployments/scale")))
    answer = await rest("PUT", path, scale)
    assert (answer.status, answer.body["spec"]["replicas"]) == (200, 3)
    assert answer.headers.getall("Warning") == ['299 - "scaled"']
    applied = await rest("PATCH", f"{path}?fieldManager=a&force=true", scale, Content_Type=APPLY)
    assert applied.body["spec"]["replicas"] == 3
    assert (await rest("GET", f"{DEPLOYMENTS}/web")).body["spec"]["replicas"] == 3


async def test_status(rest: Rest, hooks: WebhookServer) -> None:
    await deployment(rest)
    hooks.answers["/m"] = lambda asked: patched({"op": "add", "path": "/spec/replicas", "value": 7})
    await register(rest, MUTATING, hooks.webhook("m.example.com", "/m", rule("*/status")))
    await register(rest, VALIDATING, hooks.webhook("v.example.com", "/v", rule("deployments")))
    answer = await rest("PATCH", f"{DEPLOYMENTS}/web/status", {"status": {"replicas": 1}}, Content_Type=MERGE)
    assert answer.status == 200, answer.body
    assert (answer.body["status"]["replicas"], answer.body["spec"]["replicas"]) == (1, 1), "a status update changes no more"
    (asked,) = hooks.asked("/m")
    assert (asked["kind"]["kind"], asked["subResource"], asked["object"]["status"]["replicas"]) == ("Deployment", "status", 1)
    assert hooks.asked("/v") == []


async def test_parts_of_pods(rest: Rest, hooks: WebhookServer) -> None:
    """Who watches over pods watches over what can be put into them later."""
    amounts = {"limits": {"cpu": "1", "memory": "1Gi"}, "requests": {"cpu": "1", "memory": "1Gi"}}
    await rest("POST", PODS, {**POD, "spec": {"containers": [{"name": "c", "image": "i", "resources": amounts}]}})
    hooks.answers["/v"] = lambda asked: refused("not in here", 403)
    await register(rest, VALIDATING, hooks.webhook("v.example.com", "/v", rule("pods/*", operations=["UPDATE"])))
    shell = {"spec": {"ephemeralContainers": [{"name": "shell", "image": "i"}]}}
    half = {"limits": {"cpu": "500m", "memory": "1Gi"}, "requests": {"cpu": "500m", "memory": "1Gi"}}
    smaller = {"spec": {"containers": [{"name": "c", "resources": half}]}}
    for part, change in (("ephemeralcontainers", shell), ("resize", smaller)):
        answer = await rest("PATCH", f"{PODS}/p/{part}", change, Content_Type="application/strategic-merge-patch+json")
        assert (answer.status, "not in here" in answer.body["message"]) == (403, True), part
        asked = hooks.asked("/v")[-1]
        assert (asked["operation"], asked["subResource"], asked["object"]["kind"]) == ("UPDATE", part, "Pod")
    kept = (await rest("GET", f"{PODS}/p")).body["spec"]
    assert ("ephemeralContainers" in kept, kept["containers"][0]["resources"]) == (False, amounts)


async def test_evictions(rest: Rest, hooks: WebhookServer) -> None:
    await rest("POST", PODS, POD)
    hooks.answers["/v"] = lambda asked: refused("stays", 429)
    hooks.answers["/d"] = lambda asked: refused("not deleted")
    await register(rest, VALIDATING, hooks.webhook("v.example.com", "/v", rule("pods/eviction")), name="a")
    await register(rest, VALIDATING, hooks.webhook("d.example.com", "/d", rule("pods")), name="b")
    eviction = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": "p"}}
    answer = await rest("POST", f"{PODS}/p/eviction", eviction)
    assert (answer.status, answer.body["message"]) == (429, 'admission webhook "v.example.com" denied the request: stays')
    (asked,) = hooks.asked("/v")
    assert asked["kind"] == {"group": "policy", "version": "v1", "kind": "Eviction"}
    assert (asked["operation"], asked["name"], asked["subResource"]) == ("CREATE", "p", "eviction")
    assert asked["object"]["metadata"] == {"name": "p", "namespace": "default"}
    hooks.answers["/v"] = lambda asked: allowed("goes")
    answer = await rest("POST", f"{PODS}/p/eviction", eviction)
    assert (answer.status, answer.headers.getall("Warning")) == (201, ['299 - "goes"'])
    assert hooks.asked("/d") == [], "an eviction is no delete"


async def test_bindings_one_by_one_and_many_at_once(rest: Rest, client: Client, hooks: WebhookServer) -> None:
    for name in ("p", "q", "r"):
        await rest("POST", PODS, {**POD, "metadata": {"name": name}})
    hooks.answers["/v"] = lambda asked: refused("not there") if asked["name"] == "q" else allowed()
    hooks.answers["/m"] = lambda asked: patched({"op": "add", "path": "/metadata/annotations", "value": {"hooked": "yes"}})
    await register(rest, VALIDATING, hooks.webhook("v.example.com", "/v", rule("pods/binding")))
    await register(rest, MUTATING, hooks.webhook("m.example.com", "/m", rule("pods/binding")))
    binding = {"apiVersion": "v1", "kind": "Binding", "metadata": {"name": "p"}, "target": {"kind": "Node", "name": "n1"}}
    assert (await rest("POST", f"{PODS}/p/binding", binding)).status == 201
    results = await client.bind([PodBinding("default", name, "", "n2") for name in ("q", "r")])
    assert [None if each is None else str(each) for each in results] == [
        'admission webhook "v.example.com" denied the request: not there',
        None,
    ]
    assert hooks.asked("/v")[0]["object"]["target"] == {"kind": "Node", "name": "n1"}
    for name, node in (("p", "n1"), ("r", "n2")):
        pod = (await rest("GET", f"{PODS}/{name}")).body
        assert (pod["spec"]["nodeName"], pod["metadata"]["annotations"]) == (node, {"hooked": "yes"})
    assert "nodeName" not in (await rest("GET", f"{PODS}/q")).body["spec"]


async def call(setting: Setting, method: str, path: str, body: Any = None) -> tuple[int, Any]:
    async with setting.session.request(method, setting.server.url + path, json=body) as response:
        return response.status, await response.json(content_type=None)


async def test_a_webhook_behind_a_service(setting: Setting, hooks: WebhookServer) -> None:
    assert hooks.server is not None
    hooks.answers["/v"] = lambda asked: refused("no")
    setting.kubelet.backends = {8443: hooks.server.port}
    await one_pod_service(setting.server, "hook", kubelet_port=0, port=8443, target_port=8443)
    await one_pod_service(setting.server, "empty", kubelet_port=0, port=8443, target_port=8443, ready=False)
    config = {"service": {"namespace": "default", "name": "hook", "path": "/v", "port": 8443}, "caBundle": hooks.bundle}
    webhook = hooks.webhook("v.example.com", "/v", clientConfig=config)
    assert (await call(setting, "POST", VALIDATING, configuration("v", webhook)))[0] == 201
    code, body = await call(setting, "POST", MAPS, named("m"))
    assert (code, body["message"]) == (400, 'admission webhook "v.example.com" denied the request: no')
    for name, sentence in (("empty", 'no endpoints available for service "empty"'), ("absent", 'service "absent" not found')):
        config["service"]["name"] = name  # type: ignore[index]
        assert (await call(setting, "PUT", f"{VALIDATING}/v", configuration("v", webhook)))[0] == 200
        code, body = await call(setting, "POST", MAPS, named("m"))
        url = f"https://{name}.default.svc:8443/v?timeout=10s"
        prefix = 'Internal error occurred: failed calling webhook "v.example.com": failed to call webhook: '
        assert (code, body["message"]) == (500, f'{prefix}Post "{url}": {sentence}')


async def test_connections(setting: Setting, hooks: WebhookServer) -> None:
    hooks.answers["/m"] = lambda asked: patched({"op": "add", "path": "/command", "value": ["true", "indeed"]})
    hooks.answers["/v"] = lambda asked: refused("no shells") if asked["object"].get("stdin") else allowed()
    for path, name, where in ((VALIDATING, "v", "/v"), (MUTATING, "m", "/m")):
        webhook = hooks.webhook(f"{name}.example.com", where, rule("pods/exec", operations=["CONNECT"]))
        assert (await call(setting, "POST", path, configuration(name, webhook)))[0] == 201
    exec_ = f"{setting.server.url}{PODS}/p/exec?container=c0&command=sh"
    with pytest.raises(aiohttp.WSServerHandshakeError) as caught:
        await setting.session.ws_connect(f"{exec_}&stdin=true&stdout=true", protocols=["v4.channel.k8s.io"])
    assert caught.value.status == 400
    async with setting.session.ws_connect(f"{exec_}&stdout=true", protocols=["v4.channel.k8s.io"]) as socket:
        data = [message.data async for message in socket if message.data[1:]]
    assert data[0] == b"\x01true indeed"
    asked = hooks.asked("/m")[1]
    assert (asked["operation"], asked["name"], asked["subResource"]) == ("CONNECT", "p", "exec")
    assert asked["kind"] == {"group": "", "version": "v1", "kind": "PodExecOptions"}
    assert (asked["oldObject"], asked["options"]) == (None, None)
    assert asked["object"] == {
        "kind": "PodExecOptions",
        "apiVersion": "v1",
        "stdout": True,
        "container": "c0",
        "command": ["sh"],
    }


async def test_proxied_requests(setting: Setting, hooks: WebhookServer) -> None:
    hooks.answers["/v"] = lambda asked: refused("not this one", 403)
    webhook = hooks.webhook("v.example.com", "/v", rule("pods/proxy", "pods/portforward"))
    await call(setting, "POST", VALIDATING, configuration("v", webhook))
    assert (await call(setting, "GET", f"{PODS}/p:8080/proxy/secret%2Fpage?x=1"))[0] == 403
    with pytest.raises(aiohttp.WSServerHandshakeError):
        await setting.session.ws_connect(f"{setting.server.url}{PODS}/p/portforward?ports=80", protocols=["v4.channel.k8s.io"])
    proxy, forward = hooks.asked("/v")
    assert (proxy["name"], proxy["object"]) == (
        "p:8080",
        {"kind": "PodProxyOptions", "apiVersion": "v1", "path": "/secret%2Fpage"},
    )
    assert forward["object"] == {"kind": "PodPortForwardOptions", "apiVersion": "v1", "ports": [80]}
    assert setting.kubelet.forwards == []


async def test_logs_are_no_connections(setting: Setting, hooks: WebhookServer) -> None:
    hooks.answers["/v"] = lambda asked: refused("no")
    webhook = hooks.webhook("v.example.com", "/v", rule("*/*", operations=["CONNECT"]))
    await call(setting, "POST", VALIDATING, configuration("v", webhook))
    async with setting.session.get(f"{setting.server.url}{PODS}/p/log") as response:
        assert response.status == 200


async def test_writes_over_grpc_are_asked_about_too(rest: Rest, client: Client, hooks: WebhookServer) -> None:
    hooks.answers["/m"] = labelled("hooked", "yes")
    hooks.answers["/v"] = lambda asked: refused("no") if asked["operation"] == "DELETE" else allowed()
    await register(rest, MUTATING, hooks.webhook("m.example.com", "/m", rule("configmaps", operations=["CREATE"])))
    await register(rest, VALIDATING, hooks.webhook("v.example.com", "/v"))
    made = await client.create(ConfigMap(metadata=ObjectMeta(name="m", namespace="default")))
    assert made.metadata.labels == {"hooked": "yes"}
    with pytest.raises(ApiError, match="denied the request: no"):
        await client.delete(ConfigMap, "m", "default")
