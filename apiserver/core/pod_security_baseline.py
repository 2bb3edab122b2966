"""The checks of the baseline level: what is known to lead out of a container.

Each function is one control as of the version that its name ends in (v1.0 where it ends in none); `pod_security` says which
stands when. Source: the Kubernetes page "Pod Security Standards"; reasons and details are worded as Kubernetes words them.
"""

from collections.abc import Collection, Iterator

from apimachinery.kinds import LifecycleHandler, Probe, SELinuxOptions
from apiserver.core.pod_security_subject import AnyContainer, Check, Finding, Subject, counted, plural, quoted, setters

_CAPABILITIES = frozenset(
    [
        "AUDIT_WRITE",
        "CHOWN",
        "DAC_OVERRIDE",
        "FOWNER",
        "FSETID",
        "KILL",
        "MKNOD",
        "NET_BIND_SERVICE",
        "SETFCAP",
        "SETGID",
        "SETPCAP",
        "SETUID",
        "SYS_CHROOT",
    ]
)
_PROFILES = frozenset(("", "RuntimeDefault", "Localhost"))
_APP_ARMOR = "container.apparmor.security.beta.kubernetes.io/"
_SECCOMP_POD = "seccomp.security.alpha.kubernetes.io/pod"
_SECCOMP_CONTAINER = "container.seccomp.security.alpha.kubernetes.io/"
_SE_LINUX_TYPES = frozenset(("", "container_t", "container_init_t", "container_kvm_t"))
_SE_LINUX_TYPES_1_31 = _SE_LINUX_TYPES | {"container_engine_t"}
_SYSCTLS = frozenset(
    (
        "kernel.shm_rmid_forced",
        "net.ipv4.ip_local_port_range",
        "net.ipv4.ip_unprivileged_port_start",
        "net.ipv4.ping_group_range",
        "net.ipv4.tcp_syncookies",
    )
)
_SYSCTLS_1_27 = _SYSCTLS | {"net.ipv4.ip_local_reserved_ports"}
_SYSCTLS_1_29 = _SYSCTLS_1_27 | {
    "net.ipv4.tcp_fin_timeout",
    "net.ipv4.tcp_keepalive_intvl",
    "net.ipv4.tcp_keepalive_probes",
    "net.ipv4.tcp_keepalive_time",
}
_SYSCTLS_1_32 = _SYSCTLS_1_29 | {"net.ipv4.tcp_rmem", "net.ipv4.tcp_wmem"}


def app_armor(subject: Subject) -> Finding | None:
    """Fields of the pod and its containers, and the annotations of old."""
    who: list[str] = []
    values: set[str] = set()
    context = subject.spec.security_context
    if context is not None and context.app_armor_profile is not None and context.app_armor_profile.type not in _PROFILES:
        who.append("pod")
        values.add(context.app_armor_profile.type)
    bad = []
    for container in subject.containers:
        own = container.security_context
        if own is not None and own.app_armor_profile is not None and own.app_armor_profile.type not in _PROFILES:
            bad.append(container.name)
            values.add(own.app_armor_profile.type)
    if bad:
        who.append(counted("container", bad))
    annotated = sorted((key, value) for key, value in subject.annotations.items() if key.startswith(_APP_ARMOR))
    forbidden = [f'{key}="{value}"' for key, value in annotated if not _is_loaded_profile(value)]
    if forbidden:
        who.append(plural("annotation", forbidden))
    if not who:
        return None
    found = [*sorted(values), *forbidden]
    detail = f"{' and '.join(who)} must not set AppArmor profile type to {quoted(found)}"
    return Finding(plural("forbidden AppArmor profile", found), detail)


def capabilities(subject: Subject) -> Finding | None:
    added = {
        container.name: beyond
        for container in subject.containers
        if (beyond := set(added_capabilities(container)) - _CAPABILITIES)
    }
    if not added:
        return None
    every = sorted(set().union(*added.values()))
    detail = f"{counted('container', added)} must not include {quoted(every)} in securityContext.capabilities.add"
    return Finding("non-default capabilities", detail)


