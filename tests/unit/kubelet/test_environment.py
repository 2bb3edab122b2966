"""Variables of containers."""

import base64
from typing import Any

import pytest

from apimachinery import codec
from apimachinery.kinds import ConfigMap, Secret, Service
from kubelet.core.environment import ConfigError, Sources, environment, expand, service_variables
from tests.support.pods import make_pod

EXPANSIONS = (
    ("plain", "abc", "abc"),
    ("known", "$(A)/x", "1/x"),
    ("unknown stays", "$(NO)", "$(NO)"),
    ("escaped", "$$(A)", "$(A)"),
    ("two dollars", "$$$$", "$$"),
    ("unclosed", "$(A", "$(A"),
    ("lone dollar", "a$b$", "a$b$"),
    ("adjacent", "$(A)$(B)", "12"),
    ("nested is taken literally", "$($(A))", "$(1)"),
)


@pytest.mark.parametrize(("name", "text", "want"), EXPANSIONS, ids=[each[0] for each in EXPANSIONS])
def test_expand(name: str, text: str, want: str) -> None:
    assert expand(text, {"A": "1", "B": "2"}) == want


SOURCES = Sources(
    config_maps={"cm": codec.convert(ConfigMap, {"metadata": {"name": "cm"}, "data": {"a": "1", "b.c": "2", "=x": "3"}})},
    secrets={"s": codec.convert(Secret, {"metadata": {"name": "s"}, "data": {"k": base64.b64encode(b"v").decode()}})},
    pod_ips=("10.0.0.1", "fd00::1"),
    host_ip="172.31.255.2",
    allocatable={"cpu": "2", "memory": "1Gi"},
)

VARIABLES: tuple[tuple[str, dict[str, Any], dict[str, str]], ...] = (
    ("literal", {"env": [{"name": "A", "value": "x"}]}, {"A": "x"}),
    ("later refers to earlier", {"env": [{"name": "A", "value": "x"}, {"name": "B", "value": "$(A)y"}]}, {"A": "x", "B": "xy"}),
    (
        "a key of a ConfigMap",
        {"env": [{"name": "A", "valueFrom": {"configMapKeyRef": {"name": "cm", "key": "a"}}}]},
        {"A": "1"},
    ),
    (
        "an optional key that is missing",
        {"env": [{"name": "A", "valueFrom": {"configMapKeyRef": {"name": "cm", "key": "no", "optional": True}}}]},
        {},
    ),
    ("a key of a Secret", {"env": [{"name": "A", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}}]}, {"A": "v"}),
    ("all of a ConfigMap but what cannot be a name", {"envFrom": [{"configMapRef": {"name": "cm"}}]}, {"a": "1", "b.c": "2"}),
    ("all of a Secret, prefixed", {"envFrom": [{"prefix": "P_", "secretRef": {"name": "s"}}]}, {"P_k": "v"}),
    ("optional and missing", {"envFrom": [{"configMapRef": {"name": "no", "optional": True}}]}, {}),
    (
        "env wins over envFrom",
        {"envFrom": [{"configMapRef": {"name": "cm"}}], "env": [{"name": "a", "value": "9"}]},
        {"a": "9", "b.c": "2"},
    ),
    ("name of the pod", {"env": [{"name": "A", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}}]}, {"A": "web"}),
    ("a label", {"env": [{"name": "A", "valueFrom": {"fieldRef": {"fieldPath": "metadata.labels['app']"}}}]}, {"A": "x"}),
    (
        "addresses",
        {"env": [{"name": "A", "valueFrom": {"fieldRef": {"fieldPath": "status.podIPs"}}}]},
        {"A": "10.0.0.1,fd00::1"},
    ),
    (
        "the node's address",
        {"env": [{"name": "A", "valueFrom": {"fieldRef": {"fieldPath": "status.hostIP"}}}]},
        {"A": "172.31.255.2"},
    ),
    (
        "a limit, rounded up to the divisor",
        {
            "resources": {"limits": {"memory": "1500Ki"}},
            "env": [{"name": "A", "valueFrom": {"resourceFieldRef": {"resource": "limits.memory", "divisor": "1Mi"}}}],
        },
        {"A": "2"},
    ),
    (
        "no limit: what the node has",
        {"env": [{"name": "A", "valueFrom": {"resourceFieldRef": {"resource": "limits.cpu"}}}]},
        {"A": "2"},
    ),
)


