"""What becomes of dependents, and which objects an edit of the graph makes worth a look."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

import pytest

from apimachinery.kinds import (
    APIService,
    APIServiceCondition,
    APIServiceReference,
    APIServiceSpec,
    ConfigMap,
    HorizontalPodAutoscaler,
    Namespace,
    NamespaceCondition,
    ObjectMeta,
    OwnerReference,
    Pod,
    ReplicaSet,
)
from apimachinery.kinds.object import Object
from apimachinery.resources import resource_for
from controller_manager.garbage_collector.core import Delete, Keep, Standing, Strip, Unblock, Verdict, judge
from controller_manager.garbage_collector.graph import FOREGROUND, ORPHAN, Graph, Item, item_of
from controller_manager.namespace import core as namespace_core
from controller_manager.namespace.core import Remains

SOLID, ABSENT, WAITING = Standing.SOLID, Standing.ABSENT, Standing.WAITING


@dataclass(frozen=True)
class Case:
    id: str
    owners: tuple[Standing, ...]
    want: Verdict
    finalizers: tuple[str, ...] = ()
    has_dependents: bool = False
    dependent_waits: bool = False


CASES = (
    Case("without owners nothing happens", (), Keep()),
    Case("an owner keeps it", (SOLID,), Keep()),
    Case("the only owner is gone", (ABSENT,), Delete("Background")),
    Case("all owners are gone", (ABSENT, ABSENT), Delete("Background")),
    Case("one owner of two keeps it", (ABSENT, SOLID), Strip(frozenset(("o0",)))),
    Case("one that stays outweighs one that waits", (WAITING, SOLID), Strip(frozenset(("o0",)))),
    Case("an owner waits for it", (WAITING,), Delete("Background")),
    Case("an owner waits, and it has dependents too", (WAITING,), Delete("Foreground"), has_dependents=True),
    Case("a circle is opened", (WAITING,), Unblock(), has_dependents=True, dependent_waits=True),
    Case("it asked for its dependents to be orphaned", (ABSENT,), Delete("Orphan"), finalizers=(ORPHAN,)),
    Case("it asked for its dependents to go first", (ABSENT,), Delete("Foreground"), finalizers=(FOREGROUND,)),
)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)
def test_judge(case: Case) -> None:
    owners = [
        (OwnerReference(kind="ReplicaSet", name=f"o{number}", uid=f"o{number}", block_owner_deletion=True), standing)
        for number, standing in enumerate(case.owners)
    ]
    meta = ObjectMeta(finalizers=list(case.finalizers))
    verdict = judge(meta, owners, has_dependents=case.has_dependents, dependent_waits=case.dependent_waits)
    assert verdict == case.want


def item(
    obj: Object,
    name: str,
    *owners: str,
    namespace: str = "default",
    deleting: bool = False,
    finalizer: str = "",
    blocks: bool = True,
) -> Item:
    obj.metadata = ObjectMeta(
        name=name,
        uid=f"uid-{name}",
        namespace=namespace,
        deletion_timestamp="2026-01-01T00:00:00Z" if deleting else None,
        finalizers=[finalizer] if finalizer else [],
        owner_references=[
            OwnerReference(
                api_version="apps/v1", kind="ReplicaSet", name=owner, uid=f"uid-{owner}", block_owner_deletion=blocks
            )
            for owner in owners
        ],
    )
    return item_of(resource_for(type(obj)), obj)


def test_a_dependent_of_a_present_owner_is_not_looked_at() -> None:
    graph = Graph()
    assert graph.put(item(ReplicaSet(), "rs")) == set()
    assert graph.put(item(Pod(), "p", "rs")) == set()
    assert graph.forget("uid-rs") == {"uid-p"}
    assert graph.suspects() == {"uid-p"}
    assert graph.forget("uid-p") == set()
    assert len(graph) == 0


def test_a_dependent_that_comes_before_its_owner_is_looked_at() -> None:
    graph = Graph()
    assert graph.put(item(Pod(), "p", "rs")) == {"uid-p"}
    graph.put(item(ReplicaSet(), "rs"))
    assert graph.suspects() == set()


def test_an_owner_in_another_namespace_is_no_owner() -> None:
    graph = Graph()
    graph.put(item(ReplicaSet(), "rs", namespace="other"))
    assert graph.put(item(Pod(), "p", "rs")) == {"uid-p"}


def test_an_owner_may_be_named_in_any_of_its_versions() -> None:
    graph = Graph()
    graph.put(item(HorizontalPodAutoscaler(), "a"))
    owned = item(ConfigMap(), "c")
    for api_version, present in (("autoscaling/v1", True), ("autoscaling/v2", True), ("apps/v1", False)):
        owner = OwnerReference(api_version=api_version, kind="HorizontalPodAutoscaler", name="a", uid="uid-a")
        assert (graph.places(owned, owner) is not None) is present


def test_foreground_deletion_looks_at_owner_and_dependents_and_again_when_they_go() -> None:
    graph = Graph()
    graph.put(item(ReplicaSet(), "rs"))
    graph.put(item(Pod(), "p", "rs"))
    graph.put(item(ConfigMap(), "c", "rs", blocks=False))
    doomed = item(ReplicaSet(), "rs", deleting=True, finalizer=FOREGROUND)
    assert graph.put(doomed) == {"uid-rs", "uid-p", "uid-c"}
    assert graph.put(doomed) == set(), "told once"
    assert [each.uid for each in graph.dependents("uid-rs") if each.blocks("uid-rs")] == ["uid-p"]
    assert graph.forget("uid-p") == {"uid-rs"}
    assert graph.put(item(ConfigMap(), "c")) == {"uid-rs"}


def test_orphaning_looks_at_the_owner() -> None:
    graph = Graph()
    graph.put(item(ReplicaSet(), "rs"))
    assert graph.put(item(ReplicaSet(), "rs", deleting=True, finalizer=ORPHAN)) == {"uid-rs"}


def test_namespace_conditions_tell_what_remains_and_keep_their_times() -> None:
    early, late = datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 1, 2, tzinfo=UTC)
    remains = Remains()
    remains.objects["pods."] = 2
    remains.finalizers["example.com/x"] = 1
    first = {each.type: each for each in namespace_core.conditions(remains, [], early)}
    left = first["NamespaceContentRemaining"]
    assert (left.status, left.reason) == ("True", "SomeResourcesRemain")
    assert left.message == "Some resources are remaining: pods. has 2 resource instances"
    assert first["NamespaceFinalizersRemaining"].message.endswith("remaining: example.com/x in 1 resource instances")
    assert first["NamespaceDeletionContentFailure"].status == "False"
    foreign = NamespaceCondition(type="Other", status="True")
    second = {
        each.type: each for each in namespace_core.conditions(Remains(errors=["pods: no"]), [*first.values(), foreign], late)
    }
    assert second["NamespaceContentRemaining"].last_transition_time == "2026-01-02T00:00:00Z"
    assert second["NamespaceDeletionDiscoveryFailure"].last_transition_time == "2026-01-01T00:00:00Z"
    assert second["NamespaceDeletionContentFailure"].reason == "ContentDeletionFailed"
    assert "Other" in second
    assert Namespace().status.conditions == []


def test_a_group_that_does_not_answer_is_told_of_and_holds_nothing_up() -> None:
    remote = APIServiceReference(namespace="kube-system", name="s")
    services = [
        api_service("gone.example.com", remote, "False"),
        api_service("new.example.com", remote, ""),
        api_service("well.example.com", remote, "True"),
        api_service("apps", None, ""),
    ]
    found = namespace_core.unavailable_groups(services)
    assert found == ["gone.example.com/v1", "new.example.com/v1"]
    remains = Remains(unanswered=found)
    assert remains.gone
    told = {each.type: each for each in namespace_core.conditions(remains, [], datetime(2026, 1, 1, tzinfo=UTC))}
    failure = told["NamespaceDeletionDiscoveryFailure"]
    assert (failure.status, failure.reason) == ("True", "DiscoveryFailed")
    assert failure.message.startswith("Discovery failed for some groups, 2 failing: ")
    assert failure.message.endswith(": gone.example.com/v1, new.example.com/v1")


def api_service(group: str, service: APIServiceReference | None, available: str) -> APIService:
    made = APIService(spec=APIServiceSpec(group=group, version="v1", service=service))
    if available:
        made.status.conditions = [APIServiceCondition(type="Available", status=available)]
    return made
