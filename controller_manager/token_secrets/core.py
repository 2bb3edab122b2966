"""What becomes of a Secret of type kubernetes.io/service-account-token. Pure.

Its annotation names the account; the account's uid is noted beside it, so that a Secret never passes on to another account of
the same name. The token is made once: whoever empties the key gets a new one. CA and namespace are kept right.
"""

import base64
from collections.abc import Callable, Mapping

from apimachinery import codec
from apimachinery import service_accounts as names
from apimachinery.kinds import Secret, ServiceAccount

Sign = Callable[[Mapping[str, str]], str]


def account_of(secret: Secret) -> str | None:
    """The name of the account whose token the Secret is for; None for any other Secret."""
    if secret.type != names.SECRET_TYPE:
        return None
    return secret.metadata.annotations.get(names.ACCOUNT_NAME)


def is_for(secret: Secret, account: ServiceAccount | None) -> bool:
    """Whether this is the account that the Secret belongs to, or may come to belong to."""
    if account is None:
        return False
    return secret.metadata.annotations.get(names.ACCOUNT_UID) in (None, "", account.metadata.uid)


def filled(secret: Secret, account: ServiceAccount, certificate: str, sign: Sign) -> Secret:
    """The Secret as it should be: a changed copy, or the very same."""
    namespace, name, uid = secret.metadata.namespace, account.metadata.name, account.metadata.uid
    wanted = {names.NAMESPACE_KEY: _base64(namespace)}
    if certificate:
        wanted[names.CA_KEY] = _base64(certificate)
    has_token = bool(secret.data.get(names.TOKEN_KEY))
    right = all(secret.data.get(key) == value for key, value in wanted.items())
    if has_token and right and secret.metadata.annotations.get(names.ACCOUNT_UID) == uid:
        return secret
    if not has_token:
        wanted[names.TOKEN_KEY] = _base64(sign(names.legacy_claims(namespace, name, uid, secret.metadata.name)))
    result = codec.deep_copy(secret)
    result.data |= wanted
    result.metadata.annotations[names.ACCOUNT_UID] = uid
    return result


def _base64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()
