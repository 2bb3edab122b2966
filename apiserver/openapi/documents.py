"""Whole OpenAPI documents, as plain data: version 2 for all of the API, version 3 for each group version."""

from collections.abc import Iterable, Sequence
from typing import Any

import msgspec

from apimachinery import kinds
from apimachinery.resources import SUBRESOURCES, Resource
from apiserver.core.custom import CustomResource
from apiserver.openapi.custom import custom_schemas, list_name
from apiserver.openapi.operations import PRETTY, Operation, Parameter, Path, paths_of, subresource_class
from apiserver.openapi.schemas import V2, V3, Dialect, Schema, definitions, gvk_mark, list_schema

Document = dict[str, Any]

TITLE = "Coxswain"
_JSON = "application/json"
_PRODUCES = (_JSON,)


def openapi_v2(rows: Sequence[Resource], version: str) -> Document:
    """The Swagger document of every group and version."""
    paths = [path for row in rows for path in paths_of(row)]
    return {
        "swagger": "2.0",
        "info": {"title": TITLE, "version": version},
        "paths": {path.path: _path_v2(path) for path in sorted(paths, key=lambda each: each.path)},
        "definitions": _schemas(rows, V2),
    }


def openapi_v3(rows: Sequence[Resource], version: str) -> Document:
    """The document of one group version, which has these rows."""
    paths = [path for row in rows for path in paths_of(row)]
    return {
        "openapi": "3.0.0",
        "info": {"title": TITLE, "version": version},
        "paths": {path.path: _path_v3(path) for path in sorted(paths, key=lambda each: each.path)},
        "components": {"schemas": _schemas(rows, V3)},
    }


def group_versions(rows: Iterable[Resource]) -> dict[str, list[Resource]]:
    """The rows of each group version, by its path below the server: `api/v1`, `apis/apps/v1`."""
    found: dict[str, list[Resource]] = {}
    for row in rows:
        found.setdefault(f"apis/{row.api_version}" if row.group else f"api/{row.version}", []).append(row)
    return found


def _schemas(rows: Iterable[Resource], dialect: Dialect) -> dict[str, Schema]:
    rows = list(rows)
    built_in = [row for row in rows if not isinstance(row, CustomResource)]
    classes: list[type[msgspec.Struct]] = [row.cls for row in built_in]
    classes += [
        cls
        for name in sorted({name for row in rows for name in row.subresources})
        if (cls := subresource_class(SUBRESOURCES[name])) is not None
    ]
    classes += [kinds.Status, kinds.DeleteOptions, kinds.ListMeta]
    if len(built_in) < len(rows):
        classes.append(kinds.ObjectMeta)
    found = definitions(classes, dialect)
    found |= {list_name(row): list_schema(row.cls, row.group, row.version, row.kind, dialect) for row in built_in}
    for row in rows:
        if isinstance(row, CustomResource):
            found |= custom_schemas(row, dialect)
    return dict(sorted(found.items()))


def _path_v2(path: Path) -> Document:
    document: Document = {each.method: _operation_v2(each) for each in path.operations}
    document["parameters"] = [_parameter_v2(each, "path") for each in path.parameters] + [_parameter_v2(PRETTY, "query")]
    return document


def _operation_v2(operation: Operation) -> Document:
    parameters = [_parameter_v2(each, "query") for each in operation.parameters]
    document = _common(operation)
    if operation.body:
        body: Document = {"in": "body", "name": "body", "schema": V2.reference(operation.body)}
        if operation.body_required:
            body["required"] = True
        parameters.insert(0, body)
        document["consumes"] = list(operation.consumes)
    if parameters:
        document["parameters"] = parameters
    schema = V2.reference(operation.answer) if operation.answer else {"type": "string"}
    document["produces"] = list(_PRODUCES) if operation.answer else ["*/*"]
    document["responses"] = {
        code: {"description": text, **({"schema": schema} if code != "401" else {})} for code, text in _codes(operation)
    }
    return document


def _parameter_v2(parameter: Parameter, place: str) -> Document:
    document: Document = {"in": place, "name": parameter.name, "type": parameter.type, "uniqueItems": True}
    if parameter.description:
        document["description"] = parameter.description
    if place == "path":
        document["required"] = True
    return document


def _path_v3(path: Path) -> Document:
    document: Document = {each.method: _operation_v3(each) for each in path.operations}
    document["parameters"] = [_parameter_v3(each, "path") for each in path.parameters] + [_parameter_v3(PRETTY, "query")]
    return document


def _operation_v3(operation: Operation) -> Document:
    document = _common(operation)
    if operation.parameters:
        document["parameters"] = [_parameter_v3(each, "query") for each in operation.parameters]
    if operation.body:
        content = {media: {"schema": V3.reference(operation.body)} for media in operation.consumes}
        document["requestBody"] = {"content": content, **({"required": True} if operation.body_required else {})}
    schema = V3.reference(operation.answer) if operation.answer else {"type": "string"}
    media = _JSON if operation.answer else "*/*"
    document["responses"] = {
        code: {"description": text, **({"content": {media: {"schema": schema}}} if code != "401" else {})}
        for code, text in _codes(operation)
    }
    return document


def _parameter_v3(parameter: Parameter, place: str) -> Document:
    document: Document = {"in": place, "name": parameter.name, "schema": {"type": parameter.type, "uniqueItems": True}}
    if parameter.description:
        document["description"] = parameter.description
    if place == "path":
        document["required"] = True
    return document


def _common(operation: Operation) -> Document:
    return {
        "tags": [operation.tag],
        "operationId": operation.identifier,
        "x-kubernetes-action": operation.action,
        "x-kubernetes-group-version-kind": gvk_mark(*operation.gvk),
    }


def _codes(operation: Operation) -> Sequence[tuple[str, str]]:
    created = (("201", "Created"), ("202", "Accepted")) if operation.created else ()
    return (("200", "OK"), *created, ("401", "Unauthorized"))
