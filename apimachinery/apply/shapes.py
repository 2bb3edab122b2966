"""What ownership asks about types, apart from where the answer comes from.

A Shape describes one place in an object. Leaves (scalars, atomic lists and maps) are owned whole; in structs and maps each
member has an owner of its own; elements of keyed lists are found by their keys and those of sets by their value. What nobody
describes is FREE: its maps merge, its lists are atomic.
"""

from collections.abc import Mapping
from enum import Enum
from functools import cache, cached_property
from typing import Any, Protocol

import msgspec

from apimachinery import codec, schema
from apimachinery.apply.fields import NO_FIELDS, FieldSet
from apimachinery.kinds.base import Merge
from apimachinery.kinds.meta import ObjectMeta

_KEY_DEFAULTS = {"protocol": "TCP"}
"""Keys of lists that defaulting would fill: the protocol of ports, in every kind that has them."""

ATOMIC_TYPES = frozenset(
    (
        "ConfigMapKeySelector",
        "CrossVersionObjectReference",
        "EndpointAddress",
        "EndpointPort",
        "FileKeySelector",
        "LabelSelector",
        "LocalObjectReference",
        "MatchResources",
        "NamedRuleWithOperations",
        "NodeSelector",
        "NodeSelectorTerm",
        "ObjectFieldSelector",
        "ObjectReference",
        "OwnerReference",
        "ParamKind",
        "ParamRef",
        "ResourceFieldSelector",
        "RoleRef",
        "ScopeSelector",
        "SecretKeySelector",
        "SecretReference",
        "ServiceBackendPort",
        "Subject",
        "TopologySelectorTerm",
        "TypedLocalObjectReference",
        "Variable",
    )
)
"""Types that are one value wherever they stand (references, selectors), unless the field that holds one says otherwise."""


class Form(Enum):
    """How a place is owned."""

    LEAF = "leaf"
    STRUCT = "struct"
    MAP = "map"
    KEYED_LIST = "keyed list"
    SET = "set"
    FREE = "free"


class Shape(Protocol):
    """One place in an object."""

    @property
    def form(self) -> Form: ...

    @property
    def fields(self) -> Mapping[str, "Shape"]:
        """The declared members of a STRUCT."""
        ...

    @property
    def element(self) -> "Shape | None":
        """What a MAP, KEYED_LIST or SET consists of, and a STRUCT has besides its fields; None where nothing else may stand."""
        ...

    @property
    def keys(self) -> tuple[str, ...]:
        """What identifies an element of a KEYED_LIST."""
        ...

    @property
    def key_defaults(self) -> Mapping[str, Any]:
        """What a key is when an element does not give it."""
        ...

    @property
    def blank(self) -> Mapping[str, Any]:
        """The object of this shape in which nothing is given yet; what stands in it counts as there before a creation."""
        ...


class _Place:
    """A Shape; its members are described when first asked for, since types contain themselves."""

    blank: Mapping[str, Any] = {}

    def __init__(
        self,
        form: Form,
        *,
        element: Shape | None = None,
        keys: tuple[str, ...] = (),
        key_defaults: Mapping[str, Any] | None = None,
    ) -> None:
        self.form = form
        self.element = element
        self.keys = keys
        self.key_defaults = key_defaults or {}

    @cached_property
    def fields(self) -> Mapping[str, Shape]:
        return {}


LEAF: Shape = _Place(Form.LEAF)
FREE: Shape = _Place(Form.FREE)


class _ClassPlace(_Place):
    def __init__(self, cls: type[msgspec.Struct]) -> None:
        super().__init__(Form.STRUCT)
        self._cls = cls

    @cached_property
    def fields(self) -> Mapping[str, Shape]:
        return {name: _of_type(info) for name, info in schema.merge_info(self._cls).items()}

    @cached_property
    def blank(self) -> Mapping[str, Any]:  # type: ignore[override]
        try:
            plain: dict[str, Any] = codec.to_plain(self._cls())
        except TypeError:
            return {}  # a class with required fields has no blank object
        return plain


