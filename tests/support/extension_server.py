"""A small extension API server over HTTPS in this process: kind Flunder of wardle.example.com/v1, kept in memory.

    async with extension_server(ca, front_proxy) as extension:     # ca signs its certificate, front_proxy its clients'
        extension.requests                                         # what it got: paths, headers, the client's common name

It lets in who has a certificate of the front proxy's CA, and believes what the headers say. `behind` makes it what a Service of
the cluster leads to.
"""

from __future__ import annotations

import asyncio
import base64
import json
import ssl
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any, NamedTuple

from aiohttp import web

from apiclient.client import Client
from apimachinery import kinds
from apimachinery.kinds import (
    APIService,
    APIServiceReference,
    APIServiceSpec,
    Container,
    EndpointAddress,
    EndpointPort,
    Endpoints,
    EndpointSubset,
    ObjectMeta,
    ObjectReference,
    PodSpec,
    ServicePort,
    ServiceSpec,
)
from tests.support.fake_kubelet import FakeKubelet
from tests.support.services import NODE, kubelet_node
from tests.support.throwaway_ca import ThrowawayCa

GROUP, VERSION = "wardle.example.com", "v1"
ROOT = f"/apis/{GROUP}/{VERSION}"
NAME = f"{VERSION}.{GROUP}"
SERVICE = "wardle"
PROBER = "system:kube-aggregator"
PORT = 8443
Plain = dict[str, Any]

_SCHEMA: Plain = {
    "description": "A thing that bounces.",
    "type": "object",
    "properties": {
        "apiVersion": {"type": "string"},
        "kind": {"type": "string"},
        "metadata": {"$ref": "#/definitions/io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta"},
        "bounce": {"description": "How high it goes.", "type": "integer", "minimum": 1, "example": 3},
    },
    "x-kubernetes-group-version-kind": [{"group": GROUP, "version": VERSION, "kind": "Flunder"}],
}
_WORDS: Plain = {"type": "object", "additionalProperties": {"type": "string"}}
_META: Plain = {
    "description": "Another idea of metadata.",
    "type": "object",
    "properties": {
        **{name: {"type": "string"} for name in ("name", "namespace", "uid", "resourceVersion", "creationTimestamp")},
        "labels": _WORDS,
        "annotations": _WORDS,
    },
}


class Got(NamedTuple):
    """A request as it came."""

    method: str
    path: str
    headers: Mapping[str, list[str]]
    client: str
    body: bytes = b""


