"""Answers that are there as a whole: the bytes of one object, as nearly every answer is.

aiohttp's own responses collect headers in a map, look at them again from several sides and then write them. What is always the
same need not be found out each time: the head is formatted here, and leaves with the body in one write, which is one record of
TLS. Whatever is out of the ordinary (HEAD, HTTP/1.0, warnings) takes aiohttp's way.
"""

from datetime import datetime
from email.utils import formatdate
from functools import lru_cache
from http import HTTPStatus
from typing import Any

from aiohttp import HttpVersion11, web

JSON = "application/json"
_HEAD = b"HTTP/1.1 %d %b\r\nContent-Type: application/json\r\nContent-Length: %d\r\nDate: %b\r\n%b\r\n"


def json_answer(request: web.BaseRequest, body: bytes, code: int, now: datetime) -> web.StreamResponse:
    """An answer of JSON in the cheapest form that the request allows."""
    if request.method == "HEAD" or request.version != HttpVersion11:
        return web.Response(body=body, status=code, content_type=JSON)
    return Whole(body, code, now)


class Whole(web.StreamResponse):
    """A complete answer of JSON over HTTP/1.1; `now` is its Date."""

    def __init__(self, body: bytes, code: int, now: datetime) -> None:
        super().__init__(status=code)
        self._whole = body
        self._now_s = int(now.timestamp())
        self._stays_open: bool | None = None

    @property
    def keep_alive(self) -> bool | None:
        """Whether the connection stays open, once that is known."""
        return super().keep_alive if self._stays_open is None else self._stays_open

    async def prepare(self, request: web.BaseRequest) -> Any:
        """Write all of it; raises ConnectionResetError when the client has gone."""
        if self._stays_open is not None:
            return None
        chosen = super().keep_alive
        self._stays_open = request.keep_alive if chosen is None else chosen
        transport = request.transport
        if transport is None or transport.is_closing():
            raise ConnectionResetError("the client has gone")
        closing = b"" if self._stays_open else b"Connection: close\r\n"
        body, code = self._whole, self.status
        transport.write(_HEAD % (code, _phrase(code), len(body), _date(self._now_s), closing) + body)
        await request.writer.drain()
        return None

    async def write_eof(self, data: bytes = b"") -> None:
        """Nothing is left to be written."""


@lru_cache(maxsize=64)
def _phrase(code: int) -> bytes:
    return HTTPStatus(code).phrase.encode()


@lru_cache(maxsize=2)
def _date(second: int) -> bytes:
    return formatdate(second, usegmt=True).encode()
