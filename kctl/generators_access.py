"""Roles, their bindings, and Secrets with credentials, from options: pure.

Source: the Kubernetes pages "Using RBAC Authorization" and "Secrets".
"""

import base64
import json
import ssl
from collections.abc import Iterable, Sequence
from typing import Any

from kctl import generators
from kctl.discovery import ResourceType
from kctl.errors import KctlError

GROUP = "rbac.authorization.k8s.io"
_VERSION = f"{GROUP}/v1"


def rules(
    verbs: Sequence[str], resources: Iterable[tuple[ResourceType, str]], names: Sequence[str] = (), urls: Sequence[str] = ()
) -> list[dict[str, Any]]:
    """A rule for each API group of the resources (each with its subresource), and one for the paths; raises KctlError."""
    if not verbs:
        raise KctlError("at least one verb must be specified")
    grouped: dict[str, list[str]] = {}
    for resource, subresource in resources:
        text = f"{resource.plural}/{subresource}" if subresource else resource.plural
        listed = grouped.setdefault(resource.group, [])
        if text not in listed:
            listed.append(text)
    if names and sum(map(len, grouped.values())) != 1:
        raise KctlError("resourceNames can only be used with a single resource")
    made: list[dict[str, Any]] = []
    for group, listed in grouped.items():
        rule: dict[str, Any] = {"apiGroups": [group], "resources": listed, "verbs": list(verbs)}
        made.append({**rule, "resourceNames": list(names)} if names else rule)
    if urls:
        made.append({"nonResourceURLs": list(urls), "verbs": list(verbs)})
    if not made:
        raise KctlError("at least one resource must be specified")
    return made


def role(name: str, found: Sequence[dict[str, Any]], *, kind: str = "Role") -> dict[str, Any]:
    return {"apiVersion": _VERSION, "kind": kind, "metadata": {"name": name}, "rules": list(found)}


def aggregated_role(name: str, labels: dict[str, str]) -> dict[str, Any]:
    """A ClusterRole of all rules of the ClusterRoles with these labels."""
    rule = {"clusterRoleSelectors": [{"matchLabels": labels}]}
    return {"apiVersion": _VERSION, "kind": "ClusterRole", "metadata": {"name": name}, "aggregationRule": rule, "rules": None}


def binding(kind: str, name: str, role_kind: str, role_name: str, subjects: Sequence[dict[str, Any]]) -> dict[str, Any]:
    reference = {"apiGroup": GROUP, "kind": role_kind, "name": role_name}
    made: dict[str, Any] = {"apiVersion": _VERSION, "kind": kind, "metadata": {"name": name}, "roleRef": reference}
    return {**made, "subjects": list(subjects)} if subjects else made


def subjects(users: Sequence[str], groups: Sequence[str], accounts: Sequence[str], namespace: str = "") -> list[dict[str, Any]]:
    """Whom a binding binds; accounts are NAMESPACE:NAME (the namespace may be left out where one is known)."""
    found: list[dict[str, Any]] = [{"apiGroup": GROUP, "kind": "User", "name": name} for name in users]
    found += [{"apiGroup": GROUP, "kind": "Group", "name": name} for name in groups]
    for account in accounts:
        own, _, name = account.rpartition(":")
        if not name or ":" in own or not (own or namespace):
            raise KctlError("serviceaccount must be <namespace>:<name>")
        found.append({"kind": "ServiceAccount", "name": name, "namespace": own or namespace})
    return found


def docker_registry_secret(name: str, server: str, user: str, password: str, email: str) -> dict[str, Any]:
    """Credentials for one registry, laid out as docker's own client keeps them."""
    entry = {"username": user, "password": password, **({"email": email} if email else {})}
    entry["auth"] = base64.b64encode(f"{user}:{password}".encode()).decode()
    config = json.dumps({"auths": {server: entry}}, separators=(",", ":"), ensure_ascii=False).encode()
    return generators.secret(name, {".dockerconfigjson": config}, "kubernetes.io/dockerconfigjson")


def tls_secret(name: str, certificate: bytes, key: bytes) -> dict[str, Any]:
    """A certificate and its key; raises KctlError unless they are PEM."""
    for text, what, mark in ((certificate, "certificate", b"-----BEGIN CERTIFICATE-----"), (key, "key", b"PRIVATE KEY-----")):
        if mark not in text:
            raise KctlError(f"tls: failed to find any PEM data in {what} input")
    try:
        ssl.PEM_cert_to_DER_cert(certificate.decode().strip())
    except ValueError as error:
        raise KctlError(f"tls: the certificate input is no PEM: {error}") from error
    return generators.secret(name, {"tls.crt": certificate, "tls.key": key}, "kubernetes.io/tls")
