"""`kctl create token ACCOUNT`: a token of a ServiceAccount, on standard output."""

from collections.abc import Sequence
from typing import Any

import click

from kctl.durations import parse_duration
from kctl.errors import KctlError
from kctl.options import command, option
from kctl.printers import document_printer, output_of
from kctl.session import Session

_API_VERSION = "authentication.k8s.io/v1"
_BINDABLE = ("Node", "Pod", "Secret")


@command("token")
@click.argument("name")
@option("--audience", multiple=True, help="For whom the token is; several are allowed. The API server, if none is given.")
@option("--duration", default="", help="How long it should count, e.g. 10m; the server may shorten it.")
@option("--bound-object-kind", default="", help="Kind of the object that the token ends with: Node, Pod or Secret.")
@option("--bound-object-name", default="", help="Its name.")
@option("--bound-object-uid", default="", help="Its uid.")
@option("-o", "--output", default="", help="json, yaml or jsonpath=T: the whole answer.")
def create_token(
    session: Session,
    name: str,
    audience: tuple[str, ...],
    duration: str,
    bound_object_kind: str,
    bound_object_name: str,
    bound_object_uid: str,
    output: str,
) -> None:
    """Request a token of a service account."""
    show = document_printer(output_of(output, tables=False)) if output else None
    body = token_request(audience, duration, bound_object_kind, bound_object_name, bound_object_uid)
    accounts = session.discovery.for_kind("v1", "ServiceAccount")
    answer = session.client.create(accounts.path(session.namespace, name, "token"), body)
    token = (answer.get("status") or {}).get("token")
    if not token:
        raise KctlError("failed to create token: no token in server response")
    if show is not None:
        session.out.write(show(answer))
    else:
        session.say(token)


def token_request(audiences: Sequence[str], duration: str, kind: str, name: str, uid: str) -> dict[str, Any]:
    """The body of the request; raises KctlError for options that make no sense."""
    spec: dict[str, Any] = {"audiences": list(audiences)} if audiences else {}
    if duration and (seconds := _whole_seconds(duration)):
        spec["expirationSeconds"] = seconds
    if kind:
        if kind not in _BINDABLE:
            raise KctlError(f"supported --bound-object-kind values are {', '.join(_BINDABLE)}")
        if not name:
            raise KctlError("--bound-object-name is required if --bound-object-kind is provided")
        reference = {"kind": kind, "apiVersion": "v1", "name": name}
        spec["boundObjectRef"] = reference | ({"uid": uid} if uid else {})
    elif name or uid:
        option_name = "--bound-object-name" if name else "--bound-object-uid"
        raise KctlError(f"{option_name} can only be set if --bound-object-kind is provided")
    return {"kind": "TokenRequest", "apiVersion": _API_VERSION, "spec": spec}


def _whole_seconds(text: str) -> int:
    seconds = parse_duration(text)
    if seconds < 0:
        raise KctlError("--duration must be greater than or equal to 0")
    if seconds != int(seconds):
        raise KctlError("--duration cannot be expressed in units less than seconds")
    return int(seconds)
