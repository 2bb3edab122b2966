"""Authentication: a client certificate's common name is the user, its organizations are the groups.

TLS has verified the certificate against the cluster's CA before any of this runs; whoever has none does not get a connection.
"""

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

from cryptography import x509
from cryptography.x509.oid import NameOID

from apimachinery import errors
from apimachinery.kinds import TokenReviewStatus
from apiserver.core.request import User

AUTHENTICATED = "system:authenticated"


class NoTokens:
    """The token authenticator until tokens are given out: no token is anybody's."""

    def review(self, token: str, audiences: Sequence[str]) -> TokenReviewStatus:
        return TokenReviewStatus(error="invalid bearer token")


@lru_cache(maxsize=1024)
def user_of_pem(pem: bytes) -> User:
    """The user in a certificate; raises ApiError (401) when it names none."""
    subject = x509.load_pem_x509_certificate(pem).subject
    names = [str(each.value) for each in subject.get_attributes_for_oid(NameOID.COMMON_NAME)]
    groups = [str(each.value) for each in subject.get_attributes_for_oid(NameOID.ORGANIZATION_NAME)]
    return _user(names, groups)


def user_of_peer(certificate: dict[str, Any] | None) -> User:
    """The same of a peer certificate as the `ssl` module decodes it."""
    subject = [pair for part in (certificate or {}).get("subject", ()) for pair in part]
    names = [value for key, value in subject if key == "commonName"]
    return _user(names, [value for key, value in subject if key == "organizationName"])


def _user(names: list[str], groups: list[str]) -> User:
    if not names or not names[0]:
        raise errors.unauthorized()
    return User(names[0], (*groups, AUTHENTICATED))
