"""Admission webhooks over real TLS: what they are told, what they change and refuse, and what becomes of their failures."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from tests.integration.apiserver.conftest import Rest
from tests.support.https_server import Reply
from tests.support.webhook_server import (
    MUTATING,
    VALIDATING,
    Plain,
    WebhookServer,
    allowed,
    configuration,
    labelled,
    patched,
    refused,
    rule,
    webhook_server,
)

MAPS = "/api/v1/namespaces/default/configmaps"
APPLY = "application/apply-patch+yaml"
MERGE = "application/merge-patch+json"


@pytest.fixture
async def hooks(tmp_path: Path) -> AsyncIterator[WebhookServer]:
    async with webhook_server(tmp_path) as server:
        yield server


def config_map(name: str = "m", **fields: Any) -> Plain:
    return {"metadata": {"name": name}, **fields}


async def register(rest: Rest, path: str, name: str, *webhooks: Plain) -> None:
    answer = await rest("POST", path, configuration(name, *webhooks))
    assert answer.status == 201, answer.body


async def test_what_a_webhook_is_told_of_a_create(rest: Rest, hooks: WebhookServer) -> None:
    hooks.answers["/v"] = lambda asked: allowed()
    await register(rest, VALIDATING, "v", hooks.webhook("v.example.com", "/v"))
    answer = await rest("POST", f"{MAPS}?fieldManager=me", config_map(data={"k": "v"}))
    assert answer.status == 201
    (asked,) = hooks.asked("/v")
    assert asked["uid"]
    assert asked["kind"] == asked["requestKind"] == {"group": "", "version": "v1", "kind": "ConfigMap"}
    assert asked["resource"] == asked["requestResource"] == {"group": "", "version": "v1", "resource": "configmaps"}
    assert "subResource" not in asked
    assert "requestSubResource" not in asked
    assert (asked["name"], asked["namespace"], asked["operation"], asked["dryRun"]) == ("m", "default", "CREATE", False)
    assert asked["userInfo"] == {"username": "kubernetes-admin", "groups": ["system:masters", "system:authenticated"]}
    assert asked["oldObject"] is None
    assert asked["object"]["data"] == {"k": "v"}
    assert asked["object"]["metadata"]["uid"] == answer.body["metadata"]["uid"]
    assert asked["object"]["metadata"]["managedFields"][0]["manager"] == "me"
    options = asked["options"]
    assert (options["kind"], options["apiVersion"], options["fieldManager"]) == ("CreateOptions", "meta.k8s.io/v1", "me")


async def test_what_a_webhook_is_told_of_other_writes(rest: Rest, hooks: WebhookServer) -> None:
    hooks.answers["/v"] = lambda asked: allowed()
    await rest("POST", MAPS, config_map(data={"k": "1"}))
    await register(rest, VALIDATING, "v", hooks.webhook("v.example.com", "/v"))
    await rest("PUT", f"{MAPS}/m", config_map(data={"k": "2"}))
    await rest("PATCH", f"{MAPS}/m", {"data": {"k": "3"}}, Content_Type=MERGE)
    applied = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "m"}, "data": {"l": "4"}}
    assert (await rest("PATCH", f"{MAPS}/m?fieldManager=a", applied, Content_Type=APPLY)).status == 200
    created = {**applied, "metadata": {"name": "n"}}
    assert (await rest("PATCH", f"{MAPS}/n?fieldManager=a", created, Content_Type=APPLY)).status == 201
    assert (await rest("DELETE", f"{MAPS}/m?propagationPolicy=Background", {"dryRun": ["All"]})).status == 200
    assert (await rest("DELETE", f"{MAPS}/m", {"gracePeriodSeconds": 0})).status == 200
    update, patch, apply, create, tried, delete = hooks.asked("/v")
    for asked, before, after in ((update, {"k": "1"}, {"k": "2"}), (patch, {"k": "2"}, {"k": "3"})):
        assert asked["operation"] == "UPDATE"
        assert (asked["oldObject"]["data"], asked["object"]["data"]) == (before, after)
        assert asked["options"]["kind"] == "UpdateOptions"
    assert (apply["operation"], apply["object"]["data"]) == ("UPDATE", {"k": "3", "l": "4"})
    assert apply["options"]["fieldManager"] == "a"
    assert (create["operation"], create["name"], create["oldObject"]) == ("CREATE", "n", None)
    assert create["options"]["kind"] == "CreateOptions"
    assert (tried["operation"], tried["dryRun"]) == ("DELETE", True)
    assert tried["options"]["propagationPolicy"] == "Background"
    assert (delete["object"], delete["oldObject"]["data"]) == (None, {"k": "3", "l": "4"})
    assert delete["options"] == {"kind": "DeleteOptions", "apiVersion": "meta.k8s.io/v1", "gracePeriodSeconds": 0}


async def test_a_collection_is_asked_about_object_by_object(rest: Rest, hooks: WebhookServer) -> None:
    hooks.answers["/v"] = lambda asked: refused("kept") if asked["name"] == "b" else allowed()
    for name in ("a", "b", "c"):
        await rest("POST", MAPS, config_map(name))
    await register(rest, VALIDATING, "v", hooks.webhook("v.example.com", "/v", rule("configmaps", operations=["DELETE"])))
    answer = await rest("DELETE", MAPS)
    assert (answer.status, answer.body["message"]) == (400, 'admission webhook "v.example.com" denied the request: kept')
    assert {asked["name"] for asked in hooks.asked("/v")} >= {"a", "b", "c"}
    assert [item["metadata"]["name"] for item in (await rest("GET", MAPS)).body["items"]] == ["b"]


@pytest.mark.parametrize(
    ("response", "code", "message"),
    [
        (refused("no", 403, reason="Forbidden"), 403, "denied the request: no"),
        (refused(reason="TooEarly"), 400, "denied the request: TooEarly"),
        (refused("no", 200), 400, "denied the request: no"),
        (refused(), 400, "denied the request without explanation"),
    ],
    ids=["code and reason", "reason alone", "a code that is none", "nothing"],
)
async def test_refusals_are_passed_on(rest: Rest, hooks: WebhookServer, response: Plain, code: int, message: str) -> None:
    hooks.answers["/v"] = lambda asked: response
    await register(rest, VALIDATING, "v", hooks.webhook("v.example.com", "/v"))
    answer = await rest("POST", MAPS, config_map())
    assert (answer.status, answer.body["status"], answer.body["code"]) == (code, "Failure", code)
    assert answer.body["message"] == f'admission webhook "v.example.com" {message}'
    assert answer.body.get("reason") == response.get("status", {}).get("reason")
    assert (await rest("GET", f"{MAPS}/m")).status == 404
    assert len(hooks.calls) == 1


async def test_an_update_that_is_refused_is_asked_about_once(rest: Rest, hooks: WebhookServer) -> None:
    hooks.answers["/v"] = lambda asked: refused("no")
    await rest("POST", MAPS, config_map(data={"k": "1"}))
    await register(rest, VALIDATING, "v", hooks.webhook("v.example.com", "/v"))
    assert (await rest("PUT", f"{MAPS}/m", config_map(data={"k": "2"}))).status == 400
    assert (await rest("DELETE", f"{MAPS}/m")).status == 400
    assert len(hooks.calls) == 2
    assert (await rest("GET", f"{MAPS}/m")).body["data"] == {"k": "1"}


async def test_warnings_come_with_answers_and_refusals(rest: Rest, hooks: WebhookServer) -> None:
    hooks.answers["/v"] = lambda asked: (
        allowed("mind the gap", "x" * 300) if asked["name"] == "m" else {**refused("no"), "warnings": ["told you"]}
    )
    await register(rest, VALIDATING, "v", hooks.webhook("v.example.com", "/v"))
    answer = await rest("POST", MAPS, config_map())
    assert answer.headers.getall("Warning") == ['299 - "mind the gap"', f'299 - "{"x" * 256}"']
    answer = await rest("PUT", f"{MAPS}/m", config_map())
    assert answer.headers.getall("Warning")[0] == '299 - "mind the gap"'
    assert (await rest("DELETE", f"{MAPS}/m")).headers.getall("Warning")[0] == '299 - "mind the gap"'
    answer = await rest("POST", MAPS, config_map("n"))
    assert (answer.status, answer.headers.getall("Warning")) == (400, ['299 - "told you"'])


async def test_mutations_are_stored_and_go_on_to_the_next_in_order(rest: Rest, hooks: WebhookServer) -> None:
    for name in ("a1", "a2", "b1"):
        hooks.answers[f"/{name}"] = labelled(name, "x")
    hooks.answers["/v"] = lambda asked: allowed()
    await register(rest, MUTATING, "b", hooks.webhook("b1.example.com", "/b1"))
    await register(rest, MUTATING, "a", hooks.webhook("z.example.com", "/a1"), hooks.webhook("a.example.com", "/a2"))
    await register(rest, VALIDATING, "v", hooks.webhook("v.example.com", "/v"))
    answer = await rest("POST", MAPS, config_map())
    assert answer.body["metadata"]["labels"] == {"a1": "x", "a2": "x", "b1": "x"}
    assert hooks.paths() == ["/a1", "/a2", "/b1", "/v"]
    assert hooks.asked("/b1")[0]["object"]["metadata"]["labels"] == {"a1": "x", "a2": "x"}
    assert hooks.asked("/v")[0]["object"]["metadata"]["labels"] == {"a1": "x", "a2": "x", "b1": "x"}
    assert (await rest("GET", f"{MAPS}/m")).body == answer.body


async def test_what_webhooks_make_is_defaulted_and_judged_by_the_kinds_rules(rest: Rest, hooks: WebhookServer) -> None:
    services = "/api/v1/namespaces/default/services"
    hooks.answers["/m"] = lambda asked: patched({"op": "add", "path": "/spec/ports/-", "value": {"name": "more", "port": 81}})
    hooks.answers["/bad"] = lambda asked: patched({"op": "add", "path": "/metadata/labels", "value": {"a": "/"}})
    await register(rest, MUTATING, "m", hooks.webhook("m.example.com", "/m", rule("services")))
    await register(rest, MUTATING, "n", hooks.webhook("bad.example.com", "/bad"))
    service = {"metadata": {"name": "s"}, "spec": {"ports": [{"name": "one", "port": 80}]}}
    answer = await rest("POST", services, service)
    assert answer.body["spec"]["ports"][1] == {"name": "more", "port": 81, "protocol": "TCP", "targetPort": 81}
    answer = await rest("POST", MAPS, config_map())
    assert (answer.status, answer.body["reason"]) == (422, "Invalid")
    assert answer.body["details"]["causes"][0]["field"] == "metadata.labels"


async def test_built_in_admission_completes_what_webhooks_make(rest: Rest, hooks: WebhookServer) -> None:
    ranges = "/api/v1/namespaces/default/limitranges"
    limits = {"limits": [{"type": "Container", "default": {"cpu": "100m"}, "defaultRequest": {"cpu": "50m"}}]}
    await rest("POST", ranges, {"metadata": {"name": "r"}, "spec": limits})
    sidecar = {"name": "sidecar", "image": "registry.local/busybox:1"}
    hooks.answers["/m"] = lambda asked: patched({"op": "add", "path": "/spec/containers/-", "value": sidecar})
    await register(rest, MUTATING, "m", hooks.webhook("m.example.com", "/m", rule("pods", operations=["CREATE"])))
    pod = {"metadata": {"name": "p"}, "spec": {"containers": [{"name": "c", "image": "registry.local/busybox:1"}]}}
    answer = await rest("POST", "/api/v1/namespaces/default/pods", pod)
    assert answer.status == 201, answer.body
    added = answer.body["spec"]["containers"][1]
    assert added["resources"] == {"limits": {"cpu": "100m"}, "requests": {"cpu": "50m"}}
    assert added["terminationMessagePolicy"] == "File"
    # built-in admission has completed the pod before the webhook saw it
    assert hooks.asked("/m")[0]["object"]["spec"]["serviceAccountName"] == "default"


async def test_reinvocation_when_a_later_one_changed_the_object(rest: Rest, hooks: WebhookServer) -> None:
    hooks.answers["/first"] = labelled("first", "x")
    hooks.answers["/never"] = labelled("never", "x")
    hooks.answers["/second"] = labelled("second", "x")
    hooks.answers["/last"] = labelled("second", "x")
    again = {"reinvocationPolicy": "IfNeeded"}
    await register(
        rest,
        MUTATING,
        "m",
        hooks.webhook("first.example.com", "/first", **again),
        hooks.webhook("never.example.com", "/never"),
        hooks.webhook("second.example.com", "/second", **again),
        hooks.webhook("last.example.com", "/last", **again),
    )
    answer = await rest("POST", MAPS, config_map())
    assert answer.body["metadata"]["labels"] == {"first": "x", "never": "x", "second": "x"}
    assert hooks.paths() == ["/first", "/never", "/second", "/last", "/first"]
    hooks.calls.clear()
    await rest("PUT", f"{MAPS}/m", config_map())
    assert hooks.paths() == ["/first", "/never", "/second", "/last", "/first"]


async def test_nothing_is_asked_again_when_nothing_has_changed(rest: Rest, hooks: WebhookServer) -> None:
    hooks.answers["/one"] = hooks.answers["/two"] = lambda asked: allowed()
    again = {"reinvocationPolicy": "IfNeeded"}
    webhooks = (hooks.webhook("one.example.com", "/one", **again), hooks.webhook("two.example.com", "/two", **again))
    await register(rest, MUTATING, "m", *webhooks)
    await rest("POST", MAPS, config_map())
    assert hooks.paths() == ["/one", "/two"]


async def test_mutations_are_nobodys_and_keep_the_managers(rest: Rest, hooks: WebhookServer) -> None:
    hooks.answers["/m"] = labelled("injected", "x")
    await register(rest, MUTATING, "m", hooks.webhook("m.example.com", "/m"))
    applied = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "m"}, "data": {"k": "1"}}
    first = await rest("PATCH", f"{MAPS}/m?fieldManager=a", applied, Content_Type=APPLY)
    assert first.status == 201
    (entry,) = first.body["metadata"]["managedFields"]
    assert (entry["manager"], entry["operation"], entry["fieldsV1"]) == ("a", "Apply", {"f:data": {"f:k": {}}})
    second = await rest("PATCH", f"{MAPS}/m?fieldManager=a", applied, Content_Type=APPLY)
    assert second.body == first.body, "the same again is no change"
    other = {**applied, "metadata": {"name": "m", "labels": {"injected": "x", "own": "y"}}, "data": {}}
    assert (await rest("PATCH", f"{MAPS}/m?fieldManager=b", other, Content_Type=APPLY)).status == 200
    third = await rest("PATCH", f"{MAPS}/m?fieldManager=a", {**applied, "data": {"l": "2"}}, Content_Type=APPLY)
    assert third.body["data"] == {"l": "2"}
    assert third.body["metadata"]["labels"] == {"injected": "x", "own": "y"}


async def test_managers_that_a_webhook_spoils_are_put_right(rest: Rest, hooks: WebhookServer) -> None:
    broken = [{"manager": "x", "operation": "Nonsense"}]
    hooks.answers["/m"] = lambda asked: patched({"op": "add", "path": "/metadata/managedFields", "value": broken})
    await register(rest, MUTATING, "m", hooks.webhook("m.example.com", "/m"))
    for method, path in (("POST", MAPS), ("PUT", f"{MAPS}/m")):
        answer = await rest(method, f"{path}?fieldManager=me", config_map(data={"k": method}))
        assert [each["manager"] for each in answer.body["metadata"]["managedFields"]] == ["me"]


async def test_a_made_up_name_is_not_shown_and_can_be_given(rest: Rest, hooks: WebhookServer) -> None:
    hooks.answers["/m"] = lambda asked: patched({"op": "add", "path": "/metadata/name", "value": "given"})
    hooks.answers["/v"] = lambda asked: allowed()
    await register(rest, VALIDATING, "v", hooks.webhook("v.example.com", "/v"))
    made_up = await rest("POST", MAPS, {"metadata": {"generateName": "g-"}})
    assert made_up.body["metadata"]["name"].startswith("g-")
    assert "name" not in hooks.asked("/v")[0]
    await register(rest, MUTATING, "m", hooks.webhook("m.example.com", "/m"))
    given = await rest("POST", MAPS, {"metadata": {"generateName": "g-"}})
    assert given.body["metadata"]["name"] == "given"
    assert "name" not in hooks.asked("/m")[0]["object"]["metadata"]


async def test_validating_webhooks_are_asked_at_once(rest: Rest, hooks: WebhookServer) -> None:
    everybody = asyncio.Barrier(3)

    async def meet(asked: Plain) -> Plain:
        await everybody.wait()
        return refused(asked["name"])

    for name in ("a", "b", "c"):
        hooks.answers[f"/{name}"] = meet
        await register(rest, VALIDATING, name, hooks.webhook(f"{name}.example.com", f"/{name}"))
    answer = await rest("POST", MAPS, config_map())
    assert answer.body["message"] == 'admission webhook "a.example.com" denied the request: m'


async def test_a_webhook_that_fails(rest: Rest, hooks: WebhookServer) -> None:
    """With Fail the request fails, in words that name the webhook and the URL; with Ignore it passes."""
    hooks.answers["/v"] = lambda asked: Reply(status=500, body=b"out of order")
    webhook = hooks.webhook("v.example.com", "/v")
    await register(rest, VALIDATING, "v", webhook)
    answer = await rest("POST", MAPS, config_map())
    assert (answer.status, answer.body["reason"]) == (500, "InternalError")
    assert answer.body["message"] == (
        'Internal error occurred: failed calling webhook "v.example.com": failed to call webhook: '
        f'Post "{hooks.url("/v")}?timeout=10s": the server answered with status code 500 (Internal Server Error): out of order'
    )
    await rest("PUT", f"{VALIDATING}/v", configuration("v", {**webhook, "failurePolicy": "Ignore"}))
    assert (await rest("POST", MAPS, config_map())).status == 201
    assert len(hooks.calls) == 2


@pytest.mark.parametrize(
    ("answer", "sentence"),
    [
        (
            lambda asked: Reply(body=b"{}"),
            "expected webhook response of admission.k8s.io/v1, Kind=AdmissionReview, got /, Kind=",
        ),
        (lambda asked: Reply(body=b"no JSON"), "the response is no AdmissionReview"),
        (
            lambda asked: Reply(body=b'{"apiVersion":"admission.k8s.io/v1","kind":"AdmissionReview"}'),
            "webhook response was absent",
        ),
        (lambda asked: {"uid": "another", "allowed": True}, 'got "another"'),
        (lambda asked: {"allowed": True, "patch": "W10="}, "response.patch but not response.patchType"),
        (
            lambda asked: {"allowed": True, "patch": "W10=", "patchType": "MergePatch"},
            'invalid response.patchType "MergePatch"',
        ),
        (lambda asked: {"allowed": True, "patch": "e30=", "patchType": "JSONPatch"}, "no list of at most"),
        (lambda asked: {"allowed": True, "patch": "***", "patchType": "JSONPatch"}, "no JSON patch in base64"),
        (lambda asked: {"allowed": "yes"}, "the response is no AdmissionReview"),
    ],
    ids=["empty", "no json", "no response", "uid", "no patch type", "patch type", "no list", "no base64", "no truth value"],
)
async def test_answers_that_are_none(rest: Rest, hooks: WebhookServer, answer: Any, sentence: str) -> None:
    hooks.answers["/m"] = answer
    await register(rest, MUTATING, "m", hooks.webhook("m.example.com", "/m"))
    failed = await rest("POST", MAPS, config_map())
    assert failed.status == 500
    prefix = 'Internal error occurred: failed calling webhook "m.example.com": received invalid webhook response: '
    assert failed.body["message"].startswith(prefix)
    assert sentence in failed.body["message"]


@pytest.mark.parametrize(
    ("operations", "sentence"),
    [
        ([{"op": "remove", "path": "/data/absent"}], "the patch cannot be applied"),
        ([{"op": "replace", "path": "/metadata/name", "value": 7}], "the patched object is none"),
        ([{"op": "replace", "path": "/kind", "value": "Secret"}], "the patched object is none"),
    ],
    ids=["does not fit", "wrong type", "another kind"],
)
async def test_patches_that_make_no_object(rest: Rest, hooks: WebhookServer, operations: list[Plain], sentence: str) -> None:
    """They fail the request even where failures of the webhook do not matter: what was meant is not known."""
    hooks.answers["/m"] = lambda asked: patched(*operations)
    await register(rest, MUTATING, "m", hooks.webhook("m.example.com", "/m", failurePolicy="Ignore"))
    answer = await rest("POST", MAPS, config_map())
    assert answer.status == 500
    assert f'admission webhook "m.example.com": {sentence}' in answer.body["message"]


async def test_a_deleted_object_cannot_be_changed_nor_a_name(rest: Rest, hooks: WebhookServer) -> None:
    hooks.answers["/m"] = lambda asked: patched({"op": "add", "path": "/metadata/name", "value": "other"})
    await rest("POST", MAPS, config_map())
    await register(rest, MUTATING, "m", hooks.webhook("m.example.com", "/m"))
    answer = await rest("DELETE", f"{MAPS}/m")
    assert answer.status == 500
    assert "attempted to modify the object, which is not supported for this operation" in answer.body["message"]
    assert (await rest("PUT", f"{MAPS}/m", config_map())).status == 400


async def test_a_webhook_that_does_not_answer_in_its_time(rest: Rest, hooks: WebhookServer) -> None:
    async def wait(asked: Plain) -> Plain:
        await asyncio.Event().wait()
        raise AssertionError

    hooks.answers["/v"] = wait
    webhook = hooks.webhook("v.example.com", "/v", timeoutSeconds=1)
    await register(rest, VALIDATING, "v", webhook)
    answer = await rest("POST", MAPS, config_map())
    assert answer.status == 500
    assert answer.body["message"].endswith(f'Post "{hooks.url("/v")}?timeout=1s": context deadline exceeded')
    await rest("PUT", f"{VALIDATING}/v", configuration("v", {**webhook, "failurePolicy": "Ignore"}))
    assert (await rest("POST", MAPS, config_map())).status == 201


async def test_a_dry_run_stores_nothing_and_is_told_of(rest: Rest, hooks: WebhookServer) -> None:
    hooks.answers["/m"] = labelled("m", "x")
    hooks.answers["/v"] = lambda asked: allowed("seen")
    await register(rest, MUTATING, "m", hooks.webhook("m.example.com", "/m", sideEffects="NoneOnDryRun"))
    await register(rest, VALIDATING, "v", hooks.webhook("v.example.com", "/v"))
    answer = await rest("POST", f"{MAPS}?dryRun=All", config_map())
    assert (answer.status, answer.body["metadata"]["labels"]) == (201, {"m": "x"})
    assert answer.headers.getall("Warning") == ['299 - "seen"']
    assert all(asked["dryRun"] and asked["options"]["dryRun"] == ["All"] for _, asked in hooks.calls)
    assert (await rest("GET", f"{MAPS}/m")).status == 404


async def test_configurations_take_effect_at_once(rest: Rest, hooks: WebhookServer) -> None:
    hooks.answers["/v"] = lambda asked: refused("no")
    for round_ in range(5):
        await register(rest, VALIDATING, "v", hooks.webhook("v.example.com", "/v"))
        assert (await rest("POST", MAPS, config_map())).status == 400, round_
        assert (await rest("DELETE", f"{VALIDATING}/v")).status == 200
        assert (await rest("POST", MAPS, config_map(f"m{round_}"))).status == 201, round_


async def test_no_webhook_decides_about_webhooks(rest: Rest, hooks: WebhookServer) -> None:
    hooks.answers["/v"] = lambda asked: refused("no")
    everything = hooks.webhook("v.example.com", "/v", rule("*/*"))
    await register(rest, VALIDATING, "v", everything)
    await register(rest, MUTATING, "m", everything)
    assert (await rest("POST", MAPS, config_map())).status == 400
    assert (await rest("DELETE", f"{MUTATING}/m")).status == 200
    assert (await rest("DELETE", f"{VALIDATING}/v")).status == 200
    assert len(hooks.calls) == 1


async def test_metrics_tell_of_calls_and_refusals(rest: Rest, hooks: WebhookServer) -> None:
    hooks.answers["/v"] = lambda asked: refused("no", 403)
    hooks.answers["/w"] = lambda asked: Reply(status=500)
    await register(rest, VALIDATING, "v", hooks.webhook("v.example.com", "/v"))
    await register(rest, VALIDATING, "w", hooks.webhook("w.example.com", "/w", failurePolicy="Ignore"))
    await rest("POST", MAPS, config_map())
    text = (await rest("GET", "/metrics")).body
    about = 'name="v.example.com",operation="CREATE",rejected="true",type="validating"'
    assert f"apiserver_admission_webhook_admission_duration_seconds_count{{{about}}} 1.0" in text
    about = 'error_type="no_error",name="v.example.com",operation="CREATE",rejection_code="403",type="validating"'
    assert f"apiserver_admission_webhook_rejection_count_total{{{about}}} 1.0" in text
    assert 'apiserver_admission_webhook_fail_open_count_total{name="w.example.com",type="validating"} 1.0' in text
