"""A real local cluster for end-to-end tests, made and used the way a person does: with `kctl`.

    cluster = LocalCluster.create("e2e-4711", directory, workers=2)
    cluster.kctl("get", "nodes")                       # CompletedProcess; fails the test unless it ends with 0
    cluster.rest.list(path_of("nodes"))                # the admin's certificate on 127.0.0.1
    with cluster.namespace("web") as ns: ns.apply(manifest); ns.pod_ready("web-0")
    cluster.delete()

A Namespace is what one test works in: nothing of it outlives the test, and when the test fails `report` says what was there.
"""

from __future__ import annotations

import base64
import json
import os
import re
import socket
import ssl
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml

from cluster import api, paths
from cluster.errors import ClusterError
from tests.support.manifests import GO
from tests.support.rest import STRATEGIC_PATCH, RefusedError, Rest, path_of
from tests.support.waiting import DEFAULT_TIMEOUT_S, eventually, recorded

PROJECT = Path(__file__).resolve().parents[2]
NAME_PREFIX = "e2e-"
KCTL_TIMEOUT_S = 60.0
CREATE_TIMEOUT_S = 110.0
# Node ports that lead to a free port of 127.0.0.1 each: the guestbook's own, and some for tests of their own services.
PUBLISHED = (30080, 30081, 30082, 30083)
LOG_TAIL_LINES = 15
ATTEMPTS = 3

Object = dict[str, Any]
Result = subprocess.CompletedProcess[str]


class LocalCluster:
    """A running cluster: `name`, its kubeconfig file, `ports` (node port → port of 127.0.0.1)."""

    def __init__(self, name: str, kubeconfig: Path, ports: dict[int, int]) -> None:
        self.name = name
        self.kubeconfig = kubeconfig
        self.ports = ports
        self.rest = _rest(kubeconfig)

    @classmethod
    def create(cls, name: str, directory: Path, *, workers: int = 2, publish: Sequence[int] = PUBLISHED) -> LocalCluster:
        """By `kctl cluster create`; fails the test with all it printed if that fails."""
        kubeconfig = directory / "kubeconfig"
        ports = dict(zip(publish, free_ports(len(publish)), strict=True))
        flags = [f"--publish={host}:{node}" for node, host in ports.items()]
        _run_kctl(kubeconfig, ("cluster", "create", name, f"--workers={workers}", *flags), timeout_s=CREATE_TIMEOUT_S)
        return cls(name, kubeconfig, ports)

    def delete(self) -> None:
        self.rest.close()
        self.kctl("cluster", "delete", self.name)

    def kctl(self, *arguments: str, stdin: str | None = None, check: bool = True, timeout_s: float = KCTL_TIMEOUT_S) -> Result:
        """Run kctl with this cluster's kubeconfig; with `check`, an exit code other than 0 fails the test."""
        return _run_kctl(self.kubeconfig, arguments, stdin=stdin, check=check, timeout_s=timeout_s)

    def start_kctl(self, *arguments: str) -> subprocess.Popen[str]:
        """kctl in the background, for commands that follow; the caller ends it (it is a context manager)."""
        return subprocess.Popen(
            _kctl_command(arguments), env=_environment(self.kubeconfig), text=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )  # fmt: skip

    def nodes(self) -> list[api.NodeInfo]:
        """The nodes and their processes, as this machine sees them."""
        return api.nodes(self.name)

    def workers(self) -> list[str]:
        return [node.name for node in self.nodes() if node.role != "control-plane"]

    def inside(self, node: str, *command: str, check: bool = True, timeout_s: float = 30.0) -> Result:
        """Run a command in all the namespaces of a node."""
        pid = next(each.pid for each in self.nodes() if each.name == node)
        argv = ["nsenter", f"--target={pid}", "--all", "--wd=/", "--", *command]
        result = subprocess.run(argv, capture_output=True, text=True, timeout=timeout_s, check=False)
        assert not check or result.returncode == 0, f"{command} on {node} ended with {result.returncode}: {result.stderr}"
        return result

    def fetch_from(self, node: str, address: str, port: int, path: str = "/") -> tuple[int, str]:
        """Status and body of a GET from inside a node."""
        program = (
            "import sys; from tests.support.load import fetch; print(*fetch(int(sys.argv[2]), sys.argv[3], host=sys.argv[1]))"
        )
        result = self.inside(node, "env", f"PYTHONPATH={PROJECT}", sys.executable, "-c", program, address, str(port), path)
        status, _, body = result.stdout.removesuffix("\n").partition(" ")
        return int(status), body

    def logs(self) -> dict[tuple[str, str], Path]:
        """The log file of each process, by node and name."""
        cluster = paths.ClusterPaths(self.name)
        return {(node.name, file.stem): file for node in self.nodes() for file in cluster.node(node.name).log.glob("*.log")}

    def watchers(self, resource: str) -> int:
        """How many watches of a core resource the API server serves now: one more than before once a program watches."""
        text = self.rest.request("GET", "/metrics").body.decode()
        found = re.search(rf'^apiserver_registered_watchers\{{group="",resource="{resource}"\}} (\S+)$', text, re.MULTILINE)
        return int(float(found[1])) if found else 0

    @contextmanager
    def namespace(self, name: str) -> Iterator[Namespace]:
        """A namespace of this name, deleted (in the background) at the end. Its pods have their account when it begins."""
        self.rest.create("/api/v1/namespaces", {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})
        namespace = Namespace(self, name)
        try:
            eventually(namespace.has_account)
            yield namespace
        finally:
            answer = self.rest.request("DELETE", f"/api/v1/namespaces/{name}")
            assert answer.status in (200, 202, 404, 409), answer


