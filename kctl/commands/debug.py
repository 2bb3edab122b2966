"""`kctl debug`: a container to look around with, beside those of a pod, in a copy of it, or on a node.

The name is asked for or made up; with -i the terminal joins the container once it runs.
"""

import dataclasses
import random
import sys
from collections.abc import Mapping
from typing import Any

import click

from kctl import debugging, targets, watching
from kctl.debugging import Wishes
from kctl.errors import CommandExitedError, KctlError, StatusError
from kctl.options import command, option, switch
from kctl.rest import STRATEGIC_PATCH
from kctl.session import Session
from kctl.targets import Target

_COMING = ("ContainerCreating", "PodInitializing")


@command("debug")
@click.argument("arguments", nargs=-1, metavar="POD | TYPE/NAME [-- COMMAND ARGUMENTS...]")
@option("--image", default="", help="The debugging container's image.")
@option("-c", "--container", default="", help="A name for the debugging container.")
@option("--target", default="", help="The container of the pod whose processes it sees.")
@switch("-i", "--stdin", help="Keep its standard input open and pass ours on.")
@switch("-t", "--tty", help="Give it a terminal.")
@option("--attach", default="", bare="true", help="Attach once it runs; the default with -i.")
@switch("--arguments-only", help="The words behind -- are arguments, not a command.")
@option("--env", multiple=True, help="KEY=VALUE for the container.")
@option("--image-pull-policy", default="", help="Always, IfNotPresent or Never.")
@option("--profile", default="general", type=click.Choice(list(debugging.PROFILES)), help="What the container may do.")
@option("--copy-to", default="", help="Make a copy of the pod under this name, and debug that.")
@switch("--replace", help="With --copy-to, delete the pod that is copied.")
@switch("--same-node", help="With --copy-to, on the same node.")
@option("--set-image", default="", help="With --copy-to, CONTAINER=IMAGE,... (or *=IMAGE) for the copy.")
@option("--share-processes", default="true", bare="true", help="With --copy-to, its containers see each other's processes.")
@switch("-q", "--quiet", help="Print only what the container prints.")
def debug(
    session: Session,
    arguments: tuple[str, ...],
    image: str,
    container: str,
    target: str,
    stdin: bool,
    tty: bool,
    attach: str,
    arguments_only: bool,
    env: tuple[str, ...],
    image_pull_policy: str,
    profile: str,
    copy_to: str,
    replace: bool,
    same_node: bool,
    set_image: str,
    share_processes: str,
    quiet: bool,
) -> None:
    """Look into a running pod or a node with a container of one's own."""
    behind = session.after_dashes or 0
    named, words = arguments[: len(arguments) - behind], arguments[len(arguments) - behind :] if behind else ()
    if not named:
        raise KctlError("NAME or TYPE/NAME is required for debug")
    subject = targets.one(session, named, "pods")
    wishes = Wishes(
        container,
        image,
        words,
        arguments_only,
        env,
        image_pull_policy,
        profile,
        stdin,
        tty,
        target,
    )
    node = subject.resource.kind == "Node"
    debugging.check(wishes, copy_to=copy_to, node=node, set_image=set_image, replace=replace, same_node=same_node)
    if subject.resource.kind not in ("Node", "Pod"):
        raise KctlError(f'"{subject.title}" is not a pod or a node')
    work = _Debugging(session, quiet=quiet)
    if node:
        place, name = work.on_node(subject, wishes)
    elif copy_to:
        share = share_processes.lower() == "true"
        place, name = work.in_copy(subject, copy_to, wishes, set_image, replace=replace, same_node=same_node, share=share)
    else:
        place, name = work.beside(subject, wishes)
    if stdin if not attach else attach.lower() == "true":
        work.join(place, name, wishes)


