"""`kctl run`: one pod from an image, in the background or on this terminal.

Attached, it waits until the pod runs, carries its streams, and (unless the pod is restarted for ever) ends with its exit code.
With `--rm` the pod is deleted on every way out.
"""

import sys
from typing import Any

import click

from kctl import applying, changing, running, watching
from kctl.durations import parse_duration
from kctl.errors import CommandExitedError, KctlError, PlainError, StatusError
from kctl.options import command, option, switch
from kctl.rest import JSON_PATCH, MERGE_PATCH, STRATEGIC_PATCH, StreamTimeoutError
from kctl.session import Session
from kctl.targets import Target
from kctl.writing import Writing, dry_run_option, output_option, report, writing

OVERRIDE_TYPES = {"json": JSON_PATCH, "merge": MERGE_PATCH, "strategic": STRATEGIC_PATCH}
_ENDED = ("Succeeded", "Failed")


class PodFailedError(KctlError):
    """The pod ended with a code of its own, which becomes ours."""

    def __init__(self, text: str, code: int | None) -> None:
        super().__init__(text)
        self.exit_code = 1 if code is None else code

    def text(self) -> str:
        return str(self)


@command("run")
@click.argument("words", nargs=-1, metavar="NAME [-- COMMAND ARGUMENTS...]")
@option("--image", default="", help="The container's image.")
@switch("--command", "command_given", help="The words behind -- replace the image's command, not its arguments.")
@option("--restart", default="Always", help="Always, OnFailure or Never.")
@option("--env", multiple=True, help="KEY=VALUE for the container.")
@option("-l", "--labels", default="", help="Labels of the pod (and of the Service).")
@option("--annotations", multiple=True, help="KEY=VALUE for the pod.")
@option("--port", default="", help="The port that the container listens on.")
@switch("--expose", help="Make a Service for the port too.")
@option("--image-pull-policy", default="", help="Always, IfNotPresent or Never.")
@switch("--privileged", help="Run the container privileged.")
@switch("-i", "--stdin", help="Keep the container's standard input open and pass ours on.")
@switch("-t", "--tty", help="Give the container a terminal.")
@option("--attach", default="", bare="true", help="Attach once the pod runs; the default with -i.")
@switch("--rm", help="Delete the pod when the session ends.")
@switch("--leave-stdin-open", help="Leave standard input open after the first session.")
@switch("-q", "--quiet", help="Print only what the container prints.")
@option("--overrides", default="", help="A patch to the pod before it is sent.")
@option("--override-type", default="merge", type=click.Choice(list(OVERRIDE_TYPES)), help="How to read --overrides.")
@option("--pod-running-timeout", default="1m", help="How long to wait for the pod to run.")
@switch("--save-config", help="Remember the pod for a later apply.")
@option("--field-manager", default="kubectl-run", help="The name under which the fields are owned.")
@dry_run_option
@output_option
def run(
    session: Session,
    words: tuple[str, ...],
    image: str,
    command_given: bool,
    restart: str,
    env: tuple[str, ...],
    labels: str,
    annotations: tuple[str, ...],
    port: str,
    expose: bool,
    image_pull_policy: str,
    privileged: bool,
    stdin: bool,
    tty: bool,
    attach: str,
    rm: bool,
    leave_stdin_open: bool,
    quiet: bool,
    overrides: str,
    override_type: str,
    pod_running_timeout: str,
    save_config: bool,
    field_manager: str,
    dry_run: str,
    output: str,
) -> None:
    """Run an image in a pod."""
    behind = session.after_dashes or 0
    if not words or len(words) == behind:
        raise KctlError("NAME is required for run\nSee 'kctl run -h' for help and examples")
    if not image:
        raise KctlError('required flag(s) "image" not set')
    wishes = running.Wishes(
        words[0],
        image,
        words[1:],
        command_given,
        env,
        labels,
        annotations,
        port,
        restart,
        image_pull_policy,
        privileged,
        stdin,
        tty,
        leave_stdin_open,
    )
    attached = stdin if not attach else attach.lower() == "true"
    running.check(wishes, attach=attached, remove=rm, dry_run=dry_run != "none", expose=expose)
    how = writing(dry_run, output=output, field_manager=field_manager)
    timeout_s = parse_duration(pod_running_timeout, "pod-running-timeout")
    pod = running.pod(wishes)
    if overrides:
        content_type = OVERRIDE_TYPES[override_type]
        pod = changing.applied(pod, changing.parse_patch(overrides, content_type), content_type)
    bodies = [*([running.service(wishes)] if expose else []), pod]
    if save_config:
        bodies = [applying.annotated(body) for body in bodies]
    for body in bodies:
        made = _create(session, body, how, quiet=attached)
    if attached:
        metadata = made["metadata"]
        target = Target(session.discovery.for_kind("v1", "Pod"), metadata["name"], metadata["namespace"])
        _Session(session, target, wishes, timeout_s, quiet=quiet, remove=rm).run()