class Namespace:
    """One namespace of a cluster, and what tests ask of it."""

    def __init__(self, cluster: LocalCluster, name: str) -> None:
        self.cluster = cluster
        self.name = name
        self.rest = cluster.rest

    def has_account(self) -> None:
        """AssertionError while pods would be refused for want of it, as just after a controller manager was killed."""
        answer = self.rest.request("GET", path_of("serviceaccounts", self.name, "default"))
        assert answer.status == 200, f"the namespace {self.name} has no default account yet"

    def kctl(self, *arguments: str, **options: Any) -> Result:
        return self.cluster.kctl("--namespace", self.name, *arguments, **options)

    def start_kctl(self, *arguments: str) -> subprocess.Popen[str]:
        return self.cluster.start_kctl("--namespace", self.name, *arguments)

    def apply(self, *manifests: Object | str) -> Result:
        """kctl apply -f - of objects, or of YAML text."""
        return self.kctl("apply", "-f", "-", stdin=documents(*manifests))

    def create(self, manifest: Object, resource: str = "pods") -> Object:
        """POST one object."""
        created: Object = self.rest.create(path_of(resource, self.name), manifest)
        return created

    def path(self, resource: str, name: str = "", subresource: str = "") -> str:
        return path_of(resource, self.name, name, subresource)

    def get(self, resource: str, name: str) -> Object:
        found: Object = self.rest.get(self.path(resource, name))
        return found

    def find(self, resource: str, name: str) -> Object | None:
        found: Object | None = self.rest.find(self.path(resource, name))
        return found

    def list(self, resource: str, selector: str = "") -> list[Object]:
        return self.rest.list(self.path(resource), **({"labelSelector": selector} if selector else {}))

    def patch(self, resource: str, name: str, patch: Any, content_type: str = STRATEGIC_PATCH) -> Object:
        changed: Object = self.rest.patch(self.path(resource, name), patch, content_type)
        return changed

    def delete(self, resource: str, name: str, **options: Any) -> None:
        self.rest.delete(self.path(resource, name), {"kind": "DeleteOptions", "apiVersion": "v1", **options})

    def recorded(self, resource: str, **query: Any) -> Any:
        """A Recorder of the watch events of a resource, as a context manager."""
        return recorded(self.rest, self.path(resource), **query)

    def pods(self, selector: str = "") -> list[Object]:
        """Pods that are not on their way out."""
        return [pod for pod in self.list("pods", selector) if "deletionTimestamp" not in pod["metadata"]]

    def pod_where(self, name: str, matches: Any, what: str, timeout_s: float = DEFAULT_TIMEOUT_S) -> Object:
        """The pod once `matches(pod)` holds; the failure says in which state it was."""

        def check() -> Object:
            pod = self.find("pods", name)
            assert pod is not None, f"there is no pod {name}"
            assert matches(pod), f"pod {name} is not {what}: {describe_pod(pod)}"
            return pod

        return eventually(check, timeout_s)

    def pod_ready(self, name: str, timeout_s: float = DEFAULT_TIMEOUT_S) -> Object:
        return self.pod_where(name, is_ready, "ready", timeout_s)

    def pod_ended(self, name: str, timeout_s: float = DEFAULT_TIMEOUT_S) -> Object:
        return self.pod_where(name, lambda pod: pod["status"]["phase"] in ("Succeeded", "Failed"), "ended", timeout_s)

    def pod_unschedulable(self, name: str) -> Object:
        """The pod once the scheduler has said that it fits nowhere: nobody writes to it any more."""
        return self.pod_where(name, lambda pod: condition(pod, "PodScheduled").get("reason") == "Unschedulable", "refused")

    def run(self, pod: Object, timeout_s: float = DEFAULT_TIMEOUT_S) -> str:
        """Create a pod that ends, wait for that, and return its (first container's) log; it must have succeeded."""
        ended = self.ended_whole(pod, timeout_s)
        text = self.log(ended["metadata"]["name"])
        assert ended["status"]["phase"] == "Succeeded", f"{describe_pod(ended)}; its log: {text}"
        return text

    def ended_whole(self, pod: Object, timeout_s: float = DEFAULT_TIMEOUT_S) -> Object:
        """Create a pod that ends, and wait for that. Should the runtime say that it has lost output, another one is made."""
        name = pod["metadata"]["name"]
        for _ in range(ATTEMPTS):
            self.create(pod)
            ended = self.pod_ended(name, timeout_s)
            lost = self._lost_output(ended)
            if not lost:
                return ended
            self.delete("pods", name)
            self.gone("pods", name)
        raise AssertionError(f"{ATTEMPTS} times the runtime lost output of {name}: {lost}")

    def _lost_output(self, pod: Object) -> list[str]:
        """What the runtime of its node says of lost output of an ended pod. containerd 1.6 gives up a container's output when
        the container has ended before it has come to open the pipe, which a busy machine lets happen."""
        if "nodeName" not in pod["spec"]:
            return []
        status = pod["status"]
        statuses = [*(status.get("initContainerStatuses") or []), *(status.get("containerStatuses") or [])]
        identities = {each["containerID"].rpartition("/")[2] for each in statuses if each.get("containerID")}
        lines = self.cluster.logs()[pod["spec"]["nodeName"], "containerd"].read_text(errors="replace").splitlines()
        return [line for line in lines if "Failed to pipe std" in line and any(each in line for each in identities)]

    def let_go(self, pod: str, container: str = "") -> None:
        """Let the script of `manifests.held` go on."""
        self.exec(pod, "touch", GO, container=container)

    def log(self, pod: str, **query: Any) -> str:
        answer = self.rest.request("GET", self.path("pods", pod, "log"), query=query)
        if answer.status != 200:
            raise RefusedError(f"log of {pod}", answer)
        return answer.body.decode(errors="replace")

    def logged(self, pod: str, text: str, **query: Any) -> None:
        """Wait until this is all of a log: a container runs, and is ready, before its program has said its first word."""

        def check() -> None:
            try:
                found = self.log(pod, **query)
            except RefusedError as error:
                raise AssertionError(str(error)) from error
            assert found == text, f"the log of {pod} is {found!r}"

        eventually(check)

    def exec(self, pod: str, *command: str, check: bool = True, stdin: str | None = None, container: str = "") -> Result:
        flags = [*(["-i"] if stdin is not None else []), *(["-c", container] if container else [])]
        return self.kctl("exec", *flags, pod, "--", *command, stdin=stdin, check=check)

    def gone(self, resource: str, name: str, timeout_s: float = DEFAULT_TIMEOUT_S) -> None:
        def check() -> None:
            found = self.find(resource, name)
            assert found is None, f"{resource}/{name} is still there: {json.dumps(found['metadata'])}"

        eventually(check, timeout_s)

    def deployment_done(self, name: str, timeout_s: float = 40.0) -> Object:
        """The Deployment once all its replicas are of the newest template, ready, and alone."""

        def check() -> Object:
            found = self.get("deployments", name)
            status, replicas = found.get("status", {}), found["spec"]["replicas"]
            counts = {key: status.get(key, 0) for key in ("replicas", "updatedReplicas", "readyReplicas", "availableReplicas")}
            assert status.get("observedGeneration") == found["metadata"]["generation"], f"generation not observed: {status}"
            assert set(counts.values()) == {replicas}, f"{counts} instead of {replicas}"
            return found

        return eventually(check, timeout_s)

    def deployment_settled(self, name: str) -> Object:
        """The Deployment once its pods are all made and its controller has nothing more to write, be they available or not."""

        def check() -> Object:
            found = self.get("deployments", name)
            status, replicas = found.get("status", {}), found["spec"]["replicas"]
            assert status.get("observedGeneration") == found["metadata"]["generation"], f"generation not observed: {status}"
            assert status.get("replicas", 0) == status.get("updatedReplicas", 0) == replicas, f"not all are made: {status}"
            available = status.get("availableReplicas", 0) == replicas
            reason = condition(found, "Progressing").get("reason")
            assert reason == ("NewReplicaSetAvailable" if available else "ReplicaSetUpdated"), f"still at work: {status}"
            return found

        return eventually(check)

    def events(self, reason: str, name: str = "") -> list[Object]:
        """Events of this reason (about the object of this name)."""
        return [
            event
            for event in self.list("events")
            if event.get("reason") == reason and (not name or event["involvedObject"]["name"] == name)
        ]

    def event(self, reason: str, name: str = "", timeout_s: float = DEFAULT_TIMEOUT_S, *, says: str = "") -> Object:
        """The first event of this reason that says this, once there is one."""

        def check() -> Object:
            found = [event for event in self.events(reason, name) if says in event["message"]]
            seen = sorted({f"{event.get('reason', '')}: {event['message']}" for event in self.list("events")})
            assert found, f"no event {reason} about {name or 'anything'}; there are {seen}"
            return found[0]

        return eventually(check, timeout_s)

    def pod_events(self, name: str) -> None:
        """Wait until what happens to every pod that starts is recorded: events come some time after what they tell of."""
        for reason in ("Scheduled", "Pulled", "Created", "Started"):
            self.event(reason, name)

    def endpoints(self, service: str) -> dict[str, bool]:
        """The addresses of a Service's EndpointSlices, and whether each is ready."""
        slices = self.list("endpointslices", f"kubernetes.io/service-name={service}")
        return {
            address: bool(endpoint["conditions"].get("ready"))
            for each in slices
            for endpoint in each.get("endpoints") or []
            for address in endpoint["addresses"]
        }

    def endpoints_ready(self, service: str, count: int, timeout_s: float = DEFAULT_TIMEOUT_S) -> set[str]:
        """The ready addresses once there are so many, and the Service's slices (for kube_proxy) and Endpoints (for the API
        server), which two controllers write, agree on them."""

        def check() -> set[str]:
            found = self.endpoints(service)
            ready = {address for address, ready in found.items() if ready}
            assert len(ready) == count, f"service {service} has {found} instead of {count} ready"
            subsets = (self.find("endpoints", service) or {}).get("subsets") or []
            older = {address["ip"] for subset in subsets for address in subset.get("addresses") or []}
            assert older == ready, f"the slices of service {service} have {ready}, its Endpoints {older}"
            return ready

        return eventually(check, timeout_s)

    def report(self) -> str:
        """What is in the namespace, for the message of a test that failed."""
        parts: list[str] = []
        for resource in ("deployments", "replicasets"):
            parts += [f"{resource}/{each['metadata']['name']} {json.dumps(each.get('status'))}" for each in self.list(resource)]
        for pod in self.list("pods"):
            parts.append(f"pods/{pod['metadata']['name']}: {describe_pod(pod)}")
            parts += self._log_tails(pod)
        for event in sorted(self.list("events"), key=lambda each: each.get("lastTimestamp") or each.get("eventTime") or ""):
            about = event["involvedObject"]
            parts.append(
                f"event {event.get('lastTimestamp') or event.get('eventTime')} {event.get('reason')} "
                f"{about['kind']}/{about['name']} x{event.get('count')}: {event.get('message')}"
            )
        return "\n".join(parts)

    def _log_tails(self, pod: Object) -> Iterator[str]:
        for container in pod["spec"].get("initContainers", []) + pod["spec"]["containers"]:
            try:
                text = self.log(pod["metadata"]["name"], container=container["name"], tailLines=LOG_TAIL_LINES)
            except RefusedError as error:
                text = f"({error.status.get('message')})"
            except OSError as error:
                text = f"({error})"
            if text.strip():
                yield f"  log of {container['name']}:\n    " + text.rstrip().replace("\n", "\n    ")


