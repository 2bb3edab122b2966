"""What the first message to a kubelet says, whichever way its client came."""

from apiserver.core.request import Connecting
from proto.gen import node_pb2


def container_of(wanted: Connecting) -> node_pb2.ContainerName:
    return node_pb2.ContainerName(namespace=wanted.namespace, pod=wanted.pod, uid=wanted.uid, container=wanted.container)


def start_of(wanted: Connecting) -> node_pb2.StreamStart:
    return node_pb2.StreamStart(
        container=container_of(wanted),
        command=wanted.command,
        stdin=wanted.stdin,
        stdout=wanted.stdout,
        stderr=wanted.stderr,
        tty=wanted.tty,
    )
