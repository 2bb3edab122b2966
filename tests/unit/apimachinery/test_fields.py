"""Field selectors: text, the fields of each kind, what objects answer."""

import pytest

from apimachinery import fields
from apimachinery.fields import FieldRequirement
from apimachinery.resources import EVENTS, JOBS, NODES, PODS, REPLICATION_CONTROLLERS, RESOURCES, SECRETS

ROWS = (
    ("", ()),
    ("a=b", (FieldRequirement("a", "b"),)),
    ("a==b,c!=d", (FieldRequirement("a", "b"), FieldRequirement("c", "d", negated=True))),
    ("a=", (FieldRequirement("a", ""),)),
    (r"a=x\,y", (FieldRequirement("a", "x,y"),)),
    (r"a=x\\y", (FieldRequirement("a", "x\\y"),)),
    (r"a=x\=y", (FieldRequirement("a", "x=y"),)),
    ("a=b!=c", (FieldRequirement("a", "b!=c"),)),
    ("a=b,,c=d,", (FieldRequirement("a", "b"), FieldRequirement("c", "d"))),
)


@pytest.mark.parametrize(("text", "want"), ROWS, ids=[text or "nothing" for text, _ in ROWS])
def test_parse(text: str, want: tuple[FieldRequirement, ...]) -> None:
    assert fields.parse(text).requirements == want


@pytest.mark.parametrize("text", ["a", "spec.containers=x", "status.phase in (x)"])
def test_refused(text: str) -> None:
    with pytest.raises(fields.FieldSelectorError):
        fields.parse(text, PODS)


def test_every_kind_selects_by_name_and_namespace() -> None:
    for resource in RESOURCES:
        selector = fields.parse("metadata.name=x,metadata.namespace=y", resource)
        plain = {"metadata": {"name": "x", "namespace": "y"}}
        assert selector.matches(fields.extract(resource, plain))
        assert not selector.matches(fields.extract(resource, {"metadata": {"name": "x"}}))


def test_what_objects_answer() -> None:
    pod = {"spec": {"nodeName": "n"}, "status": {"podIPs": [{"ip": "1"}, {"ip": "2"}]}}
    assert fields.extract(PODS, pod)["spec.nodeName"] == "n"
    assert fields.extract(PODS, pod)["spec.hostNetwork"] == "false"
    assert fields.extract(PODS, pod)["status.podIPs"] == "1,2"
    assert fields.extract(NODES, {"spec": {"unschedulable": True}})["spec.unschedulable"] == "true"
    assert fields.extract(SECRETS, {"type": "Opaque"})["type"] == "Opaque"
    assert fields.extract(EVENTS, {"source": {"component": "kubelet"}})["source"] == "kubelet"
    assert fields.extract(EVENTS, {"reportingComponent": "scheduler"})["source"] == "scheduler"
    assert fields.extract(REPLICATION_CONTROLLERS, {"status": {"replicas": 2}})["status.replicas"] == "2"
    assert fields.extract(JOBS, {"status": {"succeeded": 2}})["status.successful"] == "2"
    assert fields.extract(JOBS, {})["status.successful"] == "0"


def test_negated_and_exact() -> None:
    selector = fields.parse("status.phase!=Failed,spec.nodeName=n", PODS)
    assert selector.exact("spec.nodeName") == "n"
    assert selector.exact("status.phase") is None
    assert selector.matches({"spec.nodeName": "n"})
    assert not selector.matches({"spec.nodeName": "n", "status.phase": "Failed"})
    assert str(selector) == "status.phase!=Failed,spec.nodeName=n"
