"""The life of pods in real containers: init containers, restarts, ends, termination, logs and exec."""

from __future__ import annotations

import itertools
import json
import time
from datetime import datetime
from typing import Any

import pytest

from apimachinery.times import parse_time
from tests.support.cluster import LocalCluster, Namespace, condition, container_status, is_ready, waiting_reason
from tests.support.manifests import deployment, held, pod, shell, sleeper
from tests.support.rest import RefusedError
from tests.support.waiting import eventually


def _times(text: str) -> list[float]:
    return [float(line.split()[-1]) for line in text.split("\n") if line.strip()]


# Init containers


def test_init_containers_run_one_after_the_other_before_the_others(ns: Namespace) -> None:
    volume = {"name": "shared", "emptyDir": {}}
    mount = {"volumeMounts": [{"name": "shared", "mountPath": "/shared"}]}
    text = ns.run(
        pod(
            "order",
            shell("cat /shared/steps; echo main", **mount),
            initContainers=[
                shell("sleep 0.3; echo first >> /shared/steps", "first", **mount),
                shell("echo second >> /shared/steps", "second", **mount),
            ],
            volumes=[volume],
        )
    )
    assert text.split() == ["first", "second", "main"]
    statuses = ns.get("pods", "order")["status"]["initContainerStatuses"]
    assert [(each["name"], each["state"]["terminated"]["reason"], each["ready"]) for each in statuses] == [
        ("first", "Completed", True),
        ("second", "Completed", True),
    ]


def test_a_pod_whose_init_container_fails_for_good_fails(ns: Namespace) -> None:
    ns.create(pod("failing", "echo never", initContainers=[shell("exit 3", "broken"), shell("true", "later")]))
    ended = ns.pod_ended("failing")
    assert ended["status"]["phase"] == "Failed"
    assert condition(ended, "Initialized")["status"] == "False"
    broken, later = ended["status"]["initContainerStatuses"]
    assert broken["state"]["terminated"]["exitCode"] == 3
    assert "waiting" in later["state"]
    assert waiting_reason(ended) == "PodInitializing"
    assert "Init:Error" in ns.kctl("get", "pod", "failing").stdout


def test_a_failing_init_container_is_retried_until_it_succeeds(ns: Namespace) -> None:
    mount = {"volumeMounts": [{"name": "shared", "mountPath": "/shared"}]}
    retried = pod(
        "retried",
        sleeper(),
        restartPolicy="Always",
        initContainers=[shell("test -e /shared/again || { touch /shared/again; exit 1; }", "gate", **mount)],
        volumes=[{"name": "shared", "emptyDir": {}}],
    )
    with ns.recorded("pods") as recorder:
        ns.create(retried)
        ready = ns.pod_ready("retried", 30)
        assert container_status(ready, "gate")["restartCount"] == 1
        assert any(waiting_reason(each) == "PodInitializing" for each in recorder.objects())


def test_a_sidecar_runs_before_and_beside_the_main_container_and_does_not_keep_the_pod(ns: Namespace) -> None:
    mount = {"volumeMounts": [{"name": "shared", "mountPath": "/shared"}]}
    sidecar = shell(
        "touch /shared/started; trap 'echo sidecar ends; exit 0' TERM; while :; do sleep 0.1; done",
        "sidecar",
        restartPolicy="Always",
        startupProbe={"exec": {"command": ["test", "-e", "/shared/started"]}, "periodSeconds": 1},
        **mount,
    )
    text = ns.run(
        pod(
            "sidecar",
            shell("test -e /shared/started && echo sidecar was there", **mount),
            initContainers=[sidecar],
            volumes=[{"name": "shared", "emptyDir": {}}],
            terminationGracePeriodSeconds=3,
        )
    )
    assert text == "sidecar was there\n"
    assert ns.log("sidecar", container="sidecar") == "sidecar ends\n"


# Ends and restarts


