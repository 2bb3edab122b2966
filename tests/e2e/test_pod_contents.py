"""What a container finds when it starts: environment, volumes, names, and the limits it lives within."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from tests.support.cluster import LocalCluster, Namespace, container_status, describe_pod, waiting_reason
from tests.support.manifests import config_map, deployment, held, pod, secret, service, shell, sleeper
from tests.support.waiting import always, eventually

# Environment


def _environment(text: str) -> dict[str, str]:
    return dict(line.split("=", 1) for line in text.splitlines() if "=" in line)


def test_environment_from_values_maps_secrets_fields_and_resources(ns: Namespace) -> None:
    ns.create(config_map("settings", colour="blue", size="7"), "configmaps")
    ns.create(secret("token", token="s3cret", other="x"), "secrets")
    container = shell(
        "env",
        env=[
            {"name": "PLAIN", "value": "value"},
            {"name": "EXPANDED", "value": "$(PLAIN)-$(COLOUR)-$$(PLAIN)-$(MISSING)"},
            {"name": "COLOUR", "valueFrom": {"configMapKeyRef": {"name": "settings", "key": "colour"}}},
            {"name": "AFTER", "value": "$(COLOUR)"},
            {"name": "TOKEN", "valueFrom": {"secretKeyRef": {"name": "token", "key": "token"}}},
            {"name": "ABSENT", "valueFrom": {"configMapKeyRef": {"name": "nothing", "key": "x", "optional": True}}},
            {"name": "POD", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}},
            {"name": "NAMESPACE", "valueFrom": {"fieldRef": {"fieldPath": "metadata.namespace"}}},
            {"name": "UID_", "valueFrom": {"fieldRef": {"fieldPath": "metadata.uid"}}},
            {"name": "LABEL", "valueFrom": {"fieldRef": {"fieldPath": "metadata.labels['tier']"}}},
            {"name": "NODE", "valueFrom": {"fieldRef": {"fieldPath": "spec.nodeName"}}},
            {"name": "ACCOUNT", "valueFrom": {"fieldRef": {"fieldPath": "spec.serviceAccountName"}}},
            {"name": "POD_IP", "valueFrom": {"fieldRef": {"fieldPath": "status.podIP"}}},
            {"name": "HOST_IP", "valueFrom": {"fieldRef": {"fieldPath": "status.hostIP"}}},
            {"name": "CPU", "valueFrom": {"resourceFieldRef": {"resource": "limits.cpu", "divisor": "1m"}}},
            {"name": "MEMORY", "valueFrom": {"resourceFieldRef": {"resource": "requests.memory", "divisor": "1Mi"}}},
        ],
        envFrom=[
            {"prefix": "CFG_", "configMapRef": {"name": "settings"}},
            {"secretRef": {"name": "token"}},
            {"configMapRef": {"name": "nothing", "optional": True}},
        ],
        resources={"requests": {"cpu": "100m", "memory": "32Mi"}, "limits": {"cpu": "250m", "memory": "64Mi"}},
    )
    found = _environment(ns.run(pod("env", container, labels={"tier": "back"})))
    ended = ns.get("pods", "env")
    wanted = {
        "PLAIN": "value",
        "EXPANDED": "value-$(COLOUR)-$(PLAIN)-$(MISSING)",  # COLOUR is defined after it
        "COLOUR": "blue",
        "AFTER": "blue",
        "TOKEN": "s3cret",
        "POD": "env",
        "NAMESPACE": ns.name,
        "UID_": ended["metadata"]["uid"],
        "LABEL": "back",
        "NODE": ended["spec"]["nodeName"],
        "ACCOUNT": "default",
        "POD_IP": ended["status"]["podIP"],
        "HOST_IP": ended["status"]["hostIP"],
        "CPU": "250",
        "MEMORY": "32",
        "CFG_colour": "blue",
        "CFG_size": "7",
        "token": "s3cret",
        "other": "x",
        "HOSTNAME": "env",
        "KUBERNETES_SERVICE_HOST": "10.96.0.1",
        "KUBERNETES_SERVICE_PORT": "443",
        "KUBERNETES_PORT_443_TCP_ADDR": "10.96.0.1",
    }
    assert {name: found.get(name) for name in wanted} == wanted
    assert "ABSENT" not in found


def test_services_of_the_namespace_are_in_the_environment_unless_unwanted(ns: Namespace) -> None:
    ns.create(service("my-web", port=8000), "services")
    address = ns.get("services", "my-web")["spec"]["clusterIP"]
    eventually(lambda: _assert_service_known(ns, address))
    without = _environment(ns.run(pod("without", "env", enableServiceLinks=False)))
    assert not [name for name in without if name.startswith("MY_WEB")]
    assert without["KUBERNETES_SERVICE_HOST"] == "10.96.0.1"


_attempts = iter(range(1000))


def _assert_service_known(ns: Namespace, address: str) -> None:
    found = _environment(ns.run(pod(f"with-{next(_attempts)}", "env")))
    assert found.get("MY_WEB_SERVICE_HOST") == address
    assert found["MY_WEB_SERVICE_PORT"] == "8000"
    assert found["MY_WEB_PORT"] == f"tcp://{address}:8000"


def test_command_and_arguments_expand_variables(ns: Namespace) -> None:
    container = {
        "name": "main",
        "image": "busybox:1",
        "command": ["echo", "$(GREETING)"],
        "args": ["$(WHO)", "$$(WHO)", "$(NOBODY)"],
        "env": [{"name": "GREETING", "value": "hello"}, {"name": "WHO", "value": "world"}],
    }
    assert ns.run(pod("echo", container)) == "hello world $(WHO) $(NOBODY)\n"


def test_a_missing_configmap_holds_the_container_until_it_is_there(ns: Namespace) -> None:
    container = shell(
        held("echo $COLOUR"), env=[{"name": "COLOUR", "valueFrom": {"configMapKeyRef": {"name": "late", "key": "colour"}}}]
    )
    ns.create(pod("waiting", container))
    waiting = ns.pod_where("waiting", lambda each: waiting_reason(each) == "CreateContainerConfigError", "held")
    assert container_status(waiting)["state"]["waiting"]["message"] == 'configmap "late" not found'
    assert waiting["status"]["phase"] == "Pending"
    assert "CreateContainerConfigError" in ns.kctl("get", "pods").stdout
    assert 'configmap "late" not found' in ns.event("Failed", "waiting")["message"]
    ns.create(config_map("late", other="x"), "configmaps")

    def key_is_missing() -> None:
        message = container_status(ns.get("pods", "waiting"))["state"]["waiting"]["message"]
        assert message.startswith("couldn't find key colour in ConfigMap"), message

    eventually(key_is_missing)
    ns.patch("configmaps", "late", {"data": {"colour": "green"}})
    ns.logged("waiting", "green\n")
    ns.let_go("waiting")
    assert ns.pod_ended("waiting")["status"]["phase"] == "Succeeded"


def test_a_missing_volume_source_holds_the_pod_until_it_is_there(ns: Namespace) -> None:
    mount = {"volumeMounts": [{"name": "late", "mountPath": "/late"}]}
    ns.create(
        pod(
            "waiting",
            shell(held("cat /late/word; echo"), **mount),
            volumes=[{"name": "late", "secret": {"secretName": "late"}}],
        )
    )
    event = ns.event("FailedMount", "waiting")
    assert 'secret "late" not found' in event["message"]
    ns.pod_where("waiting", lambda each: waiting_reason(each) == "ContainerCreating", "held")
    ns.create(secret("late", word="now"), "secrets")
    ns.logged("waiting", "now\n")


# Volumes of objects


def test_mounted_configmap_and_secret_change_in_place_and_subpaths_do_not(ns: Namespace) -> None:
    ns.create(config_map("settings", colour="blue", gone="x"), "configmaps")
    ns.create(secret("token", token="one"), "secrets")
    mounts = [
        {"name": "settings", "mountPath": "/settings"},
        {"name": "token", "mountPath": "/token", "readOnly": True},
        {"name": "settings", "mountPath": "/single", "subPath": "colour"},
    ]
    volumes = [
        {"name": "settings", "configMap": {"name": "settings", "defaultMode": 0o640}},
        {"name": "token", "secret": {"secretName": "token", "items": [{"key": "token", "path": "deep/er", "mode": 0o400}]}},
    ]
    ns.create(pod("reader", sleeper(volumeMounts=mounts), volumes=volumes, restartPolicy="Always"))
    ns.pod_ready("reader")

    def look(command: str) -> str:
        return ns.exec("reader", "sh", "-c", command).stdout

    assert look("cat /settings/colour /token/deep/er /single; ls /settings") == "blueoneblue" + "colour\ngone\n"
    assert look("stat -L -c %a /settings/colour /token/deep/er") == "640\n400\n"
    assert look("echo x > /settings/colour 2>/dev/null || echo refused; touch /token/new 2>/dev/null || echo refused") == (
        "refused\nrefused\n"
    )
    ns.patch("configmaps", "settings", {"data": {"colour": "green", "gone": None, "new": "y"}})
    ns.patch("secrets", "token", {"stringData": {"token": "two"}})
    eventually(lambda: _equal(look("cat /settings/colour /token/deep/er; ls /settings"), "greentwo" + "colour\nnew\n"))
    assert look("cat /single") == "blue"
    assert container_status(ns.get("pods", "reader"))["restartCount"] == 0


def test_many_keys_change_together_or_not_at_all(ns: Namespace) -> None:
    """A reader that opens one file after the other through the directory of one moment never sees a mixture."""
    ns.create(config_map("pair", a="0", b="0"), "configmaps")
    # The directory of an earlier moment may be removed between the two reads: then there is nothing to compare.
    watch = (
        "while :; do d=$(readlink -f /pair/..data); a=$(cat $d/a) && b=$(cat $d/b) || continue; "
        "test $a = $b && echo whole || echo torn; done 2>/dev/null"
    )
    mounts = {"volumeMounts": [{"name": "pair", "mountPath": "/pair"}]}
    ns.create(
        pod("reader", shell(watch, **mounts), volumes=[{"name": "pair", "configMap": {"name": "pair"}}], restartPolicy="Always")
    )
    ns.pod_ready("reader")
    for n in range(1, 8):
        ns.patch("configmaps", "pair", {"data": {"a": str(n), "b": str(n)}})
        eventually(lambda n=n: _equal(ns.exec("reader", "cat", "/pair/a").stdout, str(n)))  # type: ignore[misc]
    assert set(ns.log("reader").split()) == {"whole"}


def test_a_projected_volume_holds_parts_of_everything(ns: Namespace) -> None:
    ns.create(config_map("settings", colour="blue"), "configmaps")
    ns.create(secret("token", token="s3cret"), "secrets")
    sources = [
        {"configMap": {"name": "settings"}},
        {"secret": {"name": "token", "items": [{"key": "token", "path": "secret/token"}]}},
        {
            "downwardAPI": {
                "items": [
                    {"path": "labels", "fieldRef": {"fieldPath": "metadata.labels"}},
                    {"path": "name", "fieldRef": {"fieldPath": "metadata.name"}},
                    {"path": "cpu", "resourceFieldRef": {"containerName": "main", "resource": "limits.cpu", "divisor": "1m"}},
                ]
            }
        },
    ]
    container = sleeper(volumeMounts=[{"name": "all", "mountPath": "/all"}], resources={"limits": {"cpu": "300m"}})
    ns.create(
        pod(
            "projected", container, labels={"tier": "back"}, restartPolicy="Always",
            volumes=[{"name": "all", "projected": {"sources": sources}}],
        )
    )  # fmt: skip
    ns.pod_ready("projected")
    read = ["sh", "-c", "cd /all; cat colour; echo; cat secret/token; echo; cat labels; echo; cat name; echo; cat cpu"]
    assert ns.exec("projected", *read).stdout.split() == ["blue", "s3cret", 'tier="back"', "projected", "300"]
    ns.kctl("label", "pod", "projected", "tier=front", "--overwrite")
    eventually(lambda: _equal(ns.exec("projected", "cat", "/all/labels").stdout.strip(), 'tier="front"'))


def test_a_binary_configmap_arrives_byte_by_byte(ns: Namespace) -> None:
    data = bytes(range(256)) * 16
    body = config_map("binary") | {"binaryData": {"blob": base64.b64encode(data).decode()}}
    ns.create(body, "configmaps")
    mounts = {"volumeMounts": [{"name": "blob", "mountPath": "/blob"}]}
    text = ns.run(
        pod("reader", shell("md5sum < /blob/blob", **mounts), volumes=[{"name": "blob", "configMap": {"name": "binary"}}])
    )
    import hashlib

    assert text.split()[0] == hashlib.md5(data).hexdigest()


# Volumes of the node


def test_an_empty_dir_is_shared_and_gone_with_the_pod(ns: Namespace, cluster: LocalCluster) -> None:
    mount = {"volumeMounts": [{"name": "shared", "mountPath": "/shared"}]}
    writer = shell("echo hello > /shared/word; trap 'exit 0' TERM; while :; do sleep 0.1; done", "writer", **mount)
    reader = shell(
        "until cat /shared/word 2>/dev/null; do sleep 0.05; done; trap 'exit 0' TERM; while :; do sleep 0.1; done",
        "reader",
        **mount,
    )
    ns.create(pod("pair", [writer, reader], volumes=[{"name": "shared", "emptyDir": {}}]))
    ready = ns.pod_ready("pair")
    eventually(lambda: _equal(ns.log("pair", container="reader"), "hello\n"))
    find = (
        "find",
        f"/var/lib/coxswain/clusters/{cluster.name}/nodes",
        "-path",
        f"*{ready['metadata']['uid']}*",
        "-name",
        "word",
    )
    assert cluster.inside(ready["spec"]["nodeName"], *find).stdout.strip()
    ns.kctl("delete", "pod", "pair")

    def files_are_gone() -> None:
        assert not cluster.inside(ready["spec"]["nodeName"], *find).stdout.strip()

    eventually(files_are_gone)


def test_an_empty_dir_in_memory_is_a_tmpfs_of_its_size(ns: Namespace) -> None:
    mount = {"volumeMounts": [{"name": "fast", "mountPath": "/fast"}]}
    text = ns.run(
        pod(
            "memory",
            shell("grep ' /fast ' /proc/mounts; dd if=/dev/zero of=/fast/big bs=1M count=9 2>&1 | grep -c 'No space'", **mount),
            volumes=[{"name": "fast", "emptyDir": {"medium": "Memory", "sizeLimit": "8Mi"}}],
        )
    )
    assert text.split()[0] == "tmpfs"
    assert text.split()[-1] == "1"


def test_host_path_types(ns: Namespace, cluster: LocalCluster) -> None:
    worker = cluster.workers()[0]
    base = f"/run/{ns.name}"
    mounts = [{"name": "made", "mountPath": "/made"}, {"name": "file", "mountPath": "/file"}]
    text = ns.run(
        pod(
            "host",
            shell("echo from the pod > /made/word; test -f /file && echo file", volumeMounts=mounts),
            nodeName=worker,
            volumes=[
                {"name": "made", "hostPath": {"path": base, "type": "DirectoryOrCreate"}},
                {"name": "file", "hostPath": {"path": f"{base}/f", "type": "FileOrCreate"}},
            ],
        )
    )
    assert text == "file\n"
    assert cluster.inside(worker, "cat", f"{base}/word").stdout == "from the pod\n"
    wrong = {"name": "made", "hostPath": {"path": f"{base}/f", "type": "Directory"}}
    ns.create(pod("wrong", shell("true", volumeMounts=mounts[:1]), nodeName=worker, volumes=[wrong]))
    assert "hostPath type check failed" in ns.event("FailedMount", "wrong")["message"]


# Names


def test_names_and_resolver_of_a_pod(ns: Namespace) -> None:
    text = ns.run(
        pod(
            "named",
            "hostname; hostname -f; cat /etc/resolv.conf; cat /etc/hosts",
            hostname="mars",
            subdomain="planets",
            hostAliases=[{"ip": "203.0.113.7", "hostnames": ["alias.example", "other"]}],
        )
    )
    lines = text.splitlines()
    assert lines[0] == "mars"
    assert lines[1] == f"mars.planets.{ns.name}.svc.cluster.local"
    assert "nameserver 10.96.0.10" in lines
    search = next(line for line in lines if line.startswith("search "))
    assert search.split()[1:4] == [f"{ns.name}.svc.cluster.local", "svc.cluster.local", "cluster.local"]
    assert "options ndots:5" in lines
    assert ["203.0.113.7", "alias.example", "other"] in [line.split() for line in lines]
    address = ns.get("pods", "named")["status"]["podIP"]
    assert [address, f"mars.planets.{ns.name}.svc.cluster.local", "mars"] in [line.split() for line in lines]


def test_dns_policy_none_and_options(ns: Namespace) -> None:
    text = ns.run(
        pod(
            "own-dns",
            "cat /etc/resolv.conf",
            dnsPolicy="None",
            dnsConfig={"nameservers": ["127.0.0.9"], "searches": ["a.test"], "options": [{"name": "ndots", "value": "2"}]},
        )
    )
    assert text.split("\n")[:3] == ["search a.test", "nameserver 127.0.0.9", "options ndots:2"]


def test_host_network_shares_the_nodes_addresses_and_name(ns: Namespace, cluster: LocalCluster) -> None:
    worker = cluster.workers()[1]
    text = ns.run(pod("host", "hostname; ip -4 -o addr show | grep -c 172.31.255.", hostNetwork=True, nodeName=worker))
    assert text.split() == [worker, "1"]
    status = ns.get("pods", "host")["status"]
    assert status["podIP"] == status["hostIP"]


def test_shared_namespaces(ns: Namespace, cluster: LocalCluster) -> None:
    ns.create(pod("shared", [sleeper("one"), sleeper("two")], shareProcessNamespace=True, restartPolicy="Always"))
    ns.create(pod("apart", [sleeper("one"), sleeper("two")], restartPolicy="Always"))
    ns.create(pod("host", sleeper(), hostPID=True, restartPolicy="Always"))
    for name in ("shared", "apart", "host"):
        ns.pod_ready(name)

    def shells_seen(name: str) -> int:
        # The brackets keep the pattern from matching the command lines of this very search.
        return int(ns.exec(name, "sh", "-c", "grep -l '[s]leep 3600' /proc/[0-9]*/cmdline | wc -l").stdout)

    eventually(lambda: _equal((shells_seen("shared"), shells_seen("apart")), (2, 1)))
    assert "containerd" in ns.exec("host", "sh", "-c", "cat /proc/[0-9]*/comm 2>/dev/null; true").stdout.split()


# Limits and privileges


def _in_cgroup(ns: Namespace, name: str, file_v1: str, file_v2: str) -> str:
    """A control file of the container's group, as the container sees it (version 1, or version 2)."""
    script = f"cat /sys/fs/cgroup/{file_v2} 2>/dev/null || cat /sys/fs/cgroup/{file_v1}"
    return ns.exec(name, "sh", "-c", script).stdout.strip()