class _Debugging:
    """Makes the container, and joins it; each way of making gives the pod and the container's name."""

    def __init__(self, session: Session, *, quiet: bool) -> None:
        self._session, self._quiet = session, quiet

    def beside(self, pod: Target, wishes: Wishes) -> tuple[Target, str]:
        """In the running pod, for as long as that lives."""
        found = self._session.client.get(pod.path)
        if wishes.name in debugging.container_names(found):
            raise KctlError(f'pod {pod.name} has a container "{wishes.name}" already')
        wishes = self._named(wishes, found)
        if wishes.target:
            self._note(f'Targeting container "{wishes.target}".')
        path = pod.resource.path(pod.namespace, pod.name, "ephemeralcontainers")
        self._session.client.patch(path, debugging.ephemeral_patch(wishes), STRATEGIC_PATCH)
        return pod, wishes.name

    def in_copy(
        self, pod: Target, name: str, wishes: Wishes, set_image: str, *, replace: bool, same_node: bool, share: bool
    ) -> tuple[Target, str]:
        found = self._session.client.get(pod.path)
        wishes = self._named(wishes, found) if wishes.image or wishes.name else _renamed(wishes, _first(found))
        body = debugging.copied(found, name, wishes, set_image=set_image, same_node=same_node, share=share)
        if replace:
            self._session.client.delete(pod.path)
        self._session.client.create(watching.collection_of(pod).path, body)
        return Target(pod.resource, name, pod.namespace), wishes.name

    def on_node(self, node: Target, wishes: Wishes) -> tuple[Target, str]:
        self._session.client.get(node.path)
        wishes = _renamed(wishes, wishes.name or "debugger")
        pods = self._session.discovery.for_kind("v1", "Pod")
        name = f"node-debugger-{node.name}-{_suffix()}"
        self._note(f"Creating debugging pod {name} with container {wishes.name} on node {node.name}.")
        namespace = self._session.namespace
        self._session.client.create(pods.path(namespace), debugging.node_pod(node.name, name, wishes))
        return Target(pods, name, namespace), wishes.name

    def join(self, pod: Target, container: str, wishes: Wishes) -> None:
        """Put this terminal into the container; what has ended already is read from its log."""
        if not self._wait(pod, container):
            self._log(pod, container)
            return
        from kctl import websocket

        if wishes.stdin:
            self._note("If you don't see a command prompt, try pressing enter.")
        tty = wishes.tty
        if tty and not sys.stdin.isatty():
            self._session.note("Unable to use a TTY - input is not a terminal or the right kind of file")
            tty = False
        wanted = {"stdin": wishes.stdin, "stdout": True, "stderr": not wishes.tty, "tty": wishes.tty}
        query = [("container", container), *((key, "true") for key, on in wanted.items() if on)]
        self._session.out.flush()
        try:
            request = websocket.StreamRequest(f"{pod.path}/attach", query, wishes.stdin, tty)
            websocket.run(self._session.client, request)
        except CommandExitedError:
            pass  # how the debugger ended says nothing about debugging
        except (StatusError, ConnectionError) as error:
            self._session.note(f"warning: couldn't attach to {pod.title}, falling back to streaming logs: {error}")
            self._log(pod, container)

    def _wait(self, pod: Target, container: str) -> bool:
        """Wait until the container has started: whether it still runs."""
        deadline = watching.Deadline(self._session.clock, None)
        told = ""
        for change in watching.follow(
            self._session.client, watching.collection_of(pod), watching.selectors(name=pod.name), deadline
        ):
            if change.type == watching.DELETED:
                raise KctlError(f"pod {pod.namespace}/{pod.name} was deleted")
            state = _state(change.object, container)
            if "running" in state or "terminated" in state:
                return "running" in state
            waiting = state.get("waiting") or {}
            reason = str(waiting.get("reason") or "")
            if reason and reason not in _COMING and reason != told:
                told = reason
                self._session.note(f"Warning: container {container}: {waiting.get('message') or reason}")
        raise AssertionError("following ends by an exception only")

    def _log(self, pod: Target, container: str) -> None:
        query: dict[str, str | bool] = {"container": container, "follow": True}
        with self._session.client.stream(f"{pod.path}/log", query, accept="text/plain, */*") as stream:
            for data in stream.chunks():
                self._session.out.write(data.decode(errors="replace"))
                self._session.out.flush()

    def _named(self, wishes: Wishes, pod: Mapping[str, Any]) -> Wishes:
        if wishes.name:
            return wishes
        taken = debugging.container_names(pod)
        name = next(each for each in iter(lambda: f"debugger-{_suffix()}", "") if each not in taken)
        self._note(f"Defaulting debug container name to {name}.")
        return _renamed(wishes, name)

    def _note(self, text: str) -> None:
        if not self._quiet:
            self._session.note(text)


def _state(pod: Mapping[str, Any] | None, container: str) -> Mapping[str, Any]:
    status = (pod or {}).get("status") or {}
    lists = ("ephemeralContainerStatuses", "containerStatuses", "initContainerStatuses")
    every = (each for key in lists for each in status.get(key) or ())
    found: Mapping[str, Any] = next((each for each in every if each.get("name") == container), {})
    state: Mapping[str, Any] = found.get("state") or {}
    return state


def _first(pod: Mapping[str, Any]) -> str:
    return str(pod["spec"]["containers"][0]["name"])


def _renamed(wishes: Wishes, name: str) -> Wishes:
    return dataclasses.replace(wishes, name=name)


def _suffix() -> str:
    return "".join(random.SystemRandom().choices(debugging.SUFFIX_CHARACTERS, k=5))
