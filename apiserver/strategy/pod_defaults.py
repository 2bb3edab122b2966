"""Defaults of pod specifications, in pods and in the templates of workloads.

Source: the defaults documented in the API reference of Pod, Container, Probe and Volume, Kubernetes 1.36.
"""

from apimachinery.kinds import (
    Container,
    ContainerPort,
    EmptyDirVolumeSource,
    EphemeralContainer,
    HTTPGetAction,
    PersistentVolumeSpec,
    PodSecurityContext,
    PodSpec,
    Probe,
    ResourceRequirements,
    Volume,
)
from apiserver.strategy.claim_spec import default_claim_spec
from apiserver.strategy.quantities import canonical_quantity, canonicalize

DEFAULT_FILE_MODE = 0o644
TOKEN_LIFETIME_S = 3600


def default_pod_spec(spec: PodSpec) -> None:
    """What a pod and a template have in common."""
    spec.dns_policy = spec.dns_policy or "ClusterFirst"
    spec.restart_policy = spec.restart_policy or "Always"
    spec.scheduler_name = spec.scheduler_name or "default-scheduler"
    if spec.security_context is None:
        spec.security_context = PodSecurityContext()
    if spec.termination_grace_period_seconds is None:
        spec.termination_grace_period_seconds = 30
    spec.service_account_name = spec.service_account_name or spec.service_account
    spec.service_account = spec.service_account_name
    containers: list[Container | EphemeralContainer] = [*spec.init_containers, *spec.containers, *spec.ephemeral_containers]
    for container in containers:
        default_container(container, host_network=bool(spec.host_network))
    for volume in spec.volumes:
        default_volume(volume)
    canonicalize(spec.overhead)
    if spec.resources is not None:
        _canonicalize_requirements(spec.resources)


def default_pod_only(spec: PodSpec) -> None:
    """What only pods get: templates keep it open until a pod is made of them."""
    if spec.enable_service_links is None:
        spec.enable_service_links = True
    for container in (*spec.init_containers, *spec.containers):
        requests_from_limits(container.resources)
    if spec.resources is not None:
        requests_from_limits(spec.resources)


def requests_from_limits(resources: ResourceRequirements) -> None:
    """Who only says what a container may use at most asks for that much."""
    for name, limit in resources.limits.items():
        resources.requests.setdefault(name, limit)


def default_container(container: Container | EphemeralContainer, *, host_network: bool) -> None:
    container.image_pull_policy = container.image_pull_policy or pull_policy(container.image)
    container.termination_message_path = container.termination_message_path or "/dev/termination-log"
    container.termination_message_policy = container.termination_message_policy or "File"
    for port in container.ports:
        _default_port(port, host_network=host_network)
    for variable in container.env:
        if variable.value_from and variable.value_from.field_ref:
            variable.value_from.field_ref.api_version = variable.value_from.field_ref.api_version or "v1"
        if variable.value_from and variable.value_from.resource_field_ref:
            reference = variable.value_from.resource_field_ref
            reference.divisor = None if reference.divisor is None else canonical_quantity(reference.divisor)
    for probe in (container.liveness_probe, container.readiness_probe, container.startup_probe):
        if probe is not None:
            _default_probe(probe)
    if container.lifecycle is not None:
        for handler in (container.lifecycle.post_start, container.lifecycle.pre_stop):
            if handler is not None and handler.http_get is not None:
                _default_http_get(handler.http_get)
    _canonicalize_requirements(container.resources)


def pull_policy(image: str) -> str:
    """Always for what changes under its name (`latest`, or no tag at all), IfNotPresent for the rest."""
    repository, _, digest = image.partition("@")
    _, colon, tag = repository.rpartition("/")[2].partition(":")
    return "IfNotPresent" if digest or (colon and tag != "latest") else "Always"


def default_volume(volume: Volume) -> None:
    """The source of a volume that has none is an empty directory; file modes, and what single sources leave open."""
    if all(getattr(volume, field) is None for field in volume.__struct_fields__ if field != "name"):
        volume.empty_dir = EmptyDirVolumeSource()
    for source in (volume.config_map, volume.secret, volume.downward_api, volume.projected):
        if source is not None and source.default_mode is None:
            source.default_mode = DEFAULT_FILE_MODE
    if volume.empty_dir is not None and volume.empty_dir.size_limit is not None:
        volume.empty_dir.size_limit = canonical_quantity(volume.empty_dir.size_limit)
    if volume.image is not None:
        volume.image.pull_policy = volume.image.pull_policy or pull_policy(volume.image.reference)
    _default_projections(volume)
    _default_claim_template(volume)
    default_network_sources(volume)


def _default_projections(volume: Volume) -> None:
    files = list(volume.downward_api.items) if volume.downward_api else []
    for source in volume.projected.sources if volume.projected else ():
        if source.service_account_token and source.service_account_token.expiration_seconds is None:
            source.service_account_token.expiration_seconds = TOKEN_LIFETIME_S
        if source.downward_api:
            files += source.downward_api.items
    for file in files:
        if file.field_ref is not None:
            file.field_ref.api_version = file.field_ref.api_version or "v1"
        if file.resource_field_ref is not None and file.resource_field_ref.divisor is not None:
            file.resource_field_ref.divisor = canonical_quantity(file.resource_field_ref.divisor)


def _default_claim_template(volume: Volume) -> None:
    template = volume.ephemeral.volume_claim_template if volume.ephemeral else None
    if template is not None:
        default_claim_spec(template.spec)


def default_network_sources(volume: Volume | PersistentVolumeSpec) -> None:
    """What single sources leave open, in pods and in PersistentVolumes."""
    if volume.iscsi is not None:
        volume.iscsi.iscsi_interface = volume.iscsi.iscsi_interface or "default"
    if volume.rbd is not None:
        volume.rbd.pool = volume.rbd.pool or "rbd"
        volume.rbd.user = volume.rbd.user or "admin"
        volume.rbd.keyring = volume.rbd.keyring or "/etc/ceph/keyring"
    if volume.azure_disk is not None:
        volume.azure_disk.kind = volume.azure_disk.kind or "Shared"
        volume.azure_disk.caching_mode = volume.azure_disk.caching_mode or "ReadWrite"
        volume.azure_disk.fs_type = volume.azure_disk.fs_type or "ext4"
        volume.azure_disk.read_only = bool(volume.azure_disk.read_only)
    if volume.scale_io is not None:
        volume.scale_io.storage_mode = volume.scale_io.storage_mode or "ThinProvisioned"
        volume.scale_io.fs_type = volume.scale_io.fs_type or "xfs"


def _default_port(port: ContainerPort, *, host_network: bool) -> None:
    port.protocol = port.protocol or "TCP"
    if host_network and not port.host_port:
        port.host_port = port.container_port


def _default_probe(probe: Probe) -> None:
    probe.timeout_seconds = probe.timeout_seconds or 1
    probe.period_seconds = probe.period_seconds or 10
    probe.success_threshold = probe.success_threshold or 1
    probe.failure_threshold = probe.failure_threshold or 3
    if probe.http_get is not None:
        _default_http_get(probe.http_get)


def _default_http_get(action: HTTPGetAction) -> None:
    action.path = action.path or "/"
    action.scheme = action.scheme or "HTTP"


def _canonicalize_requirements(resources: ResourceRequirements) -> None:
    canonicalize(resources.limits)
    canonicalize(resources.requests)
