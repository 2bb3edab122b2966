"""port-forward, cp and proxy through the real API server to kubelets that are faked."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.integration.kctl.test_streams import TIMEOUT_S, Kctl, pod, process

__all__ = ["pod"]


@contextmanager
def running(api: Any, pod: str, *arguments: str) -> Iterator[subprocess.Popen[bytes]]:
    """kctl until the block ends, which must then end at once and without complaint."""
    found = process(api, pod, *arguments)
    try:
        yield found
        assert found.poll() is None
        found.send_signal(signal.SIGINT)
        assert found.wait(TIMEOUT_S) == 0
    finally:
        found.kill()
        found.communicate()


def port_of(found: subprocess.Popen[bytes], remote: int) -> int:
    assert found.stdout is not None
    while line := found.stdout.readline():
        if match := re.fullmatch(rb"Forwarding from 127\.0\.0\.1:(\d+) -> %d\n" % remote, line):
            return int(match.group(1))
    raise AssertionError(found.communicate())


def exchanged(port: int, data: bytes) -> bytes:
    """Send, end our side, and read all there is."""
    with socket.create_connection(("127.0.0.1", port), TIMEOUT_S) as connection:
        connection.sendall(data)
        connection.shutdown(socket.SHUT_WR)
        received = bytearray()
        while piece := connection.recv(65536):
            received += piece
        return bytes(received)


def test_port_forward(api: Any, pod: str) -> None:
    with running(api, pod, "port-forward", "p", ":8080", ":1") as found:
        port, dead = port_of(found, 8080), port_of(found, 1)
        for _ in range(3):
            assert exchanged(port, b"hello") == b"HELLO"
        assert exchanged(dead, b"x") == b""
        assert found.stderr is not None
        assert b"an error occurred forwarding" in found.stderr.readline()
        assert exchanged(port, b"on") == b"ON"


def test_port_forward_to_a_service(api: Any, pod: str) -> None:
    spec = {"selector": {"app": "p"}, "ports": [{"port": 80, "targetPort": 8080}]}
    body = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "s"}, "spec": spec}
    api.client.create(f"/api/v1/namespaces/{pod}/services", body)
    with running(api, pod, "port-forward", "--address", "127.0.0.1", "svc/s", ":80") as found:
        assert exchanged(port_of(found, 8080), b"x") == b"X"


def test_port_forward_refused(api: Any, kctl: Kctl, pod: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        busy = taken.getsockname()[1]
        result = kctl("port-forward", "-n", pod, "--address=127.0.0.1", "p", f"{busy}:80")
        assert (result.code, "unable to listen on any of the requested ports" in result.err) == (1, True)
    for arguments, words in (
        (("nobody", "80"), 'pods "nobody" not found'),
        (("p",), "TYPE/NAME and list of ports are required"),
        (("p", "x"), "does not have a named port 'x'"),
        (("p", "80", "--address=nowhere"), "nowhere is not a valid IP"),
    ):
        result = kctl("port-forward", "-n", pod, *arguments)
        assert result.code == 1, arguments
        assert words in result.err


def test_copies_there_and_back(kctl: Kctl, pod: str, tmp_path: Path) -> None:
    ns, inside = ("-n", pod, "-c", "main"), tmp_path / "inside"
    source = tmp_path / "source"
    (source / "deep").mkdir(parents=True)
    (source / "deep" / "data").write_bytes(os.urandom(1_500_000))
    inside.mkdir()
    for target in (inside, inside / "new"):
        result = kctl("cp", *ns, str(source), f"p:{target}")
        assert result.code == 0, result.err
    assert (inside / "source" / "deep" / "data").read_bytes() == (source / "deep" / "data").read_bytes()
    assert (inside / "new" / "deep" / "data").exists()
    result = kctl("cp", *ns, f"{pod}/p:{inside}/new", str(tmp_path / "back"))
    assert result.code == 0, result.err
    assert (tmp_path / "back" / "deep" / "data").read_bytes() == (source / "deep" / "data").read_bytes()
    assert kctl("cp", *ns, f"p:{inside}/new/deep/data", str(tmp_path)).code == 0
    assert (tmp_path / "data").stat().st_size == 1_500_000


def test_copies_refused(kctl: Kctl, pod: str, tmp_path: Path) -> None:
    for arguments, words in (
        (("a", "b"), "one of src or dest must be a local file"),
        (("p:a", "p:b"), "one of src or dest must be a local file"),
        ((str(tmp_path / "none"), "p:/tmp/x"), "doesn't exist in local filesystem"),
        (("p:/no/such/file", str(tmp_path / "x")), "No such file"),
        (("only",), "source and destination are required"),
        (("p:", "x"), "filepath can not be empty"),
    ):
        result = kctl("cp", "-n", pod, "-c", "main", *arguments)
        assert result.code != 0, arguments
        assert words in result.err
    assert list(tmp_path.iterdir()) == []


def test_a_copy_that_cannot_be_written_says_why(kctl: Kctl, pod: str, tmp_path: Path) -> None:
    (tmp_path / "source").mkdir()
    (tmp_path / "source" / "big").write_bytes(os.urandom(3_000_000))
    (tmp_path / "outside").mkdir()
    (tmp_path / "here").mkdir()
    (tmp_path / "here" / "source").symlink_to(tmp_path / "outside")
    result = kctl("cp", "-n", pod, "-c", "main", f"p:{tmp_path}/source", str(tmp_path / "here"))
    assert result.code == 1
    assert "is a link or no directory" in result.err
    assert list((tmp_path / "outside").iterdir()) == []


def test_proxy(api: Any, pod: str) -> None:
    with running(api, pod, "proxy", "--port=0") as found:
        assert found.stdout is not None
        match = re.fullmatch(rb"Starting to serve on 127\.0\.0\.1:(\d+)\n", found.stdout.readline())
        assert match
        base = f"http://127.0.0.1:{int(match.group(1))}"
        with urllib.request.urlopen(f"{base}/api/v1/namespaces/{pod}/pods/p", timeout=TIMEOUT_S) as answer:
            assert json.load(answer)["metadata"]["name"] == "p"
        watch = urllib.request.urlopen(f"{base}/api/v1/namespaces/{pod}/pods?watch=1", timeout=TIMEOUT_S)
        assert json.loads(watch.readline())["object"]["metadata"]["name"] == "p"
        watch.close()
        body = json.dumps({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "made"}}).encode()
        made = urllib.request.Request(f"{base}/api/v1/namespaces/{pod}/configmaps", body, {"Content-Type": "application/json"})
        with urllib.request.urlopen(made, timeout=TIMEOUT_S) as answer:
            assert answer.status == 201
        for request in (
            urllib.request.Request(f"{base}/version", headers={"Host": "evil.example"}),
            urllib.request.Request(f"{base}/api/v1/namespaces/{pod}/pods/p/exec?command=x"),
        ):
            with pytest.raises(urllib.error.HTTPError) as caught:
                urllib.request.urlopen(request, timeout=TIMEOUT_S)
            assert caught.value.code == 403


def test_a_shell_through_the_proxy_when_it_is_let(api: Any, pod: str, tmp_path: Path) -> None:
    with running(api, pod, "proxy", "--port=0", "--reject-paths=^$") as found:
        assert found.stdout is not None
        port = int(found.stdout.readline().rpartition(b":")[2])
        config = {
            "current-context": "c",
            "clusters": [{"name": "c", "cluster": {"server": f"http://127.0.0.1:{port}"}}],
            "contexts": [{"name": "c", "context": {"cluster": "c", "user": ""}}],
        }
        api_ = type("Proxied", (), {"kubeconfig": tmp_path / "kubeconfig"})
        api_.kubeconfig.write_text(json.dumps(config))
        inner = process(api_, pod, "exec", "-i", "p", "-c", "main", "--", "cat", stdin=subprocess.PIPE)
        out, err = inner.communicate(b"hello\n", timeout=TIMEOUT_S)
        assert (inner.returncode, out, err) == (0, b"HELLO\n", b"")
