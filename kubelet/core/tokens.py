"""Tokens of a pod's ServiceAccount as data: which ones its volumes show, whose files they are, and when they are renewed. Pure.

A token is renewed when four fifths of its life are over, or after a day, a little earlier at random so that the pods of a node
do not all ask at once. Source: the Kubernetes page "Projected Volumes", section "serviceAccountToken projected volumes".
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from apimachinery.kinds import BoundObjectReference, Pod, TokenRequest, TokenRequestSpec, Volume
from apimachinery.kinds.volumes import ServiceAccountTokenProjection
from apimachinery.times import parse_time

LIFE_S = 3600
"""Of a token for which nothing else is asked."""
LONGEST_USE_S = 24 * 3600
SPREAD_S = 10.0
RETRY_S = 30.0
"""At least this long lies between two attempts to renew a token that counts."""


@dataclass(frozen=True, slots=True)
class TokenNeed:
    """A token that a volume shows: for whom ("" for the API) and for how long."""

    audience: str
    life_s: int


@dataclass(frozen=True, slots=True)
class HeldToken:
    """A token that the node has for a pod, and when to ask for the next one."""

    value: str
    ends: datetime
    renew: datetime


def need(source: ServiceAccountTokenProjection) -> TokenNeed:
    """What one projection asks for."""
    return TokenNeed(source.audience, source.expiration_seconds or LIFE_S)


def needs(volume: Volume) -> Iterator[TokenNeed]:
    """The tokens that a volume shows."""
    for source in volume.projected.sources if volume.projected is not None else ():
        if source.service_account_token is not None:
            yield need(source.service_account_token)


def request(pod: Pod, wanted: TokenNeed) -> TokenRequest:
    """How the node asks for it: bound to that very pod."""
    meta = pod.metadata
    bound = BoundObjectReference(api_version="v1", kind="Pod", name=meta.name, uid=meta.uid)
    audiences = [wanted.audience] if wanted.audience else []
    return TokenRequest(spec=TokenRequestSpec(audiences=audiences, expiration_seconds=wanted.life_s, bound_object_ref=bound))


def held(answer: TokenRequest, now: datetime, spread_s: float) -> HeldToken:
    """What was given; `spread_s` (0 to SPREAD_S) is how much earlier than need be it is renewed."""
    given = answer.status.expiration_timestamp
    life_s = answer.spec.expiration_seconds or LIFE_S
    ends = parse_time(given) if given else now + timedelta(seconds=life_s)
    begins = ends - timedelta(seconds=life_s)
    use_s = min(0.8 * life_s, LONGEST_USE_S) - spread_s
    soonest = now + timedelta(seconds=RETRY_S)  # whatever the clocks of node and server think of each other
    return HeldToken(answer.status.token, ends, max(begins + timedelta(seconds=use_s), soonest))


def owner(pod: Pod) -> int | None:
    """The user that all containers run as, who may then be the only one to read the tokens; None when they differ."""
    spec = pod.spec
    default = spec.security_context.run_as_user if spec.security_context is not None else None
    users = set()
    for container in (*spec.init_containers, *spec.containers):
        own = container.security_context.run_as_user if container.security_context is not None else None
        users.add(default if own is None else own)
    return users.pop() if len(users) == 1 else None
