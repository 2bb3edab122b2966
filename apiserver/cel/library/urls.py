"""URLs: `url("https://host:443/path?q=1").getHost()`.

Source: the Kubernetes page "Common Expression Language in Kubernetes", "Kubernetes URL library".
"""

from dataclasses import dataclass
from urllib.parse import SplitResult, parse_qs, quote, unquote, urlsplit

from apiserver.cel.budget import Meter
from apiserver.cel.calls import Library
from apiserver.cel.errors import EvaluationError
from apiserver.cel.values import Opaque

_URL = "kubernetes.URL"
_PATH_SAFE = "/$&+,:;=@!'()*~"


@dataclass(frozen=True, slots=True)
class UrlValue(Opaque):
    """A URL in its parts."""

    parts: SplitResult
    type_name = _URL


def _parse(text: str) -> UrlValue:
    """Absolute URLs and absolute paths only, as requests have them."""
    try:
        if any(ord(character) <= 0x20 or ord(character) == 0x7F for character in text):
            raise ValueError("invalid character in URL")
        parts = urlsplit(text)
        _ = parts.port
        if not (parts.scheme and (parts.netloc or parts.path.startswith("/") or parts.path)) and not text.startswith("/"):
            raise ValueError("invalid URI for request")
        return UrlValue(parts)
    except ValueError as error:
        raise EvaluationError(f"URL parse error during conversion from string: {error}") from error


def is_url(text: str) -> bool:
    try:
        _parse(text)
    except EvaluationError:
        return False
    return True


def _host(value: UrlValue) -> str:
    return value.parts.netloc.rpartition("@")[2]


def _hostname(value: UrlValue) -> str:
    host = _host(value)
    if host.startswith("["):
        return host[1:].partition("]")[0]
    return host.partition(":")[0]


def _port(value: UrlValue) -> str:
    return "" if value.parts.port is None else str(value.parts.port)


def _query(meter: Meter, value: UrlValue) -> dict[str, list[str]]:
    meter.spend(len(value.parts.query))
    return parse_qs(value.parts.query, keep_blank_values=True, max_num_fields=1000)


def _path(value: UrlValue) -> str:
    return quote(unquote(value.parts.path), safe=_PATH_SAFE)


def declare(library: Library) -> None:
    library.function("url", "string", result=_URL, linear=True)(_parse)
    library.function("isURL", "string", result="bool", linear=True)(is_url)
    library.method("getScheme", _URL, result="string")(lambda value: value.parts.scheme)
    library.method("getHost", _URL, result="string")(_host)
    library.method("getHostname", _URL, result="string")(_hostname)
    library.method("getPort", _URL, result="string")(_port)
    library.method("getEscapedPath", _URL, result="string")(_path)
    library.method("getQuery", _URL, result="map<list<string>>", metered=True)(_query)
