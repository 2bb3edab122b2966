"""What a LimitRange adds to a pod, and which of its bounds an object breaks. Pure.

Defaults are for containers that say nothing of a resource; bounds are for each container, for a pod as a whole (without the
cost of its runtime), and for what a claim asks for. A claim has no limits, so a ratio says nothing about it.
Source: the Kubernetes page "Limit Ranges"; the sentences are Kubernetes' own.
"""

from collections.abc import Iterator, Mapping, Sequence

from apimachinery import pod_resources
from apimachinery.kinds import Container, LimitRange, LimitRangeItem, PersistentVolumeClaim, Pod
from apimachinery.kinds.base import Quantity
from apimachinery.kinds.object import Object
from apimachinery.quantity import parse_quantity

ANNOTATION = "kubernetes.io/limit-ranger"
CONTAINER, POD, CLAIM = "Container", "Pod", "PersistentVolumeClaim"

_Quantities = Mapping[str, Quantity]


def complete(pod: Pod, limit_range: LimitRange) -> None:
    """Give the containers what they leave open, in place; an annotation tells what was given."""
    default: dict[str, Quantity] = {}
    default_request: dict[str, Quantity] = {}
    for item in limit_range.spec.limits:
        if item.type == CONTAINER:
            default.update(item.default)
            default_request.update(item.default_request)
    told: list[str] = []
    for what, containers in (("container", pod.spec.containers), ("init container", pod.spec.init_containers)):
        for container in containers:
            told += _complete_container(container, what, default, default_request)
    if told:
        pod.metadata.annotations = {**pod.metadata.annotations, ANNOTATION: f"LimitRanger plugin set: {'; '.join(told)}"}


def violations(obj: Object, limit_range: LimitRange) -> list[str]:
    """What of `obj` is out of bounds, each sentence once."""
    found: dict[str, None] = {}
    for item in limit_range.spec.limits:
        match obj:
            case Pod():
                found.update(dict.fromkeys(_of_pod(obj, item)))
            case PersistentVolumeClaim() if item.type == CLAIM:
                found.update(dict.fromkeys(_of_claim(obj, item)))
    return list(found)


def sentence(found: Sequence[str]) -> str:
    """Several violations as one."""
    return found[0] if len(found) == 1 else f"[{', '.join(found)}]"


def _complete_container(container: Container, what: str, default: _Quantities, default_request: _Quantities) -> Iterator[str]:
    resources = container.resources
    asked = sorted(default_request.keys() - resources.requests.keys())
    limited = sorted(default.keys() - resources.limits.keys())
    resources.limits = {**default, **resources.limits}
    resources.requests = {**default_request, **resources.requests}
    if asked:
        yield f"{', '.join(asked)} request for {what} {container.name}"
    if limited:
        yield f"{', '.join(limited)} limit for {what} {container.name}"


def _of_pod(pod: Pod, item: LimitRangeItem) -> Iterator[str]:
    if item.type == CONTAINER:
        for container in (*pod.spec.containers, *pod.spec.init_containers):
            yield from _bounds(item, container.resources.requests, container.resources.limits)
    elif item.type == POD:
        requests = pod_resources.requests(pod.spec, overhead=False)
        yield from _bounds(item, requests, pod_resources.limits(pod.spec, overhead=False))


def _of_claim(claim: PersistentVolumeClaim, item: LimitRangeItem) -> Iterator[str]:
    requests = claim.spec.resources.requests
    for name, bound in sorted(item.min.items()):
        yield from _minimum(item.type, name, bound, requests.get(name), None)
    for name, bound in sorted(item.max.items()):
        start, request = f"maximum {name} usage per {item.type} is {bound}", requests.get(name)
        if request is None:
            yield f"{start}.  No request is specified"
        elif parse_quantity(request) > parse_quantity(bound):
            yield f"{start}, but request is {request}"


def _bounds(item: LimitRangeItem, requests: _Quantities, limits: _Quantities) -> Iterator[str]:
    for name, bound in sorted(item.min.items()):
        yield from _minimum(item.type, name, bound, requests.get(name), limits.get(name))
    for name, bound in sorted(item.max.items()):
        yield from _maximum(item.type, name, bound, requests.get(name), limits.get(name))
    for name, bound in sorted(item.max_limit_request_ratio.items()):
        yield from _ratio(item.type, name, bound, requests.get(name), limits.get(name))


def _minimum(kind: str, name: str, bound: Quantity, request: Quantity | None, limit: Quantity | None) -> Iterator[str]:
    start = f"minimum {name} usage per {kind} is {bound}"
    if request is None:
        yield f"{start}.  No request is specified"
    elif parse_quantity(request) < parse_quantity(bound):
        yield f"{start}, but request is {request}"
    elif limit is not None and parse_quantity(limit) < parse_quantity(bound):
        yield f"{start}, but limit is {limit}"


def _maximum(kind: str, name: str, bound: Quantity, request: Quantity | None, limit: Quantity | None) -> Iterator[str]:
    start = f"maximum {name} usage per {kind} is {bound}"
    if limit is None:
        yield f"{start}.  No limit is specified"
    elif parse_quantity(limit) > parse_quantity(bound):
        yield f"{start}, but limit is {limit}"
    elif request is not None and parse_quantity(request) > parse_quantity(bound):
        yield f"{start}, but request is {request}"


def _ratio(kind: str, name: str, bound: Quantity, request: Quantity | None, limit: Quantity | None) -> Iterator[str]:
    start = f"{name} max limit to request ratio per {kind} is {bound}"
    asked = parse_quantity(request) if request is not None else 0
    allowed = parse_quantity(limit) if limit is not None else 0
    if not asked:
        yield f"{start}, but no request is specified or request is 0"
    elif not allowed:
        yield f"{start}, but no limit is specified or limit is 0"
    elif allowed / asked > parse_quantity(bound):
        yield f"{start}, but provided ratio is {allowed / asked:.6f}"
