"""Validating admission policies: expressions that objects must satisfy, and the bindings that put them in force.

A policy is compiled once, when it is first seen. For a request that it is about, and for each object of parameters that a
binding names, it is judged: match conditions → validations, of which each that does not hold, or cannot be evaluated, is a
finding. The variables of a policy are evaluated when an expression first asks for them, once for each judgement.

Pure: objects, parameters and the authorizer come as values; who fetches them is the registry.

Source: the Kubernetes page "Validating Admission Policy".
"""

from collections.abc import Mapping, Sequence

import msgspec

from apimachinery.kinds import (
    AuditAnnotation,
    MatchCondition,
    ParamKind,
    ParamRef,
    ValidatingAdmissionPolicy,
    ValidatingAdmissionPolicyBinding,
    Validation,
    Variable,
)
from apiserver import cel
from apiserver.cel import types
from apiserver.cel.library.authorization import AUTHORIZER
from apiserver.cel.types import Type
from apiserver.cel.values import Record
from apiserver.core.admission_rules import Matcher, compile_matcher

DENY, WARN, AUDIT = "Deny", "Warn", "Audit"
MESSAGE_CHARACTERS_MAX = 5 * 1024
_GROUP_VERSION_KIND = types.record("kubernetes.GroupVersionKind", dict.fromkeys(("group", "version", "kind"), types.STRING))
_GROUP_VERSION_RESOURCE = types.record(
    "kubernetes.GroupVersionResource", dict.fromkeys(("group", "version", "resource"), types.STRING)
)
_USER = types.record(
    "kubernetes.UserInfo",
    {
        "username": types.STRING,
        "uid": types.STRING,
        "groups": types.list_of(types.STRING),
        "extra": types.map_of(types.list_of(types.STRING)),
    },
)
REQUEST = types.record(
    "kubernetes.AdmissionRequest",
    {
        "kind": _GROUP_VERSION_KIND,
        "resource": _GROUP_VERSION_RESOURCE,
        "subResource": types.STRING,
        "requestKind": _GROUP_VERSION_KIND,
        "requestResource": _GROUP_VERSION_RESOURCE,
        "requestSubResource": types.STRING,
        "name": types.STRING,
        "namespace": types.STRING,
        "operation": types.STRING,
        "userInfo": _USER,
        "dryRun": types.BOOL,
        "options": types.DYN,
    },
)
_BASE: Mapping[str, Type] = {
    "object": types.DYN,
    "oldObject": types.DYN,
    "request": REQUEST,
    "namespaceObject": types.DYN,
}
_STRING_OR_NULL: cel.ResultType = (types.STRING, types.NULL)


class Environment:
    """The variables that the expressions of a policy may use, their types, and the messages that they may make."""

    def __init__(self, *, params: bool, message_names: tuple[str, ...] = ()) -> None:
        self.message_names = message_names
        self.conditions: dict[str, Type] = {**_BASE, "authorizer": AUTHORIZER}
        self.messages: dict[str, Type] = dict(_BASE)
        if params:
            self.conditions["params"] = self.messages["params"] = types.DYN
        self._declared: dict[str, Type] = {}
        self._settle()

    def declare(self, name: str, kind: Type) -> None:
        """Add one of the policy's own variables, for what is compiled from now on."""
        self._declared = {**self._declared, name: kind}
        self._settle()

    def _settle(self) -> None:
        variables = types.record("kubernetes.variables", self._declared)
        self.expressions = {**self.conditions, "variables": variables}
        self.messages = {**self.messages, "variables": variables}


class Check(msgspec.Struct, frozen=True):
    """One validation, compiled; `message_program` None when the message is fixed."""

    program: cel.Program
    expression: str
    message: str
    message_program: cel.Program | None
    reason: str


class Rules(msgspec.Struct, frozen=True):
    """What all policies have, compiled; `broken` says why one could not be: it then fails for every request it is about."""

    name: str
    matcher: Matcher
    fails_open: bool
    param_kind: ParamKind | None
    conditions: tuple[tuple[str, cel.Program], ...] = ()
    variables: tuple[tuple[str, cel.Program], ...] = ()
    broken: str = ""


class Policy(Rules, frozen=True):
    """A validating policy, compiled."""

    checks: tuple[Check, ...] = ()
    annotations: tuple[tuple[str, cel.Program], ...] = ()


class Binding(msgspec.Struct, frozen=True):
    """A binding, compiled."""

    name: str
    policy: str
    matcher: Matcher
    param_ref: ParamRef | None
    actions: tuple[str, ...] = ()


class Finding(msgspec.Struct, frozen=True):
    """A validation that does not hold; `error` when it could not be evaluated. `reason` "" means Invalid."""

    message: str
    reason: str = ""
    error: bool = False


class Judgement(msgspec.Struct, frozen=True):
    """What a policy makes of a request: findings to be acted upon, and annotations for those who audit."""

    findings: tuple[Finding, ...] = ()
    annotations: tuple[tuple[str, str], ...] = ()


def compile_policy(policy: ValidatingAdmissionPolicy) -> Policy:
    """A stored policy ready for use."""
    spec = policy.spec
    empty = Policy(
        policy.metadata.name, compile_matcher(spec.match_constraints), spec.failure_policy == "Ignore", spec.param_kind
    )
    try:
        environment = Environment(params=spec.param_kind is not None)
        conditions = tuple((each.name, compile_condition(each, environment)) for each in spec.match_conditions)
        variables = tuple((each.name, compile_variable(each, environment)) for each in spec.variables)
        checks = tuple(_compile_check(each, environment) for each in spec.validations)
        annotations = tuple((each.key, compile_annotation(each, environment)) for each in spec.audit_annotations)
    except cel.CelError as error:
        return msgspec.structs.replace(empty, broken=f"compilation failed: {error}")
    return msgspec.structs.replace(empty, conditions=conditions, variables=variables, checks=checks, annotations=annotations)


