"""The built redis and guestbook images, unpacked and run by chroot on 127.0.0.1: two real programs, no container runtime."""

from __future__ import annotations

import http.client
import json
import os
import signal
import socket
import subprocess
import tarfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from cluster.images import RECIPES, ensure

PASSWORD = "wrong-horse"
DEADLINE_S = 15.0
DRAIN_S = 1.0


def unpack(archive: Path, target: Path) -> Path:
    """The root file system that the layers of an image archive add up to."""
    target.mkdir()
    with tarfile.open(archive) as tar:
        (listing,) = json.load(tar.extractfile("manifest.json"))
        for layer in listing["Layers"]:
            with tarfile.open(fileobj=tar.extractfile(layer)) as content:
                content.extractall(target, filter="fully_trusted")
    return target


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def eventually(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + DEADLINE_S
    while not condition():
        assert time.monotonic() < deadline, "did not happen in time"
        time.sleep(0.02)


class Contained:
    """An image's entry point, as the image's user, with the image as its root."""

    def __init__(self, name: str, root: Path, arguments: tuple[str, ...] = (), env: dict[str, str] | None = None) -> None:
        config = RECIPES[name].config
        command = ["/usr/sbin/chroot", f"--userspec={config.user}", str(root), *config.entrypoint, *arguments]
        self.process = subprocess.Popen(command, env={**config.env, **(env or {})}, stdout=subprocess.PIPE)

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()
        self.process.stdout.close()


@pytest.fixture(scope="module")
def roots(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("images")
    return {name: unpack(archive, folder / name) for name, archive in ensure(("redis", "guestbook")).items()}


class Application:
    """A Redis and a web tier that finds it."""

    def __init__(self, roots: dict[str, Path]) -> None:
        self.roots = roots
        self.redis_port, self.web_port = free_port(), free_port()
        self.redis = self.start_redis()
        env = {
            "ADDRESS": "127.0.0.1",
            "PORT": str(self.web_port),
            "GUESTBOOK_DRAIN_SECONDS": str(DRAIN_S),
            "POD_NAME": "web-7",
            "GUESTBOOK_REDIS_HOST": "127.0.0.1",
            "GUESTBOOK_REDIS_PORT": str(self.redis_port),
            "REDIS_PASSWORD": PASSWORD,
            "REDIS_PORT": "tcp://10.96.0.7:6379",  # what Kubernetes says to every pod beside a Service called redis
        }
        self.web = Contained("guestbook", roots["guestbook"], env=env)
        eventually(lambda: self.status("/ready") == 200)

    def start_redis(self) -> Contained:
        arguments = ("--bind", "127.0.0.1", "--port", str(self.redis_port), "--requirepass", PASSWORD, "--dir", "/data")
        return Contained("redis", self.roots["redis"], (*arguments, "--appendonly", "yes", "--appendfsync", "always"))

    def get(self, path: str) -> tuple[int, bytes, str]:
        connection = http.client.HTTPConnection("127.0.0.1", self.web_port, timeout=5)
        try:
            connection.request("GET", path)
            answer = connection.getresponse()
            return answer.status, answer.read(), answer.headers["Connection"]
        finally:
            connection.close()

    def status(self, path: str) -> int:
        try:
            return self.get(path)[0]
        except OSError:
            return 0

    def stop(self) -> None:
        self.web.kill()
        self.redis.kill()


@pytest.fixture
def app(roots: dict[str, Path]) -> Iterator[Application]:
    application = Application(roots)
    yield application
    application.stop()


def test_visits_are_counted_in_redis(app: Application) -> None:
    first = json.loads(app.get("/count")[1])
    second = json.loads(app.get("/count")[1])
    assert second["visits"] == first["visits"] + 1
    assert second["pod"] == "web-7"
    status, body, _ = app.get("/")
    assert status == 200
    assert f'<span class="count">{second["visits"] + 1}</span>'.encode() in body


def test_redis_that_dies_makes_the_pod_unready_and_one_that_returns_makes_it_ready(app: Application) -> None:
    before = json.loads(app.get("/count")[1])["visits"]
    app.redis.kill()
    assert app.status("/ready") == 503
    assert app.status("/") == 503
    assert app.status("/healthz") == 200
    app.redis = app.start_redis()
    eventually(lambda: app.status("/ready") == 200)
    assert json.loads(app.get("/count")[1])["visits"] == before + 1


def test_no_request_fails_while_the_pod_drains(app: Application) -> None:
    results: list[int] = []
    ends = threading.Event()

    def visit() -> None:
        while not ends.is_set():
            results.append(app.status("/count"))

    visitors = [threading.Thread(target=visit) for _ in range(4)]
    for visitor in visitors:
        visitor.start()
    os.kill(app.web.process.pid, signal.SIGTERM)
    eventually(lambda: app.status("/ready") == 503)
    assert app.get("/healthz")[2] == "close"
    time.sleep(DRAIN_S / 2)
    ends.set()
    for visitor in visitors:
        visitor.join()
    assert set(results) == {200}
    assert app.web.process.wait(timeout=DEADLINE_S) == 0


def test_second_signal_ends_it_at_once(app: Application) -> None:
    os.kill(app.web.process.pid, signal.SIGTERM)
    eventually(lambda: app.status("/ready") == 503)
    os.kill(app.web.process.pid, signal.SIGTERM)
    assert app.web.process.wait(timeout=DRAIN_S / 2) == 128 + signal.SIGTERM


def test_log_that_nobody_reads_does_not_stop_the_server(app: Application) -> None:
    """A pipe holds 64 KiB, some 700 lines; its reader is away while the runtime restarts."""
    connection = http.client.HTTPConnection("127.0.0.1", app.web_port, timeout=5)
    for _ in range(1500):
        connection.request("GET", "/count")
        answer = connection.getresponse()
        answer.read()
        assert answer.status == 200
    connection.close()
