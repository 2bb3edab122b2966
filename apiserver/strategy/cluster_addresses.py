"""IPAddresses and ServiceCIDRs: which addresses of the service network are whose, and what the network is.

Source: the Kubernetes page "Extend Service IP Ranges" and the API references of both kinds.
"""

import ipaddress
from collections.abc import Iterator, Sequence

from apimachinery import names
from apimachinery.errors import FieldError
from apimachinery.kinds import IPAddress, ServiceCIDR
from apiserver.strategy.base import Strategy
from apiserver.strategy.checks import Errors, named, required_name, unchanged
from apiserver.strategy.conditions import validate_conditions


class IPAddressStrategy(Strategy[IPAddress]):
    def name_problems(self, name: str) -> Sequence[str]:
        problems = names.ip_address(name)
        if not problems and str(ipaddress.ip_address(name)) != name:
            problems.append("must be in canonical form")
        return problems

    def check(self, obj: IPAddress) -> Iterator[FieldError]:
        parent, where = obj.spec.parent_ref, "spec.parentRef"
        if parent.group:
            yield from named(f"{where}.group", parent.group, names.dns_1123_subdomain)
        yield from required_name(f"{where}.resource", parent.resource, names.path_segment)
        yield from required_name(f"{where}.name", parent.name, names.path_segment)
        if parent.namespace:
            yield from named(f"{where}.namespace", parent.namespace, names.path_segment)

    def check_update(self, new: IPAddress, old: IPAddress, subresource: str) -> Iterator[FieldError]:
        return unchanged("spec.parentRef", _plain(new), _plain(old))


class ServiceCIDRStrategy(Strategy[ServiceCIDR]):
    has_status = True

    def check(self, obj: ServiceCIDR) -> Iterator[FieldError]:
        networks, where = obj.spec.cidrs, "spec.cidrs"
        if not networks:
            yield FieldError.required(where, "at least one CIDR required")
        if len(networks) > 2:
            yield FieldError.invalid(where, networks, "may only hold up to 2 values")
            return
        for index, text in enumerate(networks):
            yield from _validate_network(text, f"{where}[{index}]")
        if len(networks) == 2 and (":" in networks[0]) == (":" in networks[1]):
            detail = "may specify no more than one IP for each IP family, i.e 192.168.0.0/24 and 2001:db8::/64"
            yield FieldError.invalid(where, networks, detail)

    def check_update(self, new: ServiceCIDR, old: ServiceCIDR, subresource: str) -> Iterator[FieldError]:
        """A network stays; one of the other family may be added to it."""
        before = old.spec.cidrs
        if new.spec.cidrs[: len(before)] != before or (len(before) == 2 and new.spec.cidrs != before):
            yield FieldError.invalid("spec.cidrs", new.spec.cidrs, "field is immutable")

    def check_status_update(self, new: ServiceCIDR, old: ServiceCIDR) -> Iterator[FieldError]:
        return validate_conditions(new.status.conditions, "status.conditions")


def _validate_network(text: str, path: str) -> Errors:
    problems = list(named(path, text, names.cidr))
    yield from problems
    if not problems and str(ipaddress.ip_network(text, strict=False)) != text:
        yield FieldError.invalid(path, text, "must be in canonical form")


def _plain(address: IPAddress) -> dict[str, str]:
    parent = address.spec.parent_ref
    return {"group": parent.group, "resource": parent.resource, "namespace": parent.namespace, "name": parent.name}
