"""Rules for the containers of a pod: ordinary ones, those that run first, and those that are added for debugging.

Source: the API reference of Container; the Kubernetes pages "Init Containers", "Sidecar Containers" and "Volumes".
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

from apimachinery import names
from apimachinery.errors import FieldError
from apimachinery.kinds import Container, ContainerPort, EphemeralContainer, PodSpec, VolumeDevice, VolumeMount
from apimachinery.kinds.volumes import Volume
from apiserver.strategy.checks import (
    PROTOCOLS,
    Errors,
    ip_address,
    named,
    no_backsteps,
    one_of,
    optional_one_of,
    port_number,
    relative_path,
    required_name,
)
from apiserver.strategy.pod_environment import validate_environment, validate_environment_sources
from apiserver.strategy.pod_probes import validate_lifecycle, validate_readiness_probe, validate_restarting_probe
from apiserver.strategy.pod_security import validate_container_security
from apiserver.strategy.quantities import validate_requirements

PULL_POLICIES = ("Always", "IfNotPresent", "Never")
RESTART_RULES_MAX = 20
EXIT_CODES_MAX = 255
_PROBES = (("livenessProbe", "liveness_probe"), ("readinessProbe", "readiness_probe"), ("startupProbe", "startup_probe"))
_NOT_FOR_EPHEMERAL = ("ports", "livenessProbe", "readinessProbe", "startupProbe", "lifecycle", "resources", "resizePolicy")

AnyContainer = Container | EphemeralContainer


@dataclass
class _Pod:
    """What the containers of one pod share: its volumes, its claims, the names and host ports that are taken."""

    spec: PodSpec
    volumes: Mapping[str, Volume]
    claims: Collection[str]
    names: set[str] = field(default_factory=set)
    host_ports: set[tuple[str, str, int]] = field(default_factory=set)

    @property
    def os_name(self) -> str:
        return self.spec.os.name if self.spec.os else ""


def validate_containers(spec: PodSpec, path: str) -> Errors:
    """All containers of a pod; `path` is that of the pod's specification."""
    volumes = {volume.name: volume for volume in spec.volumes}
    pod = _Pod(spec, volumes, {claim.name for claim in spec.resource_claims})
    if not spec.containers:
        yield FieldError.required(f"{path}.containers")
    for index, container in enumerate(spec.containers):
        where = f"{path}.containers[{index}]"
        yield from _validate_container(container, where, pod)
        yield from _validate_running(container, where, pod)
        yield from _validate_host_ports(container.ports, f"{where}.ports", pod)
        yield from _validate_restart(container, where)
    for index, container in enumerate(spec.init_containers):
        yield from _validate_init_container(container, f"{path}.initContainers[{index}]", pod)
    for index, ephemeral in enumerate(spec.ephemeral_containers):
        yield from _validate_ephemeral(ephemeral, f"{path}.ephemeralContainers[{index}]", pod)


def validate_image(image: str, path: str) -> Errors:
    if not image:
        yield FieldError.required(path)
    elif image != image.strip():
        yield FieldError.invalid(path, image, "must not have leading or trailing whitespace")


def _validate_container(container: AnyContainer, path: str, pod: _Pod) -> Errors:
    """What all containers have in common."""
    yield from required_name(f"{path}.name", container.name, names.dns_1123_label)
    if container.name and container.name in pod.names:
        yield FieldError.duplicate(f"{path}.name", container.name)
    pod.names.add(container.name)
    yield from validate_image(container.image, f"{path}.image")
    yield from one_of(f"{path}.imagePullPolicy", container.image_pull_policy, PULL_POLICIES)
    policies = ("FallbackToLogsOnError", "File")
    yield from one_of(f"{path}.terminationMessagePolicy", container.termination_message_policy, policies)
    yield from _validate_ports(container.ports, f"{path}.ports", host_network=bool(pod.spec.host_network))
    yield from validate_environment(container.env, f"{path}.env", pod.volumes)
    yield from validate_environment_sources(container.env_from, f"{path}.envFrom")
    yield from _validate_mounts(container, f"{path}.volumeMounts", pod)
    yield from _validate_devices(container, f"{path}.volumeDevices", pod)
    yield from validate_requirements(f"{path}.resources", container.resources, pod.claims)
    yield from _validate_resize_policy(container, f"{path}.resizePolicy", pod)
    if container.security_context is not None:
        yield from validate_container_security(container.security_context, f"{path}.securityContext")


