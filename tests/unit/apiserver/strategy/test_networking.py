"""Ingresses and their classes, network policies, IP addresses, service networks."""

from typing import Any

import pytest

from apimachinery import codec
from apimachinery.resources import (
    INGRESS_CLASSES,
    INGRESSES,
    IP_ADDRESSES,
    NETWORK_POLICIES,
    SERVICE_CIDRS,
    Resource,
)
from apiserver.strategy import STRATEGIES
from tests.support.strategies import (
    ABSENT,
    FORBIDDEN,
    INVALID,
    REQUIRED,
    UNSUPPORTED,
    Row,
    changed,
    check,
    check_defaults_are_stable,
    created,
    errors_on_create,
    errors_on_update,
    wrong,
)

Plain = dict[str, Any]
BACKEND = {"service": {"name": "web", "port": {"number": 80}}}
PATH = "spec.rules[0].http.paths[0]"
INGRESS: Plain = {
    "metadata": {"name": "a", "namespace": "default"},
    "spec": {
        "rules": [{"host": "a.example.com", "http": {"paths": [{"path": "/", "pathType": "Prefix", "backend": BACKEND}]}}]
    },
}
INGRESS_ROWS = (
    Row("right", {}),
    Row("nothing", {"spec": {}}, [wrong("spec", INVALID, "either `defaultBackend` or `rules`")]),
    Row("default only", {"spec": {"defaultBackend": BACKEND}}),
    Row("host in capitals", {"spec.rules[0].host": "A.example.com"}, [wrong("spec.rules[0].host", INVALID)]),
    Row("host of all", {"spec.rules[0].host": "*.example.com"}),
    Row("host in between", {"spec.rules[0].host": "a.*.com"}, [wrong("spec.rules[0].host", INVALID, "wildcard")]),
    Row("address", {"spec.rules[0].host": "10.0.0.1"}, [wrong("spec.rules[0].host", INVALID, "not an IP address")]),
    Row("no paths", {"spec.rules[0].http.paths": []}, [wrong("spec.rules[0].http.paths", REQUIRED)]),
    Row("no type of path", {f"{PATH}.pathType": ABSENT}, [wrong(f"{PATH}.pathType", REQUIRED, "must be specified")]),
    Row("type of path", {f"{PATH}.pathType": "Fuzzy"}, [wrong(f"{PATH}.pathType", UNSUPPORTED)]),
    Row("relative path", {f"{PATH}.path": "x"}, [wrong(f"{PATH}.path", INVALID, "absolute")]),
    Row("dots", {f"{PATH}.path": "/a/../b"}, [wrong(f"{PATH}.path", INVALID, "must not contain '/../'")]),
    Row("dots at the end", {f"{PATH}.path": "/a/.."}, [wrong(f"{PATH}.path", INVALID, "cannot end with '/..'")]),
    Row("path of the controller's", {f"{PATH}.pathType": "ImplementationSpecific", f"{PATH}.path": ""}),
    Row("no backend", {f"{PATH}.backend": {}}, [wrong(f"{PATH}.backend", INVALID, "resource or service")]),
    Row(
        "two backends",
        {f"{PATH}.backend.resource": {"kind": "A", "name": "b"}},
        [wrong(f"{PATH}.backend", INVALID, "cannot set both resource and service")],
    ),
    Row("a resource", {f"{PATH}.backend": {"resource": {"apiGroup": "x.io", "kind": "Bucket", "name": "b"}}}),
    Row(
        "no port",
        {f"{PATH}.backend.service.port": ABSENT},
        [wrong(f"{PATH}.backend.service", REQUIRED, "port name or number")],
    ),
    Row(
        "two ports",
        {f"{PATH}.backend.service.port.name": "http"},
        [wrong(f"{PATH}.backend.service", INVALID, "cannot set both port name & port number")],
    ),
    Row(
        "port",
        {f"{PATH}.backend.service.port.number": 70000},
        [wrong(f"{PATH}.backend.service.port.number", INVALID)],
    ),
    Row("service", {f"{PATH}.backend.service.name": "1a"}, [wrong(f"{PATH}.backend.service.name", INVALID)]),
    Row(
        "tls",
        {"spec.tls": [{"hosts": ["a_b"], "secretName": "A"}]},
        [
            wrong("spec.tls[0].hosts[0]", INVALID),
            wrong("spec.tls[0].secretName", INVALID),
        ],
    ),
    Row("class", {"spec.ingressClassName": "A b"}, [wrong("spec.ingressClassName", INVALID)]),
    Row(
        "class in two ways",
        {"spec.ingressClassName": "a", "metadata.annotations": {"kubernetes.io/ingress.class": "b"}},
        [wrong("metadata.annotations[kubernetes.io/ingress.class]", INVALID, "class field is also set")],
    ),
)

