"""ConfigMaps and Secrets: data for pods, 1 MiB at most.

No value of a Secret stands in an error message.
Source: the Kubernetes pages "ConfigMaps" and "Secrets" (types of Secret, immutable ones).
"""

import base64
import binascii
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import msgspec

from apimachinery import names
from apimachinery.errors import Cause, FieldError
from apimachinery.kinds import ConfigMap, Secret
from apiserver.strategy.base import Strategy
from apiserver.strategy.checks import Errors, unchanged

DATA_BYTES_MAX = 1 << 20
SERVICE_ACCOUNT_NAME = "kubernetes.io/service-account.name"
_FROZEN = "field is immutable when `immutable` is set"
_REDACTED = "<secret contents redacted>"


class ConfigMapStrategy(Strategy[ConfigMap]):
    def check(self, obj: ConfigMap) -> Iterator[FieldError]:
        size_bytes = 0
        for key, text in obj.data.items():
            yield from _validate_key(key, f"data[{key}]")
            if key in obj.binary_data:
                yield FieldError.invalid(f"data[{key}]", key, "duplicate of key present in binaryData")
            size_bytes += len(text.encode())
        for key, text in obj.binary_data.items():
            yield from _validate_key(key, f"binaryData[{key}]")
            value = decoded(text)
            if value is None:
                yield _malformed(f"binaryData[{key}]")
            size_bytes += len(value or b"")
        if size_bytes > DATA_BYTES_MAX:
            yield FieldError.too_long("data", DATA_BYTES_MAX)

    def check_update(self, new: ConfigMap, old: ConfigMap, subresource: str) -> Iterator[FieldError]:
        parts = (("data", new.data, old.data), ("binaryData", new.binary_data, old.binary_data))
        return _validate_frozen(new.immutable, old.immutable, parts)


class SecretStrategy(Strategy[Secret]):
    def default(self, obj: Secret) -> None:
        obj.type = obj.type or "Opaque"
        for key, text in obj.string_data.items():
            obj.data[key] = base64.b64encode(text.encode()).decode()
        obj.string_data = {}

    def check(self, obj: Secret) -> Iterator[FieldError]:
        data: dict[str, bytes] = {}
        for key, text in obj.data.items():
            yield from _validate_key(key, f"data[{key}]")
            value = decoded(text)
            if value is None:
                yield _malformed(f"data[{key}]")
            data[key] = value or b""
        if sum(map(len, data.values())) > DATA_BYTES_MAX:
            yield FieldError.too_long("data", DATA_BYTES_MAX)
        yield from _validate_type(obj, data)

    def check_update(self, new: Secret, old: Secret, subresource: str) -> Iterator[FieldError]:
        yield from unchanged("type", new.type, old.type)
        yield from _validate_frozen(new.immutable, old.immutable, (("data", new.data, old.data),))

    def warnings(self, obj: Secret) -> list[str]:
        return [
            f"data[{key}]: the value of a {obj.type} secret is empty"
            for key in _REQUIRED_KEYS.get(obj.type, ())
            if key in obj.data and not obj.data[key]
        ]


def decoded(text: str) -> bytes | None:
    """The bytes of standard base64; None for what is not."""
    try:
        return base64.b64decode(text.replace("\n", "").replace("\r", ""), validate=True)
    except (binascii.Error, ValueError):
        return None


def _malformed(path: str) -> FieldError:
    return FieldError(path, Cause.INVALID, "Invalid value: must be base64 (standard alphabet, with padding)")


def _validate_key(key: str, path: str) -> Errors:
    for problem in names.config_key(key):
        yield FieldError.invalid(path, key, problem)


def _validate_frozen(new: bool | None, old: bool | None, parts: Sequence[tuple[str, Any, Any]]) -> Errors:
    """What was declared immutable stays so, and stays as it is."""
    if not old:
        return
    if not new:
        yield FieldError.forbidden("immutable", _FROZEN)
    for name, ours, theirs in parts:
        if ours != theirs:
            yield FieldError.forbidden(name, _FROZEN)


def _validate_type(secret: Secret, data: Mapping[str, bytes]) -> Errors:
    """What a Secret of a known type must hold."""
    for key in _REQUIRED_KEYS.get(secret.type, ()):
        if key not in data:
            yield FieldError.required(f"data[{key}]")
    match secret.type:
        case "kubernetes.io/service-account-token":
            if not secret.metadata.annotations.get(SERVICE_ACCOUNT_NAME):
                yield FieldError.required(f"metadata.annotations[{SERVICE_ACCOUNT_NAME}]")
        case "kubernetes.io/basic-auth":
            if "username" not in data and "password" not in data:
                yield FieldError.required("data[username]")
                yield FieldError.required("data[password]")
        case "kubernetes.io/ssh-auth":
            if "ssh-privatekey" in data and not data["ssh-privatekey"]:
                yield FieldError.required("data[ssh-privatekey]")
        case "kubernetes.io/dockercfg":
            yield from _validate_json(data, ".dockercfg")
        case "kubernetes.io/dockerconfigjson":
            yield from _validate_json(data, ".dockerconfigjson")


def _validate_json(data: Mapping[str, bytes], key: str) -> Errors:
    if key not in data:
        return
    try:
        content = msgspec.json.decode(data[key])
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        content = None
    if not isinstance(content, dict):
        yield FieldError.invalid(f"data[{key}]", _REDACTED, "must be a JSON object")


_REQUIRED_KEYS: Mapping[str, tuple[str, ...]] = {
    "kubernetes.io/dockercfg": (".dockercfg",),
    "kubernetes.io/dockerconfigjson": (".dockerconfigjson",),
    "kubernetes.io/ssh-auth": ("ssh-privatekey",),
    "kubernetes.io/tls": ("tls.crt", "tls.key"),
}