@pytest.mark.parametrize(
    ("policy", "script", "phase", "restarts", "reason"),
    [
        pytest.param("Never", "exit 0", "Succeeded", 0, "Completed", id="never-and-success"),
        pytest.param("Never", "exit 7", "Failed", 0, "Error", id="never-and-failure"),
        pytest.param("OnFailure", "exit 0", "Succeeded", 0, "Completed", id="on-failure-and-success"),
    ],
)
def test_a_pod_that_ends(ns: Namespace, policy: str, script: str, phase: str, restarts: int, reason: str) -> None:
    ns.create(pod("ending", script, restartPolicy=policy))
    ended = ns.pod_ended("ending")
    state = container_status(ended)["state"]["terminated"]
    assert (ended["status"]["phase"], container_status(ended)["restartCount"]) == (phase, restarts)
    assert (state["reason"], state["exitCode"]) == (reason, int(script.split()[1]))
    assert state["startedAt"] <= state["finishedAt"]
    assert condition(ended, "Ready")["status"] == "False"
    assert condition(ended, "Ready")["reason"] == ("PodCompleted" if phase == "Succeeded" else "PodFailed")


def test_on_failure_restarts_until_it_succeeds(ns: Namespace) -> None:
    mount = {"volumeMounts": [{"name": "shared", "mountPath": "/shared"}]}
    ns.create(
        pod(
            "second-try",
            shell("test -e /shared/again || { touch /shared/again; exit 9; }", **mount),
            restartPolicy="OnFailure",
            volumes=[{"name": "shared", "emptyDir": {}}],
        )
    )
    ended = ns.pod_ended("second-try", 30)
    status = container_status(ended)
    assert (ended["status"]["phase"], status["restartCount"]) == ("Succeeded", 1)
    assert status["lastState"]["terminated"]["exitCode"] == 9


def test_always_restarts_a_success_too_and_backs_off(ns: Namespace) -> None:
    ns.create(pod("crashing", "echo run; exit 0", restartPolicy="Always"))
    ns.pod_where("crashing", lambda pod: waiting_reason(pod) == "CrashLoopBackOff", "in CrashLoopBackOff")
    waiting = ns.get("pods", "crashing")
    assert waiting["status"]["phase"] == "Running"
    message = container_status(waiting)["state"]["waiting"]["message"]
    assert message.startswith("back-off 10s restarting failed container=main pod=crashing_")
    assert container_status(waiting)["lastState"]["terminated"]["exitCode"] == 0
    assert "CrashLoopBackOff" in ns.kctl("get", "pods").stdout
    ns.event("BackOff", "crashing")
    again = ns.pod_where("crashing", lambda pod: container_status(pod)["restartCount"] >= 2, "restarted twice", 30)
    assert container_status(again)["restartCount"] == 2
    ended = parse_time(container_status(waiting)["lastState"]["terminated"]["finishedAt"])
    assert 9 <= (_started(again) - ended).total_seconds() <= 15  # 10 s from the second end; the times are whole seconds


def _started(found: dict[str, Any]) -> datetime:
    """When the container was started last, whether or not it has ended since."""
    status = container_status(found)
    states = (status["state"].get("running"), status["state"].get("terminated"), status["lastState"].get("terminated"))
    return parse_time(next(each["startedAt"] for each in states if each))


def test_exit_codes_and_signals_and_the_termination_message(ns: Namespace) -> None:
    ended = ns.ended_whole(
        pod(
            "messages",
            [
                shell("echo reason > /dev/termination-log; exit 4", "file"),
                shell("echo last words; exit 5", "log", terminationMessagePolicy="FallbackToLogsOnError"),
                shell("echo mine > /tmp/mine; exit 0", "path", terminationMessagePath="/tmp/mine"),
                shell("kill -KILL $$", "signal"),
            ],
        )
    )
    states = {each["name"]: each["state"]["terminated"] for each in ended["status"]["containerStatuses"]}
    assert {name: state["exitCode"] for name, state in states.items()} == {"file": 4, "log": 5, "path": 0, "signal": 0} | {
        "signal": states["signal"]["exitCode"]
    }
    assert {name: state.get("message", "").strip() for name, state in states.items()} == {
        "file": "reason",
        "log": "last words",
        "path": "mine",
        "signal": "",
    }


def test_a_command_that_is_not_there(ns: Namespace) -> None:
    ns.create(pod("typo", {"name": "main", "image": "busybox:1", "command": ["/no/such/program"]}))
    ended = ns.pod_ended("typo")
    state = container_status(ended)["state"]["terminated"]
    assert state["reason"] in ("StartError", "ContainerCannotRun")
    assert state["exitCode"] in (127, 128)
    assert "/no/such/program" in state["message"]


