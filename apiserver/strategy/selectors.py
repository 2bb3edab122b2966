"""Rules for selectors inside objects: label selectors and the terms of node selectors.

Source: the Kubernetes pages "Labels and Selectors" and "Assigning Pods to Nodes".
"""

from apimachinery import names
from apimachinery.errors import FieldError
from apimachinery.kinds import LabelSelector, NodeSelector, NodeSelectorRequirement, NodeSelectorTerm
from apimachinery.kinds.meta import LabelSelectorRequirement
from apiserver.strategy.checks import Errors, named
from apiserver.strategy.meta import validate_labels


def validate_label_selector(selector: LabelSelector | None, path: str) -> Errors:
    if selector is None:
        return
    yield from validate_labels(selector.match_labels, f"{path}.matchLabels")
    for index, expression in enumerate(selector.match_expressions):
        yield from _validate_expression(expression, f"{path}.matchExpressions[{index}]")


def is_empty(selector: LabelSelector | None) -> bool:
    """Whether a selector selects everything, as no one means to."""
    return selector is None or not (selector.match_labels or selector.match_expressions)


def validate_node_selector(selector: NodeSelector, path: str) -> Errors:
    if not selector.node_selector_terms:
        yield FieldError.required(f"{path}.nodeSelectorTerms", "must have at least one node selector term")
    for index, term in enumerate(selector.node_selector_terms):
        yield from validate_node_selector_term(term, f"{path}.nodeSelectorTerms[{index}]")


def validate_node_selector_term(term: NodeSelectorTerm, path: str) -> Errors:
    for index, expression in enumerate(term.match_expressions):
        yield from _validate_node_expression(expression, f"{path}.matchExpressions[{index}]")
    for index, expression in enumerate(term.match_fields):
        yield from _validate_node_field(expression, f"{path}.matchFields[{index}]")


def _validate_expression(expression: LabelSelectorRequirement, path: str) -> Errors:
    yield from _validate_operands(expression.operator, expression.values, path)
    if expression.operator not in ("In", "NotIn", "Exists", "DoesNotExist"):
        yield FieldError.invalid(f"{path}.operator", expression.operator, "not a valid selector operator")
    yield from named(f"{path}.key", expression.key, names.qualified_name)
    for index, value in enumerate(expression.values):
        yield from named(f"{path}.values[{index}]", value, names.label_value)


def _validate_node_expression(expression: NodeSelectorRequirement, path: str) -> Errors:
    yield from _validate_operands(expression.operator, expression.values, path)
    if expression.operator in ("Gt", "Lt"):
        if len(expression.values) != 1:
            yield FieldError.required(f"{path}.values", "must be specified single value when `operator` is 'Lt' or 'Gt'")
    elif expression.operator not in ("In", "NotIn", "Exists", "DoesNotExist"):
        yield FieldError.invalid(f"{path}.operator", expression.operator, "not a valid selector operator")
    yield from named(f"{path}.key", expression.key, names.qualified_name)
    for index, value in enumerate(expression.values):
        yield from named(f"{path}.values[{index}]", value, names.label_value)


def _validate_node_field(expression: NodeSelectorRequirement, path: str) -> Errors:
    if expression.operator not in ("In", "NotIn"):
        yield FieldError.invalid(f"{path}.operator", expression.operator, "not a valid selector operator")
    elif len(expression.values) != 1:
        detail = "must be only one value when `operator` is 'In' or 'NotIn' for node field selector"
        yield FieldError.required(f"{path}.values", detail)
    if expression.key != "metadata.name":
        yield FieldError.invalid(f"{path}.key", expression.key, "not a valid field selector key")
        return
    for index, value in enumerate(expression.values):
        yield from named(f"{path}.values[{index}]", value, names.dns_1123_subdomain)


def _validate_operands(operator: str, values: list[str], path: str) -> Errors:
    if operator in ("In", "NotIn") and not values:
        yield FieldError.required(f"{path}.values", "must be specified when `operator` is 'In' or 'NotIn'")
    elif operator in ("Exists", "DoesNotExist") and values:
        detail = "may not be specified when `operator` is 'Exists' or 'DoesNotExist'"
        yield FieldError.forbidden(f"{path}.values", detail)
