"""API aggregation's decisions: availability, paths, identity headers, order, and the APIServices that exist by themselves."""

from __future__ import annotations

import json
from dataclasses import dataclass, field

import pytest

from apimachinery import codec, kinds
from apimachinery.errors import ApiError
from apimachinery.kinds import APIService, APIServiceCondition, APIServiceReference, APIServiceSpec, ObjectMeta
from apiserver.core.access import Question
from apiserver.core.aggregation import availability, identity, ordering, paths, routes
from apiserver.core.aggregation.availability import LOCAL, PASSED, Verdict
from apiserver.core.aggregation.ordering import AUTOMANAGED, Priority
from apiserver.core.request import User

WANTED = APIServiceReference(namespace="ns", name="s", port=443)
NOW, BEFORE = "2026-01-31T12:00:00Z", "2026-01-01T00:00:00Z"
JANE = User("jane", ("tenants",))


def service(port: int = 443, type: str = "ClusterIP") -> kinds.Service:
    return kinds.Service(spec=kinds.ServiceSpec(type=type, ports=[kinds.ServicePort(name="https", port=port)]))


def endpoints(*addresses: str, port: str = "https") -> kinds.Endpoints:
    listed = [kinds.EndpointAddress(ip=each) for each in addresses]
    return kinds.Endpoints(subsets=[kinds.EndpointSubset(addresses=listed, ports=[kinds.EndpointPort(name=port, port=8443)])])


@dataclass(frozen=True)
class Availability:
    id: str
    service: kinds.Service | None = field(default_factory=service)
    endpoints: kinds.Endpoints | None = field(default_factory=lambda: endpoints("10.0.0.1"))
    reason: str = ""
    says: str = ""


AVAILABILITY = (
    Availability("all is there"),
    Availability("no service", service=None, reason="ServiceNotFound", says='service/s in "ns" is not present'),
    Availability("another port", service=service(80), reason="ServicePortError", says="is not listening on port 443"),
    Availability("out of the cluster", service=service(type="ExternalName"), reason="ServicePortError", says="leads out"),
    Availability("no endpoints", endpoints=None, reason="EndpointsNotFound", says="cannot find endpoints for service/s in"),
    Availability("nobody is ready", endpoints=endpoints(), reason="MissingEndpoints", says='with port name "https"'),
    Availability("not this port", endpoints=endpoints("10.0.0.1", port="x"), reason="MissingEndpoints", says="no address"),
)


@pytest.mark.parametrize("case", AVAILABILITY, ids=lambda case: case.id)
def test_obstacles(case: Availability) -> None:
    verdict = availability.obstacle(WANTED, case.service, case.endpoints)
    if not case.reason:
        assert verdict is None
        return
    assert verdict is not None
    assert (verdict.available, verdict.reason) == (False, case.reason)
    assert case.says in verdict.message


def test_the_time_of_a_condition_is_that_of_its_status() -> None:
    other = APIServiceCondition(type="Other", status="True")
    failed = Verdict(False, "ServiceNotFound", "gone")
    first = availability.with_condition([other], failed, BEFORE)
    assert [each.type for each in first] == ["Other", "Available"]
    assert not availability.is_available(first)
    again = availability.with_condition(first, Verdict(False, "MissingEndpoints", "none"), NOW)
    assert (again[1].reason, again[1].last_transition_time) == ("MissingEndpoints", BEFORE)
    passed = availability.with_condition(again, PASSED, NOW)
    assert (passed[1].status, passed[1].last_transition_time) == ("True", NOW)
    assert availability.with_condition(passed, PASSED, "2027-01-01T00:00:00Z") == passed
    assert availability.is_available(passed)
    assert (availability.says(passed, PASSED), availability.says(passed, LOCAL)) == (True, False)


ROOT = "/apis/g.example.com/v1"


