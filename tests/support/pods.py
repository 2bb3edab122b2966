"""Pods, containers and observations for the kubelet's unit tests, from as few words as possible."""

from typing import Any

from apimachinery import codec
from apimachinery.kinds import Pod
from kubelet.core import model
from kubelet.core.model import ContainerRecord, Observation, Sandbox, State
from kubelet.core.pods import spec_hash

START = 1_767_225_600
"""2026-01-01T00:00:00Z, in seconds."""


def make_pod(**spec: Any) -> Pod:
    """A pod `default/web` with uid `u1`; `metadata` and `status` add to those parts."""
    metadata = {"name": "web", "namespace": "default", "uid": "u1", "generation": 1, **spec.pop("metadata", {})}
    status = spec.pop("status", {})
    spec.setdefault("containers", [{"name": "c", "image": "busybox:1"}])
    spec.setdefault("restartPolicy", "Always")
    return codec.convert(Pod, {"metadata": metadata, "spec": {"nodeName": "n1", **spec}, "status": status})


def make_sandbox(attempt: int = 0, *, ready: bool = True) -> Sandbox:
    addresses = ("10.244.1.2",) if ready else ()
    return Sandbox(f"s{attempt}", "u1", "web", "default", attempt, ready, START * 10**9 + attempt, addresses)


def make_record(
    name: str = "c",
    state: str = "running",
    *,
    count: int = 0,
    code: int = 0,
    sandbox: str = "s0",
    finished_s: float = START,
    image: str = "busybox:1",
    reason: str = "",
) -> ContainerRecord:
    """A container; its id is `NAME-COUNT`, its times lie around START."""
    container = make_pod(containers=[{"name": name, "image": image}]).spec.containers[0]
    over = state in ("exited", "unknown")
    return ContainerRecord(
        id=f"{name}-{count}",
        sandbox_id=sandbox,
        pod_uid="u1",
        name=name,
        attempt=count,
        state=State(state),
        created_at=START * 10**9 + count,
        started_at=0 if state == "created" else START * 10**9,
        finished_at=round(finished_s * 10**9) if over else 0,
        exit_code=code,
        reason=reason,
        image=f"docker.io/library/{image}",
        image_ref="sha256:1",
        annotations={model.RESTART_COUNT: str(count), model.SPEC_HASH: spec_hash(container)},
    )


def make_seen(*records: ContainerRecord, ready: bool = True, sandbox: bool = True) -> Observation:
    return Observation((make_sandbox(ready=ready),) if sandbox else (), records)
