"""Admission policies and their bindings (group admissionregistration.k8s.io/v1)."""

from typing import Annotated

import msgspec

from apimachinery.kinds.base import Base, Int64, Merge, constant, required_list
from apimachinery.kinds.meta import Condition, LabelSelector, ObjectMeta
from apimachinery.kinds.object import Object
from apimachinery.kinds.webhooks import MatchCondition


class NamedRuleWithOperations(Base):
    """admissionregistration/v1.NamedRuleWithOperations"""

    api_groups: Annotated[list[str], Merge(list_type="atomic")] = []
    api_versions: Annotated[list[str], Merge(list_type="atomic")] = []
    operations: Annotated[list[str], Merge(list_type="atomic")] = []
    resource_names: Annotated[list[str], Merge(list_type="atomic")] = []
    resources: Annotated[list[str], Merge(list_type="atomic")] = []
    scope: str = ""


class MatchResources(Base):
    """admissionregistration/v1.MatchResources"""

    exclude_resource_rules: Annotated[list[NamedRuleWithOperations], Merge(list_type="atomic")] = []
    match_policy: str = ""
    namespace_selector: LabelSelector | None = None
    object_selector: LabelSelector | None = None
    resource_rules: Annotated[list[NamedRuleWithOperations], Merge(list_type="atomic")] = []


class ParamKind(Base):
    """admissionregistration/v1.ParamKind"""

    api_version: str = ""
    kind: str = ""


class ParamRef(Base):
    """admissionregistration/v1.ParamRef"""

    name: str = ""
    namespace: str = ""
    parameter_not_found_action: str = ""
    selector: LabelSelector | None = None


class Variable(Base):
    """admissionregistration/v1.Variable"""

    expression: str = msgspec.field(default_factory=str)
    name: str = msgspec.field(default_factory=str)


class Validation(Base):
    """admissionregistration/v1.Validation"""

    expression: str = msgspec.field(default_factory=str)
    message: str = ""
    message_expression: str = ""
    reason: str = ""


class AuditAnnotation(Base):
    """admissionregistration/v1.AuditAnnotation"""

    key: str = msgspec.field(default_factory=str)
    value_expression: str = msgspec.field(default_factory=str)


class ExpressionWarning(Base):
    """admissionregistration/v1.ExpressionWarning"""

    field_ref: str = msgspec.field(default_factory=str)
    warning: str = msgspec.field(default_factory=str)


class TypeChecking(Base):
    """admissionregistration/v1.TypeChecking"""

    expression_warnings: Annotated[list[ExpressionWarning], Merge(list_type="atomic")] = []


class ValidatingAdmissionPolicySpec(Base):
    """admissionregistration/v1.ValidatingAdmissionPolicySpec"""

    audit_annotations: Annotated[list[AuditAnnotation], Merge(list_type="atomic")] = []
    failure_policy: str = ""
    match_conditions: Annotated[
        list[MatchCondition], Merge(patch="merge", merge_key="name", list_type="map", keys=("name",))
    ] = []
    match_constraints: MatchResources | None = None
    param_kind: ParamKind | None = None
    validations: Annotated[list[Validation], Merge(list_type="atomic")] = []
    variables: Annotated[list[Variable], Merge(patch="merge", merge_key="name", list_type="map", keys=("name",))] = []


class ValidatingAdmissionPolicyStatus(Base):
    """admissionregistration/v1.ValidatingAdmissionPolicyStatus"""

    conditions: Annotated[list[Condition], Merge(list_type="map", keys=("type",))] = []
    observed_generation: Int64 | None = None
    type_checking: TypeChecking | None = None


