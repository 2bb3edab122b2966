"""Whose a bearer token is: the signature, then what it says, then whether the objects that it lives with are still there.

    signature (kept for a while) → issuer, audience, times → ServiceAccount, and the pod, secret or node that it is bound to

Only the outcome of verifying a signature is kept, which nothing that happens later can change; failures are not, lest they push
out what is genuine. Times and objects are looked at on every use, so a token ends with its pod. Objects are looked up in the
watch cache; what is not there, or is another one of the same name, is read from the storage before a token is refused, because
a token may be used before the cache has heard of its pod.

What is wrong with a token is told to those who review it, not to those who come with it; tokens themselves are told to nobody.
"""

import hashlib
import hmac
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta

import msgspec

from apimachinery import errors
from apimachinery import service_accounts as names
from apimachinery.clock import Clock
from apimachinery.kinds import Secret, TokenReviewStatus
from apimachinery.resources import NODES, PODS, SECRETS, SERVICE_ACCOUNTS, Resource
from apimachinery.times import parse_time
from apiserver.core import service_account_tokens as core
from apiserver.core.request import User
from apiserver.core.service_account_tokens import Credential, InvalidTokenError, Policy, Reference
from apiserver.core.users import user_info
from apiserver.registry.current import Current, Reader
from apiserver.strategy.configuration import decoded
from component_base.signing import TokenError, Verifier

SIGNATURES_MAX = 4096


class _Meta(msgspec.Struct, frozen=True, rename="camel"):
    uid: str = ""
    deletion_timestamp: str | None = None


class _Living(msgspec.Struct, frozen=True):
    """What of an object tells whether it is still there."""

    metadata: _Meta


_living = msgspec.json.Decoder(_Living)
_secret = msgspec.json.Decoder(Secret)


class ServiceAccountTokens:
    """See `ports.Tokens`."""

    def __init__(self, policy: Policy, verifier: Verifier, reader: Reader, clock: Clock) -> None:
        self._policy = policy
        self._verifier = verifier
        self._reader = reader
        self._clock = clock
        self._verified: OrderedDict[bytes, Credential] = OrderedDict()

    async def authenticate(self, token: str) -> User:
        """See `ports.Tokens.authenticate`."""
        try:
            credential, _ = await self._examine(token, self._policy.audiences)
        except InvalidTokenError as error:
            raise errors.unauthorized() from error
        return core.user(credential)

    async def review(self, token: str, audiences: Sequence[str]) -> TokenReviewStatus:
        """See `ports.Tokens.review`; without audiences those of this API are meant."""
        try:
            credential, agreed = await self._examine(token, audiences or self._policy.audiences)
        except InvalidTokenError as error:
            return TokenReviewStatus(error=f"invalid bearer token, {error}")
        return TokenReviewStatus(authenticated=True, user=user_info(core.user(credential)), audiences=list(agreed))

    async def _examine(self, token: str, audiences: Sequence[str]) -> tuple[Credential, tuple[str, ...]]:
        credential = self._credential(token)
        now = self._clock.now()
        agreed = core.check(self._policy, credential, audiences, now)
        for kind, resource, namespace, reference in _vouchers(credential):
            if not await self._lives(resource, namespace, reference, now):
                raise InvalidTokenError(f"the {kind} that the token depends on is gone, or is another one now")
        if credential.legacy and not await self._holds(credential, token):
            raise InvalidTokenError("the secret that the token stood in holds another one")
        return credential, agreed

    def _credential(self, token: str) -> Credential:
        digest = hashlib.sha256(token.encode(errors="replace")).digest()
        credential = self._verified.get(digest)
        if credential is not None:
            self._verified.move_to_end(digest)
            return credential
        try:
            credential = core.parse(self._policy, self._verifier.verify(token))
        except TokenError as error:
            raise InvalidTokenError(str(error)) from error
        self._verified[digest] = credential
        if len(self._verified) > SIGNATURES_MAX:
            self._verified.popitem(last=False)
        return credential

    async def _lives(self, resource: Resource, namespace: str, wanted: Reference, now: datetime) -> bool:
        cached = self._reader.glimpse(resource, namespace, wanted.name)
        if cached is not None and _vouches(cached, wanted, now):
            return True
        newest = await self._reader.read(resource, namespace, wanted.name)
        return newest is not None and _vouches(newest, wanted, now)

    async def _holds(self, credential: Credential, token: str) -> bool:
        assert credential.secret is not None
        place = (SECRETS, credential.namespace, credential.secret.name)
        cached = self._reader.glimpse(*place)
        if cached is not None and _is_in(cached, token):
            return True
        newest = await self._reader.read(*place)
        return newest is not None and _is_in(newest, token)


def _vouchers(credential: Credential) -> Iterator[tuple[str, Resource, str, Reference]]:
    """The objects without which the token is worth nothing. The node of a pod's token is only told."""
    yield "service account", SERVICE_ACCOUNTS, credential.namespace, credential.account
    if credential.pod is not None:
        yield "pod", PODS, credential.namespace, credential.pod
    elif credential.node is not None:
        yield "node", NODES, "", credential.node
    if credential.secret is not None:
        yield "secret", SECRETS, credential.namespace, credential.secret


def _vouches(current: Current, wanted: Reference, now: datetime) -> bool:
    try:
        meta = _living.decode(current.data).metadata
    except msgspec.MsgspecError:
        return False
    if wanted.uid and meta.uid != wanted.uid:
        return False
    if meta.deletion_timestamp is None:
        return True
    return now < parse_time(meta.deletion_timestamp) + timedelta(seconds=core.DELETED_LEEWAY_S)


def _is_in(current: Current, token: str) -> bool:
    try:
        secret = _secret.decode(current.data)
    except msgspec.MsgspecError:
        return False
    held = decoded(secret.data.get(names.TOKEN_KEY, "")) or b""
    return secret.type == names.SECRET_TYPE and hmac.compare_digest(held, token.encode(errors="replace"))
