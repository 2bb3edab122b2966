"""The configuration of tokens: which keys sign and count, for whom, and what is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest

from apiserver.app import token_keys
from apiserver.config import ServiceAccountConfig
from component_base.signing import KeyFileError, Signer, TokenError
from tests.support.tokens import elliptic_key, public_pem, rsa_key

NEW, OLD = elliptic_key(), rsa_key()


def configured(directory: Path, **more: Any) -> ServiceAccountConfig:
    (directory / "new.key").write_bytes(NEW)
    (directory / "old.pub").write_bytes(public_pem(OLD))
    return msgspec.convert({"issuer": "https://i", "signingKeyFile": str(directory / "new.key"), **more}, ServiceAccountConfig)


def test_tokens_are_for_the_issuer_unless_somebody_else_is_named(tmp_path: Path) -> None:
    assert token_keys(configured(tmp_path)).policy.audiences == ("https://i",)
    keys = token_keys(
        configured(tmp_path, apiAudiences=["api", "x"], maxTokenExpirationSeconds=7200, extendTokenExpiration=False)
    )
    assert (keys.policy.issuers, keys.policy.audiences) == (("https://i",), ("api", "x"))
    assert (keys.policy.seconds_max, keys.policy.extend) == (7200, False)


def test_the_last_key_still_counts_while_it_is_listed(tmp_path: Path) -> None:
    old = Signer(OLD).sign({"a": 1})
    alone, both = token_keys(configured(tmp_path)), token_keys(configured(tmp_path, keyFiles=[str(tmp_path / "old.pub")]))
    assert both.verifier.verify(old) == {"a": 1}
    assert both.verifier.verify(both.signer.sign({"b": 2})) == {"b": 2}
    with pytest.raises(TokenError):
        alone.verifier.verify(old)


@pytest.mark.parametrize(
    "wrong",
    [
        {"issuer": ""},
        {"maxTokenExpirationSeconds": 60},
        {"maxTokenExpirationSeconds": 1 << 33},
        {"jwksUri": "http://plain"},
        {"signingKeyFile": None},
        {"unknown": 1},
    ],
    ids=str,
)
def test_configurations_that_are_refused(tmp_path: Path, wrong: dict[str, Any]) -> None:
    with pytest.raises(msgspec.ValidationError):
        configured(tmp_path, **wrong)


def test_a_file_that_is_no_key_keeps_the_server_from_starting(tmp_path: Path) -> None:
    (tmp_path / "none").write_text("no key")
    with pytest.raises(KeyFileError):
        token_keys(configured(tmp_path, signingKeyFile=str(tmp_path / "none")))
    with pytest.raises(OSError, match="absent"):
        token_keys(configured(tmp_path, keyFiles=[str(tmp_path / "absent")]))
