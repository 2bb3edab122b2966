"""Whether the cluster's nodes are Ready, asked over the API's REST door with the administrator's certificate.

A list, then a watch from its revision: no polling. Only what is needed of a Node is read, as plain JSON. Labels that a node
must not give itself, such as its role, are put on it here, before it counts as Ready.
"""

from __future__ import annotations

import http.client
import json
import ssl
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

RETRY_S = 0.1
# A watch that is silent this long is opened again, should the server have been replaced meanwhile.
WATCH_TIMEOUT_S = 20.0
NODES_PATH = "/api/v1/nodes"


@dataclass(frozen=True, slots=True)
class Access:
    """How to reach the API: 127.0.0.1:`port`, and the PEM files of its authority and of the administrator."""

    port: int
    authority: Path
    certificate: Path
    key: Path

    def connect(self) -> http.client.HTTPSConnection:
        context = ssl.create_default_context(cafile=str(self.authority))
        context.load_cert_chain(self.certificate, self.key)
        return http.client.HTTPSConnection("127.0.0.1", self.port, timeout=WATCH_TIMEOUT_S, context=context)


def ready_condition(node: dict[str, Any]) -> bool:
    """Whether the Node object says that it is Ready."""
    conditions = (node.get("status") or {}).get("conditions") or []
    return any(condition.get("type") == "Ready" and condition.get("status") == "True" for condition in conditions)


def follow_nodes(
    access: Access,
    on_node: Callable[[str, bool], None],
    stopped: Callable[[], bool],
    labels: Mapping[str, Mapping[str, str]] = MappingProxyType({}),
) -> None:
    """Call `on_node(name, ready)` for each node and each change until `stopped`; outages are waited out.

    labels: those that nodes are given when they lack them, by the nodes' names.
    """
    while not stopped():
        try:
            for node in _nodes(access, stopped):
                name = str(node["metadata"]["name"])
                if missing := missing_labels(node, labels.get(name, {})):
                    _label(access, name, missing)
                on_node(name, ready_condition(node))
        except (OSError, http.client.HTTPException, ValueError, KeyError):
            # The API server restarts or does not serve yet; whoever waits for the nodes has a deadline and its log.
            time.sleep(RETRY_S)


def _nodes(access: Access, stopped: Callable[[], bool]) -> Iterator[dict[str, Any]]:
    connection = access.connect()
    try:
        listed = json.loads(_get(connection, NODES_PATH).read())
        yield from listed.get("items") or []
        revision = listed["metadata"]["resourceVersion"]
        response = _get(connection, f"{NODES_PATH}?watch=true&resourceVersion={revision}")
        while not stopped() and (line := response.readline()):
            event = json.loads(line)
            if event["type"] == "ERROR":
                return
            if event["type"] in {"ADDED", "MODIFIED"}:
                yield event["object"]
    finally:
        connection.close()


def missing_labels(node: dict[str, Any], wanted: Mapping[str, str]) -> dict[str, str]:
    """Those of the wanted labels that a Node lacks, or has with another value."""
    present = node["metadata"].get("labels") or {}
    return {key: value for key, value in wanted.items() if present.get(key) != value}


def _label(access: Access, name: str, labels: Mapping[str, str]) -> None:
    connection = access.connect()
    try:
        patch = json.dumps({"metadata": {"labels": dict(labels)}})
        headers = {"Accept": "application/json", "Content-Type": "application/merge-patch+json"}
        connection.request("PATCH", f"{NODES_PATH}/{name}", patch, headers)
        response = connection.getresponse()
        response.read()
        if response.status != http.client.OK:
            raise http.client.HTTPException(f"PATCH {NODES_PATH}/{name}: {response.status}")
    finally:
        connection.close()


def _get(connection: http.client.HTTPSConnection, path: str) -> http.client.HTTPResponse:
    connection.request("GET", path, headers={"Accept": "application/json"})
    response = connection.getresponse()
    if response.status != http.client.OK:
        raise http.client.HTTPException(f"GET {path}: {response.status}")
    return response