CLASS: Plain = {"metadata": {"name": "a"}, "spec": {"controller": "example.com/c"}}
IN = "spec.parameters"
CLASS_ROWS = (
    Row("right", {IN: {"kind": "ConfigMap", "name": "c"}}),
    Row("no controller", {"spec": {}}, [wrong("spec.controller", REQUIRED)]),
    Row("controller", {"spec.controller": "c"}, [wrong("spec.controller", INVALID, "domain-prefixed")]),
    Row("namespace of all", {IN: {"kind": "A", "name": "c", "namespace": "n"}}, [wrong(f"{IN}.namespace", FORBIDDEN)]),
    Row("no namespace", {IN: {"kind": "A", "name": "c", "scope": "Namespace"}}, [wrong(f"{IN}.namespace", REQUIRED)]),
    Row("scope", {IN: {"kind": "A", "name": "c", "scope": "World"}}, [wrong(f"{IN}.scope", UNSUPPORTED)]),
)

POLICY: Plain = {"metadata": {"name": "a", "namespace": "default"}, "spec": {"podSelector": {}}}
FROM = "spec.ingress[0].from[0]"
PORT = "spec.egress[0].ports[0]"
POLICY_ROWS = (
    Row("right", {FROM: {"podSelector": {}, "namespaceSelector": {}}, PORT: {"port": "http"}}),
    Row("nobody", {FROM: {}}, [wrong(FROM, REQUIRED, "must specify a peer")]),
    Row(
        "block and pods",
        {FROM: {"podSelector": {}, "ipBlock": {"cidr": "10.0.0.0/8"}}},
        [wrong(FROM, FORBIDDEN, "may not specify both ipBlock")],
    ),
    Row("block", {FROM: {"ipBlock": {"cidr": "10.0.0.0"}}}, [wrong(f"{FROM}.ipBlock.cidr", INVALID)]),
    Row("hole", {FROM: {"ipBlock": {"cidr": "10.0.0.0/8", "except": ["10.1.0.0/16"]}}}),
    Row(
        "hole outside",
        {FROM: {"ipBlock": {"cidr": "10.0.0.0/8", "except": ["11.0.0.0/16", "10.0.0.0/8", "x"]}}},
        [
            wrong(f"{FROM}.ipBlock.except[0]", INVALID, "strict subset"),
            wrong(f"{FROM}.ipBlock.except[1]", INVALID, "strict subset"),
            wrong(f"{FROM}.ipBlock.except[2]", INVALID),
        ],
    ),
    Row("range", {PORT: {"port": 80, "endPort": 90}}),
    Row("range backwards", {PORT: {"port": 80, "endPort": 70}}, [wrong(f"{PORT}.endPort", INVALID, "greater than or equal")]),
    Row("range of a name", {PORT: {"port": "http", "endPort": 70}}, [wrong(f"{PORT}.endPort", INVALID, "non-numeric")]),
    Row("range of nothing", {PORT: {"endPort": 70}}, [wrong(f"{PORT}.endPort", INVALID, "not specified")]),
    Row("protocol", {PORT: {"protocol": "ICMP"}}, [wrong(f"{PORT}.protocol", UNSUPPORTED)]),
    Row("port", {PORT: {"port": 0}}, [wrong(f"{PORT}.port", INVALID)]),
    Row("types", {"spec.policyTypes": ["Sideways"]}, [wrong("spec.policyTypes[0]", UNSUPPORTED)]),
    Row("many types", {"spec.policyTypes": ["Ingress"] * 3}, [wrong("spec.policyTypes", INVALID, "more than two")]),
)

ADDRESS: Plain = {"metadata": {"name": "10.96.0.7"}, "spec": {"parentRef": {"resource": "services", "name": "web"}}}
ADDRESS_ROWS = (
    Row("right", {"spec.parentRef.namespace": "default"}),
    Row("no address", {"metadata.name": "web"}, [wrong("metadata.name", INVALID)]),
    Row("long form", {"metadata.name": "2001:db8:0::1"}, [wrong("metadata.name", INVALID, "canonical")]),
    Row("nobody's", {"spec": {}}, [wrong("spec.parentRef.resource", REQUIRED), wrong("spec.parentRef.name", REQUIRED)]),
)

