"""Probes: what makes a pod ready, and what restarts its containers."""

from __future__ import annotations

import time
from typing import Any

import pytest

from apimachinery.times import parse_time
from tests.support.cluster import Namespace, condition, container_status, is_ready
from tests.support.manifests import pod, service, shell, sleeper, web_container
from tests.support.waiting import always

_FAST = {"periodSeconds": 1, "failureThreshold": 1}
_EXEC = {"exec": {"command": ["test", "-e", "/tmp/good"]}}
_HTTP = {"httpGet": {"path": "/good", "port": 8080}}
_TCP = {"tcpSocket": {"port": 8081}}
# How each kind of probe is made to succeed and to fail in a running container.
_SWITCHES = {
    "exec": ("touch /tmp/good", "rm /tmp/good"),
    "http": ("mkdir -p /tmp/www; echo yes > /tmp/www/good", "rm /tmp/www/good"),
    "tcp": ("httpd -f -p 8081 -h /tmp </dev/null >/dev/null 2>&1 & echo $! >/tmp/pid", "kill $(cat /tmp/pid)"),
}


@pytest.mark.parametrize(
    ("kind", "probe"),
    [pytest.param("exec", _EXEC, id="exec"), pytest.param("http", _HTTP, id="http"), pytest.param("tcp", _TCP, id="tcp")],
)
def test_readiness_decides_who_is_an_endpoint(ns: Namespace, kind: str, probe: dict[str, Any]) -> None:
    on, off = _SWITCHES[kind]
    web = web_container(readinessProbe={**probe, **_FAST})
    ns.create(service("web"), "services")
    ns.create(pod("web", web, labels={"app": "web"}, restartPolicy="Always"))
    ns.pod_where("web", lambda each: "running" in container_status(each).get("state", {}), "running")
    always(lambda: _assert_not_ready(ns), 1.5)
    assert condition(ns.get("pods", "web"), "Ready")["reason"] == "ContainersNotReady"
    ns.exec("web", "sh", "-c", on)
    ready = ns.pod_ready("web")
    assert ns.endpoints_ready("web", 1) == {ready["status"]["podIP"]}
    ns.exec("web", "sh", "-c", off)
    ns.pod_where("web", lambda each: not is_ready(each), "unready")
    ns.endpoints_ready("web", 0)
    assert container_status(ns.get("pods", "web"))["restartCount"] == 0
    ns.event("Unhealthy", "web")


def _assert_not_ready(ns: Namespace) -> None:
    found = ns.get("pods", "web")
    assert not is_ready(found)
    assert container_status(found)["ready"] is False
    assert not any(ns.endpoints("web").values())


def test_liveness_restarts_after_its_threshold(ns: Namespace) -> None:
    probe = {"exec": {"command": ["test", "!", "-e", "/tmp/ill"]}, "periodSeconds": 1, "failureThreshold": 2}
    ns.create(pod("patient", sleeper(livenessProbe=probe), restartPolicy="Always"))
    before = ns.pod_ready("patient")
    began = time.monotonic()
    ns.exec("patient", "touch", "/tmp/ill")
    after = ns.pod_where("patient", lambda each: container_status(each)["restartCount"] == 1, "restarted")
    assert time.monotonic() - began > 0.9  # one failure is not enough
    assert container_status(after)["containerID"] != container_status(before)["containerID"]
    assert "Liveness probe failed" in ns.event("Unhealthy", "patient")["message"]
    assert "failed liveness probe, will be restarted" in ns.event("Killing", "patient")["message"]
    ns.pod_ready("patient")


def test_liveness_ends_a_pod_that_is_never_restarted(ns: Namespace) -> None:
    probe = {"tcpSocket": {"port": 9}, "periodSeconds": 1, "failureThreshold": 1}
    ns.create(pod("doomed", shell("sleep 3600", livenessProbe=probe)))
    ended = ns.pod_ended("doomed")
    assert (ended["status"]["phase"], container_status(ended)["state"]["terminated"]["exitCode"]) == ("Failed", 137)


