"""Warnings about pod specifications: what is accepted, and is probably not what was meant."""

from collections.abc import Iterator, Sequence

from apimachinery.kinds import Container, EnvVar, PodSpec
from apimachinery.quantity import parse_quantity
from apiserver.strategy.quantities import is_quantity

_OLD_LABELS = {
    "beta.kubernetes.io/arch": "kubernetes.io/arch",
    "beta.kubernetes.io/os": "kubernetes.io/os",
    "failure-domain.beta.kubernetes.io/region": "topology.kubernetes.io/region",
    "failure-domain.beta.kubernetes.io/zone": "topology.kubernetes.io/zone",
    "beta.kubernetes.io/instance-type": "node.kubernetes.io/instance-type",
}


def pod_spec_warnings(spec: PodSpec, path: str) -> Iterator[str]:
    """Sentences, each with the path it speaks of."""
    for key in spec.node_selector:
        if key in _OLD_LABELS:
            yield f'{path}.nodeSelector[{key}]: deprecated; use "{_OLD_LABELS[key]}" instead'
    if (spec.termination_grace_period_seconds or 0) < 0:
        yield f"{path}.terminationGracePeriodSeconds: must be >= 0; negative values are invalid and will be treated as 1"
    for index, secret in enumerate(spec.image_pull_secrets):
        if not secret.name:
            yield f"{path}.imagePullSecrets[{index}].name: invalid empty name {secret.name!r}"
    for index, volume in enumerate(spec.volumes):
        if volume.git_repo is not None:
            yield f"{path}.volumes[{index}].gitRepo: deprecated"
        if volume.empty_dir is not None and _is_fractional(volume.empty_dir.size_limit):
            yield f"{path}.volumes[{index}].emptyDir.sizeLimit: fractional byte value is invalid, must be an integer"
    for name, containers in (("containers", spec.containers), ("initContainers", spec.init_containers)):
        yield from _container_warnings(containers, f"{path}.{name}")


def _container_warnings(containers: Sequence[Container], path: str) -> Iterator[str]:
    for index, container in enumerate(containers):
        where = f"{path}[{index}]"
        yield from _environment_warnings(container.env, f"{where}.env")
        for kind, resources in (("limits", container.resources.limits), ("requests", container.resources.requests)):
            if _is_fractional(resources.get("memory")):
                quantity = resources["memory"]
                yield f"{where}.resources.{kind}[memory]: fractional byte value {quantity!r} is invalid, must be an integer"
        seen = set()
        for position, port in enumerate(container.ports):
            key = (port.container_port, port.protocol)
            if key in seen:
                yield f"{where}.ports[{position}]: duplicate port definition with an earlier one of the container"
            seen.add(key)


def _environment_warnings(variables: Sequence[EnvVar], path: str) -> Iterator[str]:
    seen = set()
    for index, variable in enumerate(variables):
        if variable.name in seen and f"$({variable.name})" not in variable.value:
            yield f'{path}[{index}]: hides previous definition of "{variable.name}", which may be dropped when using apply'
        seen.add(variable.name)


def _is_fractional(quantity: str | int | float | None) -> bool:
    return quantity is not None and is_quantity(quantity) and bool(parse_quantity(quantity) % 1)
