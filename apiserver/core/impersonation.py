"""Impersonation: a request that asks to be treated as somebody else's, in Impersonate-* headers.

What is asked for is a User; whether its asker may be that user is a list of questions to the authorizer, of which each must
be allowed: verb `impersonate` of the user (or ServiceAccount), of each group, of the uid and of each value of the extras.
Source: the Kubernetes page "User Impersonation".
"""

from collections.abc import Iterator, Sequence
from urllib.parse import unquote

from apimachinery import errors
from apimachinery import service_accounts as names
from apiserver.core.access import Question
from apiserver.core.request import ANONYMOUS, AUTHENTICATED, UNAUTHENTICATED, User

_PREFIX, _EXTRA = b"impersonate-", "impersonate-extra-"
_AUTHENTICATION = "authentication.k8s.io"


def asked_user(headers: Sequence[tuple[bytes, bytes]]) -> User | None:
    """The user that a request asks to be, exactly as asked; None for most requests. Raises ApiError (400)."""
    ours = [header for header in headers if header[0][:1] in b"iI" and header[0][: len(_PREFIX)].lower() == _PREFIX]
    if not ours:
        return None
    name = uid = ""
    groups: list[str] = []
    extra: dict[str, list[str]] = {}
    for raw_key, raw_value in ours:
        key, value = raw_key.decode("latin-1").lower(), raw_value.decode("utf-8", "surrogateescape")
        if key == "impersonate-user":
            name = value
        elif key == "impersonate-group":
            groups.append(value)
        elif key == "impersonate-uid":
            uid = value
        elif key.startswith(_EXTRA):
            extra.setdefault(unquote(key.removeprefix(_EXTRA)), []).append(value)
        else:
            raise errors.bad_request(f"unknown impersonation header {key!r}")
    if not name:
        raise errors.bad_request("impersonation of groups, a uid or extra values needs a user: Impersonate-User is missing")
    return User(name, tuple(groups), uid=uid, extra=tuple((key, tuple(values)) for key, values in extra.items()))


def questions(asker: User, wanted: User) -> Iterator[Question]:
    """What must all be allowed to `asker`."""
    account = _service_account(wanted.name)
    if account is not None:
        yield _question(asker, "serviceaccounts", account[1], namespace=account[0])
    else:
        yield _question(asker, "users", wanted.name)
    for group in wanted.groups:
        yield _question(asker, "groups", group)
    if wanted.uid:
        yield _question(asker, "uids", wanted.uid, group=_AUTHENTICATION)
    for key, values in wanted.extra:
        for value in values:
            yield _question(asker, "userextras", value, group=_AUTHENTICATION, subresource=key)


def settled(wanted: User) -> User:
    """The user as it is treated: with the groups that every such user is in."""
    groups = list(wanted.groups)
    account = _service_account(wanted.name)
    if account is not None and not groups:
        groups = list(names.groups(account[0]))
    everybody = UNAUTHENTICATED if wanted.name == ANONYMOUS else AUTHENTICATED
    if everybody not in groups:
        groups.append(everybody)
    return User(wanted.name, tuple(groups), uid=wanted.uid, extra=wanted.extra)


def _service_account(name: str) -> tuple[str, str] | None:
    """Namespace and name of the ServiceAccount that a user stands for."""
    namespace, _, account = name.removeprefix(names.USERNAME_PREFIX).partition(":")
    return (namespace, account) if name.startswith(names.USERNAME_PREFIX) and namespace and account else None


def _question(
    asker: User, resource: str, name: str, *, group: str = "", namespace: str = "", subresource: str = ""
) -> Question:
    return Question(
        user=asker,
        verb="impersonate",
        group=group,
        version="v1",
        resource=resource,
        subresource=subresource,
        namespace=namespace,
        name=name,
    )
