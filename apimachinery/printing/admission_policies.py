"""Tables of admission policies and their bindings."""

from datetime import datetime

from apimachinery.printing.shape import AGE, NAME, Cell, Column, Plain, TableShape, age, name_of, selector_text

UNSET = "<unset>"


def policy_cells(policy: Plain, now: datetime) -> list[Cell]:
    spec = policy.get("spec") or {}
    return [name_of(policy), len(spec.get("validations") or ()), param_kind_text(policy), age(policy, now)]


def mutating_policy_cells(policy: Plain, now: datetime) -> list[Cell]:
    spec = policy.get("spec") or {}
    return [name_of(policy), len(spec.get("mutations") or ()), param_kind_text(policy), age(policy, now)]


def policy_binding_cells(binding: Plain, now: datetime) -> list[Cell]:
    spec = binding.get("spec") or {}
    return [name_of(binding), spec.get("policyName") or "", param_ref_text(binding), age(binding, now)]


def param_kind_text(policy: Plain) -> str:
    """`v1/ConfigMap`: of what kind a policy's parameters are."""
    kind = (policy.get("spec") or {}).get("paramKind")
    return f"{kind.get('apiVersion', '')}/{kind.get('kind', '')}" if kind else UNSET


def param_ref_text(binding: Plain) -> str:
    """`default/limits`, `*/limits` for those in the namespace of the request, or the selector."""
    reference = (binding.get("spec") or {}).get("paramRef")
    if not reference:
        return UNSET
    named = reference.get("name") or selector_text(reference.get("selector"))
    return f"{reference.get('namespace') or '*'}/{named}"


POLICY = TableShape(
    (
        NAME,
        Column("Validations", "integer", description="How many expressions must hold."),
        Column("ParamKind", description="The kind of the objects that parametrise the policy."),
        AGE,
    ),
    policy_cells,
)
MUTATING_POLICY = TableShape(
    (
        NAME,
        Column("Mutations", "integer", description="How many changes it makes."),
        Column("ParamKind", description="The kind of the objects that parametrise the policy."),
        AGE,
    ),
    mutating_policy_cells,
)
POLICY_BINDING = TableShape(
    (
        NAME,
        Column("PolicyName", description="The policy that is put in force."),
        Column("ParamRef", description="The objects that parametrise it."),
        AGE,
    ),
    policy_binding_cells,
)
