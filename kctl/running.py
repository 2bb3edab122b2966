"""The pod that `kctl run` makes from its options: pure."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from kctl.errors import KctlError
from kctl.exposing import pairs

_IMAGE = re.compile(r"^[A-Za-z0-9][A-Za-z0-9._:/-]*(@[A-Za-z0-9+._-]+:[0-9a-fA-F]+)?$")
_ENV_NAME = re.compile(r"^[-._a-zA-Z][-._a-zA-Z0-9]*$")
RESTART_POLICIES = ("Always", "OnFailure", "Never")


@dataclass(frozen=True)
class Wishes:
    """The options of `run`; `words` is what stands behind the name."""

    name: str
    image: str
    words: Sequence[str] = ()
    command: bool = False
    env: Sequence[str] = ()
    labels: str = ""
    annotations: Sequence[str] = ()
    port: str = ""
    restart: str = "Always"
    image_pull_policy: str = ""
    privileged: bool = False
    stdin: bool = False
    tty: bool = False
    leave_stdin_open: bool = False


def pod(wishes: Wishes) -> dict[str, Any]:
    """The pod; raises KctlError."""
    if not _IMAGE.match(wishes.image):
        raise KctlError(f'Invalid image name "{wishes.image}": invalid reference format')
    container: dict[str, Any] = {"name": wishes.name, "image": wishes.image, "resources": {}}
    if wishes.words:
        container["command" if wishes.command else "args"] = list(wishes.words)
    if wishes.env:
        container["env"] = environment(wishes.env)
    if wishes.port:
        container["ports"] = [{"containerPort": port_number(wishes.port)}]
    if wishes.image_pull_policy:
        container["imagePullPolicy"] = wishes.image_pull_policy
    if wishes.privileged:
        container["securityContext"] = {"privileged": True}
    if wishes.stdin:
        container["stdin"] = True
        if not wishes.leave_stdin_open:
            container["stdinOnce"] = True
    if wishes.tty:
        container["tty"] = True
    metadata: dict[str, Any] = {"name": wishes.name, "labels": labels_of(wishes)}
    if wishes.annotations:
        metadata["annotations"] = {
            key: value for text in wishes.annotations for key, value in pairs(text, "--annotations").items()
        }
    spec = {"containers": [container], "dnsPolicy": "ClusterFirst", "restartPolicy": wishes.restart}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec, "status": {}}


def service(wishes: Wishes) -> dict[str, Any]:
    """The Service of `--expose`, which finds the pod by its labels."""
    port, labels = port_number(wishes.port), labels_of(wishes)
    listed = [{"port": port, "protocol": "TCP", "targetPort": port}]
    metadata: dict[str, Any] = {"name": wishes.name}
    if wishes.labels:
        metadata["labels"] = labels
    spec = {"ports": listed, "selector": labels}
    return {"apiVersion": "v1", "kind": "Service", "metadata": metadata, "spec": spec, "status": {"loadBalancer": {}}}


def labels_of(wishes: Wishes) -> dict[str, str]:
    return pairs(wishes.labels, "--labels") if wishes.labels else {"run": wishes.name}


def environment(texts: Sequence[str]) -> list[dict[str, str]]:
    """The entries of `KEY=VALUE`; raises KctlError."""
    entries = []
    for text in texts:
        name, equals, value = text.partition("=")
        if not equals or not _ENV_NAME.match(name):
            raise KctlError(f"invalid env: {text}")
        entries.append({"name": name, "value": value})
    return entries


def port_number(text: str) -> int:
    if not text.isdigit():
        raise KctlError(f'strconv.Atoi: parsing "{text}": invalid syntax')
    return int(text)


def check(wishes: Wishes, *, attach: bool, remove: bool, dry_run: bool, expose: bool) -> None:
    """Whether the options go together; raises KctlError."""
    if wishes.tty and not wishes.stdin:
        raise KctlError("-i/--stdin is required for containers with -t/--tty=true")
    if expose and not wishes.port:
        raise KctlError("--port must be set when exposing a service")
    if wishes.restart not in RESTART_POLICIES:
        raise KctlError(f"invalid restart policy: {wishes.restart}")
    if attach and dry_run:
        raise KctlError(
            "--dry-run=[server|client] can't be used with attached containers options (--attach, --stdin, or --tty)"
        )
    if remove and not attach:
        raise KctlError("--rm should only be used for attached containers")


def exit_code(pod: dict[str, Any]) -> tuple[int | None, str]:
    """The code of a failed pod's container (None when it is not known), and the sentence about it."""
    metadata, status = pod["metadata"], pod.get("status") or {}
    place = f"{metadata.get('namespace', '')}/{metadata['name']}"
    ended = ((status.get("containerStatuses") or [{}])[0].get("state") or {}).get("terminated")
    if not ended or not ended.get("exitCode"):
        return None, f"pod {place} failed with unknown exit code"
    text = f"pod {place} terminated ({ended.get('reason', '')})"
    return int(ended["exitCode"]), f"{text}\n{ended['message']}" if ended.get("message") else text
