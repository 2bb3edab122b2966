"""Names, tokens, selectors, scales, bindings, channels: small decisions, each with its table."""

import random
from datetime import UTC, datetime

import pytest

from apimachinery import codec
from apimachinery.errors import ApiError
from apimachinery.kinds import (
    Deployment,
    DeploymentSpec,
    Job,
    JobStatus,
    LabelSelector,
    ObjectMeta,
    Pod,
    PodCondition,
    PodSpec,
    PodStatus,
    ReplicationController,
    ReplicationControllerSpec,
    Scale,
    ScaleSpec,
    StatefulSet,
    StatefulSetSpec,
)
from apimachinery.resources import CONFIG_MAPS, JOBS, NODES, PODS
from apiserver.core.binding import bind_pod
from apiserver.core.indexing import index_for
from apiserver.core.naming import generate_name, new_uid, settle_name, settle_namespace
from apiserver.core.patching import parse_patch
from apiserver.core.request import Bind
from apiserver.core.scaling import rescaled, scale_of
from apiserver.core.selecting import parse_revision, parse_selectors, shortcut
from apiserver.core.tokens import Position, decode_token, encode_token

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def test_generated_names_fit_and_differ() -> None:
    rng = random.Random(1)
    names = {generate_name("x" * 80 + "-", rng) for _ in range(50)}
    assert len(names) == 50
    assert {len(name) for name in names} == {63}


def test_uids_are_random_and_from_the_seed() -> None:
    assert new_uid(random.Random(1)) == new_uid(random.Random(1))
    assert new_uid(random.Random(1)) != new_uid(random.Random(2))
    assert new_uid(random.Random(1))[14] == "4"


@pytest.mark.parametrize(("given", "path"), [("a", "b")])
def test_name_must_agree(given: str, path: str) -> None:
    with pytest.raises(ApiError) as caught:
        settle_name(ObjectMeta(name=given), path)
    assert caught.value.code == 400


def test_namespace_is_filled_in_and_must_agree() -> None:
    meta = ObjectMeta(name="a")
    settle_namespace(CONFIG_MAPS, meta, "ns")
    assert meta.namespace == "ns"
    for resource, given, path in ((CONFIG_MAPS, "other", "ns"), (NODES, "ns", ""), (CONFIG_MAPS, "", "")):
        with pytest.raises(ApiError):
            settle_namespace(resource, ObjectMeta(name="a", namespace=given), path)


def test_token_round_trip() -> None:
    assert decode_token(encode_token(Position(12, "ns/ä"))) == Position(12, "ns/ä")


@pytest.mark.parametrize("text", ["", "x", "!!!", "e30", "WyJvdGhlciIsMSwiYSJd"])
def test_foreign_tokens(text: str) -> None:
    with pytest.raises(ApiError, match="continue key"):
        decode_token(text)


def test_selectors() -> None:
    matches = parse_selectors(PODS, "app in (a,b)", "spec.nodeName=n1,status.phase!=Failed")
    assert matches is not None
    assert shortcut(matches) == ("spec.nodeName", "n1")
    assert matches({"app": "a"}, {"spec.nodeName": "n1"})
    assert not matches({"app": "c"}, {"spec.nodeName": "n1"})
    assert not matches({"app": "a"}, {"spec.nodeName": "n1", "status.phase": "Failed"})
    assert matches == parse_selectors(PODS, "app in (b,a)", "spec.nodeName=n1,status.phase!=Failed")
    assert hash(matches) == hash(parse_selectors(PODS, "app in (b,a)", "spec.nodeName=n1,status.phase!=Failed"))
    assert parse_selectors(PODS, "", "") is None


@pytest.mark.parametrize(("labels", "fields"), [("a in (", ""), ("=x", ""), ("", "spec.nodeNam=x"), ("", "x")])
def test_bad_selectors(labels: str, fields: str) -> None:
    with pytest.raises(ApiError) as caught:
        parse_selectors(PODS, labels, fields)
    assert caught.value.code == 400


@pytest.mark.parametrize(("text", "want"), [("", None), ("0", 0), ("12", 12)])
def test_revision(text: str, want: int | None) -> None:
    assert parse_revision(text) == want


