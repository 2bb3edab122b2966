"""Keys for tokens of ServiceAccounts, made anew for a test run."""

from __future__ import annotations

from collections.abc import Sequence

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from apiserver.app import TokenKeys
from apiserver.core.service_account_tokens import Policy
from component_base.signing import PrivateKey, Signer, Verifier

ISSUER = "https://kubernetes.default.svc.cluster.local"


def elliptic_key() -> bytes:
    """A private P-256 key in PEM."""
    return private_pem(ec.generate_private_key(ec.SECP256R1()))


def rsa_key(bits: int = 2048) -> bytes:
    """A private RSA key in PEM."""
    return private_pem(rsa.generate_private_key(65537, bits))


def private_pem(key: PrivateKey) -> bytes:
    plain = serialization.NoEncryption()
    return key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, plain)


def public_pem(private: bytes) -> bytes:
    """The public half of a private key, in PEM."""
    form = serialization.PublicFormat.SubjectPublicKeyInfo
    return Signer(private).public_key.public_bytes(serialization.Encoding.PEM, form)


def token_keys(
    private: bytes | None = None,
    *,
    audiences: Sequence[str] = (ISSUER,),
    seconds_max: int = 0,
    extend: bool = True,
) -> TokenKeys:
    """What a server needs to give tokens out and to take them."""
    signer = Signer(private or elliptic_key())
    policy = Policy(issuers=(ISSUER,), audiences=tuple(audiences), seconds_max=seconds_max, extend=extend)
    return TokenKeys(policy=policy, signer=signer, verifier=Verifier([signer.public_key]))