def test_a_pod_past_its_deadline_is_stopped(ns: Namespace) -> None:
    ns.create(pod("late", sleeper(), activeDeadlineSeconds=1))
    ended = ns.pod_ended("late")
    assert (ended["status"]["phase"], ended["status"]["reason"]) == ("Failed", "DeadlineExceeded")


# Conditions and facts of a running pod


def test_a_running_pod_says_where_and_since_when(ns: Namespace, cluster: LocalCluster) -> None:
    ns.create(pod("facts", sleeper(), restartPolicy="Always"))
    ready = ns.pod_ready("facts")
    status = ready["status"]
    assert {each["type"]: each["status"] for each in status["conditions"]} == {
        "PodScheduled": "True",
        "PodReadyToStartContainers": "True",
        "Initialized": "True",
        "ContainersReady": "True",
        "Ready": "True",
    }
    node = cluster.rest.get(f"/api/v1/nodes/{ready['spec']['nodeName']}")
    assert status["hostIP"] == next(each["address"] for each in node["status"]["addresses"] if each["type"] == "InternalIP")
    assert status["podIP"].startswith(node["spec"]["podCIDR"].rsplit(".", 1)[0] + ".")
    assert status["podIPs"] == [{"ip": status["podIP"]}]
    assert status["qosClass"] == "BestEffort"
    assert container_status(ready)["containerID"].startswith("containerd://")
    assert container_status(ready)["started"] is True
    for reason in ("Scheduled", "Pulled", "Created", "Started"):
        ns.event(reason, "facts")


# Termination


def test_sigterm_is_handled_and_its_output_kept_until_the_end(ns: Namespace) -> None:
    ns.create(
        pod(
            "polite",
            "trap 'echo asked to end; sleep 0.5; exit 0' TERM; echo up; while :; do sleep 0.1; done",
            terminationGracePeriodSeconds=20,
        )
    )
    ns.pod_ready("polite")
    ns.logged("polite", "up\n")  # from here on it listens
    with ns.recorded("pods") as recorder:
        began = time.monotonic()
        ns.kctl("delete", "pod", "polite")
        assert time.monotonic() - began < 5
        gone = recorder.wait(lambda type_, each: type_ == "DELETED", "the pod's end")
    state = container_status(gone)["state"]["terminated"]
    assert (state["exitCode"], gone["status"]["phase"]) == (0, "Succeeded")


def test_a_deaf_container_is_killed_after_its_grace_period(ns: Namespace) -> None:
    ns.create(pod("deaf", "trap '' TERM; while :; do sleep 0.1; done", terminationGracePeriodSeconds=2))
    ns.pod_ready("deaf")
    with ns.recorded("pods") as recorder:
        began = time.monotonic()
        ns.kctl("delete", "pod", "deaf")
        assert 2 <= time.monotonic() - began < 6
        gone = recorder.wait(lambda type_, each: type_ == "DELETED", "the pod's end")
    assert container_status(gone)["state"]["terminated"]["exitCode"] == 137


def test_grace_period_of_a_deletion_overrides_the_pods(ns: Namespace) -> None:
    ns.create(pod("deaf", "trap '' TERM; while :; do sleep 0.1; done", terminationGracePeriodSeconds=60))
    ns.pod_ready("deaf")
    ns.kctl("delete", "pod", "deaf", "--wait=false")
    going = ns.get("pods", "deaf")
    assert going["metadata"]["deletionGracePeriodSeconds"] == 60
    assert "Terminating" in ns.kctl("get", "pod", "deaf").stdout
    began = time.monotonic()
    ns.kctl("delete", "pod", "deaf", "--grace-period=1")
    assert time.monotonic() - began < 5
    ns.gone("pods", "deaf")


def test_force_deletes_at_once_and_the_containers_end_too(ns: Namespace, cluster: LocalCluster) -> None:
    ns.create(pod("forced", "trap '' TERM; while :; do sleep 0.1; done", terminationGracePeriodSeconds=60))
    ready = ns.pod_ready("forced")
    identity = container_status(ready)["containerID"].removeprefix("containerd://")
    ns.kctl("delete", "pod", "forced", "--grace-period=0", "--force")
    assert ns.find("pods", "forced") is None

    def ended() -> None:
        tasks = cluster.inside(
            ready["spec"]["nodeName"], "ctr", "--address=/run/containerd/containerd.sock", "-n", "k8s.io", "task", "ls", "-q"
        )
        assert identity not in tasks.stdout.split()

    eventually(ended)


