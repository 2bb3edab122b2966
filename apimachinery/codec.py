"""Objects to bytes and back.

The canonical form of a stored object is JSON with `"resourceVersion":""`: the revision is not known before storage has
given it, so it is spliced into the bytes once, and those bytes serve every reader. In an object's JSON the first
`resourceVersion` is always its own: ObjectMeta writes it before any map that a user fills.
"""

import json
import re
from collections.abc import Callable, Sequence
from functools import cache, partial
from types import NoneType
from typing import Annotated, Any, TypeVar, get_args, get_origin, get_type_hints

import msgspec

from apimachinery import errors
from apimachinery.kinds.base import MicroTime, Time
from apimachinery.kinds.custom import OBJECT_FIELDS, Custom
from apimachinery.kinds.meta import ObjectMeta
from apimachinery.kinds.object import Object
from apimachinery.times import canonical_time

T = TypeVar("T", bound=msgspec.Struct)

_encoder = msgspec.json.Encoder()
_sorted_encoder = msgspec.json.Encoder(order="deterministic")
_TIME, _MICRO_TIME = get_args(Time)[1], get_args(MicroTime)[1]
_CUSTOM_DEPTH_MAX = 200
_UNSET = "\x01"
_UNSET_JSON = b'"resourceVersion":"\\u0001"'
_EMPTY_JSON = b'"resourceVersion":""'


def encode(value: Any) -> bytes:
    """The JSON of a Struct or of plain data."""
    return _encode_custom(value) if isinstance(value, Custom) else _encoder.encode(value)


@cache
def decoder(cls: type[T]) -> "msgspec.json.Decoder[T]":
    """The decoder of one class; building one is costly, so each is built once."""
    return msgspec.json.Decoder(cls)


def decode(cls: type[T], data: bytes | str) -> T:
    """An object of class `cls` from its JSON; unknown fields are dropped, nulls mean "not given", times are made canonical.

    Raises ApiError (400 BadRequest) that names the path of what does not fit.
    """
    if issubclass(cls, Custom):
        return convert(cls, decode_plain(data))
    try:
        decoded: T = decoder(cls).decode(data)
        return decoded
    except msgspec.ValidationError:
        pass  # perhaps only for a null or a time in another zone, which the fast path does not take
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise _malformed(error) from error
    return convert(cls, decode_plain(data))


def convert(cls: type[T], plain: Any) -> T:
    """An object of class `cls` from plain data (dicts and lists); raises ApiError (400) that names the path."""
    if issubclass(cls, Custom):
        return _convert_custom(cls, plain)
    try:
        return msgspec.convert(plain, cls)
    except msgspec.ValidationError:
        pass  # perhaps only for a null or a time in another zone, which the fast path does not take
    except RecursionError as error:
        raise _malformed(error) from error
    try:
        given = _with_canonical_times(cls, _without_nulls(plain))
        return msgspec.convert(given, cls)
    except msgspec.ValidationError as error:
        version = _version(given)
        where = (
            f'in version "{version}" cannot be handled as a {cls.__name__}' if version else "in the request cannot be handled"
        )
        raise errors.bad_request(f"{cls.__name__} {where}: {_sentence(str(error), cls, given)}") from error
    except RecursionError as error:
        raise _malformed(error) from error


def decode_plain(data: bytes | str) -> Any:
    """Plain data from JSON; raises ApiError (400) for what is no JSON."""
    try:
        return msgspec.json.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise _malformed(error) from error


def to_plain(value: Any) -> Any:
    """Dicts, lists and scalars, as they stand in the JSON."""
    plain = msgspec.to_builtins(value)
    if isinstance(value, Custom):
        content = plain.pop("content", {})
        plain.update(content)
    return plain


def encode_stored(obj: Object) -> bytes:
    """The canonical bytes for storage, with an empty resourceVersion where the revision belongs."""
    meta = obj.metadata
    revision, meta.resource_version = meta.resource_version, _UNSET
    try:
        return encode(obj).replace(_UNSET_JSON, _EMPTY_JSON, 1)
    finally:
        meta.resource_version = revision


def splice_revision(stored: bytes, revision: int) -> bytes:
    """The bytes that readers get: the canonical ones with their revision."""
    return stored.replace(_EMPTY_JSON, b'"resourceVersion":"%d"' % revision, 1)


def deep_copy(obj: T) -> T:
    """A copy that shares nothing with `obj`, so that a cached object can be changed."""
    return convert(type(obj), to_plain(obj))


def unknown_fields(cls: type[msgspec.Struct], plain: Any, path: str = "") -> list[str]:
    """Paths in plain data that `cls` has no field for, in order of their appearance: `spec.containers[0].imagee`."""
    found: list[str] = []
    if issubclass(cls, Custom):
        return _unknown_in_custom(cls, plain)
    _collect_unknown(cls, plain, path, found)
    return found