@pytest.mark.parametrize(
    ("method", "path", "query", "wanted"),
    [
        ("GET", f"{ROOT}/namespaces/n/things", {}, ("list", "things", "", "n", "")),
        ("GET", f"{ROOT}/namespaces/n/things", {"watch": "1"}, ("watch", "things", "", "n", "")),
        ("GET", f"{ROOT}/namespaces/n/things", {"watch": "false"}, ("list", "things", "", "n", "")),
        ("GET", f"{ROOT}/things", {"fieldSelector": "metadata.name=a,x=y"}, ("list", "things", "", "", "a")),
        ("GET", f"{ROOT}/things", {"fieldSelector": "metadata.name!=a"}, ("list", "things", "", "", "")),
        ("GET", f"{ROOT}/things", {"fieldSelector": "metadata.name"}, ("list", "things", "", "", "")),
        ("DELETE", f"{ROOT}/things", {"fieldSelector": "metadata.name=a"}, ("deletecollection", "things", "", "", "a")),
        ("GET", f"{ROOT}/namespaces/n/things/a", {"watch": "true"}, ("get", "things", "", "n", "a")),
        ("HEAD", f"{ROOT}/namespaces/n/things/a/", {}, ("get", "things", "", "n", "a")),
        ("PUT", f"{ROOT}/namespaces/n/things/a/status", {}, ("update", "things", "status", "n", "a")),
        ("PATCH", f"{ROOT}/things/a", {}, ("patch", "things", "", "", "a")),
        ("POST", f"{ROOT}/things", {}, ("create", "things", "", "", "")),
        ("POST", f"{ROOT}/namespaces/n/things/a/proxy/x/y", {}, ("create", "things", "proxy", "n", "a")),
        ("DELETE", f"{ROOT}/things", {}, ("deletecollection", "things", "", "", "")),
        ("DELETE", f"{ROOT}/things/a", {}, ("delete", "things", "", "", "a")),
        ("GET", f"{ROOT}/watch/namespaces/n/things", {}, ("watch", "things", "", "n", "")),
        ("GET", f"{ROOT}/namespaces", {}, ("list", "namespaces", "", "", "")),
        ("GET", f"{ROOT}/namespaces/n", {}, ("get", "namespaces", "", "n", "n")),
        ("GET", f"{ROOT}/namespaces/n/status", {}, ("get", "namespaces", "status", "n", "n")),
    ],
)
def test_what_is_asked(method: str, path: str, query: dict[str, str], wanted: tuple[str, ...]) -> None:
    question = paths.question_of(JANE, method, path, query)
    assert (question.verb, question.resource, question.subresource, question.namespace, question.name) == wanted
    assert (question.user, question.group, question.version, question.path) == (JANE, "g.example.com", "v1", "")


def test_discovery_is_a_path() -> None:
    assert paths.question_of(JANE, "GET", ROOT, {}) == Question(user=JANE, verb="get", path=ROOT)
    assert paths.question_of(JANE, "GET", f"/openapi/v3{ROOT}", {}).path == f"/openapi/v3{ROOT}"
    core = paths.question_of(JANE, "GET", "/api/v1/namespaces/n/pods/p", {})
    assert (core.group, core.version, core.resource, core.name) == ("", "v1", "pods", "p")
    with pytest.raises(ApiError) as caught:
        paths.question_of(JANE, "TRACE", f"{ROOT}/things", {})
    assert caught.value.code == 405


@pytest.mark.parametrize(
    ("path", "wanted"),
    [
        (ROOT, ("g.example.com", "v1")),
        (f"{ROOT}/things/a/b/c", ("g.example.com", "v1")),
        ("/api/v1/pods", ("", "v1")),
        ("/apis", None),
        ("/apis/g.example.com", None),
        ("/apis/g.example.com/", None),
        ("/apis//v1/things", None),
        ("/x/apis/g.example.com/v1", None),
        ("/", None),
        ("", None),
    ],
)
def test_whose_a_path_is(path: str, wanted: tuple[str, str] | None) -> None:
    assert paths.group_version_of(path) == wanted


