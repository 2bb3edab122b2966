"""A component that does nothing but live: for tests of what starts, watches and stops components.

As an API server (by the kind in its configuration) it answers GET /api/v1/nodes over mutual TLS with every node of
its cluster, all Ready.
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
    nodes = [
        {"metadata": {"name": directory.name}, "status": {"conditions": [{"type": "Ready", "status": "True"}]}}
        for directory in path.parents[2].iterdir()
    ]

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            body = json.dumps({"metadata": {"resourceVersion": "1"}, "items": nodes}).encode()
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
