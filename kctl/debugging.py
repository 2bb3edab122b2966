"""What `kctl debug` adds to a pod, or makes in the place of one: pure.

- a container among the running ones (an ephemeral container);
- a copy of the pod, with another container or with changed ones;
- a pod on a node, which sees the node's processes, network and files.

Profiles say what the container may do: `general` may trace processes, `baseline` and `restricted` keep to the Pod Security
Standards, `netadmin` configures networks, `sysadmin` may do everything.
Source: the Kubernetes page "Debug Running Pods".
"""

import copy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from kctl.errors import KctlError
from kctl.running import environment

Plain = dict[str, Any]

PROFILES: Mapping[str, Plain | None] = {
    "general": {"capabilities": {"add": ["SYS_PTRACE"]}},
    "baseline": None,
    "restricted": {
        "allowPrivilegeEscalation": False,
        "capabilities": {"drop": ["ALL"]},
        "runAsNonRoot": True,
        "seccompProfile": {"type": "RuntimeDefault"},
    },
    "netadmin": {"capabilities": {"add": ["NET_ADMIN", "NET_RAW"]}},
    "sysadmin": {"privileged": True},
}
SUFFIX_CHARACTERS = "bcdfghjklmnpqrstvwxz2456789"
_PROBES = ("livenessProbe", "readinessProbe", "startupProbe")
_OF_THE_SERVER = ("nodeName", "ephemeralContainers", "priority", "preemptionPolicy")


@dataclass(frozen=True)
class Wishes:
    """The options of `debug`; `words` is what stands behind the dashes, `name` the debugging container's."""

    name: str
    image: str = ""
    words: Sequence[str] = ()
    arguments_only: bool = False
    env: Sequence[str] = ()
    image_pull_policy: str = ""
    profile: str = "general"
    stdin: bool = False
    tty: bool = False
    target: str = ""


def check(wishes: Wishes, *, copy_to: str, node: bool, set_image: str, replace: bool, same_node: bool) -> None:
    """Whether the options go together; raises KctlError."""
    if wishes.tty and not wishes.stdin:
        raise KctlError("-i/--stdin is required for containers with -t/--tty=true")
    if not wishes.image and not (copy_to and (set_image or wishes.words)):
        raise KctlError("you must specify --image, or --copy-to with --set-image or a command")
    if wishes.target and (copy_to or node):
        raise KctlError("--target is incompatible with --copy-to and with nodes: it names a container that runs")
    for option, given in (("--set-image", set_image), ("--replace", replace), ("--same-node", same_node)):
        if given and not copy_to:
            raise KctlError(f"{option} may only be used with --copy-to")
    if copy_to and node:
        raise KctlError("--copy-to makes copies of pods, not of nodes")


def container_names(pod: Mapping[str, Any]) -> set[str]:
    spec = pod.get("spec") or {}
    every = ("containers", "initContainers", "ephemeralContainers")
    return {each["name"] for key in every for each in spec.get(key) or ()}


def ephemeral_patch(wishes: Wishes) -> Plain:
    """The strategic merge patch of the subresource that adds the container."""
    container = _container(wishes)
    if wishes.target:
        container["targetContainerName"] = wishes.target
    return {"spec": {"ephemeralContainers": [container]}}


def copied(pod: Mapping[str, Any], name: str, wishes: Wishes, *, set_image: str, same_node: bool, share: bool) -> Plain:
    """A pod like `pod` that nothing but its user cares for: no labels, owners or probes, and no place unless it is the same."""
    spec = copy.deepcopy(dict(pod["spec"]))
    for each in _OF_THE_SERVER:
        if each != "nodeName" or not same_node:
            spec.pop(each, None)
    if share:
        spec["shareProcessNamespace"] = True
    for container in spec["containers"]:
        for probe in _PROBES:
            container.pop(probe, None)
    _set_images(spec, set_image)
    present = next((each for each in spec["containers"] if each["name"] == wishes.name), None)
    if present is None:
        if not wishes.image:
            raise KctlError(f'you must specify an existing container or a new image when a container is added: "{wishes.name}"')
        spec["containers"].append(_container(wishes))
    else:
        _change(present, wishes)
    source = pod["metadata"]
    metadata: Plain = {"name": name, "namespace": source.get("namespace", "")}
    if source.get("annotations"):
        metadata["annotations"] = dict(source["annotations"])
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec}


def node_pod(node: str, name: str, wishes: Wishes) -> Plain:
    """A pod on a node that shares the node's namespaces and has its files under /host."""
    container = _container(wishes)
    container["volumeMounts"] = [{"name": "host-root", "mountPath": "/host"}]
    if wishes.profile == "general":
        container.pop("securityContext", None)
    shared = {} if wishes.profile in ("baseline", "restricted") else dict.fromkeys(("hostIPC", "hostNetwork", "hostPID"), True)
    spec = {
        "containers": [container],
        "nodeName": node,
        "restartPolicy": "Never",
        "tolerations": [{"operator": "Exists"}],
        "volumes": [{"name": "host-root", "hostPath": {"path": "/"}}],
        **shared,
    }
    if not shared:
        del spec["volumes"], container["volumeMounts"]
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}, "spec": spec}


def _container(wishes: Wishes) -> Plain:
    container: Plain = {"name": wishes.name, "image": wishes.image}
    context = PROFILES[wishes.profile]
    if context is not None:
        container["securityContext"] = copy.deepcopy(context)
    _change(container, wishes)
    return container


def _change(container: Plain, wishes: Wishes) -> None:
    """What the options say about a container, in place."""
    if wishes.image:
        container["image"] = wishes.image
    if wishes.words:
        container["args" if wishes.arguments_only else "command"] = list(wishes.words)
        if not wishes.arguments_only:
            container.pop("args", None)
    if wishes.env:
        container["env"] = environment(wishes.env)
    if wishes.image_pull_policy:
        container["imagePullPolicy"] = wishes.image_pull_policy
    if wishes.stdin:
        container["stdin"] = True
        # What is piped in ends. Unless the input ends with it, the runtime passes on no output from then on.
        if not wishes.tty:
            container["stdinOnce"] = True
    if wishes.tty:
        container["tty"] = True


def _set_images(spec: Plain, set_image: str) -> None:
    wanted: dict[str, str] = {}
    for pair in filter(None, set_image.split(",")):
        name, equals, image = pair.partition("=")
        if not equals or not name or not image:
            raise KctlError(f"--set-image: {pair!r} is not CONTAINER=IMAGE")
        wanted[name] = image
    names = {each["name"] for each in spec["containers"]}
    unknown = sorted(wanted.keys() - names - {"*"})
    if unknown:
        raise KctlError(f'unable to find container named "{unknown[0]}"')
    for container in spec["containers"]:
        container["image"] = wanted.get(container["name"], wanted.get("*", container["image"]))
