"""The OpenAPI 2 documents of aggregated API servers, taken into this server's own.

A foreign document is data of unknown make: what of it is taken has the shapes below, all else is dropped, and what does not fit
them refuses the whole document. Only paths of the group and version that its server was given are taken, and the definitions
that these need. A definition that another document has under the same name with another content is renamed.
Source: the OpenAPI Specification 2.0, and the `x-kubernetes-*` extensions of the Kubernetes API.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import msgspec

Plain = dict[str, Any]
DEFINITIONS = "#/definitions/"

_PLACES = ("body", "path", "query")
"""Where parameters of the API are; a reference to a shared one has no place."""
_EXTENSIONS = {
    "gvks": "x-kubernetes-group-version-kind",
    "patch_strategy": "x-kubernetes-patch-strategy",
    "patch_merge_key": "x-kubernetes-patch-merge-key",
    "list_type": "x-kubernetes-list-type",
    "list_map_keys": "x-kubernetes-list-map-keys",
    "action": "x-kubernetes-action",
}


class _Gvk(msgspec.Struct):
    group: str
    kind: str
    version: str


class _Schema(msgspec.Struct, omit_defaults=True, rename={**_EXTENSIONS, "ref": "$ref", "additional": "additionalProperties"}):
    ref: str = ""
    description: str = ""
    type: str | list[str] = ""
    format: str = ""
    required: list[str] = []
    items: _Schema | None = None
    properties: dict[str, _Schema] = {}
    additional: _Schema | bool | None = None
    gvks: list[_Gvk] = []
    patch_strategy: str = ""
    patch_merge_key: str = ""
    list_type: str = ""
    list_map_keys: list[str] = []


class _Parameter(msgspec.Struct, omit_defaults=True, rename={"place": "in", "unique_items": "uniqueItems"}):
    name: str = ""
    place: str = ""
    type: str = ""
    description: str = ""
    required: bool = False
    unique_items: bool = False
    schema: _Schema | None = None


class _Response(msgspec.Struct, omit_defaults=True):
    description: str = ""
    schema: _Schema | None = None


class _Operation(msgspec.Struct, omit_defaults=True, rename={**_EXTENSIONS, "identifier": "operationId"}):
    tags: list[str] = []
    identifier: str = ""
    produces: list[str] = []
    consumes: list[str] = []
    parameters: list[_Parameter] = []
    responses: dict[str, _Response] = {}
    action: str = ""
    gvks: _Gvk | None = None


class _Path(msgspec.Struct, omit_defaults=True):
    get: _Operation | None = None
    put: _Operation | None = None
    post: _Operation | None = None
    delete: _Operation | None = None
    patch: _Operation | None = None
    parameters: list[_Parameter] = []


class _Document(msgspec.Struct):
    paths: dict[str, _Path] = {}
    definitions: dict[str, _Schema] = {}


class Foreign(msgspec.Struct, frozen=True):
    """What is taken of a foreign document, as plain data."""

    paths: Mapping[str, Plain]
    definitions: Mapping[str, Plain]


def taken(body: bytes, places: Iterable[str]) -> Foreign:
    """What a document says of paths below `places` (`/apis/GROUP/VERSION`); raises ValueError for what is no such document."""
    try:
        document = msgspec.json.decode(body, type=_Document)
    except (msgspec.MsgspecError, RecursionError) as error:
        raise ValueError(f"no OpenAPI 2 document: {error}") from error
    roots = tuple(places)
    paths = {
        path: _plain(item)
        for path, item in document.paths.items()
        if any(path.rstrip("/") == root or path.startswith(f"{root}/") for root in roots)
    }
    for item in paths.values():
        for holder in (item, *(each for each in item.values() if isinstance(each, dict))):
            if "parameters" in holder:
                holder["parameters"] = [_parameter(each) for each in holder["parameters"] if each.get("in") in _PLACES]
    definitions = {name: _plain(schema) for name, schema in document.definitions.items()}
    wanted = _names_in(list(paths.values()))
    needed: dict[str, Plain] = {}
    while wanted:
        name = wanted.pop()
        if name in definitions and name not in needed:
            needed[name] = definitions[name]
            wanted |= _names_in(definitions[name])
    return Foreign(paths, dict(sorted(needed.items())))


def merged(own: Plain, foreign: Sequence[Foreign]) -> Plain:
    """The whole document; nothing that this server says is changed."""
    paths, definitions = dict(own["paths"]), dict(own["definitions"])
    for each in foreign:
        names = {name: _free_name(name, schema, definitions) for name, schema in each.definitions.items()}

        def renamed(name: str, names: Mapping[str, str] = names) -> str:
            return names.get(name, name)

        definitions |= {names[name]: _renamed(schema, renamed) for name, schema in each.definitions.items()}
        paths |= {path: _renamed(item, renamed) for path, item in each.paths.items() if path not in own["paths"]}
    return {**own, "paths": dict(sorted(paths.items())), "definitions": dict(sorted(definitions.items()))}


def _plain(value: msgspec.Struct) -> Plain:
    plain: Plain = msgspec.to_builtins(value)
    return plain


def _parameter(given: Plain) -> Plain:
    """What a body is has a schema, anything else a type."""
    odd = ("type", "uniqueItems") if given["in"] == "body" else ("schema",)
    return {name: value for name, value in given.items() if name not in odd}


def _names_in(value: Any) -> set[str]:
    """The definitions that are referred to anywhere inside."""
    if isinstance(value, dict):
        reference = value.get("$ref")
        found = {reference.removeprefix(DEFINITIONS)} if isinstance(reference, str) else set()
        return found.union(*map(_names_in, value.values()))
    if isinstance(value, list):
        return set().union(*map(_names_in, value))
    return set()


def _renamed(value: Any, rename: Callable[[str], str]) -> Any:
    if isinstance(value, dict):
        return {
            key: DEFINITIONS + rename(each.removeprefix(DEFINITIONS))
            if key == "$ref" and isinstance(each, str)
            else _renamed(each, rename)
            for key, each in value.items()
        }
    if isinstance(value, list):
        return [_renamed(each, rename) for each in value]
    return value


def _free_name(name: str, schema: Plain, definitions: Mapping[str, Plain]) -> str:
    """The name itself, or with a number where it stands for something else already."""
    number, free = 1, name
    while free in definitions and definitions[free] != schema:
        number += 1
        free = f"{name}_v{number}"
    return free