def is_ready(pod: Object) -> bool:
    return condition(pod, "Ready").get("status") == "True"


def condition(obj: Object, type_: str) -> Object:
    """The condition of this type, {} if there is none."""
    return next((each for each in obj.get("status", {}).get("conditions") or [] if each["type"] == type_), {})


def container_status(pod: Object, name: str = "") -> Object:
    """The status of a container (the first by default), {} if there is none yet."""
    status = pod.get("status", {})
    every = (status.get("containerStatuses") or []) if not name else [
        *(status.get("initContainerStatuses") or []), *(status.get("containerStatuses") or []),
    ]  # fmt: skip
    return next((each for each in every if not name or each["name"] == name), {})


def waiting_reason(pod: Object, name: str = "") -> str:
    return str(container_status(pod, name).get("state", {}).get("waiting", {}).get("reason", ""))


def describe_pod(pod: Object) -> str:
    """A pod's state in one line."""
    status = pod.get("status", {})
    containers = [*(status.get("initContainerStatuses") or []), *(status.get("containerStatuses") or [])]
    states = ", ".join(
        f"{each['name']}: {json.dumps(each.get('state'))} ready={each.get('ready')} restarts={each.get('restartCount')}"
        for each in containers
    )
    conditions = ", ".join(
        f"{each['type']}={each['status']}"
        + (f" ({each.get('reason')}: {each.get('message')})" if each["status"] != "True" else "")
        for each in status.get("conditions") or []
    )
    going = " deleting" if "deletionTimestamp" in pod["metadata"] else ""
    return f"{status.get('phase')}{going} on {pod['spec'].get('nodeName')} [{states}] [{conditions}] {status.get('reason', '')}"


