"""`kctl create job|cronjob|ingress`."""

from typing import Any

import click

from kctl import generators_workloads, targets
from kctl.errors import KctlError
from kctl.exposing import pairs
from kctl.generating import common_options, generated
from kctl.options import command, option
from kctl.session import Session


@command("job")
@click.argument("name")
@click.argument("words", nargs=-1, metavar="[-- COMMAND ARGUMENTS...]")
@option("--image", default="", help="The image to run.")
@option("--from", "source", default="", help="cronjob/NAME: what that CronJob would start.")
@common_options
def create_job(session: Session, name: str, words: tuple[str, ...], image: str, source: str, **common: Any) -> None:
    """Create a Job."""
    if bool(image) == bool(source):
        raise KctlError("either --image or --from must be specified")
    if not source:
        generated(session, generators_workloads.job(name, image, words), common)
        return
    if words:
        raise KctlError("cannot specify --from and command")
    target = targets.one(session, [source])
    if target.resource.kind != "CronJob":
        raise KctlError("from must be an existing cronjob")
    generated(session, generators_workloads.job_of(name, session.client.get(target.path)), common)


@command("cronjob")
@click.argument("name")
@click.argument("words", nargs=-1, metavar="[-- COMMAND ARGUMENTS...]")
@option("--image", required=True, help="The image to run.")
@option("--schedule", required=True, help="When, as cron has it.")
@option("--restart", default="OnFailure", type=click.Choice(["OnFailure", "Never"]), help="OnFailure or Never.")
@common_options
def create_cron_job(
    session: Session, name: str, words: tuple[str, ...], image: str, schedule: str, restart: str, **common: Any
) -> None:
    """Create a CronJob."""
    generated(session, generators_workloads.cron_job(name, image, schedule, restart, words), common)


@command("ingress")
@click.argument("name")
@option("--rule", "rules", multiple=True, help="HOST/PATH=SERVICE:PORT[,tls[=SECRET]]; a path that ends in * is a prefix.")
@option("--default-backend", default="", help="SERVICE:PORT for what no rule matches.")
@option("--class", "class_name", default="", help="The IngressClass.")
@option("--annotation", "annotations", multiple=True, help="KEY=VALUE")
@common_options
def create_ingress(
    session: Session,
    name: str,
    rules: tuple[str, ...],
    default_backend: str,
    class_name: str,
    annotations: tuple[str, ...],
    **common: Any,
) -> None:
    """Create an Ingress."""
    noted = {key: value for text in annotations for key, value in pairs(text, "the annotation").items()}
    generated(session, generators_workloads.ingress(name, rules, default_backend, class_name, noted), common)
