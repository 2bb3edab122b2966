"""Sockets, threads and the way out of the guestbook.

The main thread accepts; each connection gets a thread, at most `CONNECTIONS_MAX` at a time (further ones wait in the backlog).

On SIGTERM the pod is on its way out while the cluster still sends it requests, until every node has heard of it. So the
server goes on serving for `drain_s`, says so to the readiness probe and closes each connection after its answer; then it
accepts what already waits in the backlog, stops listening, lets what is in flight finish (`FLIGHT_TIMEOUT_S`), and exits 0. A
second signal ends it at once. A new connection counts as in flight until its first answer, an idle one does not.
"""

from __future__ import annotations

import json
import os
import select
import signal
import socket
import threading
import time
from io import BufferedReader

from .http import BadRequest, Request, Response, read_request
from .pages import Guestbook, Settings
from .resp import Pool

CONNECTIONS_MAX = 128
BACKLOG = 512
IDLE_TIMEOUT_S = 15.0
FLIGHT_TIMEOUT_S = 5.0
REDIS_TIMEOUT_S = 1.0
THREAD_STACK_BYTES = 256 * 1024
_PROBES = ("/healthz", "/ready")


def log(message: str, **fields: object) -> None:
    """One JSON line on standard output, or nothing when its reader does not keep up.

    Standard output is a pipe to the container runtime and does not block (`main`): while a runtime is down the pipe fills, and
    a server that waited for room would stop answering.
    """
    line = json.dumps({"message": message, **fields}, ensure_ascii=False) + "\n"
    try:
        os.write(1, line.encode())
    except BlockingIOError:
        return


class Server:
    """Serves `guestbook` on a listening socket until `stop` was called and the drain is over."""

    def __init__(self, guestbook: Guestbook, listener: socket.socket, drain_s: float) -> None:
        self._guestbook = guestbook
        self._listener = listener
        self._drain_s = drain_s
        self._slots = threading.BoundedSemaphore(CONNECTIONS_MAX)
        self._lock = threading.Lock()
        self._busy: set[socket.socket] = set()
        self._wake_reader, self._wake_writer = socket.socketpair()

    def stop(self) -> None:
        """Begin the drain; may be called from a signal handler."""
        self._guestbook.draining = True
        self._wake_writer.send(b"x")

    def serve(self) -> None:
        """Accept until stopped, then drain. Returns when no request is in flight, or none will finish in time."""
        self._listener.setblocking(False)
        deadline: float | None = None
        while deadline is None or time.monotonic() < deadline:
            wait_s = None if deadline is None else max(0.0, deadline - time.monotonic())
            ready, _, _ = select.select([self._listener, self._wake_reader], [], [], wait_s)
            if self._wake_reader in ready:
                self._wake_reader.recv(64)
                deadline = deadline or time.monotonic() + self._drain_s
            if self._listener in ready:
                self._accept()
        while self._accept():
            pass  # these clients were let in by the kernel before the end; they get their answer
        self._listener.close()
        self._finish()

    def _accept(self) -> bool:
        try:
            connection, _ = self._listener.accept()
        except BlockingIOError:
            return False
        except ConnectionAbortedError:
            return True  # this client is gone; another may wait
        self._slots.acquire()
        connection.settimeout(IDLE_TIMEOUT_S)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        with self._lock:
            self._busy.add(connection)
        threading.Thread(target=self._converse, args=(connection,), daemon=True).start()
        return True

    def _finish(self) -> None:
        """Wait for what is in flight; a connection that only idles is not waited for."""
        deadline = time.monotonic() + FLIGHT_TIMEOUT_S
        while time.monotonic() < deadline:
            with self._lock:
                if not self._busy:
                    return
            time.sleep(0.02)
        log("gave up on requests in flight", count=len(self._busy))

    def _converse(self, connection: socket.socket) -> None:
        """Serve one connection until either side ends it."""
        try:
            with connection, connection.makefile("rb") as stream:
                while self._serve_one(connection, stream):
                    pass
        except OSError as error:
            log("connection lost", error=str(error))
        finally:
            with self._lock:
                self._busy.discard(connection)
            self._slots.release()

    def _serve_one(self, connection: socket.socket, stream: BufferedReader) -> bool:
        """Answer one request; whether the connection stays open for another."""
        try:
            request = read_request(stream)
        except TimeoutError:
            return False  # an idle client, which may come back on a new connection
        except BadRequest as error:
            refusal = Response(error.status, "text/plain; charset=utf-8", f"{error}\n")
            connection.sendall(refusal.encode(head_only=False, keep_alive=False))
            return False
        if request is None:
            return False
        with self._lock:
            self._busy.add(connection)
        started = time.monotonic()
        response = self._guestbook.answer(request)
        keep_alive = request.keep_alive and not self._guestbook.draining
        connection.sendall(response.encode(head_only=request.method == "HEAD", keep_alive=keep_alive))
        _record(request, response, time.monotonic() - started)
        with self._lock:
            self._busy.discard(connection)
        return keep_alive


def _record(request: Request, response: Response, seconds: float) -> None:
    if request.path in _PROBES and response.status == 200:
        return
    milliseconds = round(seconds * 1000, 1)
    log("served", method=request.method, path=request.path, status=response.status, milliseconds=milliseconds)


def main() -> None:
    """Serve as the environment says.

    PORT, ADDRESS, GUESTBOOK_TITLE, GUESTBOOK_GREETING, GUESTBOOK_GREETING_FILE, GUESTBOOK_DRAIN_SECONDS, GUESTBOOK_REDIS_HOST,
    GUESTBOOK_REDIS_PORT, REDIS_PASSWORD, POD_NAME (the host name if absent), NODE_NAME. (A Service named `redis` makes
    Kubernetes put a REDIS_PORT of another meaning into the environment.)
    """
    env = os.environ
    pod = env.get("POD_NAME") or socket.gethostname()
    settings = Settings(
        title=env.get("GUESTBOOK_TITLE", "Guestbook"),
        greeting=env.get("GUESTBOOK_GREETING", "Welcome aboard."),
        greeting_file=env.get("GUESTBOOK_GREETING_FILE", "/etc/guestbook/greeting"),
        pod=pod,
        node=env.get("NODE_NAME", ""),
    )
    host, redis_port = env.get("GUESTBOOK_REDIS_HOST", "redis"), int(env.get("GUESTBOOK_REDIS_PORT", "6379"))
    redis = Pool(host, redis_port, env.get("REDIS_PASSWORD", ""), REDIS_TIMEOUT_S)
    threading.stack_size(THREAD_STACK_BYTES)
    os.set_blocking(1, False)
    port = int(env.get("PORT", "8080"))
    listener = socket.create_server((env.get("ADDRESS", ""), port), backlog=BACKLOG)
    guestbook = Guestbook(settings, redis)
    server = Server(guestbook, listener, float(env.get("GUESTBOOK_DRAIN_SECONDS", "2")))

    def leave(number: int, frame: object) -> None:
        if guestbook.draining:
            os._exit(128 + number)  # asked twice; the default action would not end the first process of a container
        log("draining")
        server.stop()

    signal.signal(signal.SIGTERM, leave)
    signal.signal(signal.SIGINT, leave)
    log("serving", port=port, pod=pod)
    server.serve()
    log("stopped")
    os._exit(0)  # idle connections and their threads are not waited for
