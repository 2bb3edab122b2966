"""Structs give the same answers as their plain data."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from apimachinery import codec
from apimachinery.apply import shape_of, status_fields, track_update
from apimachinery.apply.structs import struct_difference
from apimachinery.apply.walking import difference
from apimachinery.errors import ApiError
from apimachinery.kinds import ConfigMap, Deployment, Node, Pod, PodStatus, Service
from apimachinery.kinds.object import Object
from tests.support.any_objects import plain_objects

NOW = "2026-01-01T00:00:01Z"
CLASSES: tuple[type[Object], ...] = (ConfigMap, Deployment, Node, Pod, Service)
conditions = st.lists(
    st.fixed_dictionaries(
        {"type": st.sampled_from(("Ready", "Initialized", "")), "status": st.sampled_from(("True", "False"))},
        optional={"reason": st.sampled_from(("", "A", "B"))},
    ),
    max_size=3,
)
ports = st.lists(
    st.fixed_dictionaries(
        {"containerPort": st.sampled_from((0, 80))}, optional={"protocol": st.just("UDP"), "name": st.sampled_from(("", "a"))}
    ),
    max_size=2,
)
containers = st.lists(
    st.fixed_dictionaries(
        {"name": st.sampled_from(("a", "b"))},
        optional={"image": st.sampled_from(("1", "2")), "ports": ports, "args": st.lists(st.just("x"), max_size=2)},
    ),
    max_size=3,
)
pods = st.fixed_dictionaries(
    {},
    optional={
        "metadata": st.fixed_dictionaries(
            {},
            optional={
                "labels": st.dictionaries(st.sampled_from(("a", "b")), st.just("1")),
                "resourceVersion": st.sampled_from(("1", "2")),
                "managedFields": st.lists(st.just({"manager": "m"}), max_size=1),
                "finalizers": st.lists(st.sampled_from(("a", "b")), unique=True),
            },
        ),
        "spec": st.fixed_dictionaries(
            {}, optional={"containers": containers, "securityContext": st.sampled_from(({}, {"runAsUser": 1}))}
        ),
        "status": st.fixed_dictionaries(
            {}, optional={"conditions": conditions, "phase": st.sampled_from(("", "Running")), "podIP": st.just("10.244.0.1")}
        ),
    },
)


@st.composite
def pairs(draw: st.DrawFn) -> tuple[Object, Object]:
    cls = draw(st.sampled_from(CLASSES))
    objects = pods if cls is Pod and draw(st.booleans()) else plain_objects(cls)
    try:
        return codec.convert(cls, draw(objects)), codec.convert(cls, draw(objects))
    except ApiError:
        return cls(), cls()


@settings(deadline=None, max_examples=300)
@given(pairs())
def test_a_difference_is_that_of_the_plain_data(pair: tuple[Object, Object]) -> None:
    before, after = pair
    want = difference(shape_of(type(before)), codec.to_plain(before), codec.to_plain(after))
    found = struct_difference(before, after)
    assert (found.changed, found.removed) == (want.changed, want.removed)


@settings(deadline=None, max_examples=200)
@given(pairs())
def test_a_creation_is_that_of_the_plain_data(pair: tuple[Object, Object]) -> None:
    obj, _ = pair
    obj.metadata.managed_fields = []
    options: dict[str, Any] = {"shape": shape_of(type(obj)), "now": NOW, "api_version": "v1", "ignored": status_fields()}
    want = track_update(None, codec.to_plain(obj), (), "m", **options)
    assert track_update(None, obj, (), "m", **options) == want
    assert track_update(None, obj, (), "m", **options) == want, "remembered"


@pytest.mark.parametrize("status", [{"phase": "Running"}, {"conditions": [{"type": "Ready", "status": "True"}]}])
def test_nothing_is_made_plain_that_did_not_change(status: dict[str, Any]) -> None:
    before = Pod(status=codec.convert(PodStatus, status))
    after = Pod(status=codec.convert(PodStatus, {**status, "podIP": "10.244.0.1"}))
    assert struct_difference(before, after).changed == {"f:status": {"f:podIP": {}}}
