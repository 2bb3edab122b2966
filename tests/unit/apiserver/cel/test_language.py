"""The language itself: what expressions come to, and what is wrong with them."""

import math
from contextlib import suppress
from dataclasses import dataclass
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apiserver import cel
from apiserver.cel import types, values
from apiserver.cel.values import INT_MAX, INT_MIN, Uint

OBJECT = {
    "metadata": {"name": "web", "labels": {"app": "web", "tier.example.com/x": "1"}, "namespace": "default"},
    "spec": {
        "replicas": 3,
        "ratio": 1.0,
        "paused": False,
        "nothing": None,
        "ports": [{"port": 80}, {"port": 443}],
        "foo-bar": 7,
    },
}


def evaluate(expression: str, **more: object) -> object:
    return cel.compile(expression, {"object", *more}, result=cel.ANY).evaluate({"object": OBJECT, **more})


VALUES = (
    # literals
    ("1", 1),
    ("-1", -1),
    ("0x1F", 31),
    ("-9223372036854775808", INT_MIN),
    ("7u", Uint(7)),
    ("1.5e3", 1500.0),
    (".5", 0.5),
    ("'a\\n\\x41\\u00e9\\101'", "a\nAéA"),
    ('r"a\\n"', "a\\n"),
    ("'''a'b'''", "a'b"),
    ("b'a\\xff'", b"a\xff"),
    ("[1, 2,]", [1, 2]),
    ("{'a': 1, 'b': [2]}", {"a": 1, "b": [2]}),
    ("null", None),
    ("true", True),
    ("1 + 2 // note\n + 3", 6),
    ("[1, ?optional.none(), ?optional.of(3)]", [1, 3]),
    ("{?'a': object.?x, 'b': 1}", {"b": 1}),
    # arithmetic
    ("1 + 2 * 3 - 4", 3),
    ("7 / 2", 3),
    ("-7 / 2", -3),
    ("-7 % 3", -1),
    ("7 % -3", 1),
    ("7.0 / 2.0", 3.5),
    ("1.0 / 0.0", math.inf),
    ("'a' + 'b'", "ab"),
    ("[1] + [2]", [1, 2]),
    ("b'a' + b'b'", b"ab"),
    ("2u + 3u", Uint(5)),
    ("-(2)", -2),
    ("--3", 3),
    ("9007199254740993 % 10", 3),
    # comparison
    ("1 < 2 && 2 <= 2 && 3 > 2 && 3 >= 3", True),
    ("1 < 1.5", True),
    ("'a' < 'b'", True),
    ("false < true", True),
    ("dyn(1) == 1.0", True),
    ("dyn(1) == 1u", True),
    ("dyn(true) == 1", False),
    ("dyn([true]) == [1]", False),
    ("[1, 2] == [1, 2]", True),
    ("object.spec.nothing == null", True),
    ("'x' == dyn(1)", False),
    ("0.0 / 0.0 == 0.0 / 0.0", False),
    ("0.0 / 0.0 < 1.0", False),
    ("1 in [1, 2]", True),
    ("'b' in {'a': 1}", False),
    ("1.0 in [dyn(1)]", True),
    # logic
    ("true || object.none", True),
    ("object.none || true", True),
    ("false && object.none", False),
    ("object.none && false", False),
    ("true ? 1 : object.none", 1),
    ("!true", False),
    ("!!true", True),
    # fields
    ("object.metadata.name", "web"),
    ("object.metadata.namespace", "default"),
    ("object.metadata.__namespace__", "default"),
    ("object.spec.foo__dash__bar", 7),
    ("object.spec.`foo-bar`", 7),
    ("object['spec']['replicas']", 3),
    ("object.metadata.labels['tier.example.com/x']", "1"),
    ("object.spec.ports[1].port", 443),
    ("object.spec.ports[1.0].port", 443),
    ("has(object.spec.replicas)", True),
    ("has(object.spec.none)", False),
    ("has(object.spec.nothing)", True),
    ("has(object.spec.foo__dash__bar)", True),
    # macros
    ("object.spec.ports.all(p, p.port > 0)", True),
    ("object.spec.ports.exists(p, p.port == 443)", True),
    ("[1, 1].exists_one(x, x == 1)", False),
    ("[1, 2].existsOne(x, x == 1)", True),
    ("object.spec.ports.map(p, p.port)", [80, 443]),
    ("[1, 2, 3].map(x, x > 1, x * x)", [4, 9]),
    ("[1, 2, 3].filter(x, x != 2)", [1, 3]),
    ("[].all(x, x)", True),
    ("[].exists(x, x)", False),
    ("{'a': 1}.map(k, k)", ["a"]),
    ("{'a': 1}.all(k, v, k == 'a' && v == 1)", True),
    ("[5, 6].exists(i, v, i == 1 && v == 6)", True),
    ("[5, 6].existsOne(i, v, v > 5)", True),
    ("[5, 6].transformList(i, v, i + v)", [5, 7]),
    ("[5, 6].transformList(i, v, i > 0, v)", [6]),
    ("{'a': 1}.transformMap(k, v, v + 1)", {"a": 2}),
    ("[5, 6].transformMap(i, v, v > 5, v)", {1: 6}),
    ("{'a': 'b'}.transformMapEntry(k, v, {v: k})", {"b": "a"}),
    ("[1, 0].exists(x, 1 / x == 1)", True),
    ("[0, 1].exists(x, 1 / x == 1)", True),
    ("[0, 1].all(x, 1 / x == 2)", False),
    ("[1, 2].map(x, [3, 4].map(y, x * y))", [[3, 4], [6, 8]]),
    ("[1].map(x, [2].map(x, x))", [[2]]),
    ("cel.bind(x, 2, x * cel.bind(y, x + 1, y))", 6),
    ("['bb', 'a'].sortBy(x, x.size())", ["a", "bb"]),
    ("[1, 2].map(object, object + 1)", [2, 3]),
    # optionals
    ("object.?spec.?none.orValue(5)", 5),
    ("object.?spec.replicas.orValue(5)", 3),
    ("object.spec.ports[?7].hasValue()", False),
    ("object.metadata.labels[?'app'].value()", "web"),
    ("optional.of(1).or(optional.of(2)).value()", 1),
    ("optional.none().orValue(2)", 2),
    ("optional.of(1).orValue(1 / 0)", 1),
    ("object.?spec.optMap(s, s.replicas + 1).value()", 4),
    ("object.?none.optMap(s, s.x).hasValue()", False),
    ("object.?spec.optFlatMap(s, s.?none).hasValue()", False),
    ("optional.ofNonZeroValue(0).hasValue()", False),
    ("object.?spec.ports[0].port.value()", 80),
    ("has(object.?spec.replicas)", True),
    ("[optional.of(1), optional.none()].unwrapOpt()", [1]),
    ("optional.of(1) == optional.of(1)", True),
    # types
    ("type(1) == int", True),
    ("type(object) == map", True),
    ("type(null) == null_type", True),
    ("type('a') != type(1)", True),
    ("type(type(1)) == type", True),
    ("type(timestamp('2020-01-01T00:00:00Z')) == google.protobuf.Timestamp", True),
)


