"""What the proxy subresource asks for, and what of a request and an answer is passed on.

A name may carry a scheme and a port: `NAME`, `NAME:PORT`, `SCHEME:NAME:PORT`. What belongs to one connection, and what
says who the caller is to us, stays here. A redirect to the backend itself is rewritten so that it leads through the
proxy again; nothing here follows one. Source: the Kubernetes page "Access Services Running on Clusters"; RFC 9110,
section 7.6.1.
"""

from collections.abc import Iterable, Sequence
from urllib.parse import urlsplit, urlunsplit

import msgspec

from apimachinery import errors
from apimachinery.kinds import Endpoints, Pod, Service
from apiserver.core.channels import without_bearer

_HOP_BY_HOP = frozenset(
    (
        "connection",
        "keep-alive",
        "proxy-authenticate",
        "proxy-authorization",
        "proxy-connection",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    )
)
_IDENTITY = frozenset(("authorization",))
_IDENTITY_PREFIXES = ("impersonate-", "x-remote-")
_UPGRADE = ("connection", "upgrade")
_PROTOCOLS = "sec-websocket-protocol"

Pairs = Sequence[tuple[str, str]]


class Subject(msgspec.Struct, frozen=True):
    """What a name in a proxy path means; `port` as it was written, "" for the default."""

    secure: bool
    name: str
    port: str


class Backend(msgspec.Struct, frozen=True):
    """A pod that an endpoint stands for, and the port on it."""

    pod: str
    uid: str
    port: int


def parse_subject(kind: str, text: str) -> Subject:
    """Split a name; raises ApiError (400)."""
    match text.split(":"):
        case [name] if name:
            return Subject(False, name, "")
        case [name, port] if name:
            return Subject(False, name, port)
        case [("" | "http" | "https") as scheme, name, port] if name:
            return Subject(scheme == "https", name, port)
        case _:
            raise errors.bad_request(f'invalid {kind} request "{text}"')


def pod_port(pod: Pod, subject: Subject) -> int:
    """The port on a pod: the one that is named, else its first, else the scheme's; raises ApiError (400)."""
    ports = [port for container in pod.spec.containers for port in container.ports]
    if not subject.port:
        return ports[0].container_port if ports else (443 if subject.secure else 80)
    for each in ports:
        if each.name and each.name == subject.port:
            return each.container_port
    return number_of_port("pod", subject)


def number_of_port(kind: str, subject: Subject) -> int:
    """The port as a number; raises ApiError (400)."""
    text = subject.port
    if not (text.isascii() and text.isdigit() and len(text) < 6 and 0 < int(text) < 65536):
        raise errors.bad_request(f'invalid {kind} request: "{text}" is not a port')
    return int(text)


def backends(service: Service, endpoints: Endpoints | None, subject: Subject) -> list[Backend]:
    """The pods that serve the port of a service; raises ApiError (503) when there are none."""
    wanted = _service_port(service, subject)
    found = []
    for subset in (endpoints.subsets if endpoints is not None else ()) or ():
        port = next((each.port for each in subset.ports if each.name == wanted), None)
        for address in subset.addresses if port else ():
            target = address.target_ref
            if target is not None and target.kind == "Pod" and port is not None:
                found.append(Backend(target.name, target.uid, port))
    if not found:
        raise errors.unavailable(f'no endpoints available for service "{subject.name}"')
    return found


def _service_port(service: Service, subject: Subject) -> str:
    """The name of the service's port that is meant."""
    ports, text = service.spec.ports, subject.port
    if not text and len(ports) == 1:
        return ports[0].name
    if text.isascii() and text.isdigit():
        for each in ports:
            if each.port == int(text):
                return each.name
        raise errors.unavailable(f'no service port {text} found for service "{subject.name}"')
    return text


def forwarded_headers(headers: Pairs, *, upgrade: bool, client: str, path: str, host: str) -> list[tuple[str, str]]:
    """The headers of a request that go on to the backend, and those that tell it of the way here."""
    drop = _dropped(headers) - (frozenset(_UPGRADE) if upgrade else frozenset())
    kept = [(name, value) for name, value in headers if _passes(name.lower(), drop)]
    protocols = [(name, without_bearer(value)) for name, value in kept if name.lower() == _PROTOCOLS]
    kept = [pair for pair in kept if pair[0].lower() != _PROTOCOLS] + [pair for pair in protocols if pair[1]]
    before = ", ".join(value for name, value in headers if name.lower() == "x-forwarded-for")
    kept = [(name, value) for name, value in kept if name.lower() not in ("x-forwarded-for", "x-forwarded-uri")]
    kept.append(("X-Forwarded-For", f"{before}, {client}" if before else client))
    kept.append(("X-Forwarded-Uri", path))
    given = {name.lower() for name, _ in kept}
    if "x-forwarded-host" not in given and host:
        kept.append(("X-Forwarded-Host", host))
    if "x-forwarded-proto" not in given:
        kept.append(("X-Forwarded-Proto", "https"))
    return kept


def returned_headers(headers: Pairs, *, upgrade: bool = False) -> list[tuple[str, str]]:
    """The headers of an answer that go back to the client."""
    drop = _dropped(headers) - (frozenset(_UPGRADE) if upgrade else frozenset())
    return [(name, value) for name, value in headers if name.lower() not in drop]


def rewritten_location(location: str, *, prefix: str, own_host: str, backend_hosts: Iterable[str]) -> str:
    """Where a redirect leads: through the proxy at `prefix` if it stays at the backend, else where it says."""
    try:
        parts = urlsplit(location)
    except ValueError:
        return location
    if not parts.path.startswith("/") or (parts.netloc and parts.netloc not in (own_host, *backend_hosts)):
        return location
    if parts.path == prefix or parts.path.startswith(f"{prefix}/"):
        return location
    scheme, netloc = ("https", own_host) if parts.netloc else ("", "")
    return urlunsplit((scheme, netloc, prefix + parts.path, parts.query, parts.fragment))


def _dropped(headers: Pairs) -> frozenset[str]:
    """The hop-by-hop headers, those that `Connection` names among them."""
    named = {each.strip().lower() for name, value in headers if name.lower() == "connection" for each in value.split(",")}
    return _HOP_BY_HOP | named


def _passes(name: str, drop: frozenset[str]) -> bool:
    return name not in drop and name not in _IDENTITY and not name.startswith(_IDENTITY_PREFIXES)
