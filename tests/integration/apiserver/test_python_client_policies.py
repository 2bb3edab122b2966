"""The official Python client puts policies in force: its models there and back, refusals, warnings, changes."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from typing import Any

import pytest
from kubernetes import client
from kubernetes.client import ApiException

from tests.integration.apiserver.test_python_client import api, core, namespace, threaded

__all__ = ["api", "core", "namespace", "threaded"]


@pytest.fixture
def admission(api: client.ApiClient) -> Iterator[client.AdmissionregistrationV1Api]:
    """The client; what it has put in force is gone afterwards."""
    made = client.AdmissionregistrationV1Api(api)
    yield made
    made.delete_collection_validating_admission_policy_binding()
    made.delete_collection_validating_admission_policy()
    made.delete_collection_mutating_admission_policy_binding()
    made.delete_collection_mutating_admission_policy()


def about_config_maps(namespace: str) -> Any:
    rule = client.V1NamedRuleWithOperations(
        api_groups=[""], api_versions=["v1"], operations=["CREATE", "UPDATE"], resources=["configmaps"]
    )
    selector = client.V1LabelSelector(match_labels={"kubernetes.io/metadata.name": namespace})
    return client.V1MatchResources(resource_rules=[rule], namespace_selector=selector)


def config_map(**data: str) -> client.V1ConfigMap:
    return client.V1ConfigMap(metadata=client.V1ObjectMeta(name="m"), data=data)


def test_a_validating_policy(admission: client.AdmissionregistrationV1Api, core: client.CoreV1Api, namespace: str) -> None:
    meta = client.V1ObjectMeta(name=f"p-{uuid.uuid4().hex[:8]}")
    validation = client.V1Validation(expression="object.data.all(k, v, v.size() < 5)", message="too long", reason="Forbidden")
    spec = client.V1ValidatingAdmissionPolicySpec(match_constraints=about_config_maps(namespace), validations=[validation])
    made = admission.create_validating_admission_policy(client.V1ValidatingAdmissionPolicy(metadata=meta, spec=spec))
    assert (made.spec.failure_policy, made.spec.match_constraints.match_policy) == ("Fail", "Equivalent")
    assert made.status.observed_generation == made.metadata.generation == 1
    binding = client.V1ValidatingAdmissionPolicyBindingSpec(policy_name=meta.name, validation_actions=["Deny"])
    admission.create_validating_admission_policy_binding(client.V1ValidatingAdmissionPolicyBinding(metadata=meta, spec=binding))
    assert core.create_namespaced_config_map(namespace, config_map(a="ok")).data == {"a": "ok"}
    with pytest.raises(ApiException) as caught:
        core.patch_namespaced_config_map("m", namespace, {"data": {"a": "too long"}})
    assert (caught.value.status, json.loads(caught.value.body)["reason"]) == (403, "Forbidden")
    assert json.loads(caught.value.body)["message"].endswith("denied request: too long")
    admission.patch_validating_admission_policy_binding(meta.name, {"spec": {"validationActions": ["Warn"]}})
    changed, _, headers = core.patch_namespaced_config_map_with_http_info("m", namespace, {"data": {"a": "too long"}})
    assert changed.data == {"a": "too long"}
    assert "too long" in headers["Warning"]


def test_a_mutating_policy(admission: client.AdmissionregistrationV1Api, core: client.CoreV1Api, namespace: str) -> None:
    meta = client.V1ObjectMeta(name=f"p-{uuid.uuid4().hex[:8]}")
    configuration = client.V1ApplyConfiguration(expression='Object{data: Object.data{b: object.data.a + "!"}}')
    mutation = client.V1Mutation(patch_type="ApplyConfiguration", apply_configuration=configuration)
    spec = client.V1MutatingAdmissionPolicySpec(match_constraints=about_config_maps(namespace), mutations=[mutation])
    made = admission.create_mutating_admission_policy(client.V1MutatingAdmissionPolicy(metadata=meta, spec=spec))
    assert made.spec.reinvocation_policy == "Never"
    binding = client.V1MutatingAdmissionPolicyBindingSpec(policy_name=meta.name)
    admission.create_mutating_admission_policy_binding(client.V1MutatingAdmissionPolicyBinding(metadata=meta, spec=binding))
    assert core.create_namespaced_config_map(namespace, config_map(a="x")).data == {"a": "x", "b": "x!"}
