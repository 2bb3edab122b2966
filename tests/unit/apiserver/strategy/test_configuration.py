"""ConfigMaps, Secrets, ServiceAccounts: keys, sizes, types, immutability."""

import base64
from typing import Any

import pytest

from apimachinery import codec
from apimachinery.resources import CONFIG_MAPS, SECRETS, SERVICE_ACCOUNTS
from apiserver.strategy import STRATEGIES
from tests.support.strategies import (
    ABSENT,
    FORBIDDEN,
    INVALID,
    REQUIRED,
    TOO_LONG,
    Row,
    changed,
    check,
    check_defaults_are_stable,
    created,
    errors_on_create,
    errors_on_update,
    wrong,
)

Plain = dict[str, Any]
PLAIN: Plain = {"metadata": {"name": "x", "namespace": "default"}}
MEBIBYTE = 1 << 20


def b64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


CONFIG = (
    Row("right", {"data": {"a.b": "c", ".d": ""}, "binaryData": {"e": b64("f")}}),
    Row("a key", {"data": {"a/b": "c"}}, [wrong("data[a/b]", INVALID, "valid config key")]),
    Row("a key of dots", {"data": {"..": "c"}}, [wrong("data[..]", INVALID)]),
    Row("a key twice", {"data": {"a": "b"}, "binaryData": {"a": ""}}, [wrong("data[a]", INVALID, "duplicate")]),
    Row("no base64", {"binaryData": {"a": "?"}}, [wrong("binaryData[a]", INVALID, "base64")]),
    Row("as much as goes", {"data": {"a": "x" * MEBIBYTE}}),
    Row("too much", {"data": {"a": "x" * MEBIBYTE}, "binaryData": {"b": b64("x")}}, [wrong("data", TOO_LONG, "1048576")]),
    Row("bytes count, not characters", {"data": {"a": "ä" * (MEBIBYTE // 2 + 1)}}, [wrong("data", TOO_LONG)]),
)


@pytest.mark.parametrize("row", CONFIG, ids=lambda row: row.id)
def test_config_maps(row: Row) -> None:
    check(errors_on_create(CONFIG_MAPS, changed(PLAIN, row.changes)), row.wrong)


DOCKER = "kubernetes.io/dockerconfigjson"
SECRET = (
    Row("right", {"data": {"a": b64("b")}}),
    Row("no base64", {"data": {"a": "not base64"}}, [wrong("data[a]", INVALID, "base64")]),
    Row("base64 without padding", {"data": {"a": "YQ"}}, [wrong("data[a]", INVALID)]),
    Row("base64 in lines", {"data": {"a": "YQ==\n"}}),
    Row("a key", {"data": {"a b": ""}}, [wrong("data[a b]", INVALID)]),
    Row("too much", {"stringData": {"a": "x" * (MEBIBYTE + 1)}}, [wrong("data", TOO_LONG)]),
    Row("as much as goes", {"stringData": {"a": "x" * MEBIBYTE}}),
    Row("registry", {"type": DOCKER, "stringData": {".dockerconfigjson": '{"auths":{}}'}}),
    Row("registry without", {"type": DOCKER}, [wrong("data[.dockerconfigjson]", REQUIRED)]),
    Row(
        "registry with no JSON",
        {"type": DOCKER, "stringData": {".dockerconfigjson": "{"}},
        [wrong("data[.dockerconfigjson]", INVALID, "<secret contents redacted>")],
    ),
    Row("old registry", {"type": "kubernetes.io/dockercfg"}, [wrong("data[.dockercfg]", REQUIRED)]),
    Row("TLS", {"type": "kubernetes.io/tls", "data": {"tls.crt": "", "tls.key": ""}}),
    Row("TLS without", {"type": "kubernetes.io/tls"}, [wrong("data[tls.crt]", REQUIRED), wrong("data[tls.key]", REQUIRED)]),
    Row("password", {"type": "kubernetes.io/basic-auth", "data": {"password": ""}}),
    Row(
        "no password",
        {"type": "kubernetes.io/basic-auth"},
        [wrong("data[username]", REQUIRED), wrong("data[password]", REQUIRED)],
    ),
    Row("key", {"type": "kubernetes.io/ssh-auth", "stringData": {"ssh-privatekey": "k"}}),
    Row(
        "no key", {"type": "kubernetes.io/ssh-auth", "data": {"ssh-privatekey": ""}}, [wrong("data[ssh-privatekey]", REQUIRED)]
    ),
    Row(
        "token of no account",
        {"type": "kubernetes.io/service-account-token"},
        [wrong("metadata.annotations[kubernetes.io/service-account.name]", REQUIRED)],
    ),
    Row("a type of one's own", {"type": "example.com/x"}),
)


@pytest.mark.parametrize("row", SECRET, ids=lambda row: row.id)
def test_secrets(row: Row) -> None:
    plain = changed(PLAIN, row.changes)
    check(errors_on_create(SECRETS, plain), row.wrong)
    check_defaults_are_stable(SECRETS, plain)


def test_no_error_shows_a_secret() -> None:
    plain = changed(PLAIN, {"type": DOCKER, "stringData": {".dockerconfigjson": "hunter2"}, "data": {"a": "hunter2!"}})
    assert not any("hunter2" in error.message for error in errors_on_create(SECRETS, plain))


def test_text_becomes_data() -> None:
    plain = changed(PLAIN, {"data": {"a": b64("old"), "b": b64("c")}, "stringData": {"a": "ä"}})
    secret = codec.to_plain(created(SECRETS, plain))
    assert secret["data"] == {"a": b64("ä"), "b": b64("c")}
    assert secret["type"] == "Opaque"
    assert "stringData" not in secret


FROZEN = {"immutable": True}
UPDATES = (
    Row("data", {"data": {"a": ""}}, base={"data": {"a": b64("b")}}),
    Row("becomes immutable", {"immutable": True}, base={"data": {"a": b64("b")}}),
    Row("immutable, relabelled", {"metadata.labels": {"a": "b"}}, base=FROZEN),
    Row(
        "immutable, changed",
        {"data": {"a": ""}},
        [wrong("data", FORBIDDEN, "field is immutable when `immutable` is set")],
        base=FROZEN,
    ),
    Row("immutable no more", {"immutable": False}, [wrong("immutable", FORBIDDEN)], base=FROZEN),
    Row("immutable left out", {"immutable": ABSENT}, [wrong("immutable", FORBIDDEN)], base=FROZEN),
)


@pytest.mark.parametrize("resource", [CONFIG_MAPS, SECRETS], ids=lambda resource: resource.plural)
@pytest.mark.parametrize("row", UPDATES, ids=lambda row: row.id)
def test_update(resource: Any, row: Row) -> None:
    check(errors_on_update(resource, PLAIN, row), row.wrong)


def test_the_type_of_a_secret_never_changes() -> None:
    check(errors_on_update(SECRETS, PLAIN, Row("", {"type": "a/b"})), [wrong("type", INVALID, "field is immutable")])


def test_an_empty_value_of_a_known_type_is_warned_about() -> None:
    secret = created(SECRETS, changed(PLAIN, {"type": "kubernetes.io/tls", "data": {"tls.crt": "", "tls.key": b64("x")}}))
    assert [sentence.partition(":")[0] for sentence in STRATEGIES[SECRETS].warnings(secret)] == ["data[tls.crt]"]


def test_service_accounts() -> None:
    check(errors_on_create(SERVICE_ACCOUNTS, PLAIN), [])
    check(errors_on_create(SERVICE_ACCOUNTS, changed(PLAIN, {"metadata.name": "A"})), [wrong("metadata.name", INVALID)])
