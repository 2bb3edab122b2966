"""Pure decisions of single commands: rollouts, drains, waits, generators, verdicts, errors."""

from __future__ import annotations

from typing import Any

import pytest

from kctl import draining, generators, rollouts
from kctl.commands import taint
from kctl.commands.metadata import parse_changes, split_arguments
from kctl.commands.wait import condition_of
from kctl.commands.why import no_verdict_text, node_rows, summary
from kctl.errors import KctlError, StatusError


def deployment(replicas: int = 3, generation: int = 1, observed: int = 1, **status: Any) -> dict[str, Any]:
    return {
        "metadata": {"name": "web", "uid": "d", "generation": generation},
        "spec": {"replicas": replicas},
        "status": {"observedGeneration": observed, **status},
    }


def rollout(**status: int) -> dict[str, Any]:
    obj = deployment()
    obj["status"] |= status
    return obj


@pytest.mark.parametrize(
    ("obj", "message", "done"),
    [
        pytest.param(
            deployment(generation=2), "Waiting for deployment spec update to be observed...", False, id="not observed yet"
        ),
        pytest.param(
            rollout(updatedReplicas=1, replicas=4),
            "1 out of 3 new replicas have been updated...",
            False,
            id="new pods are missing",
        ),
        pytest.param(
            rollout(updatedReplicas=3, replicas=4), "1 old replicas are pending termination...", False, id="old pods are left"
        ),
        pytest.param(
            rollout(updatedReplicas=3, replicas=3, availableReplicas=2),
            "2 of 3 updated replicas are available...",
            False,
            id="not available",
        ),
        pytest.param(rollout(updatedReplicas=3, replicas=3, availableReplicas=3), "successfully rolled out", True, id="done"),
    ],
)
def test_rollout_status(obj: dict[str, Any], message: str, done: bool) -> None:
    state = rollouts.status(obj)
    assert state.message.endswith(message)
    assert (state.done, state.failure) == (done, "")


def test_rollout_past_its_deadline() -> None:
    obj = deployment(conditions=[{"type": "Progressing", "reason": "ProgressDeadlineExceeded"}])
    assert rollouts.status(obj).failure == 'deployment "web" exceeded its progress deadline'


def replica_set(revision: int, owner: str = "d") -> dict[str, Any]:
    labels = {"app": "w", "pod-template-hash": str(revision)}
    return {
        "metadata": {
            "name": f"web-{revision}",
            "annotations": {rollouts.REVISION: str(revision)},
            "ownerReferences": [{"uid": owner, "controller": True}],
        },
        "spec": {"template": {"metadata": {"labels": labels}}},
    }


def test_revisions_are_those_of_the_owner_in_order() -> None:
    known = rollouts.revisions(deployment(), [replica_set(10), replica_set(2), replica_set(3, "other")])
    assert list(known) == [2, 10]
    assert rollouts.undo_target(known, 0) == 2
    assert rollouts.undo_target(known, 10) == 10
    assert rollouts.template_of(known[2]) == {"metadata": {"labels": {"app": "w"}}}
    with pytest.raises(LookupError, match="unable to find specified revision 5"):
        rollouts.undo_target(known, 5)
    with pytest.raises(LookupError, match="no rollout history"):
        rollouts.undo_target({2: {}}, 0)


def pod(
    name: str, owner: str = "ReplicaSet", volumes: tuple[str, ...] = (), phase: str = "Running", **meta: Any
) -> dict[str, Any]:
    owners = [{"kind": owner, "controller": True}] if owner else []
    return {
        "metadata": {"namespace": "n", "name": name, "ownerReferences": owners, **meta},
        "spec": {"volumes": [{"name": kind, kind: {}} for kind in volumes]},
        "status": {"phase": phase},
    }


DRAINS = (
    ("an ordinary pod goes", pod("a"), {}, ["a"], ""),
    ("a bare pod forbids it", pod("a", ""), {}, [], "declare no controller"),
    ("a bare pod goes by force", pod("a", ""), {"force": True}, ["a"], ""),
    ("a bare pod that has ended goes", pod("a", "", phase="Succeeded"), {}, ["a"], ""),
    ("a daemon forbids it", pod("a", "DaemonSet"), {}, [], "DaemonSet-managed"),
    ("a daemon stays", pod("a", "DaemonSet"), {"ignore_daemon_sets": True}, [], ""),
    ("local data forbids it", pod("a", volumes=("emptyDir",)), {}, [], "local storage"),
    ("local data goes", pod("a", volumes=("emptyDir",)), {"delete_empty_dir_data": True}, ["a"], ""),
    ("other volumes do not matter", pod("a", volumes=("configMap", "hostPath")), {}, ["a"], ""),
    ("a mirror pod stays", pod("a", "", annotations={draining.MIRROR: "x"}), {}, [], ""),
)