def test_startup_holds_back_the_other_probes(ns: Namespace) -> None:
    container = shell(
        "sleep 2; touch /tmp/up; trap 'exit 0' TERM; while :; do sleep 0.1; done",
        startupProbe={"exec": {"command": ["test", "-e", "/tmp/up"]}, "periodSeconds": 1, "failureThreshold": 20},
        livenessProbe={"exec": {"command": ["test", "-e", "/tmp/up"]}, **_FAST},
        readinessProbe={"exec": {"command": ["true"]}, **_FAST},
    )
    with ns.recorded("pods") as recorder:
        ns.create(pod("slow", container, restartPolicy="Always"))
        running = recorder.wait(lambda _, each: "running" in container_status(each).get("state", {}), "the start")
        assert container_status(running)["started"] is False
        assert not is_ready(running)
    ready = ns.pod_ready("slow")
    assert _ready_after_s(ready) >= 1  # of two, in whole seconds
    assert container_status(ready)["restartCount"] == 0
    assert container_status(ready)["started"] is True


def _ready_after_s(found: dict[str, Any]) -> float:
    """From the start of the container to its readiness, by the kubelet's account, which is in whole seconds."""
    started = parse_time(container_status(found)["state"]["running"]["startedAt"])
    return (parse_time(condition(found, "Ready")["lastTransitionTime"]) - started).total_seconds()


def test_a_startup_that_takes_too_long_is_restarted(ns: Namespace) -> None:
    probe = {"exec": {"command": ["false"]}, "periodSeconds": 1, "failureThreshold": 2}
    ns.create(pod("never-up", sleeper(startupProbe=probe), restartPolicy="Always"))
    ns.pod_where("never-up", lambda each: container_status(each).get("restartCount") == 1, "restarted")
    assert "failed startup probe" in ns.event("Killing", "never-up")["message"]


def test_a_probe_that_hangs_times_out(ns: Namespace) -> None:
    probe = {"exec": {"command": ["sleep", "60"]}, "periodSeconds": 1, "timeoutSeconds": 1, "failureThreshold": 1}
    ns.create(pod("hanging", sleeper(readinessProbe=probe), restartPolicy="Always"))
    assert "timed out" in ns.event("Unhealthy", "hanging")["message"]
    assert not is_ready(ns.get("pods", "hanging"))


def test_initial_delay_and_success_threshold(ns: Namespace) -> None:
    probe = {"exec": {"command": ["true"]}, "initialDelaySeconds": 1, "periodSeconds": 1, "successThreshold": 2}
    ns.create(pod("slow", sleeper(readinessProbe=probe), restartPolicy="Always"))
    assert _ready_after_s(ns.pod_ready("slow")) >= 2


def test_http_probes_follow_headers_status_and_scheme(ns: Namespace) -> None:
    """404 is a failure, 200 a success; the probe comes from the node and names itself."""
    probe = {"httpGet": {"path": "/missing", "port": "http", "httpHeaders": [{"name": "X-Test", "value": "1"}]}, **_FAST}
    ns.create(pod("web", web_container(readinessProbe=probe), restartPolicy="Always"))
    ns.event("Unhealthy", "web", says="HTTP probe failed with statuscode: 404")  # before it, the server may not listen yet


def test_readiness_gates_hold_a_pod_back(ns: Namespace) -> None:
    ns.create(pod("gated", sleeper(), restartPolicy="Always", readinessGates=[{"conditionType": "test.example/gate"}]))
    waiting = ns.pod_where("gated", lambda each: condition(each, "ContainersReady").get("status") == "True", "up")
    assert condition(waiting, "Ready")["reason"] == "ReadinessGatesNotReady"
    patch = {"status": {"conditions": [{"type": "test.example/gate", "status": "True"}]}}
    ns.rest.patch(ns.path("pods", "gated", "status"), patch)
    ns.pod_ready("gated")


def test_an_unready_pod_of_a_service_that_publishes_everyone(ns: Namespace) -> None:
    ns.create(service("all", app="web", clusterIP="None", publishNotReadyAddresses=True), "services")
    ns.create(pod("web", web_container(readinessProbe={"exec": {"command": ["false"]}}), labels={"app": "web"}))
    ns.endpoints_ready("all", 1)
