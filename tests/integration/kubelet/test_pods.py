"""Pods on a real containerd: lifecycle, statuses, volumes, probes, as a user sees them through the API."""

import asyncio
import base64
import os
import time
from collections.abc import Callable

from apimachinery.kinds import ConfigMap, ObjectMeta, Pod, Secret
from tests.support.kubelet_node import SLEEPER, TestNode, eventually, until

OnNode = Callable[[Callable[[TestNode], object]], None]


def shell(script: str, **more: object) -> dict[str, object]:
    return {"name": "c", "image": "busybox:1", "command": ["/bin/sh", "-c", script], **more}


def test_pod_runs_and_goes(on_node: OnNode) -> None:
    async def scenario(node: TestNode) -> None:
        await node.create("p", metadata={"labels": {"app": "x"}}, hostname="box", subdomain="sub")
        await until(lambda: node.condition("p", "Ready") == "True", what="p to be ready", show=lambda: node.pod("p"))
        pod = await node.phase("p", "Running")
        status = pod.status
        assert status.pod_ip.startswith("10.244.1.")
        assert [each.ip for each in status.pod_ips] == [status.pod_ip]
        assert status.host_ip == "127.0.0.1"
        assert {each.type: each.status for each in status.conditions} == {
            "PodReadyToStartContainers": "True",
            "Initialized": "True",
            "Ready": "True",
            "ContainersReady": "True",
            "PodScheduled": "True",
        }
        assert "nameserver 10.96.0.10" in await node.output("p", "cat", "/etc/resolv.conf")
        assert "search default.svc.cluster.local svc.cluster.local cluster.local" in await node.output(
            "p", "cat", "/etc/resolv.conf"
        )
        assert f"{status.pod_ip}\tbox.sub.default.svc.cluster.local\tbox" in await node.output("p", "cat", "/etc/hosts")
        assert (await node.output("p", "hostname")).strip() == "box"
        uid = pod.metadata.uid
        await node.client.delete(Pod, "p", "default")
        await until(lambda: node.pod("p") is None, what="the pod to go")
        await until(lambda: not (node.root / "pods" / uid).exists(), what="its directory to go")
        assert node.runtime is not None
        runtime = node.runtime

        async def no_sandboxes() -> bool:
            return await runtime.list_sandboxes() == []

        await eventually(no_sandboxes, what="its sandbox to go")
        # named in full: uids begin anew with each imitated API server, and other tests leave logs in the same place
        logs = node.logs / f"default_p_{uid}"
        await until(lambda: not logs.exists(), what="its logs to go", show=lambda: list(map(list, os.walk(logs))))
        await node.recorded("p", "Pulled", "Created", "Started", "Killing")

    on_node(scenario)


def test_completed_and_failed(on_node: OnNode) -> None:
    async def scenario(node: TestNode) -> None:
        await node.create("ok", restartPolicy="Never", containers=[shell("echo bye > /dev/termination-log")])
        await node.create("bad", restartPolicy="OnFailure", containers=[shell("exit 3")])
        await node.create("dead", restartPolicy="Never", containers=[shell("exit 7")])
        await node.create("late", restartPolicy="Never", activeDeadlineSeconds=1)
        pod = await node.phase("ok", "Succeeded")
        ended = pod.status.container_statuses[0].state.terminated
        assert ended is not None
        assert (ended.exit_code, ended.reason, ended.message) == (0, "Completed", "bye\n")
        pod = await node.phase("dead", "Failed")
        ended = pod.status.container_statuses[0].state.terminated
        assert ended is not None
        assert (ended.exit_code, ended.reason) == (7, "Error")
        pod = await node.phase("late", "Failed")
        assert pod.status.reason == "DeadlineExceeded"
        await until(lambda: node.waiting("bad") == "CrashLoopBackOff", what="CrashLoopBackOff", show=lambda: node.pod("bad"))
        status = node.container("bad")
        assert status is not None
        assert status.restart_count == 1
        assert status.last_state.terminated is not None
        assert status.last_state.terminated.exit_code == 3
        assert status.state.waiting is not None
        assert status.state.waiting.message.startswith("back-off 10s restarting failed container=c pod=bad_default(")

    on_node(scenario)


