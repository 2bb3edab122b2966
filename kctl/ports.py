"""What the ports of `kctl port-forward` mean: which port here leads to which port of the pod.

`LOCAL:REMOTE`, `:REMOTE` or `0:REMOTE` (any free port here), or one for both. A port of a service is looked up in the
service and becomes the container's; names are looked up in the pod. Pure.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from kctl.errors import KctlError

Object = Mapping[str, Any]


@dataclass(frozen=True)
class Forward:
    """One port: `local` is 0 for any free one."""

    local: int
    remote: int


def forwards(words: Sequence[str], pod: Object, service: Object | None = None) -> list[Forward]:
    """What the words ask for; raises KctlError."""
    return [_forward(word, pod, service) for word in words]


def _forward(word: str, pod: Object, service: Object | None) -> Forward:
    local_text, colon, remote_text = word.partition(":")
    if not colon:
        remote_text = local_text
    if ":" in remote_text or not remote_text:
        raise KctlError(f"invalid port format '{word}'")
    named = not remote_text.isdigit()
    remote = _service_port(remote_text, pod, service) if service is not None else _pod_port(remote_text, pod)
    if colon:
        local = _number(local_text or "0", f"error parsing local port '{local_text}'", allow_zero=True)
    elif service is not None and named:
        local = int(_port_of_service(remote_text, service)["port"])
    else:
        local = remote if named else int(remote_text)
    return Forward(local, remote)


def _service_port(text: str, pod: Object, service: Object) -> int:
    port = _port_of_service(text, service)
    if (service.get("spec") or {}).get("clusterIP") == "None":
        return int(port["port"])
    target = port.get("targetPort") or port["port"]
    return _pod_port(target, pod) if isinstance(target, str) else int(target)


def _port_of_service(text: str, service: Object) -> Mapping[str, Any]:
    name = service["metadata"]["name"]
    for each in (service.get("spec") or {}).get("ports") or ():
        if text == each.get("name") or (text.isdigit() and int(text) == each["port"]):
            found: Mapping[str, Any] = each
            return found
    raise KctlError(f"Service {name} does not have a service port {text}")


def _pod_port(text: str, pod: Object) -> int:
    if text.isdigit():
        return _number(text, f"error parsing remote port '{text}'")
    for container in (pod.get("spec") or {}).get("containers") or ():
        for each in container.get("ports") or ():
            if each.get("name") == text:
                return int(each["containerPort"])
    raise KctlError(f"Pod '{pod['metadata']['name']}' does not have a named port '{text}'")


def _number(text: str, otherwise: str, *, allow_zero: bool = False) -> int:
    if not text.isascii() or not text.isdigit() or len(text) > 5 or int(text) > 65535 or (not allow_zero and int(text) == 0):
        raise KctlError(f"{otherwise}: it must be a number from {0 if allow_zero else 1} to 65535")
    return int(text)
