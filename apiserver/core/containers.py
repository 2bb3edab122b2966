"""Which container of a pod a stream is about, and what the query of log, exec, attach and portforward asks of it."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from apimachinery import errors
from apimachinery.kinds import Container, EphemeralContainer, Node, Pod
from apimachinery.times import format_time, parse_time
from apiserver.core.parameters import parse_boolean, parse_integer
from apiserver.core.request import Connecting
from proto.gen import node_pb2

DEFAULT_CONTAINER = "kubectl.kubernetes.io/default-container"


def container_name(pod: Pod, asked: str) -> str:
    """The container that is meant; raises ApiError (400) when that is none, or not clear."""
    names = [each.name for each in pod.spec.containers]
    others: list[Container | EphemeralContainer] = [*pod.spec.init_containers, *pod.spec.ephemeral_containers]
    also = [each.name for each in others]
    meta = pod.metadata
    if asked:
        if asked not in names and asked not in also:
            raise errors.bad_request(f"container {asked} is not valid for pod {meta.name}")
        return asked
    default = meta.annotations.get(DEFAULT_CONTAINER, "")
    if default in names:
        return default
    if len(names) == 1:
        return names[0]
    listed = " ".join(names)
    raise errors.bad_request(f"a container name must be specified for pod {meta.name}, choose one of: [{listed}]")


def require_node(pod: Pod) -> str:
    """The node that the pod runs on; raises ApiError (400) before it has one."""
    if not pod.spec.node_name:
        raise errors.bad_request(f"pod {pod.metadata.name} does not have a host assigned")
    return pod.spec.node_name


def kubelet_endpoint(node: Node) -> str:
    """`host:port` of a node's kubelet; raises ApiError (503) while the node has told none."""
    port = node.status.daemon_endpoints.kubelet_endpoint.port
    for kind in ("InternalIP", "Hostname", "ExternalIP"):
        for address in node.status.addresses:
            if address.type == kind and address.address and port:
                return f"{address.address}:{port}"
    raise errors.unavailable(f"node {node.metadata.name} has not reported an address and port of its kubelet")


def logs_request(pod: Pod, query: Mapping[str, str], now: datetime) -> node_pb2.LogsRequest:
    """The kubelet's request for GET pods/NAME/log; raises ApiError (400) that names the parameter."""
    tail = parse_integer("tailLines", query.get("tailLines", ""), None)
    limit = parse_integer("limitBytes", query.get("limitBytes", ""), None)
    if limit == 0:
        raise errors.bad_request("limitBytes: must be greater than 0")
    return node_pb2.LogsRequest(
        container=_name(pod, container_name(pod, query.get("container", ""))),
        follow=parse_boolean(query.get("follow")),
        previous=parse_boolean(query.get("previous")),
        timestamps=parse_boolean(query.get("timestamps")),
        tail_lines=-1 if tail is None else tail,
        limit_bytes=limit or 0,
        since_time=_since(query, now),
    )


def connection(kind: str, pod: Pod, endpoint: str, query: Sequence[tuple[str, str]]) -> Connecting:
    """The two-way stream that exec, attach or portforward asks for; raises ApiError (400)."""
    first = dict(reversed(query))
    meta = pod.metadata
    if kind == "portforward":
        ports = tuple(_port(value) for key, text in query if key in ("ports", "port") for value in text.split(","))
        return Connecting(kind, endpoint, meta.namespace, meta.name, meta.uid, ports=ports)
    if pod.status.phase in ("Succeeded", "Failed"):
        raise errors.bad_request(f"cannot {kind} into a container in a completed pod; current phase is {pod.status.phase}")
    command = tuple(value for key, value in query if key == "command")
    if kind == "exec" and not command:
        raise errors.bad_request("you must specify at least 1 command for the container")
    tty = parse_boolean(first.get("tty"))
    stdin, stdout, stderr = (parse_boolean(first.get(each)) for each in ("stdin", "stdout", "stderr"))
    if not (stdin or stdout or stderr):
        raise errors.bad_request("you must specify at least 1 of stdin, stdout, stderr")
    return Connecting(
        kind,
        endpoint,
        meta.namespace,
        meta.name,
        meta.uid,
        container_name(pod, first.get("container", "")),
        command,
        stdin,
        stdout,
        stderr and not tty,
        tty,
    )


def _name(pod: Pod, container: str) -> node_pb2.ContainerName:
    meta = pod.metadata
    return node_pb2.ContainerName(namespace=meta.namespace, pod=meta.name, uid=meta.uid, container=container)


def _since(query: Mapping[str, str], now: datetime) -> str:
    seconds = parse_integer("sinceSeconds", query.get("sinceSeconds", ""), None)
    text = query.get("sinceTime", "")
    if seconds is not None and text:
        raise errors.bad_request("at most one of sinceTime or sinceSeconds may be specified")
    if seconds is not None:
        return format_time(now - timedelta(seconds=seconds))
    if text:
        try:
            return format_time(parse_time(text))
        except ValueError:
            raise errors.bad_request(f'sinceTime: Invalid value: "{text}": must be an RFC 3339 time') from None
    return ""


def _port(text: str) -> int:
    number = parse_integer("ports", text, 0) or 0
    if not 0 < number < 65536:
        raise errors.bad_request(f'ports: Invalid value: "{text}": must be between 1 and 65535')
    return number
