"""Bodies in protobuf: what kubectl really sends, every kind there and back, and hostile bytes."""

from __future__ import annotations

import contextlib
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from apimachinery import codec, protobuf
from apimachinery.kinds import Binding, Eviction
from apimachinery.kinds.meta import DeleteOptions
from apimachinery.kinds.object import Object
from apimachinery.resources import TABLE
from tests.support.protobuf import body_of, message, varint

# `kubectl create deployment web --image=busybox:1 --replicas=0` and `kubectl auth can-i create pods`, of kubectl 1.33
DEPLOYMENT = bytes.fromhex(
    "6b3873000a150a07617070732f7631120a4465706c6f796d656e7412b2010a1f0a0377656212001a0022002a003200380042005a0a0a036170701203"
    "7765621280010800120c0a0a0a0361707012037765621a660a1c0a0012001a0022002a003200380042005a0a0a036170701203776562124612280a07"
    "62757379626f78120962757379626f783a312a0042006a007200800100880100900100a201001a00320042004a0052005800600068008201008a0100"
    "9a0100c2010022020a00280038001a0c0800100018002000280038001a002200"
)
REVIEW = bytes.fromhex(
    "6b3873000a320a17617574686f72697a6174696f6e2e6b38732e696f2f7631121753656c665375626a656374416363657373526576696577123f0a100a0012"
    "001a0022002a0032003800420012210a1f0a0764656661756c7412066372656174651a0022002a04706f647332003a001a08080012001a0020001a002200"
)


def test_a_deployment_as_kubectl_sends_it() -> None:
    labels = {"app": "web"}
    assert protobuf.decode(DEPLOYMENT) == {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "web", "labels": labels},
        "spec": {
            "replicas": 0,
            "selector": {"matchLabels": labels},
            "template": {
                "metadata": {"labels": labels},
                "spec": {"containers": [{"name": "busybox", "image": "busybox:1", "resources": {}}]},
            },
            "strategy": {},
        },
        "status": {},
    }


def test_a_review_as_kubectl_sends_it() -> None:
    asked = {"namespace": "default", "verb": "create", "resource": "pods"}
    assert protobuf.decode(REVIEW)["spec"] == {"resourceAttributes": asked}


SAMPLES: dict[str, Any] = {
    "string": "x",
    "int": 7,
    "bool": True,
    "bytes": "aGk=",
    "double": 0.5,
    "resource.Quantity": "100m",
    "intstr.IntOrString": "25%",
    "meta.v1.Time": "2026-01-02T03:04:05Z",
    "meta.v1.MicroTime": "2026-01-02T03:04:05.000006Z",
    "meta.v1.FieldsV1": {"f:metadata": {}},
    "runtime.RawExtension": {"data": 1},
    "apiextensions.v1.JSON": False,
    "apiextensions.v1.CustomResourceSubresourceStatus": {},
    "apiextensions.v1.JSONSchemaPropsOrArray": [{"type": "string"}, {}],
    "apiextensions.v1.JSONSchemaPropsOrBool": False,
    "apiextensions.v1.JSONSchemaPropsOrStringArray": ["a", "b"],
}


def filled(name: str, inside: tuple[str, ...] = ()) -> Any:
    """A message with something in each of its fields."""
    if name in SAMPLES:
        return SAMPLES[name]
    if name in inside:
        return {}
    if name.endswith(".ExtraValue"):
        return ["a", "b"]
    plain: dict[str, Any] = {}
    for field in protobuf._table()[name].values():
        value = filled(field.type, (*inside, name))
        if field.shape == "inline":
            plain |= value
        else:
            plain[field.name] = {"list": [value, value], "map": {"a": value, "": value}}.get(field.shape, value)
    return plain


KINDS: list[tuple[str, str, type[Object]]] = [
    *((row.api_version, row.kind, row.cls) for row in TABLE.rows),
    ("v1", "Binding", Binding),
    ("policy/v1", "Eviction", Eviction),
    ("batch/v1", "DeleteOptions", DeleteOptions),
]
LATER = {"VolumeAttributesClass"}
"""Kinds that are younger than the table of numbers; a kubectl that knows them in protobuf is younger too."""


@pytest.mark.parametrize(("api_version", "kind", "cls"), KINDS, ids=[f"{version}/{kind}" for version, kind, _ in KINDS])
def test_every_kind_there_and_back(api_version: str, kind: str, cls: type[Object]) -> None:
    """And the table says what our classes say: the same names, and types that they take."""
    if kind in LATER:
        with pytest.raises(protobuf.ProtobufError, match="send it as JSON"):
            protobuf.decode(
                protobuf.MAGIC + message("runtime.Unknown", {"typeMeta": {"apiVersion": api_version, "kind": kind}})
            )
        return
    plain = {"apiVersion": api_version, "kind": kind, **filled(protobuf._message_name(api_version, kind))}
    decoded = protobuf.decode(body_of(plain))
    assert decoded == plain
    codec.convert(cls, decoded)
    assert list(codec.unknown_fields(cls, decoded)) == []


def test_what_is_not_set_is_not_there() -> None:
    plain = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c", "generateName": ""}, "immutable": False}
    decoded = protobuf.decode(body_of({**plain, "data": {"empty": ""}}))
    assert decoded == {**plain, "metadata": {"name": "c"}, "data": {"empty": ""}}, (
        "but an optional false, and values of maps, are"
    )
    no_time = varint(8 << 3 | 2) + varint(0)
    assert protobuf._message("meta.v1.ObjectMeta", memoryview(no_time)) == {}


@pytest.mark.parametrize(
    ("body", "says"),
    [
        (b"", "does not begin"),
        (b"{}", "does not begin"),
        (protobuf.MAGIC, "no kind"),
        (DEPLOYMENT[:-1], "ends in the middle"),
        (DEPLOYMENT[:60], "ends in the middle"),
        (protobuf.MAGIC + b"\x0a" + b"\xff" * 11, "too long"),
        (protobuf.MAGIC + b"\x0f", "wire type 7"),
        (protobuf.MAGIC + b"\x0a\x02\x0a\x7f", "ends in the middle"),
        (protobuf.MAGIC + b"\x08\x01", "another type"),
        (DEPLOYMENT.replace(b"Deployment", b"Devloyment"), 'no kind "Devloyment" of version "apps/v1"'),
        (DEPLOYMENT.replace(b"busybox:1", b"busybox\xff1"), "UTF-8"),
    ],
)
def test_what_is_no_object_is_refused(body: bytes, says: str) -> None:
    with pytest.raises(protobuf.ProtobufError, match=says):
        protobuf.decode(body)


@given(st.binary(max_size=200))
def test_any_bytes_are_an_object_or_refused(noise: bytes) -> None:
    for body in (noise, protobuf.MAGIC + noise, DEPLOYMENT[:40] + noise, DEPLOYMENT[:90] + noise + DEPLOYMENT[90:]):
        with contextlib.suppress(protobuf.ProtobufError):
            msgspec.json.encode(protobuf.decode(body))
