"""`kctl logs`: what containers have written; of one, or of several together with their names in front of each line."""

import queue
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import click

from kctl import pods, targets, watching
from kctl.durations import parse_duration
from kctl.errors import KctlError
from kctl.options import command, option, switch
from kctl.session import Session
from kctl.targets import Target

SELECTED_TAIL = 10
QUEUED_LINES = 10_000


@dataclass(frozen=True)
class Source:
    """One container's log."""

    pod: str
    namespace: str
    container: str

    @property
    def prefix(self) -> str:
        return f"[pod/{self.pod}/{self.container}] "


@command("logs")
@click.argument("arguments", nargs=-1, metavar="POD | TYPE/NAME [CONTAINER]")
@switch("-f", "--follow", help="Go on as more is written.")
@option("-c", "--container", default="", help="Which container.")
@switch("-p", "--previous", help="Of the instance before the last restart.")
@option("--tail", type=int, default=-1, help="Only so many lines from the end; -1 for all.")
@option("--since", default="", help="Only what is younger (5s, 2m, 3h).")
@option("--since-time", default="", help="Only what came after this time (RFC 3339).")
@option("--limit-bytes", type=int, default=0, help="At most so many bytes.")
@switch("--timestamps", help="Put its time before each line.")
@switch("--all-containers", help="Of every container of the pods.")
@switch("--all-pods", help="Of every pod of the object.")
@switch("--prefix", help="Put pod and container before each line.")
@switch("--ignore-errors", help="With several containers, go on when one fails.")
@option("-l", "--selector", default="", help="Choose pods by labels.")
@option("--max-log-requests", type=int, default=5, help="How many containers to follow together.")
@option("--pod-running-timeout", default="20s", hidden=True, help="Accepted for kubectl's sake.")
def logs(
    session: Session,
    arguments: tuple[str, ...],
    follow: bool,
    container: str,
    previous: bool,
    tail: int,
    since: str,
    since_time: str,
    limit_bytes: int,
    timestamps: bool,
    all_containers: bool,
    all_pods: bool,
    prefix: bool,
    ignore_errors: bool,
    selector: str,
    max_log_requests: int,
    pod_running_timeout: str,
) -> None:
    """Print what containers have written."""
    if since and since_time:
        raise KctlError("at most one of `sinceTime` or `sinceSeconds` may be specified")
    if tail < -1:
        raise KctlError("--tail must be greater than or equal to -1")
    if len(arguments) == 2 and not container:
        container = arguments[-1]
        arguments = (arguments[0],)
    query: dict[str, Any] = {
        "follow": follow or None,
        "previous": previous or None,
        "timestamps": timestamps or None,
        "sinceTime": since_time,
        "sinceSeconds": max(1, round(parse_duration(since, "since"))) if since else None,
        "limitBytes": limit_bytes or None,
        "tailLines": tail if tail >= 0 else (SELECTED_TAIL if selector else None),
    }
    sources = _sources(session, arguments, container, selector, all_containers, all_pods)
    if follow and len(sources) > max_log_requests:
        raise KctlError(
            f"you are attempting to follow {len(sources)} log streams, but maximum allowed concurrency is {max_log_requests}, "
            "use --max-log-requests to increase the limit"
        )
    if follow and len(sources) > 1:
        _follow_together(session, sources, query, prefix or all_pods, ignore_errors)
        return
    for source in sources:
        try:
            _print_one(session, source, query, prefix or all_pods)
        except KctlError as error:
            if not ignore_errors:
                raise
            session.note(error.text())


def _sources(
    session: Session, arguments: Sequence[str], container: str, selector: str, all_containers: bool, all_pods: bool
) -> list[Source]:
    if not arguments and not selector:
        raise KctlError(
            "expected 'logs [-f] [-p] (POD | TYPE/NAME) [-c CONTAINER]'.\n"
            "POD or TYPE/NAME is a required argument for the logs command"
        )
    if arguments and selector:
        raise KctlError("only a selector (-l) or a POD name is allowed")
    if container and all_containers:
        raise KctlError("--all-containers=true should not be specified with container name " + container)
    if selector:
        resource = session.discovery.for_kind("v1", "Pod")
        collection = Target(resource, "", session.namespace)
        chosen = targets.fetch(session.client, collection, watching.selectors(selector))
        if not chosen:
            session.note(f"No resources found in {session.namespace} namespace.")
    else:
        target = targets.one(session, arguments, "pods")
        chosen = pods.pods_of(session, target)
        if not all_pods:
            if len(chosen) > 1:
                session.note(f"Found {len(chosen)} pods, using pod/{chosen[0]['metadata']['name']}")
            chosen = chosen[:1]
    sources: list[Source] = []
    for pod in chosen:
        first, main = pods.container_names(pod)
        names = first + main if all_containers else [pods.choose_container(session, pod, container)]
        sources += [Source(pod["metadata"]["name"], pod["metadata"]["namespace"], name) for name in names]
    return sources


def _open(session: Session, source: Source, query: dict[str, Any]) -> Any:
    path = f"/api/v1/namespaces/{source.namespace}/pods/{source.pod}/log"
    return session.client.stream(path, {**query, "container": source.container}, accept="text/plain, */*")


def _print_one(session: Session, source: Source, query: dict[str, Any], prefix: bool) -> None:
    with _open(session, source, query) as stream:
        session.out.flush()
        sink = session.out.buffer
        if not prefix:
            for data in stream.chunks():
                sink.write(data)
                sink.flush()
            return
        for line in stream.lines():
            sink.write(source.prefix.encode() + line)
            sink.flush()


def _follow_together(
    session: Session, sources: Sequence[Source], query: dict[str, Any], prefix: bool, ignore_errors: bool
) -> None:
    """A thread reads each log; this one prints, so that lines stay whole. A None says that one reader has ended."""
    lines: queue.Queue[bytes | KctlError | None] = queue.Queue(QUEUED_LINES)

    def read(source: Source) -> None:
        try:
            with _open(session, source, query) as stream:
                for line in stream.lines():
                    lines.put((source.prefix.encode() if prefix else b"") + line)
        except KctlError as error:
            lines.put(error)
        finally:
            lines.put(None)

    for source in sources:
        threading.Thread(target=read, args=(source,), name=f"log/{source.pod}/{source.container}", daemon=True).start()
    reading = len(sources)
    while reading:
        item = lines.get()
        if item is None:
            reading -= 1
        elif isinstance(item, KctlError):
            if not ignore_errors:
                raise item
            session.note(item.text())
        else:
            session.out.buffer.write(item)
            session.out.buffer.flush()
