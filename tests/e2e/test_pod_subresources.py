"""Pods that change while they run, in real containers: debuggers that join them, and resizes."""

from __future__ import annotations

import json
from typing import Any

from tests.support.cluster import Namespace
from tests.support.manifests import BUSYBOX, pod, shell, sleeper

MIB = 1 << 20
READ_LIMITS = (
    "if [ -f /sys/fs/cgroup/memory.max ]; then cut -d' ' -f1 /sys/fs/cgroup/cpu.max; cat /sys/fs/cgroup/memory.max;"
    " else cat /sys/fs/cgroup/cpu/cpu.cfs_quota_us /sys/fs/cgroup/memory/memory.limit_in_bytes; fi"
)


def debugger(found: dict[str, Any], name: str) -> dict[str, Any]:
    statuses = found["status"].get("ephemeralContainerStatuses") or []
    return next((each for each in statuses if each["name"] == name), {})


def container(found: dict[str, Any], name: str = "main") -> dict[str, Any]:
    return next((each for each in found["status"].get("containerStatuses") or [] if each["name"] == name), {})


def amounts(cpu: str, memory: str) -> dict[str, Any]:
    return {"limits": {"cpu": cpu, "memory": memory}, "requests": {"cpu": cpu, "memory": memory}}


def resize(ns: Namespace, name: str, cpu: str, memory: str) -> None:
    patch = json.dumps({"spec": {"containers": [{"name": "main", "resources": amounts(cpu, memory)}]}})
    ns.kctl("patch", "pod", name, "--subresource=resize", "--patch", patch)


def limits(ns: Namespace, name: str) -> tuple[int, int]:
    """CPU quota and memory limit of the container, as the kernel has them."""
    quota, memory = ns.exec(name, "sh", "-c", READ_LIMITS).stdout.split()
    return int(quota), int(memory)


def test_a_debugger_joins_the_processes_of_its_target(ns: Namespace) -> None:
    ns.create(pod("box", sleeper()))
    ready = ns.pod_ready("box")
    typed = "tr '\\0' ' ' < /proc/1/cmdline\nexit\n"
    seen = ns.kctl("debug", "box", f"--image={BUSYBOX}", "--target=main", "-c=look", "-i", "-q", stdin=typed)
    assert "trap 'exit 0' TERM" in seen.stdout
    ended = ns.pod_where("box", lambda found: debugger(found, "look").get("state", {}).get("terminated"), "the debugger's end")
    assert debugger(ended, "look")["restartCount"] == 0
    assert container(ended)["containerID"] == container(ready)["containerID"]
    again = ns.kctl("debug", "box", f"--image={BUSYBOX}", "--target=main", "-c=look", check=False)
    assert (again.returncode, "already" in again.stderr) == (1, True)


def test_a_debugger_can_be_read_and_entered(ns: Namespace) -> None:
    ns.create(pod("box", sleeper()))
    ns.pod_ready("box")
    ns.kctl("debug", "box", f"--image={BUSYBOX}", "-c=stay", "--", "sh", "-c", "echo here; sleep 3600")
    ns.pod_where("box", lambda found: debugger(found, "stay").get("state", {}).get("running"), "the debugger to run")
    assert ns.exec("box", "sh", "-c", "ps | grep -c 'sleep 3600'", container="stay").stdout.strip() != "0"
    ns.logged("box", "here\n", container="stay")
    assert ns.kctl("logs", "box", "-c", "stay").stdout == "here\n"
    assert ns.exec("box", "hostname", container="stay").stdout == "box\n"
    described = ns.kctl("describe", "pod", "box").stdout
    assert "Ephemeral Containers:" in described
    ns.delete("pods", "box")
    ns.gone("pods", "box")


def test_a_copy_is_debugged_in_place_of_the_pod(ns: Namespace) -> None:
    ns.create(pod("broken", shell("exit 7")))
    ns.pod_ended("broken")
    ns.kctl("debug", "broken", "--copy-to=copy", "-c=main", "--", "sleep", "3600")
    ns.pod_ready("copy")
    assert "sleep" in ns.exec("copy", "ps", container="main").stdout


def test_resources_change_in_place(ns: Namespace) -> None:
    ns.create(pod("box", sleeper(resources=amounts("100m", "32Mi"))))
    ready = ns.pod_ready("box")
    assert limits(ns, "box") == (10_000, 32 * MIB)
    for cpu, memory, quota, size in (("200m", "64Mi", 20_000, 64), ("50m", "16Mi", 5_000, 16)):
        resize(ns, "box", cpu, memory)
        wanted = {"cpu": cpu, "memory": memory}
        changed = ns.pod_where(
            "box", lambda found, wanted=wanted: container(found).get("resources", {}).get("limits") == wanted, "the resize"
        )
        assert container(changed)["allocatedResources"] == wanted
        assert container(changed)["containerID"] == container(ready)["containerID"]
        assert limits(ns, "box") == (quota, size * MIB)
    assert changed["status"]["qosClass"] == "Guaranteed"
    refused = ns.kctl(
        "patch", "pod", "box", "--subresource=resize", "-p",
        '{"spec": {"containers": [{"name": "main", "resources": {"requests": {"cpu": "10m"}}}]}}', check=False,
    )  # fmt: skip
    assert (refused.returncode, "Pod QOS Class may not change as a result of resizing" in refused.stderr) == (1, True)


def test_resources_change_by_restart(ns: Namespace) -> None:
    policy = [{"resourceName": "memory", "restartPolicy": "RestartContainer"}]
    ns.create(pod("box", sleeper(resources=amounts("100m", "32Mi"), resizePolicy=policy), restartPolicy="Always"))
    ns.pod_ready("box")
    resize(ns, "box", "100m", "64Mi")
    ns.pod_where("box", lambda found: container(found).get("restartCount") == 1 and container(found)["ready"], "the restart")
    assert limits(ns, "box") == (10_000, 64 * MIB)


def test_what_the_node_does_not_have(ns: Namespace) -> None:
    ns.create(pod("box", sleeper(resources=amounts("100m", "32Mi"))))
    ns.pod_ready("box")
    resize(ns, "box", "900", "32Mi")

    def told(found: dict[str, Any]) -> bool:
        conditions = found["status"]["conditions"]
        return any((each["type"], each.get("reason")) == ("PodResizePending", "Infeasible") for each in conditions)

    ns.pod_where("box", told, "the refusal")
    assert limits(ns, "box") == (10_000, 32 * MIB)
    resize(ns, "box", "200m", "32Mi")
    changed = ns.pod_where(
        "box", lambda found: not told(found) and container(found)["resources"]["limits"]["cpu"] == "200m", "the change"
    )
    assert container(changed)["allocatedResources"]["cpu"] == "200m"
    assert limits(ns, "box") == (20_000, 32 * MIB)
