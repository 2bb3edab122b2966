"""Structural schemas: what a CustomResourceDefinition says of its objects, compiled once and applied to plain data.

    schema  ->  pruning, defaulting  ->  values, validating  ->  rules

A new object goes through `prune`, `fill_defaults`, `validate` and, once it is valid, `check_rules`, in this order. The
functions are pure but for the object they are given: pruning and defaulting change it in place. Source: the Kubernetes pages
"Extend the Kubernetes API with CustomResourceDefinitions" (structural schemas, pruning, defaulting, rules) and "OpenAPI v3.0"
(the keywords).
"""

from apiserver.structural.defaulting import fill_defaults
from apiserver.structural.patterns import PatternError, compile_pattern
from apiserver.structural.pruning import prune
from apiserver.structural.rules import Rules, check_rules, compile_rules
from apiserver.structural.schema import ABSENT, Node, compile_schema
from apiserver.structural.validating import validate

__all__ = [
    "ABSENT",
    "Node",
    "PatternError",
    "Rules",
    "check_rules",
    "compile_pattern",
    "compile_rules",
    "compile_schema",
    "fill_defaults",
    "prune",
    "validate",
]
