"""Who may decide about CertificateSigningRequests, and whom nobody may ask a certificate for. Pure.

A right to write requests is none to decide about them: it takes `approve` of the signer that a request is for, and `sign` to
put a certificate, or the condition Failed, into its status. A client certificate of the group system:masters could not be taken
back by any role, so the signer for clients of the API is never asked for one.

Source: the Kubernetes pages "Certificates and Certificate Signing Requests", section "Authorization", and "Admission Control in
Kubernetes", sections CertificateApproval, CertificateSigning and CertificateSubjectRestriction.
"""

import base64
from collections.abc import Iterator

from cryptography import x509
from cryptography.x509.oid import NameOID

from apimachinery.kinds import CertificateSigningRequest
from apiserver.core.access import Question
from apiserver.core.default_roles import MASTERS
from apiserver.core.request import User

GROUP = "certificates.k8s.io"
CLIENT_SIGNER = "kubernetes.io/kube-apiserver-client"
_FAILED = "Failed"


def forbidden_subject(request: CertificateSigningRequest) -> str:
    """Why nobody may ask for this certificate; "" when that is for others to decide. The request is a valid one."""
    if request.spec.signer_name != CLIENT_SIGNER:
        return ""
    subject = x509.load_pem_x509_csr(base64.b64decode(request.spec.request)).subject
    organizations = subject.get_attributes_for_oid(NameOID.ORGANIZATION_NAME)
    if MASTERS not in [each.value for each in organizations]:
        return ""
    return f"use of {CLIENT_SIGNER} signer with {MASTERS} group is not allowed"


def needed_verb(new: CertificateSigningRequest, old: CertificateSigningRequest, subresource: str) -> str:
    """What must be allowed of the request's signer for this change; "" for a change that decides nothing."""
    match subresource:
        case "approval":
            return "approve"
        case "status" if (new.status.certificate, _failures(new)) != (old.status.certificate, _failures(old)):
            return "sign"
        case _:
            return ""


def questions(user: User, verb: str, signer: str) -> Iterator[Question]:
    """One of these has to be allowed: of the signer itself, or of all of its domain."""
    domain = signer.partition("/")[0]
    for name in (signer, f"{domain}/*"):
        yield Question(user=user, verb=verb, group=GROUP, version="v1", resource="signers", name=name)


def _failures(request: CertificateSigningRequest) -> list[object]:
    return [each for each in request.status.conditions if each.type == _FAILED]
