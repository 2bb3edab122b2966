"""`kctl run`: pods from options, on this terminal through a kubelet that is faked, and their end."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

import pytest

from kctl.errors import StatusError

TIMEOUT_S = 20.0

Kctl = Callable[..., Any]


@pytest.fixture
def node(api: Any, namespace: str) -> str:
    """A node whose kubelet is faked."""
    name = f"node-{namespace}"
    api.client.create("/api/v1/nodes", {"apiVersion": "v1", "kind": "Node", "metadata": {"name": name}})
    addresses = [{"type": "InternalIP", "address": "172.31.255.3"}]
    api.set_status(f"/api/v1/nodes/{name}", {"addresses": addresses, "daemonEndpoints": {"kubeletEndpoint": {"Port": 10250}}})
    return name


def start(api: Any, namespace: str, node: str, *arguments: str) -> subprocess.Popen[bytes]:
    overrides = json.dumps({"spec": {"nodeName": node}})
    command = [sys.executable, "-m", "kctl", "-n", namespace, "run", "p", "--image=busybox:1", f"--overrides={overrides}"]
    environment = {**os.environ, "KUBECONFIG": str(api.kubeconfig)}
    pipe = subprocess.PIPE
    return subprocess.Popen([*command, *arguments], stdin=pipe, stdout=pipe, stderr=pipe, env=environment)


def set_phase(api: Any, namespace: str, phase: str, exit_code: int | None = None) -> None:
    """As the kubelet would report it, once the pod is there."""
    path = f"/api/v1/namespaces/{namespace}/pods/p"
    deadline = time.monotonic() + TIMEOUT_S
    while True:
        try:
            api.client.get(path)
            break
        except StatusError as error:
            if not error.not_found or time.monotonic() > deadline:
                raise
            time.sleep(0.05)
    status: dict[str, Any] = {"phase": phase}
    if exit_code is not None:
        ended = {"terminated": {"exitCode": exit_code, "reason": "Error" if exit_code else "Completed"}}
        status["containerStatuses"] = [
            {"name": "p", "image": "", "imageID": "", "ready": False, "restartCount": 0, "state": ended}
        ]
    api.set_status(path, status)


def gone(api: Any, namespace: str) -> bool:
    try:
        pod = api.client.get(f"/api/v1/namespaces/{namespace}/pods/p")
    except StatusError as error:
        return error.not_found
    return "deletionTimestamp" in pod["metadata"]


def test_a_pod_and_its_service(kctl: Kctl, namespace: str) -> None:
    made = kctl("run", "p", "-n", namespace, "--image=busybox:1", "--port=80", "--expose", "--env=A=1", "--", "sleep", "5")
    assert (made.code, made.out) == (0, "service/p created\npod/p created\n"), made.err
    pod = json.loads(kctl("get", "-n", namespace, "pod", "p", "-o", "json").out)
    (container,) = pod["spec"]["containers"]
    assert (container["args"], container["env"]) == (["sleep", "5"], [{"name": "A", "value": "1"}])
    assert kctl("get", "-n", namespace, "svc", "p", "-o=jsonpath={.spec.selector}").out == '{"run":"p"}'
    again = kctl("run", "p", "-n", namespace, "--image=busybox:1")
    assert again.err == 'Error from server (AlreadyExists): pods "p" already exists\n'


def test_a_dry_run_sends_nothing(kctl: Kctl, namespace: str) -> None:
    shown = kctl("run", "p", "--image=a", "--dry-run=client", "-o", "yaml", "--restart=Never", "--command", "--", "sh")
    assert shown.out == (
        "apiVersion: v1\nkind: Pod\nmetadata:\n  labels:\n    run: p\n  name: p\nspec:\n  containers:\n  - command:\n    - sh\n"
        "    image: a\n    name: p\n    resources: {}\n  dnsPolicy: ClusterFirst\n  restartPolicy: Never\nstatus: {}\n"
    )
    assert kctl("run", "p", "-n", namespace, "--image=a", "--dry-run=server").out == "pod/p created (server dry run)\n"
    assert kctl("get", "pods", "-n", namespace).out == ""


def test_on_this_terminal_and_removed(api: Any, namespace: str, node: str) -> None:
    running = start(api, namespace, node, "-i", "--rm", "--restart=Never")
    set_phase(api, namespace, "Running")
    assert running.stdin is not None
    running.stdin.write(b"hello\n")
    running.stdin.close()
    running.stdin = None
    set_phase_after_output(api, namespace, running, 0)
    out, err = running.communicate(timeout=TIMEOUT_S)
    assert (running.returncode, out) == (0, b'pod "p" deleted\n'), err
    assert b"If you don't see a command prompt" in err
    assert gone(api, namespace)


def set_phase_after_output(api: Any, namespace: str, running: subprocess.Popen[bytes], exit_code: int) -> None:
    """End the pod only once its output has come: attaching needs it to run."""
    assert running.stdout is not None
    assert running.stdout.readline() in (b"HELLO\n", b"attached\n")
    set_phase(api, namespace, "Failed" if exit_code else "Succeeded", exit_code)


def test_the_code_of_the_container_becomes_ours(api: Any, namespace: str, node: str) -> None:
    running = start(api, namespace, node, "--attach", "--restart=Never", "-q")
    set_phase(api, namespace, "Running")
    set_phase_after_output(api, namespace, running, 7)
    _, err = running.communicate(timeout=TIMEOUT_S)
    assert running.returncode == 7
    assert err.decode() == f"pod {namespace}/p terminated (Error)\n"
    assert not gone(api, namespace)


def test_a_pod_that_has_ended_already_shows_its_log(api: Any, namespace: str, node: str) -> None:
    running = start(api, namespace, node, "--attach", "--rm", "--restart=Never")
    set_phase(api, namespace, "Succeeded", 0)
    out, err = running.communicate(timeout=TIMEOUT_S)
    assert running.returncode == 0, err
    assert out.startswith(b"p 1\np 2\n")
    assert gone(api, namespace)


def test_a_pod_that_never_runs_is_removed(api: Any, namespace: str, node: str) -> None:
    running = start(api, namespace, node, "--attach", "--rm", "--restart=Never", "--pod-running-timeout=200ms")
    out, err = running.communicate(timeout=TIMEOUT_S)
    assert (running.returncode, out, err) == (1, b'pod "p" deleted\n', b"error: timed out waiting for the condition\n")
    assert gone(api, namespace)
