"""CustomResourceDefinitions: what defines a kind that is served as if it were built in.

Source: the Kubernetes pages "Extend the Kubernetes API with CustomResourceDefinitions" and "Versions in
CustomResourceDefinitions"; the API reference of CustomResourceDefinition.
"""

import re
from collections.abc import Iterator, Sequence

import msgspec

from apimachinery import names
from apimachinery.custom_rows import is_established
from apimachinery.errors import FieldError
from apimachinery.jsonpath import JsonPathError, parse
from apimachinery.kinds import (
    CustomResourceColumnDefinition,
    CustomResourceConversion,
    CustomResourceDefinition,
    CustomResourceDefinitionNames,
    CustomResourceDefinitionVersion,
    CustomResourceSubresources,
)
from apimachinery.kinds.extensions import SelectableField, WebhookConversion
from apimachinery.names import dns_1035_label
from apiserver.core.backends import url_faults
from apiserver.core.definitions import APPROVED, CLEANUP_FINALIZER, is_approval, is_protected
from apiserver.strategy.base import Strategy
from apiserver.strategy.checks import Errors, named, one_of, port_number, required_name, unchanged, unique
from apiserver.strategy.schemas import validate_schema

SCOPES = ("Cluster", "Namespaced")
CONVERSIONS = ("None", "Webhook")
REVIEW_VERSIONS = ("v1",)
COLUMN_TYPES = ("boolean", "date", "integer", "number", "string")
COLUMN_FORMATS = ("byte", "date", "date-time", "double", "float", "int32", "int64", "password")
SELECTABLE_MAX = 8
WARNING_CHARACTERS_MAX = 256
_SIMPLE_PATH = re.compile(r"(\.[a-zA-Z_][a-zA-Z0-9_-]*)+")
_NOT_SIMPLE = "must be a simple json path in the form of .<name>[.<name>]..."


class CustomResourceDefinitionStrategy(Strategy[CustomResourceDefinition]):
    has_status = True
    has_generation = True

    def default(self, obj: CustomResourceDefinition) -> None:
        given = obj.spec.names
        given.singular = given.singular or given.kind.lower()
        given.list_kind = given.list_kind or (f"{given.kind}List" if given.kind else "")
        obj.spec.conversion = obj.spec.conversion or CustomResourceConversion(strategy="None")
        webhook = obj.spec.conversion.webhook
        if webhook is not None and webhook.client_config is not None and (service := webhook.client_config.service) is not None:
            service.port = 443 if service.port is None else service.port

    def prepare_create(self, obj: CustomResourceDefinition) -> None:
        super().prepare_create(obj)
        obj.status.stored_versions = [each.name for each in obj.spec.versions if each.storage]

    def prepare_update(self, new: CustomResourceDefinition, old: CustomResourceDefinition, subresource: str) -> None:
        super().prepare_update(new, old, subresource)
        if subresource != "status":
            known = {*new.status.stored_versions, *(each.name for each in old.spec.versions if each.storage)}
            added = [each.name for each in new.spec.versions if each.storage and each.name not in known]
            if added:
                new.status = msgspec.structs.replace(new.status, stored_versions=[*new.status.stored_versions, *added])

    def prepare_delete(self, obj: CustomResourceDefinition) -> None:
        """Its objects go first."""
        if CLEANUP_FINALIZER not in obj.metadata.finalizers:
            obj.metadata.finalizers = [*obj.metadata.finalizers, CLEANUP_FINALIZER]

    def check_meta(self, obj: CustomResourceDefinition) -> Errors:
        yield from super().check_meta(obj)
        wanted = f"{obj.spec.names.plural}.{obj.spec.group}"
        if obj.metadata.name != wanted:
            yield FieldError.invalid("metadata.name", obj.metadata.name, 'must be spec.names.plural+"."+spec.group')
        yield from _approval(obj)

    def check(self, obj: CustomResourceDefinition) -> Errors:
        spec = obj.spec
        yield from required_name("spec.group", spec.group, names.dns_1123_subdomain)
        if spec.group and "." not in spec.group:
            yield FieldError.invalid("spec.group", spec.group, "should be a domain with at least one dot")
        yield from one_of("spec.scope", spec.scope, SCOPES)
        if spec.preserve_unknown_fields:
            detail = "cannot set to true, set x-kubernetes-preserve-unknown-fields to true in spec.versions[*].schema instead"
            yield FieldError.invalid("spec.preserveUnknownFields", True, detail)
        yield from _versions(spec.versions)
        yield from validate_names(spec.names, "spec.names")
        yield from _conversion(spec.conversion)

    def check_update(
        self, new: CustomResourceDefinition, old: CustomResourceDefinition, subresource: str
    ) -> Iterator[FieldError]:
        yield from unchanged("spec.group", new.spec.group, old.spec.group)
        yield from unchanged("spec.names.plural", new.spec.names.plural, old.spec.names.plural)
        if is_established(old):
            yield from unchanged("spec.scope", new.spec.scope, old.spec.scope)
            yield from unchanged("spec.names.kind", new.spec.names.kind, old.spec.names.kind)
        yield from _stored_versions(new)

    def check_status_update(self, new: CustomResourceDefinition, old: CustomResourceDefinition) -> Errors:
        if not new.status.stored_versions:
            yield FieldError.invalid("status.storedVersions", [], "must have at least one stored version")
        yield from _stored_versions(new)
        if new.status.accepted_names is not None and (new.status.accepted_names.plural or new.status.accepted_names.kind):
            yield from validate_names(new.status.accepted_names, "status.acceptedNames")

    def warnings(self, obj: CustomResourceDefinition) -> list[str]:
        found = []
        for index, version in enumerate(obj.spec.versions):
            schema = version.schema.open_apiv3_schema if version.schema else None
            if schema is not None and schema.default is not None:
                found.append(
                    f"spec.versions[{index}].schema.openAPIV3Schema.default: a default of the whole object has no effect"
                )
        return found


