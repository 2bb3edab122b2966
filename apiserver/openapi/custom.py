"""Schemas of custom resources, as their definitions give them, in the words that each version of OpenAPI has.

OpenAPI 2 knows neither null nor junctors, and its readers (kubectl) refuse what a schema does not name: what may be null, or
anything at all, is left undescribed there. Source: the Kubernetes page on CustomResourceDefinitions, section "Publish
Validation Schema in OpenAPI".
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from apimachinery.resources import Resource
from apiserver.core.custom import CustomResource
from apiserver.openapi.schemas import META, V2, Dialect, Schema, gvk_mark, list_schema_of, schema_name

_API_VERSION_TEXT = "The version of the API that the object is written for."
_KIND_TEXT = "What kind of object this is."
_ONLY_V3 = ("allOf", "anyOf", "oneOf", "not", "default", "nullable", "x-kubernetes-validations", "example", "externalDocs")
_DESCRIBING = ("type", "properties", "items", "additionalProperties", "required")


def row_schema_name(row: Resource) -> str:
    """`com.example.stable.v1.CronTab`; that of its class for a built-in kind."""
    if not isinstance(row, CustomResource):
        return schema_name(row.cls)
    return ".".join((*reversed(row.group.split(".")), row.version, row.kind))


def list_name(row: Resource) -> str:
    return f"{row_schema_name(row).rpartition('.')[0]}.{row.list_named}"


def custom_schemas(row: CustomResource, dialect: Dialect) -> dict[str, Schema]:
    """The schemas of an object and of a list of them, by name."""
    name = row_schema_name(row)
    return {
        name: _whole(row, dialect),
        list_name(row): list_schema_of(name, (row.group, row.version, row.kind), row.list_named, dialect),
    }


def _whole(row: CustomResource, dialect: Dialect) -> Schema:
    schema = _translated(row.schema, dialect)
    if "properties" in schema or not row.node.preserves_unknown:
        given = schema.get("properties", {})
        schema["properties"] = {
            **given,
            "apiVersion": {"type": "string", "description": _API_VERSION_TEXT},
            "kind": {"type": "string", "description": _KIND_TEXT},
            "metadata": _metadata(dialect),
        }
    schema.setdefault("type", "object")
    schema["x-kubernetes-group-version-kind"] = [gvk_mark(row.group, row.version, row.kind)]
    return schema


def _metadata(dialect: Dialect) -> Schema:
    reference = dialect.reference(f"{META}.ObjectMeta")
    return reference if dialect is V2 else {"allOf": [reference]}


def _translated(schema: Mapping[str, Any], dialect: Dialect) -> Schema:
    """A copy in which nothing is shared that is changed later."""
    undescribed = dialect is V2 and (schema.get("nullable") or schema.get("x-kubernetes-preserve-unknown-fields"))
    found: Schema = {}
    for name, value in schema.items():
        if dialect is V2 and (name in _ONLY_V3 or (undescribed and name in _DESCRIBING)):
            continue
        if name == "properties":
            found[name] = {member: _translated(part, dialect) for member, part in value.items()}
        elif name in ("items", "additionalProperties") and isinstance(value, dict):
            found[name] = _translated(value, dialect)
        else:
            found[name] = value
    if schema.get("x-kubernetes-embedded-resource") and "properties" in found:
        found["properties"]["metadata"] = _metadata(dialect)
    return found
