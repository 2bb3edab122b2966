"""Structural schemas: what a CustomResourceDefinition says of its objects, compiled once and applied to plain data.

    schema  ->  pruning, defaulting  ->  values, validating

A new object goes through `prune`, `fill_defaults` and `validate`, in this order. The functions are pure but for the object they
are given: pruning and defaulting change it in place. Source: the Kubernetes pages "Extend the Kubernetes API with
CustomResourceDefinitions" (structural schemas, pruning, defaulting) and "OpenAPI v3.0" (the keywords).
"""

from apiserver.structural.defaulting import fill_defaults
from apiserver.structural.patterns import PatternError, compile_pattern
from apiserver.structural.pruning import prune
from apiserver.structural.schema import ABSENT, Node, compile_schema
from apiserver.structural.validating import validate

__all__ = ["ABSENT", "Node", "PatternError", "compile_pattern", "compile_schema", "fill_defaults", "prune", "validate"]
