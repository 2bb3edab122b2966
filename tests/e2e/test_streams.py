"""exec, attach, port-forward, cp and proxies in real containers: by a stock kubectl 1.20, which speaks SPDY, and by kctl."""

from __future__ import annotations

import json
import os
import re
import select
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from tests.support.cluster import LocalCluster, Namespace
from tests.support.load import fetch
from tests.support.manifests import deployment, pod, python, service, shell, sleeper, web_container
from tests.support.terminals import TIMEOUT_S, background, environment, forwarded_port, terminal

KUBECTL = Path("/var/cache/coxswain/kubectl-1.20/usr/bin/kubectl")
ECHO_PORT = 7000
ECHO = f"""
import socket, threading
server = socket.socket()
server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
server.bind(("0.0.0.0", {ECHO_PORT}))
server.listen(50)
def serve(connection):
    while True:
        data = connection.recv(65536)
        if not data:
            break
        connection.sendall(data.upper())
    connection.close()
while True:
    threading.Thread(target=serve, args=(server.accept()[0],), daemon=True).start()
"""


@pytest.fixture(scope="module")
def shared(request: pytest.FixtureRequest, cluster: LocalCluster, show_in_reports: Callable[..., None]) -> Iterator[Namespace]:
    """Pods that the tests share: `box` (a shell), `echo` (capitals on a port), `talk` (reads lines), a web Deployment."""
    with cluster.namespace("streams") as namespace:
        show_in_reports(request.node, namespace)
        namespace.create(pod("box", sleeper()))
        listens = {"tcpSocket": {"port": ECHO_PORT}, "periodSeconds": 1}
        namespace.create(pod("echo", python(ECHO, readinessProbe=listens), labels={"app": "echo"}))
        reader = 'while read -r line; do echo "got $line"; echo "err $line" >&2; done; echo over; sleep 3600'
        namespace.create(pod("talk", shell(reader, stdin=True)))
        namespace.create(pod("term", shell('while :; do read -r line; echo "size $(stty size)"; done', stdin=True, tty=True)))
        namespace.apply(deployment("web", 2, web_container()), service("web"))
        for name in ("box", "echo", "talk", "term"):
            namespace.pod_ready(name)
        namespace.deployment_done("web")
        namespace.endpoints_ready("web", 2)
        yield namespace


