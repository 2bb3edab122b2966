"""Reviews: objects that are questions. Creating one answers it in its status; nothing is stored.

Who may ask is the chain's business, like for any request; what the answer is, the authorizer's or the token authenticator's.

Source: the Kubernetes pages "Authorization", section "Checking API access", and "Authenticating", section "API access to
authentication information for a client"; the API reference of each review.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import TypeVar

import msgspec

from apimachinery import codec, errors
from apimachinery.errors import FieldError
from apimachinery.kinds import (
    LocalSubjectAccessReview,
    NonResourceAttributes,
    ResourceAttributes,
    SelfSubjectAccessReview,
    SelfSubjectReview,
    SelfSubjectReviewStatus,
    SelfSubjectRulesReview,
    SubjectAccessReview,
    SubjectAccessReviewSpec,
    SubjectAccessReviewStatus,
    SubjectRulesReviewStatus,
    TokenReview,
)
from apimachinery.kinds.meta import ObjectMeta
from apimachinery.kinds.object import Object
from apimachinery.resources import (
    LOCAL_SUBJECT_ACCESS_REVIEWS,
    SELF_SUBJECT_ACCESS_REVIEWS,
    SELF_SUBJECT_REVIEWS,
    SELF_SUBJECT_RULES_REVIEWS,
    SUBJECT_ACCESS_REVIEWS,
    TOKEN_REVIEWS,
    Resource,
)
from apiserver.core.access import Question
from apiserver.core.bodies import resource_decode
from apiserver.core.naming import settle_namespace
from apiserver.core.request import Document, Request, User
from apiserver.core.users import user_info
from apiserver.ports import Authorizer, Tokens

T = TypeVar("T", bound=Object)


class Reviews:
    """Answers every kind of review."""

    def __init__(self, authorizer: Authorizer, tokens: Tokens) -> None:
        self._authorizer = authorizer
        self._tokens = tokens
        self._answers: Mapping[Resource, Callable[[Request], tuple[Object, tuple[str, ...]]]] = {
            SELF_SUBJECT_REVIEWS: self._self,
            SUBJECT_ACCESS_REVIEWS: self._access,
            LOCAL_SUBJECT_ACCESS_REVIEWS: self._local_access,
            SELF_SUBJECT_ACCESS_REVIEWS: self._self_access,
            SELF_SUBJECT_RULES_REVIEWS: self._self_rules,
        }

    async def create(self, request: Request) -> Document:
        """The review with its answer; raises ApiError 400 or 422."""
        if request.resource is TOKEN_REVIEWS:
            review, warnings = await self._token(request)
        else:
            review, warnings = self._answers[request.resource](request)
        return Document(codec.encode(review), 0, 201, warnings)

    async def _token(self, request: Request) -> tuple[Object, tuple[str, ...]]:
        review, warnings = _decode(TokenReview, request)
        if not review.spec.token:
            raise errors.bad_request("token is required for TokenReview in authentication")
        review.status = await self._tokens.review(review.spec.token, tuple(review.spec.audiences))
        return review, warnings

    def _self(self, request: Request) -> tuple[Object, tuple[str, ...]]:
        review, warnings = _decode(SelfSubjectReview, request)
        review.status = SelfSubjectReviewStatus(user_info=user_info(request.user))
        return review, warnings

    def _access(self, request: Request) -> tuple[Object, tuple[str, ...]]:
        review, warnings = _decode(SubjectAccessReview, request)
        _require(request, (*_check_meta(review.metadata), *_check_subject(review.spec)))
        review.status = self._decide(_user(review.spec), review.spec.resource_attributes, review.spec.non_resource_attributes)
        return review, warnings

    def _local_access(self, request: Request) -> tuple[Object, tuple[str, ...]]:
        review, warnings = _decode(LocalSubjectAccessReview, request)
        settle_namespace(request.resource, review.metadata, request.namespace)
        _require(request, (*_check_meta(review.metadata), *_check_subject(review.spec), *_check_local(review)))
        review.status = self._decide(_user(review.spec), review.spec.resource_attributes, None)
        return review, warnings

    def _self_access(self, request: Request) -> tuple[Object, tuple[str, ...]]:
        review, warnings = _decode(SelfSubjectAccessReview, request)
        spec = review.spec
        attributes = _check_attributes(spec.resource_attributes, spec.non_resource_attributes)
        _require(request, (*_check_meta(review.metadata), *attributes))
        review.status = self._decide(request.user, spec.resource_attributes, spec.non_resource_attributes)
        return review, warnings

    def _self_rules(self, request: Request) -> tuple[Object, tuple[str, ...]]:
        review, warnings = _decode(SelfSubjectRulesReview, request)
        if not review.spec.namespace:
            raise errors.bad_request("no namespace on request")
        rules = self._authorizer.rules(request.user, review.spec.namespace)
        review.status = SubjectRulesReviewStatus(
            resource_rules=list(rules.resource_rules),
            non_resource_rules=list(rules.non_resource_rules),
            incomplete=rules.incomplete,
            evaluation_error=rules.error,
        )
        return review, warnings

    def _decide(
        self, user: User, resource: ResourceAttributes | None, path: NonResourceAttributes | None
    ) -> SubjectAccessReviewStatus:
        if resource is not None:
            question = Question(
                user=user,
                verb=resource.verb,
                group=resource.group,
                version=resource.version,
                resource=resource.resource,
                subresource=resource.subresource,
                namespace=resource.namespace,
                name=resource.name,
            )
        else:
            path = path or NonResourceAttributes()
            question = Question(user=user, verb=path.verb, path=path.path)
        decision = self._authorizer.decide(question)
        return SubjectAccessReviewStatus(
            allowed=decision.allowed,
            denied=decision.denied or None,
            reason=decision.reason,
            evaluation_error=decision.error,
        )


def _decode(cls: type[T], request: Request) -> tuple[T, tuple[str, ...]]:
    review, warnings = resource_decode(request.resource, request.body, request.content_type, request.options.field_validation)
    assert isinstance(review, cls)
    return review, warnings


def _require(request: Request, wrong: tuple[FieldError, ...]) -> None:
    if wrong:
        raise errors.invalid(request.resource.kind, "", wrong, group=request.resource.group)


def _user(spec: SubjectAccessReviewSpec) -> User:
    extra = tuple((name, tuple(values)) for name, values in spec.extra.items())
    return User(spec.user, tuple(spec.groups), uid=spec.uid, extra=extra)


def _check_meta(meta: ObjectMeta) -> Iterator[FieldError]:
    """A question has no name: nobody can ask for it again."""
    bare = msgspec.structs.replace(meta, namespace="", managed_fields=[])
    if bare != ObjectMeta():
        yield FieldError.invalid("metadata", msgspec.to_builtins(bare), "must be empty")


def _check_subject(spec: SubjectAccessReviewSpec) -> Iterator[FieldError]:
    yield from _check_attributes(spec.resource_attributes, spec.non_resource_attributes)
    if not spec.user and not spec.groups:
        yield FieldError.invalid("spec.user", spec.user, "at least one of user or group must be specified")


def _check_attributes(resource: ResourceAttributes | None, path: NonResourceAttributes | None) -> Iterator[FieldError]:
    if resource is not None and path is not None:
        detail = "cannot be specified in combination with resourceAttributes"
        yield FieldError.invalid("spec.nonResourceAttributes", msgspec.to_builtins(path), detail)
    if resource is None and path is None:
        detail = "exactly one of nonResourceAttributes or resourceAttributes must be specified"
        yield FieldError.invalid("spec.resourceAttributes", None, detail)
    for name, selector in (
        ("fieldSelector", resource.field_selector if resource else None),
        ("labelSelector", resource.label_selector if resource else None),
    ):
        if selector is not None and selector.raw_selector and selector.requirements:
            detail = "may not specified at the same time as requirements"
            where = f"spec.resourceAttributes.{name}.rawSelector"
            yield FieldError.invalid(where, selector.raw_selector, detail)


def _check_local(review: LocalSubjectAccessReview) -> Iterator[FieldError]:
    resource, namespace = review.spec.resource_attributes, review.metadata.namespace
    if resource is not None and resource.namespace != namespace:
        where = "spec.resourceAttributes.namespace"
        yield FieldError.invalid(where, resource.namespace, "must match metadata.namespace")
    if review.spec.non_resource_attributes is not None:
        plain = msgspec.to_builtins(review.spec.non_resource_attributes)
        yield FieldError.invalid("spec.nonResourceAttributes", plain, "disallowed on this kind of request")