def documents(*manifests: Object | str) -> str:
    """YAML text of several documents; the separator in front keeps older clients from taking them for JSON alone."""
    return "".join(f"---\n{each if isinstance(each, str) else json.dumps(each)}\n" for each in manifests)


def free_ports(count: int) -> list[int]:
    """Ports of 127.0.0.1 that nobody listens on; another program may take one before it is used."""
    sockets = [socket.socket() for _ in range(count)]
    for each in sockets:
        each.bind(("127.0.0.1", 0))
    ports = [each.getsockname()[1] for each in sockets]
    for each in sockets:
        each.close()
    return ports


def remove_leftovers() -> None:
    """Delete clusters of test runs that were killed before they could clean up: their name holds the pid of the run."""
    for found in api.list_clusters():
        pid = found.name.removeprefix(NAME_PREFIX).partition("-")[0]
        if found.name.startswith(NAME_PREFIX) and pid.isdigit() and not Path(f"/proc/{pid}").exists():
            try:
                api.delete(found.name)
            except ClusterError as error:
                print(f"could not remove the leftover cluster {found.name}: {error}", file=sys.stderr)


def _kctl_command(arguments: Sequence[str]) -> list[str]:
    return [sys.executable, "-m", "kctl", *arguments]


def _environment(kubeconfig: Path) -> dict[str, str]:
    return {**os.environ, "KUBECONFIG": str(kubeconfig), "PYTHONPATH": str(PROJECT)}