def test_pre_stop_runs_before_sigterm_and_counts_against_the_grace_period(ns: Namespace) -> None:
    mounts = {"volumeMounts": [{"name": "shared", "mountPath": "/shared"}]}
    main = shell(
        "trap 'cat /shared/hook; echo term; exit 0' TERM; while :; do sleep 0.1; done",
        lifecycle={"preStop": {"exec": {"command": ["sh", "-c", "sleep 0.5; echo hook > /shared/hook"]}}},
        terminationMessagePolicy="FallbackToLogsOnError",
        **mounts,
    )
    main["command"][2] = main["command"][2].replace("exit 0", "exit 1")  # so that its log becomes its message
    ns.create(pod("hooked", main, terminationGracePeriodSeconds=10, volumes=[{"name": "shared", "emptyDir": {}}]))
    ns.pod_ready("hooked")
    with ns.recorded("pods") as recorder:
        ns.kctl("delete", "pod", "hooked")
        gone = recorder.wait(lambda type_, each: type_ == "DELETED", "the pod's end")
    assert container_status(gone)["state"]["terminated"]["message"].split() == ["hook", "term"]


def test_a_post_start_hook_that_fails_kills_the_container(ns: Namespace) -> None:
    ns.create(
        pod("hook", {**shell("sleep 3600"), "lifecycle": {"postStart": {"exec": {"command": ["sh", "-c", "echo no; exit 1"]}}}})
    )
    ended = ns.pod_ended("hook")
    assert (ended["status"]["phase"], container_status(ended)["state"]["terminated"]["exitCode"]) == ("Failed", 137)
    ns.event("FailedPostStartHook", "hook")


# Logs and exec


def test_logs_of_containers_of_the_one_before_and_followed(ns: Namespace) -> None:
    mount = {"volumeMounts": [{"name": "shared", "mountPath": "/shared"}]}
    first = held("touch /shared/again; echo first run")
    script = f"if test -e /shared/again; then echo second run; sleep 3600; else {first}; exit 1; fi"
    ns.create(
        pod(
            "talker",
            [
                shell(script, "restarted", **mount),
                shell("for n in 1 2 3; do echo line $n; sleep 0.3; done; echo end >&2; sleep 3600", "counter"),
            ],
            restartPolicy="Always",
            volumes=[{"name": "shared", "emptyDir": {}}],
        )
    )
    ns.pod_where("talker", lambda pod: "running" in container_status(pod, "counter").get("state", {}), "running")
    with ns.start_kctl("logs", "-f", "talker", "-c", "counter") as follower:
        assert follower.stdout is not None
        lines = [follower.stdout.readline() for _ in range(4)]
        follower.terminate()
    assert lines == ["line 1\n", "line 2\n", "line 3\n", "end\n"]
    ns.logged("talker", "first run\n", container="restarted")
    ns.let_go("talker", "restarted")
    ns.pod_where("talker", lambda pod: container_status(pod, "restarted").get("restartCount") == 1, "restarted")
    eventually(lambda: _assert_equal(ns.kctl("logs", "talker", "-c", "restarted").stdout, "second run\n"))
    assert ns.kctl("logs", "talker", "-c", "restarted", "-p").stdout == "first run\n"
    assert ns.kctl("logs", "talker", "-c", "counter", "--tail=2").stdout == "line 3\nend\n"
    missing = ns.kctl("logs", "talker", check=False)
    assert missing.returncode in (0, 1)
    assert "counter" in missing.stderr  # which containers there are, or which was chosen
    unknown = ns.kctl("logs", "talker", "-c", "nobody", check=False)
    assert (unknown.returncode, "nobody" in unknown.stderr) == (1, True)
    no_previous = ns.kctl("logs", "talker", "-c", "counter", "-p", check=False)
    assert (no_previous.returncode, "previous" in no_previous.stderr) == (1, True)


def test_following_ends_with_the_container(ns: Namespace) -> None:
    ns.create(pod("short", "for n in $(seq 1 20); do echo $n; sleep 0.05; done"))
    ns.pod_where("short", lambda pod: "waiting" not in container_status(pod).get("state", {"waiting": 1}), "started")
    followed = ns.kctl("logs", "-f", "short", timeout_s=20)
    assert followed.stdout.split() == [str(n) for n in range(1, 21)]