def _validate_running(container: Container, path: str, pod: _Pod) -> Errors:
    """Probes and hooks of a container that keeps running."""
    if container.lifecycle is not None:
        grace_s = pod.spec.termination_grace_period_seconds
        yield from validate_lifecycle(container.lifecycle, f"{path}.lifecycle", os_name=pod.os_name, grace_period_s=grace_s)
    if container.liveness_probe is not None:
        yield from validate_restarting_probe(container.liveness_probe, f"{path}.livenessProbe")
    if container.readiness_probe is not None:
        yield from validate_readiness_probe(container.readiness_probe, f"{path}.readinessProbe")
    if container.startup_probe is not None:
        yield from validate_restarting_probe(container.startup_probe, f"{path}.startupProbe")


def _validate_init_container(container: Container, path: str, pod: _Pod) -> Errors:
    yield from _validate_container(container, path, pod)
    yield from _validate_restart(container, path)
    if container.restart_policy == "Always":
        yield from _validate_running(container, path, pod)
        yield from _validate_host_ports(container.ports, f"{path}.ports", pod)
        return
    for name, attribute in (("lifecycle", "lifecycle"), *_PROBES):
        if getattr(container, attribute) is not None:
            yield FieldError.forbidden(f"{path}.{name}", "may not be set for init containers without restartPolicy=Always")


def _validate_ephemeral(container: EphemeralContainer, path: str, pod: _Pod) -> Errors:
    taken = {each.name for each in pod.spec.containers}
    if container.target_container_name and container.target_container_name not in taken:
        yield FieldError.not_found(f"{path}.targetContainerName", container.target_container_name)
    given = {
        "ports": container.ports,
        "livenessProbe": container.liveness_probe,
        "readinessProbe": container.readiness_probe,
        "startupProbe": container.startup_probe,
        "lifecycle": container.lifecycle,
        "resources": container.resources.limits or container.resources.requests or container.resources.claims,
        "resizePolicy": container.resize_policy,
    }
    for name in _NOT_FOR_EPHEMERAL:
        if given[name]:
            yield FieldError.forbidden(f"{path}.{name}", "cannot be set for an Ephemeral Container")
    for index, mount in enumerate(container.volume_mounts):
        for name, value in (("subPath", mount.sub_path), ("subPathExpr", mount.sub_path_expr)):
            if value:
                detail = "cannot be set for an Ephemeral Container"
                yield FieldError.forbidden(f"{path}.volumeMounts[{index}].{name}", detail)
    yield from _validate_container(container, path, pod)


def _validate_restart(container: Container, path: str) -> Errors:
    """A container's own restart policy, and its rules by exit code."""
    yield from optional_one_of(f"{path}.restartPolicy", container.restart_policy, ("Always", "Never", "OnFailure"))
    rules = container.restart_policy_rules
    if rules and not container.restart_policy:
        yield FieldError.required(f"{path}.restartPolicy", "must specify restartPolicy when restart rules are used")
    if len(rules) > RESTART_RULES_MAX:
        yield FieldError.too_many(f"{path}.restartPolicyRules", len(rules), RESTART_RULES_MAX)
    for index, rule in enumerate(rules):
        where = f"{path}.restartPolicyRules[{index}]"
        yield from one_of(f"{where}.action", rule.action, ("Restart", "RestartAllContainers"))
        if rule.exit_codes is None:
            yield FieldError.required(f"{where}.exitCodes", "must be specified")
            continue
        yield from one_of(f"{where}.exitCodes.operator", rule.exit_codes.operator, ("In", "NotIn"))
        if not rule.exit_codes.values:
            yield FieldError.required(f"{where}.exitCodes.values", "must be specified")
        elif len(rule.exit_codes.values) > EXIT_CODES_MAX:
            yield FieldError.too_many(f"{where}.exitCodes.values", len(rule.exit_codes.values), EXIT_CODES_MAX)


def _validate_ports(ports: Sequence[ContainerPort], path: str, *, host_network: bool) -> Errors:
    taken = set()
    for index, port in enumerate(ports):
        where = f"{path}[{index}]"
        if port.name:
            yield from named(f"{where}.name", port.name, names.port_name)
            if port.name in taken:
                yield FieldError.duplicate(f"{where}.name", port.name)
            taken.add(port.name)
        if port.container_port:
            yield from port_number(f"{where}.containerPort", port.container_port)
        else:
            yield FieldError.required(f"{where}.containerPort")
        if port.host_port:
            yield from port_number(f"{where}.hostPort", port.host_port)
            if host_network and port.host_port != port.container_port:
                detail = "must match `containerPort` when `hostNetwork` is true"
                yield FieldError.invalid(f"{where}.hostPort", port.host_port, detail)
        if port.host_ip:
            yield from ip_address(f"{where}.hostIP", port.host_ip)
        yield from one_of(f"{where}.protocol", port.protocol, PROTOCOLS)


def _validate_host_ports(ports: Sequence[ContainerPort], path: str, pod: _Pod) -> Errors:
    """No two containers of a pod may want the same port of the node."""
    for index, port in enumerate(ports):
        if not port.host_port:
            continue
        wanted = (port.protocol, port.host_ip, port.host_port)
        if wanted in pod.host_ports:
            yield FieldError.duplicate(f"{path}[{index}].hostPort", "/".join(map(str, wanted)))
        pod.host_ports.add(wanted)


