"""CertificateSigningRequests: what is asked never changes, who asked is the server's to say, and three parts are written apart.

The main resource takes metadata only. `approval` writes the conditions Approved and Denied, which stay once they are there;
`status` writes the certificate, once, and all other conditions.

Source: the Kubernetes page "Certificates and Certificate Signing Requests".
"""

import base64
import binascii
from collections.abc import Iterator, Sequence
from datetime import datetime

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm

from apimachinery import names
from apimachinery.errors import FieldError
from apimachinery.kinds import CertificateSigningRequest, CertificateSigningRequestCondition
from apimachinery.times import format_time
from apiserver.core.request import User
from apiserver.strategy.base import Strategy
from apiserver.strategy.checks import Errors, one_of, required
from apiserver.strategy.conditions import STATUSES

APPROVAL = "approval"
APPROVED, DENIED, FAILED = "Approved", "Denied", "Failed"
LEGACY_SIGNER = "kubernetes.io/legacy-unknown"
DURATION_MIN_S = 600
USAGES = (
    *("signing", "digital signature", "content commitment", "key encipherment", "key agreement", "data encipherment"),
    *("cert sign", "crl sign", "encipher only", "decipher only", "any", "server auth", "client auth", "code signing"),
    *("email protection", "s/mime", "ipsec end system", "ipsec tunnel", "ipsec user", "timestamping", "ocsp signing"),
    *("microsoft sgc", "netscape sgc"),
)
_DECISIONS = (APPROVED, DENIED)

Conditions = Sequence[CertificateSigningRequestCondition]


class CertificateSigningRequestStrategy(Strategy[CertificateSigningRequest]):
    has_status = True

    def name_problems(self, name: str) -> Sequence[str]:
        return names.path_segment(name)

    def prepare_update(self, new: CertificateSigningRequest, old: CertificateSigningRequest, subresource: str) -> None:
        super().prepare_update(new, old, subresource if subresource != APPROVAL else "status")
        new.spec = old.spec
        if subresource == APPROVAL:
            new.status.certificate = old.status.certificate

    def sign(self, new: CertificateSigningRequest, old: CertificateSigningRequest | None, user: User, now: datetime) -> None:
        if old is None:
            new.spec.username, new.spec.groups = user.name, list(user.groups)
            new.spec.uid, new.spec.extra = user.uid, {name: list(values) for name, values in user.extra}
        elif new.status.conditions != old.status.conditions:
            _note_times(new.status.conditions, old.status.conditions, format_time(now))

    def check(self, obj: CertificateSigningRequest) -> Iterator[FieldError]:
        spec = obj.spec
        yield from _validate_request(spec.request, "spec.request")
        yield from _validate_usages(spec.usages, "spec.usages")
        if spec.signer_name == LEGACY_SIGNER:
            detail = "the legacy signerName is not allowed via this API version"
            yield FieldError.invalid("spec.signerName", spec.signer_name, detail)
        else:
            yield from _validate_signer(spec.signer_name, "spec.signerName")
        if spec.expiration_seconds is not None and spec.expiration_seconds < DURATION_MIN_S:
            detail = f"may not specify a duration less than {DURATION_MIN_S} seconds (10 minutes)"
            yield FieldError.invalid("spec.expirationSeconds", spec.expiration_seconds, detail)

    def validate_update(
        self, new: CertificateSigningRequest, old: CertificateSigningRequest, subresource: str
    ) -> list[FieldError]:
        found = super().validate_update(new, old, "status" if subresource == APPROVAL else subresource)
        if subresource != APPROVAL:
            found += _validate_decided(new.status.conditions, old.status.conditions)
        return [*found, *_validate_kept(new.status.conditions, old.status.conditions)]

    def check_status_update(self, new: CertificateSigningRequest, old: CertificateSigningRequest) -> Iterator[FieldError]:
        yield from _validate_conditions(new.status.conditions, "status.conditions")
        if old.status.certificate and new.status.certificate != old.status.certificate:
            yield FieldError.forbidden("status.certificate", "updates may not modify existing certificate content")
        elif new.status.certificate != old.status.certificate:
            yield from _validate_certificate(new.status.certificate, "status.certificate")


