"""Bodies: JSON and YAML, strict and lenient."""

from dataclasses import dataclass

import pytest

from apimachinery.errors import ApiError
from apimachinery.resources import DEPLOYMENTS, PODS
from apiserver.core.bodies import JSON, resource_decode, yaml_to_json
from apiserver.core.request import FieldValidation

YAML = "application/yaml"


@dataclass(frozen=True)
class Refused:
    id: str
    body: bytes
    says: str
    content_type: str = JSON
    validation: FieldValidation = FieldValidation.STRICT
    code: int = 400


REFUSED = (
    Refused("no JSON", b"{", "malformed"),
    Refused("not UTF-8", b'{"metadata":{"name":"\xff"}}', "malformed"),
    Refused("an array", b"[]", "array"),
    Refused("nested too deeply", b"[" * (3 << 20), "nested too deeply"),
    Refused("NaN", b'{"spec":{"replicas":NaN}}', "malformed"),
    Refused("another kind", b'{"kind":"Pod","apiVersion":"v1"}', 'no kind "Pod"'),
    Refused("another version", b'{"kind":"Deployment","apiVersion":"apps/v1beta1"}', "apps/v1beta1"),
    Refused("wrong type, with its path", b'{"spec":{"replicas":"three"}}', "spec.replicas"),
    Refused(
        "wrong type in a list",
        b'{"spec":{"template":{"spec":{"containers":[{"name":1}]}}}}',
        "spec.template.spec.containers",
    ),
    Refused("unknown field", b'{"spec":{"replicaz":1}}', 'unknown field "spec.replicaz"'),
    Refused(
        "unknown field in a list",
        b'{"spec":{"template":{"spec":{"containers":[{"name":"c"},{"imagee":"x"}]}}}}',
        'unknown field "spec.template.spec.containers[1].imagee"',
    ),
    Refused("key twice", b'{"spec":{"replicas":1,"replicas":2}}', 'duplicate field "spec.replicas"'),
    Refused("malformed YAML", b"a: [", "error converting YAML to JSON", YAML),
    Refused("YAML alias", b"metadata: &m {name: a}\nspec: *m", "aliases are not accepted", YAML),
    Refused("YAML with two documents", b"a: 1\n---\nb: 1", "single document", YAML),
    Refused("YAML nested too deeply", b"[" * 10_000, "nested too deeply", YAML),
    Refused("YAML tag", b"!!python/object:os.system {}", "tag", YAML),
    Refused("YAML infinity", b"spec: {replicas: .inf}", "not a JSON number", YAML),
    Refused("YAML key twice", b"spec: {replicas: 1, replicas: 2}", 'duplicate field "replicas"', YAML),
    Refused("CBOR", b"\xd9", "application/json", "application/cbor", code=415),
    Refused("broken protobuf", b"k8s\x00\x0a", "error converting protobuf", "application/vnd.kubernetes.protobuf"),
)


@pytest.mark.parametrize("case", REFUSED, ids=lambda case: case.id)
def test_refused(case: Refused) -> None:
    with pytest.raises(ApiError) as caught:
        resource_decode(DEPLOYMENTS, case.body, case.content_type, case.validation)
    assert caught.value.code == case.code
    assert case.says in caught.value.status.message


def test_warn_names_what_strict_refuses() -> None:
    body = b'{"metadata":{"name":"a"},"spec":{"replicaz":1},"x":1}'
    obj, warnings = resource_decode(DEPLOYMENTS, body, JSON, FieldValidation.WARN)
    assert obj.metadata.name == "a"
    assert warnings == ('unknown field "spec.replicaz"', 'unknown field "x"')


def test_ignore_prunes_silently() -> None:
    obj, warnings = resource_decode(DEPLOYMENTS, b'{"x":1,"x":2}', JSON, FieldValidation.IGNORE)
    assert (obj.kind, warnings) == ("Deployment", ())


def test_yaml_keeps_timestamps_as_text() -> None:
    body = b"metadata: {name: a, annotations: {at: 2020-01-01T00:00:00Z}}\nspec: {nodeName: n}"
    obj, _ = resource_decode(PODS, body, YAML, FieldValidation.STRICT)
    assert obj.metadata.annotations == {"at": "2020-01-01T00:00:00Z"}


def test_alias_bomb_costs_nothing() -> None:
    lines = [b"a0: &a0 [x,x,x,x,x,x,x,x,x]"]
    lines += [b"a%d: &a%d [%b]" % (n, n, b",".join([b"*a%d" % (n - 1)] * 9)) for n in range(1, 9)]
    with pytest.raises(ApiError, match="aliases"):
        yaml_to_json(b"\n".join(lines))
