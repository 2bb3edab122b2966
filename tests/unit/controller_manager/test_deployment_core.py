"""Roll-outs as pure decisions: sizes within their bounds after every step, history, conditions."""

from __future__ import annotations

import random
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from apimachinery import codec
from apimachinery.codec import convert
from apimachinery.kinds import Deployment, ReplicaSet
from apimachinery.times import format_time
from controller_manager.deployment import core, hashing, history, sizes, status
from controller_manager.deployment.core import CreateSet, DeleteSet, Observed, UpdateSet

NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)


def deployment(replicas: int = 3, image: str = "app:1", **spec: Any) -> Deployment:
    strategy = spec.pop("strategy", {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": "25%", "maxUnavailable": "25%"}})
    return convert(
        Deployment,
        {
            "metadata": {"name": "web", "namespace": "default", "uid": "d", "generation": 1, **spec.pop("metadata", {})},
            "spec": {
                "replicas": replicas,
                "selector": {"matchLabels": {"app": "web"}},
                "strategy": strategy,
                "template": {
                    "metadata": {"labels": {"app": "web"}},
                    "spec": {"containers": [{"name": "c", "image": image}]},
                },
                "progressDeadlineSeconds": 600,
                "revisionHistoryLimit": 10,
                **spec,
            },
        },
    )


def rolling(surge: int | str, unavailable: int | str) -> dict[str, Any]:
    return {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": surge, "maxUnavailable": unavailable}}


class World:
    """A Deployment, its sets, and pods that the test makes available or not; applies plans as the API and ReplicaSets would."""

    def __init__(self, wanted: Deployment) -> None:
        self.deployment = wanted
        self.sets: dict[str, ReplicaSet] = {}
        self.old_pods_remain = False
        self.now = NOW
        self._serial = 0

    def step(self) -> core.Plan:
        plan = core.plan(
            Observed(self.deployment, [codec.deep_copy(each) for each in self.sets.values()], self.old_pods_remain, self.now)
        )
        for action in plan.actions:
            match action:
                case CreateSet(rs):
                    self._serial += 1
                    made = codec.deep_copy(rs)
                    made.metadata.uid = f"rs-{self._serial}"
                    made.metadata.creation_timestamp = format_time(NOW + timedelta(seconds=self._serial))
                    made.metadata.generation = 1
                    assert made.metadata.name not in {each.metadata.name for each in self.sets.values()}
                    self.sets[made.metadata.uid] = made
                case UpdateSet(rs, _):
                    self.sets[rs.metadata.uid] = codec.deep_copy(rs)
                case DeleteSet(rs):
                    del self.sets[rs.metadata.uid]
        self.deployment = codec.deep_copy(self.deployment)
        self.deployment.status = plan.status
        if plan.revision:
            self.deployment.metadata.annotations[history.REVISION] = plan.revision
        return plan

    def run_pods(self, available: dict[str, int] | None = None) -> None:
        """Each set has the pods it asks for, all available unless said otherwise; going down, unavailable pods go first."""
        for uid, rs in self.sets.items():
            want = rs.spec.replicas or 0
            have = want if available is None else min(want, available.get(uid, 0))
            rs.status.replicas = want
            rs.status.ready_replicas = rs.status.available_replicas = have
            rs.status.observed_generation = rs.metadata.generation

    def change(self, **fields: Any) -> None:
        image, replicas = fields.pop("image", None), fields.pop("replicas", None)
        self.deployment = codec.deep_copy(self.deployment)
        self.deployment.metadata.generation = (self.deployment.metadata.generation or 0) + 1
        if image is not None:
            self.deployment.spec.template.spec.containers[0].image = image
        if replicas is not None:
            self.deployment.spec.replicas = replicas
        for name, value in fields.items():
            setattr(self.deployment.spec, name, value)

    def settle(self) -> None:
        """Roll out to the end, every pod becoming available at once."""
        for _ in range(300):
            self.run_pods()
            before = self.deployment.status
            plan = self.step()
            if not plan.actions and plan.status == before:
                return
        raise AssertionError("the roll-out does not end")

    def by_image(self) -> dict[str, int]:
        return {rs.spec.template.spec.containers[0].image: sizes.size_of(rs) for rs in self.sets.values()}

    def set_of(self, image: str) -> ReplicaSet:
        return next(rs for rs in self.sets.values() if rs.spec.template.spec.containers[0].image == image)

    def condition(self, kind: str) -> tuple[str, str]:
        found = status.get(self.deployment.status, kind)
        return (found.status, found.reason) if found is not None else ("", "")


@dataclass(frozen=True)
class Bounds:
    id: str
    replicas: int
    surge: int | str
    unavailable: int | str
    want: tuple[int, int]


BOUNDS = (
    Bounds("surge rounds up, unavailable down", 10, "25%", "25%", (3, 2)),
    Bounds("a single replica surges", 1, "25%", "25%", (1, 0)),
    Bounds("not both are nothing", 10, 0, 0, (0, 1)),
    Bounds("percentages that come to nothing", 1, "0%", "50%", (0, 1)),
    Bounds("exact tenths stay exact", 30, "10%", "10%", (3, 3)),
    Bounds("unavailable is at most everything", 2, 1, 5, (1, 2)),
    Bounds("nothing wanted, nothing missing", 0, 1, 1, (1, 0)),
)


@pytest.mark.parametrize("case", BOUNDS, ids=lambda case: case.id)
def test_bounds(case: Bounds) -> None:
    wanted = deployment(case.replicas, strategy=rolling(case.surge, case.unavailable))
    assert (sizes.max_surge(wanted), sizes.max_unavailable(wanted)) == case.want


def test_the_default_strategy_rolls_by_a_quarter() -> None:
    wanted = deployment(8, strategy={})
    assert (sizes.is_rolling(wanted), sizes.max_surge(wanted), sizes.max_unavailable(wanted)) == (True, 2, 2)


@settings(max_examples=150, deadline=None)
@given(
    replicas=st.integers(0, 12),
    surge=st.one_of(st.integers(0, 5), st.sampled_from(["0%", "10%", "25%", "100%"])),
    unavailable=st.one_of(st.integers(0, 5), st.sampled_from(["0%", "10%", "25%", "100%"])),
    seed=st.integers(0, 2**32),
    rollouts=st.integers(1, 3),
)
def test_a_roll_out_keeps_its_bounds_after_every_step_and_ends(
    replicas: int, surge: int | str, unavailable: int | str, seed: int, rollouts: int
) -> None:
    """Pods become available one by one in any order; new roll-outs start amid old ones."""
    chance = random.Random(seed)
    world = World(deployment(replicas, image="app:0", strategy=rolling(surge, unavailable)))
    world.settle()
    most, least = replicas + sizes.max_surge(world.deployment), sizes.min_available(world.deployment)
    for number in range(1, rollouts + 1):
        world.change(image=f"app:{number}")
        for _ in range(chance.randrange(1, 12)):
            _random_step(world, chance, most, least)
    for _ in range(400):
        _random_step(world, chance, most, least)
        if (
            world.condition("Progressing")[1] == "NewReplicaSetAvailable"
            and world.by_image().get(f"app:{rollouts}") == replicas
        ):
            break
    assert sum(world.by_image().values()) == world.by_image()[f"app:{rollouts}"] == replicas


def _random_step(world: World, chance: random.Random, most: int, least: int) -> None:
    available = {uid: rs.status.available_replicas or 0 for uid, rs in world.sets.items()}
    world.step()
    assert sum(map(sizes.size_of, world.sets.values())) <= most
    # a set that shrinks loses what is not available first
    for uid, rs in world.sets.items():
        available[uid] = min(available.get(uid, 0), sizes.size_of(rs))
    assert sum(available.values()) >= least
    slow = [uid for uid, rs in world.sets.items() if available[uid] < sizes.size_of(rs)]
    if slow and chance.random() < 0.7:
        available[chance.choice(slow)] += 1
    world.run_pods(available)


@settings(max_examples=100, deadline=None)
@given(
    old=st.integers(0, 30),
    new=st.integers(0, 30),
    before=st.integers(1, 30),
    after=st.integers(0, 40),
    surge=st.integers(0, 5),
)
def test_proportional_scaling_adds_up(old: int, new: int, before: int, after: int, surge: int) -> None:
    wanted = deployment(after, strategy=rolling(surge, 1))
    sets = []
    for uid, size in (("old", old), ("new", new)):
        sets.append(convert(ReplicaSet, {"metadata": {"name": uid, "uid": uid}, "spec": {"replicas": size}}))
    result = sizes.proportional_sizes(wanted, [rs for rs in sets if rs.spec.replicas], lambda rs: before + surge)
    assert all(size >= 0 for size in result.values())
    if old or new:
        assert sum(result.values()) == (after + surge if after else 0)


def test_proportional_scaling_keeps_proportions() -> None:
    world = World(deployment(10, strategy=rolling(3, 2)))
    world.settle()
    world.change(image="app:2")
    world.step()  # creates with 3
    world.run_pods({world.set_of("app:1").metadata.uid: 10})
    world.step()  # takes 2 from the old one
    world.run_pods({world.set_of("app:1").metadata.uid: 8})
    world.step()
    assert world.by_image() == {"app:1": 8, "app:2": 5}
    world.change(replicas=15)
    world.step()
    assert world.by_image() == {"app:1": 11, "app:2": 7}, "18 in the proportion of 8 to 5"


def test_a_first_roll_out_creates_one_set_and_becomes_available() -> None:
    world = World(deployment(3, metadata={"annotations": {"note": "x"}}))
    plan = world.step()
    (created,) = plan.actions
    assert isinstance(created, CreateSet)
    rs = created.replica_set
    digest = rs.metadata.labels[hashing.HASH_LABEL]
    assert rs.metadata.name == f"web-{digest}"
    assert rs.spec.selector.match_labels == rs.spec.template.metadata.labels == {"app": "web", hashing.HASH_LABEL: digest}
    assert rs.metadata.annotations == {
        "note": "x",
        history.REVISION: "1",
        history.DESIRED_REPLICAS: "3",
        history.MAX_REPLICAS: "4",
    }
    assert plan.revision == "1"
    assert world.condition("Progressing") == ("True", "NewReplicaSetCreated")
    assert world.condition("Available") == ("False", "MinimumReplicasUnavailable")
    assert world.deployment.status.unavailable_replicas == 0, "no set was there to want pods"
    world.run_pods({})
    world.step()
    assert world.condition("Progressing") == ("True", "ReplicaSetUpdated")
    assert world.deployment.status.unavailable_replicas == 3
    world.settle()
    assert world.condition("Progressing") == ("True", "NewReplicaSetAvailable")
    assert world.condition("Available") == ("True", "MinimumReplicasAvailable")
    progressing = status.get(world.deployment.status, "Progressing")
    assert progressing is not None
    assert progressing.message == f'ReplicaSet "{rs.metadata.name}" has successfully progressed.'


def test_going_back_reuses_the_old_set_under_a_new_revision() -> None:
    world = World(deployment(2))
    world.settle()
    world.change(image="app:2")
    world.settle()
    first = world.set_of("app:1")
    world.change(image="app:1")
    world.settle()
    assert len(world.sets) == 2
    back = world.set_of("app:1")
    assert back.metadata.uid == first.metadata.uid
    assert back.metadata.annotations[history.REVISION] == "3"
    assert back.metadata.annotations[history.REVISION_HISTORY] == "1"
    assert world.deployment.metadata.annotations[history.REVISION] == "3"
    assert world.by_image() == {"app:1": 2, "app:2": 0}


def test_history_is_cut_to_its_limit_oldest_first() -> None:
    world = World(deployment(1, revisionHistoryLimit=2))
    for number in range(1, 7):
        world.change(image=f"app:{number}")
        world.settle()
    assert sorted(world.by_image()) == ["app:4", "app:5", "app:6"]


def test_recreate_waits_for_the_last_old_pod() -> None:
    world = World(deployment(3, strategy={"type": "Recreate"}))
    world.settle()
    world.change(image="app:2")
    world.old_pods_remain = True
    world.step()
    assert world.by_image() == {"app:1": 0}
    world.run_pods()
    assert world.step().actions == ()
    world.old_pods_remain = False
    world.settle()
    assert world.by_image() == {"app:1": 0, "app:2": 3}
    world.change(replicas=5)
    world.settle()
    assert world.by_image() == {"app:1": 0, "app:2": 5}


def test_a_paused_deployment_scales_but_does_not_roll() -> None:
    world = World(deployment(3))
    world.settle()
    world.change(image="app:2", paused=True)
    world.settle()
    assert world.by_image() == {"app:1": 3}
    assert world.condition("Progressing") == ("Unknown", "DeploymentPaused")
    world.change(replicas=5)
    world.settle()
    assert world.by_image() == {"app:1": 5}
    world.now += timedelta(hours=1)
    world.settle()
    assert world.condition("Progressing") == ("Unknown", "DeploymentPaused"), "no deadline runs"
    world.change(paused=False)
    world.step()
    assert world.by_image() == {"app:1": 5, "app:2": 2}
    world.settle()
    assert world.by_image() == {"app:1": 0, "app:2": 5}


def test_a_roll_out_that_stands_still_misses_its_deadline_and_recovers() -> None:
    world = World(deployment(2))
    world.settle()
    world.change(image="broken")
    world.step()
    old = world.set_of("app:1").metadata.uid
    world.run_pods({old: 2})
    plan = world.step()
    assert world.condition("Progressing") == ("True", "ReplicaSetUpdated")
    world.run_pods({old: 2})
    plan = world.step()
    assert plan.look_again_s == pytest.approx(601, abs=1)
    world.now += timedelta(seconds=601)
    world.step()
    assert world.condition("Progressing") == ("False", "ProgressDeadlineExceeded")
    assert world.condition("Available") == ("True", "MinimumReplicasAvailable"), "the old pods stay"
    assert world.by_image()["app:1"] == 2
    world.change(image="app:1")
    world.settle()
    assert world.condition("Progressing") == ("True", "NewReplicaSetAvailable")


def test_a_sets_failure_shows_and_goes() -> None:
    world = World(deployment(1))
    world.step()
    (rs,) = world.sets.values()
    rs.status = convert(
        ReplicaSet,
        {"status": {"replicas": 0, "conditions": [{"type": "ReplicaFailure", "status": "True", "reason": "FailedCreate"}]}},
    ).status
    world.step()
    assert world.condition("ReplicaFailure") == ("True", "FailedCreate")
    rs = next(iter(world.sets.values()))
    rs.status.conditions = []
    world.settle()
    assert world.condition("ReplicaFailure") == ("", "")


def test_the_hash_is_stable_and_depends_on_template_and_collisions() -> None:
    template = deployment().spec.template
    relabelled = codec.deep_copy(template)
    relabelled.metadata.labels = {"b": "1", "app": "web", hashing.HASH_LABEL: "x"}
    reordered = codec.deep_copy(template)
    reordered.metadata.labels = {"app": "web", "b": "1"}
    assert hashing.template_hash(template, None) == hashing.template_hash(template, 0) == "w8cfqnnmx8"
    assert hashing.template_hash(relabelled, None) == hashing.template_hash(reordered, None)
    assert len({hashing.template_hash(template, count) for count in range(20)}) == 20
    assert hashing.same_template(relabelled, reordered)
    assert not hashing.same_template(template, reordered)


def test_a_deployment_that_is_being_deleted_only_reports() -> None:
    world = World(deployment(3))
    world.settle()
    world.change(image="app:2")
    world.deployment.metadata.deletion_timestamp = format_time(NOW)
    assert world.step().actions == ()
    assert world.deployment.status.observed_generation == 2
