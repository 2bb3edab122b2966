"""Services: defaults, rules, what an update may change."""

from typing import Any

import pytest

from apimachinery import codec
from apimachinery.resources import SERVICES
from apiserver.strategy import STRATEGIES
from tests.support.strategies import (
    ABSENT,
    DUPLICATE,
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
    stored,
    updated,
    wrong,
)

Plain = dict[str, Any]
PLAIN: Plain = {
    "metadata": {"name": "web", "namespace": "default"},
    "spec": {"selector": {"app": "web"}, "ports": [{"port": 80}]},
}
P = "spec.ports[0]"
TWO = [{"name": "a", "port": 80}, {"name": "b", "port": 81}]

CREATES = (
    Row("right", {}),
    Row("a name that begins with a digit", {"metadata.name": "1web"}, [wrong("metadata.name", INVALID, "DNS-1035 label")]),
    Row("a name with a dot", {"metadata.name": "a.b"}, [wrong("metadata.name", INVALID)]),
    Row("type", {"spec.type": "Magic"}, [wrong("spec.type", UNSUPPORTED)]),
    Row("no ports", {"spec.ports": []}, [wrong("spec.ports", REQUIRED)]),
    Row("headless without ports", {"spec.ports": [], "spec.clusterIP": "None"}),
    Row("port", {f"{P}.port": 0, f"{P}.targetPort": 1}, [wrong(f"{P}.port", INVALID, "between 1 and 65535")]),
    Row("target port", {f"{P}.targetPort": 70000}, [wrong(f"{P}.targetPort", INVALID)]),
    Row("target port by name", {f"{P}.targetPort": "http"}),
    Row("target port by a wrong name", {f"{P}.targetPort": "a--b"}, [wrong(f"{P}.targetPort", INVALID, "consecutive hyphens")]),
    Row("protocol", {f"{P}.protocol": "udp"}, [wrong(f"{P}.protocol", UNSUPPORTED)]),
    Row("application protocol", {f"{P}.appProtocol": "a b"}, [wrong(f"{P}.appProtocol", INVALID)]),
    Row("two ports", {"spec.ports": TWO}),
    Row("two ports without names", {"spec.ports": [{"port": 80}, {"port": 81, "name": "b"}]}, [wrong(f"{P}.name", REQUIRED)]),
    Row("one name twice", {"spec.ports": [TWO[0], {**TWO[1], "name": "a"}]}, [wrong("spec.ports[1].name", DUPLICATE)]),
    Row("one port twice", {"spec.ports": [TWO[0], {**TWO[1], "port": 80}]}, [wrong("spec.ports[1]", DUPLICATE, "80/TCP")]),
    Row("one port over two protocols", {"spec.ports": [TWO[0], {"name": "b", "port": 80, "protocol": "UDP"}]}),
    Row("selector", {"spec.selector": {"a": "b c"}}, [wrong("spec.selector", INVALID)]),
    Row("node port", {"spec.type": "NodePort", f"{P}.nodePort": 30080}),
    Row("node port without the type", {f"{P}.nodePort": 30080}, [wrong(f"{P}.nodePort", FORBIDDEN, "'ClusterIP'")]),
    Row(
        "one node port twice",
        {"spec.type": "NodePort", "spec.ports": [{**each, "nodePort": 30080} for each in TWO]},
        [wrong("spec.ports[1].nodePort", DUPLICATE)],
    ),
    Row("address", {"spec.clusterIP": "10.96.0.50"}),
    Row("no address", {"spec.clusterIP": "010.96.0.50"}, [wrong("spec.clusterIPs[0]", INVALID)]),
    Row("an IPv6 address", {"spec.clusterIP": "fd00::1"}, [wrong("spec.clusterIPs[0]", INVALID, "IPv4")]),
    Row(
        "two forms that differ",
        {"spec.clusterIP": "10.96.0.50", "spec.clusterIPs": ["10.96.0.51"]},
        [wrong("spec.clusterIPs", INVALID, "first value must match")],
    ),
    Row("two addresses", {"spec.clusterIPs": ["10.96.0.50", "fd00::1"]}, [wrong("spec.clusterIPs", INVALID, "IPv4 only")]),
    Row(
        "headless on node ports",
        {"spec.type": "NodePort", "spec.clusterIP": "None"},
        [wrong("spec.clusterIPs[0]", INVALID, "may not be set to 'None'")],
    ),
    Row("IPv6", {"spec.ipFamilies": ["IPv6"]}, [wrong("spec.ipFamilies[0]", INVALID, "not configured")]),
    Row("family", {"spec.ipFamilies": ["IPX"]}, [wrong("spec.ipFamilies[0]", UNSUPPORTED)]),
    Row("family twice", {"spec.ipFamilies": ["IPv4", "IPv4"]}, [wrong("spec.ipFamilies[1]", DUPLICATE)]),
    Row("two families preferred", {"spec.ipFamilyPolicy": "PreferDualStack"}),
    Row(
        "two families required",
        {"spec.ipFamilyPolicy": "RequireDualStack"},
        [wrong("spec.ipFamilyPolicy", INVALID, "dual-stack")],
    ),
    Row("external addresses", {"spec.externalIPs": ["8.8.8.8"]}, [wrong("spec.externalIPs", FORBIDDEN, "CVE-2020-8554")]),
    Row("affinity", {"spec.sessionAffinity": "Cookie"}, [wrong("spec.sessionAffinity", UNSUPPORTED)]),
    Row(
        "affinity's time",
        {"spec.sessionAffinity": "ClientIP", "spec.sessionAffinityConfig": {"clientIP": {"timeoutSeconds": 86401}}},
        [wrong("spec.sessionAffinityConfig.clientIP.timeoutSeconds", INVALID, "86400")],
    ),
    Row("an external name", {"spec": {"type": "ExternalName", "externalName": "db.example.com."}}),
    Row("no external name", {"spec": {"type": "ExternalName"}}, [wrong("spec.externalName", REQUIRED)]),
    Row(
        "a wrong external name",
        {"spec": {"type": "ExternalName", "externalName": "a b"}},
        [wrong("spec.externalName", INVALID)],
    ),
    Row(
        "an external name with an address",
        {"spec": {"type": "ExternalName", "externalName": "a", "clusterIP": "10.96.0.9"}},
        [wrong("spec.clusterIP", FORBIDDEN)],
    ),
    Row("traffic from outside", {"spec.type": "NodePort", "spec.externalTrafficPolicy": "Local"}),
    Row(
        "traffic from outside, inside",
        {"spec.externalTrafficPolicy": "Local"},
        [wrong("spec.externalTrafficPolicy", INVALID, "externally-accessible")],
    ),
    Row("traffic inside", {"spec.internalTrafficPolicy": "Near"}, [wrong("spec.internalTrafficPolicy", UNSUPPORTED)]),
    Row("distribution", {"spec.trafficDistribution": "Far"}, [wrong("spec.trafficDistribution", UNSUPPORTED)]),
    Row("health check's port", {"spec.healthCheckNodePort": 30000}, [wrong("spec.healthCheckNodePort", INVALID)]),
    Row(
        "a load balancer",
        {"spec.type": "LoadBalancer", "spec.loadBalancerClass": "a.b/c", "spec.loadBalancerSourceRanges": ["10.0.0.0/8"]},
    ),
    Row(
        "its fields elsewhere",
        {
            "spec.loadBalancerClass": "a.b/c",
            "spec.loadBalancerSourceRanges": ["10.0.0.0/8"],
            "spec.allocateLoadBalancerNodePorts": False,
        },
        [
            wrong(f"spec.{name}", FORBIDDEN, "LoadBalancer")
            for name in ("loadBalancerClass", "loadBalancerSourceRanges", "allocateLoadBalancerNodePorts")
        ],
    ),
    Row(
        "ranges that are none",
        {"spec.type": "LoadBalancer", "spec.loadBalancerSourceRanges": ["10.0.0.0"]},
        [wrong("spec.loadBalancerSourceRanges[0]", INVALID)],
    ),
    Row(
        "the kubelet's port, outside",
        {"spec.type": "LoadBalancer", f"{P}.port": 10250},
        [wrong(f"{P}.port", INVALID, "kubelet")],
    ),
)


