"""Signing and verifying tokens: which keys, which algorithms, and what is refused."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Callable

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from hypothesis import example, given, settings
from hypothesis import strategies as st

from component_base.signing import KeyFileError, Signer, TokenError, Verifier, key_id, public_keys
from tests.support.tokens import elliptic_key, private_pem, public_pem, rsa_key

CLAIMS = {"iss": "me", "sub": "you", "exp": 1}
RSA, ELLIPTIC = rsa_key(), elliptic_key()
VERIFIER = Verifier([Signer(RSA).public_key])


def b64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


@pytest.mark.parametrize(("pem", "algorithm"), [(RSA, "RS256"), (ELLIPTIC, "ES256")], ids=["rsa", "elliptic"])
def test_what_is_signed_is_verified(pem: bytes, algorithm: str) -> None:
    signer = Signer(pem)
    token = signer.sign(CLAIMS)
    header = jwt.get_unverified_header(token)
    assert (header["alg"], header["kid"]) == (algorithm, key_id(signer.public_key))
    verifier = Verifier(public_keys(public_pem(pem)))
    assert verifier.verify(token) == CLAIMS
    (key,) = verifier.key_set()["keys"]
    assert (key["use"], key["alg"], key["kid"]) == ("sig", algorithm, header["kid"])
    assert "d" not in key
    known = jwt.PyJWK(key)  # somebody else, who has nothing but the key set
    assert jwt.decode(token, known, algorithms=[algorithm], options={"verify_exp": False, "verify_aud": False}) == CLAIMS


def test_keys_are_rotated() -> None:
    old, new = Signer(ELLIPTIC), Signer(RSA)
    verifier = Verifier((new.public_key, old.public_key))
    assert verifier.verify(old.sign(CLAIMS)) == verifier.verify(new.sign(CLAIMS)) == CLAIMS
    assert verifier.algorithms == ["ES256", "RS256"]
    with pytest.raises(TokenError):
        Verifier([new.public_key]).verify(old.sign(CLAIMS))


def test_a_token_that_names_no_key_is_tried_with_all() -> None:
    unnamed = jwt.encode(CLAIMS, ELLIPTIC, algorithm="ES256")
    assert Verifier((Signer(RSA).public_key, Signer(ELLIPTIC).public_key)).verify(unnamed) == CLAIMS


def _none(_: str) -> str:
    return jwt.encode(CLAIMS, None, algorithm="none")


def _public_key_as_secret(_: str) -> str:
    """The public key, which everybody has, used as the secret of an HMAC."""
    head, body = b64(json.dumps({"alg": "HS256", "kid": key_id(Signer(RSA).public_key)}).encode()), b64(b'{"iss":"me"}')
    signature = hmac.new(public_pem(RSA), f"{head}.{body}".encode(), hashlib.sha256).digest()
    return f"{head}.{body}.{b64(signature)}"


def _other_claims(token: str) -> str:
    head, _, signature = token.split(".")
    return f"{head}.{b64(b'{}')}.{signature}"


REFUSED: tuple[tuple[str, Callable[[str], str]], ...] = (
    ("no signature", lambda token: token.rpartition(".")[0] + "."),
    ("no algorithm", _none),
    ("the public key as a secret", _public_key_as_secret),
    ("other claims under the same signature", _other_claims),
    ("signed by somebody else", lambda _: Signer(rsa_key()).sign(CLAIMS)),
    (
        "somebody else's signature under our key's name",
        lambda _: jwt.encode(CLAIMS, rsa_key(), algorithm="RS256", headers={"kid": key_id(Signer(RSA).public_key)}),
    ),
    ("nothing of the kind", lambda _: "abc"),
    ("three times nothing", lambda _: ".."),
    ("too long", lambda token: token + "A" * 100_000),
    ("no text", lambda _: "é.é.é"),
)


@pytest.mark.parametrize("make", [make for _, make in REFUSED], ids=[name for name, _ in REFUSED])
def test_what_nobody_has_signed_is_refused(make: Callable[[str], str]) -> None:
    token = make(Signer(RSA).sign(CLAIMS))
    with pytest.raises(TokenError) as caught:
        VERIFIER.verify(token)
    for part in token.split("."):
        assert len(part) < 3 or part not in str(caught.value)  # CVE-2019-11250


def test_a_file_may_hold_several_keys_of_several_forms() -> None:
    pem = b"# the old one\n" + public_pem(ELLIPTIC) + b"\n# the new one\n" + RSA
    assert [key_id(key) for key in public_keys(pem)] == [key_id(Signer(each).public_key) for each in (ELLIPTIC, RSA)]


@pytest.mark.parametrize(
    "pem",
    [b"", b"no key", b"-----BEGIN PUBLIC KEY-----\nabc\n-----END PUBLIC KEY-----\n"],
    ids=["nothing", "no block", "a broken block"],
)
def test_what_is_no_key_is_told(pem: bytes) -> None:
    with pytest.raises(KeyFileError):
        public_keys(pem)
    with pytest.raises(KeyFileError):
        Signer(pem)


@pytest.mark.parametrize(
    "pem",
    [
        private_pem(ed25519.Ed25519PrivateKey.generate()),  # type: ignore[arg-type]
        private_pem(ec.generate_private_key(ec.SECP256K1())),
        rsa_key(1024),
    ],
    ids=["of another kind", "another curve", "too short"],
)
def test_keys_that_are_not_used(pem: bytes) -> None:
    with pytest.raises(KeyFileError):
        Signer(pem)


PARTS = st.one_of(
    st.text(max_size=40),
    st.binary(max_size=60).map(b64),
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=8),
        lambda inner: (
            st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(("alg", "kid", "crit", "typ", "b64")), inner)
        ),
        max_leaves=6,
    ).map(lambda value: b64(json.dumps(value).encode())),
)


@settings(max_examples=200, deadline=None)
@given(st.lists(PARTS, max_size=5).map(".".join))
@example(b64(b"[" * 30_000) + ".e30.AAAA")
@example(b64(b'{"alg":' + b"[" * 20_000) + ".e30.AAAA")
@example(b64(b'{"alg":"RS256","kid":{}}') + ".e30.AAAA")
@example(b64(b'{"alg":"RS256","kid":"\\ud800"}') + ".e30.AAAA")
@example("\ud800.e30.AAAA")
def test_whatever_comes_it_is_refused_and_nothing_else_happens(token: str) -> None:
    with pytest.raises(TokenError):
        VERIFIER.verify(token)
