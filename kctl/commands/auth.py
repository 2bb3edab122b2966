"""`kctl auth`: what the server lets us do, who it takes us for, and what manifests say that roles should allow."""

from collections.abc import Mapping
from typing import Any

import click

from kctl import access, reconciling, targets
from kctl.access import Question
from kctl.discovery import ResourceType
from kctl.errors import KctlError, SilentError, StatusError, UnreachableError
from kctl.options import command, group, option, switch
from kctl.printers import document_printer, output_of
from kctl.printers.table import Writer
from kctl.session import Session
from kctl.targets import Target
from kctl.writing import Writing, dry_run_option, output_option, report, writing

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


@command("reconcile")
@option("-f", "--filename", multiple=True, help="File, folder or - for standard input.")
@switch("-R", "--recursive", help="Read folders within folders too.")
@switch("--remove-extra-permissions", help="Take away rules that the manifests do not have.")
@switch("--remove-extra-subjects", help="Take away subjects that the manifests do not have.")
@dry_run_option
@output_option
def reconcile(
    session: Session,
    filename: tuple[str, ...],
    recursive: bool,
    remove_extra_permissions: bool,
    remove_extra_subjects: bool,
    dry_run: str,
    output: str,
) -> None:
    """Give roles and bindings what manifests say they should have."""
    if not filename:
        raise KctlError("must specify one of -f and -k")
    how = writing(dry_run, output=output, field_manager="kubectl-auth-reconcile")
    for document in targets.read_documents(session, filename, recursive=recursive):
        target = targets.of_document(session, document)
        kind = target.resource.kind
        if kind not in (*reconciling.ROLES, *reconciling.BINDINGS):
            raise KctlError(f"only roles and their bindings can be reconciled, not {target.title}")
        extra = remove_extra_subjects if kind in reconciling.BINDINGS else remove_extra_permissions
        report(session, how, _reconcile(session, target, document.body, how, extra), target.title, "reconciled")


def _reconcile(session: Session, target: Target, wanted: dict[str, Any], how: Writing, remove_extra: bool) -> Mapping[str, Any]:
    """Create, update, or (where a binding would give another role) replace the object."""
    collection = target.resource.path(target.namespace)
    if target.namespace:
        wanted = {**wanted, "metadata": {**(wanted.get("metadata") or {}), "namespace": target.namespace}}
    try:
        current = session.client.get(target.path)
    except StatusError as error:
        if not error.not_found:
            raise
        return wanted if how.pretending else dict(session.client.create(collection, wanted, how.query))
    if wanted.get("roleRef") != current.get("roleRef"):  # what a binding gives cannot be changed
        if how.pretending or how.dry_run == "server":
            return wanted
        session.client.delete(target.path, {"preconditions": {"uid": current["metadata"]["uid"]}})
        return dict(session.client.create(collection, wanted, how.query))
    changed = reconciling.reconciled(wanted, current, remove_extra=remove_extra)
    if how.pretending or changed == current:
        return changed
    return dict(session.client.update(target.path, changed, how.query))


auth.add_command(can_i)
auth.add_command(whoami)
auth.add_command(reconcile)
