"""Request bodies into objects: JSON, YAML or protobuf, with the checks that strict field validation asks for.

YAML and protobuf are turned into JSON first and then take the same way. Aliases in YAML are refused: a few hundred bytes of
them can stand for gigabytes (CVE-2019-11253). Timestamps stay text, as JSON knows none."""

import math
from typing import Any, TypeVar

import msgspec
import yaml

from apimachinery import codec, errors, protobuf
from apimachinery.errors import ApiError
from apimachinery.kinds.object import Object
from apimachinery.resources import Resource
from apiserver.core.request import FieldValidation

ObjectT = TypeVar("ObjectT", bound=Object)

JSON = "application/json"
YAML_TYPES = ("application/yaml", "application/x-yaml", "text/yaml")
WARNINGS_MAX = 50
YAML_DEPTH_MAX = 200


def decode_object(
    cls: type[ObjectT], body: bytes, content_type: str, validation: FieldValidation, api_version: str = "", kind: str = ""
) -> tuple[ObjectT, tuple[str, ...]]:
    """The object in `body` and warnings about it; raises ApiError 400 for what is malformed, of another kind, or not strict.

    api_version, kind: what the object must be; where it says nothing it is taken to be that.
    """
    body, duplicates = as_json(body, content_type)
    try:
        obj = codec.decode(cls, body)
    except RecursionError:
        raise errors.bad_request("the object provided is malformed: it is nested too deeply") from None
    _check_kind(obj, api_version, kind)
    if validation is FieldValidation.IGNORE:
        return obj, ()
    return obj, _validate_fields(cls, body, duplicates, validation, obj)


def as_json(body: bytes, content_type: str) -> tuple[bytes, list[str]]:
    """A body as JSON, and the keys that stand twice in it if it was YAML; raises ApiError 400, and 415 for other types."""
    if content_type in YAML_TYPES:
        return yaml_to_json(body)
    if content_type == protobuf.MEDIA_TYPE:
        return _protobuf_to_json(body), []
    if content_type != JSON:
        raise unsupported_type(content_type, (JSON, *YAML_TYPES, protobuf.MEDIA_TYPE))
    return body, []


def check_plain(cls: type[Object], plain: Any, validation: FieldValidation, version: str) -> tuple[str, ...]:
    """Warnings about fields in plain data that `cls` does not have; under strict validation, ApiError 400 instead."""
    if validation is FieldValidation.IGNORE:
        return ()
    found = [f'unknown field "{path}"' for path in codec.unknown_fields(cls, plain)]
    return _warn_or_refuse(found, validation, cls, version)


def check_doubled(resource: Resource, body: bytes, validation: FieldValidation) -> tuple[str, ...]:
    """Warnings about keys that stand twice in a JSON patch; under strict validation, ApiError 400 instead."""
    if validation is FieldValidation.IGNORE:
        return ()
    return refuse_doubled(resource, codec.duplicate_keys(body), validation)


def refuse_doubled(resource: Resource, keys: list[str], validation: FieldValidation) -> tuple[str, ...]:
    """The same for keys that have been found already."""
    if validation is FieldValidation.IGNORE:
        return ()
    return _warn_or_refuse([f'duplicate field "{key}"' for key in keys], validation, resource.cls, resource.api_version)


def yaml_to_json(body: bytes) -> tuple[bytes, list[str]]:
    """One YAML document as JSON, and the keys that stand twice in one of its maps; raises ApiError (400)."""
    try:
        _check_events(body)
        loader = _Loader(body)
        try:
            plain = loader.get_single_data()
        finally:
            loader.dispose()
        return msgspec.json.encode(plain), loader.duplicates
    except (yaml.YAMLError, UnicodeError) as error:
        raise errors.bad_request(f"error converting YAML to JSON: {_reason(error)}") from error
    except (msgspec.MsgspecError, TypeError, ValueError, OverflowError) as error:
        raise errors.bad_request(f"error converting YAML to JSON: {error}") from error


