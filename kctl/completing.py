"""What the shell offers for a word: types, names, namespaces, contexts, containers.

click finds out which argument the word belongs to and asks here. Types and names come from the server, within a short time
limit; whatever goes wrong, nothing is offered and nothing is printed.
"""

from collections.abc import Callable, Iterable
from typing import Any

import click
from click.shell_completion import CompletionItem

from kctl.errors import KctlError
from kctl.session import Session

REQUEST_TIMEOUT = "3s"
Offer = Callable[[Session, click.Context, str], Iterable[str]]

POD_COMMANDS = frozenset({"exec", "attach", "logs", "port-forward", "debug"})
NODE_COMMANDS = frozenset({"cordon", "drain", "uncordon", "taint"})


def words(ctx: click.Context, name: str, incomplete: str) -> list[CompletionItem]:
    """For the argument or option `name` of the context's command."""
    offer = _offer(ctx, name)
    session = ctx.find_object(Session)
    if offer is None or session is None:
        return []
    session.flags.setdefault("request_timeout", REQUEST_TIMEOUT)
    try:
        return [CompletionItem(word) for word in offer(session, ctx, incomplete) if word.startswith(incomplete)]
    except KctlError:
        return []


def _offer(ctx: click.Context, name: str) -> Offer | None:
    by_name: dict[str, Offer] = {
        "namespace": _namespaces,
        "context": _contexts,
        "context_name": _contexts,
        "container": _containers,
        "cluster_name": _clusters,
        "user_name": _users,
    }
    if name in by_name:
        return by_name[name]
    if name == "names" and ctx.command.name in NODE_COMMANDS:
        return _nodes
    if name != "arguments":
        return None
    return _by_command(ctx)


def _by_command(ctx: click.Context) -> Offer | None:
    above = ctx.parent.command.name if ctx.parent else ""
    place = (above, ctx.command.name)
    if place in (("top", "node"), ("top", "nodes"), ("top", "no")):
        return _nodes
    if ctx.command.name in POD_COMMANDS:
        return _pods_and_types
    if above == "top":
        return _pods
    if place == ("auth", "can-i"):
        return _verbs_and_types
    return _types_and_names


def _types_and_names(session: Session, ctx: click.Context, incomplete: str) -> Iterable[str]:
    """TYPE, then its names; TYPE/NAME after a slash."""
    given = _given(ctx)
    if "/" in incomplete or (given and "/" in given[0]):
        kind, slash, _ = incomplete.partition("/")
        return [f"{kind}/{name}" for name in _names(session, kind)] if slash else _types(session)
    if not given:
        lead, comma, _ = incomplete.rpartition(",")
        return [f"{lead}{comma}{each}" for each in _types(session)]
    return [name for name in _names(session, given[0]) if name not in given[1:]]


def _pods_and_types(session: Session, ctx: click.Context, incomplete: str) -> Iterable[str]:
    """NAME of a pod, or TYPE/NAME; a container behind it."""
    given = _given(ctx)
    if given:
        return _containers(session, ctx, incomplete) if ctx.command.name == "logs" else []
    kind, slash, _ = incomplete.partition("/")
    if slash:
        return [f"{kind}/{name}" for name in _names(session, kind)]
    return _names(session, "pods")


def _verbs_and_types(session: Session, ctx: click.Context, incomplete: str) -> Iterable[str]:
    from kctl.access import RESOURCE_VERBS

    return sorted(RESOURCE_VERBS - {"*"}) if not _given(ctx) else _types(session)


def _containers(session: Session, ctx: click.Context, incomplete: str) -> Iterable[str]:
    from kctl import pods, targets

    given = _given(ctx)
    if not given:
        return []
    target = targets.one(session, given[:1], "pods")
    first, main = pods.container_names(pods.pods_of(session, target)[0])
    return main + first


def _pods(session: Session, ctx: click.Context, incomplete: str) -> Iterable[str]:
    return _names(session, "pods")


def _nodes(session: Session, ctx: click.Context, incomplete: str) -> Iterable[str]:
    return _names(session, "nodes")


def _namespaces(session: Session, ctx: click.Context, incomplete: str) -> Iterable[str]:
    return _names(session, "namespaces")


def _contexts(session: Session, ctx: click.Context, incomplete: str) -> Iterable[str]:
    return _entries(session, "contexts")


def _clusters(session: Session, ctx: click.Context, incomplete: str) -> Iterable[str]:
    return _entries(session, "clusters")


def _users(session: Session, ctx: click.Context, incomplete: str) -> Iterable[str]:
    return _entries(session, "users")


def _entries(session: Session, section: str) -> list[str]:
    from kctl import configuring

    known = configuring.load(session.flags.get("kubeconfig") or "", session.environment)
    return sorted(known.entries(section))


def _types(session: Session) -> list[str]:
    return sorted({each.plural for each in session.discovery.all()})


def _names(session: Session, kind: str) -> list[str]:
    from kctl import targets

    found = targets.parse(session.discovery, [kind], session.namespace)
    return [item["metadata"]["name"] for target in found for item in targets.fetch(session.client, target)]


def _given(ctx: click.Context) -> list[str]:
    """The words of the argument that are complete; click leaves them in `args` when an option behind them lacks its value."""
    given: Any = ctx.params.get("arguments") or ctx.args
    return [str(word) for word in given]
