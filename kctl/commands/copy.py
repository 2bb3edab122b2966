"""`kctl cp`: files to and from a container, through the `tar` that is in it."""

import os
import posixpath
import sys
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from kctl import pods, targets
from kctl.errors import CommandExitedError, KctlError
from kctl.options import command, option, switch
from kctl.session import Session


@dataclass(frozen=True)
class Place:
    """A path here (`pod` is empty) or in a pod."""

    path: str
    pod: str = ""
    namespace: str = ""


@command("cp")
@click.argument("arguments", nargs=-1, metavar="SOURCE DESTINATION, each PATH or [NAMESPACE/]POD:PATH")
@option("-c", "--container", default="", help="Which container.")
@switch("--no-preserve", help="Do not keep owners and permissions in the container.")
@option("--retries", default="0", hidden=True, help="Accepted for kubectl's sake.")
def copy(session: Session, arguments: tuple[str, ...], container: str, no_preserve: bool, retries: str) -> None:
    """Copy files and directories to and from containers."""
    if len(arguments) != 2:
        raise KctlError("source and destination are required")
    source, destination = (parse_place(each) for each in arguments)
    if not source.path or not destination.path:
        raise KctlError("filepath can not be empty")
    if bool(source.pod) == bool(destination.pod):
        raise KctlError("one of src or dest must be a local file specification and the other one a remote one")
    remote = source if source.pod else destination
    run = _runner(session, remote, container)
    if source.pod:
        _download(session, run, source.path, Path(destination.path))
    else:
        _upload(run, Path(source.path), destination.path, no_preserve=no_preserve)


def parse_place(text: str) -> Place:
    """`[[NAMESPACE/]POD:]PATH`; raises KctlError."""
    before, colon, path = text.partition(":")
    if not colon or before.startswith((".", "/", "~")):
        return Place(text)
    parts = before.split("/")
    if not before or len(parts) > 2 or not all(parts):
        raise KctlError(f"{text} is not a file specification: it must be in the format: namespace/pod:file/path, pod:file/path")
    return Place(path, parts[-1], parts[0] if len(parts) == 2 else "")


Run = Callable[..., None]


def _runner(session: Session, place: Place, container: str) -> Run:
    """Runs a command in the container with given ends; raises CommandExitedError."""
    from kctl import websocket

    target = targets.one(session, (place.pod,), "pods")
    if place.namespace:
        target = targets.Target(target.resource, target.name, place.namespace)
    pod = pods.pods_of(session, target)[0]
    phase = (pod.get("status") or {}).get("phase")
    if phase in ("Succeeded", "Failed"):
        raise KctlError(f"cannot exec into a container in a completed pod; current phase is {phase}")
    chosen = pods.choose_container(session, pod, container)
    path = f"/api/v1/namespaces/{pod['metadata']['namespace']}/pods/{pod['metadata']['name']}/exec"

    def run(words: Sequence[str], *, stdin: int | None = None, stdout: Any = None, stderr: Any = None) -> None:
        query = [*(("command", word) for word in words), ("container", chosen), ("stdout", "true"), ("stderr", "true")]
        if stdin is not None:
            query.append(("stdin", "true"))
        ends = websocket.Streams(-1 if stdin is None else stdin, stdout or sys.stdout.buffer, stderr or sys.stderr.buffer)
        websocket.run(session.client, websocket.StreamRequest(path, query, stdin is not None, False, ends))

    return run


def _download(session: Session, run: Run, path: str, destination: Path) -> None:
    from kctl import archive

    name = posixpath.basename(posixpath.normpath(path))
    if destination.is_dir() and name not in ("", ".", ".."):
        destination = destination / name
    destination = Path(os.path.abspath(destination))
    if not destination.name:
        raise KctlError(f"{destination} is not a name for a copy of {path}")
    inner, outer = os.pipe()

    def work() -> None:
        with os.fdopen(inner, "rb") as stream:
            archive.unpack(stream, path, destination, session.note)
            while stream.read(64 * 1024):
                pass  # padding

    unpacking = _Worker(work, "unpack")
    try:
        with os.fdopen(outer, "wb") as sink:
            run(["tar", "cf", "-", path], stdout=sink)
    except BrokenPipeError:
        pass  # unpacking has ended early and says why
    except CommandExitedError:
        unpacking.wait()
        raise
    unpacking.join()


def _upload(run: Run, source: Path, path: str, *, no_preserve: bool) -> None:
    from kctl import archive

    if not source.exists() and not source.is_symlink():
        raise KctlError(f"{source} doesn't exist in local filesystem")
    path = path.rstrip("/") or "/"
    if _is_directory(run, path):
        path = posixpath.join(path, os.path.basename(os.path.abspath(source)))
    folder, name = posixpath.split(path)
    flags = ["--no-same-permissions", "--no-same-owner"] if no_preserve else []
    inner, outer = os.pipe()

    def work() -> None:
        with os.fdopen(outer, "wb") as sink:
            archive.pack(source, name, sink)

    packing = _Worker(work, "pack")
    try:
        run(["tar", *flags, "-xmf", "-", *(["-C", folder] if folder else [])], stdin=inner)
    finally:
        os.close(inner)
    packing.join()


def _is_directory(run: Run, path: str) -> bool:
    with open(os.devnull, "wb") as nowhere:
        try:
            run(["test", "-d", path], stdout=nowhere, stderr=nowhere)
        except CommandExitedError:
            return False
    return True


class _Worker:
    """A thread whose failure is raised where it is joined."""

    def __init__(self, work: Callable[[], None], name: str) -> None:
        self._work = work
        self._failure: Exception | None = None
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    def wait(self) -> None:
        self._thread.join()

    def join(self) -> None:
        self.wait()
        if isinstance(self._failure, OSError):
            raise KctlError(f"{self._failure.filename or 'copying'}: {self._failure.strerror}") from self._failure
        if self._failure is not None:
            raise self._failure

    def _run(self) -> None:
        try:
            self._work()
        except (KctlError, OSError) as error:
            self._failure = error
