"""The official Python client configures webhooks that answer: its models there and back, changes, refusals, warnings."""

from __future__ import annotations

import asyncio
import json
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from kubernetes import client
from kubernetes.client import ApiException

from tests.integration.apiserver.test_python_client import WAIT_S, api, core, namespace, threaded
from tests.support.threaded_apiserver import Threaded
from tests.support.webhook_server import WebhookServer, allowed, labelled, refused, webhook_server

__all__ = ["api", "core", "namespace", "threaded"]

V1 = client.AdmissionregistrationV1Api


@pytest.fixture
def hooks(threaded: Threaded, tmp_path: Path) -> Iterator[WebhookServer]:
    """Webhooks in the server's loop."""
    serving = webhook_server(tmp_path)

    def run(work: Any) -> Any:
        return asyncio.run_coroutine_threadsafe(work, threaded.loop).result(WAIT_S)

    yield run(serving.__aenter__())
    run(serving.__aexit__(None, None, None))


@pytest.fixture
def admission(api: client.ApiClient) -> Iterator[client.AdmissionregistrationV1Api]:
    """The client; what it has registered is gone afterwards."""
    made = V1(api)
    yield made
    made.delete_collection_validating_webhook_configuration()
    made.delete_collection_mutating_webhook_configuration()


def webhook(model: Any, hooks: WebhookServer, name: str, path: str, namespace: str, **fields: Any) -> Any:
    """A webhook for the ConfigMaps of one namespace."""
    return model(
        name=name,
        client_config=client.AdmissionregistrationV1WebhookClientConfig(url=hooks.url(path), ca_bundle=hooks.bundle),
        rules=[
            client.V1RuleWithOperations(
                api_groups=[""], api_versions=["v1"], operations=["CREATE", "UPDATE"], resources=["configmaps"]
            )
        ],
        namespace_selector=client.V1LabelSelector(match_labels={"kubernetes.io/metadata.name": namespace}),
        side_effects="None",
        admission_review_versions=["v1"],
        **fields,
    )


def named(name: str) -> client.V1ObjectMeta:
    return client.V1ObjectMeta(name=name)


def test_webhooks_change_and_refuse(
    admission: client.AdmissionregistrationV1Api, core: client.CoreV1Api, hooks: WebhookServer, namespace: str
) -> None:
    hooks.answers["/m"] = labelled("hooked", "yes")
    hooks.answers["/v"] = lambda asked: refused("no", 403, reason="Forbidden") if asked["name"] == "bad" else allowed("mind")
    name = f"w-{uuid.uuid4().hex[:8]}"
    mutating = webhook(client.V1MutatingWebhook, hooks, "m.example.com", "/m", namespace, reinvocation_policy="IfNeeded")
    made = admission.create_mutating_webhook_configuration(
        client.V1MutatingWebhookConfiguration(metadata=named(name), webhooks=[mutating])
    )
    found = made.webhooks[0]
    assert (found.failure_policy, found.match_policy, found.timeout_seconds) == ("Fail", "Equivalent", 10)
    assert (found.reinvocation_policy, found.rules[0].scope, found.client_config.url) == ("IfNeeded", "*", hooks.url("/m"))
    validating = webhook(client.V1ValidatingWebhook, hooks, "v.example.com", "/v", namespace)
    admission.create_validating_webhook_configuration(
        client.V1ValidatingWebhookConfiguration(metadata=named(name), webhooks=[validating])
    )
    good, _, headers = core.create_namespaced_config_map_with_http_info(namespace, client.V1ConfigMap(metadata=named("good")))
    assert good.metadata.labels == {"hooked": "yes"}
    assert headers["Warning"] == '299 - "mind"'
    with pytest.raises(ApiException) as caught:
        core.create_namespaced_config_map(namespace, client.V1ConfigMap(metadata=named("bad")))
    status = json.loads(caught.value.body)
    assert (caught.value.status, status["reason"]) == (403, "Forbidden")
    assert status["message"] == 'admission webhook "v.example.com" denied the request: no'


def test_configurations_are_changed_and_take_effect(
    admission: client.AdmissionregistrationV1Api, core: client.CoreV1Api, hooks: WebhookServer, namespace: str
) -> None:
    hooks.answers["/v"] = lambda asked: refused("no")
    name = f"w-{uuid.uuid4().hex[:8]}"
    validating = webhook(client.V1ValidatingWebhook, hooks, "v.example.com", "/v", namespace)
    made = admission.create_validating_webhook_configuration(
        client.V1ValidatingWebhookConfiguration(metadata=named(name), webhooks=[validating])
    )
    assert made.metadata.generation == 1
    with pytest.raises(ApiException):
        core.create_namespaced_config_map(namespace, client.V1ConfigMap(metadata=named("m")))
    patch = {"webhooks": [{"name": "v.example.com", "objectSelector": {"matchLabels": {"judged": "yes"}}}]}
    patched = admission.patch_validating_webhook_configuration(name, patch)
    assert (len(patched.webhooks), patched.metadata.generation) == (1, 2)
    assert patched.webhooks[0].rules == made.webhooks[0].rules
    core.create_namespaced_config_map(namespace, client.V1ConfigMap(metadata=named("m")))
    patched.webhooks[0].object_selector = client.V1LabelSelector()
    replaced = admission.replace_validating_webhook_configuration(name, patched)
    with pytest.raises(ApiException):
        core.patch_namespaced_config_map("m", namespace, {"data": {"k": "v"}})
    listed = admission.list_validating_webhook_configuration(field_selector=f"metadata.name={name}")
    assert [each.metadata.uid for each in listed.items] == [replaced.metadata.uid]
    admission.delete_validating_webhook_configuration(name)
    core.patch_namespaced_config_map("m", namespace, {"data": {"k": "v"}})


def test_what_is_wrong_is_told_by_field(admission: client.AdmissionregistrationV1Api, hooks: WebhookServer) -> None:
    wrong = webhook(client.V1ValidatingWebhook, hooks, "short", "/v", "default", timeout_seconds=60)
    wrong.match_conditions = [client.V1MatchCondition(name="broken", expression="object.")]
    body = client.V1ValidatingWebhookConfiguration(metadata=named("wrong"), webhooks=[wrong])
    with pytest.raises(ApiException) as caught:
        admission.create_validating_webhook_configuration(body)
    causes = json.loads(caught.value.body)["details"]["causes"]
    assert caught.value.status == 422
    assert {cause["field"] for cause in causes} == {
        "webhooks[0].name",
        "webhooks[0].timeoutSeconds",
        "webhooks[0].matchConditions[0].expression",
    }