def _note_times(new: Conditions, old: Conditions, now: str) -> None:
    """When a condition was written, and when it became what it is."""
    before = {(each.type, each.status): each.last_transition_time for each in old}
    for condition in new:
        condition.last_update_time = condition.last_update_time or now
        condition.last_transition_time = condition.last_transition_time or before.get((condition.type, condition.status)) or now


def _decoded(text: str) -> bytes | None:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return None


def _validate_request(text: str, path: str) -> Errors:
    """A request in PEM, signed by the key that it is for."""
    if not text:
        yield FieldError.required(path)
        return
    pem = _decoded(text)
    try:
        if pem is None or not x509.load_pem_x509_csr(pem).is_signature_valid:
            yield FieldError.invalid(path, text, "must be a signed certificate request in PEM, as base64")
    except (ValueError, TypeError, UnsupportedAlgorithm, InvalidSignature) as error:
        yield FieldError.invalid(path, text, f"PEM block type must be CERTIFICATE REQUEST: {error}")


def _validate_certificate(text: str, path: str) -> Errors:
    pem = _decoded(text)
    try:
        if pem is None or not x509.load_pem_x509_certificates(pem):
            yield FieldError.invalid(path, "<certificate data>", "must contain at least one CERTIFICATE PEM block")
    except (ValueError, TypeError) as error:
        yield FieldError.invalid(path, "<certificate data>", str(error))


def _validate_usages(usages: Sequence[str], path: str) -> Errors:
    yield from required(path, usages, "usages must be specified")
    seen: set[str] = set()
    for index, usage in enumerate(usages):
        if usage not in USAGES:
            yield FieldError.not_supported(f"{path}[{index}]", usage, USAGES)
        elif usage in seen:
            yield FieldError.duplicate(f"{path}[{index}]", usage)
        seen.add(usage)


def _validate_signer(name: str, path: str) -> Errors:
    """`example.com/signer-name`."""
    domain, slash, local = name.partition("/")
    if not name:
        yield FieldError.required(path)
    elif not slash or "/" in local:
        detail = "must be a fully qualified domain and path of the form 'example.com/signer-name'"
        yield FieldError.invalid(path, name, detail)
    else:
        if "." not in domain:
            detail = "should be a domain with at least two segments separated by dots"
            yield FieldError.invalid(path, domain, detail)
        for problem in names.dns_1123_subdomain(domain):
            yield FieldError.invalid(path, domain, f"validating domain: {problem}")
        for problem in names.dns_1123_subdomain(local):
            yield FieldError.invalid(path, local, f"validating path: {problem}")


def _validate_conditions(conditions: Conditions, path: str) -> Errors:
    seen: set[str] = set()
    for index, condition in enumerate(conditions):
        where = f"{path}[{index}]"
        yield from required(f"{where}.type", condition.type)
        allowed = ("True",) if condition.type in (*_DECISIONS, FAILED) else STATUSES
        yield from one_of(f"{where}.status", condition.status, allowed)
        if condition.type in _DECISIONS and seen & (set(_DECISIONS) - {condition.type}):
            detail = "Approved and Denied conditions are mutually exclusive"
            yield FieldError.invalid(f"{where}.type", condition.type, detail)
        if condition.type in seen:
            yield FieldError.duplicate(f"{where}.type", condition.type)
        seen.add(condition.type)


def _decisions(conditions: Conditions) -> dict[str, CertificateSigningRequestCondition]:
    return {each.type: each for each in conditions if each.type in _DECISIONS}


def _validate_decided(new: Conditions, old: Conditions) -> Errors:
    """Only `approval` decides."""
    for kind in _decisions(new).keys() - _decisions(old).keys():
        yield FieldError.forbidden("status.conditions", f'updates may not add a condition of type "{kind}"')


def _validate_kept(new: Conditions, old: Conditions) -> Errors:
    """A decision is final, and so is a failure."""
    kept = {each.type: each for each in new}
    for condition in old:
        if condition.type not in (*_DECISIONS, FAILED):
            continue
        if condition.type not in kept:
            detail = f'updates may not remove a condition of type "{condition.type}"'
            yield FieldError.forbidden("status.conditions", detail)
        elif kept[condition.type].status != condition.status:
            detail = f'updates may not modify a condition of type "{condition.type}"'
            yield FieldError.forbidden("status.conditions", detail)