def _create(session: Session, body: dict[str, Any], how: Writing, *, quiet: bool) -> dict[str, Any]:
    kind = str(body["kind"])
    if not how.pretending:
        namespace = session.namespace_of(body["metadata"])
        body = session.client.create(f"/api/v1/namespaces/{namespace}/{kind.lower()}s", body, how.query)
    if how.output == "yaml" and kind == "Service":
        report(session, how, body, "", "")
        session.say("---")
    elif how.output or not quiet or kind != "Pod":
        report(session, how, body, f"{kind.lower()}/{body['metadata']['name']}", "created")
    return body


class _Session:
    """A pod on this terminal, from its creation to its end."""

    def __init__(
        self, session: Session, target: Target, wishes: running.Wishes, timeout_s: float, *, quiet: bool, remove: bool
    ) -> None:
        self._session, self._target, self._wishes = session, target, wishes
        self._timeout_s, self._quiet, self._remove = timeout_s, quiet, remove

    def run(self) -> None:
        try:
            pod = self._wait(("Running", *_ENDED), self._timeout_s)
            if pod["status"]["phase"] in _ENDED:
                self._logs(pod)
            else:
                self._attach(pod)
            if self._wishes.leave_stdin_open or self._wishes.restart == "Always":
                self._say_resumption()
                return
            self._conclude()
        finally:
            if self._remove:
                self._delete()

    def _wait(self, phases: tuple[str, ...], timeout_s: float | None) -> dict[str, Any]:
        """The pod once it is in one of these phases; raises KctlError."""
        deadline = watching.Deadline(self._session.clock, timeout_s or None)
        query = watching.selectors(name=self._target.name)
        collection = watching.collection_of(self._target)
        try:
            for change in watching.follow(self._session.client, collection, query, deadline):
                if change.type == watching.DELETED:
                    raise KctlError(f"pod {self._target.namespace}/{self._target.name} was deleted")
                if change.object and (change.object.get("status") or {}).get("phase") in phases:
                    return change.object
        except StreamTimeoutError as error:
            raise KctlError("timed out waiting for the condition") from error
        raise AssertionError("following ends by an exception only")

    def _attach(self, pod: dict[str, Any]) -> None:
        from kctl import websocket

        if self._wishes.stdin and not self._quiet:
            self._session.note("If you don't see a command prompt, try pressing enter.")
        tty = self._wishes.tty
        if tty and not sys.stdin.isatty():
            self._session.note("Unable to use a TTY - input is not a terminal or the right kind of file")
            tty = False
        wanted = {"stdin": self._wishes.stdin, "stdout": True, "stderr": not self._wishes.tty, "tty": self._wishes.tty}
        query = [("container", self._container(pod)), *((key, "true") for key, on in wanted.items() if on)]
        self._session.out.flush()
        try:
            request = websocket.StreamRequest(f"{self._target.path}/attach", query, self._wishes.stdin, tty)
            websocket.run(self._session.client, request)
        except CommandExitedError:
            pass  # the pod's own status says it, for every way to end
        except (StatusError, ConnectionError) as error:
            self._session.note(f"warning: couldn't attach to {self._target.title}, falling back to streaming logs: {error}")
            self._logs(pod)

    def _logs(self, pod: dict[str, Any]) -> None:
        query: dict[str, str | bool] = {"container": self._container(pod), "follow": True}
        with self._session.client.stream(f"{self._target.path}/log", query, accept="text/plain, */*") as stream:
            for data in stream.chunks():
                self._session.out.write(data.decode(errors="replace"))
                self._session.out.flush()

    def _conclude(self) -> None:
        """Wait for the end; raises PodFailedError with the container's code."""
        awaited = _ENDED if self._wishes.restart == "Never" else ("Succeeded",)
        pod = self._wait(awaited, None)
        if pod["status"]["phase"] == "Failed":
            code, text = running.exit_code(pod)
            raise PodFailedError(text, code)

    def _say_resumption(self) -> None:
        if self._wishes.stdin and self._wishes.tty and not self._remove and not self._quiet:
            name = self._target.name
            self._session.note(
                f"Session ended, resume using 'kctl attach {name} -c {name} -i -t' command when the pod is running"
            )

    def _delete(self) -> None:
        try:
            self._session.client.delete(self._target.path, {"propagationPolicy": "Background"})
        except StatusError as error:
            if not error.not_found:
                raise PlainError(error.text()) from error
            return
        if not self._quiet:
            self._session.say(f'pod "{self._target.name}" deleted')

    def _container(self, pod: dict[str, Any]) -> str:
        return str(pod["spec"]["containers"][0]["name"])
