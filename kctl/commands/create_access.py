"""`kctl create role|rolebinding|clusterrole|clusterrolebinding`, and the Secrets that hold credentials."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import click

from kctl import generators, generators_access
from kctl.discovery import ResourceType
from kctl.errors import KctlError
from kctl.exposing import pairs
from kctl.generating import common_options, generated
from kctl.options import command, option
from kctl.session import Session


def _rule_options(function: Any) -> Any:
    for decorate in (
        option("--verb", "verbs", multiple=True, help="What is allowed: get,list,..."),
        option("--resource", "resources", multiple=True, help="TYPE[.GROUP][/SUBRESOURCE],..."),
        option("--resource-name", "names", multiple=True, help="Only the objects of these names."),
    ):
        function = decorate(function)
    return function


def _subject_options(function: Any) -> Any:
    for decorate in (
        option("--user", "users", multiple=True, help="A user who gets the role."),
        option("--group", "groups", multiple=True, help="A group that gets the role."),
        option("--serviceaccount", "accounts", multiple=True, help="NAMESPACE:NAME of a ServiceAccount that gets the role."),
    ):
        function = decorate(function)
    return function


@command("role")
@click.argument("name")
@_rule_options
@common_options
def create_role(
    session: Session,
    name: str,
    verbs: tuple[str, ...],
    resources: tuple[str, ...],
    names: tuple[str, ...],
    **common: Any,
) -> None:
    """Create a Role."""
    rules = generators_access.rules(split(verbs), _mapped(session, split(resources)), names)
    generated(session, generators_access.role(name, rules), common)


@command("clusterrole")
@click.argument("name")
@_rule_options
@option("--non-resource-url", "urls", multiple=True, help="A path of the API server, which may end in *.")
@option("--aggregation-rule", default="", help="KEY=VALUE,...: take the rules of the ClusterRoles with these labels.")
@common_options
def create_cluster_role(
    session: Session,
    name: str,
    verbs: tuple[str, ...],
    resources: tuple[str, ...],
    names: tuple[str, ...],
    urls: tuple[str, ...],
    aggregation_rule: str,
    **common: Any,
) -> None:
    """Create a ClusterRole."""
    if aggregation_rule:
        if verbs or resources or names or urls:
            raise KctlError("aggregation rule must be specified without resources, verbs, resource names or URLs")
        made = generators_access.aggregated_role(name, pairs(aggregation_rule, "the aggregation rule"))
    else:
        rules = generators_access.rules(split(verbs), _mapped(session, split(resources)), names, split(urls))
        made = generators_access.role(name, rules, kind="ClusterRole")
    generated(session, made, common)


@command("rolebinding")
@click.argument("name")
@option("--role", default="", help="The Role that is given.")
@option("--clusterrole", default="", help="The ClusterRole that is given, in this namespace.")
@_subject_options
@common_options
def create_role_binding(
    session: Session,
    name: str,
    role: str,
    clusterrole: str,
    users: tuple[str, ...],
    groups: tuple[str, ...],
    accounts: tuple[str, ...],
    **common: Any,
) -> None:
    """Give a Role or a ClusterRole to somebody within a namespace."""
    if bool(role) == bool(clusterrole):
        raise KctlError("exactly one of clusterrole or role must be specified")
    subjects = generators_access.subjects(users, groups, accounts)
    kind = "Role" if role else "ClusterRole"
    generated(session, generators_access.binding("RoleBinding", name, kind, role or clusterrole, subjects), common)


@command("clusterrolebinding")
@click.argument("name")
@option("--clusterrole", required=True, help="The ClusterRole that is given.")
@_subject_options
@common_options
def create_cluster_role_binding(
    session: Session,
    name: str,
    clusterrole: str,
    users: tuple[str, ...],
    groups: tuple[str, ...],
    accounts: tuple[str, ...],
    **common: Any,
) -> None:
    """Give a ClusterRole to somebody everywhere."""
    subjects = generators_access.subjects(users, groups, accounts)
    generated(session, generators_access.binding("ClusterRoleBinding", name, "ClusterRole", clusterrole, subjects), common)


@command("docker-registry")
@click.argument("name")
@option("--docker-server", default="https://index.docker.io/v1/", help="The registry.")
@option("--docker-username", default="", help="Who pulls.")
@option("--docker-password", default="", help="The password.")
@option("--docker-email", default="", help="An address, for registries that want one.")
@option("--from-file", "files", multiple=True, help="[.dockerconfigjson=]FILE instead of the options.")
@common_options
def create_docker_registry_secret(
    session: Session,
    name: str,
    docker_server: str,
    docker_username: str,
    docker_password: str,
    docker_email: str,
    files: tuple[str, ...],
    **common: Any,
) -> None:
    """Create a Secret with the credentials of an image registry."""
    if files:
        entries = generators.entries((), files, ())
        made = generators.secret(name, entries, "kubernetes.io/dockerconfigjson")
    elif not docker_username or not docker_password:
        raise KctlError("either --from-file or the combination of --docker-username and --docker-password is required")
    else:
        made = generators_access.docker_registry_secret(name, docker_server, docker_username, docker_password, docker_email)
    generated(session, made, common)


@command("tls")
@click.argument("name")
@option("--cert", required=True, help="File with the certificate, as PEM.")
@option("--key", required=True, help="File with its private key, as PEM.")
@common_options
def create_tls_secret(session: Session, name: str, cert: str, key: str, **common: Any) -> None:
    """Create a Secret with a certificate and its key."""
    made = generators_access.tls_secret(name, generators.read(Path(cert)), generators.read(Path(key)))
    generated(session, made, common)


def split(texts: Iterable[str]) -> list[str]:
    """The words of options that may be repeated and may hold several, each once."""
    return list(dict.fromkeys(word for text in texts for word in text.split(",") if word))


def _mapped(session: Session, words: Iterable[str]) -> Iterable[tuple[ResourceType, str]]:
    """What TYPE[.GROUP][/SUBRESOURCE] names, as the server knows it."""
    for word in words:
        name, _, subresource = word.partition("/")
        if name == "*":
            yield ResourceType("*", "", "*", "*"), subresource
        else:
            yield session.discovery.find(name), subresource
