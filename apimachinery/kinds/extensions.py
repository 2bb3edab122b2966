"""Definitions of custom resources (group apiextensions.k8s.io/v1)."""

from __future__ import annotations

from typing import Annotated

import msgspec

from apimachinery.kinds.base import Base, FreeForm, Int32, Int64, Merge, Time, constant, required_list
from apimachinery.kinds.meta import ObjectMeta
from apimachinery.kinds.object import Object


class ExternalDocumentation(Base):
    """apiextensions/v1.ExternalDocumentation"""

    description: str = ""
    url: str = ""


class ValidationRule(Base):
    """apiextensions/v1.ValidationRule

    One rule, in CEL, that values of a schema must keep.
    """

    field_path: str = ""
    message: str = ""
    message_expression: str = ""
    optional_old_self: bool | None = None
    reason: str = ""
    rule: str = msgspec.field(default_factory=str)


class JSONSchemaProps(Base):
    """apiextensions/v1.JSONSchemaProps

    The schema of a value: OpenAPI v3 with Kubernetes' extensions.
    """

    ref: str = msgspec.field(name="$ref", default="")
    schema: str = msgspec.field(name="$schema", default="")
    additional_items: JSONSchemaProps | bool | None = None
    additional_properties: JSONSchemaProps | bool | None = None
    all_of: Annotated[list[JSONSchemaProps], Merge(list_type="atomic")] = []
    any_of: Annotated[list[JSONSchemaProps], Merge(list_type="atomic")] = []
    default: FreeForm | None = None
    definitions: dict[str, JSONSchemaProps] = {}
    dependencies: dict[str, JSONSchemaProps | list[str]] = {}
    description: str = ""
    enum: Annotated[list[FreeForm], Merge(list_type="atomic")] = []
    example: FreeForm | None = None
    exclusive_maximum: bool | None = None
    exclusive_minimum: bool | None = None
    external_docs: ExternalDocumentation | None = None
    format: str = ""
    id: str = ""
    items: JSONSchemaProps | list[JSONSchemaProps] | None = None
    max_items: Int64 | None = None
    max_length: Int64 | None = None
    max_properties: Int64 | None = None
    maximum: float | None = None
    min_items: Int64 | None = None
    min_length: Int64 | None = None
    min_properties: Int64 | None = None
    minimum: float | None = None
    multiple_of: float | None = None
    not_: JSONSchemaProps | None = msgspec.field(name="not", default=None)
    nullable: bool | None = None
    one_of: Annotated[list[JSONSchemaProps], Merge(list_type="atomic")] = []
    pattern: str = ""
    pattern_properties: dict[str, JSONSchemaProps] = {}
    properties: dict[str, JSONSchemaProps] = {}
    required: Annotated[list[str], Merge(list_type="atomic")] = []
    title: str = ""
    type: str = ""
    unique_items: bool | None = None
    x_kubernetes_embedded_resource: bool | None = msgspec.field(name="x-kubernetes-embedded-resource", default=None)
    x_kubernetes_int_or_string: bool | None = msgspec.field(name="x-kubernetes-int-or-string", default=None)
    x_kubernetes_list_map_keys: Annotated[list[str], Merge(list_type="atomic")] = msgspec.field(
        name="x-kubernetes-list-map-keys", default_factory=list
    )
    x_kubernetes_list_type: str = msgspec.field(name="x-kubernetes-list-type", default="")
    x_kubernetes_map_type: str = msgspec.field(name="x-kubernetes-map-type", default="")
    x_kubernetes_preserve_unknown_fields: bool | None = msgspec.field(name="x-kubernetes-preserve-unknown-fields", default=None)
    x_kubernetes_validations: Annotated[
        list[ValidationRule], Merge(patch="merge", merge_key="rule", list_type="map", keys=("rule",))
    ] = msgspec.field(name="x-kubernetes-validations", default_factory=list)


class CustomResourceValidation(Base):
    """apiextensions/v1.CustomResourceValidation"""

    open_apiv3_schema: JSONSchemaProps | None = msgspec.field(name="openAPIV3Schema", default=None)


class CustomResourceColumnDefinition(Base):
    """apiextensions/v1.CustomResourceColumnDefinition

    One column of the table that is printed of custom resources.
    """

    description: str = ""
    format: str = ""
    json_path: str = msgspec.field(name="jsonPath", default_factory=str)
    name: str = msgspec.field(default_factory=str)
    priority: Int32 | None = None
    type: str = msgspec.field(default_factory=str)


class SelectableField(Base):
    """apiextensions/v1.SelectableField"""

    json_path: str = msgspec.field(name="jsonPath", default_factory=str)


