"""Mutating admission policies and their bindings: every expression is compiled before a policy is stored.

Source: the Kubernetes page "Mutating Admission Policy" and the API reference of both kinds.
"""

from collections.abc import Iterator, Sequence
from functools import partial

from apimachinery.errors import FieldError
from apimachinery.kinds import MutatingAdmissionPolicy, MutatingAdmissionPolicyBinding, Mutation
from apiserver.core.admission_policies import Environment, compile_condition
from apiserver.core.mutating_policies import APPLY_CONFIGURATION, JSON_PATCH, compile_mutation, mutating_environment
from apiserver.strategy.admission_policies import (
    default_match_resources,
    validate_match_constraints,
    validate_match_resources,
    validate_param_kind,
    validate_param_ref,
    validate_policy_name,
    validate_variables,
)
from apiserver.strategy.base import Strategy
from apiserver.strategy.checks import Errors, one_of
from apiserver.strategy.expressions import compiled, validate_match_conditions
from apiserver.strategy.webhooks import FAILURE_POLICIES, REINVOCATION_POLICIES


class MutatingAdmissionPolicyStrategy(Strategy[MutatingAdmissionPolicy]):
    has_generation = True

    def default(self, obj: MutatingAdmissionPolicy) -> None:
        obj.spec.failure_policy = obj.spec.failure_policy or "Fail"
        obj.spec.reinvocation_policy = obj.spec.reinvocation_policy or "Never"
        default_match_resources(obj.spec.match_constraints)

    def check(self, obj: MutatingAdmissionPolicy) -> Iterator[FieldError]:
        spec = obj.spec
        yield from one_of("spec.failurePolicy", spec.failure_policy, FAILURE_POLICIES)
        yield from one_of("spec.reinvocationPolicy", spec.reinvocation_policy, REINVOCATION_POLICIES)
        if spec.param_kind is not None:
            yield from validate_param_kind(spec.param_kind, "spec.paramKind")
        yield from validate_match_constraints(spec.match_constraints, "spec.matchConstraints")
        if spec.match_constraints is not None:
            for index, rule in enumerate(spec.match_constraints.resource_rules):
                path = f"spec.matchConstraints.resourceRules[{index}].operations"
                yield from _changeable(path, rule.operations)
        environment = mutating_environment(params=spec.param_kind is not None)
        compile_it = partial(compile_condition, environment=environment)
        yield from validate_match_conditions(spec.match_conditions, compile_it, "spec.matchConditions")
        yield from validate_variables(spec.variables, environment, "spec.variables")
        if not spec.mutations:
            yield FieldError.required("spec.mutations", "mutations must contain at least one item")
        for index, mutation in enumerate(spec.mutations):
            yield from _validate_mutation(mutation, environment, f"spec.mutations[{index}]")


class MutatingAdmissionPolicyBindingStrategy(Strategy[MutatingAdmissionPolicyBinding]):
    has_generation = True

    def default(self, obj: MutatingAdmissionPolicyBinding) -> None:
        default_match_resources(obj.spec.match_resources)

    def check(self, obj: MutatingAdmissionPolicyBinding) -> Iterator[FieldError]:
        spec = obj.spec
        yield from validate_policy_name(spec.policy_name, "spec.policyName")
        yield from validate_param_ref(spec.param_ref, "spec.paramRef")
        if spec.match_resources is not None:
            yield from validate_match_resources(spec.match_resources, "spec.matchResources")


def _changeable(path: str, operations: Sequence[str]) -> Errors:
    """What is deleted cannot be changed."""
    for index, operation in enumerate(operations):
        if operation == "DELETE":
            yield FieldError.not_supported(f"{path}[{index}]", operation, ("*", "CONNECT", "CREATE", "UPDATE"))


def _validate_mutation(mutation: Mutation, environment: Environment, path: str) -> Errors:
    yield from one_of(f"{path}.patchType", mutation.patch_type, (APPLY_CONFIGURATION, JSON_PATCH))
    members = (
        (APPLY_CONFIGURATION, "applyConfiguration", mutation.apply_configuration),
        (JSON_PATCH, "jsonPatch", mutation.json_patch),
    )
    for patch_type, name, member in members:
        if mutation.patch_type != patch_type:
            if member is not None and mutation.patch_type:
                yield FieldError.forbidden(f"{path}.{name}", f"must not be specified when patchType is {mutation.patch_type}")
        elif member is None:
            yield FieldError.required(f"{path}.{name}", f"must be specified when patchType is {patch_type}")
        else:
            yield from compiled(
                f"{path}.{name}.expression", member.expression, partial(compile_mutation, mutation, environment)
            )
