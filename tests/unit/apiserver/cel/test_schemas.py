"""Values and types by a schema, and the authorizer's values."""

from typing import Any

import pytest

from apiserver import cel
from apiserver.cel import types
from apiserver.cel.budget import CALL_LIMIT
from apiserver.cel.library.authorization import CHECK_COST, AuthorizerValue, Subject, Verdict
from apiserver.cel.schemas import type_of, typed

SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {
        "spec": {
            "type": "object",
            "properties": {
                "ratio": {"type": "number"},
                "count": {"type": "integer"},
                "since": {"type": "string", "format": "date-time"},
                "wait": {"type": "string", "format": "duration"},
                "key": {"type": "string", "format": "byte"},
                "port": {"x-kubernetes-int-or-string": True},
                "names": {"type": "array", "items": {"type": "string"}},
                "limits": {"type": "object", "additionalProperties": {"type": "number"}},
                "anything": {"type": "object", "x-kubernetes-preserve-unknown-fields": True},
                "foo-bar": {"type": "boolean"},
            },
        }
    },
}
VALUE = {
    "spec": {
        "ratio": 1,
        "count": 2,
        "since": "2024-01-01T00:00:00Z",
        "wait": "5m",
        "key": "aGk=",
        "port": 80,
        "names": ["a"],
        "limits": {"x": 3},
        "anything": {"a": [1]},
        "foo-bar": True,
        "unknown": 1,
    }
}
HOLDS = (
    "self.spec.ratio / 2.0 == 0.5",
    "self.spec.count / 2 == 1",
    "self.spec.since.getFullYear() == 2024",
    "self.spec.wait == duration('300s')",
    "self.spec.key == b'hi'",
    "self.spec.port == 80",
    "self.spec.port == '80' || true",
    "self.spec.names.join(',') == 'a'",
    "self.spec.limits.x + 0.5 == 3.5",
    "self.spec.limits.all(name, self.spec.limits[name] > 2.0)",
    "self.spec.anything.a[0] == 1",
    "self.spec.foo__dash__bar",
    "self.metadata.name == 'x' || true",
)
REFUSED = (
    ("self.spec.missing == 1", "undefined field 'missing'"),
    ("self.spec.ratio + 1 == 1.0", "'_+_' applied to '(double, int)'"),
    ("self.spec.names == 'a'", "'_==_' applied to '(list(string), string)'"),
    ("self.spec.names.exists(n, n > 1)", "'_>_' applied to '(string, int)'"),
    ("self.metadata.labels == {}", "undefined field 'labels'"),
    ("self.spec.since", "must evaluate to bool"),
)


@pytest.mark.parametrize("rule", HOLDS)
def test_values_are_what_the_schema_means(rule: str) -> None:
    assert cel.compile(rule, {"self": type_of(SCHEMA, root=True)}).evaluate({"self": typed(VALUE, SCHEMA)}) is True


@pytest.mark.parametrize(("rule", "problem"), REFUSED)
def test_rules_are_checked_against_the_schema(rule: str, problem: str) -> None:
    with pytest.raises(cel.CompileError) as caught:
        cel.compile(rule, {"self": type_of(SCHEMA, root=True)})
    assert problem in str(caught.value)


def test_what_does_not_fit_the_schema_stays() -> None:
    odd = {"spec": {"ratio": "x", "since": "yesterday", "names": {"a": 1}, "wait": 5, "key": "!", "count": 1.5}}
    assert typed(odd, SCHEMA) == odd


def test_two_schemas_of_one_shape_are_told_apart() -> None:
    first = types.record("object", {"items": types.list_of(types.record("object", {"a": types.INT}))})
    second = types.record("object", {"items": types.list_of(types.record("object", {"b": types.INT}))})
    assert cel.compile("self.items.all(i, i.a == 1)", {"self": first})
    with pytest.raises(cel.CompileError):
        cel.compile("self.items.all(i, i.a == 1)", {"self": second})


