"""Reading manifests: what YAML's scalars mean, and what is refused, with file, document and line."""

from __future__ import annotations

from typing import Any

import pytest

from kctl import manifests

SCALARS: tuple[tuple[str, Any], ...] = (
    *((text, True) for text in ("yes", "on", "true", "True")),
    *((text, False) for text in ("no", "Off", "false")),
    *((text, None) for text in ("", "~", "null")),
    *(
        (text, text)
        for text in ("y", "n", "12:30:45", "2026-01-31", "2026-01-31T12:00:00Z", "1.2.3", "100m", "-", "0x", "1e999")
    ),
    ("5", 5),
    ("-5", -5),
    ("0644", 420),
    ("0o644", 420),
    ("0x1F", 31),
    ("1_000", 1000),
    ("1e3", 1000),
    ("1.0", 1),
    ("1.5", 1.5),
    (".5", 0.5),
)


@pytest.mark.parametrize(("text", "want"), SCALARS, ids=[text or "empty" for text, _ in SCALARS])
def test_plain_scalar(text: str, want: Any) -> None:
    got = manifests.plain_scalar(text)
    assert (got, type(got)) == (want, type(want))


def only(text: str) -> Any:
    documents = manifests.parse(text, "x.yaml")
    assert len(documents) == 1
    return documents[0].body


def test_quoted_scalars_are_strings() -> None:
    assert only("a: 'yes'\nb: \"5\"\nc: !!str 7\nd: |\n  1\n") == {"a": "yes", "b": "5", "c": "7", "d": "1\n"}


def test_keys_become_strings() -> None:
    assert only("80: a\ntrue: b\n1.5: c\n") == {"80": "a", "true": "b", "1.5": "c"}


def test_aliases_and_merges() -> None:
    assert only("a: &x {p: 1, q: 2}\nb: *x\nc: {<<: *x, q: 3}\n")["c"] == {"p": 1, "q": 3}


def test_documents_and_empty_ones() -> None:
    text = "---\n# nothing\n---\na: 1\n---\n---\nb: 2\n"
    found = manifests.parse(text, "x.yaml")
    assert [(each.body, each.index) for each in found] == [({"a": 1}, 2), ({"b": 2}, 4)]
    assert found[1].place == '"x.yaml" (document 4)'


def test_json_documents() -> None:
    assert [each.body for each in manifests.parse('{"a": 1}\n{"b": [true, null]}', "x.json")] == [{"a": 1}, {"b": [True, None]}]


BOMB = "a: &a [x,x,x,x,x,x,x,x,x]\n" + "".join(
    f"{chr(98 + n)}: &{chr(98 + n)} [{','.join(['*' + chr(97 + n)] * 9)}]\n" for n in range(8)
)

REFUSED = (
    ("a key given twice", "a: 1\nb: 2\na: 3\n", r'document 1: line 3: key "a" already set in map'),
    ("a bad indentation", "a: 1\n---\nb:\n  c: 1\n d: 2\n", r"document 2: line 5"),
    ("a tab", "a:\n\tb: 1\n", r"line 2"),
    ("an unknown tag", "a: !python/object:os.system x\n", r"line 1: tag !python/object:os.system is not supported"),
    ("infinity", "a: .inf\n", r"line 1: .inf cannot be written as JSON"),
    ("an anchor within itself", "a: &a [*a]\n", r"an anchor contains itself"),
    ("an alias bomb", BOMB, r"aliases are expanded too often"),
    ("an unknown alias", "a: *b\n", r"line 1"),
    ("deep nesting", "[" * 100_000, r"nested too deeply|line 1"),
    ("a JSON key given twice", '{"a": 1, "a": 2}', r'key "a" is given twice'),
    ("JSON's NaN", '{"a": NaN}', r"NaN is no JSON number"),
)


@pytest.mark.parametrize(("text", "message"), [row[1:] for row in REFUSED], ids=[row[0] for row in REFUSED])
def test_refused(text: str, message: str) -> None:
    with pytest.raises(manifests.ManifestError, match=message) as caught:
        list(manifests.parse(text, "web.yaml"))
    assert "web.yaml" in str(caught.value)


OBJECTS = (
    ("no kind", "apiVersion: v1\n", "kind not set"),
    ("no apiVersion", "kind: Pod\n", "apiVersion not set"),
    ("a list", "- a\n", "expected an object, found a list"),
    ("metadata of the wrong type", "apiVersion: v1\nkind: Pod\nmetadata: x\n", "metadata: expected an object, found a string"),
)


@pytest.mark.parametrize(("text", "message"), [row[1:] for row in OBJECTS], ids=[row[0] for row in OBJECTS])
def test_not_an_object(text: str, message: str) -> None:
    with pytest.raises(manifests.ManifestError, match=message):
        list(manifests.objects(manifests.parse(text, "x.yaml")))


def test_lists_are_opened() -> None:
    text = "apiVersion: v1\nkind: List\nitems: [{apiVersion: v1, kind: Pod}, {apiVersion: v1, kind: Node}]"
    assert [each.body["kind"] for each in manifests.objects(manifests.parse(text, "x"))] == ["Pod", "Node"]
