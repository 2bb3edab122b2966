"""Label selectors from text and from structs."""

from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apimachinery import labels
from apimachinery.kinds import LabelSelector
from apimachinery.kinds.meta import LabelSelectorRequirement

WEB = {"app": "web", "tier": "front", "n": "5", "empty": ""}


@dataclass(frozen=True)
class Row:
    text: str
    matches: bool
    labels: dict[str, str] = field(default_factory=lambda: WEB)


ROWS = (
    Row("", True),
    Row("app=web", True),
    Row("app==web", True),
    Row(" app = web ", True),
    Row("app=db", False),
    Row("app!=db", True),
    Row("missing!=x", True),
    Row("missing=x", False),
    Row("app", True),
    Row("missing", False),
    Row("!missing", True),
    Row("!app", False),
    Row("app in (web,db)", True),
    Row("app in (db)", False),
    Row("app notin (db)", True),
    Row("missing notin (db)", True),
    Row("app=web,tier=front", True),
    Row("app=web,tier=back", False),
    Row("empty=", True),
    Row("empty in (,x)", True),
    Row("n>4", True),
    Row("n<4", False),
    Row("app>4", False),
    Row("in in (x)", True, {"in": "x"}),
    Row("example.com/app=web", True, {"example.com/app": "web"}),
)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.text or "everything")
def test_matches(row: Row) -> None:
    selector = labels.parse(row.text)
    assert selector.matches(row.labels) is row.matches
    assert labels.parse(str(selector)).matches(row.labels) is row.matches


@pytest.mark.parametrize(
    "text",
    [
        "a,",
        ",a",
        "a,,b",
        "a=b=c",
        "a in",
        "a in b",
        "a in (b",
        "a b",
        "=x",
        "!",
        "!a=b",
        "a>b",
        "-a=b",
        "a/b/c=d",
        "a=b\x0ac",
        "A_/x=1",
    ],
)
def test_refused(text: str) -> None:
    with pytest.raises(labels.SelectorError):
        labels.parse(text)


def test_of_a_struct() -> None:
    expression = LabelSelectorRequirement(key="tier", operator="NotIn", values=["back"])
    selector = labels.from_struct(LabelSelector(match_labels={"app": "web"}, match_expressions=[expression]))
    assert selector.matches(WEB)
    assert not selector.matches({"app": "web", "tier": "back"})
    assert labels.from_struct(None) == labels.NOTHING
    assert not labels.from_struct(None).matches({})
    assert labels.from_struct(LabelSelector()).matches({})


def test_of_a_struct_with_an_unknown_operator() -> None:
    expression = LabelSelectorRequirement(key="tier", operator="Gt", values=["1"])
    with pytest.raises(labels.SelectorError, match="Gt"):
        labels.from_struct(LabelSelector(match_expressions=[expression]))


@pytest.mark.parametrize("value", ["a\n", "-a", "a-", "a" * 64, "a b", "ä"])
def test_values_that_no_label_may_have(value: str) -> None:
    assert not labels.is_label_value(value)


NAMES = st.from_regex(r"[a-z0-9]([-a-z0-9]{0,8}[a-z0-9])?", fullmatch=True)


@given(st.dictionaries(NAMES, NAMES, max_size=4), st.dictionaries(NAMES, NAMES, max_size=4))
def test_a_map_selects_exactly_its_supersets(wanted: dict[str, str], present: dict[str, str]) -> None:
    selector = labels.from_map(wanted)
    assert selector.matches(present) == (wanted.items() <= present.items())
    assert selector.matches({**present, **wanted})
    assert labels.parse(str(selector)) == selector


@pytest.mark.parametrize(
    ("text", "want"),
    [
        ("a=b", ("a", "b")),
        ("a in (b)", ("a", "b")),
        ("x,!y,a==b,c=d", ("a", "b")),
        ("a=", ("a", "")),
        ("", None),
        ("a", None),
        ("a!=b", None),
        ("a in (b,c)", None),
        ("a notin (b)", None),
    ],
)
def test_the_one_value_that_a_label_must_have(text: str, want: tuple[str, str] | None) -> None:
    assert labels.parse(text).exact() == want
