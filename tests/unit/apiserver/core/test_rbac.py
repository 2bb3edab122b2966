from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apimachinery.kinds import PolicyRule
from apiserver.core import default_roles, rbac
from apiserver.core.access import Question
from apiserver.core.request import User

USER = User("jane")


def rule(verbs: str, resources: str = "", groups: str = "", names: str = "", paths: str = "") -> PolicyRule:
    """Each a list in one text, parted by spaces; the core group is `core`."""
    return PolicyRule(
        verbs=verbs.split(),
        resources=resources.split(),
        api_groups=["" if group == "core" else group for group in (groups or ("core" if resources else "")).split()],
        resource_names=names.split(),
        non_resource_urls=paths.split(),
    )


def asks(verb: str, resource: str = "", **more: Any) -> Question:
    resource, _, subresource = resource.partition("/")
    return Question(user=USER, verb=verb, resource=resource, subresource=subresource, **more)


@pytest.mark.parametrize(
    ("held", "question", "allowed"),
    [
        pytest.param(rule("get list", "pods"), asks("get", "pods"), True, id="verb and resource"),
        pytest.param(rule("get list", "pods"), asks("delete", "pods"), False, id="another verb"),
        pytest.param(rule("get", "pods"), asks("get", "pods/log"), False, id="a subresource is a thing of its own"),
        pytest.param(rule("get", "pods/log"), asks("get", "pods/log"), True, id="by name"),
        pytest.param(rule("get", "pods/log"), asks("get", "pods"), False, id="the subresource is not the resource"),
        pytest.param(rule("update", "*/scale", "apps"), asks("update", "deployments/scale", group="apps"), True, id="scale"),
        pytest.param(rule("get", "deployments"), asks("get", "deployments", group="apps"), False, id="another group"),
        pytest.param(rule("get", "*", "*"), asks("get", "pods/log", group="x"), True, id="everything in all groups"),
        pytest.param(rule("*", "pods"), asks("escalate", "pods"), True, id="all verbs"),
        pytest.param(rule("get", "secrets", names="a b"), asks("get", "secrets", name="b"), True, id="one of the names"),
        pytest.param(rule("get", "secrets", names="a b"), asks("get", "secrets", name="c"), False, id="none of the names"),
        pytest.param(rule("list", "secrets", names="a"), asks("list", "secrets"), False, id="a list is not of one name"),
        pytest.param(rule("get", paths="/metrics"), asks("get", path="/metrics"), True, id="a path"),
        pytest.param(rule("get", paths="/api/*"), asks("get", path="/api/v1"), True, id="below a path"),
        pytest.param(rule("get", paths="/api/*"), asks("get", path="/apis"), False, id="beside a path"),
        pytest.param(rule("get", paths="*"), asks("get", path="/x"), True, id="all paths"),
        pytest.param(rule("*", "*", "*"), asks("get", path="/x"), False, id="resources are no paths"),
        pytest.param(rule("get", paths="*"), asks("get", "pods"), False, id="paths are no resources"),
    ],
)
def test_allows(held: PolicyRule, question: Question, allowed: bool) -> None:
    assert rbac.allows(held, question) is allowed


@pytest.mark.parametrize(
    ("wanted", "held", "lacking"),
    [
        pytest.param([rule("get", "pods")], [rule("get list", "pods secrets")], [], id="less than held"),
        pytest.param([rule("get list", "pods")], [rule("get", "pods")], [rule("list", "pods")], id="a verb too many"),
        pytest.param([rule("get", "pods")], [rule("get", "pods", names="a")], [rule("get", "pods")], id="one name only"),
        pytest.param([rule("get", "pods", names="a")], [rule("get", "pods")], [], id="one name of all"),
        pytest.param([rule("*", "pods")], [rule("get list", "pods")], [rule("*", "pods")], id="all verbs are more than some"),
        pytest.param([rule("get", "*", "*")], [rule("get", "pods", "*")], [rule("get", "*", "*")], id="all kinds"),
        pytest.param([rule("get", paths="/a/b")], [rule("get", paths="/a/*")], [], id="a narrower path"),
        pytest.param([rule("get", paths="/a*")], [rule("get", paths="/a/*")], [rule("get", paths="/a*")], id="a wider path"),
        pytest.param([rule("get", "pods/log")], [rule("get", "*/log")], [], id="a subresource of any"),
    ],
)
def test_excess(wanted: list[PolicyRule], held: list[PolicyRule], lacking: list[PolicyRule]) -> None:
    assert rbac.excess(wanted, held) == lacking


