"""POST serviceaccounts/NAME/token: a token for an account, which is signed, handed out, and stored nowhere.

A token may be bound to a pod that runs as the account, to a secret of its namespace, or to a node; that object has to exist
then, and the token ends with it. A node gets only the tokens that its own pods' volumes show, bound to these pods. Webhooks and
admission policies see the request without its token.

Source: the Kubernetes pages "Managing Service Accounts", section "TokenRequest API", and "Admission Control in Kubernetes",
section "NodeRestriction".
"""

import random
from collections.abc import Sequence
from datetime import timedelta
from typing import TypeVar

from apimachinery import codec, errors
from apimachinery.clock import Clock
from apimachinery.errors import ApiError
from apimachinery.kinds import BoundObjectReference, Node, Pod, ServiceAccount, TokenRequest, TokenRequestStatus
from apimachinery.kinds.object import Object
from apimachinery.resources import NODES, PODS, SECRETS, SERVICE_ACCOUNTS, Resource
from apimachinery.times import format_time
from apiserver.core import service_account_tokens as core
from apiserver.core.admission_review import CREATE
from apiserver.core.bodies import decode_object
from apiserver.core.naming import new_uid, settle_name, settle_namespace
from apiserver.core.node_access import node_of
from apiserver.core.request import Document, Request
from apiserver.core.service_account_tokens import Policy, Reference
from apiserver.registry.current import Reader
from apiserver.registry.webhooks import Webhooks
from component_base.signing import Signer

T = TypeVar("T", bound=Object)

_GROUP = "authentication.k8s.io"
_ROWS = {"pod": PODS, "secret": SECRETS, "node": NODES}


class TokenRequests:
    """Gives out tokens; without a signer there are none to be had."""

    def __init__(
        self,
        policy: Policy | None,
        signer: Signer | None,
        reader: Reader,
        webhooks: Webhooks,
        clock: Clock,
        rng: random.Random,
    ) -> None:
        self._policy = policy
        self._signer = signer
        self._reader = reader
        self._webhooks = webhooks
        self._clock = clock
        self._rng = rng

    async def create(self, request: Request) -> Document:
        """The request with its token; a dry run gives none. Raises ApiError 400, 403, 404, 409 or 422."""
        policy, signer = self._policy, self._signer
        if policy is None or signer is None:
            raise errors.no_such_path()
        wanted, warnings = decode_object(
            TokenRequest, request.body, request.content_type, request.options.field_validation, f"{_GROUP}/v1", "TokenRequest"
        )
        settle_name(wanted.metadata, request.name)
        settle_namespace(SERVICE_ACCOUNTS, wanted.metadata, request.namespace)
        review = self._webhooks.begin(request, CREATE)
        wanted = await review.mutate(wanted, None)
        asked = tuple(wanted.spec.audiences)
        warnings += _complete(wanted, policy)
        if wrong := core.check_request(wanted.spec):
            raise errors.invalid("TokenRequest", request.name, wrong, group=_GROUP)
        account = await self._object(ServiceAccount, SERVICE_ACCOUNTS, request.namespace, request.name)
        _require_uid(SERVICE_ACCOUNTS, account, wanted.metadata.uid)
        bound = await self._bound(node_of(request.user), account, wanted.spec.bound_object_ref, asked)
        await review.validate(wanted, None)
        now, seconds = self._clock.now(), wanted.spec.expiration_seconds or 0
        claims = core.claims(
            policy,
            request.namespace,
            Reference(account.metadata.name, account.metadata.uid),
            bound,
            audiences=wanted.spec.audiences,
            seconds=seconds,
            now=now,
            identifier=new_uid(self._rng),
        )
        wanted.metadata.creation_timestamp = format_time(now)
        wanted.status = TokenRequestStatus(
            token="" if request.options.dry_run else signer.sign(claims),
            expiration_timestamp=format_time(now + timedelta(seconds=seconds)),
        )
        return Document(codec.encode(wanted), 0, 201, (*warnings, *review.warnings))

    async def _bound(
        self, node: str, account: ServiceAccount, wanted: BoundObjectReference | None, audiences: Sequence[str]
    ) -> dict[str, Reference]:
        """The objects that the token is to be bound to. `node`: the one that asks; `audiences`: as they were asked for."""
        kind = None if wanted is None else core.bound_kind(wanted)
        if node and (wanted is None or kind != "pod"):
            raise _refused(account, "node requested token not bound to a pod")
        if wanted is None:
            return {}
        if kind is None:
            what = f"{wanted.api_version}, Kind={wanted.kind}"
            raise errors.bad_request(f"cannot bind token to object of type {what}: it is neither a pod, a secret nor a node")
        if not wanted.name:
            raise errors.bad_request("a bound object reference needs a name")
        if node and not wanted.uid:
            raise _refused(account, "node requested token with a pod binding without a uid")
        row = _ROWS[kind]
        namespace = account.metadata.namespace if row.namespaced else ""
        obj = await self._object(row.cls, row, namespace, wanted.name)
        _require_uid(row, obj, wanted.uid)
        found = {kind: Reference(obj.metadata.name, obj.metadata.uid)}
        if isinstance(obj, Pod):
            _require_account(account, obj)
            if node and (wrong := core.check_of_node(node, obj, audiences)):
                raise _refused(account, wrong)
            found |= await self._node(obj.spec.node_name)
        return found

    async def _node(self, name: str) -> dict[str, Reference]:
        """Where a pod runs, as far as that is known."""
        if not name:
            return {}
        try:
            node = await self._object(Node, NODES, "", name)
        except ApiError as error:
            if not errors.is_not_found(error):
                raise
            return {"node": Reference(name, "")}
        return {"node": Reference(name, node.metadata.uid)}

    async def _object(self, cls: type[T], resource: Resource, namespace: str, name: str) -> T:
        current = await self._reader.read(resource, namespace, name)
        if current is None:
            raise errors.not_found(resource.plural, name, group=resource.group)
        return codec.decode(cls, current.data)


def _complete(wanted: TokenRequest, policy: Policy) -> tuple[str, ...]:
    """Set what was left open, and cut down what is too much; warns of the latter."""
    spec = wanted.spec
    spec.audiences = spec.audiences or list(policy.audiences)
    if spec.expiration_seconds is None:
        spec.expiration_seconds = core.SECONDS_DEFAULT
    asked, most = spec.expiration_seconds, policy.seconds_max
    if not most or not most < asked <= core.SECONDS_MAX:
        return ()
    spec.expiration_seconds = most
    return (f"requested expiration of {asked} seconds shortened to {most} seconds",)


def _require_uid(resource: Resource, obj: Object, wanted: str) -> None:
    if wanted and wanted != obj.metadata.uid:
        detail = (
            f"the UID in the request ({wanted}) does not match the UID in record ({obj.metadata.uid}); the object might have "
        )
        raise errors.conflict(resource.plural, obj.metadata.name, f"{detail}been deleted and then recreated")


def _require_account(account: ServiceAccount, pod: Pod) -> None:
    if pod.spec.service_account_name != account.metadata.name:
        name = account.metadata.name
        raise errors.bad_request(
            f'cannot bind token for serviceaccount "{name}" to pod running with different serviceaccount name'
        )


def _refused(account: ServiceAccount, detail: str) -> ApiError:
    return errors.forbidden("serviceaccounts", account.metadata.name, detail)