@pytest.mark.parametrize(("obj", "options", "evicted", "refusal"), [row[1:] for row in DRAINS], ids=[row[0] for row in DRAINS])
def test_drain(obj: dict[str, Any], options: dict[str, bool], evicted: list[str], refusal: str) -> None:
    chosen = {"force": False, "ignore_daemon_sets": False, "delete_empty_dir_data": False, **options}
    found = draining.plan([obj], **chosen)
    assert [each["metadata"]["name"] for each in found.evict] == evicted
    assert refusal in " ".join(found.refusals)
    assert bool(refusal) == bool(found.refusals)


WAITED = {
    "metadata": {"generation": 2},
    "status": {
        "phase": "Running",
        "conditions": [{"type": "Ready", "status": "True"}, {"type": "Old", "status": "True", "observedGeneration": 1}],
    },
}
CONDITIONS = (
    ("condition=Ready", True), ("condition=ready", True), ("condition=Ready=False", False), ("condition=Absent", False),
    ("condition=Old", False), ("jsonpath={.status.phase}=Running", True), ("jsonpath={.status.phase}=Failed", False),
    ("jsonpath=.status.phase=Running", True), ("jsonpath={.status.phase}", True), ("jsonpath={.status.nothing}", False),
    ('jsonpath={.status.conditions[?(@.type=="Ready")].status}=True', True),
)  # fmt: skip


@pytest.mark.parametrize(("text", "met"), CONDITIONS, ids=[text for text, _ in CONDITIONS])
def test_wait_conditions(text: str, met: bool) -> None:
    assert condition_of(text)(WAITED) is met


@pytest.mark.parametrize("text", ["Ready", "condition=", "jsonpath=", "jsonpath={.a}=", "weather=good"])
def test_no_condition(text: str) -> None:
    with pytest.raises(KctlError):
        condition_of(text)


def test_changes_of_labels() -> None:
    assert split_arguments(["pod", "a", "x=1", "y-"]) == (["pod", "a"], ["x=1", "y-"])
    change = parse_changes(["x=1", "y-", "z="], "label")
    assert (change.values, change.removed) == ({"x": "1", "z": ""}, ("y",))
    with pytest.raises(KctlError, match="cannot modify and remove"):
        parse_changes(["x=1", "x-"], "label")
    with pytest.raises(KctlError, match="unknown label spec"):
        parse_changes(["x"], "label")


def test_generators(tmp_path: Any) -> None:
    (tmp_path / "f.txt").write_text("hello")
    (tmp_path / "b.bin").write_bytes(b"\xff")
    entries = generators.entries(["a=b=c"], [f"{tmp_path}/f.txt", f"k={tmp_path}/b.bin"], [])
    made = generators.config_map("c", entries)
    assert (made["data"], made["binaryData"]) == ({"a": "b=c", "f.txt": "hello"}, {"k": "/w=="})
    assert generators.secret("s", {"p": b"q"})["data"] == {"p": "cQ=="}
    web = generators.deployment("web", ["r.local:5000/x/web:1"], 2, 80, ["run"])
    assert web["spec"]["template"]["spec"]["containers"] == [
        {"name": "web", "image": "r.local:5000/x/web:1", "command": ["run"], "ports": [{"containerPort": 80}]}
    ]
    assert generators.service("web", "ClusterIP", ["80:http"])["spec"]["ports"] == [
        {"name": "80-http", "port": 80, "protocol": "TCP", "targetPort": "http"}
    ]


@pytest.mark.parametrize("literal", ["a", "=b", "a b=c"])
def test_bad_literals(literal: str) -> None:
    with pytest.raises(KctlError):
        generators.entries([literal], [], [])


def status(**more: Any) -> StatusError:
    return StatusError({"code": 400, **more})


ERRORS = (
    ("a reason", status(reason="NotFound", message='pods "x" not found'), 'Error from server (NotFound): pods "x" not found'),
    ("no reason", status(message="odd"), "Error from server: odd"),
    ("no message", status(), "Error from server: the server answered with code 400"),
    (
        "while doing",
        status(reason="BadRequest", message="no").while_doing('error when creating "a"'),
        'Error from server (BadRequest): error when creating "a": no',
    ),
    (
        "unauthorized",
        status(reason="Unauthorized", message="Unauthorized"),
        "error: You must be logged in to the server (Unauthorized)",
    ),
    (
        "one cause",
        status(
            reason="Invalid",
            message="-",
            details={"kind": "Deployment", "name": "w", "causes": [{"field": "spec.x", "message": "Required value"}]},
        ),
        'The Deployment "w" is invalid: spec.x: Required value',
    ),
    (
        "several causes",
        status(
            reason="Invalid", details={"kind": "Pod", "name": "w", "causes": [{"field": "a", "message": "b"}, {"message": "c"}]}
        ),
        'The Pod "w" is invalid: \n* a: b\n* c',
    ),
)


