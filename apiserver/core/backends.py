"""Where a backend is asked, and which of its answers count; see `ports.Backends`.

A backend is always HTTPS. Its URL cannot carry anything that would change what is asked or who asks: no user, no query, no
fragment. Source: the Kubernetes page "Dynamic Admission Control", section "Contacting the webhook".
"""

from urllib.parse import quote, urlsplit

ANSWER_BYTES_MAX = 16 << 20
_SHOWN_CHARACTERS_MAX = 256
_FORM = "desired format: https://host[/path]"


def url_faults(url: str) -> list[str]:
    """What is wrong with the URL of a backend, in sentences; none when it can be used."""
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError as error:
        return [f"url must be a valid URL: {error}; {_FORM}"]
    faults = []
    if parts.scheme != "https":
        faults.append(f"'https' is the only allowed URL scheme; {_FORM}")
    if not host:
        faults.append(f"host must be specified; {_FORM}")
    if "@" in parts.netloc:
        faults.append("user information is not permitted in the URL")
    if "#" in url:
        faults.append("fragments are not permitted in the URL")
    if "?" in url:
        faults.append("query parameters are not permitted in the URL")
    if any(character <= " " or character == "\x7f" for character in url):
        faults.append("white space and control characters are not permitted in the URL")
    return faults


def server_name(namespace: str, service: str) -> str:
    """The name that the certificate of a service's backend must be for."""
    return f"{service}.{namespace}.svc"


def service_origin(namespace: str, service: str, port: int) -> str:
    """Scheme, name and port under which a service's backend is asked."""
    return f"https://{server_name(namespace, service)}:{port}"


def asked_url(base: str, path: str, timeout_s: float) -> str:
    """The whole URL of a call: it tells the backend how long it has."""
    if not urlsplit(base).path and not path.startswith("/"):
        path = f"/{path}"
    return f"{base}{quote(path, safe='/:@!$&()*+,;=-._~%')}?timeout={timeout_s:.6g}s"


def status_fault(status: int, reason: str, body: bytes) -> str:
    """Why an answer with this status does not count; "" when it does."""
    if status == 200:
        return ""
    if 300 <= status < 400:
        return f"the server answered with a redirect ({status}), which is not followed"
    said = " ".join(body[: 4 * _SHOWN_CHARACTERS_MAX].decode(errors="replace").split())[:_SHOWN_CHARACTERS_MAX]
    return f"the server answered with status code {status}{f' ({reason})' if reason else ''}{f': {said}' if said else ''}"


def size_fault() -> str:
    """Why an answer that is too long does not count."""
    return f"the answer is larger than the limit of {ANSWER_BYTES_MAX} bytes"
