"""`kctl drain`: cordon a node, then evict its pods and wait until they are gone.

Evictions are asked for together and then, where a disruption budget says "not now" (429), again and again until the time is
up.
"""

import time
from collections.abc import Mapping, Sequence
from typing import Any

import click

from kctl import draining, targets, watching
from kctl.commands.delete import wait_until_gone
from kctl.commands.nodes import find_nodes, set_unschedulable
from kctl.durations import parse_duration
from kctl.errors import KctlError, StatusError, WaitTimeoutError
from kctl.options import command, option, switch
from kctl.session import Session
from kctl.targets import Target
from kctl.writing import Writing, dry_run_option, writing

RETRY_S = 5.0


@command("drain")
@click.argument("names", nargs=-1, metavar="NODE...")
@switch("--ignore-daemonsets", help="Leave pods of DaemonSets where they are.")
@switch("--delete-emptydir-data", help="Evict pods even though their emptyDir volumes go with them.")
@switch("--force", help="Delete pods that no controller will replace.")
@switch("--disable-eviction", help="Delete instead of evicting: disruption budgets are not asked.")
@option("--grace-period", type=int, default=-1, help="Seconds each pod has to end by itself; -1 leaves it to the pod.")
@option("--timeout", default="0s", help="How long to try; 0 for as long as it takes.")
@option("--pod-selector", default="", help="Only pods with these labels.")
@option("-l", "--selector", default="", help="Choose nodes by labels.")
@option(
    "--skip-wait-for-delete-timeout", type=int, default=0, help="Do not wait for pods that have been going for so many seconds."
)
@dry_run_option
def drain(
    session: Session,
    names: tuple[str, ...],
    ignore_daemonsets: bool,
    delete_emptydir_data: bool,
    force: bool,
    disable_eviction: bool,
    grace_period: int,
    timeout: str,
    pod_selector: str,
    selector: str,
    skip_wait_for_delete_timeout: int,
    dry_run: str,
) -> None:
    """Empty nodes for maintenance."""
    how = writing(dry_run)
    nodes = find_nodes(session, names, selector)
    set_unschedulable(session, nodes, True, how)
    limit_s = parse_duration(timeout, "timeout")
    deadline = watching.Deadline(session.clock, limit_s if limit_s > 0 else None)
    drainer = _Drainer(session, how, deadline, grace_period, disable_eviction, skip_wait_for_delete_timeout)
    errors: list[KctlError] = []
    for node in nodes:
        name = node["metadata"]["name"]
        planned = draining.plan(
            drainer.pods_on(name, pod_selector),
            force=force,
            ignore_daemon_sets=ignore_daemonsets,
            delete_empty_dir_data=delete_emptydir_data,
        )
        if planned.refusals:
            errors.append(KctlError(f'unable to drain node "{name}" due to error: [{", ".join(planned.refusals)}]'))
            continue
        for warning in planned.warnings:
            session.note(f"Warning: {warning}")
        drainer.evict(planned.evict)
        session.say(f"node/{name} drained{how.suffix}")
        session.out.flush()
    targets.gather(errors)


class _Drainer:
    """Evicts pods of one node after the other."""

    def __init__(
        self, session: Session, how: Writing, deadline: watching.Deadline, grace_s: int, delete: bool, skip_going_s: int
    ) -> None:
        self._session, self._client, self._how, self._deadline = session, session.client, how, deadline
        self._delete, self._skip_going_s = delete, skip_going_s
        self._options: dict[str, Any] = {"gracePeriodSeconds": grace_s} if grace_s >= 0 else {}
        self._pods = session.discovery.for_kind("v1", "Pod")

    def pods_on(self, node: str, selector: str) -> list[dict[str, Any]]:
        query = watching.selectors(selector, f"spec.nodeName={node}")
        return targets.fetch(self._client, Target(self._pods), query)

    def evict(self, pods: Sequence[Mapping[str, Any]]) -> None:
        """Evict all of them and wait until they are gone; raises KctlError."""
        waiting = [(self._target(pod), pod) for pod in pods if not self._has_been_going(pod)]
        for target, _ in waiting:
            self._session.say(
                f"{'deleting' if self._delete else 'evicting'} pod {target.namespace}/{target.name}{self._how.suffix}"
            )
        self._session.out.flush()
        if self._how.pretending:
            return
        going: list[tuple[Target, Mapping[str, Any]]] = []
        while waiting:
            refused: list[tuple[Target, Mapping[str, Any]]] = []
            for target, pod in waiting:
                (going if self._ask(target) else refused).append((target, pod))
            waiting = refused
            if waiting:
                self._pause()
        for target, pod in going:
            if self._how.dry_run == "none":
                wait_until_gone(self._session, target, str(pod["metadata"].get("uid", "")), self._deadline)
                self._session.say(f"pod/{target.name} {'deleted' if self._delete else 'evicted'}")
                self._session.out.flush()

    def _target(self, pod: Mapping[str, Any]) -> Target:
        return Target(self._pods, pod["metadata"]["name"], pod["metadata"]["namespace"])

    def _has_been_going(self, pod: Mapping[str, Any]) -> bool:
        from apimachinery.times import age_s

        going_s = age_s(pod["metadata"].get("deletionTimestamp"), self._session.clock.now())
        return bool(self._skip_going_s) and going_s is not None and going_s > self._skip_going_s

    def _ask(self, target: Target) -> bool:
        """Evict or delete one pod; False when a disruption budget forbids it for now."""
        try:
            if self._delete:
                self._client.delete(target.path, self._options, self._how.query)
                return True
            body = {
                "apiVersion": "policy/v1",
                "kind": "Eviction",
                "metadata": {"name": target.name, "namespace": target.namespace},
                "deleteOptions": self._options,
            }
            self._client.create(self._pods.path(target.namespace, target.name, "eviction"), body, self._how.query)
        except StatusError as error:
            if error.not_found:
                return True
            if error.code != 429:
                raise error.while_doing(f'error when evicting pods/"{target.name}" -n "{target.namespace}"') from error
            self._session.note(
                f'error when evicting pods/"{target.name}" -n "{target.namespace}" (will retry after {RETRY_S:g}s): {error}'
            )
            return False
        return True

    def _pause(self) -> None:
        remaining = self._deadline.remaining_s()
        if remaining is not None and remaining <= 0:
            raise WaitTimeoutError("global timeout reached: pods could not be evicted in time")
        time.sleep(RETRY_S if remaining is None else min(RETRY_S, remaining))
