"""Which manifests `apply` and `diff` take, what each is about, and under which names they own fields."""

from collections.abc import Callable
from typing import Any

from kctl import targets
from kctl.errors import KctlError
from kctl.manifests import Document
from kctl.session import Session
from kctl.targets import Target

FIELD_MANAGER = "kubectl-client-side-apply"
"""kubectl's own name, so that whoever goes on with kubectl owns the same fields."""
SERVER_SIDE_FIELD_MANAGER = "kubectl"
"""The same for --server-side; the API server hands to it what client-side apply has owned."""


def chooser(selector: str) -> Callable[[Document], bool]:
    """Whether a document has the labels that `selector` asks for; raises KctlError."""
    if not selector:
        return lambda document: True
    from apimachinery import labels

    try:
        parsed = labels.parse(selector)
    except labels.SelectorError as error:
        raise KctlError(str(error)) from error
    return lambda document: parsed.matches((document.body.get("metadata") or {}).get("labels") or {})


def named(session: Session, document: Document) -> tuple[Target, dict[str, Any]]:
    """What a manifest is about, and its body with its namespace; raises KctlError that names the manifest."""
    target = targets.of_document(session, document)
    body = _with_namespace(document.body, target)
    if not target.name:
        if (body.get("metadata") or {}).get("generateName"):
            raise KctlError(f"from {document.place}: cannot use generate name with apply")
        raise KctlError(f"error when retrieving current configuration from {document.place}: resource name may not be empty")
    return target, body


def _with_namespace(body: dict[str, Any], target: Target) -> dict[str, Any]:
    if not target.resource.namespaced:
        return body
    return {**body, "metadata": {**(body.get("metadata") or {}), "namespace": target.namespace}}
