"""Admission: what the cluster's rules add to an object, or refuse, before it is defaulted and validated.

- NamespaceLifecycle: an object is created only in a namespace that exists and is not being deleted; the namespaces that the
  cluster lives from are not deleted.
- ServiceAccount: a pod that names no service account runs as `default`.
- DefaultTolerationSeconds: a pod tolerates a node that is not ready or unreachable for a configured time.
- Priority, RuntimeClass: see `classes`.

Source: the Kubernetes page "Admission Control in Kubernetes".
"""

from apimachinery import codec, errors
from apimachinery.errors import ApiError
from apimachinery.kinds import Namespace, Pod, PriorityClass, Toleration
from apimachinery.kinds.meta import StatusCause, StatusDetails
from apimachinery.kinds.object import Object
from apimachinery.resources import NAMESPACES, Resource
from apiserver.registry.classes import Classes
from apiserver.registry.current import Current, Reader

NOT_READY = "node.kubernetes.io/not-ready"
UNREACHABLE = "node.kubernetes.io/unreachable"
PROTECTED_NAMESPACES = frozenset(("default", "kube-system", "kube-public"))


class Admission:
    """Needs to see namespaces; `toleration_s` is what DefaultTolerationSeconds grants."""

    def __init__(self, reader: Reader, toleration_s: int) -> None:
        self._reader = reader
        self._toleration_s = toleration_s
        self._classes = Classes(reader)

    async def admit_create(self, resource: Resource, obj: Object) -> None:
        """Complete `obj` in place; raises ApiError 403 or 404."""
        if resource.namespaced:
            await self._require_namespace(resource, obj.metadata.namespace, obj.metadata.name)
        if isinstance(obj, Pod):
            self._complete_pod(obj)
            await self._classes.complete(obj)
        if isinstance(obj, PriorityClass):
            self._classes.admit_class(obj)

    def admit_delete(self, resource: Resource, name: str) -> None:
        """Raises ApiError 403."""
        if resource is NAMESPACES and name in PROTECTED_NAMESPACES:
            raise errors.forbidden("namespaces", name, "this namespace may not be deleted")

    async def _require_namespace(self, resource: Resource, namespace: str, name: str) -> None:
        cached = self._reader.glimpse(NAMESPACES, "", namespace)
        if cached is not None and not _terminating(cached):
            return
        newest = await self._reader.read(NAMESPACES, "", namespace)
        if newest is None:
            raise errors.not_found("namespaces", namespace)
        if _terminating(newest):
            raise _being_terminated(resource, namespace, name)

    def _complete_pod(self, pod: Pod) -> None:
        spec = pod.spec
        if not spec.service_account_name:
            spec.service_account_name = spec.service_account or "default"
        spec.service_account = spec.service_account_name
        for key in (NOT_READY, UNREACHABLE):
            if not any(_covers(toleration, key) for toleration in spec.tolerations):
                spec.tolerations.append(
                    Toleration(key=key, operator="Exists", effect="NoExecute", toleration_seconds=self._toleration_s)
                )


def _covers(toleration: Toleration, key: str) -> bool:
    return toleration.key in ("", key) and toleration.effect in ("", "NoExecute")


def _terminating(namespace: Current) -> bool:
    found = codec.decode(Namespace, namespace.data)
    return bool(found.metadata.deletion_timestamp) or found.status.phase == "Terminating"


def _being_terminated(resource: Resource, namespace: str, name: str) -> ApiError:
    detail = f"unable to create new content in namespace {namespace} because it is being terminated"
    error = errors.forbidden(resource.plural, name, detail, group=resource.group)
    message = f"namespace {namespace} is being terminated"
    cause = StatusCause(reason="NamespaceTerminating", message=message, field="metadata.namespace")
    error.status.details = error.status.details or StatusDetails(kind=resource.plural, name=name, group=resource.group)
    error.status.details.causes = [cause]
    return error
