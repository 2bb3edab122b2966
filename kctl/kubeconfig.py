"""Which server to speak to, and as whom: kubeconfig files merged, then overridden by flags.

Files of KUBECONFIG are merged entry by entry, the first file to name an entry wins; --kubeconfig takes one file alone;
without either, ~/.kube/config. Relative paths in a file are relative to that file. `load` reads files; `resolve` is pure.
Source: the Kubernetes page "Organizing Cluster Access Using kubeconfig Files".
"""

import base64
import binascii
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

from kctl.errors import KctlError

DEFAULT_SERVER = "http://localhost:8080"
_SECTIONS = (("clusters", "cluster"), ("users", "user"), ("contexts", "context"))
_PATHS = {
    "cluster": ("certificate-authority",),
    "user": ("client-certificate", "client-key", "tokenFile"),
    "context": (),
}


@dataclass(frozen=True)
class Flags:
    """The options of kubectl that choose server and identity; None or "" when not given."""

    kubeconfig: str = ""
    context: str = ""
    cluster: str = ""
    user: str = ""
    namespace: str = ""
    server: str = ""
    token: str = ""
    certificate_authority: str = ""
    client_certificate: str = ""
    client_key: str = ""
    tls_server_name: str = ""
    insecure_skip_tls_verify: bool = False
    request_timeout_s: float = 0.0
    impersonate: str = ""
    impersonate_groups: tuple[str, ...] = ()
    impersonate_uid: str = ""
    impersonate_extra: tuple[str, ...] = ()


@dataclass(frozen=True)
class Connection:
    """All that a client needs: where, whom to trust, who we are. Certificates are PEM bytes; empty when there are none."""

    server: str
    namespace: str = "default"
    namespace_given: bool = False
    authority: bytes = b""
    certificate: bytes = field(default=b"", repr=False)
    key: bytes = field(default=b"", repr=False)
    token: str = field(default="", repr=False)
    tls_server_name: str = ""
    insecure: bool = False
    request_timeout_s: float = 0.0
    impersonation: tuple[tuple[str, str], ...] = ()
    """Headers that ask to be treated as somebody else."""


@dataclass
class Kubeconfig:
    """The merged files."""

    current_context: str = ""
    clusters: dict[str, dict[str, Any]] = field(default_factory=dict)
    users: dict[str, dict[str, Any]] = field(default_factory=dict)
    contexts: dict[str, dict[str, Any]] = field(default_factory=dict)


def paths(flag: str, environment: Mapping[str, str]) -> list[Path]:
    """The files to read, in their order of precedence."""
    if flag:
        return [Path(flag)]
    listed = [Path(part) for part in environment.get("KUBECONFIG", "").split(os.pathsep) if part]
    if listed:
        return listed
    home = environment.get("HOME", "")
    return [Path(home) / ".kube" / "config"] if home else []


def load(files: Sequence[Path], *, explicit: bool = False) -> Kubeconfig:
    """Read and merge; a missing file is an empty one unless it was asked for explicitly."""
    merged = Kubeconfig()
    for path in files:
        try:
            text = path.read_text()
        except FileNotFoundError as error:
            if explicit:
                raise KctlError(f"stat {path}: no such file or directory") from error
            continue
        except OSError as error:
            raise KctlError(f"cannot read kubeconfig {path}: {error.strerror}") from error
        merge(merged, _parse(text, path), path.resolve().parent)
    return merged


def merge(into: Kubeconfig, document: Mapping[str, Any], folder: Path) -> None:
    """Add the entries of one file that no earlier file has named."""
    into.current_context = into.current_context or document.get("current-context") or ""
    for plural, singular in _SECTIONS:
        known: dict[str, dict[str, Any]] = getattr(into, plural)
        for entry in document.get(plural) or ():
            name, body = entry.get("name", ""), dict(entry.get(singular) or {})
            for key in _PATHS[singular]:
                if body.get(key):
                    body[key] = str(folder / body[key])
            known.setdefault(name, body)


