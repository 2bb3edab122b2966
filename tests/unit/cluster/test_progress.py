"""The stages of a start, from reports."""

from __future__ import annotations

from cluster import config
from cluster.create import stages
from cluster.lifecycle import State
from cluster.messages import ServiceReport
from cluster.paths import ClusterPaths
from cluster.progress import Progress
from cluster.spec import ClusterSpec

SPEC = ClusterSpec(name="demo", workers=1, image_archives=("/a.tar",))


def progress() -> Progress:
    layout = config.Layout(ClusterPaths("demo"), api_listen_fd=7)
    services = {node.name: config.node_services(SPEC, node, layout) for node in SPEC.nodes()}
    return Progress(stages(SPEC, services, wait_for_nodes=True))


def report(node: str, service: str, state: State, starts: int = 1) -> ServiceReport:
    return ServiceReport(node=node, service=service, state=state, starts=starts)


def test_stages_pass_once_all_of_theirs_is_up() -> None:
    sut, passed = progress(), []
    for node, service in (
        ("demo-worker", "containerd"),
        ("demo-control-plane", "etcd"),
        ("demo-control-plane", "containerd"),
        ("demo-control-plane", "apiserver"),
        ("demo-control-plane", "etcd"),
    ):
        passed += [stage.name for stage in sut.on_service(report(node, service, State.READY))]
    assert passed == ["etcd", "runtime", "apiserver"]
    assert not sut.complete
    for node in ("demo-control-plane", "demo-worker"):
        for service in ("scheduler", "controller_manager", "kubelet", "kube_proxy", "cluster_dns"):
            passed += [stage.name for stage in sut.on_service(report(node, service, State.READY))]
        passed += [stage.name for stage in sut.on_service(report(node, "image-0", State.DONE))]
    assert passed[3:] == ["components", "images"]
    assert sut.missing() == "the Ready condition of demo-control-plane, demo-worker"
    assert sut.on_node("demo-worker", True) == []
    assert sut.on_node("demo-worker", False) == []
    assert sut.on_node("demo-control-plane", True) == []
    assert [stage.name for stage in sut.on_node("demo-worker", True)] == ["ready"]
    assert sut.complete


def test_names_what_is_missing() -> None:
    assert "etcd on demo-control-plane" in progress().missing()


def test_fails_over_a_service_that_never_comes_up() -> None:
    sut = progress()
    assert not sut.has_failed(report("demo-worker", "kubelet", State.BACKOFF, starts=1))
    assert sut.has_failed(report("demo-worker", "kubelet", State.BACKOFF, starts=3))
    assert sut.has_failed(report("demo-worker", "image-0", State.FAILED))
    sut.on_service(report("demo-worker", "kubelet", State.READY))
    assert not sut.has_failed(report("demo-worker", "kubelet", State.BACKOFF, starts=9)), "it was up; it restarts"