NETWORK: Plain = {"metadata": {"name": "a"}, "spec": {"cidrs": ["10.96.0.0/16"]}}
NETWORK_ROWS = (
    Row("right", {}),
    Row("both families", {"spec.cidrs": ["10.96.0.0/16", "2001:db8::/112"]}),
    Row("none", {"spec.cidrs": []}, [wrong("spec.cidrs", REQUIRED)]),
    Row("three", {"spec.cidrs": ["10.0.0.0/8"] * 3}, [wrong("spec.cidrs", INVALID, "up to 2")]),
    Row(
        "two of one", {"spec.cidrs": ["10.0.0.0/8", "11.0.0.0/8"]}, [wrong("spec.cidrs", INVALID, "one IP for each IP family")]
    ),
    Row("host bits", {"spec.cidrs": ["10.96.0.1/16"]}, [wrong("spec.cidrs[0]", INVALID, "canonical")]),
    Row("no network", {"spec.cidrs": ["a"]}, [wrong("spec.cidrs[0]", INVALID)]),
)

CREATES = (
    *((INGRESSES, INGRESS, row) for row in INGRESS_ROWS),
    *((INGRESS_CLASSES, CLASS, row) for row in CLASS_ROWS),
    *((NETWORK_POLICIES, POLICY, row) for row in POLICY_ROWS),
    *((IP_ADDRESSES, ADDRESS, row) for row in ADDRESS_ROWS),
    *((SERVICE_CIDRS, NETWORK, row) for row in NETWORK_ROWS),
)
POINT = "status.loadBalancer.ingress[0]"
UPDATES = (
    (INGRESSES, INGRESS, Row("another host", {"spec.rules[0].host": "b.example.com"})),
    (INGRESSES, INGRESS, Row("status", {POINT: {"ip": "10.0.0.1"}}, subresource="status")),
    (
        INGRESSES,
        INGRESS,
        Row(
            "wrong status",
            {POINT: {"ip": "x", "hostname": "10.0.0.1", "ports": [{"port": 0, "protocol": "X"}]}},
            [
                wrong(f"{POINT}.ip", INVALID),
                wrong(f"{POINT}.hostname", INVALID, "must be a DNS name"),
                wrong(f"{POINT}.ports[0].port", INVALID),
                wrong(f"{POINT}.ports[0].protocol", UNSUPPORTED),
            ],
            subresource="status",
        ),
    ),
    (
        INGRESS_CLASSES,
        CLASS,
        Row("another controller", {"spec.controller": "example.com/d"}, [wrong("spec.controller", INVALID, "immutable")]),
    ),
    (
        IP_ADDRESSES,
        ADDRESS,
        Row("another's", {"spec.parentRef.name": "db"}, [wrong("spec.parentRef", INVALID, "immutable")]),
    ),
    (SERVICE_CIDRS, NETWORK, Row("one more", {"spec.cidrs": ["10.96.0.0/16", "2001:db8::/112"]})),
    (SERVICE_CIDRS, NETWORK, Row("another", {"spec.cidrs": ["10.97.0.0/16"]}, [wrong("spec.cidrs", INVALID, "immutable")])),
)


def named(value: object) -> str:
    match value:
        case Resource():
            return value.plural
        case Row():
            return value.id
        case _:
            return ""


@pytest.mark.parametrize(("resource", "plain", "row"), CREATES, ids=named)
def test_create(resource: Resource, plain: Plain, row: Row) -> None:
    given = changed(plain, row.changes)
    check(errors_on_create(resource, given), row.wrong)
    check_defaults_are_stable(resource, given)


@pytest.mark.parametrize(("resource", "plain", "row"), UPDATES, ids=named)
def test_update(resource: Resource, plain: Plain, row: Row) -> None:
    check(errors_on_update(resource, plain, row), row.wrong)


def test_defaults() -> None:
    with_parameters = created(INGRESS_CLASSES, changed(CLASS, {IN: {"kind": "A", "name": "b"}}))
    assert with_parameters.spec.parameters.scope == "Cluster"
    for changes, types in (({}, ["Ingress"]), ({PORT: {"port": 80}}, ["Ingress", "Egress"])):
        policy = created(NETWORK_POLICIES, changed(POLICY, changes))
        assert policy.spec.policy_types == types
        assert all(port.protocol == "TCP" for rule in policy.spec.egress for port in rule.ports)
    assert codec.to_plain(created(NETWORK_POLICIES, POLICY))["spec"]["podSelector"] == {}


def test_an_annotation_in_place_of_a_class_is_warned_of() -> None:
    old = created(INGRESSES, changed(INGRESS, {"metadata.annotations": {"kubernetes.io/ingress.class": "b"}}))
    assert "deprecated" in STRATEGIES[INGRESSES].warnings(old)[0]
    assert STRATEGIES[INGRESSES].warnings(created(INGRESSES, INGRESS)) == []
