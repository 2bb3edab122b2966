"""Questions about what somebody may do (group authorization.k8s.io/v1): answered, never stored."""

from typing import Annotated

import msgspec

from apimachinery.kinds.base import Base, Merge, constant, required_list
from apimachinery.kinds.meta import FieldSelectorRequirement, LabelSelectorRequirement, ObjectMeta
from apimachinery.kinds.object import Object


class NonResourceAttributes(Base):
    """authorization/v1.NonResourceAttributes"""

    path: str = ""
    verb: str = ""


class FieldSelectorAttributes(Base):
    """authorization/v1.FieldSelectorAttributes"""

    raw_selector: str = ""
    requirements: Annotated[list[FieldSelectorRequirement], Merge(list_type="atomic")] = []


class LabelSelectorAttributes(Base):
    """authorization/v1.LabelSelectorAttributes"""

    raw_selector: str = ""
    requirements: Annotated[list[LabelSelectorRequirement], Merge(list_type="atomic")] = []


class ResourceAttributes(Base):
    """authorization/v1.ResourceAttributes"""

    name: str = ""
    namespace: str = ""
    field_selector: FieldSelectorAttributes | None = None
    group: str = ""
    label_selector: LabelSelectorAttributes | None = None
    resource: str = ""
    subresource: str = ""
    verb: str = ""
    version: str = ""


class SubjectAccessReviewSpec(Base):
    """authorization/v1.SubjectAccessReviewSpec"""

    extra: dict[str, list[str]] = {}
    groups: Annotated[list[str], Merge(list_type="atomic")] = []
    non_resource_attributes: NonResourceAttributes | None = None
    resource_attributes: ResourceAttributes | None = None
    uid: str = ""
    user: str = ""


class SubjectAccessReviewStatus(Base):
    """authorization/v1.SubjectAccessReviewStatus"""

    allowed: bool = msgspec.field(default_factory=bool)
    denied: bool | None = None
    evaluation_error: str = ""
    reason: str = ""


class SubjectAccessReview(Object):
    """authorization/v1.SubjectAccessReview"""

    api_version: str = msgspec.field(name="apiVersion", default_factory=constant("authorization.k8s.io/v1"))
    kind: str = msgspec.field(name="kind", default_factory=constant("SubjectAccessReview"))
    metadata: ObjectMeta = msgspec.field(default_factory=ObjectMeta)
    spec: SubjectAccessReviewSpec = msgspec.field(default_factory=SubjectAccessReviewSpec)
    status: SubjectAccessReviewStatus = msgspec.field(default_factory=SubjectAccessReviewStatus)


class SelfSubjectAccessReviewSpec(Base):
    """authorization/v1.SelfSubjectAccessReviewSpec"""

    non_resource_attributes: NonResourceAttributes | None = None
    resource_attributes: ResourceAttributes | None = None


class SelfSubjectAccessReview(Object):
    """authorization/v1.SelfSubjectAccessReview"""

    api_version: str = msgspec.field(name="apiVersion", default_factory=constant("authorization.k8s.io/v1"))
    kind: str = msgspec.field(name="kind", default_factory=constant("SelfSubjectAccessReview"))
    metadata: ObjectMeta = msgspec.field(default_factory=ObjectMeta)
    spec: SelfSubjectAccessReviewSpec = msgspec.field(default_factory=SelfSubjectAccessReviewSpec)
    status: SubjectAccessReviewStatus = msgspec.field(default_factory=SubjectAccessReviewStatus)


class LocalSubjectAccessReview(Object):
    """authorization/v1.LocalSubjectAccessReview"""

    api_version: str = msgspec.field(name="apiVersion", default_factory=constant("authorization.k8s.io/v1"))
    kind: str = msgspec.field(name="kind", default_factory=constant("LocalSubjectAccessReview"))
    metadata: ObjectMeta = msgspec.field(default_factory=ObjectMeta)
    spec: SubjectAccessReviewSpec = msgspec.field(default_factory=SubjectAccessReviewSpec)
    status: SubjectAccessReviewStatus = msgspec.field(default_factory=SubjectAccessReviewStatus)


class SelfSubjectRulesReviewSpec(Base):
    """authorization/v1.SelfSubjectRulesReviewSpec"""

    namespace: str = ""


class NonResourceRule(Base):
    """authorization/v1.NonResourceRule"""

    non_resource_urls: Annotated[list[str], Merge(list_type="atomic")] = msgspec.field(
        name="nonResourceURLs", default_factory=list
    )
    verbs: Annotated[list[str], Merge(list_type="atomic")] = msgspec.field(default_factory=required_list)


class ResourceRule(Base):
    """authorization/v1.ResourceRule"""

    api_groups: Annotated[list[str], Merge(list_type="atomic")] = []
    resource_names: Annotated[list[str], Merge(list_type="atomic")] = []
    resources: Annotated[list[str], Merge(list_type="atomic")] = []
    verbs: Annotated[list[str], Merge(list_type="atomic")] = msgspec.field(default_factory=required_list)


class SubjectRulesReviewStatus(Base):
    """authorization/v1.SubjectRulesReviewStatus"""

    evaluation_error: str = ""
    incomplete: bool = msgspec.field(default_factory=bool)
    non_resource_rules: Annotated[list[NonResourceRule], Merge(list_type="atomic")] = msgspec.field(
        default_factory=required_list
    )
    resource_rules: Annotated[list[ResourceRule], Merge(list_type="atomic")] = msgspec.field(default_factory=required_list)


class SelfSubjectRulesReview(Object):
    """authorization/v1.SelfSubjectRulesReview"""

    api_version: str = msgspec.field(name="apiVersion", default_factory=constant("authorization.k8s.io/v1"))
    kind: str = msgspec.field(name="kind", default_factory=constant("SelfSubjectRulesReview"))
    metadata: ObjectMeta = msgspec.field(default_factory=ObjectMeta)
    spec: SelfSubjectRulesReviewSpec = msgspec.field(default_factory=SelfSubjectRulesReviewSpec)
    status: SubjectRulesReviewStatus = msgspec.field(default_factory=SubjectRulesReviewStatus)