@pytest.mark.parametrize(("name", "container", "want"), VARIABLES, ids=[each[0] for each in VARIABLES])
def test_environment(name: str, container: dict[str, Any], want: dict[str, str]) -> None:
    pod = make_pod(metadata={"labels": {"app": "x"}}, containers=[{"name": "c", "image": "i", **container}])
    assert environment(pod, pod.spec.containers[0], SOURCES) == want


ERRORS = (
    ("no ConfigMap", {"envFrom": [{"configMapRef": {"name": "no"}}]}, 'configmap "no" not found'),
    ("no Secret", {"env": [{"name": "A", "valueFrom": {"secretKeyRef": {"name": "no", "key": "k"}}}]}, 'secret "no" not found'),
    (
        "no key",
        {"env": [{"name": "A", "valueFrom": {"configMapKeyRef": {"name": "cm", "key": "no"}}}]},
        "couldn't find key no in ConfigMap default/cm",
    ),
    (
        "no such field",
        {"env": [{"name": "A", "valueFrom": {"fieldRef": {"fieldPath": "spec.x"}}}]},
        "unsupported fieldPath: spec.x",
    ),
)


@pytest.mark.parametrize(("name", "container", "message"), ERRORS, ids=[each[0] for each in ERRORS])
def test_what_cannot_be_configured(name: str, container: dict[str, Any], message: str) -> None:
    pod = make_pod(containers=[{"name": "c", "image": "i", **container}])
    with pytest.raises(ConfigError) as caught:
        environment(pod, pod.spec.containers[0], SOURCES)
    assert str(caught.value) == message


def service(name: str, namespace: str = "default", address: str = "10.96.0.5", *ports: dict[str, Any]) -> Service:
    plain = {"metadata": {"name": name, "namespace": namespace}, "spec": {"clusterIP": address, "ports": list(ports)}}
    return codec.convert(Service, plain)


def test_services_become_variables() -> None:
    services = [
        service("redis-main", "default", "10.96.0.5", {"port": 6379, "name": "db-port"}, {"port": 80, "protocol": "UDP"}),
        service("elsewhere", "other", "10.96.0.6", {"port": 80}),
        service("headless", "default", "None", {"port": 80}),
    ]
    assert service_variables(make_pod(), services) == {
        "REDIS_MAIN_SERVICE_HOST": "10.96.0.5",
        "REDIS_MAIN_SERVICE_PORT": "6379",
        "REDIS_MAIN_SERVICE_PORT_DB_PORT": "6379",
        "REDIS_MAIN_PORT": "tcp://10.96.0.5:6379",
        "REDIS_MAIN_PORT_6379_TCP": "tcp://10.96.0.5:6379",
        "REDIS_MAIN_PORT_6379_TCP_PROTO": "tcp",
        "REDIS_MAIN_PORT_6379_TCP_PORT": "6379",
        "REDIS_MAIN_PORT_6379_TCP_ADDR": "10.96.0.5",
        "REDIS_MAIN_PORT_80_UDP": "udp://10.96.0.5:80",
        "REDIS_MAIN_PORT_80_UDP_PROTO": "udp",
        "REDIS_MAIN_PORT_80_UDP_PORT": "80",
        "REDIS_MAIN_PORT_80_UDP_ADDR": "10.96.0.5",
    }


def test_the_api_is_always_among_them() -> None:
    api = service("kubernetes", "default", "10.96.0.1", {"port": 443, "name": "https"})
    mine = service("mine", "team", "10.96.0.7", {"port": 1})
    pod = make_pod(metadata={"namespace": "team"}, enableServiceLinks=False)
    variables = service_variables(pod, [api, mine])
    assert variables["KUBERNETES_SERVICE_HOST"] == "10.96.0.1"
    assert "MINE_SERVICE_HOST" not in variables
