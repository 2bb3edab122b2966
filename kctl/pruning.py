"""`kctl apply --prune`: delete what was applied once and is in no manifest any more.

Only objects with a last-applied configuration are looked at, of a list of kinds, in the namespaces that the manifests are in.
"""

from collections.abc import Sequence

from kctl import targets, watching
from kctl.applying import LAST_APPLIED
from kctl.errors import KctlError
from kctl.session import Session
from kctl.targets import Target
from kctl.writing import Writing

DEFAULT_KINDS: tuple[tuple[str, str], ...] = (
    *(("v1", kind) for kind in ("ConfigMap", "Endpoints", "Namespace", "PersistentVolumeClaim", "PersistentVolume", "Pod")),
    *(("v1", kind) for kind in ("ReplicationController", "Secret", "Service")),
    *(("batch/v1", kind) for kind in ("Job", "CronJob")),
    ("networking.k8s.io/v1", "Ingress"),
    *(("apps/v1", kind) for kind in ("DaemonSet", "Deployment", "ReplicaSet", "StatefulSet")),
)
"""apiVersion and kind of what is pruned unless the command line says otherwise: kubectl's own list."""


def kinds(allowed: Sequence[str], selector: str, *, everything: bool) -> list[tuple[str, str]]:
    """apiVersion and kind of what may be pruned; raises KctlError."""
    if not everything and not selector:
        raise KctlError(
            "all resources selected for prune without explicitly passing --all. To prune all resources, pass the --all flag. "
            "If you did not mean to prune all resources, specify a label selector"
        )
    if everything and selector:
        raise KctlError("cannot set --all and --selector at the same time")
    return [_kind(text) for text in allowed] or list(DEFAULT_KINDS)


def prune(session: Session, how: Writing, listed: Sequence[tuple[str, str]], applied: Sequence[Target], selector: str) -> None:
    """Delete what is not among `applied`; raises KctlError."""
    kept = {_key(target) for target in applied}
    namespaces = list(dict.fromkeys(target.namespace for target in applied if target.resource.namespaced))
    for api_version, kind in listed:
        resource = session.discovery.for_kind(api_version, kind)
        for namespace in namespaces if resource.namespaced else [""]:
            for item in targets.fetch(session.client, Target(resource, "", namespace), watching.selectors(selector)):
                metadata = item["metadata"]
                target = Target(resource, metadata["name"], metadata.get("namespace", ""))
                if LAST_APPLIED in (metadata.get("annotations") or {}) and _key(target) not in kept:
                    _delete(session, how, target)


def _delete(session: Session, how: Writing, target: Target) -> None:
    if not how.pretending:
        body = {"apiVersion": "v1", "kind": "DeleteOptions", "propagationPolicy": "Background"}
        query = {key: value for key, value in how.query.items() if key == "dryRun"}
        session.client.delete(target.path, body, query)
    session.say(target.title if how.output == "name" else f"{target.title} pruned{how.suffix}")


def _key(target: Target) -> tuple[str, str, str, str]:
    return target.resource.group, target.resource.kind, target.namespace, target.name


def _kind(text: str) -> tuple[str, str]:
    parts = text.split("/")
    if len(parts) != 3 or not all(parts):
        raise KctlError(f"invalid GroupVersionKind format: {text}, please follow <group/version/kind>")
    group, version, kind = parts
    return (version if group == "core" else f"{group}/{version}"), kind
