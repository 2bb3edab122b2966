"""Webhooks without a network: addresses, rules, questions and answers."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest

from apimachinery import codec
from apimachinery.kinds import MutatingWebhookConfiguration
from apimachinery.kinds.meta import Status
from apimachinery.resources import DEPLOYMENTS, EVENTS, EVENTS_V1, PODS, VALIDATING_WEBHOOK_CONFIGURATIONS
from apiserver.core import admission_review as reviews
from apiserver.core import backends
from apiserver.core.connect_options import options_of, parameters_of
from apiserver.core.match_conditions import Conditions
from apiserver.core.request import Options, Request, User, Verb
from apiserver.core.webhooks import Hook, compile_configuration, matched_row, selects

RULE = {"operations": ["*"], "apiGroups": ["*"], "apiVersions": ["*"], "resources": ["*/*"]}


def hook(**fields: Any) -> Hook:
    webhook = {"name": "a.example.com", "clientConfig": {"url": "https://a/"}, "sideEffects": "None", "rules": [RULE], **fields}
    plain = {"metadata": {"name": "m"}, "webhooks": [webhook]}
    return compile_configuration(codec.convert(MutatingWebhookConfiguration, plain))[0]


@pytest.mark.parametrize(
    ("base", "path", "url"),
    [
        ("https://s.n.svc:443", "", "https://s.n.svc:443/?timeout=10s"),
        ("https://s.n.svc:443", "/a/b", "https://s.n.svc:443/a/b?timeout=10s"),
        ("https://s.n.svc:443", "a?b", "https://s.n.svc:443/a%3Fb?timeout=10s"),
        ("https://h/path", "", "https://h/path?timeout=10s"),
        ("https://h", "", "https://h/?timeout=10s"),
    ],
)
def test_urls_that_are_asked(base: str, path: str, url: str) -> None:
    assert backends.asked_url(base, path, 10.0) == url


def test_no_url_can_say_who_asks_or_what() -> None:
    for url in ("https://h\n/x", "https://[::1", "ftp://h", "//h", "https://h:port/"):
        assert backends.url_faults(url), url
    assert backends.url_faults("https://[::1]:8443/x") == []


def test_a_compiled_webhook() -> None:
    service = {"namespace": "n", "name": "s", "port": 8443, "path": "/x"}
    made = hook(
        clientConfig={"service": service, "caBundle": base64.b64encode(b"PEM").decode()},
        failurePolicy="Ignore",
        timeoutSeconds=3,
        reinvocationPolicy="IfNeeded",
    )
    assert made.backend == backends.Backend(namespace="n", service="s", port=8443, path="/x", ca_bundle=b"PEM")
    assert (made.key, made.mutating, made.fails_open, made.timeout_s, made.reinvoked) == (("m", 0), True, True, 3.0, True)
    assert made.dry_run
    assert not hook(sideEffects="Some").dry_run


def test_the_row_of_the_request_comes_before_equivalent_ones() -> None:
    both = hook(rules=[{**RULE, "resources": ["events"]}])
    assert matched_row(both, "CREATE", EVENTS, "", (EVENTS_V1,)) is EVENTS
    assert matched_row(both, "CREATE", EVENTS_V1, "", (EVENTS,)) is EVENTS_V1
    new_only = hook(rules=[{**RULE, "resources": ["events"], "apiGroups": ["events.k8s.io"]}])
    assert matched_row(new_only, "CREATE", EVENTS, "", (EVENTS_V1,)) is EVENTS_V1
    exact = hook(rules=[{**RULE, "apiGroups": ["events.k8s.io"]}], matchPolicy="Exact")
    assert matched_row(exact, "CREATE", EVENTS, "", (EVENTS_V1,)) is None
    assert matched_row(hook(), "CREATE", VALIDATING_WEBHOOK_CONFIGURATIONS, "", ()) is None


@pytest.mark.parametrize(
    ("resources", "subresource", "matches"),
    [
        (["pods"], "", True),
        (["pods"], "status", False),
        (["pods/*"], "", True),
        (["pods/*"], "status", True),
        (["*"], "", True),
        (["*"], "status", False),
        (["*/status"], "status", True),
        (["*/status"], "", False),
        (["*/*"], "binding", True),
        (["nodes", "pods/binding"], "binding", True),
    ],
)
def test_patterns_of_resources(resources: list[str], subresource: str, matches: bool) -> None:
    found = matched_row(hook(rules=[{**RULE, "resources": resources}]), "CREATE", PODS, subresource, ())
    assert (found is PODS) is matches


def test_what_has_no_labels_is_selected_by_nothing_but_everything() -> None:
    everything, some = hook(), hook(objectSelector={"matchExpressions": [{"key": "a", "operator": "DoesNotExist"}]})
    assert selects(everything, namespace=None, objects=(None, None))
    assert not selects(some, namespace=None, objects=(None, None))
    assert selects(some, namespace=None, objects=({}, None))


def about(**fields: Any) -> reviews.Attributes:
    given = {"operation": "UPDATE", "row": DEPLOYMENTS, "subresource": "scale", "namespace": "n", "name": "web"}
    return reviews.Attributes(**{**given, "user": User("jane", ("devs",)), "dry_run": True, "options": b"{}", **fields})


def test_a_question() -> None:
    body = reviews.encode_review(reviews.review_request(about(), DEPLOYMENTS, "u", b'{"a":1}', b""))
    scale = {"group": "autoscaling", "version": "v1", "kind": "Scale"}
    row = {"group": "apps", "version": "v1", "resource": "deployments"}
    assert json.loads(body) == {
        "kind": "AdmissionReview",
        "apiVersion": "admission.k8s.io/v1",
        "request": {
            "uid": "u",
            "kind": scale,
            "resource": row,
            "subResource": "scale",
            "requestKind": scale,
            "requestResource": row,
            "requestSubResource": "scale",
            "name": "web",
            "namespace": "n",
            "operation": "UPDATE",
            "userInfo": {"username": "jane", "groups": ["devs"]},
            "object": {"a": 1},
            "oldObject": None,
            "dryRun": True,
            "options": {},
        },
    }


def answer(**response: Any) -> bytes:
    body = {"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "response": {"uid": "u", **response}}
    return json.dumps(body).encode()


def test_an_answer_may_say_more_than_is_known() -> None:
    notes = {"auditAnnotations": {"a": "b"}, "extra": 1, "status": {"code": 200}, "patch": None, "warnings": None}
    assert reviews.read_answer(answer(allowed=True, **notes), "u", mutating=True).allowed


def test_what_a_refusal_would_change_does_not_matter() -> None:
    verdict = reviews.read_answer(answer(allowed=False, patch="***", patchType="JSONPatch"), "u", mutating=True)
    assert (verdict.allowed, verdict.patch) == (False, ())


def test_a_validating_webhook_changes_nothing() -> None:
    with pytest.raises(reviews.AnswerError, match=r"may not return response\.patch"):
        reviews.read_answer(answer(allowed=True, patch="W10=", patchType="JSONPatch"), "u", mutating=False)


def test_too_many_operations() -> None:
    patch = base64.b64encode(json.dumps([{"op": "remove", "path": "/a"}] * 10_001).encode()).decode()
    with pytest.raises(reviews.AnswerError, match="at most 10000 operations"):
        reviews.read_answer(answer(allowed=True, patch=patch, patchType="JSONPatch"), "u", mutating=True)


def test_warnings_are_bounded() -> None:
    verdict = reviews.read_answer(answer(allowed=True, warnings=["x" * 1000] * 100), "u", mutating=True)
    assert len(verdict.warnings) == 16
    assert {len(each) for each in verdict.warnings} == {256}


def test_a_refusal_never_looks_like_a_success() -> None:
    for code in (None, 0, 100, 200, 302, 999):
        assert reviews.refusal("a.b.c", Status(code=code, status="Success")).code == 400
    error = reviews.refusal("a.b.c", Status(code=418, message="tea", reason="Teapot", status="Success"))
    assert (error.code, error.reason, error.status.status) == (418, "Teapot", "Failure")
    assert error.status.message == 'admission webhook "a.b.c" denied the request: tea'


def test_conditions_share_one_budget() -> None:
    costly = "[1,2,3,4,5,6,7,8,9,0].all(a, [1,2,3,4,5,6,7,8,9,0].all(b, [1,2,3,4,5,6,7,8,9,0].all(c, object.size() > c)))"
    found = Conditions([(f"n{number}", costly) for number in range(64)]).find({"object": "x" * 20})
    assert found.met == (not found.error)
    endless = " && ".join(["object.all(a, object.all(b, object.all(c, a + b + c != 1)))"] * 4)
    found = Conditions([("endless", endless)]).find({"object": list(range(2, 400))})
    assert not found.met
    assert "cost" in found.error


def connection(subresource: str, *pairs: tuple[str, str]) -> Request:
    options = Options(parameters=pairs)
    return Request(verb=Verb.CONNECT, resource=PODS, subresource=subresource, user=User("u"), name="p", options=options)


@pytest.mark.parametrize(
    "pairs",
    [
        (("stdin", "true"), ("tty", "true"), ("container", "c"), ("command", "sh"), ("command", "-c")),
        (("stdout", "true"), ("stderr", "true")),
    ],
)
def test_options_of_a_stream_there_and_back(pairs: tuple[tuple[str, str], ...]) -> None:
    options = options_of(connection("exec", *pairs))
    assert options.kind == "PodExecOptions"
    again = parameters_of(options, (("other", "1"), *pairs))  # type: ignore[arg-type]
    assert again == (("other", "1"), *pairs)


def test_options_of_port_forwarding_there_and_back() -> None:
    options = options_of(connection("portforward", ("ports", "80,81"), ("port", "82")))
    assert codec.to_plain(options) == {"kind": "PodPortForwardOptions", "apiVersion": "v1", "ports": [80, 81, 82]}
    assert parameters_of(options, ()) == (("ports", "80"), ("ports", "81"), ("ports", "82"))  # type: ignore[arg-type]