def test_what_is_too_much_to_compare_is_lacking_as_it_stands() -> None:
    """A role of some kilobytes must not keep the server busy for hours."""
    many = [f"x{index}" for index in range(32)]
    bomb = PolicyRule(verbs=many, api_groups=many, resources=many, resource_names=many)
    everything = rule("*", "*", "*")
    assert rbac.excess([bomb, rule("get", "pods")], [everything]) == [bomb, rule("get", "pods")]
    assert rbac.text(bomb).count('"') == 4 * 2 * rbac.SHOWN_MAX
    names = PolicyRule(verbs=["get"], api_groups=[""], resources=["secrets"], resource_names=[f"s{n}" for n in range(10_000)])
    held = [*[rule("get", "pods")] * 20, names]
    assert rbac.excess([names], held) == []


_words = st.lists(st.sampled_from(["a", "b", "a/s", "*/s", "*"]), min_size=1, max_size=3)
_rules = st.builds(
    PolicyRule,
    verbs=_words,
    api_groups=st.lists(st.sampled_from(["", "x", "*"]), min_size=1, max_size=2),
    resources=_words,
    resource_names=st.lists(st.sampled_from(["n", "m"]), max_size=2),
)
_questions = st.builds(
    Question,
    user=st.just(USER),
    verb=st.sampled_from(["a", "b", "c"]),
    group=st.sampled_from(["", "x", "y"]),
    resource=st.sampled_from(["a", "b"]),
    subresource=st.sampled_from(["", "s"]),
    name=st.sampled_from(["", "n", "m", "o"]),
)


@given(st.lists(_rules, max_size=3), st.lists(_rules, max_size=3), _questions)
def test_what_is_not_in_excess_allows_nothing_more(
    wanted: list[PolicyRule], held: list[PolicyRule], question: Question
) -> None:
    if not rbac.excess(wanted, held) and any(rbac.allows(each, question) for each in wanted):
        assert any(rbac.allows(each, question) for each in held)


@given(st.lists(_rules, max_size=3))
def test_nobody_lacks_what_they_hold(rules: list[PolicyRule]) -> None:
    assert rbac.excess(rules, rules) == []


def test_default_roles_are_whole() -> None:
    """Whatever is bound exists, names are unique, and view ⊂ edit as the labels say."""
    roles = {each.metadata.name: each for each in default_roles.cluster_roles()}
    assert len(roles) == len(default_roles.cluster_roles())
    assert {each.role_ref.name for each in default_roles.cluster_role_bindings()} <= set(roles)
    local = {each.metadata.name for each in default_roles.roles()}
    assert {each.role_ref.name for each in default_roles.role_bindings()} == local
    for name in ("admin", "edit", "view"):
        (selector,) = roles[name].aggregation_rule.cluster_role_selectors  # type: ignore[union-attr]
        found = {each for each, role in roles.items() if selector.match_labels.items() <= role.metadata.labels.items()}
        assert f"system:aggregate-to-{name}" in found
    readable = {resource for each in roles["system:aggregate-to-view"].rules for resource in each.resources}
    assert "secrets" not in readable


def test_default_roles_are_completed_and_not_cut() -> None:
    wanted = [rule("get", "pods"), rule("get", "secrets")]
    own = [rule("list", "nodes"), rule("get", "pods")]
    assert default_roles.completed_rules(own, wanted) == [*own, rule("get", "secrets")]
    assert default_roles.completed_rules(wanted, wanted) is None