def _run_kctl(
    kubeconfig: Path,
    arguments: Sequence[str],
    *,
    stdin: str | None = None,
    check: bool = True,
    timeout_s: float = KCTL_TIMEOUT_S,
) -> Result:
    result = subprocess.run(
        _kctl_command(arguments), env=_environment(kubeconfig), text=True, capture_output=True, timeout=timeout_s, check=False,
        **({"stdin": subprocess.DEVNULL} if stdin is None else {"input": stdin}),
    )  # fmt: skip
    assert not check or result.returncode == 0, (
        f"kctl {' '.join(arguments)} ended with {result.returncode}:\n{result.stdout}{result.stderr}"
    )
    return result


def _rest(kubeconfig: Path) -> Rest:
    document = yaml.safe_load(kubeconfig.read_text())
    named = next(each["context"] for each in document["contexts"] if each["name"] == document["current-context"])
    server = next(each["cluster"] for each in document["clusters"] if each["name"] == named["cluster"])
    user = next(each["user"] for each in document["users"] if each["name"] == named["user"])
    context = ssl.create_default_context(cadata=base64.b64decode(server["certificate-authority-data"]).decode())
    certificate = kubeconfig.with_name("admin.pem")
    certificate.touch(mode=0o600)
    certificate.write_bytes(
        base64.b64decode(user["client-certificate-data"]) + b"\n" + base64.b64decode(user["client-key-data"])
    )
    context.load_cert_chain(certificate)
    return Rest(server["server"], context)