@pytest.mark.parametrize("row", CREATES, ids=lambda row: row.id)
def test_create(row: Row) -> None:
    plain = changed(PLAIN, row.changes)
    check(errors_on_create(SERVICES, plain), row.wrong)
    check_defaults_are_stable(SERVICES, plain)


ADDRESS = {"spec.clusterIP": "10.96.0.50", "spec.clusterIPs": ["10.96.0.50"]}
PORTS = {"spec.type": "NodePort", f"{P}.nodePort": 30080, "spec.externalTrafficPolicy": "Cluster"}
EXTERNAL = {"spec.externalIPs": ["8.8.8.8"]}
UPDATES = (
    Row("nothing", {}, base=ADDRESS),
    Row("a port", {f"{P}.port": 81}, base=ADDRESS),
    Row(
        "another address",
        {"spec.clusterIP": "10.96.0.51", "spec.clusterIPs": ["10.96.0.51"]},
        [wrong("spec.clusterIPs[0]", INVALID, "may not change once set")],
        base=ADDRESS,
    ),
    Row(
        "another address, by one that knows only one field",
        {"spec.clusterIP": "10.96.0.51"},
        [wrong("spec.clusterIPs[0]", INVALID, "may not change once set")],
        base=ADDRESS,
    ),
    Row(
        "headless",
        {"spec.clusterIP": "None", "spec.clusterIPs": ["None"]},
        [wrong("spec.clusterIPs[0]", INVALID)],
        base=ADDRESS,
    ),
    Row("to node ports", {"spec.type": "NodePort"}, base=ADDRESS),
    Row("from node ports, sent back whole", {"spec.type": "ClusterIP", f"{P}.nodePort": ABSENT}, base={**ADDRESS, **PORTS}),
    Row("to an external name, sent back whole", {"spec.type": "ExternalName", "spec.externalName": "a.b"}, base=ADDRESS),
    Row(
        "a load balancer becomes a node port",
        {"spec.type": "NodePort"},
        base={
            **ADDRESS,
            "spec.type": "LoadBalancer",
            "spec.loadBalancerClass": "a/b",
            "spec.loadBalancerSourceRanges": ["10.0.0.0/8"],
        },
    ),
    Row(
        "another class",
        {"spec.loadBalancerClass": "a/c"},
        [wrong("spec.loadBalancerClass", INVALID, "may not change once set")],
        base={**ADDRESS, "spec.type": "LoadBalancer", "spec.loadBalancerClass": "a/b"},
    ),
    Row("external addresses stay", {f"{P}.port": 81}, base={**ADDRESS, **EXTERNAL}),
    Row("external addresses go", {"spec.externalIPs": ABSENT}, base={**ADDRESS, **EXTERNAL}),
    Row(
        "external addresses come",
        {"spec.externalIPs": ["8.8.8.8", "9.9.9.9"]},
        [wrong("spec.externalIPs", FORBIDDEN)],
        base={**ADDRESS, **EXTERNAL},
    ),
)


