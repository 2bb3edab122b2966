"""Containers of a pod: commands, environment, resources, probes, hooks, security."""

from typing import Annotated

import msgspec

from apimachinery.kinds.base import Base, Int32, Int64, IntOrString, Merge, Quantity
from apimachinery.kinds.references import (
    ConfigMapKeySelector,
    ObjectFieldSelector,
    ResourceFieldSelector,
    SecretKeySelector,
)


class FileKeySelector(Base):
    """core/v1.FileKeySelector"""

    key: str = msgspec.field(default_factory=str)
    optional: bool | None = None
    path: str = msgspec.field(default_factory=str)
    volume_name: str = msgspec.field(default_factory=str)


class EnvVarSource(Base):
    """core/v1.EnvVarSource"""

    config_map_key_ref: ConfigMapKeySelector | None = None
    field_ref: ObjectFieldSelector | None = None
    file_key_ref: FileKeySelector | None = None
    resource_field_ref: ResourceFieldSelector | None = None
    secret_key_ref: SecretKeySelector | None = None


class EnvVar(Base):
    """core/v1.EnvVar"""

    name: str = msgspec.field(default_factory=str)
    value: str = ""
    value_from: EnvVarSource | None = None


class ConfigMapEnvSource(Base):
    """core/v1.ConfigMapEnvSource"""

    name: str = ""
    optional: bool | None = None


class SecretEnvSource(Base):
    """core/v1.SecretEnvSource"""

    name: str = ""
    optional: bool | None = None


class EnvFromSource(Base):
    """core/v1.EnvFromSource"""

    config_map_ref: ConfigMapEnvSource | None = None
    prefix: str = ""
    secret_ref: SecretEnvSource | None = None


class ExecAction(Base):
    """core/v1.ExecAction"""

    command: Annotated[list[str], Merge(list_type="atomic")] = []


class HTTPHeader(Base):
    """core/v1.HTTPHeader"""

    name: str = msgspec.field(default_factory=str)
    value: str = msgspec.field(default_factory=str)


class HTTPGetAction(Base):
    """core/v1.HTTPGetAction"""

    host: str = ""
    http_headers: Annotated[list[HTTPHeader], Merge(list_type="atomic")] = []
    path: str = ""
    port: IntOrString = msgspec.field(default_factory=int)
    scheme: str = ""


class SleepAction(Base):
    """core/v1.SleepAction"""

    seconds: Int64 = msgspec.field(default_factory=int)


class TCPSocketAction(Base):
    """core/v1.TCPSocketAction"""

    host: str = ""
    port: IntOrString = msgspec.field(default_factory=int)


class LifecycleHandler(Base):
    """core/v1.LifecycleHandler"""

    exec: ExecAction | None = None
    http_get: HTTPGetAction | None = None
    sleep: SleepAction | None = None
    tcp_socket: TCPSocketAction | None = None


class Lifecycle(Base):
    """core/v1.Lifecycle"""

    post_start: LifecycleHandler | None = None
    pre_stop: LifecycleHandler | None = None
    stop_signal: str = ""


class GRPCAction(Base):
    """core/v1.GRPCAction"""

    port: Int32 = msgspec.field(default_factory=int)
    service: str = ""


class Probe(Base):
    """core/v1.Probe

    A check that a kubelet makes of a container again and again.
    """

    exec: ExecAction | None = None
    failure_threshold: Int32 | None = None
    grpc: GRPCAction | None = None
    http_get: HTTPGetAction | None = None
    initial_delay_seconds: Int32 | None = None
    period_seconds: Int32 | None = None
    success_threshold: Int32 | None = None
    tcp_socket: TCPSocketAction | None = None
    termination_grace_period_seconds: Int64 | None = None
    timeout_seconds: Int32 | None = None


class ContainerPort(Base):
    """core/v1.ContainerPort"""

    name: str = ""
    container_port: Int32 = msgspec.field(default_factory=int)
    host_ip: str = msgspec.field(name="hostIP", default="")
    host_port: Int32 | None = None
    protocol: str = ""


class ContainerResizePolicy(Base):
    """core/v1.ContainerResizePolicy"""

    resource_name: str = msgspec.field(default_factory=str)
    restart_policy: str = msgspec.field(default_factory=str)


class ResourceClaim(Base):
    """core/v1.ResourceClaim"""

    name: str = msgspec.field(default_factory=str)
    request: str = ""


class ResourceRequirements(Base):
    """core/v1.ResourceRequirements"""

    claims: Annotated[list[ResourceClaim], Merge(list_type="map", keys=("name",))] = []
    limits: dict[str, Quantity] = {}
    requests: dict[str, Quantity] = {}


class ContainerRestartRuleOnExitCodes(Base):
    """core/v1.ContainerRestartRuleOnExitCodes"""

    operator: str = msgspec.field(default_factory=str)
    values: Annotated[list[Int32], Merge(list_type="set")] = []


class ContainerRestartRule(Base):
    """core/v1.ContainerRestartRule"""

    action: str = msgspec.field(default_factory=str)
    exit_codes: ContainerRestartRuleOnExitCodes | None = None


class AppArmorProfile(Base):
    """core/v1.AppArmorProfile"""

    localhost_profile: str = ""
    type: str = msgspec.field(default_factory=str)


class Capabilities(Base):
    """core/v1.Capabilities"""

    add: Annotated[list[str], Merge(list_type="atomic")] = []
    drop: Annotated[list[str], Merge(list_type="atomic")] = []


