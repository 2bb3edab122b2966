"""Ingresses and IngressClasses: HTTP routes into the cluster, and who serves them.

Source: the Kubernetes page "Ingress" and the API references of both kinds.
"""

from collections.abc import Iterator, Sequence

from apimachinery import names
from apimachinery.errors import FieldError
from apimachinery.kinds import (
    HTTPIngressPath,
    Ingress,
    IngressBackend,
    IngressClass,
    IngressClassParametersReference,
    IngressLoadBalancerIngress,
    IngressServiceBackend,
    IngressTLS,
    TypedLocalObjectReference,
)
from apiserver.strategy.base import Strategy
from apiserver.strategy.checks import (
    Errors,
    ip_address,
    named,
    one_of,
    optional_one_of,
    port_number,
    required_name,
    unchanged,
)

CLASS_ANNOTATION = "kubernetes.io/ingress.class"
CONTROLLER_LENGTH_MAX = 250
PATH_TYPES = ("Exact", "ImplementationSpecific", "Prefix")
_NOT_IN_PATHS = ("//", "/./", "/../", "%2f", "%2F")
_NOT_AT_THE_END = ("/..", "/.")


class IngressStrategy(Strategy[Ingress]):
    has_status = True
    has_generation = True

    def validate(self, obj: Ingress) -> list[FieldError]:
        found = super().validate(obj)
        if obj.spec.ingress_class_name and CLASS_ANNOTATION in obj.metadata.annotations:
            value = obj.metadata.annotations[CLASS_ANNOTATION]
            detail = "can not be set when the class field is also set"
            found.append(FieldError.invalid(f"metadata.annotations[{CLASS_ANNOTATION}]", value, detail))
        return found

    def check(self, obj: Ingress) -> Iterator[FieldError]:
        spec = obj.spec
        if not spec.rules and spec.default_backend is None:
            detail = "either `defaultBackend` or `rules` must be specified"
            yield FieldError.invalid("spec", [], detail)
        if spec.default_backend is not None:
            yield from _validate_backend(spec.default_backend, "spec.defaultBackend")
        if spec.ingress_class_name:
            yield from named("spec.ingressClassName", spec.ingress_class_name, names.dns_1123_subdomain)
        for index, rule in enumerate(spec.rules):
            where = f"spec.rules[{index}]"
            if rule.host:
                yield from _validate_host(rule.host, f"{where}.host")
            if rule.http is not None:
                yield from _validate_paths(rule.http.paths, f"{where}.http.paths")
        for index, tls in enumerate(spec.tls):
            yield from _validate_tls(tls, f"spec.tls[{index}]")

    def check_status_update(self, new: Ingress, old: Ingress) -> Iterator[FieldError]:
        for index, point in enumerate(new.status.load_balancer.ingress):
            yield from _validate_point(point, f"status.loadBalancer.ingress[{index}]")

    def warnings(self, obj: Ingress) -> list[str]:
        if CLASS_ANNOTATION not in obj.metadata.annotations:
            return []
        return [f"annotation \"{CLASS_ANNOTATION}\" is deprecated, please use 'spec.ingressClassName' instead"]


class IngressClassStrategy(Strategy[IngressClass]):
    has_generation = True

    def default(self, obj: IngressClass) -> None:
        parameters = obj.spec.parameters
        if parameters is not None:
            parameters.scope = parameters.scope or "Cluster"

    def check(self, obj: IngressClass) -> Iterator[FieldError]:
        controller = obj.spec.controller
        if len(controller) > CONTROLLER_LENGTH_MAX:
            yield FieldError.too_long("spec.controller", CONTROLLER_LENGTH_MAX)
        yield from required_name("spec.controller", controller, names.domain_prefixed_path)
        if obj.spec.parameters is not None:
            yield from _validate_parameters(obj.spec.parameters, "spec.parameters")

    def check_update(self, new: IngressClass, old: IngressClass, subresource: str) -> Iterator[FieldError]:
        return unchanged("spec.controller", new.spec.controller, old.spec.controller)


def _validate_host(host: str, path: str) -> Errors:
    if not names.ip_address(host):
        yield FieldError.invalid(path, host, "must be a DNS name, not an IP address")
    rule = names.wildcard_dns_1123_subdomain if "*" in host else names.dns_1123_subdomain
    yield from named(path, host, rule)