def test_init_containers_and_sidecar(on_node: OnNode) -> None:
    async def scenario(node: TestNode) -> None:
        mounts = [{"name": "share", "mountPath": "/share"}]
        await node.create(
            "p",
            restartPolicy="Never",
            volumes=[{"name": "share", "emptyDir": {}}],
            initContainers=[
                {**shell("echo one >> /share/log", volumeMounts=mounts), "name": "first"},
                {**shell("sleep 1000", volumeMounts=mounts), "name": "side", "restartPolicy": "Always"},
                {**shell("echo two >> /share/log", volumeMounts=mounts), "name": "second"},
            ],
            containers=[shell("cat /share/log > /dev/termination-log; sleep 0.2", volumeMounts=mounts)],
        )
        pod = await node.phase("p", "Succeeded")
        ended = pod.status.container_statuses[0].state.terminated
        assert ended is not None
        assert ended.message == "one\ntwo\n"
        assert [each.ready for each in pod.status.init_container_statuses] == [True, False, True]
        assert pod.status.init_container_statuses[1].state.terminated is not None

    on_node(scenario)


def test_config_map_and_secret(on_node: OnNode) -> None:
    async def scenario(node: TestNode) -> None:
        await node.create(
            "p",
            volumes=[
                {"name": "config", "configMap": {"name": "cm"}},
                {"name": "keys", "secret": {"secretName": "s", "defaultMode": 0o400}},
                {"name": "info", "downwardAPI": {"items": [{"path": "labels", "fieldRef": {"fieldPath": "metadata.labels"}}]}},
            ],
            metadata={"labels": {"tier": "web"}},
            containers=[
                {
                    "name": "c",
                    "image": "busybox:1",
                    "command": SLEEPER,
                    "env": [
                        {"name": "A", "valueFrom": {"configMapKeyRef": {"name": "cm", "key": "a"}}},
                        {"name": "IP", "valueFrom": {"fieldRef": {"fieldPath": "status.podIP"}}},
                        {"name": "BOTH", "value": "$(A)-$(IP)-$$(A)-$(NO)"},
                    ],
                    "envFrom": [{"secretRef": {"name": "s"}, "prefix": "S_"}],
                    "volumeMounts": [
                        {"name": "config", "mountPath": "/config"},
                        {"name": "keys", "mountPath": "/keys"},
                        {"name": "info", "mountPath": "/info"},
                        {"name": "config", "mountPath": "/one/file", "subPath": "a"},
                    ],
                }
            ],
        )
        await until(lambda: any(reason == "FailedMount" for reason, _ in node.events("p")), what="FailedMount")
        assert ("FailedMount", 'MountVolume.SetUp failed for volume "config" : configmap "cm" not found') in node.events("p")
        await node.client.create(ConfigMap(metadata=ObjectMeta(name="cm", namespace="default"), data={"a": "1"}))
        secret = {"k": base64.b64encode(b"v").decode()}
        await node.client.create(Secret(metadata=ObjectMeta(name="s", namespace="default"), data=secret))
        pod = await node.phase("p", "Running")
        environment = await node.output("p", "env")
        assert "A=1\n" in environment
        assert "S_k=v\n" in environment
        assert f"BOTH=1-{pod.status.pod_ip}-$(A)-$(NO)\n" in environment
        assert await node.output("p", "cat", "/config/a", "/keys/k", "/one/file") == "1v1"
        assert 'tier="web"' in await node.output("p", "cat", "/info/labels")
        assert (await node.output("p", "stat", "-L", "-c", "%a", "/keys/k")).strip() == "400"
        started = time.monotonic()
        await node.client.patch(ConfigMap, "cm", "default", patch={"data": {"a": "2", "b": "new"}})

        async def renewed() -> bool:
            return await node.output("p", "cat", "/config/a", "/config/b") == "2new"

        await eventually(renewed, 3, what="the new contents")
        assert time.monotonic() - started < 1.5
        assert await node.output("p", "cat", "/one/file") == "1"

    on_node(scenario)


def test_missing_key_is_a_config_error(on_node: OnNode) -> None:
    async def scenario(node: TestNode) -> None:
        wanted = {"name": "A", "valueFrom": {"configMapKeyRef": {"name": "gone", "key": "a"}}}
        await node.create("p", containers=[shell("sleep 100", env=[wanted])])
        await until(lambda: node.waiting("p") == "CreateContainerConfigError", what="the error", show=lambda: node.pod("p"))
        status = node.container("p")
        assert status is not None
        assert status.state.waiting is not None
        assert status.state.waiting.message == 'configmap "gone" not found'
        await node.client.create(ConfigMap(metadata=ObjectMeta(name="gone", namespace="default"), data={"a": "1"}))
        await node.phase("p", "Running", 3)

    on_node(scenario)


