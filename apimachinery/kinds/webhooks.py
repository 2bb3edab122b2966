"""Configurations of admission webhooks (group admissionregistration.k8s.io/v1)."""

from typing import Annotated

import msgspec

from apimachinery.kinds.base import Base, Int32, Merge, constant, required_list
from apimachinery.kinds.meta import LabelSelector, ObjectMeta
from apimachinery.kinds.object import Object


class MatchCondition(Base):
    """admissionregistration/v1.MatchCondition"""

    expression: str = msgspec.field(default_factory=str)
    name: str = msgspec.field(default_factory=str)


class RuleWithOperations(Base):
    """admissionregistration/v1.RuleWithOperations"""

    api_groups: Annotated[list[str], Merge(list_type="atomic")] = []
    api_versions: Annotated[list[str], Merge(list_type="atomic")] = []
    operations: Annotated[list[str], Merge(list_type="atomic")] = []
    resources: Annotated[list[str], Merge(list_type="atomic")] = []
    scope: str = ""


class ServiceReference(Base):
    """admissionregistration/v1.ServiceReference"""

    name: str = msgspec.field(default_factory=str)
    namespace: str = msgspec.field(default_factory=str)
    path: str = ""
    port: Int32 | None = None


class WebhookClientConfig(Base):
    """admissionregistration/v1.WebhookClientConfig"""

    ca_bundle: str = ""
    service: ServiceReference | None = None
    url: str = ""


class ValidatingWebhook(Base):
    """admissionregistration/v1.ValidatingWebhook"""

    admission_review_versions: Annotated[list[str], Merge(list_type="atomic")] = msgspec.field(default_factory=required_list)
    client_config: WebhookClientConfig = msgspec.field(default_factory=WebhookClientConfig)
    failure_policy: str = ""
    match_conditions: Annotated[
        list[MatchCondition], Merge(patch="merge", merge_key="name", list_type="map", keys=("name",))
    ] = []
    match_policy: str = ""
    name: str = msgspec.field(default_factory=str)
    namespace_selector: LabelSelector | None = None
    object_selector: LabelSelector | None = None
    rules: Annotated[list[RuleWithOperations], Merge(list_type="atomic")] = []
    side_effects: str = msgspec.field(default_factory=str)
    timeout_seconds: Int32 | None = None


class ValidatingWebhookConfiguration(Object):
    """admissionregistration/v1.ValidatingWebhookConfiguration"""

    api_version: str = msgspec.field(name="apiVersion", default_factory=constant("admissionregistration.k8s.io/v1"))
    kind: str = msgspec.field(name="kind", default_factory=constant("ValidatingWebhookConfiguration"))
    metadata: ObjectMeta = msgspec.field(default_factory=ObjectMeta)
    webhooks: Annotated[list[ValidatingWebhook], Merge(patch="merge", merge_key="name", list_type="map", keys=("name",))] = []


class MutatingWebhook(Base):
    """admissionregistration/v1.MutatingWebhook"""

    admission_review_versions: Annotated[list[str], Merge(list_type="atomic")] = msgspec.field(default_factory=required_list)
    client_config: WebhookClientConfig = msgspec.field(default_factory=WebhookClientConfig)
    failure_policy: str = ""
    match_conditions: Annotated[
        list[MatchCondition], Merge(patch="merge", merge_key="name", list_type="map", keys=("name",))
    ] = []
    match_policy: str = ""
    name: str = msgspec.field(default_factory=str)
    namespace_selector: LabelSelector | None = None
    object_selector: LabelSelector | None = None
    reinvocation_policy: str = ""
    rules: Annotated[list[RuleWithOperations], Merge(list_type="atomic")] = []
    side_effects: str = msgspec.field(default_factory=str)
    timeout_seconds: Int32 | None = None


class MutatingWebhookConfiguration(Object):
    """admissionregistration/v1.MutatingWebhookConfiguration"""

    api_version: str = msgspec.field(name="apiVersion", default_factory=constant("admissionregistration.k8s.io/v1"))
    kind: str = msgspec.field(name="kind", default_factory=constant("MutatingWebhookConfiguration"))
    metadata: ObjectMeta = msgspec.field(default_factory=ObjectMeta)
    webhooks: Annotated[list[MutatingWebhook], Merge(patch="merge", merge_key="name", list_type="map", keys=("name",))] = []
