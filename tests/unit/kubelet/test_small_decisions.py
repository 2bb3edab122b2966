"""Resources, back-offs, image names and credentials, logs, resolvers, security, volumes, routes."""

import base64
import json
from datetime import UTC, datetime
from typing import Any

import pytest

from apimachinery import codec
from apimachinery.kinds import ConfigMap, Node, Secret
from kubelet.adapters.spdy import parse_verdict
from kubelet.core import cgroups, images, logs, network, sandboxes, volumes
from kubelet.core.backoff import Backoff, go_duration
from kubelet.core.containers import security
from kubelet.core.environment import ConfigError, Sources
from kubelet.core.model import ImageRecord
from kubelet.core.tokens import TokenNeed
from kubelet.core.usage import UsageMeter
from kubelet.ports import RuntimeFailureError
from proto.gen import cri_pb2 as cri
from tests.support.pods import make_pod


def container(**more: Any) -> dict[str, Any]:
    return {"name": "c", "image": "busybox:1", **more}


def resources(**parts: Any) -> dict[str, Any]:
    return container(resources=parts)


QOS: tuple[tuple[str, list[dict[str, Any]], str], ...] = (
    ("nothing", [container()], "BestEffort"),
    ("a request", [resources(requests={"cpu": "100m"})], "Burstable"),
    ("limits alone", [resources(limits={"cpu": "1", "memory": "1Gi"})], "Guaranteed"),
    (
        "equal in other words",
        [resources(limits={"cpu": "1", "memory": "1Gi"}, requests={"cpu": "1000m", "memory": "1024Mi"})],
        "Guaranteed",
    ),
    ("one without", [resources(limits={"cpu": "1", "memory": "1Gi"}), container(name="d")], "Burstable"),
    ("storage does not count", [resources(requests={"ephemeral-storage": "1Gi"})], "BestEffort"),
)


@pytest.mark.parametrize(("name", "containers", "want"), QOS, ids=[each[0] for each in QOS])
def test_quality_of_service(name: str, containers: list[dict[str, Any]], want: str) -> None:
    assert cgroups.qos_class(make_pod(containers=containers)) == want


def test_groups_lie_under_their_class() -> None:
    assert cgroups.pod_group("/root", make_pod()) == "/root/besteffort/podu1"
    guaranteed = make_pod(containers=[resources(limits={"cpu": "1", "memory": "1Gi"})])
    assert cgroups.pod_group("/root", guaranteed) == "/root/podu1"


def test_limits_of_a_pod() -> None:
    both = make_pod(
        containers=[resources(limits={"cpu": "500m", "memory": "1Mi"}), {**resources(limits={"cpu": "1"}), "name": "d"}]
    )
    assert cgroups.pod_limits(both) == cgroups.GroupLimits(cpu_shares=1536, cpu_quota_us=150_000, memory_bytes=None)
    assert cgroups.pod_limits(make_pod()) == cgroups.GroupLimits(cpu_shares=2)


def test_limits_of_a_container() -> None:
    pod = make_pod(containers=[resources(limits={"cpu": "5m", "memory": "64Mi"}, requests={"cpu": "1", "memory": "32Mi"})])
    found = cgroups.container_resources(pod, pod.spec.containers[0], 1 << 30)
    assert (found.cpu_shares, found.cpu_quota, found.memory_limit_in_bytes) == (1024, 1000, 64 << 20)
    assert found.oom_score_adj == 969
    assert [cgroups.weight(each) for each in (2, 1024, 262_144)] == [1, 39, 10_000]


def test_back_off_doubles_and_ends() -> None:
    backoff = Backoff()
    assert backoff.remaining_s("k", 0, 0) == 0
    assert [backoff.fail("k", 0) for _ in range(7)] == [10, 20, 40, 80, 160, 300, 300]
    assert backoff.remaining_s("k", 100, 150) == 250
    assert backoff.delay_s("k", 601) == 0
    assert backoff.delay_s("other", 0) == 0
    backoff.forget("k")
    assert backoff.delay_s("k", 1) == 0


