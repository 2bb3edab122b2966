"""JSONPath templates against the results that kubectl gives."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest

from apimachinery import jsonpath

DATA: dict[str, Any] = {
    "kind": "List",
    "items": [
        {
            "kind": "Node",
            "metadata": {"name": "a", "labels": {"app.io/x": "1"}},
            "status": {
                "addresses": [{"type": "IP", "address": "1.1.1.1"}, {"type": "Hostname", "address": "ha"}],
                "ready": True,
                "n": 3,
            },
        },
        {
            "kind": "Node",
            "metadata": {"name": "b"},
            "status": {"addresses": [{"type": "IP", "address": "2.2.2.2"}], "ready": False, "n": 7},
        },
        {"kind": "Pod", "metadata": {"name": "c"}},
    ],
}


@dataclass(frozen=True)
class Case:
    id: str
    template: str
    want: str


CASES = (
    Case("text alone", "hello", "hello"),
    Case("field", "{.kind}", "List"),
    Case("the leading dot of a path may follow a dollar", "{$.kind}", "List"),
    Case("the object itself", "{@.kind}", "List"),
    Case("text around", "kind is {.kind}", "kind is List"),
    Case("wildcard", "{.items[*].metadata.name}", "a b c"),
    Case("index", "{.items[0].metadata.name}", "a"),
    Case("index from the end", "{.items[-1].metadata.name}", "c"),
    Case("slice", "{.items[0:2].metadata.name}", "a b"),
    Case("slice from the end", "{.items[-2:].metadata.name}", "b c"),
    Case("slice with a step", "{.items[0:3:2].metadata.name}", "a c"),
    Case("several indexes", "{.items[0,2].metadata.name}", "a c"),
    Case("several names", "{.items[*]['metadata.name','kind']}", "Node Node Pod"),
    Case("quoted key", "{.items[0].metadata.labels['app.io/x']}", "1"),
    Case("escaped dot", r"{.items[0].metadata.labels.app\.io/x}", "1"),
    Case("recursive", "{..name}", "a b c"),
    Case("filter by text", '{.items[?(@.kind=="Pod")].metadata.name}', "c"),
    Case("filter by number", "{.items[?(@.status.n>3)].metadata.name}", "b"),
    Case("filter by boolean", "{.items[?(@.status.ready==true)].metadata.name}", "a"),
    Case("filter by presence", "{.items[?(@.status)].metadata.name}", "a b"),
    Case("filter that is not", '{.items[?(@.kind!="Pod")].metadata.name}', "a b"),
    Case("filter within", '{.items[*].status.addresses[?(@.type=="IP")].address}', "1.1.1.1 2.2.2.2"),
    Case("range", '{range .items[*]}{.metadata.name}={.kind}{"\\n"}{end}', "a=Node\nb=Node\nc=Pod\n"),
    Case("range within range", "{range .items[*]}{range .status.addresses[*]}{.address},{end};{end}", "1.1.1.1,ha,;2.2.2.2,;;"),
    Case("quoted text", "{.kind}{'\\t'}{.kind}", "List\tList"),
    Case("an object is JSON", "{.items[1].metadata}", '{"name":"b"}'),
    Case("a boolean", "{.items[1].status.ready}", "false"),
    Case("missing is empty", "{.nothing.at.all}", ""),
    Case("out of range is empty", "{.items[9].kind}", ""),
)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)
def test_render(case: Case) -> None:
    assert jsonpath.render(case.template, DATA) == case.want


@pytest.mark.parametrize(
    "template",
    ["{.a", "{range .items[*]}", "{end}", "{.a[}", "{.a[x]}", "{'a}", "{.a[0:1:0]}", "{.a b}", "{.items[?(@.x==]}"],
)
def test_malformed(template: str) -> None:
    with pytest.raises(jsonpath.JsonPathError):
        jsonpath.parse(template)


def test_missing_key_is_an_error_when_asked() -> None:
    with pytest.raises(jsonpath.JsonPathError, match="nothing is not found"):
        jsonpath.render("{.nothing}", DATA, allow_missing=False)


@pytest.mark.parametrize("expression", ["metadata.name", ".metadata.name", "{.metadata.name}", "{metadata.name}"])
def test_relaxed(expression: str) -> None:
    assert jsonpath.find(jsonpath.relaxed(expression), {"metadata": {"name": "x"}}) == ["x"]


def test_relaxed_refuses_half_a_brace() -> None:
    with pytest.raises(jsonpath.JsonPathError):
        jsonpath.relaxed("{.a")