def _validate_mounts(container: AnyContainer, path: str, pod: _Pod) -> Errors:
    taken = {device.device_path for device in container.volume_devices}
    mounted = set()
    for index, mount in enumerate(container.volume_mounts):
        where = f"{path}[{index}]"
        if not mount.name:
            yield FieldError.required(f"{where}.name")
        elif mount.name not in pod.volumes:
            yield FieldError.not_found(f"{where}.name", mount.name)
        if not mount.mount_path:
            yield FieldError.required(f"{where}.mountPath")
        elif mount.mount_path in mounted:
            yield FieldError.invalid(f"{where}.mountPath", mount.mount_path, "must be unique")
        elif mount.mount_path in taken:
            yield FieldError.invalid(
                f"{where}.mountPath", mount.mount_path, "must not already exist as a path in volumeDevices"
            )
        mounted.add(mount.mount_path)
        yield from _validate_mount_options(container, mount, where)


def _validate_mount_options(container: AnyContainer, mount: VolumeMount, path: str) -> Errors:
    if mount.sub_path:
        yield from relative_path(f"{path}.subPath", mount.sub_path)
    if mount.sub_path_expr:
        if mount.sub_path:
            yield FieldError.invalid(
                f"{path}.subPathExpr", mount.sub_path_expr, "subPathExpr and subPath are mutually exclusive"
            )
        yield from relative_path(f"{path}.subPathExpr", mount.sub_path_expr)
    propagations = ("Bidirectional", "HostToContainer", "None")
    yield from optional_one_of(f"{path}.mountPropagation", mount.mount_propagation, propagations)
    privileged = container.security_context is not None and container.security_context.privileged
    if mount.mount_propagation == "Bidirectional" and not privileged:
        detail = "Bidirectional mount propagation is available only to privileged containers"
        yield FieldError.forbidden(f"{path}.mountPropagation", detail)
    recursive = mount.recursive_read_only
    yield from optional_one_of(f"{path}.recursiveReadOnly", recursive, ("Disabled", "Enabled", "IfPossible"))
    if recursive in ("Enabled", "IfPossible"):
        if not mount.read_only:
            yield FieldError.forbidden(f"{path}.recursiveReadOnly", "may only be specified when readOnly is true")
        if mount.mount_propagation not in ("", "None"):
            detail = "may only be specified when mountPropagation is None or not specified"
            yield FieldError.forbidden(f"{path}.recursiveReadOnly", detail)


def _validate_devices(container: AnyContainer, path: str, pod: _Pod) -> Errors:
    paths: set[str] = set()
    used: set[str] = set()
    for index, device in enumerate(container.volume_devices):
        where = f"{path}[{index}]"
        yield from _validate_device_volume(device, where, pod, used)
        if not device.device_path:
            yield FieldError.required(f"{where}.devicePath")
        elif device.device_path in paths:
            yield FieldError.invalid(f"{where}.devicePath", device.device_path, "must be unique")
        yield from no_backsteps(f"{where}.devicePath", device.device_path)
        paths.add(device.device_path)


def _validate_device_volume(device: VolumeDevice, path: str, pod: _Pod, used: set[str]) -> Errors:
    volume = pod.volumes.get(device.name)
    if not device.name:
        yield FieldError.required(f"{path}.name")
    elif volume is None:
        yield FieldError.not_found(f"{path}.name", device.name)
    elif volume.persistent_volume_claim is None and volume.ephemeral is None:
        detail = "can only use volume source type of PersistentVolumeClaim or Ephemeral for block mode"
        yield FieldError.invalid(f"{path}.name", device.name, detail)
    elif device.name in used:
        yield FieldError.invalid(f"{path}.name", device.name, "must be unique")
    used.add(device.name)


def _validate_resize_policy(container: AnyContainer, path: str, pod: _Pod) -> Errors:
    seen = set()
    for index, policy in enumerate(container.resize_policy):
        where = f"{path}[{index}]"
        if policy.resource_name in seen:
            yield FieldError.duplicate(where, policy.resource_name)
        seen.add(policy.resource_name)
        yield from one_of(f"{where}.resourceName", policy.resource_name, ("cpu", "memory"))
        yield from one_of(f"{where}.restartPolicy", policy.restart_policy, ("NotRequired", "RestartContainer"))
        if policy.restart_policy == "RestartContainer" and pod.spec.restart_policy == "Never":
            detail = "must be 'NotRequired' when `restartPolicy` is 'Never'"
            yield FieldError.invalid(f"{where}.restartPolicy", policy.restart_policy, detail)
