"""`kctl create`: new objects, from manifests (`-f`) or from options (`create configmap NAME --from-literal=a=b`)."""

from typing import Any

import click

from kctl import generators, targets
from kctl import raw as raw_request
from kctl.commands import create_access, create_policies, create_workloads
from kctl.commands.create_token import create_token
from kctl.errors import KctlError, StatusError, UnreachableError
from kctl.generating import FIELD_MANAGER, common_options, generated, send
from kctl.manifests import Document
from kctl.options import Command, command, option, switch
from kctl.session import Session
from kctl.writing import Writing, dry_run_option, field_manager_option, output_option, validate_option, writing


class CreateGroup(Command, click.Group):
    """A command of its own with `-f`, and a group of generators."""


@click.group("create", cls=CreateGroup, invoke_without_command=True)
@option("-f", "--filename", multiple=True, help="File, folder or - for standard input.")
@switch("-R", "--recursive", help="Read folders within folders too.")
@option("-l", "--selector", default="", hidden=True, help="Accepted for kubectl's sake.")
@switch("--save-config", help="Remember the manifest for a later apply.")
@option("--raw", default="", help="Send the one file to this path, and print the answer as it comes.")
@dry_run_option
@validate_option
@field_manager_option
@output_option
@click.pass_context
def create(
    ctx: click.Context,
    filename: tuple[str, ...],
    recursive: bool,
    selector: str,
    save_config: bool,
    raw: str,
    dry_run: str,
    validate: str,
    field_manager: str,
    output: str,
) -> None:
    """Create objects from manifests or from options."""
    if ctx.invoked_subcommand is not None:
        return
    if not filename:
        raise click.UsageError("must specify one of -f and -k", ctx)
    session = ctx.ensure_object(Session)
    if raw:
        raw_request.send(session, "POST", raw, filename)
        return
    how = writing(dry_run, validate, output, field_manager or FIELD_MANAGER)
    errors: list[KctlError] = []
    count = 0
    for document in targets.read_documents(session, filename, recursive=recursive):
        count += 1
        try:
            _create_document(session, document, how, save_config)
        except UnreachableError:
            raise
        except KctlError as error:
            errors.append(error)
    if not count:
        raise KctlError("no objects passed to create")
    targets.gather(errors)


def _create_document(session: Session, document: Document, how: Writing, save_config: bool) -> None:
    target = targets.of_document(session, document)
    try:
        send(session, document.body, how, save_config=save_config)
    except StatusError as error:
        raise error.while_doing(f"error when creating {target.place}") from error


def _sources(function: Any) -> Any:
    for decorate in (
        option("--from-literal", "literals", multiple=True, help="KEY=VALUE"),
        option("--from-file", "files", multiple=True, help="[KEY=]FILE, or a folder."),
        option("--from-env-file", "env_files", multiple=True, help="A file with lines KEY=VALUE."),
    ):
        function = decorate(function)
    return function


@command("namespace")
@click.argument("name")
@common_options
def create_namespace(session: Session, name: str, **common: Any) -> None:
    """Create a namespace."""
    generated(session, generators.namespace(name), common)


@command("serviceaccount")
@click.argument("name")
@common_options
def create_service_account(session: Session, name: str, **common: Any) -> None:
    """Create a service account."""
    generated(session, generators.service_account(name), common)


@command("configmap")
@click.argument("name")
@_sources
@common_options
def create_config_map(
    session: Session, name: str, literals: tuple[str, ...], files: tuple[str, ...], env_files: tuple[str, ...], **common: Any
) -> None:
    """Create a ConfigMap from literals and files."""
    generated(session, generators.config_map(name, generators.entries(literals, files, env_files)), common)


@click.group("secret", context_settings={"help_option_names": ["-h", "--help"]})
def create_secret() -> None:
    """Create a Secret."""


@command("generic")
@click.argument("name")
@option("--type", "kind", default="", help="The Secret's type; Opaque unless said.")
@_sources
@common_options
def create_generic_secret(
    session: Session,
    name: str,
    kind: str,
    literals: tuple[str, ...],
    files: tuple[str, ...],
    env_files: tuple[str, ...],
    **common: Any,
) -> None:
    """Create a Secret from literals and files."""
    generated(session, generators.secret(name, generators.entries(literals, files, env_files), kind), common)


@command("deployment")
@click.argument("name")
@click.argument("words", nargs=-1, metavar="[-- COMMAND ARGUMENTS...]")
@option("--image", multiple=True, required=True, help="The image; several make several containers.")
@option("-r", "--replicas", type=int, default=1, help="How many pods.")
@option("--port", type=int, default=-1, help="The port that the containers listen on.")
@common_options
def create_deployment(
    session: Session, name: str, words: tuple[str, ...], image: tuple[str, ...], replicas: int, port: int, **common: Any
) -> None:
    """Create a Deployment."""
    generated(session, generators.deployment(name, image, replicas, port, words), common)


@click.group("service", context_settings={"help_option_names": ["-h", "--help"]})
def create_service() -> None:
    """Create a Service."""


def _service_command(name: str, kind: str, text: str) -> click.Command:
    @command(name, help=text)
    @click.argument("name")
    @option("--tcp", multiple=True, help="PORT[:TARGET-PORT]")
    @option("--clusterip", default="", help="An address of your own; None for a headless Service.")
    @option("--node-port", type=int, default=0, help="The nodes' port.")
    @option("--external-name", default="", help="The name to point to.")
    @common_options
    def made(
        session: Session, name: str, tcp: tuple[str, ...], clusterip: str, node_port: int, external_name: str, **common: Any
    ) -> None:
        body = generators.service(name, kind, tcp, cluster_ip=clusterip, node_port=node_port, external_name=external_name)
        generated(session, body, common)

    return made


for _name, _kind, _text in (
    ("clusterip", "ClusterIP", "Create a Service with an address within the cluster."),
    ("nodeport", "NodePort", "Create a Service that every node's port leads to."),
    ("loadbalancer", "LoadBalancer", "Create a Service behind a load balancer."),
    ("externalname", "ExternalName", "Create a Service that stands for a name elsewhere."),
):
    create_service.add_command(_service_command(_name, _kind, _text))

create_secret.add_command(create_generic_secret)
create_secret.add_command(create_access.create_docker_registry_secret)
create_secret.add_command(create_access.create_tls_secret)
for _command, _names in (
    (create_namespace, ("namespace", "ns")),
    (create_service_account, ("serviceaccount", "sa")),
    (create_config_map, ("configmap", "cm")),
    (create_secret, ("secret",)),
    (create_deployment, ("deployment", "deploy")),
    (create_service, ("service", "svc")),
    (create_token, ("token",)),
    (create_access.create_role, ("role",)),
    (create_access.create_role_binding, ("rolebinding",)),
    (create_access.create_cluster_role, ("clusterrole",)),
    (create_access.create_cluster_role_binding, ("clusterrolebinding",)),
    (create_policies.create_quota, ("quota", "resourcequota")),
    (create_policies.create_budget, ("poddisruptionbudget", "pdb")),
    (create_policies.create_priority_class, ("priorityclass", "pc")),
    (create_workloads.create_job, ("job",)),
    (create_workloads.create_cron_job, ("cronjob", "cj")),
    (create_workloads.create_ingress, ("ingress", "ing")),
):
    for _alias in _names:
        create.add_command(_command, _alias)
