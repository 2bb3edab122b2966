"""Environment variables of a container, and the fields of a pod that it may ask for.

Later entries win: service variables, then envFrom in order, then env in order; `$(NAME)` refers to what came before. Source:
the Kubernetes pages "Define Environment Variables for a Container", "Downward API" and "Service" (environment variables).
"""

import base64
import binascii
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import ROUND_CEILING

from apimachinery.kinds import ConfigMap, Container, EnvVar, Pod, ResourceFieldSelector, Secret, Service
from apimachinery.kinds.base import Quantity
from apimachinery.quantity import parse_quantity

_REFERENCE = re.compile(r"\$(?:\$|\(([^()$]*)\))")
_SUBSCRIPT = re.compile(r"^metadata\.(annotations|labels)\['(.+)'\]$")
_ENVIRONMENT_NAME = re.compile(r"^[-._a-zA-Z][-._a-zA-Z0-9]*$")


class ConfigError(Exception):
    """The container cannot be configured as it asks; the message is what CreateContainerConfigError says."""


@dataclass(frozen=True)
class Sources:
    """What variables are drawn from. Objects by name, those of the pod's namespace; addresses of pod and node."""

    config_maps: Mapping[str, ConfigMap] = field(default_factory=dict)
    secrets: Mapping[str, Secret] = field(default_factory=dict)
    services: Sequence[Service] = ()
    pod_ips: Sequence[str] = ()
    host_ip: str = ""
    allocatable: Mapping[str, Quantity] = field(default_factory=dict)


def expand(text: str, variables: Mapping[str, str]) -> str:
    """`$(NAME)` replaced where NAME is known, `$$` by `$`; anything else stays."""

    def value(found: re.Match[str]) -> str:
        name = found.group(1)
        return "$" if name is None else variables.get(name, found.group(0))

    return _REFERENCE.sub(value, text)


def environment(pod: Pod, container: Container, sources: Sources) -> dict[str, str]:
    """All variables of a container; raises ConfigError."""
    result: dict[str, str] = {}
    services = service_variables(pod, sources.services)
    for source in container.env_from:
        result.update(_from_object(pod, source.prefix, source, sources))
    for variable in container.env:
        if variable.value_from is None:
            result[variable.name] = expand(variable.value, {**services, **result})
            continue
        value = _value_from(pod, container, variable, sources)
        if value is not None:
            result[variable.name] = value
    return {**services, **result}


def service_variables(pod: Pod, services: Iterable[Service]) -> dict[str, str]:
    """Variables of the Services of the pod's namespace (unless it declines) and always of the API's own."""
    links = pod.spec.enable_service_links is not False
    chosen: dict[str, Service] = {}
    for service in services:
        meta = service.metadata
        api = meta.namespace == "default" and meta.name == "kubernetes"
        local = links and meta.namespace == pod.metadata.namespace
        if service.spec.cluster_ip in ("", "None") or not service.spec.ports or not (api or local):
            continue
        if local or meta.name not in chosen:
            chosen[meta.name] = service
    result: dict[str, str] = {}
    for name in sorted(chosen):
        result.update(_variables_of(chosen[name]))
    return result


def field_value(pod: Pod, path: str, sources: Sources) -> str:
    """A field of the pod that the downward API offers; raises ConfigError for others."""
    subscript = _SUBSCRIPT.match(path)
    if subscript:
        values = pod.metadata.annotations if subscript.group(1) == "annotations" else pod.metadata.labels
        return values.get(subscript.group(2), "")
    reader = _FIELDS.get(path)
    if reader is None:
        raise ConfigError(f"unsupported fieldPath: {path}")
    return reader(pod, sources)


def resource_value(pod: Pod, selector: ResourceFieldSelector, own: Container | None, sources: Sources) -> str:
    """A limit or request of a container in units of the divisor, rounded up; raises ConfigError."""
    container = own
    if selector.container_name:
        every = (*pod.spec.containers, *pod.spec.init_containers)
        container = next((each for each in every if each.name == selector.container_name), None)
    if container is None:
        raise ConfigError(f"container {selector.container_name} not found")
    which, _, resource = selector.resource.partition(".")
    if which not in ("limits", "requests") or not resource:
        raise ConfigError(f"unsupported container resource : {selector.resource}")
    limits, requests = container.resources.limits, container.resources.requests
    if which == "limits":
        quantity = limits.get(resource, sources.allocatable.get(resource, "0"))
    else:
        quantity = requests.get(resource, limits.get(resource, "0"))
    divisor = parse_quantity(selector.divisor or "1") or parse_quantity("1")
    return str(int((parse_quantity(quantity) / divisor).to_integral_value(rounding=ROUND_CEILING)))


def map_lines(values: Mapping[str, str]) -> str:
    """Labels or annotations as the downward API's files hold them: sorted `key="value"` lines."""
    return "\n".join(f'{name}="{_go_quoted(value)}"' for name, value in sorted(values.items()))


def secret_data(secret: Secret) -> dict[str, bytes]:
    """The decoded values; raises ConfigError where one is no base64."""
    try:
        return {name: base64.b64decode(value, validate=True) for name, value in secret.data.items()}
    except binascii.Error as error:
        raise ConfigError(f"secret {secret.metadata.namespace}/{secret.metadata.name} holds invalid base64") from error


