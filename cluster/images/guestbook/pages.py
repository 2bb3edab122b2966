"""What the guestbook answers: a function of the request, the settings and what Redis says.

    /          a page (or JSON, when the client prefers it); counts a visit
    /count     JSON; counts a visit
    /healthz   200 while the process serves (liveness)
    /ready     200 when Redis answers a PING and the pod is not on its way out (readiness)

A visit is one pipeline: the counter rises, and the pod's name joins the last visits, of which Redis keeps `RECENT_MAX`.
"""

from __future__ import annotations

import json

from .http import Request, Response
from .resp import Pool, RedisError

RECENT_MAX = 12
GREETING_MAX_BYTES = 4096
_ESCAPES = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&#39;"})

_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>
:root {{ color-scheme: light dark; --accent: #0b6e8f; --line: #8883; }}
body {{ font: 17px/1.5 system-ui, sans-serif; max-width: 38rem; margin: 8vh auto; padding: 0 1.2rem; }}
h1 {{ font-size: 1.5rem; margin: 0; }}
.count {{ font-size: 5rem; font-weight: 700; line-height: 1.1; color: var(--accent); font-variant-numeric: tabular-nums; }}
code {{ font: 0.92em ui-monospace, monospace; }}
ol {{ list-style: none; margin: 0.5rem 0 0; padding: 0; }}
li {{ display: flex; justify-content: space-between; gap: 1rem; border-top: 1px solid var(--line); padding: 0.2rem 0; }}
a {{ color: var(--accent); }}
@media (prefers-color-scheme: dark) {{ :root {{ --accent: #5cc3e6; }} }}
</style>
</head>
<body>
<h1>{title}</h1>
<p>{greeting}</p>
<p><span class="count">{visits}</span><br>visits. <a href="/">Visit again</a></p>
<p>This page came from pod <code>{pod}</code>{node}.</p>
<h2 style="font-size:1rem">Who answered last</h2>
<ol>
{recent}
</ol>
</body>
</html>
"""


class Settings:
    """What the environment says; every value is text as it is to be shown, not yet escaped.

    `greeting_file` is read anew for each answer, so that a change of a mounted ConfigMap shows without a restart; `greeting` is
    used while there is no such file.
    """

    def __init__(self, *, title: str, greeting: str, greeting_file: str, pod: str, node: str) -> None:
        self.title = title
        self.greeting = greeting
        self.greeting_file = greeting_file
        self.pod = pod
        self.node = node

    def current_greeting(self) -> str:
        """The greeting of the mounted file if there is one, else that of the environment."""
        try:
            with open(self.greeting_file, "rb") as stream:
                return stream.read(GREETING_MAX_BYTES).decode(errors="replace").strip()
        except OSError:
            return self.greeting


class Guestbook:
    """Answers requests; `draining` is set from outside once the pod is on its way out."""

    def __init__(self, settings: Settings, redis: Pool) -> None:
        self._settings = settings
        self._redis = redis
        self.draining = False

    def answer(self, request: Request) -> Response:
        """The response to a request; never raises for what a client or Redis does."""
        if request.method not in ("GET", "HEAD"):
            return Response(405, "text/plain; charset=utf-8", "only GET and HEAD\n", {"Allow": "GET, HEAD"})
        if request.path == "/healthz":
            return _text(200, "ok")
        if request.path == "/ready":
            return self._ready()
        if request.path not in ("/", "/count"):
            return _text(404, "not found; try / or /count")
        as_json = request.path == "/count" or request.wants_json()
        return self._visit(as_json=as_json, counts=request.method == "GET")

    def _ready(self) -> Response:
        if self.draining:
            return _text(503, "on the way out")
        try:
            self._redis.ask(("PING",))
        except RedisError as error:
            return _text(503, str(error))
        return _text(200, "ready")

    def _visit(self, *, as_json: bool, counts: bool) -> Response:
        where = f"{self._settings.pod} {self._settings.node}".strip()
        count = ("INCR", "guestbook:visits") if counts else ("GET", "guestbook:visits")
        record = [("LPUSH", "guestbook:recent", where), ("LTRIM", "guestbook:recent", "0", str(RECENT_MAX - 1))]
        listing = ("LRANGE", "guestbook:recent", "0", "-1")
        try:
            replies = self._redis.ask(count, *(record if counts else ()), listing)
        except RedisError as error:
            return self._unavailable(str(error), as_json=as_json)
        visits = int(str(replies[0] or 0))
        recent = replies[-1]
        return self._shown(visits, recent if isinstance(recent, list) else [], as_json=as_json)

    def _shown(self, visits: int, recent: list[str], *, as_json: bool) -> Response:
        settings = self._settings
        greeting = settings.current_greeting()
        if as_json:
            fields = {
                "title": settings.title,
                "greeting": greeting,
                "visits": visits,
                "pod": settings.pod,
                "node": settings.node,
            }
            return _json(200, fields)
        rows = []
        for age, where in enumerate(recent):
            pod, _, node = where.partition(" ")
            rows.append(f"<li><code>{escape(pod)}</code><span>{escape(node)}</span><span>#{visits - age}</span></li>")
        body = _PAGE.format(
            title=escape(settings.title),
            greeting=escape(greeting),
            visits=visits,
            pod=escape(settings.pod),
            node=f" on node <code>{escape(settings.node)}</code>" if settings.node else "",
            recent="\n".join(rows),
        )
        return Response(200, "text/html; charset=utf-8", body)

    def _unavailable(self, why: str, *, as_json: bool) -> Response:
        if as_json:
            response = _json(503, {"error": why, "pod": self._settings.pod})
        else:
            response = _text(503, f"The guestbook cannot reach its memory just now: {why}")
        response.headers["Retry-After"] = "1"
        return response


def escape(text: str) -> str:
    """Text for use inside HTML elements and attributes."""
    return text.translate(_ESCAPES)


def _text(status: int, line: str) -> Response:
    return Response(status, "text/plain; charset=utf-8", line + "\n")


def _json(status: int, fields: dict[str, object]) -> Response:
    return Response(status, "application/json", json.dumps(fields, ensure_ascii=False) + "\n")
