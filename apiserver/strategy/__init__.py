"""The rules of each kind: defaults, validation, what updates may change. `STRATEGIES` has one for each resource served."""

from collections.abc import Mapping
from typing import Any

from apimachinery.resources import PODS, RESOURCES, Resource
from apiserver.strategy.base import Strategy
from apiserver.strategy.pods import PodStrategy

STRATEGIES: Mapping[Resource, Strategy[Any]] = {
    **{resource: Strategy(resource) for resource in RESOURCES},
    PODS: PodStrategy(PODS),
}

__all__ = ["STRATEGIES", "Strategy"]
