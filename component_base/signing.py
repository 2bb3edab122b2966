"""Signed tokens (JWT, RFC 7519): who signs them, and how others see that they are genuine.

A signer holds one private key, a verifier the public halves of all keys whose tokens still count; a token's header names its
key (`kid`), so that keys can be rotated: the new one signs, the old ones go on verifying. What a key is decides the algorithm
(RSA: RS256, P-256: ES256, ...) and a token that claims another is refused, which leaves no room for `none` or for a public key
taken as a secret (RFC 8725). Only signatures are judged here; what the claims are worth is their reader's business.

No token, and no part of one, stands in an error.
"""

import base64
import hashlib
from collections.abc import Iterable, Mapping
from typing import Any, TypeAlias

import jwt
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from jwt.algorithms import ECAlgorithm, RSAAlgorithm

PublicKey: TypeAlias = rsa.RSAPublicKey | ec.EllipticCurvePublicKey
PrivateKey: TypeAlias = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey
Claims: TypeAlias = Mapping[str, Any]

TOKEN_LENGTH_MAX = 64 << 10
_RSA_BITS_MIN = 2048
_CURVES = {"secp256r1": "ES256", "secp384r1": "ES384", "secp521r1": "ES512"}
_SIGNATURE_ALONE = {
    "verify_signature": True,
    **dict.fromkeys(
        ("verify_exp", "verify_nbf", "verify_iat", "verify_aud", "verify_iss", "verify_sub", "verify_jti"),
        False,
    ),
}


class KeyFileError(ValueError):
    """What should be a key is none, or one that is not used here."""


class TokenError(Exception):
    """A token that none of the keys has signed; the message tells why, and nothing of the token."""


class Signer:
    """Signs claims with one private key, given as PEM; raises KeyFileError."""

    def __init__(self, pem: bytes) -> None:
        try:
            key = serialization.load_pem_private_key(pem, None)
        except (ValueError, TypeError) as error:
            raise KeyFileError("not a private key in PEM, or one that is locked with a password") from error
        if not isinstance(key, PrivateKey):
            raise KeyFileError("a key that signs tokens is an RSA or an elliptic curve key")
        self._key = key
        self.public_key: PublicKey = key.public_key()
        self.algorithm = _algorithm(self.public_key)
        self._headers = {"kid": key_id(self.public_key)}

    def sign(self, claims: Claims) -> str:
        """The claims as a compact JWT."""
        return jwt.encode(dict(claims), self._key, algorithm=self.algorithm, headers=self._headers)


class Verifier:
    """Knows the keys whose signatures count, the newest first."""

    def __init__(self, keys: Iterable[PublicKey]) -> None:
        self._keys = {key_id(key): (key, _algorithm(key)) for key in keys}

    @property
    def algorithms(self) -> list[str]:
        return sorted({algorithm for _, algorithm in self._keys.values()})

    def verify(self, token: str) -> Claims:
        """The claims of a token that one of the keys has signed; raises TokenError."""
        if len(token) > TOKEN_LENGTH_MAX:
            raise TokenError("the token is too long")
        try:
            named = jwt.get_unverified_header(token).get("kid") if token.isascii() else ""
        except (jwt.PyJWTError, ValueError, RecursionError):
            named = ""
        if named == "":
            raise TokenError("the token is malformed")
        if named is not None and named not in self._keys:
            raise TokenError("the token is signed with a key that is not known")
        candidates = self._keys.values() if named is None else (self._keys[named],)
        for key, algorithm in candidates:
            try:
                claims: Claims = jwt.decode(token, key, algorithms=[algorithm], options=_SIGNATURE_ALONE)  # type: ignore[arg-type]
            except jwt.PyJWTError:
                continue
            return claims
        raise TokenError("the token's signature is not valid")

    def key_set(self) -> dict[str, Any]:
        """The keys as a JSON Web Key Set (RFC 7517), by which anybody may verify tokens."""
        return {"keys": [_web_key(identity, key, algorithm) for identity, (key, algorithm) in self._keys.items()]}


def public_keys(pem: bytes) -> list[PublicKey]:
    """The keys in a PEM file of public keys, certificates or private keys; raises KeyFileError."""
    found: list[PublicKey] = []
    for block in _blocks(pem):
        try:
            key = _public(block)
        except (ValueError, TypeError) as error:
            raise KeyFileError("not a key in PEM") from error
        if not isinstance(key, PublicKey):
            raise KeyFileError("a key that verifies tokens is an RSA or an elliptic curve key")
        found.append(key)
    if not found:
        raise KeyFileError("no key in PEM")
    return found


def key_id(key: PublicKey) -> str:
    """What a key is called in headers: the hash of its own encoding, so that the same key has the same name everywhere."""
    plain = key.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    return base64.urlsafe_b64encode(hashlib.sha256(plain).digest()).rstrip(b"=").decode()


def _algorithm(key: PublicKey) -> str:
    if isinstance(key, rsa.RSAPublicKey):
        if key.key_size < _RSA_BITS_MIN:
            raise KeyFileError(f"an RSA key needs {_RSA_BITS_MIN} bits")
        return "RS256"
    algorithm = _CURVES.get(key.curve.name)
    if algorithm is None:
        raise KeyFileError(f"the curve {key.curve.name} is not used for tokens")
    return algorithm


def _web_key(identity: str, key: PublicKey, algorithm: str) -> dict[str, Any]:
    if isinstance(key, rsa.RSAPublicKey):
        plain = RSAAlgorithm.to_jwk(key, as_dict=True)
    else:
        plain = ECAlgorithm.to_jwk(key, as_dict=True)
    members = {name: value for name, value in plain.items() if name != "key_ops"}
    return {"use": "sig", **members, "kid": identity, "alg": algorithm}


def _blocks(pem: bytes) -> list[bytes]:
    """The PEM blocks of a file; what stands between them is comment."""
    found: list[list[bytes]] = []
    inside = False
    for line in pem.splitlines():
        if line.startswith(b"-----BEGIN "):
            found.append([])
            inside = True
        if inside:
            found[-1].append(line)
        if line.startswith(b"-----END "):
            inside = False
    return [b"\n".join(lines) + b"\n" for lines in found]


def _public(block: bytes) -> object:
    title = block.split(b"-----", 2)[1]
    if title.endswith(b"PRIVATE KEY"):
        return serialization.load_pem_private_key(block, None).public_key()
    if title.endswith(b"CERTIFICATE"):
        return x509.load_pem_x509_certificate(block).public_key()
    return serialization.load_pem_public_key(block)
