"""Errors as the API speaks of them: one exception that carries a Status, and a constructor for each reason.

Every component raises and catches `ApiError` at the API's boundary; the doors turn it into an HTTP answer or a gRPC status and
clients turn those back, so that a reason and its causes survive the way.
Source: the Kubernetes page "Status" of the API reference; codes and reasons are Kubernetes' own.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

import msgspec

from apimachinery.kinds.meta import Status, StatusCause, StatusDetails

_QUOTED_MAX = 512


class Reason(StrEnum):
    """Machine-readable reasons of a failed request."""

    UNAUTHORIZED = "Unauthorized"
    FORBIDDEN = "Forbidden"
    NOT_FOUND = "NotFound"
    ALREADY_EXISTS = "AlreadyExists"
    CONFLICT = "Conflict"
    GONE = "Gone"
    EXPIRED = "Expired"
    INVALID = "Invalid"
    BAD_REQUEST = "BadRequest"
    METHOD_NOT_ALLOWED = "MethodNotAllowed"
    NOT_ACCEPTABLE = "NotAcceptable"
    UNSUPPORTED_MEDIA_TYPE = "UnsupportedMediaType"
    REQUEST_ENTITY_TOO_LARGE = "RequestEntityTooLarge"
    TOO_MANY_REQUESTS = "TooManyRequests"
    TIMEOUT = "Timeout"
    SERVER_TIMEOUT = "ServerTimeout"
    SERVICE_UNAVAILABLE = "ServiceUnavailable"
    INTERNAL_ERROR = "InternalError"


class Cause(StrEnum):
    """Why one field is wrong."""

    REQUIRED = "FieldValueRequired"
    INVALID = "FieldValueInvalid"
    NOT_SUPPORTED = "FieldValueNotSupported"
    DUPLICATE = "FieldValueDuplicate"
    FORBIDDEN = "FieldValueForbidden"
    TOO_LONG = "FieldValueTooLong"
    TOO_MANY = "FieldValueTooMany"
    NOT_FOUND = "FieldValueNotFound"
    TYPE_INVALID = "FieldValueTypeInvalid"


@dataclass(frozen=True)
class FieldError:
    """One wrong field: its path (`spec.containers[0].image`), why, and the sentence for people."""

    path: str
    cause: Cause
    message: str

    @classmethod
    def required(cls, path: str, detail: str = "") -> "FieldError":
        return cls(path, Cause.REQUIRED, _join("Required value", detail))

    @classmethod
    def invalid(cls, path: str, value: object, detail: str) -> "FieldError":
        return cls(path, Cause.INVALID, f"Invalid value: {_quote(value)}: {detail}")

    @classmethod
    def not_supported(cls, path: str, value: object, supported: Sequence[str]) -> "FieldError":
        choices = ", ".join(f'"{choice}"' for choice in sorted(supported))
        return cls(path, Cause.NOT_SUPPORTED, f"Unsupported value: {_quote(value)}: supported values: {choices}")

    @classmethod
    def duplicate(cls, path: str, value: object) -> "FieldError":
        return cls(path, Cause.DUPLICATE, f"Duplicate value: {_quote(value)}")

    @classmethod
    def forbidden(cls, path: str, detail: str) -> "FieldError":
        return cls(path, Cause.FORBIDDEN, f"Forbidden: {detail}")

    @classmethod
    def too_long(cls, path: str, limit: int, unit: str = "bytes") -> "FieldError":
        return cls(path, Cause.TOO_LONG, f"Too long: may not be more than {limit} {unit}")

    @classmethod
    def too_many(cls, path: str, count: int, limit: int) -> "FieldError":
        return cls(path, Cause.TOO_MANY, f"Too many: {count}: must have at most {limit} items")

    @classmethod
    def not_found(cls, path: str, value: object) -> "FieldError":
        return cls(path, Cause.NOT_FOUND, f"Not found: {_quote(value)}")

    @classmethod
    def type_invalid(cls, path: str, value: object, detail: str) -> "FieldError":
        return cls(path, Cause.TYPE_INVALID, f"Invalid value: {_quote(value)}: {detail}")


class ApiError(Exception):
    """A request that failed, with the Status that says how, and warnings that were given on the way."""

    def __init__(self, status: Status) -> None:
        super().__init__(status.message)
        self.status = status
        self.warnings: tuple[str, ...] = ()

    @property
    def code(self) -> int:
        """The HTTP status code."""
        return self.status.code or 500

    @property
    def reason(self) -> str:
        return self.status.reason

    def retry_after_s(self) -> int | None:
        """How long the server asks to wait before another try, if it does."""
        return self.status.details.retry_after_seconds if self.status.details else None

    def __reduce__(self) -> tuple[type["ApiError"], tuple[Status]]:
        return ApiError, (self.status,)


def api_error(
    code: int,
    reason: Reason,
    message: str,
    *,
    group: str = "",
    resource: str = "",
    name: str = "",
    causes: Sequence[StatusCause] = (),
    retry_after_s: int | None = None,
) -> ApiError:
    """An ApiError from its parts; `resource` is a plural (a kind for invalid objects)."""
    details = None
    if group or resource or name or causes or retry_after_s is not None:
        details = StatusDetails(group=group, kind=resource, name=name, causes=list(causes), retry_after_seconds=retry_after_s)
    return ApiError(Status(status="Failure", code=code, reason=str(reason), message=message, details=details))


def not_found(resource: str, name: str, group: str = "") -> ApiError:
    message = f'{_qualified(resource, group)} "{name}" not found'
    return api_error(404, Reason.NOT_FOUND, message, group=group, resource=resource, name=name)


def no_such_path() -> ApiError:
    """The path names no resource that is served."""
    return api_error(404, Reason.NOT_FOUND, "the server could not find the requested resource")


def already_exists(resource: str, name: str, group: str = "") -> ApiError:
    message = f'{_qualified(resource, group)} "{name}" already exists'
    return api_error(409, Reason.ALREADY_EXISTS, message, group=group, resource=resource, name=name)


def conflict(resource: str, name: str, detail: str = "", group: str = "") -> ApiError:
    detail = detail or "the object has been modified; please apply your changes to the latest version and try again"
    message = f'Operation cannot be fulfilled on {_qualified(resource, group)} "{name}": {detail}'
    return api_error(409, Reason.CONFLICT, message, group=group, resource=resource, name=name)


def invalid(kind: str, name: str, errors: Sequence[FieldError], group: str = "") -> ApiError:
    causes = [StatusCause(field=error.path, reason=str(error.cause), message=error.message) for error in errors]
    sentences = [f"{error.path}: {error.message}" if error.path else error.message for error in errors]
    listed = sentences[0] if len(sentences) == 1 else "[" + ", ".join(sentences) + "]"
    message = f'{_qualified(kind, group)} "{name}" is invalid: {listed}'
    return api_error(422, Reason.INVALID, message, group=group, resource=kind, name=name, causes=causes)


def bad_request(message: str) -> ApiError:
    return api_error(400, Reason.BAD_REQUEST, message)


def unauthorized(message: str = "Unauthorized") -> ApiError:
    return api_error(401, Reason.UNAUTHORIZED, message)


def forbidden(resource: str, name: str, detail: str, group: str = "") -> ApiError:
    subject = f'{_qualified(resource, group)} "{name}"' if name else _qualified(resource, group)
    return api_error(403, Reason.FORBIDDEN, f"{subject} is forbidden: {detail}", group=group, resource=resource, name=name)


def expired(message: str = "The resourceVersion for the provided watch is too old.") -> ApiError:
    return api_error(410, Reason.EXPIRED, message)


def method_not_allowed(verb: str) -> ApiError:
    return api_error(405, Reason.METHOD_NOT_ALLOWED, f"{verb} is not supported on this resource")


def not_acceptable(message: str) -> ApiError:
    return api_error(406, Reason.NOT_ACCEPTABLE, message)


def unsupported_media_type(message: str) -> ApiError:
    return api_error(415, Reason.UNSUPPORTED_MEDIA_TYPE, message)


def too_large(message: str) -> ApiError:
    return api_error(413, Reason.REQUEST_ENTITY_TOO_LARGE, message)


def too_many_requests(message: str, retry_after_s: int = 1) -> ApiError:
    return api_error(429, Reason.TOO_MANY_REQUESTS, message, retry_after_s=retry_after_s)


def timeout(message: str, retry_after_s: int | None = None) -> ApiError:
    return api_error(504, Reason.TIMEOUT, message, retry_after_s=retry_after_s)


def unavailable(message: str, retry_after_s: int | None = 1) -> ApiError:
    return api_error(503, Reason.SERVICE_UNAVAILABLE, message, retry_after_s=retry_after_s)


def internal(message: str) -> ApiError:
    return api_error(500, Reason.INTERNAL_ERROR, f"Internal error occurred: {message}")


def is_not_found(error: BaseException) -> bool:
    return isinstance(error, ApiError) and error.reason == Reason.NOT_FOUND


def is_already_exists(error: BaseException) -> bool:
    return isinstance(error, ApiError) and error.reason == Reason.ALREADY_EXISTS


def is_conflict(error: BaseException) -> bool:
    return isinstance(error, ApiError) and error.reason == Reason.CONFLICT


def is_expired(error: BaseException) -> bool:
    return isinstance(error, ApiError) and error.reason in (Reason.EXPIRED, Reason.GONE)


def is_namespace_terminating(error: BaseException) -> bool:
    """Whether nothing can be created because the namespace is on its way out."""
    if not isinstance(error, ApiError) or error.status.details is None:
        return False
    return any(cause.reason == "NamespaceTerminating" for cause in error.status.details.causes)


def _qualified(resource: str, group: str) -> str:
    return f"{resource}.{group}" if group else resource


def _join(sentence: str, detail: str) -> str:
    return f"{sentence}: {detail}" if detail else sentence


def _quote(value: object) -> str:
    """A value as JSON, which is how the client wrote it; a long one is cut."""
    structured = isinstance(value, str | dict | list | bool | msgspec.Struct | None)
    text = msgspec.json.encode(value).decode() if structured else str(value)
    return text if len(text) <= _QUOTED_MAX else f"{text[:_QUOTED_MAX]}..."
