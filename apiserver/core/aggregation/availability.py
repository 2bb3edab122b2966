"""Whether an APIService is available, and why not: reasons and messages are Kubernetes'.

    no Service named → Local
    the Service → its port → its endpoints → an endpoint with that port → discovery answers → Passed

The first step that fails is the reason. Source: the Kubernetes page "Kubernetes API Aggregation Layer", and the conditions of
APIServices as clusters show them.
"""

from collections.abc import Sequence

import msgspec

from apimachinery.kinds import APIServiceCondition, APIServiceReference, Endpoints, Service

AVAILABLE = "Available"


class Verdict(msgspec.Struct, frozen=True):
    """The condition `Available`, apart from when it became what it is."""

    available: bool
    reason: str
    message: str


LOCAL = Verdict(True, "Local", "Local APIServices are always available")
PASSED = Verdict(True, "Passed", "all checks passed")


def obstacle(wanted: APIServiceReference, service: Service | None, endpoints: Endpoints | None) -> Verdict | None:
    """What keeps requests from the servers before any is asked; None when they can be asked."""
    where = f'service/{wanted.name} in "{wanted.namespace}"'
    if service is None:
        return Verdict(False, "ServiceNotFound", f"{where} is not present")
    if service.spec.type == "ExternalName":
        detail = "leads out of the cluster; API servers are reached in pods only"
        return Verdict(False, "ServicePortError", f"{where} {detail}")
    name = next((each.name for each in service.spec.ports if each.port == wanted.port), None)
    if name is None:
        return Verdict(False, "ServicePortError", f"{where} is not listening on port {wanted.port}")
    if endpoints is None:
        return Verdict(False, "EndpointsNotFound", f"cannot find endpoints for {where}")
    for subset in endpoints.subsets:
        if subset.addresses and any(port.name == name for port in subset.ports):
            return None
    return Verdict(False, "MissingEndpoints", f'endpoints for {where} have no addresses with port name "{name}"')


def discovery_failed(url: str, problem: str) -> Verdict:
    """The servers were asked what they serve, and did not say."""
    return Verdict(False, "FailedDiscoveryCheck", f"failing or missing response from {url}: {problem}")


def with_condition(known: Sequence[APIServiceCondition], verdict: Verdict, now: str) -> list[APIServiceCondition]:
    """The conditions with this verdict; the time stays unless the status changes."""
    status = "True" if verdict.available else "False"
    before = next((each for each in known if each.type == AVAILABLE), None)
    since = before.last_transition_time if before is not None and before.status == status else now
    ours = APIServiceCondition(
        type=AVAILABLE, status=status, reason=verdict.reason, message=verdict.message, last_transition_time=since or now
    )
    if before is None:
        return [*known, ours]
    return [ours if each is before else each for each in known]


def says(conditions: Sequence[APIServiceCondition], verdict: Verdict) -> bool:
    """Whether this is what the conditions say."""
    wanted = ("True" if verdict.available else "False", verdict.reason, verdict.message)
    return any((each.status, each.reason, each.message) == wanted for each in conditions if each.type == AVAILABLE)


def is_available(conditions: Sequence[APIServiceCondition]) -> bool:
    return any(each.type == AVAILABLE and each.status == "True" for each in conditions)