def test_a_log_of_many_lines_comes_whole(ns: Namespace) -> None:
    # It ends a little after its last word: containerd 1.6 drops what it has not read when a container ends.
    text = ns.run(pod("chatty", "seq 1 20000; head -c 40000 /dev/zero | tr '\\0' x; echo; echo done; sleep 1"))
    lines = text.splitlines()
    assert lines[:20000] == [str(n) for n in range(1, 20001)]
    assert (len(lines[20000]), lines[20001:]) == (40000, ["done"])
    assert ns.log("chatty", tailLines=1) == "done\n"
    assert ns.log("chatty", limitBytes=10) == text[:10]


def test_exec_gives_output_exit_code_and_takes_input(ns: Namespace) -> None:
    ns.create(pod("target", [sleeper("one"), sleeper("two")], restartPolicy="Always"))
    ns.pod_ready("target")
    done = ns.exec("target", "sh", "-c", "echo out; echo err >&2; exit 17", check=False, container="one")
    assert (done.returncode, done.stdout) == (17, "out\n")
    assert done.stderr.startswith("err\n")
    assert "exit code 17" in done.stderr
    text = "".join(f"{n}\n" for n in range(20000))
    assert ns.exec("target", "md5sum", stdin=text, container="two").stdout.split()[0] == _md5(text)
    assert ns.exec("target", "cat", stdin=text, container="one").stdout == text
    assert ns.exec("target", "hostname").stdout == "target\n"
    missing = ns.exec("target", "/no/such/program", check=False, container="one")
    assert missing.returncode != 0
    assert "/no/such/program" in missing.stderr
    unknown = ns.exec("target", "true", check=False, container="nobody")
    assert unknown.returncode == 1
    assert "nobody" in unknown.stderr


def test_logs_before_the_container_runs_are_a_clear_refusal(ns: Namespace) -> None:
    ns.create(pod("nowhere", "true", nodeSelector={"no": "where"}))
    with pytest.raises(RefusedError) as refused:
        ns.log("nowhere")
    assert refused.value.code == 400
    assert refused.value.reason == "BadRequest"


# Many at once


def test_twenty_pods_on_one_node_run_and_go(ns: Namespace, cluster: LocalCluster) -> None:
    worker = cluster.workers()[0]
    began = time.monotonic()
    for n in range(20):
        ns.create(pod(f"burst-{n}", sleeper(), restartPolicy="Always", nodeSelector={"kubernetes.io/hostname": worker}))

    def all_ready() -> list[dict[str, object]]:
        pods = ns.list("pods")
        assert sum(map(is_ready, pods)) == 20, f"{sum(map(is_ready, pods))} of 20 are ready"
        return pods

    pods = eventually(all_ready, 30)
    running_s = time.monotonic() - began
    assert {pod["spec"]["nodeName"] for pod in pods} == {worker}  # type: ignore[index]
    assert len({pod["status"]["podIP"] for pod in pods}) == 20  # type: ignore[index]
    began = time.monotonic()
    ns.kctl("delete", "pods", "--all")
    assert ns.list("pods") == []
    print(f"20 pods ready after {running_s:.2f} s, gone after {time.monotonic() - began:.2f} s")


def test_a_deleted_and_recreated_pod_of_the_same_name_is_another_pod(ns: Namespace) -> None:
    seen = []
    for _ in range(3):
        ns.create(pod("same", sleeper(), restartPolicy="Always"))
        ready = ns.pod_ready("same")
        seen.append((ready["metadata"]["uid"], container_status(ready)["containerID"]))
        ns.kctl("delete", "pod", "same")
    assert len(set(itertools.chain.from_iterable(seen))) == 6


def test_evicting_updates_of_labels_do_not_restart_containers(ns: Namespace) -> None:
    ns.create(pod("steady", sleeper(), restartPolicy="Always"))
    before = ns.pod_ready("steady")
    ns.kctl("label", "pod", "steady", "colour=blue")
    ns.kctl("annotate", "pod", "steady", "note=it changes")
    ns.apply(deployment("other", 1, sleeper()))
    ns.deployment_done("other")
    after = ns.get("pods", "steady")
    assert container_status(after)["containerID"] == container_status(before)["containerID"]
    assert after["metadata"]["labels"]["colour"] == "blue"


def _assert_equal(found: object, wanted: object) -> None:
    assert found == wanted, json.dumps([found, wanted])


def _md5(text: str) -> str:
    import hashlib

    return hashlib.md5(text.encode()).hexdigest()