@pytest.fixture(params=["kubectl", "kctl"])
def program(request: pytest.FixtureRequest, shared: Namespace, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The start of a command line, in the shared namespace."""
    monkeypatch.setenv("HOME", str(shared.cluster.kubeconfig.parent))  # where kubectl keeps what it has discovered
    which = [str(KUBECTL)] if request.param == "kubectl" else [sys.executable, "-m", "kctl"]
    return [*which, f"--kubeconfig={shared.cluster.kubeconfig}", f"--namespace={shared.name}"]


def run(command: list[str], stdin: bytes = b"", *, code: int = 0) -> tuple[bytes, bytes]:
    result = subprocess.run(command, input=stdin, capture_output=True, timeout=TIMEOUT_S, env=environment(), check=False)
    assert result.returncode == code, (
        f"{command} ended with {result.returncode}: {result.stdout[-500:]!r} {result.stderr[-500:]!r}"
    )
    return result.stdout, result.stderr


# exec


def test_exec_carries_output_and_exit_code(program: list[str]) -> None:
    assert run([*program, "exec", "box", "--", "echo", "hi"]) == (b"hi\n", b"")
    out, err = run([*program, "exec", "box", "--", "sh", "-c", "echo out; echo err >&2; exit 42"], code=42)
    assert out == b"out\n"
    assert err == b"err\ncommand terminated with exit code 42\n"


def test_exec_carries_input_and_its_end(program: list[str]) -> None:
    data = os.urandom(1 << 20)
    assert run([*program, "exec", "-i", "box", "--", "cat"], data)[0] == data
    assert run([*program, "exec", "-i", "box", "--", "wc", "-c"], data)[0].strip() == b"1048576"


def test_exec_of_what_is_not_there(program: list[str]) -> None:
    _, err = run([*program, "exec", "box", "--", "/no/such/program"], code=1)
    assert b"no such file" in err
    _, err = run([*program, "exec", "nobody", "--", "true"], code=1)
    assert b'pods "nobody" not found' in err


def test_exec_in_a_terminal(program: list[str]) -> None:
    with terminal([*program, "exec", "-it", "box", "--", "sh"], 100, 40) as shell_:
        # Sizes travel beside what is typed, not in order with it.
        shell_.write("until test \"$(stty size)\" = '40 100'; do sleep 0.05; done; echo as' 'wide\n")
        shell_.until(b"as wide")
        shell_.resize(132, 43)
        shell_.process.send_signal(signal.SIGWINCH)
        shell_.write("until test \"$(stty size)\" = '43 132'; do sleep 0.05; done; echo wi'der'; tty\n")
        shell_.until(b"wider")
        shell_.until(b"/dev/pts/")
        shell_.write("exit 7\n")
        shell_.until(b"exit code 7")
        assert shell_.process.wait(TIMEOUT_S) == 7


# attach


def test_attach_carries_lines_both_ways(program: list[str]) -> None:
    process = subprocess.Popen(
        [*program, "attach", "-i", "talk"],
        env=environment(),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    try:
        assert process.stdin is not None
        assert process.stdout is not None
        word = f"hello-{os.getpid()}-{'kubectl' if 'kubectl' in program[0] else 'kctl'}"
        process.stdin.write(f"{word}\n".encode())
        process.stdin.flush()
        assert process.stdout.readline() == f"got {word}\n".encode()
    finally:
        process.kill()
        process.communicate()


def test_attach_to_a_terminal(program: list[str]) -> None:
    with terminal([*program, "attach", "-it", "term"], 90, 30) as screen:
        deadline = time.monotonic() + TIMEOUT_S
        while b"size 30 90" not in screen.text:
            assert time.monotonic() < deadline, screen.text
            screen.write("\n")
            screen.until(b"size ")
            screen.text = b"size " + screen.text
            time.sleep(0.2)
            screen.text += os.read(screen.outer, 65536) if select.select([screen.outer], [], [], 0)[0] else b""


# port-forward


def test_port_forward_to_a_pod(program: list[str]) -> None:
    with background([*program, "port-forward", "pod/echo", f":{ECHO_PORT}"]) as process:
        port = forwarded_port(process, ECHO_PORT)
        data = b"x" * 3_000_000
        for _ in range(3):
            with socket.create_connection(("127.0.0.1", port), TIMEOUT_S) as connection:
                connection.sendall(b"hello")
                assert connection.recv(5) == b"HELLO"
        with socket.create_connection(("127.0.0.1", port), TIMEOUT_S) as connection:
            connection.settimeout(TIMEOUT_S)
            received = 0
            for start in range(0, len(data), 100_000):
                piece = data[start : start + 100_000]
                connection.sendall(piece)
                got = 0
                while got < len(piece):
                    chunk = connection.recv(65536)
                    assert chunk
                    assert set(chunk) == {ord("X")}
                    got += len(chunk)
                received += got
            connection.shutdown(socket.SHUT_WR)
            assert connection.recv(1) == b""
            assert received == len(data)


@pytest.mark.parametrize("subject", ["deployment/web", "service/web"])
def test_port_forward_to_what_has_pods(program: list[str], subject: str) -> None:
    word = ":80" if subject.startswith("service") else ":8080"
    with background([*program, "port-forward", "--address=127.0.0.1", subject, word]) as process:
        port = forwarded_port(process, 8080)
        status, body = fetch(port, "/", timeout_s=TIMEOUT_S)
        assert status == 200
        assert body.startswith("web-")


def test_port_forward_to_a_port_where_nobody_listens(program: list[str]) -> None:
    with background([*program, "port-forward", "box", ":9", f":{ECHO_PORT}"]) as process:
        port = forwarded_port(process, 9)
        with socket.create_connection(("127.0.0.1", port), TIMEOUT_S) as connection:
            connection.settimeout(TIMEOUT_S)
            connection.sendall(b"anybody?")
            with suppress(ConnectionResetError):
                assert connection.recv(1) == b""
        assert process.stderr is not None
        line = process.stderr.readline()
        assert f"an error occurred forwarding {port} -> 9" in line
        assert "onnection refused" in line
        # the others go on
        assert process.poll() is None


# cp


def test_copies_there_and_back(program: list[str], tmp_path: Path) -> None:
    mark = "kubectl" if "kubectl" in program[0] else "kctl"
    source = tmp_path / "source"
    (source / "deep" / "er").mkdir(parents=True)
    (source / "deep" / "er" / "data").write_bytes(os.urandom(2_000_000))
    (source / "one").write_text("one\n")
    run([*program, "cp", str(source), f"box:/tmp/{mark}"])
    assert run([*program, "exec", "box", "--", "cat", f"/tmp/{mark}/one"])[0] == b"one\n"
    run([*program, "cp", f"box:/tmp/{mark}", str(tmp_path / "back")])
    assert (tmp_path / "back" / "one").read_text() == "one\n"
    assert (tmp_path / "back" / "deep" / "er" / "data").read_bytes() == (source / "deep" / "er" / "data").read_bytes()
    run([*program, "cp", str(source / "one"), f"streams/box:/tmp/{mark}-file"])
    run([*program, "cp", f"box:/tmp/{mark}-file", str(tmp_path / "file")])
    assert (tmp_path / "file").read_text() == "one\n"


def test_copy_of_what_is_not_there(shared: Namespace, tmp_path: Path) -> None:
    result = shared.kctl("cp", "box:/no/such", str(tmp_path / "x"), check=False)
    assert result.returncode != 0
    assert "No such file" in result.stderr
    assert list(tmp_path.iterdir()) == []


# proxies


@pytest.mark.parametrize("path", ["services/web/proxy/", "services/http:web:80/proxy/", "services/web:http/proxy/index.html"])
def test_proxied_services(shared: Namespace, path: str) -> None:
    answer = shared.rest.request("GET", f"/api/v1/namespaces/{shared.name}/{path}")
    assert answer.status == 200, answer
    assert answer.body.startswith(b"web-")


def test_proxied_pods_and_nodes(shared: Namespace) -> None:
    name = shared.pods("app=web")[0]["metadata"]["name"]
    base = f"/api/v1/namespaces/{shared.name}/pods"
    assert shared.rest.request("GET", f"{base}/{name}/proxy/").body == f"{name}\n".encode()
    assert shared.rest.request("GET", f"{base}/{name}:8080/proxy/missing").status == 404
    refused = shared.rest.request("GET", f"{base}/box:9/proxy/")
    assert refused.status == 503
    assert "error trying to reach service" in json.loads(refused.body)["message"]
    node = shared.cluster.workers()[0]
    assert shared.rest.request("GET", f"/api/v1/nodes/{node}/proxy/healthz").body == b"ok"


def test_a_local_proxy(program: list[str], shared: Namespace) -> None:
    with background([*program, "proxy", "--port=0"]) as process:
        assert process.stdout is not None
        found = re.search(r"127\.0\.0\.1:(\d+)", process.stdout.readline())
        assert found
        base = f"http://127.0.0.1:{found.group(1)}"
        with urllib.request.urlopen(f"{base}/api/v1/namespaces/{shared.name}/pods/box", timeout=TIMEOUT_S) as answer:
            assert json.load(answer)["metadata"]["name"] == "box"
        with urllib.request.urlopen(f"{base}/api/v1/namespaces/{shared.name}/services/web/proxy/", timeout=TIMEOUT_S) as answer:
            assert answer.read().startswith(b"web-")