def resolve(config: Kubeconfig, flags: Flags) -> Connection:
    """The connection that the current (or named) context gives, with the flags' overrides; raises KctlError."""
    context = _entry(config.contexts, flags.context or config.current_context, "context", named=bool(flags.context))
    cluster = _entry(config.clusters, flags.cluster or context.get("cluster", ""), "cluster", named=bool(flags.cluster))
    user = _entry(config.users, flags.user or context.get("user", ""), "auth info", named=bool(flags.user))
    server = flags.server or cluster.get("server") or DEFAULT_SERVER
    if "://" not in server:
        server = f"http://{server}"
    if urlsplit(server).scheme not in ("http", "https"):
        raise KctlError(f'the server address "{server}" has no scheme that is spoken here: http or https')
    return Connection(
        server=server.rstrip("/"),
        namespace=flags.namespace or context.get("namespace") or "default",
        namespace_given=bool(flags.namespace),
        authority=_bytes_of(cluster, "certificate-authority", flags.certificate_authority),
        certificate=_bytes_of(user, "client-certificate", flags.client_certificate),
        key=_bytes_of(user, "client-key", flags.client_key),
        token=flags.token or user.get("token") or _token_file(user),
        tls_server_name=flags.tls_server_name or cluster.get("tls-server-name") or "",
        insecure=flags.insecure_skip_tls_verify or bool(cluster.get("insecure-skip-tls-verify")),
        request_timeout_s=flags.request_timeout_s,
        impersonation=tuple(_impersonation(user, flags)),
    )


def connection(flags: Flags, environment: Mapping[str, str]) -> Connection:
    """`paths`, `load` and `resolve` in one."""
    return resolve(load(paths(flags.kubeconfig, environment), explicit=bool(flags.kubeconfig)), flags)


def _impersonation(user: Mapping[str, Any], flags: Flags) -> Iterator[tuple[str, str]]:
    """The headers of `--as` and its like, or of the user's entry, which holds as long as no flag says `--as`."""
    name, groups, uid = flags.impersonate, list(flags.impersonate_groups), flags.impersonate_uid
    extra = [_extra(text) for text in flags.impersonate_extra]
    if not name:
        if groups or uid or extra:
            raise KctlError("requesting groups, uid or user-extra for a user without impersonating a user")
        name, groups, uid = user.get("as") or "", list(user.get("as-groups") or ()), str(user.get("as-uid") or "")
        extra = [(key, value) for key, values in (user.get("as-user-extra") or {}).items() for value in values or ()]
    if name:
        yield "Impersonate-User", name
    for group in groups:
        yield "Impersonate-Group", group
    if uid:
        yield "Impersonate-Uid", uid
    for key, value in extra:
        yield f"Impersonate-Extra-{quote(key, safe='')}", value


def _extra(text: str) -> tuple[str, str]:
    key, equals, value = text.partition("=")
    if not equals or not key:
        raise KctlError(f'invalid user-extra "{text}": expected KEY=VALUE')
    return key, value


def _parse(text: str, path: Path) -> dict[str, Any]:
    from kctl import manifests

    documents = manifests.parse(text, str(path))
    if not documents:
        return {}
    body = documents[0].body
    if not isinstance(body, dict):
        raise KctlError(f"kubeconfig {path} is no mapping")
    return body


def _entry(known: Mapping[str, dict[str, Any]], name: str, what: str, *, named: bool) -> dict[str, Any]:
    if name in known:
        return known[name]
    if named or (name and what == "context"):
        raise KctlError(
            f'{what} "{name}" does not exist' if what != "context" else f"context was not found for specified context: {name}"
        )
    return {}


def _bytes_of(entry: Mapping[str, Any], key: str, flag: str) -> bytes:
    if not flag and entry.get(f"{key}-data"):
        try:
            return base64.b64decode(entry[f"{key}-data"], validate=True)
        except binascii.Error as error:
            raise KctlError(f"{key}-data of the kubeconfig is no base64") from error
    path = flag or entry.get(key, "")
    if not path:
        return b""
    try:
        return Path(path).read_bytes()
    except OSError as error:
        raise KctlError(f"unable to read {key} {path}: {error.strerror}") from error


def _token_file(user: Mapping[str, Any]) -> str:
    path = user.get("tokenFile")
    if not path:
        return ""
    try:
        return Path(path).read_text().strip()
    except OSError as error:
        raise KctlError(f"unable to read tokenFile {path}: {error.strerror}") from error
