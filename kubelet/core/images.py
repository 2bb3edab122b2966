"""Image references, pull policies and registry credentials.

Source: the Kubernetes page "Images"; the reference grammar of the distribution project.
"""

import base64
import binascii
import json
import re
from collections.abc import Iterable
from typing import Any

from apimachinery.kinds import Container, Secret
from kubelet.core.environment import ConfigError, secret_data
from kubelet.core.model import RegistryLogin

_DEFAULT_REGISTRY = "docker.io"
_REFERENCE = re.compile(
    r"^(?:(?P<registry>[a-zA-Z0-9.-]+(?::\d+)?|\[[0-9a-fA-F:]+\](?::\d+)?)/)?"
    r"(?P<path>[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*(?:/[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*)*)"
    r"(?::(?P<tag>[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}))?(?:@(?P<digest>[a-z0-9+._-]+:[0-9a-fA-F]{32,}))?$"
)


class InvalidImageNameError(ValueError):
    """The text is no image reference."""


def normalize(image: str) -> str:
    """The full reference: registry, path, and tag or digest; raises InvalidImageNameError."""
    found = _REFERENCE.match(image)
    if found is None:
        raise InvalidImageNameError(f'couldn\'t parse image name "{image}": invalid reference format')
    registry, path, tag, digest = found.group("registry", "path", "tag", "digest")
    if registry is not None and not ("." in registry or ":" in registry or registry == "localhost"):
        registry, path = None, f"{registry}/{path}"
    if registry is None:
        registry = _DEFAULT_REGISTRY
        path = path if "/" in path else f"library/{path}"
    suffix = f"@{digest}" if digest else f":{tag or 'latest'}"
    return f"{registry}/{path}{suffix}"


def pull_policy(container: Container) -> str:
    """The container's policy, or the default that its tag implies."""
    if container.image_pull_policy:
        return container.image_pull_policy
    latest = container.image.endswith(":latest") or ":" not in container.image.rpartition("/")[2]
    return "Always" if latest and "@" not in container.image else "IfNotPresent"


def login_for(reference: str, secrets: Iterable[Secret]) -> RegistryLogin | None:
    """The credentials for a normalized reference in the pull secrets; the most specific entry wins."""
    best: tuple[int, RegistryLogin] | None = None
    for secret in secrets:
        for server, entry in _entries(secret).items():
            place = _place(server)
            if not _covers(place, reference):
                continue
            if best is None or len(place) > best[0]:
                best = len(place), _login(server, entry)
    return best[1] if best is not None else None


def _entries(secret: Secret) -> dict[str, dict[str, Any]]:
    """The `auths` of a dockerconfigjson or dockercfg secret; empty when it holds none."""
    try:
        data = secret_data(secret)
    except ConfigError:
        return {}
    for name, key in ((".dockerconfigjson", "auths"), (".dockercfg", "")):
        if name in data:
            try:
                plain = json.loads(data[name])
            except ValueError:
                return {}
            auths = plain.get(key, {}) if key else plain
            return {server: entry for server, entry in auths.items() if isinstance(entry, dict)}
    return {}


def _place(server: str) -> str:
    place = re.sub(r"^https?://", "", server).rstrip("/")
    place = re.sub(r"/v[12]$", "", place)
    return "docker.io" if place == "index.docker.io" else place


def _covers(place: str, reference: str) -> bool:
    """Whether a key such as `registry:5000/team` or `*.example.com` stands for the reference."""
    host, _, path = place.partition("/")
    registry, _, rest = reference.partition("/")
    if host.count(".") != registry.count("."):
        return False
    pattern = re.escape(host).replace(r"\*", "[^.]*")
    return re.fullmatch(pattern, registry) is not None and rest.startswith(path)


def _login(server: str, entry: dict[str, Any]) -> RegistryLogin:
    username, password = str(entry.get("username", "")), str(entry.get("password", ""))
    if entry.get("auth"):
        try:
            username, _, password = base64.b64decode(entry["auth"]).decode().partition(":")
        except (binascii.Error, UnicodeDecodeError):
            username = password = ""
    return RegistryLogin(
        server=server,
        username=username,
        password=password,
        identity_token=str(entry.get("identitytoken", "")),
        registry_token=str(entry.get("registrytoken", "")),
    )
