"""`kctl port-forward`: local ports that lead to a pod, or to a pod behind a service or a workload."""

import click

from kctl import pods, targets
from kctl.errors import KctlError
from kctl.options import command, option
from kctl.session import Session


@command("port-forward")
@click.argument("arguments", nargs=-1, metavar="POD | TYPE/NAME [LOCAL_PORT:]REMOTE_PORT...")
@option("--address", default="localhost", help="Addresses to listen on, with commas between; localhost stands for both of it.")
@option("--pod-running-timeout", default="1m", hidden=True, help="Accepted for kubectl's sake.")
def port_forward(session: Session, arguments: tuple[str, ...], address: str, pod_running_timeout: str) -> None:
    """Forward local ports to a pod, until interrupted."""
    from kctl import forwarding, ports

    if len(arguments) < 2:
        raise KctlError("TYPE/NAME and list of ports are required for port-forward")
    target = targets.one(session, arguments[:1], "pods")
    pod = pods.pods_of(session, target)[0]
    phase = (pod.get("status") or {}).get("phase")
    if phase != "Running":
        raise KctlError(f"unable to forward port because pod is not running. Current status={phase}")
    service = session.client.get(target.path) if target.resource.kind == "Service" else None
    forwards = ports.forwards(arguments[1:], pod, service)
    addresses = forwarding.parse_addresses(address.split(","))
    path = f"/api/v1/namespaces/{pod['metadata']['namespace']}/pods/{pod['metadata']['name']}/portforward"

    def say(text: str) -> None:
        session.say(text)
        session.out.flush()

    forwarding.run(session.client, path, forwards, addresses, say, session.note)