@pytest.mark.parametrize(("error", "text"), [row[1:] for row in ERRORS], ids=[row[0] for row in ERRORS])
def test_error_texts(error: StatusError, text: str) -> None:
    assert error.text() == text


def test_why_rows() -> None:
    verdict = {"node": "a", "feasibleNodes": 1, "time": "2026-01-01T00:00:00Z"}
    placed = {"node": "a", "scores": {"Balance": 10, "Spread": 90}, "total": 100}
    refused = {
        "node": "b",
        "refusedBy": "Resources",
        "reasons": ["Insufficient cpu", "Insufficient memory"],
        "suggestions": ["free 200m"],
    }
    assert node_rows(placed, verdict, wide=False) == [["a", "chosen", "100", "Spread 90, Balance 10", "-"]]
    assert node_rows(refused, verdict, wide=False) == [
        ["b", "refused", "-", "Resources: Insufficient cpu", "free 200m"],
        ["", "", "", "Insufficient memory", ""],
    ]
    assert summary("p", verdict).startswith("Pod p was placed on node a, the best of 1 that it fits")
    assert summary("p", {"message": "0/3 nodes are available"}) == "Pod p fits on no node: 0/3 nodes are available"


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        ({"nodeName": "n"}, "is on node n"),
        ({"schedulingGates": [{"name": "g"}]}, "scheduling gates: g"),
        ({}, "default-scheduler"),
    ],
)
def test_why_without_a_verdict(spec: dict[str, Any], words: str) -> None:
    assert words in no_verdict_text({"metadata": {"name": "p"}, "spec": spec})


OLD = {"key": "team", "value": "blue", "effect": "NoSchedule"}
OUT = {"key": "team", "effect": "NoExecute"}


@pytest.mark.parametrize(
    ("words", "wanted", "done"),
    [
        pytest.param("disk:NoExecute", [OLD, OUT, {"key": "disk", "effect": "NoExecute"}], "tainted", id="set"),
        pytest.param(
            "a=b:NoSchedule", [OLD, OUT, {"key": "a", "value": "b", "effect": "NoSchedule"}], "tainted", id="set with a value"
        ),
        pytest.param("team:NoSchedule-", [OUT], "untainted", id="remove one effect"),
        pytest.param("team=blue:NoSchedule-", [OUT], "untainted", id="remove as it is written in the node"),
        pytest.param("team-", [], "untainted", id="remove all effects"),
        pytest.param("a:NoExecute team:NoExecute-", [OLD, {"key": "a", "effect": "NoExecute"}], "modified", id="both"),
    ],
)
def test_taints(words: str, wanted: list[dict[str, str]], done: str) -> None:
    changes = taint.parse_changes(words.split())
    assert taint.changed("n", [OLD, OUT], changes, False) == wanted
    assert changes.done == done


@pytest.mark.parametrize(
    ("words", "message"),
    [
        pytest.param("", "at least one taint update is required", id="nothing"),
        pytest.param("a=b", "invalid taint spec: a=b", id="no effect"),
        pytest.param("a:Never", "invalid taint effect: Never, unsupported taint effect", id="no such effect"),
        pytest.param("a:", "invalid taint spec: a:", id="empty effect"),
        pytest.param("a:NoExecute a=b:NoExecute", "duplicated taints with the same key and effect", id="twice"),
        pytest.param(
            "a:NoExecute a-", "can not both modify and remove the following taint(s) in the same command: a", id="both"
        ),
        pytest.param("other-", 'taint "other" not found', id="remove what is not there"),
        pytest.param("team:PreferNoSchedule-", 'taint "team:PreferNoSchedule" not found', id="remove another effect"),
        pytest.param(
            "team=red:NoSchedule",
            "node n already has team taint(s) with same effect(s) and --overwrite is false",
            id="there already",
        ),
    ],
)
def test_taints_refused(words: str, message: str) -> None:
    with pytest.raises(KctlError) as refused:
        taint.changed("n", [OLD, OUT], taint.parse_changes(words.split()), False)
    assert str(refused.value) == message


def test_a_taint_is_overwritten_when_asked() -> None:
    changes = taint.parse_changes(["team=red:NoSchedule"])
    assert taint.changed("n", [OLD, OUT], changes, True) == [OUT, {**OLD, "value": "red"}]


def test_nodes_and_taints_are_told_apart() -> None:
    assert taint.split_arguments(["node", "a", "b", "k=v:NoSchedule", "x-"]) == (["a", "b"], ["k=v:NoSchedule", "x-"])
    assert taint.split_arguments(["nodes", "a"]) == (["a"], [])