def test_durations_as_messages_write_them() -> None:
    assert [go_duration(each) for each in (10, 80, 300)] == ["10s", "1m20s", "5m0s"]


NAMES = (
    ("short", "busybox", "docker.io/library/busybox:latest"),
    ("tagged", "busybox:1", "docker.io/library/busybox:1"),
    ("a user's", "team/app:2", "docker.io/team/app:2"),
    ("a registry's", "registry.local/x/y:1", "registry.local/x/y:1"),
    ("a port", "localhost:5000/x", "localhost:5000/x:latest"),
    ("a digest", "r.io/x@sha256:" + "a" * 64, "r.io/x@sha256:" + "a" * 64),
    ("tag and digest", "r.io/x:1@sha256:" + "a" * 64, "r.io/x@sha256:" + "a" * 64),
)


@pytest.mark.parametrize(("name", "image", "want"), NAMES, ids=[each[0] for each in NAMES])
def test_image_names(name: str, image: str, want: str) -> None:
    assert images.normalize(image) == want


@pytest.mark.parametrize("image", ["", "UPPER", "a//b", "x:ä", " x"])
def test_no_image_names(image: str) -> None:
    with pytest.raises(images.InvalidImageNameError):
        images.normalize(image)


POLICIES = (
    ("x", "Always"),
    ("x:latest", "Always"),
    ("x:1", "IfNotPresent"),
    ("localhost:5000/x", "Always"),
    ("x@sha256:0", "IfNotPresent"),
)


@pytest.mark.parametrize(("image", "want"), POLICIES)
def test_pull_policy(image: str, want: str) -> None:
    assert images.pull_policy(make_pod(containers=[container(image=image)]).spec.containers[0]) == want


def pull_secret(auths: dict[str, Any]) -> Secret:
    data = base64.b64encode(json.dumps({"auths": auths}).encode()).decode()
    return codec.convert(Secret, {"metadata": {"name": "pull"}, "data": {".dockerconfigjson": data}})


def test_credentials_go_by_the_most_specific_place() -> None:
    secret = pull_secret(
        {
            "https://r.example.com/v1/": {"username": "all", "password": "p"},
            "r.example.com/team": {"auth": base64.b64encode(b"team:q:r").decode()},
            "*.other.com": {"username": "star", "password": "s"},
        }
    )
    whole, team = images.login_for("r.example.com/x:1", [secret]), images.login_for("r.example.com/team/y:1", [secret])
    assert whole is not None
    assert whole.username == "all"
    assert team is not None
    assert (team.username, team.password) == ("team", "q:r")
    star = images.login_for("a.other.com/x:1", [secret])
    assert star is not None
    assert star.username == "star"
    assert images.login_for("b.a.other.com/x:1", [secret]) is None
    assert images.login_for("docker.io/library/x:1", [secret]) is None


LOG = (
    b"2026-01-01T00:00:00.000000001Z stdout F one\n"
    b"2026-01-01T00:00:01.000000000Z stdout P long \n"
    b"2026-01-01T00:00:01.000000000Z stdout F line\n"
    b"not a record\n"
    b"2026-01-01T00:00:02.000000000Z stderr F last\n"
)
READINGS = (
    ("everything", logs.LogOptions(), None, b"one\nlong line\nlast\n"),
    ("the last two", logs.LogOptions(), 2, b"long line\nlast\n"),
    ("none", logs.LogOptions(), 0, b""),
    ("more than there are", logs.LogOptions(), 9, b"one\nlong line\nlast\n"),
    ("since", logs.LogOptions(since=datetime(2026, 1, 1, 0, 0, 2, tzinfo=UTC)), None, b"last\n"),
    ("so many bytes", logs.LogOptions(limit_bytes=6), None, b"one\nlo"),
    (
        "with times",
        logs.LogOptions(timestamps=True),
        2,
        b"2026-01-01T00:00:01.000000000Z long line\n2026-01-01T00:00:02.000000000Z last\n",
    ),
)


