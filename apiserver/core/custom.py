"""Custom resources as rows of the resource table: what follows from one CustomResourceDefinition.

A `Family` is all versions of one kind. Its objects are stored in one of them and kept in one watch cache; each version that is
served has a row and a class of its own, so that a body is pruned, defaulted and validated by the version it is written in. What
is stored is brought into the version of whoever asks (`present`), and back into the one that is stored (`to_storage`):

    stored JSON  --normalized-->  the cache: as stored, pruned and defaulted  --present-->  a row's version

As long as all objects are stored in the storage version (`status.storedVersions` says so), its row shows what the cache has.
Rows are equal when they stand at one path: a definition that changes replaces them, and what is kept by row must outlive that.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar, Protocol

import msgspec

from apimachinery import apply, codec, errors
from apimachinery.apply import FieldSet
from apimachinery.kinds import CustomResourceDefinition, CustomResourceDefinitionVersion, CustomResourceSubresourceScale
from apimachinery.kinds.custom import Custom
from apimachinery.printing import TableShape
from apimachinery.printing.extensions import custom_shape
from apimachinery.resources import Resource
from apiserver.core.definitions import TERMINATING, condition_of
from apiserver.structural import Node, Rules, compile_rules, compile_schema, fill_defaults, prune


class Converter(Protocol):
    """Brings objects of a kind from one version into another."""

    async def convert(self, objects: Sequence[dict[str, Any]], api_version: str) -> Sequence[dict[str, Any]]:
        """The same objects in that version; raises ApiError (500) when that cannot be had."""
        ...


class Renaming:
    """Conversion strategy None: the versions differ in their name alone."""

    async def convert(self, objects: Sequence[dict[str, Any]], api_version: str) -> Sequence[dict[str, Any]]:
        return [{**each, "apiVersion": api_version} for each in objects]


class Structured(Custom):
    """An object of a kind with a schema; each version of each kind has a class derived from this one, which knows its row."""

    node: ClassVar[Node] = Node(whole_object=True, preserves_unknown=True)

    @classmethod
    def pruned(cls, content: dict[str, Any]) -> Sequence[str]:
        return prune(cls.node, content)


@dataclass(frozen=True)
class ScalePaths:
    """Where an object's numbers of replicas stand, as names from its root."""

    replicas: tuple[str, ...]
    status_replicas: tuple[str, ...]
    selector: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class CustomResource(Resource):
    """The row of one version of a custom resource. `schema` is the version's, as plain data."""

    family: Family = None  # type: ignore[assignment]
    schema: Mapping[str, Any] = field(default_factory=dict)
    node: Node = field(default_factory=Node)
    rules: Rules | None = None
    shape: TableShape = None  # type: ignore[assignment]
    ownership: apply.Shape = apply.FREE
    scale: ScalePaths | None = None
    deprecation: str = ""

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Resource) and self._place == (other.group, other.version, other.plural)

    def __hash__(self) -> int:
        return hash(self._place)

    @property
    def _place(self) -> tuple[str, str, str]:
        return self.group, self.version, self.plural

    def untouched(self, subresource: str) -> FieldSet:
        """The fields that a write through a subresource ("" for none) leaves alone."""
        if subresource == "status":
            beside = [name for name in self.node.properties if name != "status"]
            return FieldSet({f"f:{name}": {} for name in ("metadata", "spec", *beside)})
        return FieldSet({"f:status": {}}) if not subresource and "status" in self.subresources else apply.NO_FIELDS


