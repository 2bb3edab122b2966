"""Descriptions of admission policies and their bindings: what a policy is about and asks, where and how it is in force."""

from collections.abc import Sequence
from typing import Any

from apimachinery.printing.admission_policies import param_kind_text, param_ref_text
from apimachinery.printing.shape import selector_text
from kctl.describe.common import Plain, Surroundings, annotations, conditions, events, heading, labels, metadata_of
from kctl.describe.text import Page


def describe_policy(policy: Plain, around: Surroundings) -> Page:
    page, spec, status = Page(), policy.get("spec") or {}, policy.get("status") or {}
    _head(page, policy)
    page.field("Failure Policy", spec.get("failurePolicy", ""))
    page.field("Param Kind", param_kind_text(policy))
    _match(page, "Match Constraints", spec.get("matchConstraints"))
    _expressions(page, "Match Conditions", spec.get("matchConditions"), "name", "expression")
    _expressions(page, "Variables", spec.get("variables"), "name", "expression")
    if page.section("Validations", not spec.get("validations")):
        for validation in spec["validations"]:
            _validation(page, validation)
    _expressions(page, "Audit Annotations", spec.get("auditAnnotations"), "key", "valueExpression")
    columns = (("Type", "type"), ("Status", "status"), ("Reason", "reason"), ("Message", "message"))
    conditions(page, status.get("conditions") or (), columns)
    warnings = (status.get("typeChecking") or {}).get("expressionWarnings") or ()
    if warnings:
        page.line("Expression Warnings:")
        for warning in warnings:
            _text(page, warning.get("fieldRef", ""), warning.get("warning", ""), 1)
    events(page, around)
    return page


def describe_mutating_policy(policy: Plain, around: Surroundings) -> Page:
    page, spec = Page(), policy.get("spec") or {}
    _head(page, policy)
    page.field("Failure Policy", spec.get("failurePolicy", ""))
    page.field("Reinvocation Policy", spec.get("reinvocationPolicy", ""))
    page.field("Param Kind", param_kind_text(policy))
    _match(page, "Match Constraints", spec.get("matchConstraints"))
    _expressions(page, "Match Conditions", spec.get("matchConditions"), "name", "expression")
    _expressions(page, "Variables", spec.get("variables"), "name", "expression")
    if page.section("Mutations", not spec.get("mutations")):
        for mutation in spec["mutations"]:
            body = mutation.get("applyConfiguration") or mutation.get("jsonPatch") or {}
            _text(page, mutation.get("patchType", ""), body.get("expression", ""), 1)
    events(page, around)
    return page


def describe_policy_binding(binding: Plain, around: Surroundings) -> Page:
    page, spec = Page(), binding.get("spec") or {}
    _head(page, binding)
    page.field("Policy Name", spec.get("policyName", ""))
    page.field("Param Ref", param_ref_text(binding))
    if reference := spec.get("paramRef"):
        page.field("If No Param Is Found", reference.get("parameterNotFoundAction", ""), 1)
    if "validationActions" in spec:
        page.field("Validation Actions", ", ".join(spec["validationActions"]) or "<none>")
    _match(page, "Match Resources", spec.get("matchResources"))
    events(page, around)
    return page


def _head(page: Page, obj: Plain) -> None:
    metadata = metadata_of(obj)
    heading(page, obj, namespaced=False)
    labels(page, metadata.get("labels"))
    annotations(page, metadata.get("annotations"))


def _match(page: Page, name: str, resources: Plain | None) -> None:
    if not page.section(name, resources is None) or resources is None:
        return
    page.field("Match Policy", resources.get("matchPolicy", ""), 1)
    page.field("Namespace Selector", selector_text(resources.get("namespaceSelector")), 1)
    page.field("Object Selector", selector_text(resources.get("objectSelector")), 1)
    _rules(page, "Rules", resources.get("resourceRules"))
    if resources.get("excludeResourceRules"):
        _rules(page, "Except", resources.get("excludeResourceRules"))


def _rules(page: Page, name: str, rules: Sequence[Plain] | None) -> None:
    if not page.section(name, not rules, 1) or not rules:
        return
    columns = ("operations", "apiGroups", "apiVersions", "resources", "resourceNames")
    rows = [(*(_listed(rule.get(column)) for column in columns), rule.get("scope", "*")) for rule in rules]
    page.table(("Operations", "Groups", "Versions", "Resources", "Names", "Scope"), rows, 2)


def _listed(values: Sequence[str] | None) -> str:
    return ",".join(value or '""' for value in values or ()) or "*"


def _validation(page: Page, validation: Plain) -> None:
    _text(page, "Expression", validation.get("expression", ""), 1)
    for name, key in (("Message", "message"), ("Message Expression", "messageExpression"), ("Reason", "reason")):
        if validation.get(key):
            _text(page, name, validation[key], 2)


def _expressions(page: Page, name: str, entries: Sequence[Plain] | None, key: str, value: str) -> None:
    if entries:
        page.line(f"{name}:")
        for entry in entries:
            _text(page, entry.get(key, ""), entry.get(value, ""), 1)


def _text(page: Page, name: str, text: Any, level: int) -> None:
    """A field of one line, or of several below its name."""
    lines = str(text).strip().splitlines()
    if len(lines) < 2:
        page.field(name, "".join(lines), level)
        return
    page.line(f"{name}:", level)
    for line in lines:
        page.line(line, level + 1)
