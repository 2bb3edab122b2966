"""`kctl why pod NAME`: the scheduler's verdict, node by node: who refused and why, who scored how, and what would help."""

from collections.abc import Mapping
from typing import Any

import click

from kctl import targets
from kctl.errors import KctlError
from kctl.options import command, option
from kctl.session import Session

MISSING = "-"


@click.group("why", context_settings={"help_option_names": ["-h", "--help"]})
def why() -> None:
    """Explain what the scheduler decided."""


@command("pod")
@click.argument("name", metavar="NAME")
@option("-o", "--output", default="", type=click.Choice(["", "wide", "json", "yaml"]), help="wide, json or yaml.")
def why_pod(session: Session, name: str, output: str) -> None:
    """For each node: which filter refused the pod or how the node scored, and what change would make the pod fit."""
    target = targets.one(session, [name], "pods")
    if target.resource.kind != "Pod":
        raise KctlError(f"only pods are scheduled, not {target.resource.plural}")
    pod = session.client.get(target.path)
    verdict = read_verdict(pod)
    if verdict is None:
        session.note(no_verdict_text(pod))
        raise KctlError(f'pod "{target.name}" carries no verdict of the scheduler')
    if output in ("json", "yaml"):
        from kctl.printers import Output, document_printer

        session.out.write(document_printer(Output(output))({"pod": target.name, "namespace": target.namespace, **verdict}))
        return
    _print(session, target.name, verdict, wide=output == "wide")


why.add_command(why_pod)
for _alias in ("pods", "po"):
    why.add_command(why_pod, _alias)


def read_verdict(pod: Mapping[str, Any]) -> dict[str, Any] | None:
    """The verdict in a pod's annotation as plain data; None when there is none, KctlError for one that cannot be read."""
    import msgspec

    from apimachinery import verdict

    text = ((pod.get("metadata") or {}).get("annotations") or {}).get(verdict.ANNOTATION)
    if not text:
        return None
    try:
        decoded = verdict.decode(text)
    except ValueError as error:
        raise KctlError(f"the verdict in annotation {verdict.ANNOTATION} cannot be read: {error}") from error
    if decoded.schema > verdict.SCHEMA:
        raise KctlError(f"the verdict has version {decoded.schema}; this kctl knows versions up to {verdict.SCHEMA}")
    plain: dict[str, Any] = msgspec.to_builtins(decoded)
    return plain


def no_verdict_text(pod: Mapping[str, Any]) -> str:
    """What is known of a pod that has no verdict."""
    spec, name = pod.get("spec") or {}, pod["metadata"]["name"]
    if spec.get("nodeName"):
        node = spec["nodeName"]
        return f"Pod {name} is on node {node}; it was put there without Coxswain's scheduler, or before verdicts were kept."
    if spec.get("schedulingGates"):
        gates = ", ".join(each.get("name", "") for each in spec["schedulingGates"])
        return f"Pod {name} is held back by its scheduling gates: {gates}."
    scheduler = spec.get("schedulerName") or "default-scheduler"
    return f"Pod {name} waits for scheduler {scheduler}, which has not looked at it yet."


def _print(session: Session, name: str, verdict: Mapping[str, Any], *, wide: bool) -> None:
    from kctl.printers.table import Writer

    session.say(summary(name, verdict))
    nodes = verdict.get("nodes") or []
    if nodes:
        session.say("")
        headers = ["NODE", "RESULT", "SCORE", "WHY", "WHAT WOULD HELP"]
        Writer(session.out).write([headers, *(row for node in nodes for row in node_rows(node, verdict, wide=wide))])
    if verdict.get("omittedNodes"):
        session.say(f"... and {verdict['omittedNodes']} more nodes")
        for reason, count in sorted((verdict.get("reasons") or {}).items(), key=lambda pair: -pair[1]):
            session.say(f"  {count} nodes: {reason}")


def summary(name: str, verdict: Mapping[str, Any]) -> str:
    """The verdict in one line."""
    when = f" ({verdict['time']})" if verdict.get("time") else ""
    if verdict.get("node"):
        feasible = verdict.get("feasibleNodes") or 1
        return f"Pod {name} was placed on node {verdict['node']}, the best of {feasible} that it fits{when}."
    return f"Pod {name} fits on no node{when}: {verdict.get('message') or 'no reason was given'}"


def node_rows(node: Mapping[str, Any], verdict: Mapping[str, Any], *, wide: bool) -> list[list[str]]:
    """The lines for one node: a second reason and a second suggestion get lines of their own."""
    if not node.get("refusedBy"):
        result = "chosen" if node["node"] == verdict.get("node") else "fits"
        scores = sorted((node.get("scores") or {}).items(), key=lambda pair: -pair[1])
        shown = scores if wide else scores[:3]
        points = ", ".join(f"{plugin} {value}" for plugin, value in shown) or MISSING
        return [[node["node"], result, str(node.get("total", 0)), points, MISSING]]
    reasons, suggestions = node.get("reasons") or [MISSING], node.get("suggestions") or [MISSING]
    rows = []
    for index in range(max(len(reasons), len(suggestions))):
        first = [node["node"], "refused", MISSING] if index == 0 else ["", "", ""]
        reason = reasons[index] if index < len(reasons) else ""
        text = f"{node['refusedBy']}: {reason}" if index == 0 else reason
        rows.append([*first, text, suggestions[index] if index < len(suggestions) else ""])
    return rows
