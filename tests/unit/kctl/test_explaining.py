"""What `kctl explain` makes of an OpenAPI v3 document."""

from __future__ import annotations

from typing import Any

import pytest

from kctl.errors import KctlError
from kctl.explaining import explain

PREFIX = "#/components/schemas/"
TREE = {
    "type": "object",
    "description": "A tree of some height, which is described in a sentence so long that it is put on two lines or more.",
    "required": ["spec"],
    "properties": {
        "kind": {"type": "string"},
        "spec": {"allOf": [{"$ref": f"{PREFIX}x.TreeSpec"}], "x-kubernetes-patch-strategy": "retainKeys"},
    },
    "x-kubernetes-group-version-kind": [{"group": "woods", "version": "v1", "kind": "Tree"}],
}
SPEC = {
    "type": "object",
    "description": "How the tree grows.",
    "properties": {
        "branches": {"type": "array", "items": {"$ref": f"{PREFIX}x.Branch"}},
        "height": {"$ref": f"{PREFIX}x.Quantity"},
        "labels": {"type": "object", "additionalProperties": {"type": "string"}},
        "limits": {"type": "object", "additionalProperties": {"$ref": f"{PREFIX}x.Quantity"}},
        "planted": {"$ref": f"{PREFIX}x.Time"},
        "season": {"type": "string", "enum": ["summer", "winter"], "description": "When it is."},
        "whatever": {"type": "object"},
    },
}
BRANCH = {
    "type": "object",
    "required": ["length"],
    "properties": {
        "length": {"type": "integer", "format": "int32"},
        "branches": {"type": "array", "items": {"$ref": f"{PREFIX}x.Branch"}},
    },
}
DOCUMENT = {
    "components": {
        "schemas": {
            "x.Tree": TREE,
            "x.TreeSpec": SPEC,
            "x.Branch": BRANCH,
            "x.Quantity": {"oneOf": [{"type": "string"}, {"type": "number"}]},
            "x.Time": {"type": "string", "format": "date-time"},
        }
    }
}


def told(*path: str, recursive: bool = False) -> str:
    return "\n".join(explain(DOCUMENT, ("woods", "v1", "Tree"), path, recursive=recursive))


def test_a_kind() -> None:
    assert told() == (
        "GROUP:      woods\n"
        "KIND:       Tree\n"
        "VERSION:    v1\n"
        "\n"
        "DESCRIPTION:\n"
        "    A tree of some height, which is described in a sentence so long that it is\n"
        "    put on two lines or more.\n"
        "\n"
        "FIELDS:\n"
        "  kind\t<string>\n"
        "    <no description>\n"
        "\n"
        "  spec\t<TreeSpec> -required-\n"
        "    How the tree grows.\n"
    )


def test_a_field_without_fields() -> None:
    text = told("spec", "season")
    assert "FIELD: season <string>\n\nENUM:\n    summer\n    winter\n\nDESCRIPTION:\n    When it is.\n" in text
    assert "FIELDS:" not in text


def test_everything_below_opens_no_type_within_itself() -> None:
    assert told("spec", recursive=True).partition("FIELDS:\n")[2] == (
        "  branches\t<[]Branch>\n"
        "    branches\t<[]Branch>\n"
        "    length\t<integer> -required-\n"
        "  height\t<Quantity>\n"
        "  labels\t<map[string]string>\n"
        "  limits\t<map[string]Quantity>\n"
        "  planted\t<string>\n"
        "  season\t<string>\n"
        "  whatever\t<Object>\n"
    )


def test_through_lists() -> None:
    assert "FIELD: length <integer>" in told("spec", "branches", "branches", "length")


@pytest.mark.parametrize("path", [("nope",), ("spec", "nope"), ("kind", "nope")], ids=".".join)
def test_no_such_field(path: tuple[str, ...]) -> None:
    with pytest.raises(KctlError, match='field "nope" does not exist'):
        told(*path)


@pytest.mark.parametrize("document", [{}, {"components": {}}, DOCUMENT], ids=["empty", "no schemas", "another kind"])
def test_no_such_kind(document: dict[str, Any]) -> None:
    with pytest.raises(KctlError, match="does not describe Bush of woods/v1"):
        list(explain(document, ("woods", "v1", "Bush"), (), recursive=False))