def compile_binding(binding: ValidatingAdmissionPolicyBinding) -> Binding:
    """A stored binding ready for use."""
    spec = binding.spec
    actions = tuple(spec.validation_actions)
    return Binding(binding.metadata.name, spec.policy_name, compile_matcher(spec.match_resources), spec.param_ref, actions)


def compile_condition(condition: MatchCondition, environment: Environment) -> cel.Program:
    """Raises CelError, as the next ones do."""
    return cel.compile(condition.expression, environment.conditions)


def compile_variable(variable: Variable, environment: Environment) -> cel.Program:
    """Declares it too: the expressions after it may use it."""
    program = cel.compile(variable.expression, environment.expressions, result=cel.ANY, messages=environment.message_names)
    environment.declare(variable.name, program.type)
    return program


def compile_validation(validation: Validation, environment: Environment) -> cel.Program:
    return cel.compile(validation.expression, environment.expressions)


def compile_message(validation: Validation, environment: Environment) -> cel.Program:
    return cel.compile(validation.message_expression, environment.messages, result=cel.STRING)


def compile_annotation(annotation: AuditAnnotation, environment: Environment) -> cel.Program:
    return cel.compile(annotation.value_expression, environment.expressions, result=_STRING_OR_NULL)


def _compile_check(validation: Validation, environment: Environment) -> Check:
    return Check(
        compile_validation(validation, environment),
        validation.expression.strip(),
        validation.message.strip(),
        compile_message(validation, environment) if validation.message_expression else None,
        validation.reason,
    )


def judge(policy: Policy, values: Mapping[str, object]) -> Judgement:
    """What the policy makes of these values of its variables (`object`, `oldObject`, `request`, `params`, ...)."""
    if policy.broken:
        return _failed(policy, policy.broken)
    budget = cel.Budget()
    met, problem = conditions_met(policy, values)
    if problem:
        return _failed(policy, problem)
    if not met:
        return Judgement()
    values = {**values, "variables": Variables(policy.variables, values, budget)}
    findings = [finding for check in policy.checks if (finding := _checked(policy, check, values, budget)) is not None]
    annotations = []
    for key, program in policy.annotations:
        try:
            value = program.evaluate(values, budget)
        except cel.CelError as error:
            if not policy.fails_open:
                findings.append(Finding(f"auditAnnotation '{key}' resulted in error: {error}", error=True))
            continue
        if isinstance(value, str) and value.strip():
            annotations.append((f"{policy.name}/{key}", value.strip()[: 2 * MESSAGE_CHARACTERS_MAX]))
    return Judgement(tuple(findings), tuple(annotations))


def _failed(policy: Policy, problem: str) -> Judgement:
    return Judgement() if policy.fails_open else Judgement((Finding(problem, error=True),))


def conditions_met(policy: Rules, values: Mapping[str, object]) -> tuple[bool, str]:
    """Whether all conditions hold, and why that is not known; one that does not hold decides, whatever became of others."""
    budget, problems = cel.Budget(), []
    for name, program in policy.conditions:
        try:
            if not program.evaluate(values, budget):
                return False, ""
        except cel.CelError as error:
            problems.append(f"expression '{program.expression.strip()}' of matchCondition '{name}' resulted in error: {error}")
    return True, "; ".join(problems)


def _checked(policy: Policy, check: Check, values: Mapping[str, object], budget: cel.Budget) -> Finding | None:
    try:
        if check.program.evaluate(values, budget):
            return None
    except cel.BudgetError:
        message = "validation failed due to running out of cost budget, no further validation rules will be run"
        return None if policy.fails_open else Finding(message, error=True)
    except cel.CelError as error:
        message = f"expression '{check.expression}' resulted in error: {error}"
        return None if policy.fails_open else Finding(message, error=True)
    return Finding(_message(check, values, budget), check.reason)


def _message(check: Check, values: Mapping[str, object], budget: cel.Budget) -> str:
    """The computed message when it is one, else the fixed one, else the expression itself."""
    if check.message_program is not None:
        try:
            computed = check.message_program.evaluate(values, budget)
        except cel.CelError:
            computed = ""
        if isinstance(computed, str) and _is_message(computed):
            return computed.strip()
    return check.message or f"failed expression: {check.expression}"


def _is_message(text: str) -> bool:
    return bool(text.strip()) and "\n" not in text.strip() and len(text) <= MESSAGE_CHARACTERS_MAX


class Variables(Record):
    """The policy's variables: each is evaluated when it is first asked for; an error is kept like a value."""

    type_name = "kubernetes.variables"

    def __init__(self, programs: Sequence[tuple[str, cel.Program]], values: Mapping[str, object], budget: cel.Budget) -> None:
        self._programs = dict(programs)
        self._values = {**values, "variables": self}
        self._budget = budget
        self._known: dict[str, object] = {}

    def has(self, field: str) -> bool:
        return field in self._programs

    def select(self, field: str) -> object:
        if field not in self._known:
            self._known[field] = self._evaluated(field)
        found = self._known[field]
        if isinstance(found, cel.EvaluationError):
            raise found
        return found

    def _evaluated(self, field: str) -> object:
        program = self._programs.get(field)
        if program is None:
            return cel.EvaluationError(f"no such key: {field}")
        try:
            return program.evaluate(self._values, self._budget)
        except cel.BudgetError as error:
            return error
        except cel.EvaluationError as error:
            return cel.EvaluationError(f'composited variable "{field}" fails to evaluate: {error}')
