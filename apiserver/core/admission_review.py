"""What is sent to an admission webhook, and what its answer means: AdmissionReview of admission.k8s.io/v1.

Source: the Kubernetes page "Dynamic Admission Control", sections "Request" and "Response".
"""

import base64
import binascii
from collections.abc import Sequence
from typing import Any

import msgspec

from apimachinery.errors import ApiError
from apimachinery.kinds import UserInfo
from apimachinery.kinds.base import Base
from apimachinery.kinds.meta import Status
from apimachinery.patch import MAX_OPERATIONS
from apimachinery.resources import SUBRESOURCES, Resource
from apiserver.core.request import Options, User
from apiserver.core.users import user_info

API_VERSION, KIND = "admission.k8s.io/v1", "AdmissionReview"
WARNING_CHARACTERS_MAX = 256
WARNINGS_MAX = 16
_NULL = msgspec.Raw(b"null")

CREATE, UPDATE, DELETE, CONNECT = "CREATE", "UPDATE", "DELETE", "CONNECT"


class Attributes(msgspec.Struct, frozen=True):
    """What a request is about, apart from the objects; `options` is their JSON, empty when there are none."""

    operation: str
    row: Resource
    subresource: str
    namespace: str
    name: str
    user: User
    dry_run: bool
    options: bytes


class Verdict(msgspec.Struct, frozen=True):
    """A good answer: `patch` holds the operations on the object, none for none; `status` says why it was refused."""

    allowed: bool
    status: Status | None = None
    patch: Sequence[Any] = ()
    warnings: tuple[str, ...] = ()


class AnswerError(Exception):
    """An answer that is none; its text says why."""


class GroupVersionKind(msgspec.Struct, frozen=True):
    group: str
    version: str
    kind: str


class GroupVersionResource(msgspec.Struct, frozen=True):
    group: str
    version: str
    resource: str


class ReviewRequest(msgspec.Struct, frozen=True, rename="camel"):
    """What a webhook is asked; the same, decoded and without the objects, is the variable `request` of expressions."""

    uid: str
    kind: GroupVersionKind
    resource: GroupVersionResource
    request_kind: GroupVersionKind
    request_resource: GroupVersionResource
    operation: str
    user_info: UserInfo
    object: msgspec.Raw
    old_object: msgspec.Raw
    dry_run: bool
    options: msgspec.Raw
    name: str | msgspec.UnsetType = msgspec.UNSET
    namespace: str | msgspec.UnsetType = msgspec.UNSET
    sub_resource: str | msgspec.UnsetType = msgspec.UNSET
    request_sub_resource: str | msgspec.UnsetType = msgspec.UNSET


def review_request(about: Attributes, row: Resource, uid: str, new: bytes, old: bytes) -> ReviewRequest:
    """The question about `new` and `old` (JSON in the form of `row`, empty for what is not there)."""
    below = about.subresource or msgspec.UNSET
    return ReviewRequest(
        uid=uid,
        kind=_kind(row, about.subresource),
        resource=GroupVersionResource(row.group, row.version, row.plural),
        request_kind=_kind(about.row, about.subresource),
        request_resource=GroupVersionResource(about.row.group, about.row.version, about.row.plural),
        operation=about.operation,
        user_info=user_info(about.user),
        object=_raw(new),
        old_object=_raw(old),
        dry_run=about.dry_run,
        options=_raw(about.options),
        name=about.name or msgspec.UNSET,
        namespace=about.namespace or msgspec.UNSET,
        sub_resource=below,
        request_sub_resource=below,
    )


def encode_review(request: ReviewRequest) -> bytes:
    """The body of a call."""
    return msgspec.json.encode({"kind": KIND, "apiVersion": API_VERSION, "request": request})


def request_values(request: ReviewRequest) -> tuple[Any, Any, dict[str, Any]]:
    """The object, the object before, and the variable `request` of expressions, as plain data."""
    plain: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(request))
    return plain.pop("object"), plain.pop("oldObject"), plain


def write_options(kind: str, options: Options) -> bytes:
    """The options of a create or an update, as their kind (`CreateOptions`, `UpdateOptions`)."""
    given: dict[str, Any] = {"kind": kind, "apiVersion": "meta.k8s.io/v1"}
    if options.dry_run:
        given["dryRun"] = ["All"]
    if options.field_manager:
        given["fieldManager"] = options.field_manager
    given["fieldValidation"] = str(options.field_validation)
    return msgspec.json.encode(given)