def test_resources_are_limits_of_the_control_group(ns: Namespace) -> None:
    resources = {"requests": {"cpu": "100m", "memory": "16Mi"}, "limits": {"cpu": "500m", "memory": "32Mi"}}
    ns.create(pod("limited", sleeper(resources=resources), restartPolicy="Always"))
    ready = ns.pod_ready("limited")
    assert ready["status"]["qosClass"] == "Burstable"
    assert _in_cgroup(ns, "limited", "memory/memory.limit_in_bytes", "memory.max") == str(32 * 1024 * 1024)
    quota = _in_cgroup(ns, "limited", "cpu/cpu.cfs_quota_us", "cpu.max").split()
    assert quota[0] == "50000"


@pytest.mark.parametrize(
    ("resources", "quality"),
    [
        pytest.param({}, "BestEffort", id="none"),
        pytest.param({"requests": {"cpu": "10m"}}, "Burstable", id="requests"),
        pytest.param({"limits": {"cpu": "50m", "memory": "16Mi"}}, "Guaranteed", id="limits"),
    ],
)
def test_quality_of_service(ns: Namespace, resources: dict[str, Any], quality: str) -> None:
    assert ns.create(pod("classed", sleeper(resources=resources)))["status"]["qosClass"] == quality


def test_a_container_that_takes_too_much_memory_is_oom_killed(ns: Namespace) -> None:
    hog = shell("tail /dev/zero", resources={"limits": {"memory": "16Mi"}})
    ns.create(pod("hog", hog))
    ended = ns.pod_ended("hog")
    state = container_status(ended)["state"]["terminated"]
    assert (state["reason"], state["exitCode"]) == ("OOMKilled", 137)
    assert "OOMKilled" in ns.kctl("get", "pod", "hog").stdout


