"""Bad input gets Kubernetes' code and reason, and a message that names what is wrong and where."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import pytest

CONFIG_MAPS = "/api/v1/namespaces/default/configmaps"
PODS = "/api/v1/namespaces/default/pods"
DEPLOYMENTS = "/apis/apps/v1/namespaces/default/deployments"
SERVICES = "/api/v1/namespaces/default/services"
YAML = {"Content_Type": "application/yaml"}
CONTAINER = {"name": "c", "image": "i"}
LABELS = {"app": "a"}


@dataclass(frozen=True)
class Case:
    id: str
    method: str
    path: str
    body: Any
    code: int
    reason: str
    says: str = ""
    headers: dict[str, str] = field(default_factory=dict)


def deployment(**spec: Any) -> dict[str, Any]:
    template = {"metadata": {"labels": LABELS}, "spec": {"containers": [CONTAINER]}}
    return {"metadata": {"name": "d"}, "spec": {"selector": {"matchLabels": LABELS}, "template": template, **spec}}


CASES = (
    Case("malformed JSON", "POST", CONFIG_MAPS, b"{", 400, "BadRequest", "malformed"),
    Case("malformed YAML", "POST", CONFIG_MAPS, b"a: [", 400, "BadRequest", "YAML", YAML),
    Case("YAML alias", "POST", CONFIG_MAPS, b"a: &a [1]\nb: *a", 400, "BadRequest", "aliases", YAML),
    Case("empty body", "POST", CONFIG_MAPS, b"", 400, "BadRequest"),
    Case("nested too deeply", "POST", CONFIG_MAPS, b"[" * (3 << 20), 400, "BadRequest", "too deeply"),
    Case("too large", "POST", CONFIG_MAPS, b" " * ((3 << 20) + 1), 413, "RequestEntityTooLarge", "3145728"),
    Case("unknown kind", "POST", CONFIG_MAPS, {"kind": "Konfig", "apiVersion": "v1"}, 400, "BadRequest", '"Konfig"'),
    Case("unknown resource", "GET", "/api/v1/namespaces/default/konfigs", None, 404, "NotFound", "could not find"),
    Case("unknown group", "GET", "/apis/example.com/v1", None, 404, "NotFound"),
    Case("unknown path", "GET", "/nothing", None, 404, "NotFound"),
    Case("method not allowed", "PUT", CONFIG_MAPS, {}, 405, "MethodNotAllowed"),
    Case("post to an object", "POST", CONFIG_MAPS + "/a", {}, 405, "MethodNotAllowed"),
    Case("media type", "POST", CONFIG_MAPS, b"x", 415, "UnsupportedMediaType", "json", {"Content_Type": "text/plain"}),
    Case("compressed body", "POST", CONFIG_MAPS, b"x", 415, "UnsupportedMediaType", "gzip", {"Content_Encoding": "gzip"}),
    Case(
        "protobuf only", "GET", CONFIG_MAPS, None, 406, "NotAcceptable", "", {"Accept": "application/vnd.kubernetes.protobuf"}
    ),
    Case(
        "unknown field under strict",
        "POST",
        DEPLOYMENTS + "?fieldValidation=Strict",
        deployment(replicaz=1),
        400,
        "BadRequest",
        'unknown field "spec.replicaz"',
    ),
    Case("field of the wrong type", "POST", DEPLOYMENTS, deployment(replicas="two"), 400, "BadRequest", "spec.replicas"),
    Case("name too long", "POST", CONFIG_MAPS, {"metadata": {"name": "a" * 254}}, 422, "Invalid", "metadata.name"),
    Case("name with capitals", "POST", CONFIG_MAPS, {"metadata": {"name": "Web"}}, 422, "Invalid", "metadata.name"),
    Case("no name", "POST", CONFIG_MAPS, {"metadata": {}}, 422, "Invalid", "name or generateName is required"),
    Case("no containers", "POST", PODS, {"metadata": {"name": "p"}, "spec": {}}, 422, "Invalid", "spec.containers"),
    Case(
        "another namespace", "POST", CONFIG_MAPS, {"metadata": {"name": "a", "namespace": "x"}}, 400, "BadRequest", "namespace"
    ),
    Case(
        "resourceVersion on create", "POST", CONFIG_MAPS, {"metadata": {"name": "a", "resourceVersion": "1"}}, 400, "BadRequest"
    ),
    Case("negative replicas", "POST", DEPLOYMENTS, deployment(replicas=-1), 422, "Invalid", "spec.replicas: Invalid value: -1"),
    Case("bad label selector", "GET", CONFIG_MAPS + "?labelSelector=a%20in%20(", None, 400, "BadRequest", "selector"),
    Case("bad field selector", "GET", CONFIG_MAPS + "?fieldSelector=data.k%3Dv", None, 400, "BadRequest", "data.k"),
    Case("bad resourceVersion", "GET", CONFIG_MAPS + "?resourceVersion=new", None, 400, "BadRequest", "resourceVersion"),
    Case("bad continue", "GET", CONFIG_MAPS + "?limit=1&continue=x", None, 400, "BadRequest", "continue"),
    Case(
        "endpoints on loopback",
        "POST",
        "/api/v1/namespaces/default/endpoints",
        {"metadata": {"name": "e"}, "subsets": [{"addresses": [{"ip": "127.0.0.1"}], "ports": [{"port": 1}]}]},
        422,
        "Invalid",
        "subsets[0].addresses[0].ip",
    ),
    Case(
        "exec needs an upgrade",
        "GET",
        PODS + "/none/exec?command=ls&stdout=true",
        None,
        404,
        "NotFound",
        'pods "none" not found',
    ),
)


@pytest.mark.parametrize("storage", ["memory"], indirect=True)
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)
async def test_bad_input(rest: Any, case: Case) -> None:
    found = await rest(case.method, case.path, case.body, **case.headers)
    assert (found.status, found.body["reason"]) == (case.code, case.reason), found.body["message"]
    assert found.body["kind"] == "Status"
    assert found.body["code"] == case.code
    assert case.says in found.body["message"]


@pytest.mark.parametrize("storage", ["memory"], indirect=True)
async def test_immutable_fields(rest: Any) -> None:
    await rest("POST", DEPLOYMENTS, deployment())
    changed = deployment()
    changed["spec"]["selector"] = {"matchLabels": {"app": "b"}}
    changed["spec"]["template"]["metadata"] = {"labels": {"app": "b"}}
    found = await rest("PUT", DEPLOYMENTS + "/d", changed)
    assert (found.status, found.body["reason"]) == (422, "Invalid")
    assert "spec.selector" in found.body["message"]
    assert "field is immutable" in found.body["message"]

    await rest("POST", PODS, {"metadata": {"name": "p"}, "spec": {"containers": [CONTAINER], "nodeSelector": {"a": "b"}}})
    patch = {"spec": {"hostname": "other"}}
    found = await rest("PATCH", PODS + "/p", patch, Content_Type="application/merge-patch+json")
    assert (found.status, found.body["reason"]) == (422, "Invalid")

    await rest("POST", CONFIG_MAPS, {"metadata": {"name": "c"}, "immutable": True, "data": {"k": "v"}})
    found = await rest("PATCH", CONFIG_MAPS + "/c", {"data": {"k": "w"}}, Content_Type="application/merge-patch+json")
    assert (found.status, found.body["reason"]) == (422, "Invalid")


@pytest.mark.parametrize("storage", ["memory"], indirect=True)
async def test_unknown_fields_are_warned_of_and_pruned(rest: Any) -> None:
    found = await rest("POST", DEPLOYMENTS, deployment(replicaz=1))
    assert found.status == 201
    assert 'unknown field \\"spec.replicaz\\"' in found.headers["Warning"]
    assert "replicaz" not in found.body["spec"]
    quiet = await rest("PUT", DEPLOYMENTS + "/d?fieldValidation=Ignore", deployment(replicaz=1))
    assert (quiet.status, "Warning" in quiet.headers) == (200, False)


async def test_object_too_large_for_storage(rest: Any) -> None:
    body = {"metadata": {"name": "a"}, "data": {str(index): "x" * 900_000 for index in range(2)}}
    found = await rest("POST", CONFIG_MAPS, body)
    assert found.status in (413, 422), found.body
    assert (await rest("GET", CONFIG_MAPS + "/a")).status == 404
    assert (await rest("POST", CONFIG_MAPS, {"metadata": {"name": "a"}})).status == 201


@pytest.mark.parametrize("storage", ["memory"], indirect=True)
async def test_yaml_is_taken(rest: Any) -> None:
    body = b"metadata: {name: a}\ndata:\n  at: 2020-01-01\n"
    found = await rest("POST", CONFIG_MAPS, body, **YAML)
    assert (found.status, found.body["data"]) == (201, {"at": "2020-01-01"})
