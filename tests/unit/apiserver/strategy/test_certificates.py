"""CertificateSigningRequests: what may be asked, and who may write which part."""

from datetime import UTC, datetime
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from apimachinery import codec
from apimachinery.resources import CERTIFICATE_SIGNING_REQUESTS as REQUESTS
from apiserver.core.request import User
from apiserver.strategy import STRATEGIES
from tests.support.certificate_requests import encoded, request_pem
from tests.support.strategies import (
    ABSENT,
    DUPLICATE,
    FORBIDDEN,
    INVALID,
    REQUIRED,
    UNSUPPORTED,
    Row,
    changed,
    check,
    check_defaults_are_stable,
    created,
    errors_on_create,
    errors_on_update,
    stored,
    updated,
    wrong,
)

Plain = dict[str, Any]
NOW = datetime(2026, 1, 31, 12, tzinfo=UTC)


PEM = request_pem()
PLAIN: Plain = {
    "metadata": {"name": "jane"},
    "spec": {
        "request": encoded(PEM),
        "signerName": "kubernetes.io/kube-apiserver-client",
        "usages": ["client auth"],
    },
}
APPROVED = {"type": "Approved", "status": "True", "reason": "Fine"}
DENIED = {"type": "Denied", "status": "True", "reason": "No"}
C = "status.conditions"

CREATES = (
    Row("right", {}),
    Row("a name with colons", {"metadata.name": "node:a"}),
    Row("no request", {"spec.request": ABSENT}, [wrong("spec.request", REQUIRED)]),
    Row("no base64", {"spec.request": "!"}, [wrong("spec.request", INVALID)]),
    Row("no PEM", {"spec.request": encoded(b"x")}, [wrong("spec.request", INVALID, "CERTIFICATE REQUEST")]),
    Row("no usages", {"spec.usages": []}, [wrong("spec.usages", REQUIRED)]),
    Row(
        "usages",
        {"spec.usages": ["flying", "any", "any"]},
        [wrong("spec.usages[0]", UNSUPPORTED), wrong("spec.usages[2]", DUPLICATE)],
    ),
    Row("no signer", {"spec.signerName": ""}, [wrong("spec.signerName", REQUIRED)]),
    Row("signer without a path", {"spec.signerName": "example.com"}, [wrong("spec.signerName", INVALID, "fully qualified")]),
    Row("signer without a domain", {"spec.signerName": "a/b"}, [wrong("spec.signerName", INVALID, "two segments")]),
    Row("signer's path", {"spec.signerName": "example.com/B"}, [wrong("spec.signerName", INVALID, "validating path")]),
    Row("legacy signer", {"spec.signerName": "kubernetes.io/legacy-unknown"}, [wrong("spec.signerName", INVALID, "legacy")]),
    Row("too short", {"spec.expirationSeconds": 599}, [wrong("spec.expirationSeconds", INVALID, "600 seconds")]),
)
UPDATES = (
    Row("another request", {"spec.signerName": "example.com/x", "metadata.labels": {"a": "b"}}),
    Row("approved", {C: [APPROVED]}, subresource="approval"),
    Row("approved by status", {C: [APPROVED]}, [wrong(C, FORBIDDEN, "may not add a condition")], subresource="status"),
    Row(
        "approved and denied",
        {C: [APPROVED, DENIED]},
        [wrong(f"{C}[1].type", INVALID, "mutually exclusive")],
        subresource="approval",
    ),
    Row(
        "approved after all",
        {C: []},
        [wrong(C, FORBIDDEN, 'may not remove a condition of type "Denied"')],
        subresource="approval",
        base={"status": {"conditions": [DENIED]}},
    ),
    Row(
        "neither",
        {C: [{**APPROVED, "status": "False"}]},
        [wrong(f"{C}[0].status", UNSUPPORTED), wrong(C, FORBIDDEN, "may not modify")],
        subresource="approval",
        base={"status": {"conditions": [APPROVED]}},
    ),
    Row("twice", {C: [APPROVED, APPROVED]}, [wrong(f"{C}[1].type", DUPLICATE)], subresource="approval"),
    Row(
        "no certificate",
        {"status.certificate": encoded(b"x")},
        [wrong("status.certificate", INVALID)],
        subresource="status",
    ),
    Row(
        "another certificate",
        {"status.certificate": encoded(b"y")},
        [wrong("status.certificate", FORBIDDEN, "existing certificate")],
        subresource="status",
        base={"status": {"certificate": encoded(b"x")}},
    ),
    Row(
        "failed",
        {C: [APPROVED, {"type": "Failed", "status": "True"}]},
        subresource="status",
        base={"status": {"conditions": [APPROVED]}},
    ),
)


@pytest.mark.parametrize("row", CREATES, ids=lambda row: row.id)
def test_create(row: Row) -> None:
    plain = changed(PLAIN, row.changes)
    check(errors_on_create(REQUESTS, plain), row.wrong)
    check_defaults_are_stable(REQUESTS, plain)


@pytest.mark.parametrize("row", UPDATES, ids=lambda row: row.id)
def test_update(row: Row) -> None:
    check(errors_on_update(REQUESTS, PLAIN, row), row.wrong)


def test_a_forged_request_is_refused() -> None:
    der = bytearray(x509.load_pem_x509_csr(PEM).public_bytes(Encoding.DER))
    at = der.index(b"jane")
    der[at : at + 4] = b"root"
    forged = x509.load_der_x509_csr(bytes(der)).public_bytes(Encoding.PEM)
    found = errors_on_create(REQUESTS, changed(PLAIN, {"spec.request": encoded(forged)}))
    check(found, [wrong("spec.request", INVALID, "signed")])


def test_the_server_says_who_asks() -> None:
    obj = created(REQUESTS, changed(PLAIN, {"spec.username": "root", "spec.uid": "0", "spec.extra": {"a": ["b"]}}))
    STRATEGIES[REQUESTS].sign(obj, None, User("jane", ("dev",)), NOW)
    spec = obj.spec
    assert (spec.username, spec.groups, spec.uid, spec.extra) == ("jane", ["dev"], "", {})


def test_each_part_is_written_by_its_own() -> None:
    old = stored(REQUESTS, PLAIN)
    written = changed(
        codec.to_plain(old), {"spec.usages": ["any"], "status": {"certificate": "eA==", "conditions": [APPROVED]}}
    )
    main, _ = updated(REQUESTS, old, written)
    assert (main.spec, main.status) == (old.spec, old.status)
    approval, _ = updated(REQUESTS, old, written, "approval")
    assert (approval.spec, approval.status.certificate) == (old.spec, "")
    assert [each.type for each in approval.status.conditions] == ["Approved"]


def test_conditions_carry_times() -> None:
    old = stored(REQUESTS, PLAIN)
    new, _ = updated(REQUESTS, old, changed(codec.to_plain(old), {C: [APPROVED]}), "approval")
    STRATEGIES[REQUESTS].sign(new, old, User("jane"), NOW)
    (condition,) = new.status.conditions
    assert condition.last_update_time == condition.last_transition_time == "2026-01-31T12:00:00Z"
