"""Validating admission policies and their bindings: every expression is compiled before a policy is stored.

Source: the Kubernetes page "Validating Admission Policy" and the API reference of both kinds.
"""

import re
from collections.abc import Iterator, Sequence
from functools import partial

import msgspec

from apimachinery import names
from apimachinery.errors import FieldError
from apimachinery.kinds import (
    AuditAnnotation,
    MatchResources,
    NamedRuleWithOperations,
    ParamKind,
    ParamRef,
    TypeChecking,
    ValidatingAdmissionPolicy,
    ValidatingAdmissionPolicyBinding,
    Validation,
    Variable,
)
from apimachinery.kinds.meta import LabelSelector
from apiserver.cel.syntax import KEYWORDS, RESERVED
from apiserver.core.admission_policies import (
    AUDIT,
    DENY,
    WARN,
    Environment,
    compile_annotation,
    compile_condition,
    compile_message,
    compile_validation,
    compile_variable,
)
from apiserver.strategy.base import Strategy
from apiserver.strategy.checks import Errors, named, one_of, optional_one_of, unique
from apiserver.strategy.conditions import validate_conditions
from apiserver.strategy.expressions import compiled, validate_match_conditions
from apiserver.strategy.selectors import validate_label_selector
from apiserver.strategy.webhooks import FAILURE_POLICIES, MATCH_POLICIES, validate_rule

REASONS = ("Forbidden", "Invalid", "RequestEntityTooLarge", "Unauthorized")
AUDIT_ANNOTATIONS_MAX = 20
VALUE_EXPRESSION_BYTES_MAX = 5 * 1024
_IDENTIFIER = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*")


class ValidatingAdmissionPolicyStrategy(Strategy[ValidatingAdmissionPolicy]):
    """What has been observed is what is stored: expressions are checked when they are written, by the server itself."""

    has_status = True
    has_generation = True

    def default(self, obj: ValidatingAdmissionPolicy) -> None:
        obj.spec.failure_policy = obj.spec.failure_policy or "Fail"
        default_match_resources(obj.spec.match_constraints)

    def prepare_create(self, obj: ValidatingAdmissionPolicy) -> None:
        super().prepare_create(obj)
        _observe(obj)

    def prepare_update(self, new: ValidatingAdmissionPolicy, old: ValidatingAdmissionPolicy, subresource: str) -> None:
        super().prepare_update(new, old, subresource)
        if not subresource and new.metadata.generation != old.metadata.generation:
            _observe(new)

    def check(self, obj: ValidatingAdmissionPolicy) -> Iterator[FieldError]:
        spec = obj.spec
        yield from one_of("spec.failurePolicy", spec.failure_policy, FAILURE_POLICIES)
        if spec.param_kind is not None:
            yield from validate_param_kind(spec.param_kind, "spec.paramKind")
        yield from validate_match_constraints(spec.match_constraints, "spec.matchConstraints")
        if not spec.validations and not spec.audit_annotations:
            yield FieldError.required("spec.validations", "validations or auditAnnotations must be non-empty")
            yield FieldError.required("spec.auditAnnotations", "validations or auditAnnotations must be non-empty")
        environment = Environment(params=spec.param_kind is not None)
        compile_it = partial(compile_condition, environment=environment)
        yield from validate_match_conditions(spec.match_conditions, compile_it, "spec.matchConditions")
        yield from validate_variables(spec.variables, environment, "spec.variables")
        for index, validation in enumerate(spec.validations):
            yield from _validate_validation(validation, environment, f"spec.validations[{index}]")
        yield from _validate_annotations(obj, environment)

    def check_status_update(self, new: ValidatingAdmissionPolicy, old: ValidatingAdmissionPolicy) -> Iterator[FieldError]:
        yield from validate_conditions(new.status.conditions, "status.conditions")
        if new.status.type_checking is not None:
            for index, warning in enumerate(new.status.type_checking.expression_warnings):
                where = f"status.typeChecking.expressionWarnings[{index}]"
                if not warning.warning:
                    yield FieldError.required(f"{where}.warning")
                if not warning.field_ref:
                    yield FieldError.required(f"{where}.fieldRef")


