"""A pod's sandbox as CRI wants it described: names, network identity, name resolution, hosts file, control group.

Source: the Kubernetes pages "DNS for Services and Pods", "Add entries to Pod /etc/hosts", "Share Process Namespace".
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

from apimachinery.kinds import Pod, SeccompProfile
from kubelet.core import model
from kubelet.core.pods import containers, hostname
from proto.gen import cri_pb2 as cri

_NAMESERVERS_MAX = 3
_SEARCHES_MAX = 32
_PROTOCOLS = {"TCP": cri.TCP, "UDP": cri.UDP, "SCTP": cri.SCTP}


@dataclass(frozen=True)
class Resolver:
    """A resolver's configuration, as in resolv.conf."""

    servers: tuple[str, ...] = ()
    searches: tuple[str, ...] = ()
    options: tuple[str, ...] = ()


@dataclass(frozen=True)
class NodeFacts:
    """What a pod's sandbox depends on beside the pod."""

    cluster_dns: tuple[str, ...] = ()
    cluster_domain: str = "cluster.local"
    node_resolver: Resolver = field(default_factory=Resolver)
    seccomp_directory: str = "/var/lib/kubelet/seccomp"


def parse_resolver(text: str) -> Resolver:
    """What a resolv.conf says; later `search` lines replace earlier ones."""
    servers: list[str] = []
    searches: list[str] = []
    options: list[str] = []
    for line in text.splitlines():
        words = line.split("#")[0].split(";")[0].split()
        if len(words) < 2:
            continue
        if words[0] == "nameserver":
            servers.append(words[1])
        elif words[0] == "search":
            searches = words[1:]
        elif words[0] == "options":
            options.extend(words[1:])
    return Resolver(tuple(servers), tuple(searches), tuple(options))


def resolver(pod: Pod, facts: NodeFacts) -> Resolver:
    """The pod's resolver, from its dnsPolicy and dnsConfig."""
    policy = pod.spec.dns_policy or "ClusterFirst"
    if policy == "ClusterFirst" and pod.spec.host_network:
        policy = "Default"
    if policy in ("ClusterFirst", "ClusterFirstWithHostNet") and facts.cluster_dns:
        domain, namespace = facts.cluster_domain, pod.metadata.namespace
        searches = (f"{namespace}.svc.{domain}", f"svc.{domain}", domain, *facts.node_resolver.searches)
        base = Resolver(facts.cluster_dns, tuple(dict.fromkeys(searches)), ("ndots:5",))
    elif policy == "None":
        base = Resolver()
    else:
        base = facts.node_resolver
    return _with_pod_config(base, pod)


def _with_pod_config(base: Resolver, pod: Pod) -> Resolver:
    config = pod.spec.dns_config
    if config is None:
        return Resolver(base.servers[:_NAMESERVERS_MAX], base.searches[:_SEARCHES_MAX], base.options)
    options = {each.partition(":")[0]: each for each in base.options}
    options |= {each.name: f"{each.name}:{each.value}" if each.value else each.name for each in config.options}
    servers = tuple(dict.fromkeys((*base.servers, *config.nameservers)))
    searches = tuple(dict.fromkeys((*base.searches, *config.searches)))
    return Resolver(servers[:_NAMESERVERS_MAX], searches[:_SEARCHES_MAX], tuple(options.values()))


def sandbox_config(pod: Pod, attempt: int, facts: NodeFacts, *, log_directory: str, cgroup_parent: str) -> cri.PodSandboxConfig:
    """The request for a pod's sandbox; `attempt` counts its sandboxes from 0."""
    meta, spec = pod.metadata, pod.spec
    name, domain = hostname(pod, facts.cluster_domain)
    names = resolver(pod, facts)
    config = cri.PodSandboxConfig(
        metadata=cri.PodSandboxMetadata(name=meta.name, uid=meta.uid, namespace=meta.namespace, attempt=attempt),
        log_directory=log_directory,
        dns_config=cri.DNSConfig(servers=names.servers, searches=names.searches, options=names.options),
        labels=meta.labels | pod_labels(pod),
        annotations=meta.annotations,
        linux=cri.LinuxPodSandboxConfig(
            cgroup_parent=cgroup_parent, security_context=_security(pod, facts), sysctls=_sysctls(pod)
        ),
    )
    if not spec.host_network:
        config.hostname = f"{name}.{domain}"[:64] if spec.set_hostname_as_fqdn and domain else name
        config.port_mappings.extend(_port_mappings(pod))
    return config