@pytest.mark.parametrize("row", UPDATES, ids=lambda row: row.id)
def test_update(row: Row) -> None:
    check(errors_on_update(SERVICES, PLAIN, row), row.wrong)


def test_defaults() -> None:
    spec = codec.to_plain(created(SERVICES, PLAIN))["spec"]
    assert spec == {
        "type": "ClusterIP",
        "sessionAffinity": "None",
        "internalTrafficPolicy": "Cluster",
        "ipFamilies": ["IPv4"],
        "ipFamilyPolicy": "SingleStack",
        "ports": [{"port": 80, "protocol": "TCP", "targetPort": 80}],
        "selector": {"app": "web"},
    }
    node_port = codec.to_plain(created(SERVICES, changed(PLAIN, {"spec.type": "NodePort"})))["spec"]
    assert node_port["externalTrafficPolicy"] == "Cluster"
    balancer = codec.to_plain(created(SERVICES, changed(PLAIN, {"spec.type": "LoadBalancer"})))["spec"]
    assert balancer["allocateLoadBalancerNodePorts"] is True
    affine = codec.to_plain(created(SERVICES, changed(PLAIN, {"spec.sessionAffinity": "ClientIP"})))["spec"]
    assert affine["sessionAffinityConfig"] == {"clientIP": {"timeoutSeconds": 10800}}
    external = codec.to_plain(created(SERVICES, changed(PLAIN, {"spec": {"type": "ExternalName", "externalName": "a"}})))[
        "spec"
    ]
    assert external == {"type": "ExternalName", "externalName": "a", "sessionAffinity": "None"}
    fixed = created(SERVICES, changed(PLAIN, {"spec.clusterIP": "10.96.0.9"}))
    assert fixed.spec.cluster_ips == ["10.96.0.9"]


def test_status_is_written_apart() -> None:
    plain = changed(PLAIN, {"status": {"loadBalancer": {"ingress": [{"ip": "1.2.3.4"}]}}})
    assert created(SERVICES, plain).status.load_balancer is None
    old = stored(SERVICES, PLAIN)
    new, found = updated(SERVICES, old, changed(codec.to_plain(old), {"status": plain["status"], "spec.ports": []}), "status")
    assert found == []
    assert new.status.load_balancer.ingress[0].ip == "1.2.3.4"
    assert new.spec.ports == old.spec.ports


def test_warnings() -> None:
    headless = created(SERVICES, changed(PLAIN, {"spec.clusterIP": "None", "spec.sessionAffinity": "ClientIP"}))
    assert len(STRATEGIES[SERVICES].warnings(headless)) == 1
    assert STRATEGIES[SERVICES].warnings(created(SERVICES, PLAIN)) == []
