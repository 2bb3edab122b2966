"""`kctl exec` and `kctl attach`: streams into a running container."""

import sys
from collections.abc import Mapping, Sequence
from typing import Any

import click

from kctl import pods, targets
from kctl.errors import KctlError, PlainError
from kctl.options import command, option, switch
from kctl.session import Session


@command("exec")
@click.argument("arguments", nargs=-1, metavar="POD | TYPE/NAME -- COMMAND [ARGUMENTS...]")
@option("-c", "--container", default="", help="Which container.")
@switch("-i", "--stdin", help="Pass standard input on.")
@switch("-t", "--tty", help="Give the command a terminal.")
@switch("-q", "--quiet", help="Print only what the command prints.")
@option("--pod-running-timeout", default="1m", hidden=True, help="Accepted for kubectl's sake.")
def execute(
    session: Session, arguments: tuple[str, ...], container: str, stdin: bool, tty: bool, quiet: bool, pod_running_timeout: str
) -> None:
    """Run a command in a container; its exit code becomes ours."""
    if session.after_dashes is None and len(arguments) > 1:
        raise KctlError("exec [POD] [COMMAND] is not supported anymore. Use exec [POD] -- [COMMAND] instead")
    count = session.after_dashes or 0
    names, words = arguments[: len(arguments) - count], arguments[len(arguments) - count :]
    if not names:
        raise KctlError("pod, type/name or --filename must be specified")
    if not words:
        raise KctlError("you must specify at least one command for the container")
    _stream(session, "exec", names, container, stdin, tty, quiet, [("command", word) for word in words])


@command("attach")
@click.argument("arguments", nargs=-1, metavar="POD | TYPE/NAME")
@option("-c", "--container", default="", help="Which container.")
@switch("-i", "--stdin", help="Pass standard input on.")
@switch("-t", "--tty", help="Standard input is a terminal.")
@switch("-q", "--quiet", help="Print only what the container prints.")
def attach(session: Session, arguments: tuple[str, ...], container: str, stdin: bool, tty: bool, quiet: bool) -> None:
    """Attach to what runs in a container."""
    if not quiet and stdin:
        session.note("If you don't see a command prompt, try pressing enter.")
    _stream(session, "attach", arguments, container, stdin, tty, quiet, [])


def _has_terminal(pod: Mapping[str, Any], name: str) -> bool:
    spec = pod.get("spec") or {}
    every = [each for key in ("containers", "initContainers", "ephemeralContainers") for each in spec.get(key) or ()]
    return any(each["name"] == name and each.get("tty") for each in every)


def _stream(
    session: Session,
    subresource: str,
    names: Sequence[str],
    container: str,
    stdin: bool,
    tty: bool,
    quiet: bool,
    query: list[tuple[str, str]],
) -> None:
    from kctl import websocket

    pod = pods.pods_of(session, targets.one(session, names, "pods"))[0]
    phase = (pod.get("status") or {}).get("phase")
    if phase in ("Succeeded", "Failed"):
        deed = "exec into" if subresource == "exec" else "attach"
        raise KctlError(f"cannot {deed} a container in a completed pod; current phase is {phase}")
    chosen = pods.choose_container(session, pod, container, quiet=quiet)
    if subresource == "attach" and tty and not _has_terminal(pod, chosen):
        if not quiet:
            session.note(f"error: Unable to use a TTY - container {chosen} did not allocate one")
        tty = False
    if tty and not stdin:
        tty = False
    if tty and not sys.stdin.isatty():
        if not quiet:
            session.note("Unable to use a TTY - input is not a terminal or the right kind of file")
        tty = False
    streams = {"stdin": stdin, "stdout": True, "stderr": not tty, "tty": tty}
    full = [*query, ("container", chosen), *((name, "true") for name, wanted in streams.items() if wanted)]
    path = f"/api/v1/namespaces/{pod['metadata']['namespace']}/pods/{pod['metadata']['name']}/{subresource}"
    session.out.flush()
    try:
        websocket.run(session.client, websocket.StreamRequest(path, full, stdin, tty))
    except ConnectionError as error:
        raise PlainError(f"error: the connection was lost: {error}") from error