def pod_labels(pod: Pod) -> dict[str, str]:
    """The labels by which a sandbox or container is known to belong to the pod."""
    meta = pod.metadata
    return {model.POD_NAME: meta.name, model.POD_NAMESPACE: meta.namespace, model.POD_UID: meta.uid}


def namespace_options(pod: Pod) -> cri.NamespaceOption:
    """Which namespaces the pod's containers share with the pod or the node."""
    spec = pod.spec
    pid = cri.NODE if spec.host_pid else cri.POD if spec.share_process_namespace else cri.CONTAINER
    return cri.NamespaceOption(
        network=cri.NODE if spec.host_network else cri.POD,
        pid=pid,
        ipc=cri.NODE if spec.host_ip_c else cri.POD,
    )


def seccomp(profile: SeccompProfile | None, directory: str) -> cri.SecurityProfile:
    """The system call filter; the runtime's default when the pod does not say."""
    if profile is None or profile.type == "RuntimeDefault":
        return cri.SecurityProfile(profile_type=cri.SecurityProfile.RuntimeDefault)
    if profile.type == "Localhost":
        path = f"{directory}/{profile.localhost_profile}"
        return cri.SecurityProfile(profile_type=cri.SecurityProfile.Localhost, localhost_ref=path)
    return cri.SecurityProfile(profile_type=cri.SecurityProfile.Unconfined)


def hosts_file(pod: Pod, addresses: Sequence[str], cluster_domain: str) -> bytes:
    """The pod's /etc/hosts."""
    name, domain = hostname(pod, cluster_domain)
    own = f"{name}.{domain}\t{name}" if domain else name
    lines = [
        "# Managed by the kubelet.",
        "127.0.0.1\tlocalhost",
        "::1\tlocalhost ip6-localhost ip6-loopback",
        "fe00::0\tip6-localnet",
        "fe00::0\tip6-mcastprefix",
        "fe00::1\tip6-allnodes",
        "fe00::2\tip6-allrouters",
        *(f"{address}\t{own}" for address in addresses),
    ]
    return "\n".join([*lines, *host_alias_lines(pod), ""]).encode()


def host_alias_lines(pod: Pod) -> list[str]:
    """The lines that the pod adds to its hosts file."""
    if not pod.spec.host_aliases:
        return []
    entries = ["\t".join([alias.ip, *alias.hostnames]) for alias in pod.spec.host_aliases]
    return ["", "# Entries added by HostAliases.", *entries]


def _security(pod: Pod, facts: NodeFacts) -> cri.LinuxSandboxSecurityContext:
    privileged = any(each.security_context is not None and each.security_context.privileged for _, each in containers(pod))
    context = pod.spec.security_context
    security = cri.LinuxSandboxSecurityContext(
        namespace_options=namespace_options(pod),
        privileged=privileged,
        seccomp=seccomp(context.seccomp_profile if context is not None else None, facts.seccomp_directory),
    )
    if context is not None:
        if context.run_as_user is not None:
            security.run_as_user.value = context.run_as_user
            if context.run_as_group is not None:
                security.run_as_group.value = context.run_as_group
        security.supplemental_groups.extend(pod_groups(pod))
    return security


def pod_groups(pod: Pod) -> list[int]:
    """Groups that every process of the pod belongs to beside its own."""
    context = pod.spec.security_context
    if context is None:
        return []
    return [*([] if context.fs_group is None else [context.fs_group]), *context.supplemental_groups]


def _sysctls(pod: Pod) -> dict[str, str]:
    context = pod.spec.security_context
    return {each.name: each.value for each in context.sysctls} if context is not None else {}


def _port_mappings(pod: Pod) -> list[cri.PortMapping]:
    sidecars = (each for each in pod.spec.init_containers if each.restart_policy == "Always")
    return [
        cri.PortMapping(
            protocol=_PROTOCOLS[port.protocol or "TCP"],
            container_port=port.container_port,
            host_port=port.host_port,
            host_ip=port.host_ip,
        )
        for container in (*sidecars, *pod.spec.containers)
        for port in container.ports
        if port.host_port
    ]