def test_index_has_what_is_not_empty() -> None:
    pod = Pod(metadata=ObjectMeta(name="a", namespace="b", labels={"x": "y"}), spec=PodSpec(node_name="n"))
    labels, fields = index_for(PODS)(codec.encode_stored(pod))
    assert labels == {"x": "y"}
    assert fields == {
        "metadata.name": "a",
        "metadata.namespace": "b",
        "spec.nodeName": "n",
        "spec.hostNetwork": "false",
    }


def test_index_of_a_selector_with_a_name_of_its_own() -> None:
    job = Job(metadata=ObjectMeta(name="a", namespace="b"), status=JobStatus(succeeded=3))
    assert index_for(JOBS)(codec.encode_stored(job))[1]["status.successful"] == "3"


def test_scale_of_every_workload_that_has_one() -> None:
    labels = LabelSelector(match_labels={"app": "a"})
    for workload in (
        StatefulSet(spec=StatefulSetSpec(replicas=2, selector=labels)),
        ReplicationController(spec=ReplicationControllerSpec(replicas=2, selector={"app": "a"})),
    ):
        scale = scale_of(workload)
        assert (scale.spec.replicas, scale.status.selector) == (2, "app=a")
        assert scale_of(rescaled(workload, Scale(spec=ScaleSpec(replicas=5)))).spec.replicas == 5
    with pytest.raises(ApiError) as caught:
        scale_of(Job())
    assert caught.value.code == 404


def test_scale_of_a_deployment_and_back() -> None:
    deployment = Deployment(
        metadata=ObjectMeta(name="a", resource_version="5"),
        spec=DeploymentSpec(replicas=3, selector=LabelSelector(match_labels={"app": "a"})),
    )
    scale = scale_of(deployment)
    assert (scale.spec.replicas, scale.status.selector, scale.metadata.resource_version) == (3, "app=a", "5")
    wider = rescaled(deployment, Scale(spec=ScaleSpec(replicas=7)))
    assert isinstance(wider, Deployment)
    assert (wider.spec.replicas, deployment.spec.replicas) == (7, 3)
    with pytest.raises(ApiError, match=r"spec\.replicas"):
        rescaled(deployment, Scale(spec=ScaleSpec(replicas=-1)))


def test_bind() -> None:
    pod = Pod(
        metadata=ObjectMeta(name="a", uid="u", annotations={"x": "1"}),
        status=PodStatus(conditions=[PodCondition(type="PodScheduled", status="False", reason="Unschedulable")]),
    )
    bind_pod(pod, Bind("ns", "a", "u", "n1", {"y": "2"}), NOW)
    assert (pod.spec.node_name, pod.metadata.annotations) == ("n1", {"x": "1", "y": "2"})
    assert [(each.type, each.status, each.reason) for each in pod.status.conditions] == [("PodScheduled", "True", "")]


@pytest.mark.parametrize(
    "pod",
    [
        Pod(metadata=ObjectMeta(name="a", uid="other")),
        Pod(metadata=ObjectMeta(name="a", uid="u", deletion_timestamp="2026-01-01T00:00:00Z")),
        Pod(metadata=ObjectMeta(name="a", uid="u"), spec=PodSpec(node_name="n2")),
        Pod(metadata=ObjectMeta(name="a", uid="u"), spec=PodSpec(node_name="n1")),
    ],
    ids=["another pod", "going", "bound elsewhere", "bound there already"],
)
def test_bind_refused(pod: Pod) -> None:
    with pytest.raises(ApiError) as caught:
        bind_pod(pod, Bind("ns", "a", "u", "n1", {}), NOW)
    assert caught.value.code == 409


@pytest.mark.parametrize(
    ("body", "content_type", "code"),
    [
        (b"{}", "application/apply-patch+xml", 415),
        (b"{}", "application/json", 415),
        (b"{", "application/merge-patch+json", 400),
        (b"[]", "application/merge-patch+json", 400),
        (b"{}", "application/json-patch+json", 400),
        (b"[" * 100_000, "application/merge-patch+json", 400),
        (b"[" + b",".join([b'{"op":"remove","path":"/a"}'] * 10_001) + b"]", "application/json-patch+json", 413),
    ],
)
def test_bad_patch(body: bytes, content_type: str, code: int) -> None:
    with pytest.raises(ApiError) as caught:
        parse_patch(body, content_type)
    assert caught.value.code == code
