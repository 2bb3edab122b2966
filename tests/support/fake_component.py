"""A component that does nothing but live: for tests of what starts, watches and stops components.

As an API server (by the kind in its configuration) it answers GET /api/v1/nodes over mutual TLS with every node of
its cluster, all Ready, and takes merge patches of their labels.
"""

import json
import signal
import socket
import socketserver
import ssl
import sys
import threading
from collections.abc import Sequence
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import yaml

from component_base import notify


def main(argv: Sequence[str] | None = None) -> int:
    """`--config FILE`: serve until SIGTERM."""
    path = Path((argv or sys.argv[1:])[1])
    document = yaml.safe_load(path.read_text())
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda number, frame: stop.set())
    if document["kind"] == "ApiServerConfiguration":
        _serve(document, path)
    print(f"{document['kind']} is ready", flush=True)
    notify.ready()
    while not stop.wait(0.5):
        pass
    return 0


class _Server(socketserver.ThreadingMixIn, HTTPServer):
    daemon_threads = True


def _serve(document: dict[str, Any], path: Path) -> None:
    ready = {"conditions": [{"type": "Ready", "status": "True"}]}
    names = [directory.name for directory in path.parents[2].iterdir()]
    nodes: dict[str, Any] = {name: {"metadata": {"name": name, "labels": {}}, "status": ready} for name in names}

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            self._answer({"metadata": {"resourceVersion": "1"}, "items": list(nodes.values())})

        def do_PATCH(self) -> None:
            patch = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            node = nodes[self.path.rpartition("/")[2]]
            node["metadata"]["labels"].update(patch["metadata"]["labels"])
            self._answer(node)

        def _answer(self, found: Any) -> None:
            body = json.dumps(found).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            print(format % args, flush=True)

    tls = document["tls"]
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tls["certFile"], tls["keyFile"])
    context.load_verify_locations(tls["clientCaFile"])
    context.verify_mode = ssl.CERT_REQUIRED
    server = _Server(("127.0.0.1", 0), Handler, bind_and_activate=False)
    server.socket.close()
    server.socket = context.wrap_socket(socket.socket(fileno=document["rest"]["listenFds"][0]), server_side=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
