"""`kctl certificate approve` and `deny`: decide on certificate signing requests."""

from typing import Any

import click

from kctl import selection
from kctl.errors import KctlError, StatusError
from kctl.options import command, group, option, switch
from kctl.selection import Selection
from kctl.session import Session
from kctl.targets import Target
from kctl.writing import output_option, report, writing

CONFLICT_RETRIES = 5
_OPPOSITES = {"Approved": "Denied", "Denied": "Approved"}


@group("certificate")
def certificate() -> None:
    """Approve or deny certificate signing requests."""


def _decision(name: str, kind: str, verb: str, help: str) -> click.Command:
    @command(name, help=help)
    @click.argument("names", nargs=-1)
    @option("-f", "--filename", multiple=True, help="Requests that manifests name.")
    @switch("-R", "--recursive", help="Read folders within folders too.")
    @switch("--force", help="Decide again what has been decided already.")
    @output_option
    def decide(
        session: Session, names: tuple[str, ...], filename: tuple[str, ...], recursive: bool, force: bool, output: str
    ) -> None:
        words = [name if "/" in name else f"certificatesigningrequest/{name}" for name in names]
        if not words and not filename:
            raise KctlError("one or more CSRs must be specified as <name> or -f <filename>")
        how = writing(output=output, dry_run="none")
        for each in selection.choose(session, Selection(words, filename, recursive)):
            if each.target.resource.kind != "CertificateSigningRequest":
                raise KctlError(f"can only handle certificate signing requests, not {each.target.title}")
            report(session, how, _decide(session, each.target, each.object, kind, verb, force), each.target.title, verb)

    return decide


def _decide(session: Session, target: Target, request: dict[str, Any], kind: str, verb: str, force: bool) -> dict[str, Any]:
    """Add the condition; again with the newest request when somebody else has written in between."""
    for remaining in reversed(range(CONFLICT_RETRIES)):
        status = request.get("status") or {}
        present = status.get("conditions") or []
        if any(each["type"] == kind for each in present) and not force:
            return request
        condition = {
            "type": kind,
            "status": "True",
            "reason": f"Kubectl{'Approve' if kind == 'Approved' else 'Deny'}",
            "message": f"This CSR was {verb} by kctl certificate {'approve' if kind == 'Approved' else 'deny'}.",
        }
        kept = [each for each in present if each["type"] not in (kind, *((_OPPOSITES[kind],) if force else ()))]
        body = {**request, "status": {**status, "conditions": [*kept, condition]}}
        try:
            changed: dict[str, Any] = session.client.update(target.resource.path("", target.name, "approval"), body)
        except StatusError as error:
            if error.reason != "Conflict" or not remaining:
                raise
            request = session.client.get(target.path)
        else:
            return changed
    raise AssertionError("the last round returns or raises")


certificate.add_command(_decision("approve", "Approved", "approved", "Approve certificate signing requests."))
certificate.add_command(_decision("deny", "Denied", "denied", "Deny certificate signing requests."))
