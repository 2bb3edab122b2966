"""`kctl autoscale`: a HorizontalPodAutoscaler for a workload."""

import re
from typing import Any

import click

from kctl import applying, selection, targets
from kctl.errors import KctlError
from kctl.options import command, option, switch
from kctl.selection import Chosen, Selection
from kctl.session import Session
from kctl.writing import dry_run_option, output_option, report, writing

_PERCENT = re.compile(r"^(\d+)%$")


@command("autoscale")
@click.argument("arguments", nargs=-1, metavar="TYPE NAME | TYPE/NAME")
@option("--max", "most", type=int, default=-1, help="How many pods at most.")
@option("--min", "least", type=int, default=-1, help="How many pods at least.")
@option("--cpu", default="", help="What to aim at: 80% of what is asked for, or 500m a pod.")
@option("--memory", default="", help="What to aim at: 80% of what is asked for, or 200Mi a pod.")
@option("--cpu-percent", type=int, default=-1, help="--cpu in percent, as it was called before.")
@option("--name", default="", help="The autoscaler's name; the object's own when left out.")
@option("-f", "--filename", multiple=True, help="Objects that manifests name.")
@switch("-R", "--recursive", help="Read folders within folders too.")
@switch("--save-config", help="Remember the autoscaler for a later apply.")
@option("--field-manager", default="kubectl-autoscale", help="The name under which the fields are owned.")
@dry_run_option
@output_option
def autoscale(
    session: Session,
    arguments: tuple[str, ...],
    most: int,
    least: int,
    cpu: str,
    memory: str,
    cpu_percent: int,
    name: str,
    filename: tuple[str, ...],
    recursive: bool,
    save_config: bool,
    field_manager: str,
    dry_run: str,
    output: str,
) -> None:
    """Let the number of pods follow what they use."""
    if most == -1:
        raise KctlError('required flag(s) "max" not set')
    if most < 1:
        raise KctlError(f"--max=MAXPODS is required and must be at least 1, max: {most}")
    if most < least:
        raise KctlError(f"--max=MAXPODS must be larger or equal to --min=MINPODS, max: {most}, min: {least}")
    if cpu and cpu_percent >= 0:
        raise KctlError("--cpu-percent and --cpu are mutually exclusive")
    how = writing(dry_run, output=output, field_manager=field_manager)
    metrics = [metric(kind, text) for kind, text in (("cpu", cpu or _percent(cpu_percent)), ("memory", memory)) if text]
    errors: list[KctlError] = []
    for each in selection.choose(session, Selection(arguments, filename, recursive)):
        try:
            made = autoscaler(each, name, least, most, metrics)
            if save_config:
                made = applying.annotated(made)
            if not how.pretending:
                resource = session.discovery.for_kind(made["apiVersion"], made["kind"])
                made = session.client.create(resource.path(each.target.namespace), made, how.query)
        except KctlError as error:
            errors.append(error)
            continue
        report(session, how, made, f"horizontalpodautoscaler.autoscaling/{made['metadata']['name']}", "autoscaled")
    targets.gather(errors)


def autoscaler(each: Chosen, name: str, least: int, most: int, metrics: list[dict[str, Any]]) -> dict[str, Any]:
    """The autoscaler of an object; raises KctlError for a kind that cannot be scaled."""
    resource = each.target.resource
    if "scale" not in resource.subresources:
        raise KctlError(
            f"cannot autoscale a {resource.kind}: could not find scale subresource for "
            f"{resource.group}/{resource.version}, Resource={resource.plural} in discovery information"
        )
    spec: dict[str, Any] = {"maxReplicas": most}
    if least > 0:
        spec["minReplicas"] = least
    if metrics:
        spec["metrics"] = metrics
    spec["scaleTargetRef"] = {"apiVersion": resource.api_version, "kind": resource.kind, "name": each.target.name}
    metadata = {"name": name or each.target.name}
    return {"apiVersion": "autoscaling/v2", "kind": "HorizontalPodAutoscaler", "metadata": metadata, "spec": spec}


def metric(resource: str, text: str) -> dict[str, Any]:
    """The goal of `80%` or `500m`; raises KctlError."""
    from apimachinery.quantity import QuantityError, canonical

    found = _PERCENT.match(text)
    if found:
        target: dict[str, Any] = {"averageUtilization": int(found.group(1)), "type": "Utilization"}
    else:
        try:
            target = {"averageValue": canonical(text), "type": "AverageValue"}
        except QuantityError as error:
            raise KctlError(f"invalid --{resource} value: {text}: expected a percentage or a quantity") from error
    return {"resource": {"name": resource, "target": target}, "type": "Resource"}


def _percent(number: int) -> str:
    return f"{number}%" if number >= 0 else ""
