"""What holds for objects of any shape: rules never fail, defaults are stable, bytes come back as they went."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from apimachinery import codec, patch
from apimachinery.resources import RESOURCES, Resource
from apiserver.strategy import STRATEGIES
from tests.support.any_objects import plain_objects
from tests.support.strategies import check_defaults_are_stable

SUBRESOURCES = ["", "status", "finalize", "binding", "ephemeralcontainers", "resize"]
any_resource = pytest.mark.parametrize("resource", RESOURCES, ids=lambda resource: resource.plural)
drawn = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])


@any_resource
@drawn
@given(data=st.data())
def test_a_create_is_judged_whatever_it_is(resource: Resource, data: st.DataObject) -> None:
    plain = data.draw(plain_objects(resource.cls))
    check_defaults_are_stable(resource, plain)
    strategy = STRATEGIES[resource]
    obj = codec.convert(resource.cls, plain)
    strategy.default(obj)
    strategy.prepare_create(obj)
    for error in strategy.validate(obj):
        assert error.path
        assert error.message
    strategy.warnings(obj)
    assert codec.decode(resource.cls, codec.encode(obj)) == obj
    assert codec.unknown_fields(resource.cls, codec.to_plain(obj)) == []


@any_resource
@drawn
@given(data=st.data(), subresource=st.sampled_from(SUBRESOURCES))
def test_an_update_is_judged_whatever_it_is(resource: Resource, data: st.DataObject, subresource: str) -> None:
    strategy = STRATEGIES[resource]
    old, new = (codec.convert(resource.cls, data.draw(plain_objects(resource.cls))) for _ in range(2))
    strategy.default(old)
    before = codec.encode(old)
    strategy.default(new)
    strategy.prepare_update(new, old, subresource)
    strategy.validate_update(new, old, subresource)
    assert codec.encode(old) == before
    unchanged = codec.deep_copy(old)
    strategy.prepare_update(unchanged, old, "")
    unchanged.metadata.self_link = old.metadata.self_link
    assert codec.encode(unchanged) == before


@any_resource
@drawn
@given(data=st.data())
def test_a_merge_patch_of_a_difference_restores_the_target(resource: Resource, data: st.DataObject) -> None:
    before, after = (codec.to_plain(codec.convert(resource.cls, data.draw(plain_objects(resource.cls)))) for _ in range(2))
    assert patch.equal(patch.merge_patch(before, patch.diff(before, after)), after)