def duplicate_keys(data: bytes | str) -> list[str]:
    """Paths of keys that stand twice in one JSON object (`spec.replicas`); JSON readers silently keep the last of them.

    Raises ApiError (400) for what is no JSON.
    """
    try:
        if _is_compact(data) or not _has_duplicates(data):
            return []
        found: list[str] = []
        _collect_duplicates(json.loads(data, object_pairs_hook=_Pairs), "", found)
        return found
    except (ValueError, RecursionError) as error:
        raise _malformed(error) from error


class _Head(Object):
    """What every object has."""


def _encode_custom(obj: Custom) -> bytes:
    """What stands beside the metadata comes after it, in the order of names, as clients in Go write it."""
    head = _encoder.encode(_Head(api_version=obj.api_version, kind=obj.kind, metadata=obj.metadata))
    return head[:-1] + b"," + _sorted_encoder.encode(obj.content)[1:] if obj.content else head


def _convert_custom(cls: type[T], plain: Any) -> T:
    """The content shares nothing with `plain` that pruning could change."""
    assert issubclass(cls, Custom)
    if not isinstance(plain, dict):
        raise errors.bad_request(f"{cls.__name__} in the request cannot be handled: expected `object`, got {_json_type(plain)}")
    try:
        head = convert(_Head, {name: value for name, value in plain.items() if name in OBJECT_FIELDS and value is not None})
    except errors.ApiError as error:
        raise errors.bad_request(str(error).replace("_Head", cls.__name__)) from error
    content = _copied({name: value for name, value in plain.items() if name not in OBJECT_FIELDS})
    cls.pruned(content)
    return cls(api_version=head.api_version, kind=head.kind, metadata=head.metadata, content=content)


def _unknown_in_custom(cls: type[Custom], plain: Any) -> list[str]:
    if not isinstance(plain, dict):
        return []
    found: list[str] = []
    _collect_unknown(ObjectMeta, plain.get("metadata"), "metadata", found)
    return [*found, *cls.pruned(_copied({name: value for name, value in plain.items() if name not in OBJECT_FIELDS}))]


def _copied(value: Any, depth: int = 0) -> Any:
    if depth > _CUSTOM_DEPTH_MAX:
        raise _malformed(RecursionError())
    if isinstance(value, dict):
        return {key: _copied(member, depth + 1) for key, member in value.items()}
    if isinstance(value, list):
        return [_copied(item, depth + 1) for item in value]
    return value


def _json_type(value: Any) -> str:
    return "`null`" if value is None else f"`{type(value).__name__}`"


class _Pairs(list[tuple[str, Any]]):
    """The members of one JSON object, as they stand."""


class _DuplicateError(Exception):
    """Ends a search at its first finding."""


def _is_compact(data: bytes | str) -> bool:
    """Whether this is what we would write ourselves, as programs mostly send it: then no key can stand twice in it."""
    try:
        given = data.encode() if isinstance(data, str) else data
        return _encoder.encode(msgspec.json.decode(given)) == given.rstrip()
    except (msgspec.MsgspecError, UnicodeError):
        return False


def _has_duplicates(data: bytes | str) -> bool:
    def check(items: list[tuple[str, Any]]) -> None:
        if len({key for key, _ in items}) != len(items):
            raise _DuplicateError

    try:
        json.loads(data, object_pairs_hook=check)
    except _DuplicateError:
        return True
    return False


def _collect_duplicates(value: Any, path: str, found: list[str]) -> None:
    if isinstance(value, _Pairs):
        seen: set[str] = set()
        for key, item in value:
            where = f"{path}.{key}" if path else key
            if key in seen:
                found.append(where)
            seen.add(key)
            _collect_duplicates(item, where, found)
    elif isinstance(value, list):
        for index, item in enumerate(value):
            _collect_duplicates(item, f"{path}[{index}]", found)


def _malformed(error: Exception) -> errors.ApiError:
    reason = "it is nested too deeply" if isinstance(error, RecursionError) else str(error)
    return errors.bad_request(f"the object provided is malformed: {reason}")


def _without_nulls(plain: Any) -> Any:
    if isinstance(plain, dict):
        return {key: _without_nulls(value) for key, value in plain.items() if value is not None}
    if isinstance(plain, list):
        return [_without_nulls(value) for value in plain]
    return plain


def _with_canonical_times(hint: Any, plain: Any) -> Any:
    """The same data with every time in the form that the API writes; what is no time stays, and is refused as one."""
    hint = _without_none(hint)
    if get_origin(hint) is Annotated:
        hint, *marks = get_args(hint)
        if isinstance(plain, str):
            is_moment = _TIME in marks or _MICRO_TIME in marks
            return canonical_time(plain, micro=_MICRO_TIME in marks) if is_moment else plain
    if isinstance(hint, type) and issubclass(hint, msgspec.Struct):
        if not isinstance(plain, dict):
            return plain
        known = _annotated_by_wire_name(hint)
        return {key: _with_canonical_times(known[key], value) if key in known else value for key, value in plain.items()}
    origin, arguments = get_origin(hint), get_args(hint)
    if origin is list and isinstance(plain, list):
        return [_with_canonical_times(arguments[0], value) for value in plain]
    if origin is dict and isinstance(plain, dict):
        return {key: _with_canonical_times(arguments[1], value) for key, value in plain.items()}
    return plain