class CustomResourceSubresourceScale(Base):
    """apiextensions/v1.CustomResourceSubresourceScale

    Where in a custom resource its numbers of replicas are.
    """

    label_selector_path: str = ""
    spec_replicas_path: str = msgspec.field(name="specReplicasPath", default_factory=str)
    status_replicas_path: str = msgspec.field(name="statusReplicasPath", default_factory=str)


class CustomResourceSubresources(Base):
    """apiextensions/v1.CustomResourceSubresources

    `status` is there or not; nothing stands in it.
    """

    scale: CustomResourceSubresourceScale | None = None
    status: FreeForm | None = None


class CustomResourceDefinitionVersion(Base):
    """apiextensions/v1.CustomResourceDefinitionVersion"""

    additional_printer_columns: Annotated[list[CustomResourceColumnDefinition], Merge(list_type="atomic")] = []
    deprecated: bool | None = None
    deprecation_warning: str | None = None
    name: str = msgspec.field(default_factory=str)
    schema: CustomResourceValidation | None = None
    selectable_fields: Annotated[list[SelectableField], Merge(list_type="atomic")] = []
    served: bool = msgspec.field(default_factory=bool)
    storage: bool = msgspec.field(default_factory=bool)
    subresources: CustomResourceSubresources | None = None


class CustomResourceDefinitionNames(Base):
    """apiextensions/v1.CustomResourceDefinitionNames"""

    categories: Annotated[list[str], Merge(list_type="atomic")] = []
    kind: str = msgspec.field(default_factory=str)
    list_kind: str = ""
    plural: str = msgspec.field(default_factory=str)
    short_names: Annotated[list[str], Merge(list_type="atomic")] = []
    singular: str = ""


class ServiceReference(Base):
    """apiextensions/v1.ServiceReference"""

    name: str = msgspec.field(default_factory=str)
    namespace: str = msgspec.field(default_factory=str)
    path: str = ""
    port: Int32 | None = None


class WebhookClientConfig(Base):
    """apiextensions/v1.WebhookClientConfig"""

    ca_bundle: str = ""
    service: ServiceReference | None = None
    url: str = ""


class WebhookConversion(Base):
    """apiextensions/v1.WebhookConversion"""

    client_config: WebhookClientConfig | None = None
    conversion_review_versions: Annotated[list[str], Merge(list_type="atomic")] = msgspec.field(default_factory=required_list)


class CustomResourceConversion(Base):
    """apiextensions/v1.CustomResourceConversion"""

    strategy: str = msgspec.field(default_factory=str)
    webhook: WebhookConversion | None = None


class CustomResourceDefinitionSpec(Base):
    """apiextensions/v1.CustomResourceDefinitionSpec"""

    conversion: CustomResourceConversion | None = None
    group: str = msgspec.field(default_factory=str)
    names: CustomResourceDefinitionNames = msgspec.field(default_factory=CustomResourceDefinitionNames)
    preserve_unknown_fields: bool | None = None
    scope: str = msgspec.field(default_factory=str)
    versions: Annotated[list[CustomResourceDefinitionVersion], Merge(list_type="atomic")] = msgspec.field(
        default_factory=required_list
    )


class CustomResourceDefinitionCondition(Base):
    """apiextensions/v1.CustomResourceDefinitionCondition"""

    last_transition_time: Time | None = None
    message: str = ""
    observed_generation: Int64 | None = None
    reason: str = ""
    status: str = msgspec.field(default_factory=str)
    type: str = msgspec.field(default_factory=str)


class CustomResourceDefinitionStatus(Base):
    """apiextensions/v1.CustomResourceDefinitionStatus"""

    accepted_names: CustomResourceDefinitionNames | None = None
    conditions: Annotated[list[CustomResourceDefinitionCondition], Merge(list_type="map", keys=("type",))] = []
    observed_generation: Int64 | None = None
    stored_versions: Annotated[list[str], Merge(list_type="atomic")] = []


class CustomResourceDefinition(Object):
    """apiextensions/v1.CustomResourceDefinition

    A kind that is served as if it were built in, by its schema.
    """

    api_version: str = msgspec.field(name="apiVersion", default_factory=constant("apiextensions.k8s.io/v1"))
    kind: str = msgspec.field(name="kind", default_factory=constant("CustomResourceDefinition"))
    metadata: ObjectMeta = msgspec.field(default_factory=ObjectMeta)
    spec: CustomResourceDefinitionSpec = msgspec.field(default_factory=CustomResourceDefinitionSpec)
    status: CustomResourceDefinitionStatus = msgspec.field(default_factory=CustomResourceDefinitionStatus)
