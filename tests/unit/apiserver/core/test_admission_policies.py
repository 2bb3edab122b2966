"""Which requests policies are about, and what they make of them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import pytest

from apimachinery import codec
from apimachinery.kinds import MatchResources, ValidatingAdmissionPolicy
from apimachinery.resources import (
    DEPLOYMENTS,
    HORIZONTAL_POD_AUTOSCALERS,
    HORIZONTAL_POD_AUTOSCALERS_V1,
    NAMESPACES,
    PODS,
    VALIDATING_ADMISSION_POLICIES,
    Resource,
)
from apiserver import cel
from apiserver.cel.library.authorization import AUTHORIZER
from apiserver.core.access import Decision, Question
from apiserver.core.admission_policies import Finding, Judgement, compile_policy, judge
from apiserver.core.admission_requests import Situation
from apiserver.core.admission_rules import compile_matcher, concerns, matched_row, selects
from apiserver.core.request import Request, User, Verb
from apiserver.core.scaling import scale_of

ANY = {"apiGroups": ["*"], "apiVersions": ["*"], "operations": ["*"], "resources": ["*"]}


@dataclass(frozen=True)
class Matching:
    id: str
    rule: dict[str, Any]
    matches: bool
    row: Resource = PODS
    operation: str = "CREATE"
    subresource: str = ""
    name: str = "x"
    more: dict[str, Any] = field(default_factory=dict)


MATCHING = (
    Matching("everything", {}, True),
    Matching("everything is no subresource", {}, False, subresource="status"),
    Matching("subresources of all", {"resources": ["*/status"]}, True, subresource="status"),
    Matching("subresources of all are not the object", {"resources": ["*/status"]}, False),
    Matching("all subresources of one", {"resources": ["pods/*"]}, True, subresource="exec"),
    Matching("really everything", {"resources": ["*/*"]}, True, subresource="exec"),
    Matching("group", {"apiGroups": [""]}, True),
    Matching("another group", {"apiGroups": ["apps"]}, False),
    Matching("version", {"apiVersions": ["v2"]}, False),
    Matching("operation", {"operations": ["UPDATE", "DELETE"]}, False),
    Matching("one of the operations", {"operations": ["UPDATE", "CREATE"]}, True),
    Matching("resource", {"resources": ["services", "pods"]}, True),
    Matching("scope", {"scope": "Cluster"}, False),
    Matching("cluster scope", {"scope": "Cluster"}, True, row=NAMESPACES),
    Matching("namespaced scope", {"scope": "Namespaced"}, False, row=NAMESPACES),
    Matching("name", {"resourceNames": ["x", "y"]}, True),
    Matching("another name", {"resourceNames": ["y"]}, False),
    Matching("except", {}, False, more={"excludeResourceRules": [{**ANY, "resourceNames": ["x"]}]}),
    Matching("except others", {}, True, more={"excludeResourceRules": [{**ANY, "resourceNames": ["y"]}]}),
    Matching("policies are exempt", {}, False, row=VALIDATING_ADMISSION_POLICIES),
)


def matcher(rule: dict[str, Any], **more: Any) -> Any:
    return compile_matcher(codec.convert(MatchResources, {"resourceRules": [{**ANY, **rule}], **more}))


@pytest.mark.parametrize("case", MATCHING, ids=lambda case: case.id)
def test_rules(case: Matching) -> None:
    made = matcher(case.rule, **case.more)
    found = matched_row(made, case.operation, case.row, case.subresource, (), case.name)
    assert (found is case.row) == case.matches
    if case.matches:
        assert concerns(made, case.operation, case.row, case.subresource, ())


def test_equivalent_rows() -> None:
    rule = {"apiGroups": ["autoscaling"], "apiVersions": ["v1"]}
    new, old = HORIZONTAL_POD_AUTOSCALERS, HORIZONTAL_POD_AUTOSCALERS_V1
    assert matched_row(matcher(rule), "CREATE", new, "", [old]) is old
    assert matched_row(matcher(rule, matchPolicy="Exact"), "CREATE", new, "", [old]) is None
    assert not concerns(matcher(rule, matchPolicy="Exact"), "CREATE", new, "", [old])
    both = matcher({"apiGroups": ["autoscaling"]})
    assert matched_row(both, "CREATE", new, "", [old]) is new
    excluded = {"excludeResourceRules": [{**ANY, **rule}]}
    assert matched_row(matcher({}, **excluded), "CREATE", new, "", [old]) is None


SELECTOR = {"matchLabels": {"a": "b"}}
SELECTING = (
    ("no selectors", {}, None, [None, None], True),
    ("namespace", {"namespaceSelector": SELECTOR}, {"a": "b"}, [{}, None], True),
    ("another namespace", {"namespaceSelector": SELECTOR}, {}, [{}, None], False),
    ("in no namespace", {"namespaceSelector": SELECTOR}, None, [{}, None], True),
    ("object", {"objectSelector": SELECTOR}, {}, [{"a": "b"}, None], True),
    ("the object before", {"objectSelector": SELECTOR}, {}, [{}, {"a": "b"}], True),
    ("neither", {"objectSelector": SELECTOR}, {}, [{}, {"a": "c"}], False),
    (
        "no object",
        {"objectSelector": {"matchExpressions": [{"key": "a", "operator": "DoesNotExist"}]}},
        {},
        [None, None],
        False,
    ),
)


@pytest.mark.parametrize(("name", "more", "namespace", "objects", "want"), SELECTING, ids=[row[0] for row in SELECTING])
def test_selectors(name: str, more: dict[str, Any], namespace: Any, objects: Any, want: bool) -> None:
    assert selects(matcher({}, **more), namespace=namespace, objects=objects) is want


@dataclass(frozen=True)
class Case:
    id: str
    spec: dict[str, Any]
    want: Judgement
    values: dict[str, Any] = field(default_factory=dict)


def found(*messages: str, error: bool = False, reason: str = "") -> Judgement:
    return Judgement(tuple(Finding(message, reason, error) for message in messages))


def holds(*expressions: str, **more: Any) -> dict[str, Any]:
    return {"validations": [{"expression": each, **more} for each in expressions]}


BUDGET = "validation failed due to running out of cost budget, no further validation rules will be run"
ENDLESS = "object.n.all(a, object.n.all(b, object.n.all(c, a + b + c >= 0)))"
JUDGEMENTS = (
    Case("holds", holds("object.a == 1", "true"), Judgement()),
    Case("does not hold", holds("object.a == 2"), found("failed expression: object.a == 2")),
    Case(
        "all are told", holds("false", " object.a > 1 "), found("failed expression: false", "failed expression: object.a > 1")
    ),
    Case("message", holds("false", message="no", reason="Forbidden"), found("no", reason="Forbidden")),
    Case("computed message", holds("false", messageExpression="'a is ' + string(object.a)", message="no"), found("a is 1")),
    Case("a message that fails", holds("false", messageExpression="object.b", message="no"), found("no")),
    Case("an empty message", holds("false", messageExpression="'  '"), found("failed expression: false")),
    Case("a message of two lines", holds("false", messageExpression="'a\\nb'", message="no"), found("no")),
    Case("an error", holds("object.b"), found("expression 'object.b' resulted in error: no such key: b", error=True)),
    Case(
        "an error that does not matter",
        {**holds("object.b", "false"), "failurePolicy": "Ignore"},
        found("failed expression: false"),
    ),
    Case(
        "not a bool",
        holds("object.a"),
        found("expression 'object.a' resulted in error: the expression's value is of type int, must be bool", error=True),
    ),
    Case("too dear", holds(ENDLESS), found(BUDGET, error=True), {"object": {"n": list(range(300))}}),
    Case(
        "a condition that does not hold",
        {**holds("false"), "matchConditions": [{"name": "c", "expression": "object.a == 2"}]},
        Judgement(),
    ),
    Case(
        "a condition that fails",
        {**holds("false"), "matchConditions": [{"name": "c", "expression": "object.b"}]},
        found("expression 'object.b' of matchCondition 'c' resulted in error: no such key: b", error=True),
    ),
    Case(
        "one that does not hold outweighs one that fails",
        {**holds("false"), "matchConditions": [{"name": "c", "expression": "object.b"}, {"name": "d", "expression": "false"}]},
        Judgement(),
    ),
    Case(
        "variables are not evaluated for nothing",
        {**holds("object.a == 1 || variables.b == 1"), "variables": [{"name": "b", "expression": "object.b"}]},
        Judgement(),
    ),
    Case(
        "annotations",
        {
            "auditAnnotations": [
                {"key": "k", "valueExpression": "'a=' + string(object.a)"},
                {"key": "n", "valueExpression": "null"},
            ]
        },
        Judgement(annotations=(("p/k", "a=1"),)),
    ),
    Case(
        "an annotation that fails",
        {"auditAnnotations": [{"key": "k", "valueExpression": "object.b"}]},
        found("auditAnnotation 'k' resulted in error: no such key: b", error=True),
    ),
    Case("what cannot be compiled", {"validations": [{"expression": "nothing"}], "failurePolicy": "Ignore"}, Judgement()),
)


def policy(spec: dict[str, Any]) -> Any:
    plain = {"metadata": {"name": "p"}, "spec": {"matchConstraints": {"resourceRules": [ANY]}, **spec}}
    return compile_policy(codec.convert(ValidatingAdmissionPolicy, plain))


@pytest.mark.parametrize("case", JUDGEMENTS, ids=lambda case: case.id)
def test_judgements(case: Case) -> None:
    assert judge(policy(case.spec), {"object": {"a": 1}, **case.values}) == case.want


def test_a_policy_that_cannot_be_compiled_refuses() -> None:
    (finding,) = judge(policy(holds("nothing")), {}).findings
    assert finding.error
    assert "undeclared reference to 'nothing'" in finding.message


def test_a_variable_is_evaluated_once() -> None:
    variables = [{"name": "sum", "expression": "object.n.map(x, x * 2).sum()"}]
    many = " && ".join(["variables.sum > 0"] * 200)
    n = list(range(10_000))
    assert judge(policy({**holds(many), "variables": variables}), {"object": {"n": n}}) == Judgement()


def test_the_request_as_expressions_see_it() -> None:
    deployment = codec.convert(DEPLOYMENTS.cls, {"metadata": {"name": "web", "labels": {"a": "b"}}, "spec": {"replicas": 3}})
    user = User("jane", ("devs",))
    request = Request(verb=Verb.UPDATE, resource=DEPLOYMENTS, user=user, namespace="n", name="web", subresource="scale")
    asked: list[Question] = []
    scale = scale_of(deployment)
    situation = Situation(request, "UPDATE", b'{"kind":"UpdateOptions"}', scale, scale, lambda each: _noted(asked, each))
    values: dict[str, Any] = situation.values(DEPLOYMENTS, None, with_params=False)
    assert values["object"]["kind"] == "Scale"
    assert values["object"]["spec"] == {"replicas": 3}
    assert values["request"]["kind"] == {"group": "autoscaling", "version": "v1", "kind": "Scale"}
    assert values["request"]["resource"] == {"group": "apps", "version": "v1", "resource": "deployments"}
    assert values["request"]["subResource"] == "scale"
    assert values["request"]["userInfo"] == {"username": "jane", "groups": ["devs"]}
    assert values["request"]["options"] == {"kind": "UpdateOptions"}
    assert "params" not in values
    program = cel.compile("authorizer.requestResource.check('get').allowed()", {"authorizer": AUTHORIZER})
    assert program.evaluate(values) is True
    assert asked[0].user == user
    assert (asked[0].group, asked[0].resource, asked[0].subresource, asked[0].name) == ("apps", "deployments", "scale", "web")


def _noted(asked: list[Question], each: Question) -> Decision:
    asked.append(each)
    return Decision(True)