class ExtensionServer:
    """Remembers what it got. `answer` takes the place of all it would say, when a test sets it."""

    def __init__(self) -> None:
        self.port = 0
        self.requests: list[Got] = []
        self.flunders: dict[tuple[str, str], Plain] = {}
        self.answer: Callable[[web.BaseRequest], web.StreamResponse | None] | None = None
        self.resources = ["flunders"]
        self._revision = 1
        self._watchers: list[asyncio.Queue[Plain]] = []

    @property
    def carried(self) -> list[Got]:
        """The requests of clients; the API server asks in its own name too, whenever it likes."""
        return [each for each in self.requests if each.headers["x-remote-user"] != [PROBER]]

    def got(self, path: str) -> list[Got]:
        return [each for each in self.requests if each.path.partition("?")[0] == path]

    async def serve(self, request: web.BaseRequest) -> web.StreamResponse:
        assert request.transport is not None
        certificate = request.transport.get_extra_info("peercert") or {}
        subject = {key: value for part in certificate.get("subject", ()) for key, value in part}
        headers: dict[str, list[str]] = {}
        for name, value in request.headers.items():
            headers.setdefault(name.lower(), []).append(value)
        streams = request.path.endswith("/stream")
        body = b"" if streams else await request.read()
        got = Got(request.method, request.raw_path, headers, subject.get("commonName", ""), body)
        self.requests.append(got)
        if self.answer is not None and (answer := self.answer(request)) is not None:
            return answer
        return await self._respond(request, body)

    async def _respond(self, request: web.BaseRequest, body: bytes) -> web.StreamResponse:
        match request.path.strip("/").split("/"):
            case ["apis", _, _]:
                return web.json_response(self._resource_list())
            case ["openapi", "v2"]:
                return web.json_response(_openapi_v2())
            case ["openapi", "v3"]:
                place = ROOT.strip("/")
                return web.json_response({"paths": {place: {"serverRelativeURL": f"/openapi/v3/{place}?hash=ABC"}}})
            case ["openapi", "v3", *_]:
                return web.json_response(_openapi_v3())
            case ["apis", _, _, "stream"]:
                return await _echoed(request)
            case ["apis", _, _, "socket"]:
                return await _socket(request)
            case ["apis", _, _, "flunders"] if request.method == "GET":
                return self._listed("")
            case ["apis", _, _, "namespaces", namespace, "flunders"] if request.method == "POST":
                return self._stored(namespace, json.loads(body))
            case ["apis", _, _, "namespaces", namespace, "flunders"]:
                if request.query.get("watch") in ("1", "true"):
                    return await self._watched(request)
                return self._listed(namespace)
            case ["apis", _, _, "namespaces", namespace, "flunders", name] if (namespace, name) in self.flunders:
                if request.method == "DELETE":
                    self._tell("DELETED", self.flunders[namespace, name])
                    return web.json_response(self.flunders.pop((namespace, name)))
                return web.json_response(self.flunders[namespace, name])
        status = {"kind": "Status", "apiVersion": "v1", "status": "Failure", "reason": "NotFound", "code": 404}
        return web.json_response({**status, "message": f"{request.path} not found"}, status=404)

    def _resource_list(self) -> Plain:
        resources = [
            {
                "name": each,
                "singularName": each.removesuffix("s"),
                "namespaced": True,
                "kind": each.removesuffix("s").capitalize(),
                "verbs": ["create", "delete", "get", "list", "watch"],
                "shortNames": [each[:2]],
            }
            for each in self.resources
        ]
        status = {"name": "flunders/status", "singularName": "", "namespaced": True, "kind": "Flunder", "verbs": ["get"]}
        return {
            "kind": "APIResourceList",
            "apiVersion": "v1",
            "groupVersion": f"{GROUP}/{VERSION}",
            "resources": [*resources, status],
        }

    def _stored(self, namespace: str, flunder: Plain) -> web.Response:
        self._revision += 1
        meta = {
            **flunder["metadata"],
            "namespace": namespace,
            "uid": f"u{self._revision}",
            "resourceVersion": str(self._revision),
            "creationTimestamp": "2026-01-01T00:00:00Z",
        }
        kept = {"kind": "Flunder", "apiVersion": f"{GROUP}/{VERSION}", **flunder, "metadata": meta}
        self.flunders[namespace, meta["name"]] = kept
        self._tell("ADDED", kept)
        return web.json_response(kept, status=201)

    def _listed(self, namespace: str) -> web.Response:
        items = [each for (where, _), each in sorted(self.flunders.items()) if namespace in ("", where)]
        meta = {"resourceVersion": str(self._revision)}
        listed = {"kind": "FlunderList", "apiVersion": f"{GROUP}/{VERSION}", "metadata": meta, "items": items}
        return web.json_response(listed)

    def _tell(self, kind: str, flunder: Plain) -> None:
        for queue in self._watchers:
            queue.put_nowait({"type": kind, "object": flunder})

    async def _watched(self, request: web.BaseRequest) -> web.StreamResponse:
        queue: asyncio.Queue[Plain] = asyncio.Queue()
        self._watchers.append(queue)
        response = web.StreamResponse(headers={"Content-Type": "application/json"})
        try:
            await response.prepare(request)
            while True:
                await response.write(json.dumps(await queue.get()).encode() + b"\n")
        finally:
            self._watchers.remove(queue)


async def _echoed(request: web.BaseRequest) -> web.StreamResponse:
    response = web.StreamResponse()
    await response.prepare(request)
    async for piece in request.content.iter_any():
        await response.write(piece)
    return response


async def _socket(request: web.BaseRequest) -> web.StreamResponse:
    socket = web.WebSocketResponse()
    await socket.prepare(request)
    async for message in socket:
        await socket.send_str(message.data.upper())
    return socket


def _openapi_v2() -> Plain:
    parameters = [
        {"in": "path", "name": "namespace", "type": "string", "required": True, "uniqueItems": True},
        {"in": "query", "name": "height", "type": "integer", "minimum": 0, "description": "How high at least."},
        {"$ref": "#/parameters/common"},
    ]
    listing = {
        "operationId": "listFlunders",
        "schemes": ["https"],
        "responses": {"200": {"description": "OK", "schema": {"$ref": "#/definitions/com.example.wardle.v1.Flunder"}}},
        "parameters": parameters,
    }
    return {
        "swagger": "2.0",
        "info": {"title": "wardle", "version": "0"},
        "paths": {
            f"{ROOT}/namespaces/{{namespace}}/flunders": {"get": listing},
            "/api/v1/nodes": {"get": {"operationId": "notTheirs", "responses": {}}},
        },
        "definitions": {
            "com.example.wardle.v1.Flunder": _SCHEMA,
            "io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta": _META,
        },
    }