@cache
def shape_of(cls: type[msgspec.Struct]) -> Shape:
    """The shape of a class of the object model."""
    return _ClassPlace(cls)


@cache
def status_fields(subresource: str = "") -> FieldSet:
    """What a write does not touch, so that nobody comes to own it: main writes leave status alone, status writes the spec."""
    match subresource:
        case "":
            return FieldSet({"f:status": {}})
        case "status":
            return FieldSet({"f:spec": {}})
        case _:
            return NO_FIELDS


def structural_shape(properties: Mapping[str, Any], *, root: bool = True) -> Shape:
    """The shape of a custom resource's structural schema (OpenAPI v3 with the `x-kubernetes-*` extensions).

    `root` describes a whole object: apiVersion, kind and metadata are those of every object, whatever the schema says.
    """
    return _SchemaPlace(properties, root=root)


class _SchemaPlace(_Place):
    def __init__(self, properties: Mapping[str, Any], *, root: bool) -> None:
        self._schema = properties
        self._whole_object = root or bool(properties.get("x-kubernetes-embedded-resource"))
        others = properties.get("additionalProperties")
        element: Shape | None = None
        if properties.get("x-kubernetes-preserve-unknown-fields") or others is True:
            element = FREE
        elif isinstance(others, Mapping):
            element = _of_schema(others)
        super().__init__(Form.STRUCT if "properties" in properties or self._whole_object else Form.MAP, element=element)

    @cached_property
    def fields(self) -> Mapping[str, Shape]:
        described: dict[str, Shape] = {name: _of_schema(part) for name, part in self._schema.get("properties", {}).items()}
        if self._whole_object:
            described |= {"apiVersion": LEAF, "kind": LEAF, "metadata": shape_of(ObjectMeta)}
        return described


def _of_schema(part: Mapping[str, Any]) -> Shape:
    match part.get("type"):
        case "array":
            return _list_of_schema(part)
        case "object" if part.get("x-kubernetes-map-type") == "atomic":
            return LEAF
        case "object" if part.get("x-kubernetes-embedded-resource") or any(
            part.get(name) for name in ("properties", "additionalProperties")
        ):
            return _SchemaPlace(part, root=False)
        case None | "object":
            return FREE if not part.get("x-kubernetes-int-or-string") else LEAF
        case _:
            return LEAF


def _list_of_schema(part: Mapping[str, Any]) -> Shape:
    items = part.get("items", {})
    match part.get("x-kubernetes-list-type"):
        case "set":
            return _Place(Form.SET, element=LEAF)
        case "map":
            keys = tuple(part.get("x-kubernetes-list-map-keys", ()))
            described = items.get("properties", {})
            defaults = {key: described[key]["default"] for key in keys if "default" in described.get(key, {})}
            return _Place(Form.KEYED_LIST, element=_of_schema(items), keys=keys, key_defaults=defaults)
        case _:
            return LEAF


def _of_type(info: schema.TypeInfo) -> Shape:
    match info.shape:
        case schema.Shape.SCALAR:
            return LEAF
        case schema.Shape.STRUCT if info.struct is not None and not _is_atomic(info.struct, info.merge):
            return shape_of(info.struct)
        case schema.Shape.MAP if info.element is not None and info.merge.map_type != "atomic":
            return _Place(Form.MAP, element=_of_type(info.element))
        case schema.Shape.LIST if info.element is not None:
            return _of_list(info.element, info)
        case schema.Shape.FREE:
            return FREE
        case _:
            return LEAF


def _is_atomic(cls: type[msgspec.Struct], merge: Merge) -> bool:
    return (merge.map_type or ("atomic" if cls.__name__ in ATOMIC_TYPES else "")) == "atomic"


def _of_list(element: schema.TypeInfo, info: schema.TypeInfo) -> Shape:
    match info.merge.list_type:
        case "set":
            return _Place(Form.SET, element=LEAF)
        case "map":
            defaults = {key: value for key, value in _KEY_DEFAULTS.items() if key in info.merge.keys}
            return _Place(Form.KEYED_LIST, element=_of_type(element), keys=info.merge.keys, key_defaults=defaults)
        case _:
            return LEAF
