"""What others need to verify tokens of ServiceAccounts by themselves: who signs them, and with which keys.

Source: OpenID Connect Discovery 1.0; the Kubernetes page "Configure Service Accounts for Pods", section "ServiceAccount issuer
discovery".
"""

from collections.abc import Mapping

from aiohttp import web

from apimachinery import codec
from component_base.signing import Verifier

CONFIGURATION_PATH, KEYS_PATH = "/.well-known/openid-configuration", "/openid/v1/jwks"
_FOR_AN_HOUR = {"Cache-Control": "public, max-age=3600"}


class OpenId:
    """Two documents that do not change; none for a server without keys."""

    def __init__(self, documents: Mapping[str, tuple[bytes, str]] | None = None) -> None:
        self._documents = documents or {}

    def document(self, path: str) -> web.Response | None:
        """The answer for a path; None where there is nothing."""
        found = self._documents.get(path)
        if found is None:
            return None
        body, content_type = found
        return web.Response(body=body, headers={"Content-Type": content_type, **_FOR_AN_HOUR})


def openid(issuer: str, keys_url: str, verifier: Verifier) -> OpenId:
    """The documents of an issuer; `keys_url` is where its keys can be had from everywhere."""
    configuration = {
        "issuer": issuer,
        "jwks_uri": keys_url,
        "response_types_supported": ["id_token"],
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": verifier.algorithms,
    }
    return OpenId(
        {
            CONFIGURATION_PATH: (codec.encode(configuration), "application/json"),
            KEYS_PATH: (codec.encode(verifier.key_set()), "application/jwk-set+json"),
        }
    )