@pytest.mark.parametrize(("name", "options", "tail", "want"), READINGS, ids=[each[0] for each in READINGS])
def test_reading_logs(name: str, options: logs.LogOptions, tail: int | None, want: bytes) -> None:
    data = LOG if tail is None else LOG[logs.tail_offset(LOG, tail) :]
    assert b"".join(logs.LogFilter(options).feed(iter(data.splitlines(keepends=True)))) == want


FACTS = sandboxes.NodeFacts(cluster_dns=("10.96.0.10",), node_resolver=sandboxes.Resolver(("9.9.9.9",), ("example.com",)))
CLUSTER = ("default.svc.cluster.local", "svc.cluster.local", "cluster.local", "example.com")
RESOLVERS = (
    ("ClusterFirst", {}, sandboxes.Resolver(("10.96.0.10",), CLUSTER, ("ndots:5",))),
    ("in the node's network", {"hostNetwork": True}, FACTS.node_resolver),
    (
        "in the node's network, but the cluster's names",
        {"hostNetwork": True, "dnsPolicy": "ClusterFirstWithHostNet"},
        sandboxes.Resolver(("10.96.0.10",), CLUSTER, ("ndots:5",)),
    ),
    ("Default", {"dnsPolicy": "Default"}, FACTS.node_resolver),
    (
        "None",
        {
            "dnsPolicy": "None",
            "dnsConfig": {"nameservers": ["1.1.1.1"], "searches": ["a.b"], "options": [{"name": "ndots", "value": "2"}]},
        },
        sandboxes.Resolver(("1.1.1.1",), ("a.b",), ("ndots:2",)),
    ),
    (
        "added to",
        {"dnsConfig": {"searches": ["a.b"], "options": [{"name": "ndots", "value": "1"}, {"name": "rotate"}]}},
        sandboxes.Resolver(("10.96.0.10",), (*CLUSTER, "a.b"), ("ndots:1", "rotate")),
    ),
)


@pytest.mark.parametrize(("name", "spec", "want"), RESOLVERS, ids=[each[0] for each in RESOLVERS])
def test_resolver(name: str, spec: dict[str, Any], want: sandboxes.Resolver) -> None:
    assert sandboxes.resolver(make_pod(**spec), FACTS) == want


def test_sandbox_in_the_nodes_network_has_no_ports_of_its_own() -> None:
    spec = {"containers": [container(ports=[{"containerPort": 80, "hostPort": 8080}])]}
    own = sandboxes.sandbox_config(make_pod(**spec), 0, FACTS, log_directory="/l", cgroup_parent="/g")
    shared = sandboxes.sandbox_config(make_pod(hostNetwork=True, **spec), 0, FACTS, log_directory="/l", cgroup_parent="/g")
    assert [(each.host_port, each.container_port) for each in own.port_mappings] == [(8080, 80)]
    assert (list(shared.port_mappings), shared.hostname) == ([], "")
    assert shared.linux.security_context.namespace_options.network == cri.NODE
    assert own.linux.security_context.namespace_options.pid == cri.CONTAINER


ROOT = ImageRecord("i")
SECURITY: tuple[tuple[str, dict[str, Any], dict[str, Any], dict[str, Any]], ...] = (
    ("defaults", {}, {}, {"privileged": False, "no_new_privs": False, "readonly_rootfs": False}),
    ("the container's user wins", {"runAsUser": 1}, {"runAsUser": 2}, {"run_as_user": 2}),
    ("the pod's user", {"runAsUser": 1, "runAsGroup": 3}, {}, {"run_as_user": 1, "run_as_group": 3}),
    ("no escalation", {}, {"allowPrivilegeEscalation": False}, {"no_new_privs": True}),
    ("groups", {"fsGroup": 7, "supplementalGroups": [8]}, {}, {"supplemental_groups": [7, 8]}),
    ("privileged sees everything", {}, {"privileged": True}, {"masked_paths": [], "seccomp": cri.SecurityProfile.Unconfined}),
    ("seccomp by default", {}, {}, {"seccomp": cri.SecurityProfile.RuntimeDefault}),
    ("unconfined when asked", {"seccompProfile": {"type": "Unconfined"}}, {}, {"seccomp": cri.SecurityProfile.Unconfined}),
)


