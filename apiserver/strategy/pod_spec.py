"""Rules for a pod's specification, in pods and in templates.

Source: the API reference of PodSpec; the Kubernetes page "DNS for Services and Pods".
"""

from apimachinery import names
from apimachinery.errors import FieldError
from apimachinery.kinds import PodDNSConfig, PodSpec, PodTemplateSpec
from apiserver.strategy.checks import (
    INT32_MAX,
    Errors,
    exactly_one,
    in_range,
    ip_address,
    named,
    one_of,
    optional_one_of,
    required,
    required_name,
    unique,
)
from apiserver.strategy.meta import validate_labels, validate_template_meta
from apiserver.strategy.pod_containers import validate_containers
from apiserver.strategy.pod_scheduling import validate_affinity, validate_gates, validate_spread, validate_tolerations
from apiserver.strategy.pod_security import validate_host_namespaces, validate_pod_security
from apiserver.strategy.pod_volumes import validate_volumes
from apiserver.strategy.quantities import validate_requirements, validate_resource_list

RESTART_POLICIES = ("Always", "Never", "OnFailure")
DNS_POLICIES = ("ClusterFirst", "ClusterFirstWithHostNet", "Default", "None")
NAMESERVERS_MAX = 3
SEARCHES_MAX = 32
SEARCH_CHARACTERS_MAX = 2048


def validate_template(template: PodTemplateSpec, path: str) -> Errors:
    """The template that a workload makes pods of."""
    yield from validate_template_meta(template.metadata, f"{path}.metadata")
    yield from validate_pod_spec(template.spec, f"{path}.spec")
    if template.spec.ephemeral_containers:
        yield FieldError.forbidden(f"{path}.spec.ephemeralContainers", "ephemeral containers not allowed in pod template")


def validate_pod_spec(spec: PodSpec, path: str) -> Errors:
    yield from validate_volumes(spec.volumes, f"{path}.volumes")
    yield from validate_containers(spec, path)
    yield from _validate_claims(spec, f"{path}.resourceClaims")
    yield from one_of(f"{path}.restartPolicy", spec.restart_policy, RESTART_POLICIES)
    yield from _validate_dns(spec, path)
    yield from validate_labels(spec.node_selector, f"{path}.nodeSelector")
    if spec.security_context is not None:
        yield from validate_pod_security(spec.security_context, spec, f"{path}.securityContext")
    yield from validate_host_namespaces(spec, path)
    yield from _validate_scheduling(spec, path)
    yield from _validate_names(spec, path)
    yield from in_range(f"{path}.activeDeadlineSeconds", spec.active_deadline_seconds, 1, INT32_MAX)
    yield from _validate_host_aliases(spec, f"{path}.hostAliases")
    yield from optional_one_of(f"{path}.preemptionPolicy", spec.preemption_policy, ("Never", "PreemptLowerPriority"))
    yield from validate_resource_list(f"{path}.overhead", spec.overhead)
    if spec.resources is not None:
        yield from validate_requirements(f"{path}.resources", spec.resources, {each.name for each in spec.resource_claims})
    if spec.os is not None:
        yield from one_of(f"{path}.os.name", spec.os.name, ("linux", "windows"))


def _validate_scheduling(spec: PodSpec, path: str) -> Errors:
    if spec.affinity is not None:
        yield from validate_affinity(spec.affinity, f"{path}.affinity")
    yield from validate_tolerations(spec.tolerations, f"{path}.tolerations")
    yield from validate_spread(spec.topology_spread_constraints, f"{path}.topologySpreadConstraints")
    yield from validate_gates(spec.scheduling_gates, f"{path}.schedulingGates")
    for index, gate in enumerate(spec.readiness_gates):
        yield from named(f"{path}.readinessGates[{index}].conditionType", gate.condition_type, names.qualified_name)


def _validate_names(spec: PodSpec, path: str) -> Errors:
    """Names of other objects, and those that the pod itself is known by."""
    for name, value, rule in (
        ("serviceAccountName", spec.service_account_name, names.dns_1123_subdomain),
        ("nodeName", spec.node_name, names.dns_1123_subdomain),
        ("priorityClassName", spec.priority_class_name, names.dns_1123_subdomain),
        ("runtimeClassName", spec.runtime_class_name, names.dns_1123_subdomain),
        ("hostname", spec.hostname, names.dns_1123_label),
        ("subdomain", spec.subdomain, names.dns_1123_label),
        ("hostnameOverride", spec.hostname_override, names.dns_1123_subdomain),
    ):
        if value:
            yield from named(f"{path}.{name}", value, rule)
    if len(spec.hostname_override) > 64:
        yield FieldError.too_long(f"{path}.hostnameOverride", 64)
    if spec.hostname_override and spec.set_hostname_as_fqdn:
        yield FieldError.forbidden(f"{path}.hostnameOverride", "may not be set when `setHostnameAsFQDN` is true")


def _validate_claims(spec: PodSpec, path: str) -> Errors:
    for index, claim in enumerate(spec.resource_claims):
        where = f"{path}[{index}]"
        yield from required_name(f"{where}.name", claim.name, names.dns_1123_label)
        sources = {
            "resourceClaimName": claim.resource_claim_name,
            "resourceClaimTemplateName": claim.resource_claim_template_name,
        }
        yield from exactly_one(where, [name for name, value in sources.items() if value], "source")
        for name, value in sources.items():
            if value:
                yield from named(f"{where}.{name}", value, names.dns_1123_subdomain)
    yield from unique(path, (claim.name for claim in spec.resource_claims), ".name")


def _validate_host_aliases(spec: PodSpec, path: str) -> Errors:
    for index, alias in enumerate(spec.host_aliases):
        yield from ip_address(f"{path}[{index}].ip", alias.ip)
        for position, hostname in enumerate(alias.hostnames):
            yield from named(f"{path}[{index}].hostnames[{position}]", hostname, names.dns_1123_subdomain)


def _validate_dns(spec: PodSpec, path: str) -> Errors:
    yield from one_of(f"{path}.dnsPolicy", spec.dns_policy, DNS_POLICIES)
    where = f"{path}.dnsConfig"
    if spec.dns_policy == "None" and (spec.dns_config is None or not spec.dns_config.nameservers):
        detail = "must provide at least one DNS nameserver when `dnsPolicy` is None"
        yield FieldError.required(f"{where}.nameservers" if spec.dns_config else where, detail)
    if spec.dns_config is not None:
        yield from _validate_dns_config(spec.dns_config, where)


def _validate_dns_config(config: PodDNSConfig, path: str) -> Errors:
    if len(config.nameservers) > NAMESERVERS_MAX:
        detail = f"must not have more than {NAMESERVERS_MAX} nameservers"
        yield FieldError.invalid(f"{path}.nameservers", config.nameservers, detail)
    for index, address in enumerate(config.nameservers):
        yield from ip_address(f"{path}.nameservers[{index}]", address)
    if len(config.searches) > SEARCHES_MAX:
        yield FieldError.invalid(f"{path}.searches", config.searches, f"must not have more than {SEARCHES_MAX} search paths")
    if len(" ".join(config.searches)) > SEARCH_CHARACTERS_MAX:
        detail = f"must not have more than {SEARCH_CHARACTERS_MAX} characters (including spaces) in the search list"
        yield FieldError.invalid(f"{path}.searches", config.searches, detail)
    for index, search in enumerate(config.searches):
        yield from named(f"{path}.searches[{index}]", search, names.search_domain)
    for index, option in enumerate(config.options):
        yield from required(f"{path}.options[{index}]", option.name, "must not be empty")
