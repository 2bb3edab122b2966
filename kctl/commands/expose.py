"""`kctl expose`: a Service for the pods behind an object."""

import click

from kctl import applying, changing, exposing, selection, targets
from kctl.errors import KctlError
from kctl.options import command, option, switch
from kctl.rest import JSON_PATCH, MERGE_PATCH, STRATEGIC_PATCH
from kctl.selection import Selection
from kctl.session import Session
from kctl.writing import dry_run_option, output_option, report, writing

OVERRIDE_TYPES = {"json": JSON_PATCH, "merge": MERGE_PATCH, "strategic": STRATEGIC_PATCH}


@command("expose")
@click.argument("arguments", nargs=-1, metavar="TYPE NAME | TYPE/NAME")
@option("-f", "--filename", multiple=True, help="Objects that manifests name.")
@switch("-R", "--recursive", help="Read folders within folders too.")
@option("--name", default="", help="The Service's name; the object's own when left out.")
@option("--port", default="", help="The port to serve on; several with commas.")
@option("--target-port", default="", help="The containers' port, a number or a name.")
@option("--protocol", default="", help="TCP, UDP or SCTP.")
@option("--type", "kind", default="", help="ClusterIP, NodePort or LoadBalancer.")
@option("--selector", default="", help="Labels of the pods; the object's own when left out.")
@option("-l", "--labels", default="", help="Labels of the Service.")
@option("--cluster-ip", default="", help="An address of your own; None for a headless Service.")
@option("--external-ip", default="", help="A further address that leads to the Service.")
@option("--load-balancer-ip", default="", help="The address the load balancer should have.")
@option("--session-affinity", default="", help="None or ClientIP.")
@option("--overrides", default="", help="A patch to the Service before it is sent.")
@option("--override-type", default="merge", type=click.Choice(list(OVERRIDE_TYPES)), help="How to read --overrides.")
@switch("--save-config", help="Remember the Service for a later apply.")
@option("--field-manager", default="kubectl-expose", help="The name under which the fields are owned.")
@dry_run_option
@output_option
def expose(
    session: Session,
    arguments: tuple[str, ...],
    filename: tuple[str, ...],
    recursive: bool,
    name: str,
    port: str,
    target_port: str,
    protocol: str,
    kind: str,
    selector: str,
    labels: str,
    cluster_ip: str,
    external_ip: str,
    load_balancer_ip: str,
    session_affinity: str,
    overrides: str,
    override_type: str,
    save_config: bool,
    field_manager: str,
    dry_run: str,
    output: str,
) -> None:
    """Make a Service for the pods behind an object."""
    how = writing(dry_run, output=output, field_manager=field_manager)
    wishes = exposing.Wishes(
        name,
        port,
        target_port,
        protocol,
        kind,
        selector,
        labels,
        cluster_ip,
        external_ip,
        load_balancer_ip,
        session_affinity,
    )
    errors: list[KctlError] = []
    for each in selection.choose(session, Selection(arguments, filename, recursive)):
        try:
            made = exposing.service(each.object, wishes)
            if overrides:
                content_type = OVERRIDE_TYPES[override_type]
                made = changing.applied(made, changing.parse_patch(overrides, content_type), content_type)
            if save_config:
                made = applying.annotated(made)
            if not how.pretending:
                path = f"/api/v1/namespaces/{each.target.namespace or session.namespace}/services"
                made = session.client.create(path, made, how.query)
        except KctlError as error:
            errors.append(error)
            continue
        report(session, how, made, f"service/{made['metadata']['name']}", "exposed")
    targets.gather(errors)