def test_users_groups_and_the_root_file_system(ns: Namespace) -> None:
    context = {"runAsUser": 1234, "runAsGroup": 2345, "readOnlyRootFilesystem": True}
    mounts = [{"name": "data", "mountPath": "/data"}]
    text = ns.run(
        pod(
            "user",
            shell(
                "id -u; id -g; id -G; touch /x 2>/dev/null || echo read-only; touch /data/f && stat -c %g /data/f",
                securityContext=context,
                volumeMounts=mounts,
            ),
            securityContext={"fsGroup": 3456, "supplementalGroups": [4567]},
            volumes=[{"name": "data", "emptyDir": {}}],
        )
    )
    lines = text.splitlines()
    assert lines[:2] == ["1234", "2345"]
    assert set(lines[2].split()) == {"2345", "3456", "4567"}
    assert lines[3:] == ["read-only", "3456"]


def test_run_as_non_root_refuses_root(ns: Namespace) -> None:
    ns.create(pod("root", shell("true", securityContext={"runAsNonRoot": True})))
    held = ns.pod_where("root", lambda each: waiting_reason(each) == "CreateContainerConfigError", "refused")
    assert "non-root" in container_status(held)["state"]["waiting"]["message"], describe_pod(held)


def test_capabilities_and_privileges(ns: Namespace) -> None:
    read = "grep CapEff /proc/self/status | cut -f2; grep NoNewPrivs /proc/self/status | cut -f2"

    def effective(name: str, context: dict[str, Any]) -> tuple[int, str]:
        lines = ns.run(pod(name, shell(read, securityContext=context))).split()
        return int(lines[0], 16), lines[1]

    net_admin, chown, sys_admin = 1 << 12, 1 << 0, 1 << 21
    plain, _ = effective("plain", {})
    assert plain & chown
    assert not plain & net_admin
    assert effective("dropped", {"capabilities": {"drop": ["ALL"]}, "allowPrivilegeEscalation": False}) == (0, "1")
    assert effective("added", {"capabilities": {"add": ["NET_ADMIN"], "drop": ["CHOWN"]}})[0] == plain & ~chown | net_admin
    assert effective("privileged", {"privileged": True})[0] & sys_admin


def test_pods_of_a_deployment_share_nothing_by_accident(ns: Namespace) -> None:
    mount = {"volumeMounts": [{"name": "own", "mountPath": "/own"}]}
    ns.apply(
        deployment("own", 3, sleeper(**mount), template={"volumes": [{"name": "own", "emptyDir": {}}]}),
    )
    ns.deployment_done("own")
    names = [each["metadata"]["name"] for each in ns.pods()]
    ns.exec(names[0], "sh", "-c", "echo mine > /own/f; echo mine > /tmp/f; mkdir -p /mine")
    for name in names[1:]:
        assert ns.exec(name, "sh", "-c", "ls /own /tmp /mine 2>/dev/null | grep -v :").stdout.strip() == ""
    always(lambda: _equal(len(ns.pods()), 3), 0.5)


def _equal(found: object, wanted: object) -> None:
    assert found == wanted, f"{found!r} instead of {wanted!r}"