_FIELDS: dict[str, Callable[[Pod, Sources], str]] = {
    "metadata.name": lambda pod, _: pod.metadata.name,
    "metadata.namespace": lambda pod, _: pod.metadata.namespace,
    "metadata.uid": lambda pod, _: pod.metadata.uid,
    "metadata.labels": lambda pod, _: map_lines(pod.metadata.labels),
    "metadata.annotations": lambda pod, _: map_lines(pod.metadata.annotations),
    "spec.nodeName": lambda pod, _: pod.spec.node_name,
    "spec.serviceAccountName": lambda pod, _: pod.spec.service_account_name,
    "status.hostIP": lambda _, sources: sources.host_ip,
    "status.hostIPs": lambda _, sources: sources.host_ip,
    "status.podIP": lambda _, sources: next(iter(sources.pod_ips), ""),
    "status.podIPs": lambda _, sources: ",".join(sources.pod_ips),
}


def _from_object(pod: Pod, prefix: str, source: object, sources: Sources) -> dict[str, str]:
    values: Mapping[str, str] = {}
    config_map, secret = getattr(source, "config_map_ref", None), getattr(source, "secret_ref", None)
    if config_map is not None:
        found = sources.config_maps.get(config_map.name)
        if found is None and not config_map.optional:
            raise ConfigError(f'configmap "{config_map.name}" not found')
        values = found.data if found is not None else {}
    elif secret is not None:
        held = sources.secrets.get(secret.name)
        if held is None and not secret.optional:
            raise ConfigError(f'secret "{secret.name}" not found')
        values = {name: _text(value) for name, value in secret_data(held).items()} if held is not None else {}
    named = {prefix + name: value for name, value in values.items()}
    return {name: value for name, value in named.items() if _ENVIRONMENT_NAME.match(name)}


def _value_from(pod: Pod, container: Container, variable: EnvVar, sources: Sources) -> str | None:
    source = variable.value_from
    assert source is not None
    if source.field_ref is not None:
        return field_value(pod, source.field_ref.field_path, sources)
    if source.resource_field_ref is not None:
        return resource_value(pod, source.resource_field_ref, container, sources)
    if source.config_map_key_ref is not None:
        wanted = source.config_map_key_ref
        config_map = sources.config_maps.get(wanted.name)
        values = None if config_map is None else dict(config_map.data)
        return _keyed("configmap", "ConfigMap", pod, wanted.name, wanted.key, bool(wanted.optional), values)
    if source.secret_key_ref is not None:
        chosen = source.secret_key_ref
        secret = sources.secrets.get(chosen.name)
        texts = None if secret is None else {name: _text(value) for name, value in secret_data(secret).items()}
        return _keyed("secret", "Secret", pod, chosen.name, chosen.key, bool(chosen.optional), texts)
    return None


def _keyed(
    noun: str, kind: str, pod: Pod, name: str, wanted: str, optional: bool, values: Mapping[str, str] | None
) -> str | None:
    if values is not None and wanted in values:
        return values[wanted]
    if optional:
        return None
    if values is None:
        raise ConfigError(f'{noun} "{name}" not found')
    raise ConfigError(f"couldn't find key {wanted} in {kind} {pod.metadata.namespace}/{name}")


def _variables_of(service: Service) -> dict[str, str]:
    name = service.metadata.name.upper().replace("-", "_")
    address, ports = service.spec.cluster_ip, service.spec.ports
    host = f"[{address}]" if ":" in address else address
    result = {f"{name}_SERVICE_HOST": address, f"{name}_SERVICE_PORT": str(ports[0].port)}
    for port in ports:
        if port.name:
            result[f"{name}_SERVICE_PORT_{port.name.upper().replace('-', '_')}"] = str(port.port)
    for index, port in enumerate(ports):
        protocol = (port.protocol or "TCP").lower()
        url = f"{protocol}://{host}:{port.port}"
        if index == 0:
            result[f"{name}_PORT"] = url
        prefix = f"{name}_PORT_{port.port}_{protocol.upper()}"
        result |= {prefix: url, f"{prefix}_PROTO": protocol, f"{prefix}_PORT": str(port.port), f"{prefix}_ADDR": address}
    return result


def _text(value: bytes) -> str:
    return value.decode(errors="surrogateescape").encode(errors="replace").decode()


def _go_quoted(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n").replace("\t", "\\t").replace("\r", "\\r")


def referenced(pod: Pod, container: Container) -> tuple[set[str], set[str]]:
    """Names of the ConfigMaps and of the Secrets that a container's variables come from."""
    config_maps, secrets = set(), set()
    for source in container.env_from:
        if source.config_map_ref is not None:
            config_maps.add(source.config_map_ref.name)
        if source.secret_ref is not None:
            secrets.add(source.secret_ref.name)
    for variable in container.env:
        chosen = variable.value_from
        if chosen is not None and chosen.config_map_key_ref is not None:
            config_maps.add(chosen.config_map_key_ref.name)
        if chosen is not None and chosen.secret_key_ref is not None:
            secrets.add(chosen.secret_key_ref.name)
    return config_maps, secrets