@pytest.mark.parametrize(("expression", "want"), VALUES, ids=[row[0] for row in VALUES])
def test_value(expression: str, want: object) -> None:
    found = evaluate(expression)
    assert found == want
    assert type(found) is type(want)


REFUSED = (
    ("", "Syntax error"),
    ("1 +", "1:4: Syntax error: unexpected '<EOF>'"),
    ("1 1", "1:3: Syntax error: unexpected '1' expecting <EOF>"),
    ("'a", "token recognition error at: '''"),
    ("'\\q'", "unknown escape"),
    ("a = b", "token recognition error at: '='"),
    ("object.spec\n  && nothing", "2:6: undeclared reference to 'nothing' (in container '')"),
    ("missing(1)", "undeclared reference to 'missing'"),
    ("object.missing()", "undeclared reference to 'missing'"),
    ("'a' + 1", "found no matching overload for '_+_' applied to '(string, int)'"),
    ("1 == 'a'", "found no matching overload for '_==_' applied to '(int, string)'"),
    ("1 == 1.0", "found no matching overload for '_==_' applied to '(int, double)'"),
    ("1 < 'a'", "'_<_' applied to '(int, string)'"),
    ("'a'.size(1)", "found no matching overload for 'size' applied to 'string.(int)'"),
    ("size(1)", "found no matching overload for 'size' applied to '(int)'"),
    ("!1", "'!_' applied to '(int)'"),
    ("1 && true", "'_&&_' applied to '(int)'"),
    ("1 ? 2 : 3", "'_?_:_' applied to '(int)'"),
    ("'a'.b", "type 'string' does not support field selection"),
    ("[1].all(x, x)", "found no matching overload for 'all' applied to '(int)'"),
    ("b'\\u0041'", "unicode escapes cannot stand in bytes"),
    ("(1).all(x, true)", "expression of type 'int' cannot be range of a comprehension"),
    ("[1].all(1, true)", "argument must be a simple name"),
    ("has(object)", "invalid argument to has() macro"),
    ("9223372036854775808", "invalid int literal"),
    ("while", "reserved identifier: while"),
    ("Object{spec: 1}", "undeclared reference to 'Object'"),
    ("variables.b == 1", "undefined field 'b'"),
    ("variables.a + 'x'", "'_+_' applied to '(int, string)'"),
    ("'a'.matches('(')", "invalid matches argument: error parsing regexp"),
    ("duration('1 day')", "invalid duration argument"),
    ("timestamp('now')", "invalid timestamp argument"),
    ("1 in 1", "'@in' applied to '(int, int)'"),
    ("(" * 70 + "1" + ")" * 70, "expression recursion limit exceeded"),
    ("1" + " + 1" * 300, "expression recursion limit exceeded"),
    ("object" + ".x" * 300, "expression recursion limit exceeded"),
    (" " * 100_001, "expression code point size exceeds limit"),
)