def _protobuf_to_json(body: bytes) -> bytes:
    try:
        return msgspec.json.encode(protobuf.decode(body))
    except protobuf.ProtobufError as error:
        raise errors.bad_request(f"error converting protobuf to JSON: {error}") from error


def unsupported_type(content_type: str, accepted: tuple[str, ...]) -> ApiError:
    """415 that lists what would have been taken."""
    listed = ", ".join(accepted)
    return errors.unsupported_media_type(
        f"the body of the request was in an unknown format - accepted media types include: {listed}; not {content_type!r}"
    )


def _check_events(body: bytes) -> None:
    """Raise YAMLError for aliases, and for what is nested so deeply that reading it would exhaust the stack."""
    depth = 0
    for event in yaml.parse(body, Loader=yaml.CSafeLoader):
        if isinstance(event, yaml.AliasEvent):
            raise yaml.YAMLError(f"aliases are not accepted (line {event.start_mark.line + 1 if event.start_mark else 0})")
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
            if depth > YAML_DEPTH_MAX:
                raise yaml.YAMLError("the document is nested too deeply")
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1


class _Loader(yaml.CSafeLoader):
    """Safe YAML without timestamps; remembers the keys that stand twice."""

    yaml_implicit_resolvers = {
        first: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:timestamp"]
        for first, resolvers in yaml.CSafeLoader.yaml_implicit_resolvers.items()
    }

    def __init__(self, stream: bytes) -> None:
        super().__init__(stream)
        self.duplicates: list[str] = []

    def construct_yaml_float(self, node: yaml.ScalarNode) -> float:
        number = super().construct_yaml_float(node)
        if not math.isfinite(number):
            raise ValueError(f"{node.value} is not a JSON number")
        return number

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        mapping = {}
        for key_node, value_node in node.value:
            key = self.construct_object(key_node, deep=True)
            if not isinstance(key, str):
                key = key_node.value if isinstance(key_node, yaml.ScalarNode) else str(key)
            if key in mapping:
                self.duplicates.append(key)
            mapping[key] = self.construct_object(value_node, deep=deep)
        return mapping


_Loader.add_constructor("tag:yaml.org,2002:float", _Loader.construct_yaml_float)


def _check_kind(obj: Object, api_version: str, kind: str) -> None:
    if (kind and obj.kind != kind) or (api_version and obj.api_version != api_version):
        if obj.kind != kind:
            raise errors.bad_request(
                f'no kind "{obj.kind}" of version "{obj.api_version}" is accepted here: expected "{kind}" of "{api_version}"'
            )
        raise errors.bad_request(
            f"the API version in the data ({obj.api_version}) does not match the expected API version ({api_version})"
        )


def _validate_fields(
    cls: type[Object], body: bytes, duplicates: list[str], validation: FieldValidation, obj: Object
) -> tuple[str, ...]:
    plain = msgspec.json.decode(body)
    found = [f'unknown field "{path}"' for path in codec.unknown_fields(cls, plain)]
    found += [f'duplicate field "{key}"' for key in (*duplicates, *codec.duplicate_keys(body))]
    return _warn_or_refuse(found, validation, cls, obj.api_version)


def _warn_or_refuse(found: list[str], validation: FieldValidation, cls: type[Object], version: str) -> tuple[str, ...]:
    if found and validation is FieldValidation.STRICT:
        raise errors.bad_request(
            f'{cls.__name__} in version "{version.rpartition("/")[2]}" cannot be handled as a {cls.__name__}: '
            f"strict decoding error: {', '.join(found[:WARNINGS_MAX])}"
        )
    return tuple(found[:WARNINGS_MAX])


def _reason(error: Exception) -> str:
    """On one line. libyaml has a limit of its own on nesting, which it may reach while looking ahead of its events."""
    reason = " ".join(str(error).split())
    return f"the document is nested too deeply ({reason})" if "maximum nesting depth" in reason else reason


def resource_decode(
    resource: Resource, body: bytes, content_type: str, validation: FieldValidation
) -> tuple[Object, tuple[str, ...]]:
    """`decode_object` for the kind of a resource."""
    return decode_object(resource.cls, body, content_type, validation, resource.api_version, resource.kind)
