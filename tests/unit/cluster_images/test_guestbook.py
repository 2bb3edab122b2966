"""The guestbook's decisions: requests it understands, answers it gives, words it speaks to Redis."""

from __future__ import annotations

import io
import json
from dataclasses import dataclass, field

import pytest

from cluster.images.guestbook.http import BadRequest, Request, read_request
from cluster.images.guestbook.pages import Guestbook, Settings
from cluster.images.guestbook.resp import RedisError, encode


class FakeRedis:
    """Counts, and fails on demand."""

    def __init__(self) -> None:
        self.visits = 0
        self.recent: list[str] = []
        self.down = False

    def ask(self, *commands: tuple[str, ...]) -> list[object]:
        if self.down:
            raise RedisError("cannot connect")
        return [self._do(*command) for command in commands]

    def _do(self, name: str, *arguments: str) -> object:
        match name:
            case "PING":
                return "PONG"
            case "INCR":
                self.visits += 1
                return self.visits
            case "GET":
                return str(self.visits) if self.visits else None
            case "LPUSH":
                self.recent.insert(0, arguments[1])
                return len(self.recent)
            case "LTRIM":
                del self.recent[int(arguments[2]) + 1 :]
                return "OK"
            case "LRANGE":
                return list(self.recent)
        raise AssertionError(name)


def guestbook(redis: FakeRedis, **changes: str) -> Guestbook:
    fields = {"title": "A <Title>", "greeting": "Hi & welcome", "greeting_file": "/absent", "pod": "web-1", "node": "n1"}
    return Guestbook(Settings(**{**fields, **changes}), redis)


def get(path: str, method: str = "GET", **headers: str) -> Request:
    return Request(method, path, headers, True)


@dataclass(frozen=True)
class Answer:
    id: str
    request: Request
    status: int
    holds: str = ""
    counts: bool = False
    down: bool = False
    draining: bool = False


ANSWERS = (
    Answer("page counts", get("/"), 200, "<title>A &lt;Title&gt;</title>", counts=True),
    Answer("page escapes the greeting", get("/"), 200, "Hi &amp; welcome", counts=True),
    Answer("query is ignored", get("/?x=1"), 200, counts=True),
    Answer("page names pod and node", get("/"), 200, "<code>web-1</code> on node <code>n1</code>", counts=True),
    Answer("browser gets a page", get("/", accept="text/html,application/json;q=0.9"), 200, "<!doctype", counts=True),
    Answer("client that wants JSON", get("/", accept="application/json"), 200, '"visits": 1', counts=True),
    Answer("count", get("/count"), 200, '"pod": "web-1"', counts=True),
    Answer("HEAD does not count", get("/", method="HEAD"), 200),
    Answer("alive", get("/healthz"), 200),
    Answer("alive without Redis", get("/healthz"), 200, down=True),
    Answer("ready", get("/ready"), 200),
    Answer("not ready without Redis", get("/ready"), 503, "cannot connect", down=True),
    Answer("not ready on the way out", get("/ready"), 503, "on the way out", draining=True),
    Answer("serves on the way out", get("/"), 200, counts=True, draining=True),
    Answer("page without Redis", get("/"), 503, "cannot connect", down=True),
    Answer("count without Redis", get("/count"), 503, '"error"', down=True),
    Answer("unknown path", get("/favicon.ico"), 404),
    Answer("other method", get("/", method="POST"), 405),
)


@pytest.mark.parametrize("case", ANSWERS, ids=lambda case: case.id)
def test_answer(case: Answer) -> None:
    redis = FakeRedis()
    redis.down = case.down
    book = guestbook(redis)
    book.draining = case.draining
    response = book.answer(case.request)
    assert response.status == case.status
    assert case.holds in response.body.decode()
    assert redis.visits == int(case.counts)


def test_last_visits_are_bounded_and_newest_first() -> None:
    redis = FakeRedis()
    for number in range(30):
        body = guestbook(redis, pod=f"web-{number}").answer(get("/")).body.decode()
    assert len(redis.recent) == 12
    assert body.index("web-29") < body.index("web-28")
    assert body.count("<li>") == 12


def test_mounted_greeting_wins_and_is_read_anew(tmp_path) -> None:
    path = tmp_path / "greeting"
    book = guestbook(FakeRedis(), greeting_file=str(path))

    def greeting() -> str:
        return json.loads(book.answer(get("/count")).body)["greeting"]

    assert greeting() == "Hi & welcome"
    path.write_text("first\n")
    assert greeting() == "first"
    path.write_text("second\n")
    assert greeting() == "second"


@dataclass(frozen=True)
class Wire:
    id: str
    data: bytes
    want: tuple[str, str, bool] | int | None
    headers: dict[str, str] = field(default_factory=dict)


WIRE = (
    Wire("HTTP/1.1 keeps alive", b"GET / HTTP/1.1\r\nHost: a\r\n\r\n", ("GET", "/", True), {"host": "a"}),
    Wire("close is honoured", b"GET /x?y HTTP/1.1\r\nConnection: Close\r\n\r\n", ("GET", "/x", False)),
    Wire("HTTP/1.0 closes", b"GET / HTTP/1.0\r\n\r\n", ("GET", "/", False)),
    Wire("HTTP/1.0 can keep alive", b"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", ("GET", "/", True)),
    Wire("closed connection", b"", None),
    Wire("not HTTP", b"\x16\x03\x01\x02\r\n", 400),
    Wire("no path", b"GET * HTTP/1.1\r\n\r\n", 400),
    Wire("other version", b"GET / HTTP/2.0\r\n\r\n", 505),
    Wire("not a header", b"GET / HTTP/1.1\r\nnonsense\r\n\r\n", 400),
    Wire("space before the colon", b"GET / HTTP/1.1\r\nHost : a\r\n\r\n", 400),
    Wire("broken off", b"GET / HTTP/1.1\r\nHos", 400),
    Wire("body", b"POST / HTTP/1.1\r\nContent-Length: 3\r\n\r\nabc", 413),
    Wire("chunked body", b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n", 413),
    Wire("long line", b"GET /" + b"a" * 9000 + b" HTTP/1.1\r\n\r\n", 431),
    Wire("many headers", b"GET / HTTP/1.1\r\n" + b"A: b\r\n" * 101 + b"\r\n", 431),
)


@pytest.mark.parametrize("case", WIRE, ids=lambda case: case.id)
def test_read_request(case: Wire) -> None:
    stream = io.BufferedReader(io.BytesIO(case.data))
    if isinstance(case.want, int):
        with pytest.raises(BadRequest) as caught:
            read_request(stream)
        assert caught.value.status == case.want
        return
    request = read_request(stream)
    assert (request and (request.method, request.path, request.keep_alive)) == case.want
    if request is not None:
        assert case.headers.items() <= request.headers.items()


def test_commands_are_arrays_of_bulk_strings_with_lengths_in_bytes() -> None:
    assert encode("SET", "ä", "") == b"*3\r\n$3\r\nSET\r\n$2\r\n\xc3\xa4\r\n$0\r\n\r\n"