class ValidatingAdmissionPolicyBindingStrategy(Strategy[ValidatingAdmissionPolicyBinding]):
    has_generation = True

    def default(self, obj: ValidatingAdmissionPolicyBinding) -> None:
        default_match_resources(obj.spec.match_resources)

    def check(self, obj: ValidatingAdmissionPolicyBinding) -> Iterator[FieldError]:
        spec = obj.spec
        yield from validate_policy_name(spec.policy_name, "spec.policyName")
        yield from validate_param_ref(spec.param_ref, "spec.paramRef")
        if spec.match_resources is not None:
            yield from validate_match_resources(spec.match_resources, "spec.matchResources")
        yield from _validate_actions(spec.validation_actions, "spec.validationActions")


def default_match_resources(resources: MatchResources | None) -> None:
    """Shared by all policies and bindings, like the validations below."""
    if resources is None:
        return
    resources.match_policy = resources.match_policy or "Equivalent"
    resources.namespace_selector = resources.namespace_selector or LabelSelector()
    resources.object_selector = resources.object_selector or LabelSelector()
    for rule in (*resources.resource_rules, *resources.exclude_resource_rules):
        rule.scope = rule.scope or "*"


def validate_param_kind(kind: ParamKind, path: str) -> Errors:
    if not kind.api_version:
        yield FieldError.required(f"{path}.apiVersion")
    elif kind.api_version.count("/") > 1 or not all(kind.api_version.split("/")):
        yield FieldError.invalid(f"{path}.apiVersion", kind.api_version, "unexpected GroupVersion string")
    else:
        group, _, version = kind.api_version.rpartition("/")
        if group:
            yield from named(f"{path}.apiVersion", group, names.dns_1123_subdomain)
        yield from named(f"{path}.apiVersion", version, names.dns_1035_label)
    if not kind.kind:
        yield FieldError.required(f"{path}.kind")
    else:
        for problem in names.dns_1035_label(kind.kind.lower()):
            yield FieldError.invalid(f"{path}.kind", kind.kind, f"may have mixed case, but should otherwise match: {problem}")


def validate_match_constraints(constraints: MatchResources | None, path: str) -> Errors:
    """What a policy is about must be said."""
    if constraints is None:
        yield FieldError.required(path)
        return
    yield from validate_match_resources(constraints, path)
    if not constraints.resource_rules:
        yield FieldError.required(f"{path}.resourceRules")


def validate_match_resources(resources: MatchResources, path: str) -> Errors:
    yield from optional_one_of(f"{path}.matchPolicy", resources.match_policy, MATCH_POLICIES)
    yield from validate_label_selector(resources.namespace_selector, f"{path}.namespaceSelector")
    yield from validate_label_selector(resources.object_selector, f"{path}.objectSelector")
    for index, rule in enumerate(resources.resource_rules):
        yield from _validate_rule(rule, f"{path}.resourceRules[{index}]")
    for index, rule in enumerate(resources.exclude_resource_rules):
        yield from _validate_rule(rule, f"{path}.excludeResourceRules[{index}]")


def validate_variables(variables: Sequence[Variable], environment: Environment, path: str) -> Errors:
    """Each may use those before it; all are declared for what comes after."""
    yield from unique(path, (variable.name for variable in variables), ".name")
    for index, variable in enumerate(variables):
        where = f"{path}[{index}]"
        if not variable.name:
            yield FieldError.required(f"{where}.name")
        elif not _IDENTIFIER.fullmatch(variable.name) or variable.name in KEYWORDS | RESERVED:
            yield FieldError.invalid(f"{where}.name", variable.name, "name is not a valid CEL identifier")
        yield from compiled(f"{where}.expression", variable.expression, partial(compile_variable, variable, environment))


def validate_policy_name(name: str, path: str) -> Errors:
    if not name:
        yield FieldError.required(path)
    else:
        yield from named(path, name, names.dns_1123_subdomain)


