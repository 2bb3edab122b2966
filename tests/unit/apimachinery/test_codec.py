"""Objects to bytes and back: nulls, refusals with their path, canonical bytes, unknown and duplicate fields."""

from dataclasses import dataclass

import msgspec
import pytest

from apimachinery import codec
from apimachinery.errors import ApiError
from apimachinery.kinds import ConfigMap, Deployment, Lease, Pod
from apimachinery.resources import RESOURCES, Resource


@dataclass(frozen=True)
class Refused:
    id: str
    data: bytes
    says: str


REFUSED = (
    Refused("wrong type", b'{"spec":{"containers":[{"name":3}]}}', "spec.containers[0].name: expected `str`, got `int`"),
    Refused("number as text", b'{"spec":{"activeDeadlineSeconds":"5"}}', "spec.activeDeadlineSeconds"),
    Refused("beyond 32 bits", b'{"spec":{"priority":3000000000}}', "spec.priority: expected `int` <= 2147483647"),
    Refused("beyond 64 bits", b'{"spec":{"activeDeadlineSeconds":9223372036854775808}}', "spec.activeDeadlineSeconds"),
    Refused("no time", b'{"metadata":{"creationTimestamp":"now"}}', "metadata.creationTimestamp: expected a time"),
    Refused("no such day", b'{"metadata":{"creationTimestamp":"2026-01-32T00:00:00Z"}}', "metadata.creationTimestamp"),
    Refused("label value", b'{"metadata":{"labels":{"a":1}}}', "metadata.labels[a]: expected `str`, got `int`"),
    Refused(
        "one of many keys",
        b'{"spec":{"containers":[{"name":"c","resources":{"limits":{"cpu":"1","example.com/a.b":[]}}}]}}',
        "spec.containers[0].resources.limits[example.com/a.b]: expected",
    ),
    Refused(
        "the version that it says it has",
        b'{"apiVersion":"apps/v1","spec":{"priority":"x"}}',
        'Pod in version "v1" cannot be handled as a Pod: spec.priority: expected `int | null`',
    ),
    Refused("no object", b"5", "got `int`"),
    Refused("nothing", b"", "malformed"),
    Refused("truncated", b'{"spec":', "malformed"),
    Refused("truncated behind a null", b'{"spec":null,', "malformed"),
    Refused("not UTF-8", b'{"kind":"\xff"}', "malformed"),
    Refused("too deep", b'{"spec":' * 5000 + b"1" + b"}" * 5000, "nested too deeply"),
    Refused("too deep in a field that is not known", b'{"x":' + b"[" * 100_000, "nested too deeply"),
)


@pytest.mark.parametrize("case", REFUSED, ids=lambda case: case.id)
def test_refused(case: Refused) -> None:
    with pytest.raises(ApiError) as caught:
        codec.decode(Pod, case.data)
    assert (caught.value.code, caught.value.reason) == (400, "BadRequest")
    assert case.says in caught.value.status.message


def test_times_are_made_canonical() -> None:
    given = {
        "metadata": {
            "creationTimestamp": "2026-01-31T13:00:00+01:00",
            "managedFields": [{"time": "2026-01-31T12:00:00.5Z"}],
            "annotations": {"time": "2026-01-31T13:00:00+01:00"},
        },
        "spec": {"renewTime": "2026-01-31T12:00:00+00:00", "acquireTime": "2026-01-31T12:00:00.123456789Z"},
    }
    lease = codec.decode(Lease, codec.encode(given))
    assert lease == codec.convert(Lease, given)
    assert lease.metadata.creation_timestamp == lease.metadata.managed_fields[0].time == "2026-01-31T12:00:00Z"
    assert lease.metadata.annotations["time"] == "2026-01-31T13:00:00+01:00"
    assert lease.spec.renew_time == "2026-01-31T12:00:00.000000Z"
    assert lease.spec.acquire_time == "2026-01-31T12:00:00.123456Z"


def test_nulls_mean_not_given() -> None:
    pod = codec.decode(Pod, b'{"metadata":{"name":"a","creationTimestamp":null,"labels":{"x":null}},"spec":null,"status":null}')
    assert pod.metadata.name == "a"
    assert pod.metadata.labels == {}
    assert pod.spec.containers == []


def test_unknown_fields_are_dropped_and_named() -> None:
    raw = b'{"spec":{"template":{"spec":{"containers":[{"imagee":"x"}]}},"selector":{"matchLabels":{"a":"y"}}},"z":1}'
    assert b"imagee" not in codec.encode(codec.decode(Deployment, raw))
    assert codec.unknown_fields(Deployment, msgspec.json.decode(raw)) == ["spec.template.spec.containers[0].imagee", "z"]


def test_duplicate_keys_are_named_with_their_path() -> None:
    raw = b'{"spec":{"replicas":1,"replicas":2},"list":[{"a":1},{"a":1,"a":1,"a":2}]}'
    assert codec.duplicate_keys(raw) == ["spec.replicas", "list[1].a", "list[1].a"]
    assert codec.duplicate_keys(b'{"a":{"b":1},"b":1}') == []
    with pytest.raises(ApiError):
        codec.duplicate_keys(b"{")


@pytest.mark.parametrize("resource", RESOURCES, ids=lambda resource: resource.plural)
def test_the_revision_is_spliced_into_the_object_itself(resource: Resource) -> None:
    obj = resource.cls()
    obj.metadata.name = "a"
    obj.metadata.resource_version = "7"
    obj.metadata.annotations["x"] = '{"resourceVersion":""}'
    stored = codec.encode_stored(obj)
    assert obj.metadata.resource_version == "7"
    read = codec.decode(resource.cls, codec.splice_revision(stored, 42))
    assert read.metadata.resource_version == "42"
    assert read.metadata.annotations == {"x": '{"resourceVersion":""}'}
    assert codec.encode_stored(read) == stored


def test_the_revision_of_a_reference_is_not_touched() -> None:
    obj = codec.decode(Pod, b'{"metadata":{"name":"\\"resourceVersion\\":\\"\\""}}')
    spliced = codec.splice_revision(codec.encode_stored(obj), 3)
    assert codec.decode(Pod, spliced).metadata.name == '"resourceVersion":""'


def test_required_fields_are_written_even_when_empty() -> None:
    plain = codec.to_plain(Pod())
    assert plain["spec"] == {"containers": []}
    assert plain["metadata"] == {}
    assert "data" not in codec.to_plain(ConfigMap())


def test_a_deep_copy_shares_nothing() -> None:
    lease = codec.decode(Lease, b'{"metadata":{"labels":{"a":"b"}},"spec":{"renewTime":"2026-01-31T12:00:00.000000Z"}}')
    copy = codec.deep_copy(lease)
    copy.metadata.labels["a"] = "c"
    copy.spec.holder_identity = "me"
    assert lease.metadata.labels == {"a": "b"}
    assert lease.spec.holder_identity == ""
    assert copy != lease
