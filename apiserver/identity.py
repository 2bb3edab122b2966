"""Authentication: a client certificate's common name is the user, its organizations are the groups; or a bearer token says it.

TLS has verified a certificate against the cluster's CA before any of this runs. Whoever shows a certificate that names somebody
is that somebody, whatever token comes with it.
"""

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

from cryptography import x509
from cryptography.x509.oid import NameOID

from apimachinery import errors
from apimachinery.kinds import TokenReviewStatus
from apiserver.core.channels import bearer_of
from apiserver.core.request import AUTHENTICATED, User


class NoTokens:
    """The token authenticator of a server that has no keys for tokens: no token is anybody's."""

    async def authenticate(self, token: str) -> User:
        raise errors.unauthorized()

    async def review(self, token: str, audiences: Sequence[str]) -> TokenReviewStatus:
        return TokenReviewStatus(error="invalid bearer token")


def bearer_token(headers: Mapping[str, str]) -> str:
    """The token in a request's Authorization header (RFC 6750), else in its WebSocket protocols; "" for none."""
    scheme, _, token = headers.get("Authorization", "").strip().partition(" ")
    if scheme.lower() == "bearer" and token:
        return token.strip()
    return bearer_of(headers.get("Sec-WebSocket-Protocol", ""))


@lru_cache(maxsize=1024)
def user_of_pem(pem: bytes) -> User:
    """The user in a certificate; raises ApiError (401) when it names none."""
    subject = x509.load_pem_x509_certificate(pem).subject
    names = [str(each.value) for each in subject.get_attributes_for_oid(NameOID.COMMON_NAME)]
    groups = [str(each.value) for each in subject.get_attributes_for_oid(NameOID.ORGANIZATION_NAME)]
    return _user(names, groups)


def user_of_peer(certificate: dict[str, Any] | None) -> User | None:
    """The same of a peer certificate as the `ssl` module decodes it; None when there is none, or when it names nobody."""
    return _user_of_subject(certificate["subject"]) if certificate and "subject" in certificate else None


@lru_cache(maxsize=1024)
def _user_of_subject(subject: tuple[tuple[tuple[str, str], ...], ...]) -> User | None:
    pairs = [pair for part in subject for pair in part]
    name = next((value for key, value in pairs if key == "commonName"), "")
    if not name:
        return None
    return _user([name], [value for key, value in pairs if key == "organizationName"])


def _user(names: list[str], groups: list[str]) -> User:
    if not names or not names[0]:
        raise errors.unauthorized()
    return User(names[0], (*groups, AUTHENTICATED))