def _validate_tls(tls: IngressTLS, path: str) -> Errors:
    for index, host in enumerate(tls.hosts):
        rule = names.wildcard_dns_1123_subdomain if "*" in host else names.dns_1123_subdomain
        yield from named(f"{path}.hosts[{index}]", host, rule)
    if tls.secret_name:
        yield from named(f"{path}.secretName", tls.secret_name, names.dns_1123_subdomain)


def _validate_paths(paths: Sequence[HTTPIngressPath], path: str) -> Errors:
    if not paths:
        yield FieldError.required(path)
    for index, each in enumerate(paths):
        yield from _validate_path(each, f"{path}[{index}]")
        yield from _validate_backend(each.backend, f"{path}[{index}].backend")


def _validate_path(each: HTTPIngressPath, path: str) -> Errors:
    where = f"{path}.path"
    if not each.path_type:
        yield FieldError.required(f"{path}.pathType", "pathType must be specified")
    elif each.path_type not in PATH_TYPES:
        yield FieldError.not_supported(f"{path}.pathType", each.path_type, PATH_TYPES)
    elif each.path_type == "ImplementationSpecific":
        if each.path and not each.path.startswith("/"):
            yield FieldError.invalid(where, each.path, "must be an absolute path")
    else:
        if not each.path.startswith("/"):
            yield FieldError.invalid(where, each.path, "must be an absolute path")
        for part in _NOT_IN_PATHS:
            if part in each.path:
                yield FieldError.invalid(where, each.path, f"must not contain '{part}'")
        for part in _NOT_AT_THE_END:
            if each.path.endswith(part):
                yield FieldError.invalid(where, each.path, f"cannot end with '{part}'")


def _validate_backend(backend: IngressBackend, path: str) -> Errors:
    if backend.resource is not None and backend.service is not None:
        yield FieldError.invalid(path, "", "cannot set both resource and service backends")
    elif backend.resource is not None:
        yield from _validate_resource(backend.resource, f"{path}.resource")
    elif backend.service is not None:
        yield from _validate_service(backend.service, f"{path}.service")
    else:
        yield FieldError.invalid(path, "", "resource or service backend is required")


def _validate_service(service: IngressServiceBackend, path: str) -> Errors:
    yield from required_name(f"{path}.name", service.name, names.dns_1035_label)
    port = service.port
    if port is None or (not port.name and not port.number):
        yield FieldError.required(path, "port name or number is required")
    elif port.name and port.number:
        yield FieldError.invalid(path, "", "cannot set both port name & port number")
    elif port.name:
        yield from named(f"{path}.port.name", port.name, names.port_name)
    else:
        yield from port_number(f"{path}.port.number", port.number)


def _validate_resource(reference: TypedLocalObjectReference, path: str) -> Errors:
    yield from _validate_reference(reference.api_group, reference.kind, reference.name, path)


def _validate_reference(group: str, kind: str, name: str, path: str) -> Errors:
    if group:
        yield from named(f"{path}.apiGroup", group, names.dns_1123_subdomain)
    yield from required_name(f"{path}.kind", kind, names.path_segment)
    yield from required_name(f"{path}.name", name, names.path_segment)


def _validate_parameters(parameters: IngressClassParametersReference, path: str) -> Errors:
    yield from _validate_reference(parameters.api_group, parameters.kind, parameters.name, path)
    yield from one_of(f"{path}.scope", parameters.scope, ("Cluster", "Namespace"))
    where = f"{path}.namespace"
    if parameters.scope == "Namespace":
        if parameters.namespace:
            yield from named(where, parameters.namespace, names.dns_1123_label)
        else:
            yield FieldError.required(where, "`parameters.scope` is set to 'Namespace'")
    elif parameters.scope == "Cluster" and parameters.namespace:
        yield FieldError.forbidden(where, "`parameters.scope` is set to 'Cluster'")


def _validate_point(point: IngressLoadBalancerIngress, path: str) -> Errors:
    if point.ip:
        yield from ip_address(f"{path}.ip", point.ip)
    if point.hostname:
        yield from named(f"{path}.hostname", point.hostname, names.dns_1123_subdomain)
        if not names.ip_address(point.hostname):
            yield FieldError.invalid(f"{path}.hostname", point.hostname, "must be a DNS name, not an IP address")
    for index, port in enumerate(point.ports):
        yield from port_number(f"{path}.ports[{index}].port", port.port)
        yield from optional_one_of(f"{path}.ports[{index}].protocol", port.protocol, ("SCTP", "TCP", "UDP"))
