"""The guestbook of examples/: the page answers on 127.0.0.1, its counter rises, and web pods may die."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.support.cluster import LocalCluster, Namespace, container_status, is_ready
from tests.support.load import Load, fetch
from tests.support.waiting import eventually

MANIFEST = Path(__file__).resolve().parents[2] / "examples" / "guestbook" / "app.yaml"
NODE_PORT = 30080
UP_TIMEOUT_S = 30.0

pytestmark = pytest.mark.usefixtures("guestbook")


@pytest.fixture(scope="module")
def guestbook(
    request: pytest.FixtureRequest, cluster: LocalCluster, show_in_reports: Callable[..., None]
) -> Iterator[Namespace]:
    """The guestbook, answering."""
    with cluster.namespace("guestbook") as namespace:
        show_in_reports(request.node, namespace)
        applied = namespace.kctl("apply", "-f", str(MANIFEST))
        assert applied.stdout.count(" created\n") == 6, applied.stdout
        eventually(lambda: _visit(cluster), UP_TIMEOUT_S)
        namespace.deployment_done("web")
        namespace.endpoints_ready("web", 3)
        eventually(lambda: _all_answer(cluster))
        yield namespace
        namespace.kctl("delete", "-f", str(MANIFEST), "--wait=true", "--timeout=30s")


def _visit(cluster: LocalCluster) -> dict[str, object]:
    try:
        status, body = fetch(cluster.ports[NODE_PORT], "/count")
    except (OSError, ValueError) as error:
        raise AssertionError(f"the page does not answer: {error}") from error
    assert status == 200, f"{status}: {body}"
    answer: dict[str, object] = json.loads(body)
    return answer


def _all_answer(cluster: LocalCluster) -> None:
    seen = {_visit(cluster)["pod"] for _ in range(30)}
    assert len(seen) == 3, seen


def test_the_counter_rises_with_each_request_and_all_pods_answer(cluster: LocalCluster) -> None:
    answers = [_visit(cluster) for _ in range(60)]
    counts = [answer["visits"] for answer in answers]
    assert counts == list(range(counts[0], counts[0] + len(counts)))  # type: ignore[call-overload]
    assert len({answer["pod"] for answer in answers}) == 3
    assert {answer["title"] for answer in answers} == {"Coxswain guestbook"}
    assert {answer["greeting"] for answer in answers} == {"Three nodes, one command. Welcome aboard."}


def test_the_page_is_html_for_a_browser(cluster: LocalCluster) -> None:
    import urllib.request

    request = urllib.request.Request(f"http://127.0.0.1:{cluster.ports[NODE_PORT]}/", headers={"Accept": "text/html"})
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(request, timeout=5) as response:
        assert response.headers["Content-Type"].startswith("text/html")
        assert b"<title>Coxswain guestbook</title>" in response.read()


def test_the_node_port_answers_on_every_node(cluster: LocalCluster) -> None:
    for node in cluster.nodes():
        for asked in cluster.nodes():
            eventually(lambda of=node.name, to=asked.ip: _is_healthy(cluster, of, to))  # type: ignore[misc]


def _is_healthy(cluster: LocalCluster, node: str, address: str) -> None:
    found = cluster.fetch_from(node, address, NODE_PORT, "/healthz")
    assert found == (200, "ok\n"), f"{node} to {address}: {found}"


def test_the_web_tier_finds_redis_by_name(guestbook: Namespace) -> None:
    pod = guestbook.pods("app=web")[0]["metadata"]["name"]
    address = guestbook.get("services", "redis")["spec"]["clusterIP"]
    for name in ("redis", f"redis.{guestbook.name}", f"redis.{guestbook.name}.svc.cluster.local"):
        answer = guestbook.exec(pod, "python3", "-EsSc", f"import socket; print(socket.gethostbyname('{name}'))")
        assert answer.stdout.strip() == address


def test_it_survives_the_death_of_web_pods_without_a_failed_request(cluster: LocalCluster, guestbook: Namespace) -> None:
    before = _visit(cluster)["visits"]
    names = [pod["metadata"]["name"] for pod in guestbook.pods("app=web")]
    with Load(cluster.ports[NODE_PORT], "/count") as load:
        for name in names:
            guestbook.kctl("delete", "pod", name, "--wait=false")
            eventually(lambda: _three_ready(guestbook), UP_TIMEOUT_S)
        guestbook.gone("pods", names[-1])
    assert load.failures == []
    assert len(load.successes) > 50
    assert _visit(cluster)["visits"] == before + len(load.successes) + 1  # type: ignore[operator]


def _three_ready(guestbook: Namespace) -> None:
    ready = [pod["metadata"]["name"] for pod in guestbook.pods("app=web") if is_ready(pod)]
    assert len(ready) == 3, f"ready: {ready}"


def test_a_killed_web_process_is_restarted_in_its_pod(cluster: LocalCluster, guestbook: Namespace) -> None:
    pod = guestbook.pods("app=web")[0]
    name, restarts = pod["metadata"]["name"], container_status(pod)["restartCount"]
    # From the node, because process 1 of a container is safe from signals of its own kin.
    identity = container_status(pod)["containerID"].removeprefix("containerd://")
    node = pod["spec"]["nodeName"]
    cluster.inside(
        node, "ctr", "--address=/run/containerd/containerd.sock", "-n", "k8s.io", "task", "kill", "-s", "SIGKILL", identity
    )
    after = guestbook.pod_where(name, lambda pod: container_status(pod)["restartCount"] == restarts + 1, "restarted")
    assert container_status(after)["lastState"]["terminated"]["exitCode"] == 137
    guestbook.pod_ready(name)
    eventually(lambda: _all_answer(cluster))


def test_the_counter_outlives_the_redis_container(cluster: LocalCluster, guestbook: Namespace) -> None:
    before = int(str(_visit(cluster)["visits"]))
    redis = guestbook.pods("app=redis")[0]
    name, restarts = redis["metadata"]["name"], container_status(redis)["restartCount"]
    guestbook.exec(name, "sh", "-c", "redis-cli -a $REDIS_PASSWORD shutdown save", check=False)
    guestbook.pod_where(
        name, lambda pod: container_status(pod)["restartCount"] == restarts + 1 and is_ready(pod), "restarted and ready"
    )
    after = int(str(eventually(lambda: _visit(cluster))["visits"]))
    assert before < after <= before + 3


def test_a_changed_configmap_reaches_the_running_pods(cluster: LocalCluster, guestbook: Namespace) -> None:
    names = {pod["metadata"]["name"] for pod in guestbook.pods("app=web")}
    guestbook.patch("configmaps", "guestbook", {"data": {"greeting": "Changed under way."}})

    def changed() -> None:
        assert {_visit(cluster)["greeting"] for _ in range(6)} == {"Changed under way."}

    eventually(changed)
    assert {pod["metadata"]["name"] for pod in guestbook.pods("app=web")} == names


def test_applying_it_again_changes_nothing_but_what_was_changed(guestbook: Namespace) -> None:
    """A Secret given as stringData is always "configured": the server never shows that field."""
    guestbook.patch("configmaps", "guestbook", {"data": {"greeting": "Changed since."}})
    again = guestbook.kctl("apply", "-f", str(MANIFEST)).stdout.splitlines()
    assert sorted(again) == sorted(
        [
            "configmap/guestbook configured", "secret/redis configured", "service/redis unchanged",
            "deployment.apps/redis unchanged", "service/web unchanged", "deployment.apps/web unchanged",
        ]
    )  # fmt: skip
    assert guestbook.get("configmaps", "guestbook")["data"]["greeting"] == "Three nodes, one command. Welcome aboard."
