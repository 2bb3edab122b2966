"""`kctl create quota|poddisruptionbudget|priorityclass`."""

from typing import Any

import click

from kctl import generators_workloads
from kctl.exposing import pairs
from kctl.generating import common_options, generated
from kctl.options import command, option, switch
from kctl.session import Session


@command("quota")
@click.argument("name")
@option("--hard", default="", help="What a namespace may have: pods=2,cpu=1,...")
@option("--scopes", default="", help="Only count what is of these scopes: BestEffort,Terminating,...")
@common_options
def create_quota(session: Session, name: str, hard: str, scopes: str, **common: Any) -> None:
    """Create a ResourceQuota."""
    limits = pairs(hard, "the quota") if hard else {}
    generated(session, generators_workloads.quota(name, limits, [each for each in scopes.split(",") if each]), common)


@command("poddisruptionbudget")
@click.argument("name")
@option("--selector", required=True, help="The pods: KEY=VALUE,...")
@option("--min-available", default="", help="How many must stay, as a number or a percentage.")
@option("--max-unavailable", default="", help="How many may be missing, as a number or a percentage.")
@common_options
def create_budget(session: Session, name: str, selector: str, min_available: str, max_unavailable: str, **common: Any) -> None:
    """Create a PodDisruptionBudget."""
    labels = pairs(selector, "the selector")
    generated(session, generators_workloads.budget(name, labels, min_available, max_unavailable), common)


@command("priorityclass")
@click.argument("name")
@option("--value", type=int, default=0, help="The priority; higher is more important.")
@option("--description", default="", help="When to use it.")
@switch("--global-default", help="For pods that name no class.")
@option("--preemption-policy", default="PreemptLowerPriority", help="PreemptLowerPriority or Never.")
@common_options
def create_priority_class(
    session: Session, name: str, value: int, description: str, global_default: bool, preemption_policy: str, **common: Any
) -> None:
    """Create a PriorityClass."""
    made = generators_workloads.priority_class(name, value, description, preemption_policy, default=global_default)
    generated(session, made, common)
