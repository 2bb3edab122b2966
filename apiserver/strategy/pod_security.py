"""Rules for the security contexts of pods and containers.

Source: the Kubernetes pages "Configure a Security Context for a Pod or Container" and "Using sysctls in a Kubernetes Cluster".
"""

import re

from apimachinery.errors import FieldError
from apimachinery.kinds import (
    AppArmorProfile,
    PodSecurityContext,
    PodSpec,
    SeccompProfile,
    SecurityContext,
    WindowsSecurityContextOptions,
)
from apiserver.strategy.checks import Errors, no_backsteps, one_of, optional_one_of, unique, user_id

_PROFILE_TYPES = ("Localhost", "RuntimeDefault", "Unconfined")
_SYSCTL = re.compile(r"[a-z0-9](?:[-_a-z0-9]*[a-z0-9])?(?:[./][a-z0-9](?:[-_a-z0-9]*[a-z0-9])?)*")
_NAMESPACED_BY_HOST = {"kernel.shm": "host_ip_c", "kernel.msg": "host_ip_c", "kernel.sem": "host_ip_c", "net.": "host_network"}


def validate_container_security(context: SecurityContext, path: str) -> Errors:
    yield from user_id(f"{path}.runAsUser", context.run_as_user)
    yield from user_id(f"{path}.runAsGroup", context.run_as_group)
    yield from optional_one_of(f"{path}.procMount", context.proc_mount, ("Default", "Unmasked"))
    if context.allow_privilege_escalation is False:
        where = f"{path}.allowPrivilegeEscalation"
        if context.privileged:
            detail = "cannot set `allowPrivilegeEscalation` to false and `privileged` to true"
            yield FieldError.invalid(where, False, detail)
        if context.capabilities and {"SYS_ADMIN", "CAP_SYS_ADMIN"}.intersection(context.capabilities.add):
            detail = "cannot set `allowPrivilegeEscalation` to false and `capabilities.Add` CAP_SYS_ADMIN"
            yield FieldError.invalid(where, False, detail)
    yield from _validate_profiles(context, path)


def validate_pod_security(context: PodSecurityContext, spec: PodSpec, path: str) -> Errors:
    yield from user_id(f"{path}.runAsUser", context.run_as_user)
    yield from user_id(f"{path}.runAsGroup", context.run_as_group)
    yield from user_id(f"{path}.fsGroup", context.fs_group)
    for index, group in enumerate(context.supplemental_groups):
        yield from user_id(f"{path}.supplementalGroups[{index}]", group)
    yield from optional_one_of(f"{path}.fsGroupChangePolicy", context.fs_group_change_policy, ("Always", "OnRootMismatch"))
    yield from optional_one_of(f"{path}.supplementalGroupsPolicy", context.supplemental_groups_policy, ("Merge", "Strict"))
    yield from optional_one_of(f"{path}.seLinuxChangePolicy", context.se_linux_change_policy, ("MountOption", "Recursive"))
    yield from _validate_sysctls(context, spec, f"{path}.sysctls")
    yield from _validate_profiles(context, path)


def validate_host_namespaces(spec: PodSpec, path: str) -> Errors:
    """What excludes what among the namespaces that a pod shares."""
    if spec.share_process_namespace and spec.host_pid:
        detail = "ShareProcessNamespace and HostPID cannot both be enabled"
        yield FieldError.invalid(f"{path}.shareProcessNamespace", True, detail)
    if spec.host_users is False:
        for name, shared in (("hostNetwork", spec.host_network), ("hostPID", spec.host_pid), ("hostIPC", spec.host_ip_c)):
            if shared:
                yield FieldError.forbidden(f"{path}.{name}", "when `hostUsers` is false")


def _validate_profiles(context: SecurityContext | PodSecurityContext, path: str) -> Errors:
    if context.seccomp_profile is not None:
        yield from _validate_profile(context.seccomp_profile, f"{path}.seccompProfile")
        yield from no_backsteps(f"{path}.seccompProfile.localhostProfile", context.seccomp_profile.localhost_profile)
    if context.app_armor_profile is not None:
        yield from _validate_profile(context.app_armor_profile, f"{path}.appArmorProfile")
    if context.windows_options is not None:
        yield from _validate_windows(context.windows_options, f"{path}.windowsOptions")


def _validate_profile(profile: SeccompProfile | AppArmorProfile, path: str) -> Errors:
    yield from one_of(f"{path}.type", profile.type, _PROFILE_TYPES)
    where = f"{path}.localhostProfile"
    if profile.type == "Localhost" and not profile.localhost_profile:
        yield FieldError.required(where, "must be set when profile type is Localhost")
    elif profile.type != "Localhost" and profile.localhost_profile:
        yield FieldError.invalid(where, profile.localhost_profile, "can only be set when profile type is Localhost")


def _validate_sysctls(context: PodSecurityContext, spec: PodSpec, path: str) -> Errors:
    yield from unique(path, (sysctl.name.replace("/", ".") for sysctl in context.sysctls), ".name")
    for index, sysctl in enumerate(context.sysctls):
        where = f"{path}[{index}].name"
        if not sysctl.name:
            yield FieldError.required(where)
        elif len(sysctl.name) > 253 or not _SYSCTL.fullmatch(sysctl.name):
            yield FieldError.invalid(where, sysctl.name, "must have at most 253 characters and match " + _SYSCTL.pattern)
        elif _shared_with_host(sysctl.name.replace("/", "."), spec):
            yield FieldError.invalid(where, sysctl.name, "may not be set when the pod shares the host's namespace for it")


def _shared_with_host(name: str, spec: PodSpec) -> bool:
    return any(name.startswith(prefix) and getattr(spec, attribute) for prefix, attribute in _NAMESPACED_BY_HOST.items())


def _validate_windows(options: WindowsSecurityContextOptions, path: str) -> Errors:
    if len(options.gmsa_credential_spec.encode()) > 64 << 10:
        yield FieldError.too_long(f"{path}.gmsaCredentialSpec", 64 << 10)
    if len(options.run_as_user_name) > 512:
        yield FieldError.too_long(f"{path}.runAsUserName", 512)
