"""Mutating admission policies: expressions that change objects before they are stored.

A policy is compiled once. For a request that it is about it is carried out: match conditions → each mutation in turn, on what
the one before has made. A mutation is a configuration (`Object{spec: Object.spec{replicas: 3}}`) that is laid over the object
as server-side apply would do it, or a JSON patch (`[JSONPatch{op: "add", path: "/a", value: 1}]`).

Pure, over plain data: see `core.admission_policies` for what both kinds of policies have in common.

Source: the Kubernetes page "Mutating Admission Policy".
"""

import base64
from collections.abc import Mapping
from typing import Any

import msgspec

from apimachinery import apply, patch
from apimachinery.apply.merging import merged, problems
from apimachinery.apply.walking import by_element, element_of, holds_elements, member_shape
from apimachinery.kinds import MutatingAdmissionPolicy, MutatingAdmissionPolicyBinding, Mutation
from apiserver import cel
from apiserver.cel import types
from apiserver.cel.budget import Meter
from apiserver.cel.library.times import format_duration, format_timestamp
from apiserver.cel.values import Duration, Structure, Timestamp, kind_of
from apiserver.core.admission_policies import (
    Binding,
    Environment,
    Rules,
    Variables,
    compile_condition,
    compile_variable,
    conditions_met,
)
from apiserver.core.admission_rules import compile_matcher

APPLY_CONFIGURATION, JSON_PATCH = "ApplyConfiguration", "JSONPatch"
MESSAGES = ("Object", "JSONPatch")
_PATCH_FIELDS = frozenset(("op", "path", "from", "value"))

Plain = dict[str, Any]


class MutationError(Exception):
    """A policy could not be carried out; the text says why."""


class MutatingPolicy(Rules, frozen=True):
    """A mutating policy, compiled; `mutations` are pairs of a patch type and a program; `reinvoked`: asked again if needed."""

    mutations: tuple[tuple[str, cel.Program], ...] = ()
    reinvoked: bool = False


def compile_mutating_policy(policy: MutatingAdmissionPolicy) -> MutatingPolicy:
    """A stored policy ready for use."""
    spec = policy.spec
    fails_open, reinvoked = spec.failure_policy == "Ignore", spec.reinvocation_policy == "IfNeeded"
    empty = MutatingPolicy(
        policy.metadata.name, compile_matcher(spec.match_constraints), fails_open, spec.param_kind, reinvoked=reinvoked
    )
    try:
        environment = mutating_environment(params=spec.param_kind is not None)
        conditions = tuple((each.name, compile_condition(each, environment)) for each in spec.match_conditions)
        variables = tuple((each.name, compile_variable(each, environment)) for each in spec.variables)
        mutations = tuple((each.patch_type, compile_mutation(each, environment)) for each in spec.mutations)
    except cel.CelError as error:
        return msgspec.structs.replace(empty, broken=f"compilation failed: {error}")
    return msgspec.structs.replace(empty, conditions=conditions, variables=variables, mutations=mutations)


def compile_mutating_binding(binding: MutatingAdmissionPolicyBinding) -> Binding:
    """A stored binding ready for use."""
    spec = binding.spec
    return Binding(binding.metadata.name, spec.policy_name, compile_matcher(spec.match_resources), spec.param_ref)


def mutating_environment(*, params: bool) -> Environment:
    return Environment(params=params, message_names=MESSAGES)


def compile_mutation(mutation: Mutation, environment: Environment) -> cel.Program:
    """Raises CelError."""
    result: cel.ResultType = types.Type("Object")
    expression = mutation.apply_configuration.expression if mutation.apply_configuration else ""
    if mutation.patch_type == JSON_PATCH:
        result, expression = types.LIST, mutation.json_patch.expression if mutation.json_patch else ""
    return cel.compile(expression, environment.expressions, result=result, messages=environment.message_names)


