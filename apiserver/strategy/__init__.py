"""The rules of each kind: defaults, validation, what updates may change. `STRATEGIES` has one for every resource that is served."""

from collections.abc import Mapping
from typing import Any

from apimachinery.resources import RESOURCES, Resource
from apiserver.strategy.base import Strategy

STRATEGIES: Mapping[Resource, Strategy[Any]] = {resource: Strategy(resource) for resource in RESOURCES}

__all__ = ["STRATEGIES", "Strategy"]
