"""The protobuf form of an OpenAPI 2 document, read back by a reader that knows nothing of the writer."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest

from apimachinery.resources import TABLE
from apiserver.openapi import gnostic
from apiserver.openapi.documents import openapi_v2

Fields = list[tuple[int, Any]]


def fields(message: bytes) -> Fields:
    """(number, value) of each field: numbers for varints, bytes for what has a length."""
    found, place = [], 0

    def number() -> int:
        nonlocal place
        value = shift = 0
        while True:
            byte = message[place]
            place += 1
            value |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                return value

    while place < len(message):
        tag = number()
        if tag & 7 == 0:
            found.append((tag >> 3, number()))
        elif tag & 7 == 1:
            found.append((tag >> 3, struct.unpack("<d", message[place : place + 8])[0]))
            place += 8
        else:
            assert tag & 7 == 2
            length = number()
            found.append((tag >> 3, message[place : place + length]))
            place += length
    return found


def every(message: bytes, field: int) -> Iterator[bytes]:
    return (value for number, value in fields(message) if number == field)


def one(message: bytes, *path: int) -> bytes:
    for field in path:
        (message,) = every(message, field)
    return message


def named(message: bytes, field: int = 1) -> dict[str, bytes]:
    """A map: repeated {name = 1, value = 2}."""
    return {one(each, 1).decode(): one(each, 2) for each in every(message, field)}


def extensions(message: bytes, field: int) -> dict[str, Any]:
    return {name: msgspec.json.decode(one(value, 2)) for name, value in named(message, field).items()}


@pytest.fixture(scope="module")
def document() -> bytes:
    return gnostic.encode(openapi_v2(TABLE.rows, "v1.36.0"))


def test_head(document: bytes) -> None:
    assert one(document, 1) == b"2.0"
    assert one(document, 2, 2) == b"v1.36.0"


def test_schemas(document: bytes) -> None:
    schemas = named(one(document, 9))
    spec = schemas["io.k8s.api.core.v1.PodSpec"]
    assert b"containers" in list(every(spec, 19)), "required"
    containers = named(one(spec, 25))["containers"]
    assert one(containers, 22, 1) == b"array"
    assert one(containers, 23, 1, 1) == b"#/definitions/io.k8s.api.core.v1.Container"
    assert extensions(containers, 31)["x-kubernetes-list-map-keys"] == ["name"]
    pod = extensions(schemas["io.k8s.api.core.v1.Pod"], 31)
    assert pod == {"x-kubernetes-group-version-kind": [{"group": "", "kind": "Pod", "version": "v1"}]}
    labels = named(one(schemas["io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta"], 25))["labels"]
    assert one(labels, 21, 1, 22, 1) == b"string", "additional properties"


def test_paths(document: bytes) -> None:
    paths = named(one(document, 8), 2)
    item = paths["/apis/apps/v1/namespaces/{namespace}/deployments/{name}"]
    patch = one(item, 8)
    assert one(patch, 5) == b"patchAppsV1NamespacedDeployment"
    parameters = [one(each, 1) for each in every(patch, 8)]
    assert one(parameters[0], 1, 2) == b"body"
    assert b"dryRun" in [one(each, 2, 3, 4) for each in parameters[1:]]
    assert [one(each, 1, 2, 4, 4) for each in list(every(item, 9))[:2]] == [b"name", b"namespace"]
    assert extensions(patch, 13)["x-kubernetes-action"] == "patch"
    responses = named(one(patch, 9))
    assert one(responses["200"], 1, 2, 1, 1) == b"#/definitions/io.k8s.api.apps.v1.Deployment"


def test_keywords_of_custom_resources() -> None:
    schema = {"type": "string", "title": "T", "pattern": "^a", "maxLength": 5, "minimum": 0.5, "exclusiveMinimum": True}
    encoded = gnostic.encode({"definitions": {"a": {**schema, "enum": ["x", 1]}}})
    found = fields(named(one(encoded, 9))["a"])
    assert (3, b"T") in found
    assert (13, b"^a") in found
    assert [value for number, value in found if number in (9, 10, 11)] == [5, 0.5, 1]
    assert [msgspec.json.decode(one(value, 2)) for number, value in found if number == 20] == ["x", 1]


def test_what_has_no_field_is_not_passed_over() -> None:
    with pytest.raises(KeyError):
        gnostic.encode({"swagger": "2.0", "somethingNew": 1})
