"""The official Python client's methods by kind and verb, and a check that its models keep all that the server says."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

from kubernetes import client, config

from apimachinery.resources import Resource
from tests.support.apiserver import RunningServer


def configured(server: RunningServer) -> client.ApiClient:
    """The client as a kubeconfig makes it."""
    cluster = {"server": server.url, "certificate-authority": str(server.ca.ca)}
    user = {"client-certificate": str(server.admin.cert), "client-key": str(server.admin.key)}
    return config.new_client_from_config_dict(
        {
            "current-context": "test",
            "clusters": [{"name": "c", "cluster": cluster}],
            "users": [{"name": "u", "user": user}],
            "contexts": [{"name": "test", "context": {"cluster": "c", "user": "u"}}],
        }
    )


class Typed:
    """The generated methods for one kind, by what they do: `typed("read", name)`, `typed("replace/status", name, body)`."""

    def __init__(self, api: client.ApiClient, row: Resource, namespace: str) -> None:
        group = "".join(part.capitalize() for part in (row.group or "core").removesuffix(".k8s.io").split("."))
        self._methods = getattr(client, f"{group}{row.version.capitalize()}Api")(api)
        words = re.sub(r"(.)([A-Z][a-z]+)", r"\1_\2", row.kind)
        self._noun = re.sub(r"([a-z0-9])([A-Z])", r"\1_\2", words).lower()
        self.scope = {"namespace": namespace} if row.namespaced else {}

    def method(self, verb: str) -> Callable[..., Any]:
        """`create`, `delete_collection`, or a subresource's `replace/status`."""
        action, _, subresource = verb.partition("/")
        parts = [action, "namespaced" if self.scope else "", self._noun, subresource]
        return getattr(self._methods, "_".join(part for part in parts if part))

    def __call__(self, verb: str, *arguments: Any, **more: Any) -> Any:
        """Arguments are in the client's order, without the namespace."""
        name = {} if verb in ("create", "list", "delete_collection") else {"name": arguments[0]}
        body = {"body": arguments[-1]} if len(arguments) > len(name) else {}
        return self.method(verb)(**self.scope, **name, **body, **more)


def whole(api: client.ApiClient, typed: Typed, name: str) -> Any:
    """Read an object; fails if the model does not keep everything that the server says."""
    read = typed("read", name)
    raw = json.loads(typed("read", name, _preload_content=False).data)
    assert _missing(raw, api.sanitize_for_serialization(read)) == []
    return read


def _missing(raw: Any, kept: Any, path: str = "") -> list[str]:
    """Paths of what is in `raw` and not in `kept`; times may be written otherwise."""
    if isinstance(raw, dict) and isinstance(kept, dict):
        return [each for key, value in raw.items() for each in _missing(value, kept.get(key), f"{path}.{key}")]
    if isinstance(raw, list) and isinstance(kept, list) and len(raw) == len(kept):
        return [each for index, pair in enumerate(zip(raw, kept, strict=True)) for each in _missing(*pair, f"{path}[{index}]")]
    same_time = isinstance(raw, str) and isinstance(kept, str) and raw[:19] == kept[:19] and raw.endswith("Z")
    return [] if raw == kept or same_time else [f"{path}: {raw!r} became {kept!r}"]
