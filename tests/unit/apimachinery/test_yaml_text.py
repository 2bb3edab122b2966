"""YAML that says exactly what the data are, to readers of YAML 1.1 and 1.2 alike."""

from __future__ import annotations

from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from apimachinery.yaml_text import plain_scalar, to_yaml
from apiserver.core.bodies import yaml_to_json

TEXTS = (
    "yes",
    "no",
    "on",
    "true",
    "null",
    "~",
    "",
    "007",
    "0x1f",
    "1_000",
    "1e3",
    ".5",
    "12:30:45",
    "2026-01-01",
    "- a",
    "a: b",
    "#",
)


@pytest.mark.parametrize("text", TEXTS)
def test_texts_stay_texts(text: str) -> None:
    written = to_yaml({"k": text})
    assert yaml.safe_load(written) == {"k": text}
    assert plain_scalar(text) is text or '"' in written


@given(
    st.recursive(
        st.one_of(
            st.none(), st.booleans(), st.integers(-(1 << 53), 1 << 53), st.text(st.characters(codec="utf-8"), max_size=12)
        ),
        lambda inner: st.one_of(
            st.lists(inner, max_size=3), st.dictionaries(st.text("abc.-/ä:#y", max_size=6), inner, max_size=3)
        ),
        max_leaves=8,
    )
)
def test_what_is_written_is_read(value: Any) -> None:
    import json

    body, doubled = yaml_to_json(to_yaml({"k": value}).encode())
    assert (json.loads(body), doubled) == ({"k": value}, [])