class Family:
    """All versions of one custom resource, by name; `storage` is the one that is stored."""

    def __init__(self, definition: CustomResourceDefinition, converter: Converter) -> None:
        self.definition = definition
        self.converter = converter
        self._renames = isinstance(converter, Renaming)
        self.rows: Mapping[str, CustomResource] = {
            version.name: _row(self, definition, version) for version in definition.spec.versions
        }
        self.storage = next(self.rows[each.name] for each in definition.spec.versions if each.storage)
        self._by_api_version = {row.api_version: row for row in self.rows.values()}
        terminating = condition_of(definition, TERMINATING)
        self.terminating = bool(definition.metadata.deletion_timestamp) or (
            terminating is not None and terminating.status == "True"
        )

    @property
    def indexed(self) -> Resource:
        """The row by whose fields the cache is indexed: those of all versions."""
        fields = dict.fromkeys(field for row in self.rows.values() for field in row.selectable_fields)
        return replace(self.storage, selectable_fields=tuple(fields))

    def normalized(self, stored: bytes) -> bytes:
        """A stored object as the cache has it: in its own version, by the schema that this has now.

        One of a version that is not known any more is taken for the storage version, unless a webhook has to tell.
        """
        plain = msgspec.json.decode(stored)
        row = self._by_api_version.get(plain.get("apiVersion"))
        if row is None:
            if not self._renames:
                return stored
            row, plain["apiVersion"] = self.storage, self.storage.api_version
        return codec.encode_stored(self._object(row, plain))

    async def present(self, row: CustomResource, objects: Sequence[bytes]) -> list[bytes]:
        """Objects' JSON in the version of a row, pruned and defaulted by its schema; raises ApiError (500)."""
        plain = [msgspec.json.decode(each) for each in objects]
        others = [index for index, each in enumerate(plain) if each.get("apiVersion") != row.api_version]
        if others:
            converted = await self.converter.convert([plain[index] for index in others], row.api_version)
            for index, each in zip(others, converted, strict=True):
                plain[index] = each
        return [codec.encode(self._object(row, each)) for each in plain]

    def shows_stored(self, row: Resource) -> bool:
        """Whether what the cache has is what the row shows."""
        return row is self.storage and self.definition.status.stored_versions == [self.storage.version]

    async def to_storage(self, obj: Custom) -> Custom:
        """An object of any version as it is stored; raises ApiError (500)."""
        if obj.api_version == self.storage.api_version:
            return obj
        (converted,) = await self.converter.convert([codec.to_plain(obj)], self.storage.api_version)
        stored = codec.convert(self.storage.cls, converted)
        assert isinstance(stored, Custom)
        return stored

    @staticmethod
    def _object(row: CustomResource, plain: Any) -> Custom:
        obj = codec.convert(row.cls, plain)
        assert isinstance(obj, Custom)
        fill_defaults(row.node, obj.content)
        return obj


def value_at(obj: Custom, path: Sequence[str]) -> Any:
    """What stands at a path of names, None for nothing."""
    value: Any = obj.content
    for name in path:
        value = value.get(name) if isinstance(value, dict) else None
    return value


def set_at(obj: Custom, path: Sequence[str], value: Any) -> None:
    """Write a value at a path of names; what leads there is made. Raises ApiError (422) where something else stands."""
    place = obj.content
    for name in path[:-1]:
        place = place.setdefault(name, {})
        if not isinstance(place, dict):
            wrong = errors.FieldError.invalid(".".join(path), value, "there is no place for it in the object")
            raise errors.invalid(obj.kind, obj.metadata.name, [wrong])
    place[path[-1]] = value


def _row(family: Family, definition: CustomResourceDefinition, version: CustomResourceDefinitionVersion) -> CustomResource:
    spec, schema = definition.spec, version.schema.open_apiv3_schema if version.schema else None
    plain: dict[str, Any] = codec.to_plain(schema) if schema is not None else {"x-kubernetes-preserve-unknown-fields": True}
    node = compile_schema(plain, root=True)
    subresources, names = version.subresources, definition.status.accepted_names or spec.names
    scale = subresources.scale if subresources is not None else None
    has_status = subresources is not None and subresources.status is not None
    cls: type[Custom] = type(names.kind, (Structured,), {"node": node, "__doc__": node.description})
    row = CustomResource(
        spec.group,
        version.name,
        names.plural,
        names.kind,
        cls,
        namespaced=spec.scope == "Namespaced",
        singular=names.singular,
        short_names=tuple(names.short_names),
        categories=tuple(names.categories),
        subresources=(*(("status",) if has_status else ()), *(("scale",) if scale is not None else ())),
        list_kind=names.list_kind,
        selectable_fields=tuple(each.json_path.removeprefix(".") for each in version.selectable_fields),
        family=family,
        schema=plain,
        node=node,
        rules=compile_rules(plain, node),
        shape=custom_shape([codec.to_plain(each) for each in version.additional_printer_columns]),
        ownership=apply.structural_shape(plain),
        scale=_scale_paths(scale) if scale is not None else None,
        deprecation=_deprecation(definition, version),
    )
    cls.row = row
    return row


def _scale_paths(scale: CustomResourceSubresourceScale) -> ScalePaths:
    return ScalePaths(_names(scale.spec_replicas_path), _names(scale.status_replicas_path), _names(scale.label_selector_path))


def _names(path: str) -> tuple[str, ...]:
    return tuple(filter(None, path.split(".")))


def _deprecation(definition: CustomResourceDefinition, version: CustomResourceDefinitionVersion) -> str:
    if not version.deprecated:
        return ""
    return version.deprecation_warning or f"{definition.spec.group}/{version.name} {definition.spec.names.kind} is deprecated"