@pytest.mark.parametrize(("name", "of_pod", "own", "want"), SECURITY, ids=[each[0] for each in SECURITY])
def test_security_context(name: str, of_pod: dict[str, Any], own: dict[str, Any], want: dict[str, Any]) -> None:
    pod = make_pod(securityContext=of_pod, containers=[container(securityContext=own)])
    found = security(pod, pod.spec.containers[0], ROOT, "/seccomp")
    for field, value in want.items():
        got = getattr(found, field)
        if field == "seccomp":
            got = got.profile_type
        elif field in ("run_as_user", "run_as_group"):
            got = got.value
        elif isinstance(value, list):
            got = list(got)
        assert got == value, field


NON_ROOT = (
    ("root by the spec", {"runAsUser": 0}, ImageRecord("i", uid=5), "container's runAsUser breaks non-root policy"),
    ("root by the image", {}, ROOT, "container has runAsNonRoot and image will run as root"),
    ("a name proves nothing", {}, ImageRecord("i", username="app"), "image has non-numeric user \\(app\\)"),
)


@pytest.mark.parametrize(("name", "context", "image", "message"), NON_ROOT, ids=[each[0] for each in NON_ROOT])
def test_non_root(name: str, context: dict[str, Any], image: ImageRecord, message: str) -> None:
    pod = make_pod(securityContext={"runAsNonRoot": True, **context})
    with pytest.raises(ConfigError, match=message):
        security(pod, pod.spec.containers[0], image, "")


SOURCES = Sources(
    config_maps={
        "cm": codec.convert(
            ConfigMap,
            {"metadata": {"name": "cm"}, "data": {"a": "1", "b": "2"}, "binaryData": {"z": base64.b64encode(b"\0").decode()}},
        )
    },
    secrets={"s": codec.convert(Secret, {"metadata": {"name": "s"}, "data": {"k": base64.b64encode(b"v").decode()}})},
)
PAYLOADS: tuple[tuple[str, dict[str, Any], dict[str, tuple[bytes, int]]], ...] = (
    ("a ConfigMap", {"configMap": {"name": "cm"}}, {"a": (b"1", 0o644), "b": (b"2", 0o644), "z": (b"\0", 0o644)}),
    (
        "chosen keys",
        {
            "configMap": {
                "name": "cm",
                "defaultMode": 0o600,
                "items": [{"key": "a", "path": "d/e"}, {"key": "b", "path": "f", "mode": 0o400}],
            }
        },
        {"d/e": (b"1", 0o600), "f": (b"2", 0o400)},
    ),
    ("a Secret", {"secret": {"secretName": "s"}}, {"k": (b"v", 0o644)}),
    ("optional and missing", {"secret": {"secretName": "no", "optional": True}}, {}),
    (
        "several sources",
        {
            "projected": {
                "defaultMode": 0o440,
                "sources": [
                    {"configMap": {"name": "cm", "items": [{"key": "a", "path": "a"}]}},
                    {"secret": {"name": "s"}},
                    {"downwardAPI": {"items": [{"path": "name", "fieldRef": {"fieldPath": "metadata.name"}}]}},
                    {"serviceAccountToken": {"path": "token"}},
                ],
            }
        },
        {"a": (b"1", 0o440), "k": (b"v", 0o440), "name": (b"web", 0o440), "token": (b"t", 0o440)},
    ),
)


