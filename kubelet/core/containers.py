"""A container as CRI wants it described: command, environment, mounts, security, resources, and the marks to know it again.

Source: the Kubernetes pages "Configure a Security Context", "Define a Command and Arguments for a Container".
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from apimachinery.kinds import Container, Pod, PodSecurityContext, SecurityContext
from kubelet.core import model
from kubelet.core.cgroups import container_resources
from kubelet.core.environment import ConfigError, expand
from kubelet.core.model import ContainerKind, ImageRecord
from kubelet.core.pods import full_name, grace_period_s, spec_hash
from kubelet.core.resizing import resources_text
from kubelet.core.sandboxes import namespace_options, pod_groups, pod_labels, seccomp
from proto.gen import cri_pb2 as cri

DEFAULT_MESSAGE_PATH = "/dev/termination-log"
_MASKED_PATHS = (
    "/proc/asound",
    "/proc/acpi",
    "/proc/interrupts",
    "/proc/kcore",
    "/proc/keys",
    "/proc/latency_stats",
    "/proc/timer_list",
    "/proc/timer_stats",
    "/proc/sched_debug",
    "/proc/scsi",
    "/sys/firmware",
    "/sys/devices/virtual/powercap",
)
_READ_ONLY_PATHS = ("/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger")
_PROPAGATION = {
    "": cri.PROPAGATION_PRIVATE,
    "None": cri.PROPAGATION_PRIVATE,
    "HostToContainer": cri.PROPAGATION_HOST_TO_CONTAINER,
    "Bidirectional": cri.PROPAGATION_BIDIRECTIONAL,
}


@dataclass(frozen=True)
class ContainerInputs:
    """What a container is made from beside its spec. `mounts` maps places in the container to places on the node."""

    kind: ContainerKind
    restart_count: int
    image: ImageRecord
    variables: Mapping[str, str]
    mounts: Sequence[cri.Mount]
    memory_capacity_bytes: int
    seccomp_directory: str = ""
    target_id: str = ""
    """The container at the runtime whose processes this one is to see."""


def container_config(pod: Pod, container: Container, inputs: ContainerInputs) -> cri.ContainerConfig:
    """The request for a container; raises ConfigError when the image breaks what the security context demands."""
    variables = inputs.variables
    config = cri.ContainerConfig(
        metadata=cri.ContainerMetadata(name=container.name, attempt=inputs.restart_count),
        image=cri.ImageSpec(image=inputs.image.id, user_specified_image=container.image),
        command=[expand(word, variables) for word in container.command],
        args=[expand(word, variables) for word in container.args],
        working_dir=container.working_dir,
        envs=[cri.KeyValue(key=name, value=value) for name, value in variables.items()],
        mounts=inputs.mounts,
        labels=pod_labels(pod) | {model.CONTAINER_NAME: container.name},
        annotations=_annotations(pod, container, inputs),
        log_path=f"{container.name}/{inputs.restart_count}.log",
        stdin=bool(container.stdin),
        stdin_once=bool(container.stdin_once),
        tty=bool(container.tty),
        linux=cri.LinuxContainerConfig(
            resources=container_resources(pod, container, inputs.memory_capacity_bytes),
            security_context=security(pod, container, inputs.image, inputs.seccomp_directory, inputs.target_id),
        ),
    )
    if any(each.container_path == "/dev/kmsg" for each in inputs.mounts):
        raise ConfigError("/dev/kmsg cannot be mounted")
    return config


def propagation(name: str) -> cri.MountPropagation:
    """CRI's word for a volume mount's propagation."""
    return _PROPAGATION.get(name, cri.PROPAGATION_PRIVATE)


def message_path(container: Container) -> str:
    """Where in the container its last words are expected."""
    return container.termination_message_path or DEFAULT_MESSAGE_PATH


def security(
    pod: Pod, container: Container, image: ImageRecord, seccomp_directory: str, target_id: str = ""
) -> cri.LinuxContainerSecurityContext:
    """The container's security context over the pod's; raises ConfigError."""
    of_pod = pod.spec.security_context or PodSecurityContext()
    own = container.security_context or SecurityContext()
    user = own.run_as_user if own.run_as_user is not None else of_pod.run_as_user
    group = own.run_as_group if own.run_as_group is not None else of_pod.run_as_group
    non_root = own.run_as_non_root if own.run_as_non_root is not None else of_pod.run_as_non_root
    if non_root:
        _check_non_root(pod, container, user, image)
    privileged = bool(own.privileged)
    context = cri.LinuxContainerSecurityContext(
        privileged=privileged,
        namespace_options=_namespaces(pod, target_id),
        readonly_rootfs=bool(own.read_only_root_filesystem),
        supplemental_groups=pod_groups(pod),
        no_new_privs=own.allow_privilege_escalation is False,
        seccomp=seccomp(own.seccomp_profile or of_pod.seccomp_profile, seccomp_directory),
    )
    if privileged:
        context.seccomp.profile_type = cri.SecurityProfile.Unconfined
    elif own.proc_mount in ("", "Default"):
        context.masked_paths.extend(_MASKED_PATHS)
        context.readonly_paths.extend(_READ_ONLY_PATHS)
    if own.capabilities is not None:
        context.capabilities.add_capabilities.extend(own.capabilities.add)
        context.capabilities.drop_capabilities.extend(own.capabilities.drop)
    _set_user(context, user, group, image)
    return context


def _namespaces(pod: Pod, target_id: str) -> cri.NamespaceOption:
    """The pod's namespaces; where each container has processes of its own, those of the target."""
    options = namespace_options(pod)
    if target_id and options.pid == cri.CONTAINER:
        options.pid, options.target_id = cri.TARGET, target_id
    return options


def _set_user(context: cri.LinuxContainerSecurityContext, user: int | None, group: int | None, image: ImageRecord) -> None:
    if user is not None:
        context.run_as_user.value = user
    elif image.uid is not None:
        context.run_as_user.value = image.uid
    elif image.username:
        context.run_as_username = image.username
    if group is not None:
        if user is None and image.uid is None and not image.username:
            context.run_as_user.value = 0
        context.run_as_group.value = group


def _check_non_root(pod: Pod, container: Container, user: int | None, image: ImageRecord) -> None:
    where = f'(pod: "{full_name(pod)}", container: {container.name})'
    if user == 0:
        raise ConfigError(f"container's runAsUser breaks non-root policy {where}")
    if user is not None:
        return
    if image.uid is None and image.username:
        raise ConfigError(
            f"container has runAsNonRoot and image has non-numeric user ({image.username}), "
            f"cannot verify user is non-root {where}"
        )
    if not image.uid:
        raise ConfigError(f"container has runAsNonRoot and image will run as root {where}")


def _annotations(pod: Pod, container: Container, inputs: ContainerInputs) -> dict[str, str]:
    resources = resources_text(container.resources)
    return {
        **({model.RESOURCES: resources} if resources else {}),
        model.SPEC_HASH: spec_hash(container),
        model.RESTART_COUNT: str(inputs.restart_count),
        model.MESSAGE_PATH: message_path(container),
        model.MESSAGE_POLICY: container.termination_message_policy or "File",
        model.GRACE_PERIOD: str(grace_period_s(pod)),
        model.KIND: str(inputs.kind),
    }