def test_image_that_cannot_be_had(on_node: OnNode) -> None:
    async def scenario(node: TestNode) -> None:
        await node.create(
            "p",
            containers=[
                shell(
                    "true",
                )
                | {"image": "registry.invalid/no/such:1"}
            ],
        )
        await node.create("never", containers=[shell("true") | {"image": "no-such:1", "imagePullPolicy": "Never"}])
        await node.create("wrong", containers=[shell("true") | {"image": "UPPER//x"}])
        await until(lambda: node.waiting("p") == "ImagePullBackOff", 20, what="ImagePullBackOff", show=lambda: node.pod("p"))
        assert "ErrImagePull" in node.waited("p")
        await until(lambda: node.waiting("never") == "ErrImageNeverPull", what="ErrImageNeverPull")
        await until(lambda: node.waiting("wrong") == "InvalidImageName", what="InvalidImageName")
        started = time.monotonic()
        await node.client.delete(Pod, "p", "default")
        await until(lambda: node.pod("p") is None, what="the pod to go")
        assert time.monotonic() - started < 2

    on_node(scenario)


def test_probes(on_node: OnNode) -> None:
    async def scenario(node: TestNode) -> None:
        await node.create(
            "web",
            containers=[
                shell(
                    "mkdir /w; echo ok > /w/health; httpd -p 8080 -h /w; while true; do sleep 1; done",
                    readinessProbe={"httpGet": {"path": "/health", "port": "http"}, "periodSeconds": 1, "failureThreshold": 1},
                    ports=[{"name": "http", "containerPort": 8080}],
                )
            ],
        )
        await node.create(
            "sick",
            containers=[
                shell(
                    "sleep 1000",
                    livenessProbe={"exec": {"command": ["false"]}, "periodSeconds": 1, "failureThreshold": 1},
                )
            ],
        )
        started = time.monotonic()
        await until(lambda: node.condition("web", "Ready") == "True", 5, what="web to be ready")
        assert time.monotonic() - started < 3
        await node.output("web", "rm", "/w/health")
        await until(lambda: node.condition("web", "Ready") == "False", 5, what="web to be unready")
        await until(lambda: (found := node.container("sick")) is not None and found.restart_count >= 1, what="a restart")
        await node.recorded("sick", "Unhealthy", "Killing")
        assert ("Killing", "Container c failed liveness probe, will be restarted") in node.events("sick")

    on_node(scenario)


def test_termination_grace_and_hook(on_node: OnNode) -> None:
    async def scenario(node: TestNode) -> None:
        stubborn = "trap '' TERM; while true; do sleep 0.1; done"
        await node.create("stubborn", terminationGracePeriodSeconds=2, containers=[shell(stubborn)])
        await node.create("forced", terminationGracePeriodSeconds=60, containers=[shell(stubborn)])
        hook = {"preStop": {"exec": {"command": ["/bin/sh", "-c", "echo hook > /v/hook; sleep 0.3"]}}}
        await node.create(
            "hooked",
            volumes=[{"name": "v", "hostPath": {"path": str(node.root / "shared"), "type": "DirectoryOrCreate"}}],
            terminationGracePeriodSeconds=5,
            containers=[
                shell(
                    "trap 'cat /v/hook > /v/at-term; exit 0' TERM; while true; do sleep 0.05; done",
                    lifecycle=hook,
                    volumeMounts=[{"name": "v", "mountPath": "/v"}],
                )
            ],
        )
        for name in ("stubborn", "forced", "hooked"):
            await node.phase(name, "Running")
        await asyncio.sleep(0.3)
        started = time.monotonic()
        for name, grace_s in (("stubborn", 2), ("forced", 60), ("hooked", 5)):
            await node.client.delete(Pod, name, "default", grace_period_seconds=grace_s)
        await until(lambda: node.pod("hooked") is None, what="hooked to go")
        assert (node.root / "shared" / "at-term").read_text() == "hook\n"
        await until(lambda: node.pod("stubborn") is None, what="stubborn to go")
        assert 1.5 < time.monotonic() - started < 4
        assert node.pod("forced") is not None
        await node.client.delete(Pod, "forced", "default", grace_period_seconds=1)
        await until(lambda: node.pod("forced") is None, 6, what="forced to go")

    on_node(scenario)