@pytest.mark.parametrize(("expression", "problem"), REFUSED, ids=[row[0][:40] for row in REFUSED])
def test_refused_when_compiled(expression: str, problem: str) -> None:
    variables = {"object": types.DYN, "variables": types.record("variables", {"a": types.INT})}
    with pytest.raises(cel.CompileError) as caught:
        cel.compile(expression, variables, result=cel.ANY)
    assert problem in str(caught.value)


def test_the_error_points_at_the_place() -> None:
    with pytest.raises(cel.CompileError) as caught:
        cel.compile("object.x > 1 &&\n  other", {"object"})
    want = "ERROR: <input>:2:3: undeclared reference to 'other' (in container '')\n |   other\n | ..^"
    assert str(caught.value) == want


@pytest.mark.parametrize(
    ("expression", "result", "problem"),
    [
        ("1", cel.BOOL, "must evaluate to bool"),
        ("true", cel.STRING, "must evaluate to string"),
        ("true", (types.STRING, types.NULL), "must evaluate to one of [string null_type]"),
    ],
)
def test_the_result_has_its_type(expression: str, result: cel.ResultType, problem: str) -> None:
    with pytest.raises(cel.CompileError, match=problem.replace("[", r"\[")):
        cel.compile(expression, (), result=result)


def test_a_result_that_only_its_value_betrays() -> None:
    program = cel.compile("object", {"object"})
    assert program.evaluate({"object": True}) is True
    with pytest.raises(cel.EvaluationError, match="of type int, must be bool"):
        program.evaluate({"object": 1})


FAILING = (
    ("object.spec.none", "no such key: none"),
    ("object['none']", "no such key: none"),
    ("object.spec.ports[2]", "index out of bounds: 2"),
    ("object.spec.ports[-1]", "index out of bounds: -1"),
    ("object.spec.nothing.x", "no such overload"),
    ("object.spec.replicas + 'a'", "no such overload"),
    ("object.spec.replicas + object.spec.ratio", "no such overload"),
    ("object.spec.replicas < object.metadata.name", "no such overload"),
    ("object.spec.replicas && true", "no such overload"),
    ("object.spec.replicas ? 1 : 2", "no such overload"),
    ("object.spec.replicas.all(x, true)", "no such overload"),
    ("object.spec.replicas.startsWith('a')", "no such overload"),
    ("1 / 0", "division by zero"),
    ("1 % 0", "modulus by zero"),
    ("9223372036854775807 + 1", "integer overflow"),
    ("-9223372036854775808 / -1", "integer overflow"),
    ("-(-9223372036854775808)", "integer overflow"),
    ("0u - 1u", "unsigned integer overflow"),
    ("{'a': 1, 'a': 2}", "repeated key"),
    ("optional.none().value()", "optional.none() dereference"),
    ("[0].filter(x, 1 / x > 0)", "division by zero"),
    ("[0].all(x, 1 / x > 0)", "division by zero"),
    ("object.none || false", "no such key: none"),
)


@pytest.mark.parametrize(("expression", "problem"), FAILING, ids=[row[0] for row in FAILING])
def test_fails_when_evaluated(expression: str, problem: str) -> None:
    with pytest.raises(cel.EvaluationError) as caught:
        evaluate(expression)
    assert problem in str(caught.value)


def test_a_variable_without_a_value_must_not_be_reached() -> None:
    program = cel.compile("object == null || oldObject.x == 1", {"object", "oldObject"})
    assert program.evaluate({"object": None}) is True
    with pytest.raises(cel.EvaluationError, match=r"no such attribute\(s\): oldObject"):
        program.evaluate({"object": 1})


class Counted(values.Record):
    def __init__(self) -> None:
        self.asked: list[str] = []

    def has(self, field: str) -> bool:
        return field == "a"

    def select(self, field: str) -> object:
        self.asked.append(field)
        return 1


def test_a_record_computes_what_is_asked_for() -> None:
    record = Counted()
    assert evaluate("false && variables.a == 1", variables=record) is False
    assert record.asked == []
    assert evaluate("has(variables.a) && !has(variables.b) && variables.a == 1", variables=record) is True
    assert record.asked == ["a"]


