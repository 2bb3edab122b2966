"""What the commands have in common that make an object from options: their options, and sending what they made."""

from typing import Any

from kctl import applying
from kctl.options import switch
from kctl.session import Session
from kctl.writing import Writing, dry_run_option, field_manager_option, output_option, report, validate_option, writing

FIELD_MANAGER = "kctl-create"


def common_options(function: Any) -> Any:
    """The options; a command hands them on to `generated` as they come."""
    for decorate in (
        switch("--save-config", help="Remember the object for a later apply."),
        dry_run_option,
        validate_option,
        field_manager_option,
        output_option,
    ):
        function = decorate(function)
    return function


def generated(session: Session, body: dict[str, Any], common: dict[str, Any]) -> None:
    """Create what a command has made, or show it."""
    manager = common["field_manager"] or FIELD_MANAGER
    how = writing(common["dry_run"], common["validate"], common["output"], manager)
    send(session, body, how, save_config=common["save_config"])


def send(session: Session, body: dict[str, Any], how: Writing, *, save_config: bool = False) -> None:
    """Create an object and say so; raises StatusError. `save_config`: remember it, for a later apply."""
    resource = session.discovery.for_kind(body["apiVersion"], body["kind"])
    metadata = body.get("metadata") or {}
    if resource.namespaced:
        metadata = {**metadata, "namespace": session.namespace_of(metadata)}
        body = {**body, "metadata": metadata}
    if save_config:
        body = applying.annotated(body)
    if not how.pretending:
        body = session.client.create(resource.path(metadata.get("namespace", "")), body, how.validating_query)
    name = (body.get("metadata") or {}).get("name") or metadata.get("generateName", "")
    report(session, how, body, f"{resource.label}/{name}", "created")
