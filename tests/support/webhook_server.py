"""Admission webhooks of a test: an HTTPS server of this process, one answer for each path, and configurations that name it.

async with webhook_server(tmp_path) as hooks:
    hooks.answers["/label"] = lambda asked: patched({"op": "add", "path": "/metadata/labels", "value": {"a": "b"}})
    await rest("POST", MUTATING, configuration("m", hooks.webhook("label.example.com", "/label")))
    ...
    hooks.asked("/label")  # the requests that came, in order
"""

from __future__ import annotations

import base64
import inspect
import json
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from tests.support.https_server import HttpsServer, Reply, https_server
from tests.support.throwaway_ca import ThrowawayCa

Plain = dict[str, Any]
GROUP = "/apis/admissionregistration.k8s.io/v1"
VALIDATING = f"{GROUP}/validatingwebhookconfigurations"
MUTATING = f"{GROUP}/mutatingwebhookconfigurations"


class WebhookServer:
    """`answers` maps a path to what makes a response (without its uid), or a whole Reply, of a request."""

    def __init__(self, bundle: bytes) -> None:
        self.answers: dict[str, Callable[[Plain], Any]] = {}
        self.calls: list[tuple[str, Plain]] = []
        self.server: HttpsServer | None = None
        self.bundle = base64.b64encode(bundle).decode()

    def asked(self, path: str) -> list[Plain]:
        return [request for called, request in self.calls if called == path]

    def paths(self) -> list[str]:
        return [path for path, _ in self.calls]

    def url(self, path: str) -> str:
        assert self.server is not None
        return f"https://127.0.0.1:{self.server.port}{path}"

    def webhook(self, name: str, path: str, *rules: Plain, **fields: Any) -> Plain:
        """One webhook of a configuration; by default it is asked about everything that happens to ConfigMaps."""
        return {
            "name": name,
            "clientConfig": {"url": self.url(path), "caBundle": self.bundle},
            "rules": list(rules) or [rule("configmaps")],
            "sideEffects": "None",
            "admissionReviewVersions": ["v1"],
            **fields,
        }

    async def answer(self, path: str, body: bytes) -> Reply:
        path = path.partition("?")[0]
        review = json.loads(body)
        request = review["request"]
        self.calls.append((path, request))
        response = self.answers[path](request)
        if inspect.isawaitable(response):
            response = await response
        if isinstance(response, Reply):
            return response
        review = {"apiVersion": review["apiVersion"], "kind": review["kind"], "response": {"uid": request["uid"], **response}}
        return Reply(body=json.dumps(review).encode(), headers={"Content-Type": "application/json"})


def rule(
    *resources: str,
    operations: Sequence[str] = ("*",),
    groups: Sequence[str] = ("*",),
    versions: Sequence[str] = ("*",),
    scope: str = "*",
) -> Plain:
    return {
        "operations": list(operations),
        "apiGroups": list(groups),
        "apiVersions": list(versions),
        "resources": list(resources),
        "scope": scope,
    }


def configuration(name: str, *webhooks: Plain) -> Plain:
    """Its kind follows from where it is sent to."""
    return {"metadata": {"name": name}, "webhooks": list(webhooks)}


def allowed(*warnings: str) -> Plain:
    return {"allowed": True, **({"warnings": list(warnings)} if warnings else {})}


def refused(message: str = "", code: int = 0, **status: Any) -> Plain:
    if message:
        status["message"] = message
    if code:
        status["code"] = code
    return {"allowed": False, **({"status": status} if status else {})}


def patched(*operations: Plain) -> Plain:
    patch = base64.b64encode(json.dumps(operations).encode()).decode()
    return {"allowed": True, "patchType": "JSONPatch", "patch": patch}


def labelled(key: str, value: str) -> Callable[[Plain], Plain]:
    """An answer that adds a label, whatever labels there are; nothing when it is there already."""

    def answer(request: Plain) -> Plain:
        labels = request["object"]["metadata"].get("labels")
        if labels is None:
            return patched({"op": "add", "path": "/metadata/labels", "value": {key: value}})
        if labels.get(key) == value:
            return allowed()
        return patched({"op": "add", "path": f"/metadata/labels/{key}", "value": value})

    return answer


@asynccontextmanager
async def webhook_server(directory: Path) -> AsyncIterator[WebhookServer]:
    """Its certificate is for 127.0.0.1 and for the service `hook` in `default`."""
    ca = ThrowawayCa(directory / "webhooks")
    hooks = WebhookServer(ca.ca.read_bytes())
    async with https_server(ca, hooks.answer, names=("hook.default.svc",)) as server:
        hooks.server = server
        yield hooks