def _version(plain: Any) -> str:
    """The version that the data says it has, without its group; empty when it says none."""
    version = plain.get("apiVersion") if isinstance(plain, dict) else None
    return version.rpartition("/")[2] if isinstance(version, str) else ""


def _sentence(message: str, cls: type[msgspec.Struct], plain: Any) -> str:
    """msgspec's "Expected `int`, got `str` - at `$.spec.replicas`" with the path in front."""
    text, separator, path = message.rpartition(" - at `$")
    if not separator:
        return message
    if "matching regex" in text:
        text = "expected a time such as 2026-01-31T12:00:00Z (RFC 3339)"
    where = _with_keys(path.rstrip("`"), cls, plain).lstrip(".")
    return f"{where}{': ' if where else ''}{text[0].lower()}{text[1:]}"


_STEP = re.compile(r"\.(?P<field>[^.\[]+)|\[(?P<index>\d+)\]|(?P<any>\[\.\.\.\])")


def _with_keys(path: str, hint: Any, plain: Any) -> str:
    """msgspec's path with the keys of maps, which it leaves out: `.data[...]` becomes `.data[port]`."""
    named = ""
    for step in _STEP.finditer(path):
        hint, key = _without_none(hint), step["field"]
        if key:
            hint, plain = _fields_by_wire_name(hint)[key], plain[key]
            named += step[0]
        elif step["index"]:
            hint, plain = get_args(hint)[0], plain[int(step["index"])]
            named += step[0]
        else:
            hint = get_args(hint)[1]
            key, plain = next(item for item in plain.items() if not _fits(item[1], hint))
            named += f"[{key}]"
    return named


def _fits(plain: Any, hint: Any) -> bool:
    try:
        msgspec.convert(plain, hint)
    except msgspec.ValidationError:
        return False
    return True


def _without_none(hint: Any) -> Any:
    """The class or container in `X | None`."""
    options = get_args(hint)
    return next((each for each in options if each is not NoneType), hint) if NoneType in options else hint


@cache
def _annotated_by_wire_name(cls: type[msgspec.Struct]) -> dict[str, Any]:
    hints = get_type_hints(cls, include_extras=True)
    return dict(zip(cls.__struct_encode_fields__, (hints[name] for name in cls.__struct_fields__), strict=True))


@cache
def _fields_by_wire_name(cls: type[msgspec.Struct]) -> dict[str, Any]:
    hints = get_type_hints(cls)
    return dict(zip(cls.__struct_encode_fields__, (hints[name] for name in cls.__struct_fields__), strict=True))


def _collect_unknown(cls: type[msgspec.Struct], plain: Any, path: str, found: list[str]) -> None:
    if not isinstance(plain, dict):
        return
    known = _walks_by_wire_name(cls)
    for key, value in plain.items():
        walk = known.get(key, _not_known)
        if walk is not None:
            walk(value, f"{path}.{key}" if path else key, found)


def _not_known(plain: Any, path: str, found: list[str]) -> None:
    found.append(path)


@cache
def _walks_by_wire_name(cls: type[msgspec.Struct]) -> "dict[str, _Walk | None]":
    """How to look for unknown fields below each field of a class; None where there can be none."""
    return {name: _walk(hint) for name, hint in _fields_by_wire_name(cls).items()}


def _walk(hint: Any) -> "_Walk | None":
    if isinstance(hint, type) and issubclass(hint, msgspec.Struct):
        return partial(_collect_unknown, hint)
    origin, arguments = get_origin(hint), get_args(hint)
    if origin is list:
        inner = _walk(arguments[0])
        return inner and partial(_walk_list, inner)
    if origin is dict:
        inner = _walk(arguments[1])
        return inner and partial(_walk_map, inner)
    options = [walk for each in arguments if (walk := _walk(each)) is not None]
    return partial(_walk_options, options) if len(options) > 1 else next(iter(options), None)


def _walk_list(inner: "_Walk", plain: Any, path: str, found: list[str]) -> None:
    if isinstance(plain, list):
        for index, value in enumerate(plain):
            inner(value, f"{path}[{index}]", found)


def _walk_map(inner: "_Walk", plain: Any, path: str, found: list[str]) -> None:
    if isinstance(plain, dict):
        for key, value in plain.items():
            inner(value, f"{path}.{key}", found)


def _walk_options(options: "Sequence[_Walk]", plain: Any, path: str, found: list[str]) -> None:
    for each in options:
        each(plain, path, found)


_Walk = Callable[[Any, str, list[str]], None]
"""(plain data, its path, where to add the paths of what is unknown)."""
