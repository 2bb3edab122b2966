"""Which answers of a converting webhook count, and what is taken from them."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from apiserver.core.conversions import REVIEW_VERSION, ConversionError, converted, review_of

V1, V2 = "example.com/v1", "example.com/v2"
SENT: dict[str, Any] = {
    "apiVersion": V1,
    "kind": "Thing",
    "metadata": {"name": "a", "namespace": "n", "uid": "u", "labels": {"l": "1"}, "generation": 3},
    "spec": {"a": 1},
}
MADE: dict[str, Any] = {**SENT, "apiVersion": V2, "spec": {"b": 1}}


def answer(*objects: Any, **more: Any) -> bytes:
    response = {"uid": "q", "convertedObjects": list(objects), "result": {"status": "Success"}, **more}
    return msgspec.json.encode({"apiVersion": REVIEW_VERSION, "kind": "ConversionReview", "response": response})


def test_the_question() -> None:
    assert msgspec.json.decode(review_of([SENT], V2, "q")) == {
        "apiVersion": REVIEW_VERSION,
        "kind": "ConversionReview",
        "request": {"uid": "q", "desiredAPIVersion": V2, "objects": [SENT]},
    }


def test_what_was_converted() -> None:
    assert converted(answer(MADE), "q", [SENT], V2) == [MADE]


def test_of_the_metadata_labels_and_annotations_are_taken_alone() -> None:
    changed = {**SENT["metadata"], "labels": {"l": "2"}, "annotations": {"x": "y"}, "generation": 9, "finalizers": ["f"]}
    (found,) = converted(answer({**MADE, "metadata": changed}), "q", [SENT], V2)
    assert found["metadata"] == {**SENT["metadata"], "labels": {"l": "2"}, "annotations": {"x": "y"}}
    (bare,) = converted(answer({**MADE, "metadata": {"name": "a", "namespace": "n", "uid": "u"}}), "q", [SENT], V2)
    assert "labels" not in bare["metadata"], "they may be taken away"


@pytest.mark.parametrize(
    ("given", "says"),
    [
        (b"{", "is no ConversionReview"),
        (b"[]", "is no ConversionReview"),
        (msgspec.json.encode({"apiVersion": "v1", "kind": "Pod"}), "expected webhook response of"),
        (msgspec.json.encode({"apiVersion": REVIEW_VERSION, "kind": "ConversionReview"}), "has no response"),
        (answer(MADE, uid="other"), 'expected response.uid="q"'),
        (answer(MADE, result={"status": "Failed", "message": "cannot"}), "cannot"),
        (answer(MADE, result={}), 'not "Success"'),
        (answer(), "expected 1 converted objects, got 0"),
        (answer(MADE, MADE), "expected 1 converted objects, got 2"),
        (answer(SENT), "has apiVersion"),
        (answer({**MADE, "kind": "Other"}), "has kind"),
        (answer({**MADE, "metadata": None}), "has no metadata"),
        (answer({**MADE, "metadata": {**SENT["metadata"], "uid": "v"}}), "metadata.uid"),
    ],
)
def test_answers_that_do_not_count(given: bytes, says: str) -> None:
    with pytest.raises(ConversionError, match=says):
        converted(given, "q", [SENT], V2)
