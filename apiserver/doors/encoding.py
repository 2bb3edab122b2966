"""How a finished answer is put down for its client: as YAML for those who prefer that to JSON, compressed if it is large.

Rendering writes JSON; whoever prefers YAML is taken to ask for the same in JSON until the body is there. YAML is slow to write:
what is large is written in a thread, one at a time, while others are served. Large bodies are compressed for those who accept
gzip and are on another machine (docs/decisions/0014). What is neither is sent as it is, by whoever can do that cheapest.

Source: the Kubernetes pages "API Concepts", section "Alternate representations of resources", and the feature
APIResponseCompression, whose threshold this is.
"""

import asyncio
import ipaddress
from functools import lru_cache

import msgspec
from aiohttp import web
from isal import isal_zlib

from apimachinery.yaml_text import to_yaml
from apiserver.core.bodies import YAML_TYPES
from apiserver.core.negotiation import JSON, preferred

YAML = "application/yaml"
COMPRESSED_BYTES_MIN = 128 << 10
THREAD_BYTES_MIN = 64 << 10
_GZIP_WINDOW = 31  # a gzip header and trailer around deflate
_LEVEL = 1
_writing = asyncio.Lock()


def as_json(accept: str) -> str:
    """An Accept header for the rendering: JSON in the place of YAML where YAML is preferred, otherwise as it is."""
    return _with_json(accept) if "yaml" in accept and _prefers_yaml(accept) else accept


async def encoded(request: web.BaseRequest, response: web.StreamResponse) -> web.StreamResponse:
    """The answer as its client likes it; streams, and what has been sent already, are left alone."""
    if type(response) is not web.Response or response.prepared or not isinstance(response.body, bytes):
        return response
    if leaves_as_it_is(request, len(response.body)):
        return response
    if response.content_type == JSON and _prefers_yaml(request.headers.get("Accept", "")):
        response.body = await _yaml(response.body)
        response.content_type = YAML
    large = len(response.body) >= COMPRESSED_BYTES_MIN and "Content-Encoding" not in response.headers
    if large and _compresses(request):
        response.body = await asyncio.to_thread(isal_zlib.compress, response.body, _LEVEL, _GZIP_WINDOW)
        response.headers["Content-Encoding"] = "gzip"
        response.headers.add("Vary", "Accept-Encoding")
    return response


def leaves_as_it_is(request: web.BaseRequest, size_bytes: int) -> bool:
    """Whether `encoded` would change nothing about a body of JSON of this size."""
    accept = request.headers.get("Accept", "")
    if "yaml" in accept and _prefers_yaml(accept):
        return False
    return size_bytes < COMPRESSED_BYTES_MIN or not _compresses(request)


def _compresses(request: web.BaseRequest) -> bool:
    """Whether a large body is compressed for this client: it has to like that, and a network to cross."""
    return accepts_gzip(request.headers.get("Accept-Encoding", "")) and not is_local(request.remote or "")


@lru_cache(maxsize=1024)
def is_local(address: str) -> bool:
    """Whether a client's address is one of this machine's loopback."""
    try:
        return ipaddress.ip_address(address).is_loopback
    except ValueError:
        return False


@lru_cache(maxsize=64)
def accepts_gzip(header: str) -> bool:
    """Whether an Accept-Encoding header takes gzip (RFC 9110, section 12.5.3)."""
    for part in header.lower().split(","):
        coding, _, parameter = part.partition(";")
        if coding.strip() in ("gzip", "*"):
            quality = parameter.strip().removeprefix("q=").strip()
            return not quality or quality.strip("0.") != ""
    return False


async def _yaml(body: bytes) -> bytes:
    if len(body) < THREAD_BYTES_MIN:
        return _to_yaml(body)
    async with _writing:
        return await asyncio.to_thread(_to_yaml, body)


def _to_yaml(body: bytes) -> bytes:
    return to_yaml(msgspec.json.decode(body)).encode()


@lru_cache(maxsize=64)
def _prefers_yaml(accept: str) -> bool:
    return preferred(accept, (JSON, *YAML_TYPES)) in YAML_TYPES


@lru_cache(maxsize=64)
def _with_json(accept: str) -> str:
    for each in YAML_TYPES:
        accept = accept.replace(each, JSON)
    return accept
