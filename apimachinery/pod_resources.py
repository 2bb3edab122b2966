"""What a pod as a whole asks for and may use at most, from its containers. Pure.

The containers run together, and so do the init containers that go on running (restartPolicy Always); the other init containers
run one after another before, each beside those that have been started by then. What is said for the pod as a whole outweighs
the sum. Every total is that of the most demanding moment, for each resource by itself.
Source: the Kubernetes pages "Init Containers", "Sidecar Containers" and "Pod Overhead".
"""

from collections.abc import Callable, Mapping

from apimachinery.kinds import PodSpec, ResourceRequirements
from apimachinery.kinds.base import Quantity
from apimachinery.quantity import parse_quantity, total

Quantities = Mapping[str, Quantity]
_OF_WHOLE_POD = ("cpu", "memory")


def requests(spec: PodSpec, *, overhead: bool = True) -> dict[str, Quantity]:
    """What the pod asks for, by resource; with what its runtime costs unless told otherwise."""
    found = _combine(spec, lambda resources: resources.requests)
    return add(found, spec.overhead) if overhead else found


def limits(spec: PodSpec, *, overhead: bool = True) -> dict[str, Quantity]:
    """What the pod may use at most, by resource, as far as any container has a limit; the runtime's cost adds to that."""
    found = _combine(spec, lambda resources: resources.limits)
    if not overhead:
        return found
    limited = {name: value for name, value in spec.overhead.items() if parse_quantity(found.get(name, "0"))}
    return add(found, limited)


def add(ones: Quantities, others: Quantities) -> dict[str, Quantity]:
    """The sum, resource by resource; what is in one only stays."""
    added = dict(ones)
    for name, value in others.items():
        added[name] = total((added[name], value)) if name in added else value
    return added


def _combine(spec: PodSpec, choose: Callable[[ResourceRequirements], Quantities]) -> dict[str, Quantity]:
    together: dict[str, Quantity] = {}
    for container in spec.containers:
        together = add(together, choose(container.resources))
    beside: dict[str, Quantity] = {}
    peak: dict[str, Quantity] = {}
    for container in spec.init_containers:
        own = choose(container.resources)
        moment = add(beside, own)
        if container.restart_policy == "Always":
            together = add(together, own)
            beside = moment
        peak = _most(peak, moment)
    whole = choose(spec.resources) if spec.resources is not None else {}
    said = {name: value for name, value in whole.items() if name in _OF_WHOLE_POD or name.startswith("hugepages-")}
    return {**_most(together, peak), **said}


def _most(ones: Quantities, others: Quantities) -> dict[str, Quantity]:
    most = dict(ones)
    for name, value in others.items():
        if name not in most or parse_quantity(value) > parse_quantity(most[name]):
            most[name] = value
    return most