def host_namespaces(subject: Subject) -> Finding | None:
    spec = subject.spec
    shared = (("hostNetwork", spec.host_network), ("hostPID", spec.host_pid), ("hostIPC", spec.host_ip_c))
    found = [f"{name}=true" for name, value in shared if value]
    return Finding("host namespaces", ", ".join(found)) if found else None


def host_path_volumes(subject: Subject) -> Finding | None:
    found = [volume.name for volume in subject.spec.volumes if volume.host_path is not None]
    return Finding("hostPath volumes", counted("volume", found)) if found else None


def host_ports(subject: Subject) -> Finding | None:
    ports = {
        container.name: taken
        for container in subject.containers
        if (taken := {str(port.host_port) for port in container.ports if port.host_port})
    }
    if not ports:
        return None
    every = sorted(set().union(*ports.values()))
    verb = "uses" if len(ports) == 1 else "use"
    return Finding("hostPort", f"{counted('container', ports)} {verb} {plural('hostPort', every)} {', '.join(every)}")


def hosts_of_probes_1_34(subject: Subject) -> Finding | None:
    """A probe that names a host makes the kubelet connect to wherever its author likes."""
    hosts = {container.name: named for container in subject.containers if (named := set(_hosts(container)))}
    if not hosts:
        return None
    every = sorted(set().union(*hosts.values()))
    verb = "uses" if len(hosts) == 1 else "use"
    reason = "probe or lifecycle host"
    return Finding(reason, f"{counted('container', sorted(hosts))} {verb} {counted(reason, every)}")


def privileged(subject: Subject) -> Finding | None:
    found = subject.named(lambda context: bool(context.privileged))
    return (
        Finding("privileged", f"{counted('container', found)} must not set securityContext.privileged=true") if found else None
    )


def proc_mount(subject: Subject) -> Finding | None:
    found = subject.named(lambda context: context.proc_mount not in ("", "Default"))
    if not found:
        return None
    contexts = (each.security_context for each in subject.containers)
    values = sorted({each.proc_mount for each in contexts if each is not None and each.proc_mount not in ("", "Default")})
    return Finding("procMount", f"{counted('container', found)} must not set securityContext.procMount to {quoted(values)}")


def proc_mount_1_35(subject: Subject) -> Finding | None:
    """In a user namespace of its own, a pod that sees all of /proc is nobody on the node."""
    return None if subject.spec.host_users is False else proc_mount(subject)


def se_linux(subject: Subject) -> Finding | None:
    return _se_linux(subject, _SE_LINUX_TYPES)


def se_linux_1_31(subject: Subject) -> Finding | None:
    return _se_linux(subject, _SE_LINUX_TYPES_1_31)


def seccomp(subject: Subject) -> Finding | None:
    """When seccomp was set by annotations."""
    names = [_SECCOMP_POD, *(f"{_SECCOMP_CONTAINER}{each.name}" for each in subject.containers)]
    forbidden = [name for name in names if not _is_seccomp_annotation(subject.annotations.get(name, "runtime/default"))]
    if not forbidden:
        return None
    values = sorted({subject.annotations[name] for name in forbidden})
    return Finding("seccompProfile", f"{plural('forbidden annotation', forbidden)} {quoted(forbidden)} set to {quoted(values)}")


def seccomp_1_19(subject: Subject) -> Finding | None:
    """Also the part of the restricted check that is about what is said, not about what is left out."""
    context = subject.spec.security_context
    profile = context.seccomp_profile if context is not None else None
    values = set() if profile is None or profile.type in _PROFILES else {profile.type}
    pod, bad = bool(values), []
    for container in subject.containers:
        own = container.security_context.seccomp_profile if container.security_context is not None else None
        if own is not None and own.type not in _PROFILES:
            bad.append(container.name)
            values.add(own.type)
    if not values:
        return None
    detail = f"{setters(bad, pod=pod)} must not set securityContext.seccompProfile.type to {quoted(sorted(values))}"
    return Finding("seccompProfile", detail)


def sysctls(subject: Subject) -> Finding | None:
    return _sysctls(subject, _SYSCTLS)


def sysctls_1_27(subject: Subject) -> Finding | None:
    return _sysctls(subject, _SYSCTLS_1_27)


