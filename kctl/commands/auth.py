"""`kctl auth can-i` and `kctl auth whoami`: what the server lets us do, and who it takes us for."""

from typing import Any

import click

from kctl import access
from kctl.access import Question
from kctl.discovery import ResourceType
from kctl.errors import KctlError, SilentError, StatusError, UnreachableError
from kctl.options import command, group, option, switch
from kctl.printers import document_printer, output_of
from kctl.printers.table import Writer
from kctl.session import Session

AUTHORIZATION, AUTHENTICATION = "/apis/authorization.k8s.io/v1", "/apis/authentication.k8s.io/v1"


@group("auth")
def auth() -> None:
    """Ask what is allowed, and who we are."""


@command("can-i")
@click.argument("arguments", nargs=-1, metavar="VERB TYPE[/NAME] | VERB /PATH")
@option("--subresource", default="", help="About this part of the objects, such as log.")
@switch("-A", "--all-namespaces", help="In every namespace.")
@switch("-q", "--quiet", help="Print nothing; the exit code says it.")
@switch("--list", help="List all that is allowed.")
@switch("--no-headers", help="With --list: leave headers out.")
def can_i(
    session: Session,
    arguments: tuple[str, ...],
    subresource: str,
    all_namespaces: bool,
    quiet: bool,
    list: bool,
    no_headers: bool,
) -> None:
    """Ask whether an action is allowed; the exit code is 1 when it is not."""
    namespace = "" if all_namespaces else session.namespace
    if list:
        if arguments:
            raise KctlError("list option must be specified with no arguments")
        _list(session, namespace, headers=not no_headers)
        return
    verb, thing, name = access.split(arguments, subresource)
    if thing.startswith("/"):
        _warn_of_verb(session, verb, access.URL_VERBS)
        question = Question(verb, url=thing)
    else:
        _warn_of_verb(session, verb, access.RESOURCE_VERBS)
        resource, group = _resource(session, thing, namespace)
        question = Question(verb, resource, group, name, subresource, namespace)
    status = session.client.create(f"{AUTHORIZATION}/selfsubjectaccessreviews", question.body()).get("status") or {}
    if not quiet:
        session.say(access.answer(status))
    if not status.get("allowed"):
        raise SilentError


@command("whoami")
@option("-o", "--output", default="", help="json, yaml or jsonpath=T.")
def whoami(session: Session, output: str) -> None:
    """Show who the server takes us for."""
    chosen = output_of(output)
    body = {"apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview"}
    try:
        review: dict[str, Any] = session.client.create(f"{AUTHENTICATION}/selfsubjectreviews", body)
    except StatusError as error:
        if error.not_found:
            raise KctlError("the selfsubjectreviews API is not enabled in the cluster") from error
        raise
    if not chosen.is_table:
        session.out.write(document_printer(chosen)(review))
        return
    user = (review.get("status") or {}).get("userInfo") or {}
    Writer(session.out).write([["ATTRIBUTE", "VALUE"], *access.identity_rows(user)])


def _list(session: Session, namespace: str, *, headers: bool) -> None:
    body = {
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SelfSubjectRulesReview",
        "spec": {"namespace": namespace or "default"},
    }
    status = session.client.create(f"{AUTHORIZATION}/selfsubjectrulesreviews", body).get("status") or {}
    if status.get("incomplete"):
        because = f": {status['evaluationError']}" if status.get("evaluationError") else ""
        session.note(f"Warning: the list may be incomplete{because}")
    rows = access.rule_rows(status)
    lead = [["Resources", "Non-Resource URLs", "Resource Names", "Verbs"]] if headers else []
    Writer(session.out).write([*lead, *rows])


def _resource(session: Session, text: str, namespace: str) -> tuple[str, str]:
    """Plural and group; what the server does not know is asked for as it is, with a warning."""
    if text == "*":
        return "*", "*"
    try:
        found: ResourceType = session.discovery.find(text)
    except (StatusError, UnreachableError):
        raise
    except KctlError:
        name, _, group = text.partition(".")
        in_group = f" in group '{group}'" if group else ""
        session.note(f"Warning: the server doesn't have a resource type '{name}'{in_group}\n")
        return name, group
    if not found.namespaced and namespace:
        in_group = f" in group '{found.group}'" if found.group else ""
        session.note(f"Warning: resource '{found.plural}' is not namespace scoped{in_group}\n")
    return found.plural, found.group


def _warn_of_verb(session: Session, verb: str, known: frozenset[str]) -> None:
    if verb not in known:
        session.note(f"Warning: verb '{verb}' is not a known verb\n")


auth.add_command(can_i)
auth.add_command(whoami)