class SELinuxOptions(Base):
    """core/v1.SELinuxOptions"""

    level: str = ""
    role: str = ""
    type: str = ""
    user: str = ""


class SeccompProfile(Base):
    """core/v1.SeccompProfile"""

    localhost_profile: str = ""
    type: str = msgspec.field(default_factory=str)


class WindowsSecurityContextOptions(Base):
    """core/v1.WindowsSecurityContextOptions"""

    gmsa_credential_spec: str = ""
    gmsa_credential_spec_name: str = ""
    host_process: bool | None = None
    run_as_user_name: str = ""


class SecurityContext(Base):
    """core/v1.SecurityContext"""

    allow_privilege_escalation: bool | None = None
    app_armor_profile: AppArmorProfile | None = None
    capabilities: Capabilities | None = None
    privileged: bool | None = None
    proc_mount: str = ""
    read_only_root_filesystem: bool | None = None
    run_as_group: Int64 | None = None
    run_as_non_root: bool | None = None
    run_as_user: Int64 | None = None
    se_linux_options: SELinuxOptions | None = None
    seccomp_profile: SeccompProfile | None = None
    windows_options: WindowsSecurityContextOptions | None = None


class VolumeDevice(Base):
    """core/v1.VolumeDevice"""

    name: str = msgspec.field(default_factory=str)
    device_path: str = msgspec.field(default_factory=str)


class VolumeMount(Base):
    """core/v1.VolumeMount"""

    name: str = msgspec.field(default_factory=str)
    mount_path: str = msgspec.field(default_factory=str)
    mount_propagation: str = ""
    read_only: bool | None = None
    recursive_read_only: str = ""
    sub_path: str = ""
    sub_path_expr: str = ""


class Container(Base):
    """core/v1.Container

    One program of a pod: its image, and how it is run.
    """

    name: str = msgspec.field(default_factory=str)
    args: Annotated[list[str], Merge(list_type="atomic")] = []
    command: Annotated[list[str], Merge(list_type="atomic")] = []
    env: Annotated[list[EnvVar], Merge(patch="merge", merge_key="name", list_type="map", keys=("name",))] = []
    env_from: Annotated[list[EnvFromSource], Merge(list_type="atomic")] = []
    image: str = ""
    image_pull_policy: str = ""
    lifecycle: Lifecycle | None = None
    liveness_probe: Probe | None = None
    ports: Annotated[
        list[ContainerPort],
        Merge(
            patch="merge",
            merge_key="containerPort",
            list_type="map",
            keys=(
                "containerPort",
                "protocol",
            ),
        ),
    ] = []
    readiness_probe: Probe | None = None
    resize_policy: Annotated[list[ContainerResizePolicy], Merge(list_type="atomic")] = []
    resources: ResourceRequirements = msgspec.field(default_factory=ResourceRequirements)
    restart_policy: str = ""
    restart_policy_rules: Annotated[list[ContainerRestartRule], Merge(list_type="atomic")] = []
    security_context: SecurityContext | None = None
    startup_probe: Probe | None = None
    stdin: bool | None = None
    stdin_once: bool | None = None
    termination_message_path: str = ""
    termination_message_policy: str = ""
    tty: bool | None = None
    volume_devices: Annotated[
        list[VolumeDevice], Merge(patch="merge", merge_key="devicePath", list_type="map", keys=("devicePath",))
    ] = []
    volume_mounts: Annotated[
        list[VolumeMount], Merge(patch="merge", merge_key="mountPath", list_type="map", keys=("mountPath",))
    ] = []
    working_dir: str = ""


class EphemeralContainer(Base):
    """core/v1.EphemeralContainer"""

    name: str = msgspec.field(default_factory=str)
    args: Annotated[list[str], Merge(list_type="atomic")] = []
    command: Annotated[list[str], Merge(list_type="atomic")] = []
    env: Annotated[list[EnvVar], Merge(patch="merge", merge_key="name", list_type="map", keys=("name",))] = []
    env_from: Annotated[list[EnvFromSource], Merge(list_type="atomic")] = []
    image: str = ""
    image_pull_policy: str = ""
    lifecycle: Lifecycle | None = None
    liveness_probe: Probe | None = None
    ports: Annotated[
        list[ContainerPort],
        Merge(
            patch="merge",
            merge_key="containerPort",
            list_type="map",
            keys=(
                "containerPort",
                "protocol",
            ),
        ),
    ] = []
    readiness_probe: Probe | None = None
    resize_policy: Annotated[list[ContainerResizePolicy], Merge(list_type="atomic")] = []
    resources: ResourceRequirements = msgspec.field(default_factory=ResourceRequirements)
    restart_policy: str = ""
    restart_policy_rules: Annotated[list[ContainerRestartRule], Merge(list_type="atomic")] = []
    security_context: SecurityContext | None = None
    startup_probe: Probe | None = None
    stdin: bool | None = None
    stdin_once: bool | None = None
    target_container_name: str = ""
    termination_message_path: str = ""
    termination_message_policy: str = ""
    tty: bool | None = None
    volume_devices: Annotated[
        list[VolumeDevice], Merge(patch="merge", merge_key="devicePath", list_type="map", keys=("devicePath",))
    ] = []
    volume_mounts: Annotated[
        list[VolumeMount], Merge(patch="merge", merge_key="mountPath", list_type="map", keys=("mountPath",))
    ] = []
    working_dir: str = ""
