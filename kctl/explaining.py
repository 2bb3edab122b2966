"""What a field of a kind is, from the server's OpenAPI v3 document: found by its path, laid out as kubectl does.

Pure, over the document as plain data: types that refer to each other are followed by their references.
"""

import textwrap
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from kctl.errors import KctlError

Schema = Mapping[str, Any]

WIDTH = 80
_INDENT = "    "
_STEP = "  "


@dataclass(frozen=True)
class Field:
    """One place in a kind: what its holder says about it, and the schema of its type (of an element, for a list)."""

    name: str
    declared: Schema
    resolved: Schema
    type_name: str

    @property
    def description(self) -> str:
        return str(self.declared.get("description") or self.resolved.get("description") or "")


class Explainer:
    """Looks into one document."""

    def __init__(self, document: Mapping[str, Any]) -> None:
        self._schemas: Mapping[str, Schema] = (document.get("components") or {}).get("schemas") or {}

    def kind(self, group: str, version: str, kind: str) -> Schema:
        """The schema of a kind; raises KctlError when the document has none."""
        wanted = {"group": group, "version": version, "kind": kind}
        for schema in self._schemas.values():
            if wanted in (schema.get("x-kubernetes-group-version-kind") or ()):
                return schema
        raise KctlError(f"the server does not describe {kind} of {group}/{version}")

    def field(self, schema: Schema, path: Sequence[str]) -> Field:
        """The field at a path below a kind; raises KctlError that names the one that is not there."""
        found: Field | None = None
        for name in path:
            found = self._member(schema, name)
            schema = found.resolved
        assert found is not None
        return found

    def fields(self, schema: Schema) -> Iterator[tuple[Field, bool]]:
        """The members of an object, in the order of their names, and whether they are required."""
        required = schema.get("required") or ()
        for name in sorted(schema.get("properties") or {}):
            yield self._member(schema, name), name in required

    def _member(self, schema: Schema, name: str) -> Field:
        declared = (schema.get("properties") or {}).get(name)
        if declared is None:
            raise KctlError(f'field "{name}" does not exist')
        return Field(name, declared, self._element(declared), self._type_name(declared))

    def _element(self, declared: Schema) -> Schema:
        """What stands in the end: the type that is referred to, of the elements of a list or the values of a map."""
        reference = _reference(declared)
        if reference:
            return self._element(self._schemas.get(reference, {}))
        inner = declared.get("items") or declared.get("additionalProperties")
        return self._element(inner) if isinstance(inner, Mapping) else declared

    def _type_name(self, declared: Schema) -> str:
        reference = _reference(declared)
        if reference:
            target = self._schemas.get(reference, {})
            scalar = target.get("type") not in (None, "object")
            return str(target["type"]) if scalar else reference.rpartition(".")[2]
        if isinstance(declared.get("items"), Mapping):
            return f"[]{self._type_name(declared['items'])}"
        if isinstance(declared.get("additionalProperties"), Mapping):
            return f"map[string]{self._type_name(declared['additionalProperties'])}"
        return str(declared.get("type") or "Object").replace("object", "Object")


def explain(document: Mapping[str, Any], gvk: tuple[str, str, str], path: Sequence[str], *, recursive: bool) -> Iterator[str]:
    """The lines about a kind, or about the field at `path` below it; raises KctlError when there is none."""
    explainer = Explainer(document)
    group, version, kind = gvk
    schema = explainer.kind(group, version, kind)
    if group:
        yield f"GROUP:      {group}"
    yield f"KIND:       {kind}"
    yield f"VERSION:    {version}"
    yield ""
    description = str(schema.get("description") or "")
    if path:
        field = explainer.field(schema, path)
        yield f"FIELD: {field.name} <{field.type_name}>"
        yield ""
        description, schema = field.description, field.resolved
        yield from _enum(field)
    yield "DESCRIPTION:"
    yield from _wrapped(description or "<empty>", _INDENT)
    if schema.get("properties"):
        yield ""
        yield "FIELDS:"
        yield from _all(explainer, schema, (), _STEP) if recursive else _listed(explainer, schema)
    yield ""


def _listed(explainer: Explainer, schema: Schema) -> Iterator[str]:
    for number, (field, required) in enumerate(explainer.fields(schema)):
        if number:
            yield ""
        yield _head(field, required, _STEP)
        yield from _wrapped(field.description or "<no description>", _INDENT)


def _all(explainer: Explainer, schema: Schema, above: tuple[int, ...], indent: str) -> Iterator[str]:
    """Every field below; a type within itself is named and not opened again."""
    if id(schema) in above:
        return
    for field, required in explainer.fields(schema):
        yield _head(field, required, indent)
        yield from _all(explainer, field.resolved, (*above, id(schema)), indent + _STEP)


def _head(field: Field, required: bool, indent: str) -> str:
    return f"{indent}{field.name}\t<{field.type_name}>{' -required-' if required else ''}"


def _enum(field: Field) -> Iterator[str]:
    values = field.declared.get("enum") or field.resolved.get("enum")
    if values:
        yield "ENUM:"
        yield from (f"{_INDENT}{value}" for value in values)
        yield ""


def _wrapped(text: str, indent: str) -> list[str]:
    return textwrap.wrap(text, WIDTH, initial_indent=indent, subsequent_indent=indent)


def _reference(declared: Schema) -> str:
    """The name of the schema that one refers to, directly or as the one member of `allOf`."""
    parts: Sequence[Schema] = declared.get("allOf") or []
    target = declared.get("$ref") or (parts[0].get("$ref") if len(parts) == 1 else None) or ""
    return str(target).rpartition("/")[2]