def validate_names(given: CustomResourceDefinitionNames, path: str) -> Errors:
    """Rules for the names that a kind goes by."""
    yield from required_name(f"{path}.plural", given.plural, dns_1035_label)
    if given.singular:
        yield from named(f"{path}.singular", given.singular, dns_1035_label)
    for field, kind in (("kind", given.kind), ("listKind", given.list_kind)):
        if not kind:
            yield FieldError.required(f"{path}.{field}")
        for problem in dns_1035_label(kind.lower()) if kind else ():
            yield FieldError.invalid(f"{path}.{field}", kind, f"may have mixed case, but should otherwise match: {problem}")
    for index, short in enumerate(given.short_names):
        yield from named(f"{path}.shortNames[{index}]", short, dns_1035_label)
    for index, category in enumerate(given.categories):
        yield from named(f"{path}.categories[{index}]", category, dns_1035_label)
    if given.kind and given.kind == given.list_kind:
        yield FieldError.invalid(f"{path}.listKind", given.list_kind, "kind and listKind may not be the same")


def _approval(obj: CustomResourceDefinition) -> Errors:
    if not is_protected(obj.spec.group):
        return
    path, given = f"metadata.annotations[{APPROVED}]", obj.metadata.annotations.get(APPROVED)
    if not given:
        detail = (
            f'protected groups must have approval annotation "{APPROVED}", '
            "see https://github.com/kubernetes/enhancements/pull/1111"
        )
        yield FieldError.required(path, detail)
    elif not is_approval(given):
        detail = f'protected groups must have approval annotation "{APPROVED}" with either a URL or a reason starting with '
        yield FieldError.invalid(path, given, f'{detail}"unapproved"')


def _versions(versions: Sequence[CustomResourceDefinitionVersion]) -> Errors:
    path = "spec.versions"
    if not versions:
        yield FieldError.required(path, "must have at least one version")
        return
    yield from unique(path, [each.name for each in versions], ".name")
    if sum(each.storage for each in versions) != 1:
        shown = [each.name for each in versions]
        yield FieldError.invalid(path, shown, "must have exactly one version marked as storage version")
    for index, version in enumerate(versions):
        yield from _version(version, f"{path}[{index}]")


def _version(version: CustomResourceDefinitionVersion, path: str) -> Errors:
    yield from required_name(f"{path}.name", version.name, dns_1035_label)
    if version.deprecation_warning is not None:
        yield from _deprecation(version, f"{path}.deprecationWarning")
    schema = version.schema.open_apiv3_schema if version.schema else None
    if schema is None:
        yield FieldError.required(f"{path}.schema.openAPIV3Schema", "schemas are required")
    else:
        yield from validate_schema(schema, f"{path}.schema.openAPIV3Schema")
    for index, column in enumerate(version.additional_printer_columns):
        yield from _column(column, f"{path}.additionalPrinterColumns[{index}]")
    yield from _selectable(version.selectable_fields, f"{path}.selectableFields")
    if version.subresources is not None:
        yield from _subresources(version.subresources, f"{path}.subresources")


def _deprecation(version: CustomResourceDefinitionVersion, path: str) -> Errors:
    text = version.deprecation_warning or ""
    if not version.deprecated:
        yield FieldError.invalid(path, text, "can only be set for deprecated versions")
    if len(text) > WARNING_CHARACTERS_MAX:
        yield FieldError.too_long(path, WARNING_CHARACTERS_MAX)
    if not text:
        yield FieldError.invalid(path, text, "must not be an empty string")
    if not text.isprintable():
        yield FieldError.invalid(path, text, "must only contain printable characters")