def _openapi_v3() -> Plain:
    text = json.dumps({"com.example.wardle.v1.Flunder": _SCHEMA, "io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta": _META})
    schemas = json.loads(text.replace("#/definitions/", "#/components/schemas/"))
    content = {"application/json": {"schema": {"$ref": "#/components/schemas/com.example.wardle.v1.Flunder"}}}
    operation = {
        "operationId": "listFlunders",
        "responses": {"200": {"description": "OK", "content": content}},
        "x-kubernetes-action": "list",
        "x-kubernetes-group-version-kind": {"group": GROUP, "version": VERSION, "kind": "Flunder"},
    }
    return {
        "openapi": "3.0.0",
        "info": {"title": "wardle", "version": "0"},
        "paths": {f"{ROOT}/namespaces/{{namespace}}/flunders": {"get": operation}},
        "components": {"schemas": schemas},
    }


@asynccontextmanager
async def extension_server(
    ca: ThrowawayCa, front_proxy: ThrowawayCa, *, name: str = f"{SERVICE}.default.svc"
) -> AsyncIterator[ExtensionServer]:
    """Serves on a free port of 127.0.0.1, with a certificate for `name`."""
    files = ca.server(name, names=(name,))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(files.cert, files.key)
    context.load_verify_locations(front_proxy.ca)
    context.verify_mode = ssl.CERT_REQUIRED
    extension = ExtensionServer()
    runner = web.ServerRunner(
        web.Server(extension.serve, handler_cancellation=True), handle_signals=False, shutdown_timeout=0.1
    )
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=context).start()
    extension.port = runner.addresses[0][1]
    try:
        yield extension
    finally:
        await runner.cleanup()


async def make_pod(client: Client, kubelet_port: int, name: str = SERVICE) -> kinds.Pod:
    """A pod on node n1, whose kubelet listens on a port of 127.0.0.1."""
    await kubelet_node(client, kubelet_port)
    spec = PodSpec(containers=[Container(name="c", image="registry.local/extension:1")], node_name=NODE)
    return await client.create(kinds.Pod(metadata=ObjectMeta(name=name, namespace="default"), spec=spec))


async def make_service(client: Client, port: int = 443) -> None:
    ports = [ServicePort(name="https", port=port, target_port=PORT)]
    meta = ObjectMeta(name=SERVICE, namespace="default")
    await client.create(kinds.Service(metadata=meta, spec=ServiceSpec(ports=ports)))


def endpoints(pod: kinds.Pod) -> Endpoints:
    """Those of the Service when the pod serves it."""
    reference = ObjectReference(kind="Pod", name=pod.metadata.name, namespace="default", uid=pod.metadata.uid)
    address = EndpointAddress(ip="10.244.0.9", target_ref=reference)
    subset = EndpointSubset(addresses=[address], ports=[EndpointPort(name="https", port=PORT)])
    return Endpoints(metadata=ObjectMeta(name=SERVICE, namespace="default"), subsets=[subset])


def api_service(ca: ThrowawayCa | None, *, port: int = 443, group: str = GROUP, version: str = VERSION) -> APIService:
    """The APIService; without a CA any certificate will do."""
    spec = APIServiceSpec(
        group=group,
        version=version,
        service=APIServiceReference(name=SERVICE, namespace="default", port=port),
        ca_bundle="" if ca is None else base64.b64encode(ca.ca.read_bytes()).decode(),
        insecure_skip_tls_verify=ca is None,
        group_priority_minimum=2000,
        version_priority=20,
    )
    return APIService(metadata=ObjectMeta(name=f"{version}.{group}"), spec=spec)


async def behind(client: Client, kubelet: FakeKubelet, kubelet_port: int, extension: ExtensionServer) -> kinds.Pod:
    """Make the extension server what Service wardle of the default namespace leads to."""
    kubelet.backends[PORT] = extension.port
    pod = await make_pod(client, kubelet_port)
    await make_service(client)
    await client.create(endpoints(pod))
    return pod
