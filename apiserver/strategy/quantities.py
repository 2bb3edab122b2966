"""Quantities in objects: their canonical spelling, and rules for lists of resources.

Source: the Kubernetes pages "Resource Management for Pods and Containers" and "Extended Resources".
"""

from collections.abc import Collection, Mapping

from apimachinery import names
from apimachinery.errors import FieldError
from apimachinery.kinds import ResourceRequirements
from apimachinery.kinds.base import Quantity
from apimachinery.quantity import QuantityError, canonical, parse_quantity
from apimachinery.resource_names import is_extended, is_huge_page
from apiserver.strategy.checks import Errors, unique

CONTAINER_RESOURCES = ("cpu", "memory", "ephemeral-storage")


def canonical_quantity(value: Quantity) -> Quantity:
    """The spelling that is stored; what is no quantity stays, for validation to refuse."""
    try:
        return canonical(value)
    except QuantityError:
        return value


def canonicalize(resources: dict[str, Quantity]) -> None:
    """Spell the quantities of a list of resources canonically, in place."""
    for name, value in resources.items():
        resources[name] = canonical_quantity(value)


def is_quantity(value: Quantity | None) -> bool:
    if value is None:
        return False
    try:
        parse_quantity(value)
    except QuantityError:
        return False
    return True


def may_overcommit(name: str) -> bool:
    """Whether requests may be lower than limits."""
    return not is_extended(name) and not is_huge_page(name)


def validate_quantity(path: str, value: Quantity) -> Errors:
    """A quantity that is not negative."""
    try:
        number = parse_quantity(value)
    except QuantityError as error:
        yield FieldError.invalid(path, value, str(error))
        return
    if number < 0:
        yield FieldError.invalid(path, value, "must be greater than or equal to 0")


def validate_resource_quantity(path: str, name: str, value: Quantity) -> Errors:
    """A quantity of a named resource: not negative, and whole where the resource is counted in pieces."""
    yield from validate_quantity(path, value)
    if is_extended(name) and is_quantity(value) and parse_quantity(value) % 1:
        yield FieldError.invalid(path, value, "must be an integer")


def validate_container_resource_name(path: str, name: str) -> Errors:
    problems = names.qualified_name(name)
    for problem in problems:
        yield FieldError.invalid(path, name, problem)
    if problems or name in CONTAINER_RESOURCES or is_huge_page(name):
        return
    if "/" not in name:
        yield FieldError.invalid(path, name, "must be a standard resource for containers")
    elif not is_extended(name):
        yield FieldError.invalid(path, name, "doesn't follow extended resource name standard")


def validate_requirements(path: str, resources: ResourceRequirements, claims: Collection[str]) -> Errors:
    """Limits and requests of a container; `claims` are the names of the pod's resource claims."""
    yield from _validate_list(f"{path}.limits", resources.limits)
    yield from _validate_list(f"{path}.requests", resources.requests)
    yield from _compare(path, resources.requests, resources.limits)
    yield from _validate_huge_pages(path, {**resources.limits, **resources.requests})
    for index, claim in enumerate(resources.claims):
        where = f"{path}.claims[{index}]"
        if not claim.name:
            yield FieldError.required(f"{where}.name")
        elif claim.name not in claims:
            yield FieldError.not_found(where, claim.name)
    yield from unique(f"{path}.claims", [(claim.name, claim.request) for claim in resources.claims])


def validate_resource_list(path: str, resources: Mapping[str, Quantity]) -> Errors:
    """Any resources by qualified name, with quantities that are not negative."""
    for name, value in resources.items():
        for problem in names.qualified_name(name):
            yield FieldError.invalid(f"{path}[{name}]", name, problem)
        yield from validate_resource_quantity(f"{path}[{name}]", name, value)


def _validate_list(path: str, resources: Mapping[str, Quantity]) -> Errors:
    for name, value in resources.items():
        yield from validate_container_resource_name(f"{path}[{name}]", name)
        yield from validate_resource_quantity(f"{path}[{name}]", name, value)


def _compare(path: str, requests: Mapping[str, Quantity], limits: Mapping[str, Quantity]) -> Errors:
    for name, value in requests.items():
        limit = limits.get(name)
        if limit is None:
            if not may_overcommit(name):
                yield FieldError.required(f"{path}.limits", "Limit must be set for non overcommitable resources")
            continue
        if not is_quantity(value) or not is_quantity(limit):
            continue
        requested, allowed = parse_quantity(value), parse_quantity(limit)
        if not may_overcommit(name) and requested != allowed:
            yield FieldError.invalid(f"{path}.requests", value, f"must be equal to {name} limit of {limit}")
        elif requested > allowed:
            yield FieldError.invalid(f"{path}.requests", value, f"must be less than or equal to {name} limit of {limit}")


def _validate_huge_pages(path: str, resources: Mapping[str, Quantity]) -> Errors:
    if any(map(is_huge_page, resources)) and not {"cpu", "memory"} & resources.keys():
        yield FieldError.forbidden(path, "HugePages require cpu or memory")