def _column(column: CustomResourceColumnDefinition, path: str) -> Errors:
    if not column.name:
        yield FieldError.required(f"{path}.name")
    yield from one_of(f"{path}.type", column.type, COLUMN_TYPES)
    if column.format and column.format not in COLUMN_FORMATS:
        yield FieldError.invalid(f"{path}.format", column.format, f"must be one of {','.join(COLUMN_FORMATS)}")
    if not column.json_path:
        yield FieldError.required(f"{path}.jsonPath")
        return
    try:
        parse(f"{{{column.json_path}}}")
    except JsonPathError as error:
        yield FieldError.invalid(f"{path}.jsonPath", column.json_path, str(error))


def _selectable(fields: Sequence[SelectableField], path: str) -> Errors:
    if len(fields) > SELECTABLE_MAX:
        yield FieldError.too_many(path, len(fields), SELECTABLE_MAX)
    yield from unique(path, [each.json_path for each in fields], ".jsonPath")
    for index, field in enumerate(fields):
        where = f"{path}[{index}].jsonPath"
        if not field.json_path:
            yield FieldError.required(where)
        elif not _SIMPLE_PATH.fullmatch(field.json_path):
            yield FieldError.invalid(where, field.json_path, _NOT_SIMPLE)
        elif field.json_path.startswith(".metadata"):
            yield FieldError.invalid(where, field.json_path, "must not point to fields in metadata")


def _subresources(subresources: CustomResourceSubresources, path: str) -> Errors:
    scale = subresources.scale
    if scale is None:
        return
    path = f"{path}.scale"
    yield from _replicas_path(f"{path}.specReplicasPath", scale.spec_replicas_path, ("spec",))
    yield from _replicas_path(f"{path}.statusReplicasPath", scale.status_replicas_path, ("status",))
    if scale.label_selector_path:
        yield from _replicas_path(f"{path}.labelSelectorPath", scale.label_selector_path, ("spec", "status"))


def _replicas_path(path: str, value: str, below: Sequence[str]) -> Errors:
    if not value:
        yield FieldError.required(path)
    elif not _SIMPLE_PATH.fullmatch(value):
        yield FieldError.invalid(path, value, _NOT_SIMPLE)
    elif not any(value.startswith(f".{each}.") for each in below):
        yield FieldError.invalid(path, value, f"should be a json path under {' or '.join(f'.{each}' for each in below)}")


def _conversion(conversion: CustomResourceConversion | None) -> Errors:
    path = "spec.conversion"
    if conversion is None:
        return
    yield from one_of(f"{path}.strategy", conversion.strategy, CONVERSIONS)
    if conversion.strategy == "Webhook":
        if conversion.webhook is None or conversion.webhook.client_config is None:
            yield FieldError.required(f"{path}.webhook.clientConfig", "required when strategy is set to Webhook")
        if conversion.webhook is not None:
            yield from _webhook(conversion.webhook, f"{path}.webhook")
    elif conversion.webhook is not None:
        yield FieldError.forbidden(f"{path}.webhook", "should not be set when strategy is not set to Webhook")


def _webhook(webhook: WebhookConversion, path: str) -> Errors:
    client = webhook.client_config
    if client is not None:
        where = f"{path}.clientConfig"
        if bool(client.url) == (client.service is not None):
            yield FieldError.required(where, "exactly one of url or service is required")
        for fault in url_faults(client.url) if client.url else ():
            yield FieldError.invalid(f"{where}.url", client.url, fault)
        if client.service is not None:
            for name, value in (("name", client.service.name), ("namespace", client.service.namespace)):
                if not value:
                    yield FieldError.required(f"{where}.service.{name}")
            yield from port_number(f"{where}.service.port", client.service.port)
    versions = webhook.conversion_review_versions
    where = f"{path}.conversionReviewVersions"
    if not versions:
        yield FieldError.required(where)
    elif not any(each in REVIEW_VERSIONS for each in versions):
        yield FieldError.invalid(where, versions, f"must include at least one of {', '.join(REVIEW_VERSIONS)}")
    yield from unique(where, versions)
    for index, version in enumerate(versions):
        yield from named(f"{where}[{index}]", version, dns_1035_label)


def _stored_versions(obj: CustomResourceDefinition) -> Errors:
    defined = {each.name for each in obj.spec.versions}
    for index, name in enumerate(obj.status.stored_versions):
        if name not in defined:
            detail = "missing from spec.versions; "
            detail += f"{name} was previously a storage version, and must remain in spec.versions until a storage migration "
            detail += f"ensures no data remains persisted in {name} and removes {name} from status.storedVersions"
            yield FieldError.invalid(f"status.storedVersions[{index}]", name, detail)
    storage = next((each.name for each in obj.spec.versions if each.storage), "")
    if storage and storage not in obj.status.stored_versions:
        detail = f"must have the storage version {storage}"
        yield FieldError.invalid("status.storedVersions", obj.status.stored_versions, detail)