def sysctls_1_29(subject: Subject) -> Finding | None:
    return _sysctls(subject, _SYSCTLS_1_29)


def sysctls_1_32(subject: Subject) -> Finding | None:
    return _sysctls(subject, _SYSCTLS_1_32)


def host_process(subject: Subject) -> Finding | None:
    context = subject.spec.security_context
    pod = context is not None and context.windows_options is not None and bool(context.windows_options.host_process)
    bad = subject.named(lambda own: own.windows_options is not None and bool(own.windows_options.host_process))
    if not pod and not bad:
        return None
    return Finding("hostProcess", f"{setters(bad, pod=pod)} must not set securityContext.windowsOptions.hostProcess=true")


def added_capabilities(container: AnyContainer) -> list[str]:
    context = container.security_context
    return context.capabilities.add if context is not None and context.capabilities is not None else []


def _is_loaded_profile(value: str) -> bool:
    return value in ("", "runtime/default") or value.startswith("localhost/")


def _is_seccomp_annotation(value: str) -> bool:
    return value in ("runtime/default", "docker/default") or value.startswith("localhost/")


def _hosts(container: AnyContainer) -> Iterator[str]:
    hooks = (container.lifecycle.post_start, container.lifecycle.pre_stop) if container.lifecycle is not None else ()
    actions: tuple[Probe | LifecycleHandler | None, ...]
    actions = (container.liveness_probe, container.readiness_probe, container.startup_probe, *hooks)
    for action in actions:
        if action is None:
            continue
        if action.http_get is not None and action.http_get.host:
            yield action.http_get.host
        if action.tcp_socket is not None and action.tcp_socket.host:
            yield action.tcp_socket.host


def _se_linux(subject: Subject, allowed: Collection[str]) -> Finding | None:
    context = subject.spec.security_context
    whole = context.se_linux_options if context is not None else None
    own = [(each.name, each.security_context.se_linux_options) for each in subject.containers if each.security_context]
    pod = whole is not None and _is_forbidden(whole, allowed)
    bad = {name: options for name, options in own if options is not None and _is_forbidden(options, allowed)}
    found = [*([whole] if whole is not None and pod else []), *bad.values()]
    if not found:
        return None
    said = []
    if types := sorted({each.type for each in found} - set(allowed)):
        said.append(counted("type", types))
    if any(each.user for each in found):
        said.append("user may not be set")
    if any(each.role for each in found):
        said.append("role may not be set")
    detail = f"{setters(bad, pod=pod)} set forbidden securityContext.seLinuxOptions: {'; '.join(said)}"
    return Finding("seLinuxOptions", detail)


def _is_forbidden(options: SELinuxOptions, allowed: Collection[str]) -> bool:
    return options.type not in allowed or bool(options.user or options.role)


def _sysctls(subject: Subject, allowed: Collection[str]) -> Finding | None:
    context = subject.spec.security_context
    found = [each.name for each in context.sysctls if each.name not in allowed] if context is not None else []
    return Finding("forbidden sysctls", ", ".join(found)) if found else None


HISTORY: tuple[tuple[str, tuple[tuple[int, Check], ...]], ...] = (
    ("appArmorProfile", ((0, app_armor),)),
    ("capabilities", ((0, capabilities),)),
    ("hostNamespaces", ((0, host_namespaces),)),
    ("hostPathVolumes", ((0, host_path_volumes),)),
    ("hostPorts", ((0, host_ports),)),
    ("hostProbesAndHostLifecycle", ((34, hosts_of_probes_1_34),)),
    ("privileged", ((0, privileged),)),
    ("procMount", ((0, proc_mount), (35, proc_mount_1_35))),
    ("seLinuxOptions", ((0, se_linux), (31, se_linux_1_31))),
    ("seccompProfile", ((0, seccomp), (19, seccomp_1_19))),
    ("sysctls", ((0, sysctls), (27, sysctls_1_27), (29, sysctls_1_29), (32, sysctls_1_32))),
    ("windowsHostProcess", ((0, host_process),)),
)
"""Each control, in the order in which findings are told, with the minor versions from which its forms are in force."""
