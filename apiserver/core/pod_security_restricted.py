"""The checks of the restricted level: what a hardened container has to give up, on top of the baseline.

A check replaces those of the baseline that it includes. From v1.25 on, what means nothing on Windows is not asked of pods whose
`os` is windows; from v1.35 on, a pod in a user namespace of its own may run as root in it.
Source: the Kubernetes page "Pod Security Standards"; reasons and details are worded as Kubernetes words them.
"""

from apimachinery.kinds import SecurityContext
from apimachinery.kinds.volumes import Volume
from apiserver.core.pod_security_baseline import added_capabilities, proc_mount, seccomp_1_19
from apiserver.core.pod_security_subject import Check, Finding, Subject, counted, quoted, setters

_VOLUMES = frozenset(
    ("config_map", "csi", "downward_api", "empty_dir", "ephemeral", "persistent_volume_claim", "projected", "secret", "image")
)
_MAY_ADD = "NET_BIND_SERVICE"
_WIRE_NAMES = dict(zip(Volume.__struct_fields__, Volume.__struct_encode_fields__, strict=True))


def privilege_escalation_1_8(subject: Subject) -> Finding | None:
    found = subject.named(lambda context: context.allow_privilege_escalation is not False)
    detail = f"{counted('container', found)} must set securityContext.allowPrivilegeEscalation=false"
    return Finding("allowPrivilegeEscalation != false", detail) if found else None


def capabilities_1_22(subject: Subject) -> Finding | None:
    keeping = subject.named(lambda context: context.capabilities is None or "ALL" not in context.capabilities.drop)
    adding = {
        container.name: beyond
        for container in subject.containers
        if (beyond := set(added_capabilities(container)) - {_MAY_ADD})
    }
    said = []
    if keeping:
        said.append(f'{counted("container", keeping)} must set securityContext.capabilities.drop=["ALL"]')
    if adding:
        every = sorted(set().union(*adding.values()))
        said.append(f"{counted('container', adding)} must not include {quoted(every)} in securityContext.capabilities.add")
    return Finding("unrestricted capabilities", "; ".join(said)) if said else None


def volumes(subject: Subject) -> Finding | None:
    kinds: dict[str, list[str]] = {}
    for volume in subject.spec.volumes:
        if (kind := _forbidden_kind(volume)) is not None:
            kinds.setdefault(kind, []).append(volume.name)
    if not kinds:
        return None
    names = [volume.name for volume in subject.spec.volumes if any(volume.name in found for found in kinds.values())]
    verb = "uses" if len(names) == 1 else "use"
    every = sorted(kinds)
    return Finding("restricted volume types", f"{counted('volume', names)} {verb} {counted('restricted volume type', every)}")


def non_root(subject: Subject) -> Finding | None:
    context = subject.spec.security_context
    whole = context.run_as_non_root if context is not None else None
    said = subject.named(lambda own: own.run_as_non_root is False)
    if whole is False or said:
        detail = f"{setters(said, pod=whole is False)} must not set securityContext.runAsNonRoot=false"
        return Finding("runAsNonRoot != true", detail)
    silent = subject.named(lambda own: own.run_as_non_root is None) if whole is None else []
    detail = f"pod or {counted('container', silent)} must set securityContext.runAsNonRoot=true"
    return Finding("runAsNonRoot != true", detail) if silent else None


def user_1_23(subject: Subject) -> Finding | None:
    context = subject.spec.security_context
    pod = context is not None and context.run_as_user == 0
    found = subject.named(_is_root)
    return Finding("runAsUser=0", f"{setters(found, pod=pod)} must not set runAsUser=0") if pod or found else None


def seccomp_restricted_1_19(subject: Subject) -> Finding | None:
    if (said := seccomp_1_19(subject)) is not None:
        return said
    context = subject.spec.security_context
    if context is not None and context.seccomp_profile is not None:
        return None
    silent = subject.named(lambda own: own.seccomp_profile is None)
    wanted = 'must set securityContext.seccompProfile.type to "RuntimeDefault" or "Localhost"'
    return Finding("seccompProfile", f"pod or {counted('container', silent)} {wanted}") if silent else None


def _is_root(context: SecurityContext) -> bool:
    return context.run_as_user == 0


def _forbidden_kind(volume: Volume) -> str | None:
    """What the volume is made of, as the API spells it, unless that is allowed."""
    for attribute, wire in _WIRE_NAMES.items():
        if attribute != "name" and getattr(volume, attribute) is not None:
            return None if attribute in _VOLUMES else wire
    return "unknown"


def _but_on_windows(check: Check) -> Check:
    def checked(subject: Subject) -> Finding | None:
        on_windows = subject.spec.os is not None and subject.spec.os.name == "windows"
        return None if on_windows else check(subject)

    return checked


def _but_in_user_namespaces(check: Check) -> Check:
    def checked(subject: Subject) -> Finding | None:
        return None if subject.spec.host_users is False else check(subject)

    return checked


HISTORY: tuple[tuple[str, tuple[tuple[int, Check], ...], str], ...] = (
    ("allowPrivilegeEscalation", ((8, privilege_escalation_1_8), (25, _but_on_windows(privilege_escalation_1_8))), ""),
    ("capabilities_restricted", ((22, capabilities_1_22), (25, _but_on_windows(capabilities_1_22))), "capabilities"),
    ("procMount_restricted", ((35, proc_mount),), "procMount"),
    ("restrictedVolumes", ((0, volumes),), "hostPathVolumes"),
    ("runAsNonRoot", ((0, non_root), (35, _but_in_user_namespaces(non_root))), ""),
    ("runAsUser", ((23, user_1_23), (35, _but_in_user_namespaces(user_1_23))), ""),
    (
        "seccompProfile_restricted",
        ((19, seccomp_restricted_1_19), (25, _but_on_windows(seccomp_restricted_1_19))),
        "seccompProfile",
    ),
)
"""As `pod_security_baseline.HISTORY`; the last member names the baseline's control that a form of this one includes."""
