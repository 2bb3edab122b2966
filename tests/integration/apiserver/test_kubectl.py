"""A real kubectl (1.20, the oldest that has to work) against the API server: discovery, explain, validation, tables.

It knows no aggregated discovery and no OpenAPI 3, takes OpenAPI 2 as protobuf only, and validates manifests by it.
"""

from __future__ import annotations

import asyncio
import base64
import json
import os
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from tests.support.apiserver import RunningServer, real_api_server

KUBECTL = Path("/var/cache/coxswain/kubectl-1.20/usr/bin/kubectl")
TIMEOUT_S = 60.0
WEB = """
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, labels: {app: web}}
spec:
  replicas: 2
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      containers:
      - name: web
        image: "busybox:1"
        ports: [{containerPort: 80}]
        resources: {limits: {cpu: "1", memory: 1Gi}}
        livenessProbe: {httpGet: {path: /, port: 80}}
"""


class Result(NamedTuple):
    code: int
    out: str
    err: str


Kubectl = Callable[..., Awaitable[Result]]


@pytest.fixture
async def kubectl(tmp_path: Path) -> AsyncIterator[Kubectl]:
    """`await kubectl("get", "pods", stdin="...")`: against a server of the test's own."""
    async with real_api_server(tmp_path) as server:
        yield kubectl_for(server, tmp_path)


def kubectl_for(server: RunningServer, directory: Path) -> Kubectl:
    """kubectl as the administrator of a server."""
    config = directory / "kubeconfig"
    config.write_text(json.dumps(_kubeconfig(server)))
    environment = {"KUBECONFIG": str(config), "HOME": str(directory), "PATH": os.environ["PATH"], "NO_PROXY": "*"}

    async def call(*arguments: str, stdin: str = "") -> Result:
        process = await asyncio.create_subprocess_exec(
            str(KUBECTL),
            *arguments,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env=environment,
        )
        try:
            out, err = await asyncio.wait_for(process.communicate(stdin.encode()), TIMEOUT_S)
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
        return Result(process.returncode or 0, out.decode(), err.decode())

    return call


def _kubeconfig(server: RunningServer) -> dict[str, Any]:
    def encoded(path: Path) -> str:
        return base64.b64encode(path.read_bytes()).decode()

    cluster = {"server": server.url, "certificate-authority-data": encoded(server.ca.ca)}
    user = {"client-certificate-data": encoded(server.admin.cert), "client-key-data": encoded(server.admin.key)}
    return {
        "current-context": "test",
        "clusters": [{"name": "c", "cluster": cluster}],
        "users": [{"name": "u", "user": user}],
        "contexts": [{"name": "test", "context": {"cluster": "c", "user": "u"}}],
    }


async def test_what_there_is(kubectl: Kubectl) -> None:
    rows = [line.split() for line in (await kubectl("api-resources")).out.splitlines()]
    assert ["deployments", "deploy", "apps/v1", "true", "Deployment"] in rows
    assert {"v1", "apps/v1", "discovery.k8s.io/v1"} <= set((await kubectl("api-versions")).out.split())
    assert "v1.36" in (await kubectl("version", "--short")).out


async def test_explain(kubectl: Kubectl) -> None:
    kind = await kubectl("explain", "pods")
    assert kind.out.startswith("KIND:     Pod\nVERSION:  v1\n\nDESCRIPTION:\n     Containers that run together"), kind
    ports = (await kubectl("explain", "pods.spec.containers.ports")).out
    assert "RESOURCE: ports <[]Object>" in ports
    assert "   containerPort\t<integer> -required-\n" in ports
    spec = (await kubectl("explain", "deploy.spec", "--recursive")).out
    assert "   strategy\t<Object>\n      rollingUpdate\t<Object>\n         maxSurge\t<string>\n" in spec


async def test_manifests_are_validated(kubectl: Kubectl) -> None:
    for change, complaint in (
        (("replicas:", "replicass:"), 'unknown field "replicass" in io.k8s.api.apps.v1.DeploymentSpec'),
        (("replicas: 2", "replicas: two"), 'got "string", expected "integer"'),
        (("selector:", "minReadySeconds: 1 #"), 'missing required field "selector"'),
        (("containerPort: 80", "containerPort: [80]"), 'got "array", expected "integer"'),
        (('cpu: "1"', "cpu: [1]"), "invalid type"),
    ):
        refused = await kubectl("apply", "-f", "-", stdin=WEB.replace(*change))
        assert (refused.code, complaint in refused.err) == (1, True), refused
    assert (await kubectl("get", "deployments")).out == ""