@pytest.mark.parametrize(("name", "source", "want"), PAYLOADS, ids=[each[0] for each in PAYLOADS])
def test_payload(name: str, source: dict[str, Any], want: dict[str, tuple[bytes, int]]) -> None:
    pod = make_pod(volumes=[{"name": "v", **source}])
    found = volumes.payload(pod, pod.spec.volumes[0], SOURCES, {TokenNeed("", 3600): "t"})
    assert {path: (content.data, content.mode) for path, content in found.items()} == want


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ({"configMap": {"name": "no"}}, 'configmap "no" not found'),
        ({"secret": {"secretName": "no"}}, 'secret "no" not found'),
        ({"configMap": {"name": "cm", "items": [{"key": "no", "path": "x"}]}}, "references non-existent config key: no"),
        ({"projected": {"sources": [{"clusterTrustBundle": {"path": "x", "name": "b"}}]}}, "clusterTrustBundle projections"),
        ({"projected": {"sources": [{"podCertificate": {"signerName": "a/b"}}]}}, "podCertificate projections"),
    ],
)
def test_payload_that_cannot_be_made(source: dict[str, Any], message: str) -> None:
    pod = make_pod(volumes=[{"name": "v", **source}])
    with pytest.raises(volumes.VolumeError, match=message):
        volumes.payload(pod, pod.spec.volumes[0], SOURCES)


def node(name: str, ip: str, cidr: str) -> Node:
    plain = {
        "metadata": {"name": name},
        "spec": {"podCIDR": cidr},
        "status": {"addresses": [{"type": "InternalIP", "address": ip}]},
    }
    return codec.convert(Node, plain)


def test_routes_lead_to_the_other_nodes() -> None:
    nodes = [node("n1", "10.1.0.1", "10.244.0.0/24"), node("n2", "10.1.0.2", "10.244.1.0/24"), node("n3", "", "10.244.2.0/24")]
    nodes.append(node("n4", "10.1.0.4", "nonsense"))
    assert network.routes("n1", nodes) == [network.Route("10.244.1.0/24", "10.1.0.2")]


def test_conflist_is_what_cni_reads() -> None:
    found = json.loads(network.conflist("10.244.1.0/24", "/state"))
    assert [each["type"] for each in found["plugins"]] == ["bridge", "portmap"]
    assert found["plugins"][0]["ipam"]["ranges"] == [[{"subnet": "10.244.1.0/24"}]]
    assert found["plugins"][0]["hairpinMode"]


def test_rates_from_counters() -> None:
    meter = UsageMeter()
    assert meter.rate("c", 0, 10**9) == 0
    assert meter.rate("c", 500_000_000, 2 * 10**9) == 500_000_000
    assert meter.rate("c", 600_000_000, 2 * 10**9 + 1) == 500_000_000
    meter.keep(set())
    assert meter.rate("c", 700_000_000, 3 * 10**9) == 0


VERDICTS: tuple[tuple[str, dict[str, Any], int | str], ...] = (
    ("success", {"status": "Success"}, 0),
    ("an exit code", {"status": "Failure", "details": {"causes": [{"reason": "ExitCode", "message": "7"}]}}, 7),
    ("a failure", {"status": "Failure", "message": "no such container"}, "no such container"),
    ("one that says what it is", {"status": "Failure", "message": "Internal error occurred: no program"}, "no program"),
    ("one without words", {"status": "Failure"}, "the command failed"),
)


@pytest.mark.parametrize(("status", "want"), [row[1:] for row in VERDICTS], ids=[row[0] for row in VERDICTS])
def test_how_a_command_ended(status: dict[str, Any], want: int | str) -> None:
    data = json.dumps(status).encode()
    if isinstance(want, int):
        assert parse_verdict(data) == want
        return
    with pytest.raises(RuntimeFailureError) as caught:
        parse_verdict(data)
    assert str(caught.value) == want