def test_the_authorizer_is_asked_what_the_expression_says() -> None:
    asked: list[Subject] = []

    def ask(subject: Subject) -> Verdict:
        asked.append(subject)
        return Verdict(subject.verb == "get", "because")

    values = {"authorizer": AuthorizerValue(ask)}
    chain = "authorizer.group('apps').resource('deployments').subresource('scale').namespace('n').name('web').check('get')"
    budget = cel.Budget()
    assert cel.compile(f"{chain}.allowed() && {chain}.reason() == 'because'", {"authorizer"}).evaluate(values, budget) is True
    assert asked[0] == Subject(verb="get", group="apps", resource="deployments", subresource="scale", namespace="n", name="web")
    assert budget.left <= cel.TOTAL_LIMIT - 2 * CHECK_COST
    assert cel.compile("authorizer.path('/healthz').check('post').allowed()", {"authorizer"}).evaluate(values) is False
    account = "authorizer.serviceAccount('n', 'sa').group('').resource('pods').check('get').allowed()"
    assert cel.compile(account, {"authorizer"}).evaluate(values) is True
    assert asked[-1].service_account == ("n", "sa")
    many = f"[{', '.join(['0'] * (CALL_LIMIT // CHECK_COST + 1))}].all(x, authorizer.path('/').check('get').allowed())"
    with pytest.raises(cel.BudgetError):
        cel.compile(many, {"authorizer"}).evaluate(values)


LISTS: dict[str, Any] = {
    "type": "object",
    "properties": {
        "plain": {"type": "array", "items": {"type": "integer"}},
        "set": {"type": "array", "items": {"type": "integer"}, "x-kubernetes-list-type": "set"},
        "keyed": {
            "type": "array",
            "items": {"type": "object", "properties": {"name": {"type": "string"}, "n": {"type": "integer"}}},
            "x-kubernetes-list-type": "map",
            "x-kubernetes-list-map-keys": ["name"],
        },
    },
}
ONE = {"plain": [1, 2], "set": [1, 2], "keyed": [{"name": "a", "n": 1}, {"name": "b", "n": 2}]}
OTHER = {"plain": [2, 1], "set": [2, 1], "keyed": [{"name": "b", "n": 2}, {"name": "a", "n": 1}]}
LIST_RULES = (
    "self.plain != oldSelf.plain",
    "self.set == oldSelf.set",
    "self.keyed == oldSelf.keyed",
    "self == {'plain': [1, 2], 'set': [2, 1], 'keyed': oldSelf.keyed}",
    "self.set == [2, 1] && [2, 1] == self.set && self.set != [1, 3] && self.set != [1]",
    "self.keyed != [{'name': 'a', 'n': 1}, {'name': 'b', 'n': 3}]",
    "self.keyed != [{'name': 'a', 'n': 1}, {'name': 'c', 'n': 2}]",
    "self.set + [2, 3] == [1, 2, 3]",
    "(self.keyed + [{'name': 'b', 'n': 5}, {'name': 'c', 'n': 6}]).map(e, e.n) == [1, 5, 6]",
    "self.plain + self.set == [1, 2, 1, 2]",
    "self.set.all(e, e in oldSelf.set) && self.set[0] == 1 && self.set.size() == 2 && self.set.sum() == 3",
    "self.keyed.exists(e, e.name == 'b') && self.keyed.filter(e, e.n > 1).size() == 1",
    "type(self.set) == list && self.set in [[2, 1]]",
)


@pytest.mark.parametrize("rule", LIST_RULES)
def test_lists_are_what_their_schema_says(rule: str) -> None:
    kind = type_of(LISTS)
    program = cel.compile(rule.replace("self == {", "dyn(self) == {"), {"self": kind, "oldSelf": kind})
    assert program.evaluate({"self": typed(ONE, LISTS), "oldSelf": typed(OTHER, LISTS)}) is True