def delete_options(options: Options, uid: str, resource_version: str) -> bytes:
    """The options of a delete, with its preconditions."""
    given: dict[str, Any] = {"kind": "DeleteOptions", "apiVersion": "meta.k8s.io/v1"}
    if options.grace_period_s is not None:
        given["gracePeriodSeconds"] = options.grace_period_s
    preconditions = {key: value for key, value in (("uid", uid), ("resourceVersion", resource_version)) if value}
    if preconditions:
        given["preconditions"] = preconditions
    if options.orphan_dependents is not None:
        given["orphanDependents"] = options.orphan_dependents
    if options.propagation_policy:
        given["propagationPolicy"] = options.propagation_policy
    if options.dry_run:
        given["dryRun"] = ["All"]
    return msgspec.json.encode(given)


def read_answer(body: bytes, uid: str, *, mutating: bool) -> Verdict:
    """What a webhook has answered; raises AnswerError for what is no answer to the question `uid`."""
    try:
        review = msgspec.json.decode(body, type=_Review)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise AnswerError(f"the response is no AdmissionReview: {error}") from error
    if (review.api_version, review.kind) != (API_VERSION, KIND):
        raise AnswerError(
            f"expected webhook response of {API_VERSION}, Kind={KIND}, got {review.api_version or '/'}, Kind={review.kind}"
        )
    response = review.response
    if response is None:
        raise AnswerError("webhook response was absent")
    if response.uid != uid:
        raise AnswerError(f'expected response.uid="{uid}", got "{response.uid}"')
    return Verdict(
        response.allowed,
        response.status,
        _patch_of(response, mutating=mutating) if response.allowed else (),
        tuple(each[:WARNING_CHARACTERS_MAX] for each in (response.warnings or ())[:WARNINGS_MAX]),
    )


def refusal(webhook: str, status: Status | None) -> ApiError:
    """What a request that a webhook has refused is answered with: its status, under its name."""
    status = status or Status()
    denied = f'admission webhook "{webhook}" denied the request'
    if status.message:
        message = f"{denied}: {status.message}"
    elif status.reason:
        message = f"{denied}: {status.reason}"
    else:
        message = f"{denied} without explanation"
    code = status.code if status.code and 400 <= status.code < 600 else 400
    return ApiError(msgspec.structs.replace(status, status="Failure", message=message, code=code))


class _Response(Base):
    uid: str = ""
    allowed: bool = False
    status: Status | None = None
    patch: str | None = None
    patch_type: str | None = None
    audit_annotations: dict[str, str] | None = None
    warnings: list[str] | None = None


class _Review(Base):
    api_version: str = ""
    kind: str = ""
    response: _Response | None = None


def _patch_of(response: _Response, *, mutating: bool) -> Sequence[Any]:
    if not mutating:
        if response.patch or response.patch_type:
            raise AnswerError("validating webhook may not return response.patch or response.patchType")
        return ()
    if not response.patch:
        if response.patch_type:
            raise AnswerError("webhook returned response.patchType but not response.patch")
        return ()
    if not response.patch_type:
        raise AnswerError("webhook returned response.patch but not response.patchType")
    if response.patch_type != "JSONPatch":
        raise AnswerError(f'invalid response.patchType "{response.patch_type}", expected "JSONPatch"')
    try:
        operations = msgspec.json.decode(base64.b64decode(response.patch, validate=True))
    except (binascii.Error, ValueError, msgspec.MsgspecError, RecursionError) as error:
        raise AnswerError(f"response.patch is no JSON patch in base64: {error}") from error
    if not isinstance(operations, list) or len(operations) > MAX_OPERATIONS:
        raise AnswerError(f"response.patch is no list of at most {MAX_OPERATIONS} operations")
    return operations


def _kind(row: Resource, subresource: str) -> GroupVersionKind:
    known = SUBRESOURCES.get(subresource) if subresource else None
    return GroupVersionKind(*(known.gvk(row) if known is not None else (row.group, row.version, row.kind)))


def _raw(data: bytes) -> msgspec.Raw:
    return msgspec.Raw(data) if data else _NULL