@pytest.mark.parametrize(
    ("path", "raw", "plain"),
    [
        ("/apis/g/v1/things/a b", "/apis/g/v1/things/a%20b", True),
        ("/apis/g/v1/things/", "/apis/g/v1/things/", True),
        ("/apis/g/v1/things/a/b", "/apis/g/v1/things/a%2Fb", False),
        ("/apis/g/v1/things//b", "/apis/g/v1/things//b", False),
        ("/apis/g/v1/../x", "/apis/g/v1/../x", False),
        ("/apis/g/v1/../x", "/apis/g/v1/%2e%2e/x", False),
        ("/apis/g/v1/..", "/apis/g/v1/..", False),
        ("/apis/g/v1/a", "/apis/g/v1/%2e/a", False),
        ("/apis/g/v1/%2F", "/apis/g/v1/%252F", True),
    ],
)
def test_only_plain_paths_are_carried(path: str, raw: str, plain: bool) -> None:
    if plain:
        paths.require_plain(path, raw)
        return
    with pytest.raises(ApiError) as caught:
        paths.require_plain(path, raw)
    assert caught.value.code == 400


def test_what_decides_stands_once() -> None:
    paths.require_single(["watch", "labelSelector", "labelSelector", "fieldSelector"])
    for twice in ("watch", "fieldSelector"):
        with pytest.raises(ApiError) as caught:
            paths.require_single([twice, "x", twice])
        assert caught.value.code == 400


def test_identity_headers() -> None:
    extra = (("Scopes", ("a", "b")), ("example.com/50%", ("x",)))
    assert identity.identity_headers("jane", ("g1", "g2"), "u-1", extra) == [
        ("X-Remote-User", "jane"),
        ("X-Remote-Group", "g1"),
        ("X-Remote-Group", "g2"),
        ("X-Remote-Uid", "u-1"),
        ("X-Remote-Extra-scopes", "a"),
        ("X-Remote-Extra-scopes", "b"),
        ("X-Remote-Extra-example.com%2F50%25", "x"),
    ]
    for name in ("jane\r\nX-Remote-Group: system:masters", "a\nb", "a\0", "admin ", " admin", "\u00a0admin"):
        for user, groups in ((name, ()), ("jane", (name,))):
            with pytest.raises(ApiError) as caught:
                identity.identity_headers(user, groups)
            assert caught.value.code == 400


def test_what_is_published() -> None:
    data = identity.published("CA", "FRONT CA", ["front-proxy-client"])
    assert (data["client-ca-file"], data["requestheader-client-ca-file"]) == ("CA", "FRONT CA")
    assert {name: json.loads(data[f"requestheader-{name}"]) for name in (
        "allowed-names", "username-headers", "group-headers", "extra-headers-prefix", "uid-headers"
    )} == {
        "allowed-names": ["front-proxy-client"],
        "username-headers": ["X-Remote-User"],
        "group-headers": ["X-Remote-Group"],
        "extra-headers-prefix": ["X-Remote-Extra-"],
        "uid-headers": ["X-Remote-Uid"],
    }  # fmt: skip
    assert identity.published("CA") == {"client-ca-file": "CA"}


def test_order_of_groups_and_versions() -> None:
    listed = {
        ("b", "v1"): Priority(100, 10),
        ("a", "v1"): Priority(100, 10),
        ("high", "v1alpha1"): Priority(1, 5),
        ("high", "v2"): Priority(2000, 5),
        ("high", "v10"): Priority(1, 5),
        ("high", "v1beta2"): Priority(1, 5),
        ("high", "v1beta10"): Priority(1, 5),
        ("high", "odd"): Priority(1, 5),
        ("high", "v1"): Priority(1, 6),
        ("apiregistration.k8s.io", "v1"): Priority(1, 1),
    }
    assert ordering.ordered(listed) == {
        "apiregistration.k8s.io": ["v1"],
        "high": ["v1", "v10", "v2", "v1beta10", "v1beta2", "v1alpha1", "odd"],
        "a": ["v1"],
        "b": ["v1"],
    }


