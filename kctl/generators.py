"""Objects from options, as `create TYPE NAME ...` makes them: pure but for the files that are named."""

import base64
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from kctl.errors import KctlError

_KEY = re.compile(r"^[-._a-zA-Z0-9]+$")


def namespace(name: str) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}


def service_account(name: str) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": name}}


def config_map(name: str, entries: dict[str, bytes]) -> dict[str, Any]:
    """Texts go into `data`, everything that is no UTF-8 into `binaryData`."""
    data: dict[str, str] = {}
    binary: dict[str, str] = {}
    for key, value in entries.items():
        try:
            data[key] = value.decode()
        except UnicodeDecodeError:
            binary[key] = base64.b64encode(value).decode()
    made: dict[str, Any] = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}}
    return {**made, **({"data": data} if data else {}), **({"binaryData": binary} if binary else {})}


def secret(name: str, entries: dict[str, bytes], kind: str = "") -> dict[str, Any]:
    data = {key: base64.b64encode(value).decode() for key, value in entries.items()}
    made: dict[str, Any] = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name}}
    return {**made, **({"type": kind} if kind else {}), **({"data": data} if data else {})}


def deployment(name: str, images: Sequence[str], replicas: int, port: int, command: Sequence[str]) -> dict[str, Any]:
    """A Deployment with a container for each image, named after it; raises KctlError."""
    if not images:
        raise KctlError('required flag(s) "image" not set')
    if command and len(images) > 1:
        raise KctlError("cannot specify multiple --image options and command")
    containers: list[dict[str, Any]] = [{"name": container_name(image), "image": image} for image in images]
    if command:
        containers[0]["command"] = list(command)
    if port > 0:
        for container in containers:
            container["ports"] = [{"containerPort": port}]
    labels = {"app": name}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name, "labels": labels},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": labels},
            "template": {"metadata": {"labels": labels}, "spec": {"containers": containers}},
        },
    }


def service(
    name: str, kind: str, ports: Sequence[str], *, cluster_ip: str = "", node_port: int = 0, external_name: str = ""
) -> dict[str, Any]:
    """A Service that selects `app: NAME`; ports are PORT[:TARGET]. Raises KctlError."""
    listed = [_service_port(text, node_port) for each in ports for text in each.split(",")]
    spec: dict[str, Any] = {"type": kind, "selector": {"app": name}}
    if listed:
        spec["ports"] = listed
    if kind == "ExternalName":
        if not external_name:
            raise KctlError('required flag(s) "external-name" not set')
        spec["externalName"] = external_name
    elif not listed and cluster_ip != "None":
        raise KctlError("at least one tcp port specifier must be provided")
    if cluster_ip:
        spec["clusterIP"] = cluster_ip
    return {"apiVersion": "v1", "kind": "Service", "metadata": {"name": name, "labels": {"app": name}}, "spec": spec}


def entries(literals: Sequence[str], files: Sequence[str], env_files: Sequence[str]) -> dict[str, bytes]:
    """The entries of --from-literal, --from-file and --from-env-file; raises KctlError."""
    if env_files and (literals or files):
        raise KctlError("from-env-file cannot be combined with from-file or from-literal")
    found: dict[str, bytes] = {}
    for text in literals:
        key, equals, value = text.partition("=")
        if not equals or not key:
            raise KctlError(f"invalid literal source {text}, expected key=value")
        _add(found, key, value.encode())
    for text in files:
        for key, path in _file_source(text):
            _add(found, key, read(path))
    for text in env_files:
        for number, line in enumerate(read(Path(text)).decode().splitlines(), 1):
            _add_environment(found, line.strip(), text, number)
    return found


def container_name(image: str) -> str:
    """`registry.local/web/app:1` makes `app`."""
    name = image.rpartition("/")[2].partition("@")[0].partition(":")[0]
    return re.sub(r"[^a-z0-9-]", "-", name.lower()).strip("-") or "app"


def _service_port(text: str, node_port: int) -> dict[str, Any]:
    port, _, target = text.partition(":")
    if not port.isdigit() or not 0 < int(port) < 65536:
        raise KctlError(f"invalid port {text}: expected PORT or PORT:TARGET")
    name = text.replace(":", "-")
    made: dict[str, Any] = {"name": name, "port": int(port), "protocol": "TCP"}
    made["targetPort"] = (int(target) if target.isdigit() else target) if target else int(port)
    if node_port:
        made["nodePort"] = node_port
    return made


def _file_source(text: str) -> list[tuple[str, Path]]:
    key, equals, path = text.partition("=")
    if equals:
        if not key or not path:
            raise KctlError(f"invalid file source {text}, expected key=path")
        return [(key, Path(path))]
    source = Path(text)
    if source.is_dir():
        return [(each.name, each) for each in sorted(source.iterdir()) if each.is_file()]
    return [(source.name, source)]


def _add(found: dict[str, bytes], key: str, value: bytes) -> None:
    if not _KEY.match(key) or len(key) > 253 or key in (".", ".."):
        raise KctlError(f'"{key}" is not a valid key name: letters, digits, - _ and . are allowed')
    if key in found:
        raise KctlError(f"cannot add key {key}, another key by that name already exists")
    found[key] = value


def _add_environment(found: dict[str, bytes], line: str, source: str, number: int) -> None:
    if not line or line.startswith("#"):
        return
    key, equals, value = line.partition("=")
    if not equals:
        raise KctlError(f"{source}, line {number}: expected KEY=VALUE")
    _add(found, key, value.encode())


def read(path: Path) -> bytes:
    """A file that an option names; raises KctlError."""
    try:
        return path.read_bytes()
    except OSError as error:
        raise KctlError(f"error reading {path}: {error.strerror}") from error