def test_messages_are_made_where_they_are_allowed() -> None:
    program = cel.compile(
        "Object{spec: Object.spec{replicas: 1, ?x: optional.none()}}", (), result=cel.ANY, messages=("Object",)
    )
    made = program.evaluate({})
    assert isinstance(made, values.Structure)
    assert made.fields == {"spec": values.Structure("Object.spec", {"replicas": 1})}


@dataclass(frozen=True)
class Hostile:
    id: str
    expression: str


def bound(template: str, inner: str) -> str:
    """39 bindings in each other, each made of the one before."""
    names = ["object.text", *(f"a{number}" for number in range(1, 40))]
    opening = "".join(f"cel.bind({name}, {template.format(before)}, " for before, name in pairwise(names))
    return f"{opening}{inner}{')' * 39}"


ENDLESS = (
    Hostile("nested loops", "n.all(x, n.all(y, n.all(z, x + y + z >= 0)))"),
    Hostile("nested lists", "n.map(x, n.map(y, n))"),
    Hostile("doubling text", "cel.bind(a, 'x'.replace('x', object.text), a.replace('x', a).replace('x', a).replace('x', a))"),
    Hostile("doubling by addition", bound("{0} + {0}", "1")),
    Hostile("comparing what is shared", bound("[{0}, {0}]", "a39 == a39 + []")),
    Hostile("joining", "n.map(x, object.text).map(x, x + x + x).join(object.text)"),
    Hostile("ranges", "lists.range(9223372036854775807).size() > 0"),
    Hostile("patterns", "n.all(x, object.text.matches('(x+x+)+y') || true)"),
    Hostile("comparing lists", "n.all(x, n == n)"),
    Hostile("splitting", "n.all(x, object.text.split('').size() > 0)"),
    Hostile("an error does not hide the budget", "n.all(x, n.all(y, n.all(z, 1 / 0 > 0))) || true"),
)


@pytest.mark.parametrize("case", ENDLESS, ids=lambda case: case.id)
def test_what_costs_too_much_is_given_up(case: Hostile) -> None:
    program = cel.compile(case.expression, {"n", "object"}, result=cel.ANY)
    budget = cel.Budget()
    with pytest.raises(cel.BudgetError):
        program.evaluate({"n": list(range(2000)), "object": {"text": "x" * 2000}}, budget)
    assert budget.left < cel.TOTAL_LIMIT


def test_a_budget_is_used_up_by_many() -> None:
    program, budget = cel.compile("n.all(x, x >= 0)", {"n"}), cel.Budget(10_000)
    values = {"n": list(range(500))}
    for _ in range(3):
        assert program.evaluate(values, budget) is True
    with pytest.raises(cel.BudgetError):
        [program.evaluate(values, budget) for _ in range(10)]
    assert budget.left == 0


@given(st.text(max_size=40))
def test_any_text_compiles_or_is_refused(text: str) -> None:
    with suppress(cel.CompileError):
        assert cel.compile(text, {"a"}, result=cel.ANY).expression == text


TOKENS = st.sampled_from(
    [*"()[]{}.,?:+-*/%!<>", "==", "&&", "||", " in ", "a", "b", "1", "2.0", "'x'", "null", "has(", ".map(", "x,", "1u"]
)


@given(st.lists(TOKENS, max_size=12).map("".join))
def test_any_sequence_of_words_is_bounded(text: str) -> None:
    budget = cel.Budget()
    with suppress(cel.CelError):
        cel.compile(text, {"a", "b"}, result=cel.ANY).evaluate({"a": {"b": [1, {"c": "d"}]}, "b": 1.5}, budget)
    assert budget.left > 0


@given(st.integers(INT_MIN, INT_MAX), st.integers(INT_MIN, INT_MAX))
def test_division_and_remainder_belong_together(a: int, b: int) -> None:
    program = cel.compile("a / b * b + a % b == a", {"a", "b"})
    if b == 0 or (a, b) == (INT_MIN, -1):
        with pytest.raises(cel.EvaluationError):
            program.evaluate({"a": a, "b": b})
    else:
        assert program.evaluate({"a": a, "b": b}) is True


PLAIN = st.none() | st.booleans() | st.integers(-3, 3) | st.floats(-3, 3) | st.text(max_size=3)
JSON = st.recursive(
    PLAIN,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=8,
)


@given(JSON, JSON)
def test_equality_is_an_equivalence(a: object, b: object) -> None:
    program = cel.compile(
        "a == a && b == b && (a == b) == (b == a) && (a != b) == !(a == b) && (a in [b]) == (a == b)", {"a", "b"}
    )
    assert program.evaluate({"a": a, "b": b}) is True