SERVED = [("", "v1"), ("apps", "v1"), ("own.example.com", "v1"), ("apiregistration.k8s.io", "v1")]


def local(group: str, version: str = "v1") -> APIService:
    return ordering.local_api_service(group, version)


def spoiled(api_service: APIService, label: str | None = None) -> APIService:
    changed = codec.deep_copy(api_service)
    changed.spec.version_priority = 999
    if label is not None:
        changed.metadata.labels = {AUTOMANAGED: label} if label else {}
    return changed


def test_api_services_exist_by_themselves() -> None:
    made = ordering.upkeep(SERVED, [], starting=True)
    assert [(each.metadata.name, each.metadata.labels[AUTOMANAGED]) for each in made.create] == [
        ("v1.", "onstart"),
        ("v1.apps", "onstart"),
        ("v1.own.example.com", "true"),
    ]
    assert [(each.spec.group_priority_minimum, each.spec.version_priority) for each in made.create] == [
        (18000, 1),
        (17800, 15),
        (1000, 100),
    ]
    assert ordering.upkeep(SERVED, made.create, starting=True) == ordering.Upkeep()


@dataclass(frozen=True)
class Kept:
    id: str
    known: APIService
    starting: bool = False
    update: bool = False
    delete: bool = False


KEPT = (
    Kept("built in, changed: corrected at the start", spoiled(local("apps")), starting=True, update=True),
    Kept("built in, changed: left alone later", spoiled(local("apps"))),
    Kept("of a user's kind, changed: always corrected", spoiled(local("own.example.com")), update=True),
    Kept("without the label: somebody else's", spoiled(local("apps"), ""), starting=True),
    Kept("with another value of the label: somebody else's", spoiled(local("apps"), "no"), starting=True),
    Kept("of a user's kind that is gone", local("gone.example.com"), delete=True),
    Kept("somebody else's of a group that is not served", spoiled(local("gone.example.com"), ""), starting=True),
)


@pytest.mark.parametrize("case", KEPT, ids=lambda case: case.id)
def test_api_services_are_kept_in_line(case: Kept) -> None:
    others = [local(*each) for each in SERVED[:3] if f"v1.{each[0]}" != case.known.metadata.name]
    found = ordering.upkeep(SERVED, [*others, case.known], starting=case.starting)
    assert found.create == ()
    assert [each.metadata.name for each in found.update] == ([case.known.metadata.name] if case.update else [])
    assert [each.metadata.name for each in found.delete] == ([case.known.metadata.name] if case.delete else [])
    if found.update:
        assert found.update[0].spec == local(case.known.spec.group).spec


def test_routes_and_priorities() -> None:
    spec = APIServiceSpec(group="g", version="v1", ca_bundle="Q0E=", group_priority_minimum=7, version_priority=8)
    remote = APIService(metadata=ObjectMeta(name="v1.g", uid="u"), spec=spec)
    assert routes.route_of(remote) is None
    assert ("g", "v1") not in routes.priorities(SERVED, [remote])
    remote.spec.service = APIServiceReference(namespace="ns", name="s", port=8443)
    route = routes.route_of(remote)
    assert route is not None
    assert route.servers == routes.Servers("ns", "s", 8443, b"CA", False)
    assert (route.path, route.servers.origin, route.available) == ("/apis/g/v1", "https://s.ns.svc:8443", False)
    apps = local("apps")
    apps.spec.version_priority = 3
    found = routes.priorities(SERVED, [remote, apps])
    assert (found["g", "v1"], found["apps", "v1"], found["", "v1"]) == (Priority(7, 8), Priority(17800, 3), Priority(18000, 1))