def mutated(policy: MutatingPolicy, values: Mapping[str, object], shape: apply.Shape) -> Plain | None:
    """`values["object"]` as the policy makes it, None when it is not about it; raises MutationError."""
    if policy.broken:
        raise MutationError(policy.broken)
    met, problem = conditions_met(policy, values)
    if problem:
        raise MutationError(problem)
    if not met:
        return None
    budget = cel.Budget()
    current: Any = values["object"]
    for patch_type, program in policy.mutations:
        around = {**values, "object": current}
        around["variables"] = Variables(policy.variables, around, budget)
        try:
            result = program.evaluate(around, budget)
            current = _patched(current, result) if patch_type == JSON_PATCH else _applied(current, result, shape)
        except cel.CelError as error:
            raise MutationError(f"expression '{program.expression.strip()}' resulted in error: {error}") from error
    return dict(current)


def _applied(current: Plain, result: object, shape: apply.Shape) -> Any:
    configuration = plain_of(result, "Object", Meter())
    if found := [*problems(shape, configuration), *_lost(shape, current, configuration, "")]:
        raise MutationError(f"the apply configuration cannot be applied: {'; '.join(found)}")
    return merged(shape, current, configuration)


def _lost(shape: apply.Shape, live: Any, value: Any, path: str) -> list[str]:
    """Lists, maps and structs that are one value: laying another over one that is there would lose what it does not name."""
    if live is None or not isinstance(value, dict | list):
        return []
    if shape.form is apply.Form.LEAF:
        return [] if patch.equal(live, value) else [f"{path}: may not mutate atomic arrays, maps or structs"]
    if isinstance(value, dict) and isinstance(live, dict):
        members = ((f"{path}.{name}", member_shape(shape, name), live.get(name), each) for name, each in value.items())
        return [text for where, inner, before, each in members for text in _lost(inner, before, each, where)]
    if holds_elements(value, shape) and isinstance(live, list) and shape.element is not None:
        before = by_element(shape, live)
        pairs = ((before.get(element_of(shape, each), [None])[0], each) for each in value)
        return [text for old, each in pairs for text in _lost(shape.element, old, each, f"{path}[]")]
    return []


def _patched(current: Plain, result: object) -> Any:
    assert isinstance(result, list), "the program answers a list"
    meter = Meter()
    try:
        return patch.json_patch(current, [_operation(each, meter) for each in result])
    except patch.PatchError as error:
        raise MutationError(f"the JSON patch cannot be applied: {error}") from error


def _operation(value: object, meter: Meter) -> Plain:
    if not isinstance(value, Structure) or value.name != "JSONPatch":
        raise MutationError(f"a JSON patch is a list of JSONPatch{{}}, not of {kind_of(value)}")
    if unknown := value.fields.keys() - _PATCH_FIELDS:
        raise MutationError(f"JSONPatch has no field {min(unknown)!r}")
    return {name: plain_of(each, "", meter) for name, each in value.fields.items()}


def plain_of(value: object, expected: str, meter: Meter) -> Any:
    """A value as JSON. Messages of the object's type must be named by where they stand: `Object.spec` in the field `spec`.

    expected: the name for a message in this place, "" for any. Raises MutationError; pays for what it copies.
    """
    meter.spend(1)
    match value:
        case Structure(name=name, fields=fields):
            if not name.startswith("Object") or (expected and name != expected):
                raise MutationError(f"type {name} does not fit here: expected {expected or 'Object'}")
            return {field: plain_of(each, f"{name}.{field}", meter) for field, each in fields.items()}
        case dict():
            return {_key(key): plain_of(each, "", meter) for key, each in value.items()}
        case list():
            return [plain_of(each, expected, meter) for each in value]
        case bytes():
            meter.touch(len(value))
            return base64.b64encode(value).decode()
        case Timestamp():
            return format_timestamp(value)
        case Duration():
            return format_duration(value)
        case None | bool() | str() | float():
            return value
        case int():
            return int(value)
    raise MutationError(f"a value of type {kind_of(value)} cannot stand in an object")


def _key(key: object) -> str:
    if not isinstance(key, str):
        raise MutationError(f"the keys of an object are strings, not {kind_of(key)}")
    return key