def validate_param_ref(reference: ParamRef | None, path: str) -> Errors:
    """Either a name or a selector."""
    if reference is None:
        return
    if reference.name:
        yield from named(f"{path}.name", reference.name, names.path_segment)
        if reference.selector is not None:
            yield FieldError.forbidden(f"{path}.name", "name and selector are mutually exclusive")
    elif reference.selector is None:
        yield FieldError.required(path, "one of name or selector must be specified")
    yield from validate_label_selector(reference.selector, f"{path}.selector")
    if reference.namespace:
        yield from named(f"{path}.namespace", reference.namespace, names.dns_1123_label)
    yield from one_of(f"{path}.parameterNotFoundAction", reference.parameter_not_found_action, ("Allow", "Deny"))


def _observe(policy: ValidatingAdmissionPolicy) -> None:
    generation = policy.metadata.generation
    policy.status = msgspec.structs.replace(policy.status, observed_generation=generation, type_checking=TypeChecking())


def _validate_rule(rule: NamedRuleWithOperations, path: str) -> Errors:
    yield from validate_rule(rule, path)
    yield from unique(f"{path}.resourceNames", rule.resource_names)
    for index, name in enumerate(rule.resource_names):
        yield from named(f"{path}.resourceNames[{index}]", name, names.path_segment)


def _validate_validation(validation: Validation, environment: Environment, path: str) -> Errors:
    expression, message = validation.expression.strip(), validation.message
    yield from compiled(f"{path}.expression", validation.expression, lambda: compile_validation(validation, environment))
    if validation.message_expression and not validation.message_expression.strip():
        yield FieldError.invalid(f"{path}.messageExpression", validation.message_expression, "must be non-empty if specified")
    elif validation.message_expression:
        yield from compiled(
            f"{path}.messageExpression", validation.message_expression, lambda: compile_message(validation, environment)
        )
    if message and not message.strip():
        yield FieldError.invalid(f"{path}.message", message, "message must be non-empty if specified")
    elif "\n" in message.strip():
        yield FieldError.invalid(f"{path}.message", message, "message must not contain line breaks")
    elif "\n" in expression and not message:
        yield FieldError.required(f"{path}.message", "message must be specified if expression contains line breaks")
    yield from optional_one_of(f"{path}.reason", validation.reason, REASONS)


def _validate_annotations(policy: ValidatingAdmissionPolicy, environment: Environment) -> Errors:
    annotations, path = policy.spec.audit_annotations, "spec.auditAnnotations"
    if len(annotations) > AUDIT_ANNOTATIONS_MAX:
        detail = f"must not have more than {AUDIT_ANNOTATIONS_MAX} auditAnnotations"
        yield FieldError.invalid(path, len(annotations), detail)
    yield from unique(path, (annotation.key for annotation in annotations), ".key")
    for index, annotation in enumerate(annotations):
        yield from _validate_annotation(policy.metadata.name, annotation, environment, f"{path}[{index}]")


def _validate_annotation(policy: str, annotation: AuditAnnotation, environment: Environment, path: str) -> Errors:
    if not annotation.key:
        yield FieldError.required(f"{path}.key")
    else:
        yield from named(f"{path}.key", annotation.key, lambda key: names.qualified_name(f"{policy or 'name'}/{key}"))
    if len(annotation.value_expression.encode()) > VALUE_EXPRESSION_BYTES_MAX:
        yield FieldError.required(f"{path}.valueExpression", f"must not exceed {VALUE_EXPRESSION_BYTES_MAX} bytes in length")
        return
    yield from compiled(
        f"{path}.valueExpression", annotation.value_expression, lambda: compile_annotation(annotation, environment)
    )


def _validate_actions(actions: Sequence[str], path: str) -> Errors:
    if not actions:
        yield FieldError.required(path)
    for index, action in enumerate(actions):
        yield from one_of(f"{path}[{index}]", action, (AUDIT, DENY, WARN))
    yield from unique(path, actions)
    if DENY in actions and WARN in actions:
        detail = "must not contain both Deny and Warn (the caller would be told of the same failure twice)"
        yield FieldError.invalid(path, list(actions), detail)
