"""Questions about who somebody is, and requests for tokens (group authentication.k8s.io/v1): answered, never stored."""

from typing import Annotated

import msgspec

from apimachinery.kinds.base import Base, Int64, Merge, Time, constant
from apimachinery.kinds.meta import ObjectMeta
from apimachinery.kinds.object import Object


class TokenReviewSpec(Base):
    """authentication/v1.TokenReviewSpec"""

    audiences: Annotated[list[str], Merge(list_type="atomic")] = []
    token: str = msgspec.field(default_factory=str)


class UserInfo(Base):
    """authentication/v1.UserInfo"""

    extra: dict[str, list[str]] = {}
    groups: Annotated[list[str], Merge(list_type="atomic")] = []
    uid: str = ""
    username: str = ""


class TokenReviewStatus(Base):
    """authentication/v1.TokenReviewStatus"""

    audiences: Annotated[list[str], Merge(list_type="atomic")] = []
    authenticated: bool | None = None
    error: str = ""
    user: UserInfo | None = None


class TokenReview(Object):
    """authentication/v1.TokenReview"""

    api_version: str = msgspec.field(name="apiVersion", default_factory=constant("authentication.k8s.io/v1"))
    kind: str = msgspec.field(name="kind", default_factory=constant("TokenReview"))
    metadata: ObjectMeta = msgspec.field(default_factory=ObjectMeta)
    spec: TokenReviewSpec = msgspec.field(default_factory=TokenReviewSpec)
    status: TokenReviewStatus = msgspec.field(default_factory=TokenReviewStatus)


class SelfSubjectReviewStatus(Base):
    """authentication/v1.SelfSubjectReviewStatus"""

    user_info: UserInfo | None = None


class SelfSubjectReview(Object):
    """authentication/v1.SelfSubjectReview"""

    api_version: str = msgspec.field(name="apiVersion", default_factory=constant("authentication.k8s.io/v1"))
    kind: str = msgspec.field(name="kind", default_factory=constant("SelfSubjectReview"))
    metadata: ObjectMeta = msgspec.field(default_factory=ObjectMeta)
    status: SelfSubjectReviewStatus = msgspec.field(default_factory=SelfSubjectReviewStatus)


class BoundObjectReference(Base):
    """authentication/v1.BoundObjectReference"""

    api_version: str = ""
    kind: str = ""
    name: str = ""
    uid: str = ""


class TokenRequestSpec(Base):
    """authentication/v1.TokenRequestSpec"""

    audiences: Annotated[list[str], Merge(list_type="atomic")] = []
    bound_object_ref: BoundObjectReference | None = None
    expiration_seconds: Int64 | None = None


class TokenRequestStatus(Base):
    """authentication/v1.TokenRequestStatus"""

    expiration_timestamp: Time | None = None
    token: str = ""


class TokenRequest(Object):
    """authentication/v1.TokenRequest

    A request for a token of a ServiceAccount, which its status answers.
    """

    api_version: str = msgspec.field(name="apiVersion", default_factory=constant("authentication.k8s.io/v1"))
    kind: str = msgspec.field(name="kind", default_factory=constant("TokenRequest"))
    metadata: ObjectMeta = msgspec.field(default_factory=ObjectMeta)
    spec: TokenRequestSpec = msgspec.field(default_factory=TokenRequestSpec)
    status: TokenRequestStatus = msgspec.field(default_factory=TokenRequestStatus)