async def test_apply(kubectl: Kubectl) -> None:
    tried = await kubectl("apply", "--dry-run=server", "-f", "-", stdin=WEB)
    assert tried.out == "deployment.apps/web created (server dry run)\n", tried
    assert (await kubectl("apply", "-f", "-", stdin=WEB)).out == "deployment.apps/web created\n"
    assert (await kubectl("apply", "-f", "-", stdin=WEB)).out == "deployment.apps/web unchanged\n"
    changed = WEB.replace("replicas: 2", "replicas: 3")
    difference = await kubectl("diff", "-f", "-", stdin=changed)
    assert (difference.code, "-  replicas: 2\n+  replicas: 3\n" in difference.out) == (1, True), difference
    assert (await kubectl("apply", "-f", "-", stdin=changed)).out == "deployment.apps/web configured\n"


async def test_tables(kubectl: Kubectl) -> None:
    await kubectl("apply", "-f", "-", stdin=WEB)
    lines = (await kubectl("get", "deployments", "-o", "wide")).out.splitlines()
    assert lines[0].split() == ["NAME", "READY", "UP-TO-DATE", "AVAILABLE", "AGE", "CONTAINERS", "IMAGES", "SELECTOR"]
    assert lines[1].split()[:2] + lines[1].split()[-3:] == ["web", "0/2", "web", "busybox:1", "app=web"]
    watched = await kubectl("get", "deployments", "--watch", "--output-watch-events", "--request-timeout=2s")
    assert [line.split()[:2] for line in watched.out.splitlines()] == [["EVENT", "NAME"], ["ADDED", "web"]]
    everywhere = await kubectl("get", "services,deployments", "-A", "--show-labels")
    assert "service/kubernetes" in everywhere.out, everywhere
    assert "app=web" in everywhere.out
    sorted_names = (await kubectl("get", "namespaces", "--sort-by=.metadata.creationTimestamp", "-o", "name")).out
    assert "namespace/default\n" in sorted_names
    assert (await kubectl("get", "namespaces", "--sort-by=.metadata.name")).out.splitlines()[1].startswith("default ")
    paged = (await kubectl("get", "namespaces", "--chunk-size=1", "--no-headers")).out.splitlines()
    assert [line.split()[0] for line in paged] == ["default", "kube-node-lease", "kube-public", "kube-system"]
    assert (await kubectl("get", "deployment", "web", "-o", "jsonpath={.spec.replicas}")).out == "2"


async def test_health(kubectl: Kubectl) -> None:
    assert (await kubectl("get", "--raw", "/readyz?verbose")).out.endswith("readyz check passed\n")


async def test_pod_security_is_told_of(kubectl: Kubectl) -> None:
    assert (await kubectl("create", "deployment", "web", "--image=busybox:1")).code == 0
    level = "pod-security.kubernetes.io/enforce=restricted"
    labelled = await kubectl("label", "namespace", "default", level)
    assert (labelled.code, labelled.out) == (0, "namespace/default labeled\n")
    warned = await kubectl("create", "deployment", "other", "--image=busybox:1")
    assert (warned.code, warned.out) == (0, "deployment.apps/other created\n")
    assert warned.err.startswith('Warning: would violate PodSecurity "restricted:latest": allowPrivilegeEscalation != false (')
    refused = await kubectl("run", "p", "--image=busybox:1")
    assert refused.code == 1
    assert refused.err.startswith(
        'Error from server (Forbidden): pods "p" is forbidden: violates PodSecurity "restricted:latest": '
        'allowPrivilegeEscalation != false (container "p" must set securityContext.allowPrivilegeEscalation=false)'
    )


POLICY = """
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicy
metadata: {name: few-replicas}
spec:
  matchConstraints:
    resourceRules:
    - {apiGroups: [apps], apiVersions: [v1], operations: [CREATE, UPDATE], resources: [deployments]}
  validations:
  - expression: object.spec.replicas <= 3
    messageExpression: "'at most 3 replicas, not ' + string(object.spec.replicas)"
---
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicyBinding
metadata: {name: few-replicas}
spec: {policyName: few-replicas, validationActions: [Deny]}
"""


async def test_a_policy_refuses_what_kubectl_applies(kubectl: Kubectl) -> None:
    applied = await kubectl("apply", "-f", "-", stdin=POLICY)
    assert applied.code == 0, applied.err
    listed = await kubectl("get", "validatingadmissionpolicies,validatingadmissionpolicybindings")
    assert "VALIDATIONS" in listed.out
    assert "PARAMREF" in listed.out
    assert (await kubectl("apply", "-f", "-", stdin=WEB)).code == 0
    refused = await kubectl("apply", "-f", "-", stdin=WEB.replace("replicas: 2", "replicas: 4"))
    assert refused.code == 1
    sentence = "ValidatingAdmissionPolicy 'few-replicas' with binding 'few-replicas' denied request: at most 3 replicas, not 4"
    assert sentence in refused.err
    refused = await kubectl("apply", "-f", "-", stdin=POLICY.replace("<= 3", "<= variables.most"))
    assert refused.code == 1
    assert "undefined field 'most'" in refused.err
