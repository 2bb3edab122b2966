"""The deletion state machine."""

from dataclasses import dataclass, field
from datetime import UTC, datetime

import pytest

from apimachinery import codec
from apimachinery.kinds import ConfigMap, Namespace, NamespaceSpec, ObjectMeta, Pod
from apimachinery.kinds.object import Object
from apiserver.core.deletion import Keep, Remove, Store, decide_delete, is_released, propagation

NOW = datetime(2026, 1, 1, 12, 0, 0, tzinfo=UTC)
AT_NOW = "2026-01-01T12:00:00Z"
IN_30_S = "2026-01-01T12:00:30Z"


def config_map(**meta: object) -> ConfigMap:
    return ConfigMap(metadata=ObjectMeta(name="a", **meta))  # type: ignore[arg-type]


def pod(**meta: object) -> Pod:
    return Pod(metadata=ObjectMeta(name="a", generation=1, **meta))  # type: ignore[arg-type]


@dataclass(frozen=True)
class Case:
    id: str
    obj: Object
    want: type
    policy: str = ""
    grace_s: int = 0
    meta: dict[str, object] = field(default_factory=dict)
    """What the stored object's metadata must be."""


CASES = (
    Case("nothing holds it", config_map(), Remove),
    Case("background needs no finalizer", config_map(), Remove, "Background"),
    Case(
        "a finalizer holds it",
        config_map(finalizers=["x/y"]),
        Store,
        meta={"deletion_timestamp": AT_NOW, "finalizers": ["x/y"]},
    ),
    Case("foreground adds its finalizer", config_map(), Store, "Foreground", meta={"finalizers": ["foregroundDeletion"]}),
    Case("orphan adds its finalizer", config_map(), Store, "Orphan", meta={"finalizers": ["orphan"]}),
    Case(
        "orphan takes the place of foreground",
        config_map(finalizers=["foregroundDeletion", "x/y"]),
        Store,
        "Orphan",
        meta={"finalizers": ["x/y", "orphan"]},
    ),
    Case("background takes orphan away", config_map(finalizers=["orphan"]), Remove, "Background"),
    Case("no policy leaves orphan", config_map(finalizers=["orphan"]), Store, meta={"finalizers": ["orphan"]}),
    Case(
        "terminating already",
        config_map(finalizers=["x/y"], deletion_timestamp=AT_NOW, deletion_grace_period_seconds=0),
        Keep,
    ),
    Case(
        "a pod gets its grace",
        pod(),
        Store,
        grace_s=30,
        meta={"deletion_timestamp": IN_30_S, "deletion_grace_period_seconds": 30, "generation": 2},
    ),
    Case("a pod without grace goes", pod(), Remove),
    Case(
        "the same grace again changes nothing",
        pod(deletion_timestamp=IN_30_S, deletion_grace_period_seconds=30),
        Keep,
        grace_s=30,
    ),
    Case(
        "a longer grace changes nothing",
        pod(deletion_timestamp=IN_30_S, deletion_grace_period_seconds=30),
        Keep,
        grace_s=60,
    ),
    Case(
        "a shorter grace counts",
        pod(deletion_timestamp=IN_30_S, deletion_grace_period_seconds=30),
        Store,
        grace_s=5,
        meta={"deletion_timestamp": "2026-01-01T12:00:05Z", "deletion_grace_period_seconds": 5, "generation": 1},
    ),
    Case(
        "the kubelet's last delete removes it",
        pod(deletion_timestamp=IN_30_S, deletion_grace_period_seconds=30),
        Remove,
    ),
    Case(
        "the kubelet's last delete waits for finalizers",
        pod(deletion_timestamp=IN_30_S, deletion_grace_period_seconds=30, finalizers=["x/y"]),
        Store,
        meta={"deletion_grace_period_seconds": 0, "finalizers": ["x/y"]},
    ),
    Case(
        "a namespace waits for its content",
        Namespace(metadata=ObjectMeta(name="a"), spec=NamespaceSpec(finalizers=["kubernetes"])),
        Store,
        meta={"deletion_timestamp": AT_NOW},
    ),
    Case("an empty namespace goes", Namespace(metadata=ObjectMeta(name="a")), Remove),
)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)
def test_decide(case: Case) -> None:
    before = codec.encode(case.obj)
    decision = decide_delete(case.obj, policy=case.policy, grace_s=case.grace_s, now=NOW)
    assert type(decision) is case.want
    assert codec.encode(case.obj) == before, "the object given was changed"
    if isinstance(decision, Store):
        meta = decision.obj.metadata
        assert {name: getattr(meta, name) for name in case.meta} == case.meta
        assert not is_released(decision.obj)
        again = decide_delete(decision.obj, policy=case.policy, grace_s=case.grace_s, now=NOW)
        assert isinstance(again, Keep), "deleting twice is deleting once"


def test_terminating_namespace_says_so() -> None:
    namespace = Namespace(metadata=ObjectMeta(name="a"), spec=NamespaceSpec(finalizers=["kubernetes"]))
    decision = decide_delete(namespace, policy="", grace_s=0, now=NOW)
    assert isinstance(decision, Store)
    assert isinstance(decision.obj, Namespace)
    assert decision.obj.status.phase == "Terminating"


@pytest.mark.parametrize(
    ("obj", "want"),
    [
        (config_map(), False),
        (config_map(deletion_timestamp=AT_NOW), True),
        (config_map(deletion_timestamp=AT_NOW, finalizers=["x/y"]), False),
        (pod(deletion_timestamp=AT_NOW, deletion_grace_period_seconds=30), False),
        (pod(deletion_timestamp=AT_NOW, deletion_grace_period_seconds=0), True),
        (Namespace(metadata=ObjectMeta(deletion_timestamp=AT_NOW), spec=NamespaceSpec(finalizers=["kubernetes"])), False),
    ],
)
def test_released(obj: Object, want: bool) -> None:
    assert is_released(obj) is want


def test_orphan_dependents_is_the_old_spelling() -> None:
    assert [propagation("", True), propagation("", False)] == ["Orphan", "Background"]
    assert propagation("Foreground", None) == "Foreground"