class ValidatingAdmissionPolicy(Object):
    """admissionregistration/v1.ValidatingAdmissionPolicy"""

    api_version: str = msgspec.field(name="apiVersion", default_factory=constant("admissionregistration.k8s.io/v1"))
    kind: str = msgspec.field(name="kind", default_factory=constant("ValidatingAdmissionPolicy"))
    metadata: ObjectMeta = msgspec.field(default_factory=ObjectMeta)
    spec: ValidatingAdmissionPolicySpec = msgspec.field(default_factory=ValidatingAdmissionPolicySpec)
    status: ValidatingAdmissionPolicyStatus = msgspec.field(default_factory=ValidatingAdmissionPolicyStatus)


class ValidatingAdmissionPolicyBindingSpec(Base):
    """admissionregistration/v1.ValidatingAdmissionPolicyBindingSpec"""

    match_resources: MatchResources | None = None
    param_ref: ParamRef | None = None
    policy_name: str = msgspec.field(default_factory=str)
    validation_actions: Annotated[list[str], Merge(list_type="set")] = msgspec.field(default_factory=required_list)


class ValidatingAdmissionPolicyBinding(Object):
    """admissionregistration/v1.ValidatingAdmissionPolicyBinding"""

    api_version: str = msgspec.field(name="apiVersion", default_factory=constant("admissionregistration.k8s.io/v1"))
    kind: str = msgspec.field(name="kind", default_factory=constant("ValidatingAdmissionPolicyBinding"))
    metadata: ObjectMeta = msgspec.field(default_factory=ObjectMeta)
    spec: ValidatingAdmissionPolicyBindingSpec = msgspec.field(default_factory=ValidatingAdmissionPolicyBindingSpec)


class ApplyConfiguration(Base):
    """admissionregistration/v1.ApplyConfiguration"""

    expression: str = ""


class JSONPatch(Base):
    """admissionregistration/v1.JSONPatch"""

    expression: str = ""


class Mutation(Base):
    """admissionregistration/v1.Mutation"""

    apply_configuration: ApplyConfiguration | None = None
    json_patch: JSONPatch | None = None
    patch_type: str = msgspec.field(default_factory=str)


class MutatingAdmissionPolicySpec(Base):
    """admissionregistration/v1.MutatingAdmissionPolicySpec"""

    failure_policy: str = ""
    match_conditions: Annotated[
        list[MatchCondition], Merge(patch="merge", merge_key="name", list_type="map", keys=("name",))
    ] = []
    match_constraints: MatchResources | None = None
    mutations: Annotated[list[Mutation], Merge(list_type="atomic")] = []
    param_kind: ParamKind | None = None
    reinvocation_policy: str = ""
    variables: Annotated[list[Variable], Merge(list_type="atomic")] = []


class MutatingAdmissionPolicy(Object):
    """admissionregistration/v1.MutatingAdmissionPolicy"""

    api_version: str = msgspec.field(name="apiVersion", default_factory=constant("admissionregistration.k8s.io/v1"))
    kind: str = msgspec.field(name="kind", default_factory=constant("MutatingAdmissionPolicy"))
    metadata: ObjectMeta = msgspec.field(default_factory=ObjectMeta)
    spec: MutatingAdmissionPolicySpec = msgspec.field(default_factory=MutatingAdmissionPolicySpec)


class MutatingAdmissionPolicyBindingSpec(Base):
    """admissionregistration/v1.MutatingAdmissionPolicyBindingSpec"""

    match_resources: MatchResources | None = None
    param_ref: ParamRef | None = None
    policy_name: str = ""


class MutatingAdmissionPolicyBinding(Object):
    """admissionregistration/v1.MutatingAdmissionPolicyBinding"""

    api_version: str = msgspec.field(name="apiVersion", default_factory=constant("admissionregistration.k8s.io/v1"))
    kind: str = msgspec.field(name="kind", default_factory=constant("MutatingAdmissionPolicyBinding"))
    metadata: ObjectMeta = msgspec.field(default_factory=ObjectMeta)
    spec: MutatingAdmissionPolicyBindingSpec = msgspec.field(default_factory=MutatingAdmissionPolicyBindingSpec)
