"""What tokens of ServiceAccounts say, and which of what they say counts. Pure.

There are two sorts. A bound token names its audiences, its end, and the objects that it lives and dies with; it is given out on
request. A legacy token stands in a Secret, has no end, and counts as long as that Secret holds it.

    claims() ── signed ──► the wire ── signature verified ──► parse() → Credential ── check() ──► the objects that must exist

A claim that is missing, or has another type than it should, makes the whole token worthless.
Source: the Kubernetes pages "Managing Service Accounts" and "Service Accounts"; RFC 7519.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import msgspec

from apimachinery import service_accounts as names
from apimachinery.errors import FieldError
from apimachinery.kinds import BoundObjectReference, Pod, TokenRequestSpec
from apiserver.core.request import User
from apiserver.core.users import service_account_user

SECONDS_MIN, SECONDS_MAX = 600, 1 << 32
SECONDS_DEFAULT = 3600
EXTENDED_FROM_S, EXTENDED_TO_S = 3607, 365 * 24 * 3600
"""A token for the API itself that is asked for as pods' own volumes ask lasts longer than it says, for programs that read it
only once; `warnafter` in it is when they should have read it again."""
DELETED_LEEWAY_S = 60
"""How long after the moment it should be gone an object that is being deleted still vouches for its tokens."""
_BINDABLE = {("v1", "Pod"): "pod", ("v1", "Secret"): "secret", ("v1", "Node"): "node"}


class InvalidTokenError(Exception):
    """A genuine token that does not count (any more); the message says why, and nothing of the token."""


class Policy(msgspec.Struct, frozen=True, kw_only=True):
    """What the cluster gives out and takes: tokens of the first issuer, for these audiences unless others are asked for.

    seconds_max: the longest life of a token, 0 for no limit of the cluster's own; extend: see EXTENDED_FROM_S.
    """

    issuers: tuple[str, ...]
    audiences: tuple[str, ...]
    seconds_max: int = 0
    extend: bool = True


class Reference(msgspec.Struct, frozen=True):
    """An object by name and uid."""

    name: str
    uid: str


class _Bound(msgspec.Struct, frozen=True, kw_only=True):
    """The private claim `kubernetes.io`."""

    namespace: str
    serviceaccount: Reference
    pod: Reference | None = None
    secret: Reference | None = None
    node: Reference | None = None
    warnafter: int | None = None


class _BoundClaims(msgspec.Struct, frozen=True, kw_only=True):
    iss: str
    sub: str
    exp: int
    iat: int = 0
    nbf: int = 0
    aud: str | list[str] = []
    jti: str = ""
    bound: _Bound = msgspec.field(name="kubernetes.io")


class _LegacyClaims(msgspec.Struct, frozen=True, kw_only=True):
    iss: str
    sub: str
    namespace: str = msgspec.field(name=names.LEGACY_NAMESPACE)
    secret: str = msgspec.field(name=names.LEGACY_SECRET)
    account: str = msgspec.field(name=names.LEGACY_ACCOUNT)
    account_uid: str = msgspec.field(name=names.LEGACY_ACCOUNT_UID)


class Credential(msgspec.Struct, frozen=True, kw_only=True):
    """What a token says. `audiences` None: any that the cluster has; `ends_at` None: never; both only for legacy tokens.

    Times are seconds since 1970. A legacy token counts only while `secret` holds it, whatever the Secret's uid (then "").
    """

    namespace: str
    account: Reference
    audiences: tuple[str, ...] | None = None
    begins_at: int = 0
    ends_at: int | None = None
    identifier: str = ""
    pod: Reference | None = None
    secret: Reference | None = None
    node: Reference | None = None

    @property
    def legacy(self) -> bool:
        return self.ends_at is None


def claims(
    policy: Policy,
    namespace: str,
    account: Reference,
    bound: Mapping[str, Reference],
    *,
    audiences: Sequence[str],
    seconds: int,
    now: datetime,
    identifier: str,
) -> dict[str, Any]:
    """The claims of a new token; `bound` has the objects that it is bound to, by `pod`, `secret` and `node`."""
    issued_at = int(now.timestamp())
    private: dict[str, Any] = {"namespace": namespace, "serviceaccount": _plain(account)}
    private |= {kind: _plain(reference) for kind, reference in bound.items()}
    ends_at = issued_at + seconds
    for_api = set(audiences) <= set(policy.audiences)
    if policy.extend and "pod" in bound and seconds == EXTENDED_FROM_S and for_api:
        private["warnafter"] = ends_at
        ends_at = issued_at + min(EXTENDED_TO_S, policy.seconds_max or EXTENDED_TO_S)
    return {
        "aud": list(audiences),
        "exp": ends_at,
        "iat": issued_at,
        "iss": policy.issuers[0],
        "jti": identifier,
        "kubernetes.io": private,
        "nbf": issued_at,
        "sub": names.username(namespace, account.name),
    }


def parse(policy: Policy, found: Mapping[str, Any]) -> Credential:
    """What the claims of a genuine token mean; raises InvalidTokenError."""
    try:
        if found.get("iss") == names.LEGACY_ISSUER:
            return _legacy(msgspec.convert(found, _LegacyClaims))
        if found.get("iss") in policy.issuers:
            return _bound(msgspec.convert(found, _BoundClaims))
    except msgspec.ValidationError:
        raise InvalidTokenError("the token's claims are not those of a service account") from None
    raise InvalidTokenError("the token is of another issuer")


def check(policy: Policy, credential: Credential, wanted: Sequence[str], now: datetime) -> tuple[str, ...]:
    """Which of the `wanted` audiences a credential is for; raises InvalidTokenError when for none of them, or not now."""
    moment = now.timestamp()
    if credential.ends_at is not None and moment > credential.ends_at:
        raise InvalidTokenError("service account token has expired")
    if moment < credential.begins_at:
        raise InvalidTokenError("service account token is not valid yet")
    own = policy.audiences if credential.audiences is None else credential.audiences
    agreed = tuple(each for each in wanted if each in own)
    if not agreed:
        raise InvalidTokenError("token audiences are invalid for the target audiences")
    return agreed


def user(credential: Credential) -> User:
    """Who the bearer is."""
    namespace, account = credential.namespace, credential.account
    extra: list[tuple[str, tuple[str, ...]]] = []
    if credential.identifier:
        extra.append((names.CREDENTIAL_ID, (f"JTI={credential.identifier}",)))
    if credential.node is not None:
        extra += [(names.NODE_NAME, (credential.node.name,)), (names.NODE_UID, (credential.node.uid,))]
    if credential.pod is not None:
        extra += [(names.POD_NAME, (credential.pod.name,)), (names.POD_UID, (credential.pod.uid,))]
    return service_account_user(namespace, account.name, account.uid, tuple(extra))


def bound_kind(reference: BoundObjectReference) -> str | None:
    """`pod`, `secret` or `node`; None for what tokens cannot be bound to."""
    return _BINDABLE.get((reference.api_version, reference.kind))


def check_of_node(node: str, pod: Pod, audiences: Sequence[str]) -> str:
    """Why a node does not get a token of a pod for these audiences (none: the API's own); "" when it does.

    It gets what a volume of the pod shows, and only if the pod is its own.
    """
    if pod.spec.node_name != node:
        return "node requested token bound to a pod scheduled on a different node"
    if len(audiences) > 1:
        return "node may only request 0 or 1 audiences"
    audience = audiences[0] if audiences else ""
    sources = [source for volume in pod.spec.volumes if volume.projected for source in volume.projected.sources]
    if any(each.service_account_token and each.service_account_token.audience == audience for each in sources):
        return ""
    return f'audience "{audience}" not found in pod spec volume'


def check_request(spec: TokenRequestSpec) -> list[FieldError]:
    """What is wrong with a request whose defaults have been set."""
    seconds, path = spec.expiration_seconds or 0, "spec.expirationSeconds"
    if seconds < SECONDS_MIN:
        return [FieldError.invalid(path, seconds, "may not specify a duration less than 10 minutes")]
    if seconds > SECONDS_MAX:
        return [FieldError.invalid(path, seconds, "may not specify a duration larger than 2^32 seconds")]
    return []


def _plain(reference: Reference) -> dict[str, str]:
    return {"name": reference.name, "uid": reference.uid}


def _bound(found: _BoundClaims) -> Credential:
    bound = found.bound
    _require_subject(found.sub, bound.namespace, bound.serviceaccount.name)
    return Credential(
        namespace=bound.namespace,
        account=bound.serviceaccount,
        audiences=(found.aud,) if isinstance(found.aud, str) else tuple(found.aud),
        begins_at=found.nbf,
        ends_at=found.exp,
        identifier=found.jti,
        pod=bound.pod,
        secret=bound.secret,
        node=bound.node,
    )


def _legacy(found: _LegacyClaims) -> Credential:
    _require_subject(found.sub, found.namespace, found.account)
    return Credential(
        namespace=found.namespace, account=Reference(found.account, found.account_uid), secret=Reference(found.secret, "")
    )


def _require_subject(subject: str, namespace: str, account: str) -> None:
    if not namespace or not account or subject != names.username(namespace, account):
        raise InvalidTokenError("the token's subject is not the service account that it names")
