"""logs, exec and attach through the real API server to kubelets that are faked."""

from __future__ import annotations

import fcntl
import os
import pty
import struct
import subprocess
import sys
import termios
from collections.abc import Callable
from typing import Any

import pytest

TIMEOUT_S = 20

Kctl = Callable[..., Any]


@pytest.fixture
def pod(api: Any, namespace: str) -> str:
    """A running pod of two containers on a node of its own; gives its namespace."""
    node = f"node-{namespace}"
    api.client.create("/api/v1/nodes", {"apiVersion": "v1", "kind": "Node", "metadata": {"name": node}})
    addresses = [{"type": "InternalIP", "address": "172.31.255.3"}]
    api.set_status(f"/api/v1/nodes/{node}", {"addresses": addresses, "daemonEndpoints": {"kubeletEndpoint": {"Port": 10250}}})
    containers = [{"name": name, "image": "busybox:1"} for name in ("main", "side")]
    body = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p", "labels": {"app": "p"}}}
    api.client.create(f"/api/v1/namespaces/{namespace}/pods", {**body, "spec": {"nodeName": node, "containers": containers}})
    api.set_status(f"/api/v1/namespaces/{namespace}/pods/p", {"phase": "Running"})
    return namespace


def process(api: Any, namespace: str, *arguments: str, stdin: Any = subprocess.DEVNULL) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "kctl", "-n", namespace, *arguments]
    environment = {**os.environ, "KUBECONFIG": str(api.kubeconfig)}
    return subprocess.Popen(command, stdin=stdin, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment)


def test_logs(kctl: Kctl, pod: str) -> None:
    ns = ("-n", pod)
    result = kctl("logs", "p", *ns, "--tail=2")
    assert (result.out, result.err) == ("main 4\nmain 5\n", 'Defaulted container "main" out of: main, side\n')
    assert kctl("logs", "p", "side", *ns, "--tail=1").out == "side 5\n"
    assert kctl("logs", "pod/p", "-c", "side", *ns, "-f", "--tail=1").out == "side 5\nlater\n"
    both = kctl("logs", "-l", "app=p", *ns, "--all-containers", "--prefix", "--tail=1").out
    assert both == "[pod/p/main] main 5\n[pod/p/side] side 5\n"
    together = kctl("logs", "-f", "-l", "app=p", *ns, "--all-containers", "--tail=1").out
    assert sorted(together.splitlines()) == ["later", "later", "main 5", "side 5"]


def test_logs_refused(kctl: Kctl, pod: str) -> None:
    ns = ("-n", pod)
    for arguments, words in (
        (("logs", "nope"), 'pods "nope" not found'),
        (("logs", "p", "-c", "nope"), "container nope is not valid for pod p out of: main, side"),
        (("logs",), "POD or TYPE/NAME is a required argument"),
        (("logs", "p", "--since=1s", "--since-time=2026-01-01T00:00:00Z"), "at most one of"),
        (("logs", "p", "--since=soon"), 'invalid duration "soon"'),
    ):
        result = kctl(*arguments, *ns)
        assert result.code == 1, arguments
        assert words in result.err


def test_exec_carries_streams_and_the_exit_code(api: Any, pod: str) -> None:
    running = process(api, pod, "exec", "-i", "p", "-c", "main", "--", "cat", stdin=subprocess.PIPE)
    out, err = running.communicate(b"hello\n", timeout=TIMEOUT_S)
    assert (running.returncode, out, err) == (0, b"HELLO\n", b"")
    failing = process(api, pod, "exec", "p", "-c", "main", "--", "exit", "7")
    out, err = failing.communicate(timeout=TIMEOUT_S)
    assert (failing.returncode, out, err) == (7, b"", b"bye\ncommand terminated with exit code 7\n")


def test_exec_with_a_terminal_tells_its_size(api: Any, pod: str) -> None:
    outer, inner = pty.openpty()
    try:
        fcntl.ioctl(inner, termios.TIOCSWINSZ, struct.pack("HHHH", 33, 101, 0, 0))
        before = termios.tcgetattr(inner)
        running = process(api, pod, "exec", "-it", "p", "-c", "main", "--", "size", stdin=inner)
        out, err = running.communicate(timeout=TIMEOUT_S)
        assert (running.returncode, out, err) == (0, b"101x33 tty=True\n", b"")
        assert termios.tcgetattr(inner) == before, "the terminal is as it was"
    finally:
        os.close(outer)
        os.close(inner)


def test_exec_refused(api: Any, pod: str) -> None:
    for arguments, words in (
        (("exec", "nope", "--", "cat"), b'Error from server (NotFound): pods "nope" not found'),
        (("exec", "p", "-c", "nope", "--", "cat"), b"container nope is not valid for pod p"),
        (("exec", "p"), b"you must specify at least one command"),
    ):
        running = process(api, pod, *arguments)
        _, err = running.communicate(timeout=TIMEOUT_S)
        assert running.returncode == 1
        assert words in err
