"""PodSecurity: pods have to meet the standards that their namespace's labels ask for; the rules are in `core.pod_security`.

Pods that break what is enforced are refused. Workloads never are: whoever writes one is warned that its pods would be. What a
namespace audits goes to the log. A namespace whose labels speak of no standard costs a look into the watch cache; one whose
standard gets stricter is written all the same, with warnings about its pods that break it.
"""

import asyncio
import logging
from collections.abc import Mapping

from apimachinery import codec, errors
from apimachinery.kinds import Namespace, Pod
from apimachinery.kinds.object import Object
from apimachinery.resources import NAMESPACES, PODS, Resource
from apiserver.core import pod_security
from apiserver.core.pod_security_subject import Finding, Subject
from apiserver.registry.current import Reader

log = logging.getLogger(__name__)

EXISTING_MAX = 3_000
_WITHOUT_PAUSE = 50
_PREFIX = pod_security.PREFIX.encode()


class PodSecurity:
    """Reads namespaces, and the pods of one whose standard is raised."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader

    async def admit(self, resource: Resource, new: Object, old: Object | None) -> tuple[str, ...]:
        """Warnings about a valid object that is to replace `old`; raises ApiError (403) for a pod that may not run."""
        if isinstance(new, Namespace):
            return await self._tell_existing(new, old) if isinstance(old, Namespace) else ()
        subject = pod_security.subject_of(new)
        if subject is None:
            return ()
        if isinstance(new, Pod) and isinstance(old, Pod) and not pod_security.is_relevant(new, old):
            return ()
        labels = await self._labels(new.metadata.namespace)
        return self._judge(resource, new, subject, labels) if labels else ()

    def _judge(self, resource: Resource, new: Object, subject: Subject, labels: Mapping[str, str]) -> tuple[str, ...]:
        policy, _ = pod_security.read_policy(labels)
        name = new.metadata.name
        if isinstance(new, Pod) and (found := pod_security.evaluate(policy.enforce, subject)):
            raise errors.forbidden(PODS.plural, name, pod_security.refusal(policy.enforce, found))
        if found := pod_security.evaluate(policy.audit, subject):
            about = f"{resource.qualified}/{name}"
            fields = {
                "object": about,
                "namespace": new.metadata.namespace,
                "findings": pod_security.warning(policy.audit, found),
            }
            log.info("pod security audit", extra=fields)
        found = pod_security.evaluate(policy.warn, subject)
        return (pod_security.warning(policy.warn, found),) if found else ()

    async def _labels(self, namespace: str) -> Mapping[str, str]:
        """The labels of a namespace, or none if none of them is about standards."""
        found = self._reader.glimpse(NAMESPACES, "", namespace) or await self._reader.read(NAMESPACES, "", namespace)
        if found is None or _PREFIX not in found.data:
            return {}
        labels = found.labels()
        return labels if pod_security.is_policed(labels) else {}

    async def _tell_existing(self, new: Namespace, old: Namespace) -> tuple[str, ...]:
        if new.metadata.labels == old.metadata.labels:
            return ()
        policy, _ = pod_security.read_policy(new.metadata.labels)
        if not pod_security.tightens(policy, pod_security.read_policy(old.metadata.labels)[0]):
            return ()
        pods = self._reader.view(PODS, new.metadata.name)
        judged: list[tuple[str, list[Finding]]] = []
        for index, each in enumerate(pods[:EXISTING_MAX], start=1):
            pod = codec.decode(Pod, each.data)
            judged.append(
                (pod.metadata.name, pod_security.evaluate(policy.enforce, Subject(pod.spec, pod.metadata.annotations)))
            )
            if not index % _WITHOUT_PAUSE:
                await asyncio.sleep(0)  # others want to be served
        told = pod_security.tell_existing(new.metadata.name, policy.enforce, judged)
        if len(pods) > EXISTING_MAX:
            beyond = f"new PodSecurity enforce level only checked against the first {EXISTING_MAX} of {len(pods)} existing pods"
            told.insert(0, beyond)
        return tuple(told)
