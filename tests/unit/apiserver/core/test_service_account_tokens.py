"""Claims of tokens: what is written, what is read back, and what does not count."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from apimachinery import codec
from apimachinery.kinds import Pod
from apimachinery.service_accounts import legacy_claims
from apiserver.core import service_account_tokens as core
from apiserver.core.service_account_tokens import InvalidTokenError, Policy, Reference

NOW = datetime(2026, 1, 1, tzinfo=UTC)
ISSUER = "https://issuer"
POLICY = Policy(issuers=(ISSUER, "https://old"), audiences=("api", "https://issuer"))
ACCOUNT, POD, NODE = Reference("web", "u1"), Reference("web-1", "u2"), Reference("n1", "u3")


def made(
    *, seconds: int = 3600, audiences: tuple[str, ...] = ("api",), policy: Policy = POLICY, **bound: Reference
) -> dict[str, Any]:
    return core.claims(policy, "ns", ACCOUNT, bound, audiences=audiences, seconds=seconds, now=NOW, identifier="j1")


def test_claims_are_those_of_kubernetes() -> None:
    start = int(NOW.timestamp())
    assert made(pod=POD, node=NODE) == {
        "aud": ["api"],
        "exp": start + 3600,
        "iat": start,
        "iss": ISSUER,
        "jti": "j1",
        "kubernetes.io": {
            "namespace": "ns",
            "serviceaccount": {"name": "web", "uid": "u1"},
            "pod": {"name": "web-1", "uid": "u2"},
            "node": {"name": "n1", "uid": "u3"},
        },
        "nbf": start,
        "sub": "system:serviceaccount:ns:web",
    }


class Life(NamedTuple):
    id: str
    seconds: int
    lasts: int
    warned: bool = False
    audiences: tuple[str, ...] = ("api",)
    pod: bool = True
    policy: Policy = POLICY


YEAR = 365 * 24 * 3600
LIVES = (
    Life("what pods' own volumes ask for is extended", 3607, YEAR, True),
    Life("another life is not", 3600, 3600),
    Life("nor a token for somebody else", 3607, 3607, audiences=("vault",)),
    Life("nor one that is for somebody else too", 3607, 3607, audiences=("api", "vault")),
    Life("nor one that is bound to no pod", 3607, 3607, pod=False),
    Life("nor where this is turned off", 3607, 3607, policy=Policy(issuers=(ISSUER,), audiences=("api",), extend=False)),
    Life(
        "not beyond the cluster's limit",
        3607,
        7200,
        True,
        policy=Policy(issuers=(ISSUER,), audiences=("api",), seconds_max=7200),
    ),
)


@pytest.mark.parametrize("case", LIVES, ids=lambda case: case.id)
def test_how_long_a_token_lasts(case: Life) -> None:
    bound = {"pod": POD} if case.pod else {}
    found = made(seconds=case.seconds, audiences=case.audiences, policy=case.policy, **bound)
    assert found["exp"] - found["iat"] == case.lasts
    assert found["kubernetes.io"].get("warnafter") == (found["iat"] + case.seconds if case.warned else None)


def test_a_token_tells_who_comes_with_it() -> None:
    credential = core.parse(POLICY, made(pod=POD, node=NODE))
    user = core.user(credential)
    assert (user.name, user.uid) == ("system:serviceaccount:ns:web", "u1")
    assert user.groups == ("system:serviceaccounts", "system:serviceaccounts:ns", "system:authenticated")
    assert dict(user.extra) == {
        "authentication.kubernetes.io/credential-id": ("JTI=j1",),
        "authentication.kubernetes.io/node-name": ("n1",),
        "authentication.kubernetes.io/node-uid": ("u3",),
        "authentication.kubernetes.io/pod-name": ("web-1",),
        "authentication.kubernetes.io/pod-uid": ("u2",),
    }


def test_a_legacy_token_has_no_end_and_any_audience_of_the_cluster() -> None:
    credential = core.parse(POLICY, legacy_claims("ns", "web", "u1", "web-token"))
    assert credential.legacy
    assert (credential.account, credential.secret) == (ACCOUNT, Reference("web-token", ""))
    assert core.check(POLICY, credential, ("api", "vault"), NOW + timedelta(days=10_000)) == ("api",)
    assert dict(core.user(credential).extra) == {}
    with pytest.raises(InvalidTokenError):
        core.check(POLICY, credential, ("vault",), NOW)


def without(claim: str) -> dict[str, Any]:
    return {name: value for name, value in made().items() if name != claim}


WORTHLESS: tuple[tuple[str, dict[str, Any]], ...] = (
    ("nothing", {}),
    ("another issuer", {**made(), "iss": "https://elsewhere"}),
    ("no issuer", without("iss")),
    ("no end", without("exp")),
    ("an end that is no number", {**made(), "exp": "never"}),
    ("another account's subject", {**made(), "sub": "system:serviceaccount:kube-system:admin"}),
    ("a user's subject", {**made(), "sub": "kubernetes-admin"}),
    ("no account", without("kubernetes.io")),
    ("an account without uid", {**made(), "kubernetes.io": {"namespace": "ns", "serviceaccount": {"name": "web"}}}),
    (
        "a legacy token that names no secret",
        {k: v for k, v in legacy_claims("ns", "web", "u", "s").items() if "secret" not in k},
    ),
    ("a legacy token of another subject", {**legacy_claims("ns", "web", "u", "s"), "sub": "system:serviceaccount:ns:other"}),
    ("a legacy token of nobody", legacy_claims("", "", "", "")),
)


@pytest.mark.parametrize("claims", [claims for _, claims in WORTHLESS], ids=[name for name, _ in WORTHLESS])
def test_claims_that_are_worth_nothing(claims: dict[str, Any]) -> None:
    with pytest.raises(InvalidTokenError):
        core.parse(POLICY, claims)


def test_tokens_of_a_former_issuer_still_count() -> None:
    assert core.parse(POLICY, {**made(), "iss": "https://old"}).account == ACCOUNT


class Check(NamedTuple):
    id: str
    after_s: float
    wanted: tuple[str, ...] = ("api",)
    agreed: tuple[str, ...] = ()


CHECKS = (
    Check("at once", 0, agreed=("api",)),
    Check("in its last second", 3600, agreed=("api",)),
    Check("just after", 3600.5),
    Check("before its time", -1),
    Check("for somebody else", 0, wanted=("vault",)),
    Check("for one of several", 0, wanted=("vault", "api"), agreed=("api",)),
    Check("for nobody", 0, wanted=()),
)


@pytest.mark.parametrize("case", CHECKS, ids=lambda case: case.id)
def test_when_and_for_whom_a_token_counts(case: Check) -> None:
    credential = core.parse(POLICY, made())
    now = NOW + timedelta(seconds=case.after_s)
    if case.agreed:
        assert core.check(POLICY, credential, case.wanted, now) == case.agreed
        return
    with pytest.raises(InvalidTokenError):
        core.check(POLICY, credential, case.wanted, now)


def _pod(*audiences: str, node: str = "n1") -> Pod:
    sources = [{"serviceAccountToken": {"path": each or "t", "audience": each}} for each in audiences]
    volumes = [{"name": "e", "emptyDir": {}}, {"name": "v", "projected": {"sources": [{"configMap": {"name": "c"}}, *sources]}}]
    return codec.convert(Pod, {"spec": {"nodeName": node, "volumes": volumes}})


@pytest.mark.parametrize(
    ("pod", "audiences", "complaint"),
    [
        (_pod(""), (), ""),
        (_pod("", "vault"), ("vault",), ""),
        (_pod("vault"), (), 'audience "" not found'),
        (_pod(), (), 'audience "" not found'),
        (_pod(""), ("api",), 'audience "api" not found'),
        (_pod("a", "b"), ("a", "b"), "only request 0 or 1"),
        (_pod("", node="n2"), (), "scheduled on a different node"),
        (_pod("", node=""), (), "scheduled on a different node"),
    ],
)
def test_what_a_node_gets(pod: Pod, audiences: tuple[str, ...], complaint: str) -> None:
    found = core.check_of_node("n1", pod, audiences)
    assert (complaint in found, bool(found)) == (True, bool(complaint))


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


@settings(max_examples=300, deadline=None)
@given(st.sampled_from((made(pod=POD), legacy_claims("ns", "web", "u1", "s"))), st.data())
def test_claims_that_have_been_tampered_with_mean_what_they_say_or_nothing(claims: dict[str, Any], data: st.DataObject) -> None:
    """Whoever holds the key may sign anything; no claims, however odd, lead to anything but a credential or a refusal."""
    changed = dict(claims)
    for name in data.draw(st.lists(st.sampled_from(sorted(claims)), min_size=1, max_size=3)):
        changed[name] = data.draw(_JSON)
    try:
        credential = core.parse(POLICY, changed)
    except InvalidTokenError:
        return
    assert core.user(credential).name == changed["sub"]
    try:
        assert core.check(POLICY, credential, ("api",), NOW) == ("api",)
    except InvalidTokenError:
        assert changed != claims
