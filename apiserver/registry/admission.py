"""Admission: what the cluster's rules add to an object, or refuse; what only a valid object can be judged by comes after
validation.

- NamespaceLifecycle: an object is created only in a namespace that exists and is not being deleted; the namespaces that the
  cluster lives from are not deleted.
- CustomResourceDefinitions: no custom object is created while its definition is being deleted.
- ServiceAccount: a pod that names no service account runs as `default`; see `service_accounts`.
- DefaultTolerationSeconds: a pod tolerates a node that is not ready or unreachable for a configured time.
- Priority, RuntimeClass: see `classes`.
- LimitRanger: containers get the defaults of their namespace's LimitRanges; a valid object that breaks their bounds is refused.
- PodSecurity: see `pod_security`.
- DefaultStorageClass: a claim that names no class gets the one that is marked as the default.
- StorageObjectInUseProtection: claims and volumes get the finalizers that keep them while they are used.

LimitRanges are taken as the watch cache has them: a namespace that has none costs nothing, and one that was made a moment ago
may not count yet.

Source: the Kubernetes page "Admission Control in Kubernetes".
"""

from collections.abc import Iterator
from functools import lru_cache

from apimachinery import codec, errors, protection
from apimachinery import service_accounts as account_names
from apimachinery.errors import ApiError, Reason, api_error
from apimachinery.kinds import LimitRange, Namespace, PersistentVolumeClaim, Pod, PriorityClass, StorageClass, Toleration
from apimachinery.kinds.meta import StatusCause, StatusDetails
from apimachinery.kinds.object import Object
from apimachinery.resources import LIMIT_RANGES, NAMESPACES, STORAGE_CLASSES, Resource
from apiserver.core import default_classes, limit_ranges
from apiserver.core.custom import CustomResource
from apiserver.registry.classes import Classes
from apiserver.registry.current import Current, Reader, readable
from apiserver.registry.pod_security import PodSecurity
from apiserver.registry.service_accounts import Accounts

NOT_READY = "node.kubernetes.io/not-ready"
UNREACHABLE = "node.kubernetes.io/unreachable"
PROTECTED_NAMESPACES = frozenset(("default", "kube-system", "kube-public"))


class Admission:
    """Needs to see namespaces; `toleration_s` is what DefaultTolerationSeconds grants.

    accounts: None where no tokens are given out; then nobody looks whether a pod's account exists.
    """

    def __init__(self, reader: Reader, toleration_s: int, accounts: Accounts | None = None) -> None:
        self._reader = reader
        self._toleration_s = toleration_s
        self._accounts = accounts
        self._classes = Classes(reader)
        self._pod_security = PodSecurity(reader)

    async def admit_create(self, resource: Resource, obj: Object) -> None:
        """Complete `obj` in place; raises ApiError 403 or 404."""
        if isinstance(resource, CustomResource) and resource.family.terminating:
            raise _ending()
        if resource.namespaced:
            await self._require_namespace(resource, obj.metadata.namespace, obj.metadata.name)
        if isinstance(obj, Pod):
            self._complete_pod(obj)
            if self._accounts is not None:
                await self._accounts.complete(obj)
            await self._classes.complete(obj)
            for limit_range in self._limit_ranges(obj):
                limit_ranges.complete(obj, limit_range)
        if isinstance(obj, PriorityClass):
            self._classes.admit_class(obj)
        if isinstance(obj, PersistentVolumeClaim) and not default_classes.names_class(obj):
            self._give_class(obj)
        protection.protect(obj)

    async def admit_valid(self, resource: Resource, new: Object, old: Object | None, subresource: str) -> tuple[str, ...]:
        """Refuse a valid object, or a valid change of `old`, that its namespace does not allow: ApiError 403; else warnings."""
        if subresource in ("", "resize"):
            self._require_bounds(resource, new, old, resized=bool(subresource))
        elif subresource != "ephemeralcontainers":
            return ()
        return await self._pod_security.admit(resource, new, old)

    def _require_bounds(self, resource: Resource, new: Object, old: Object | None, *, resized: bool) -> None:
        """The resources of pods that exist are what their LimitRanges decide about only when they change."""
        if old is not None and ((isinstance(old, Pod) and not resized) or old.metadata.deletion_timestamp):
            return
        if not isinstance(new, Pod | PersistentVolumeClaim):
            return
        for limit_range in self._limit_ranges(new):
            if found := limit_ranges.violations(new, limit_range):
                raise errors.forbidden(resource.plural, new.metadata.name, limit_ranges.sentence(found), group=resource.group)

    def admit_delete(self, resource: Resource, name: str) -> None:
        """Raises ApiError 403."""
        if resource is NAMESPACES and name in PROTECTED_NAMESPACES:
            raise errors.forbidden("namespaces", name, "this namespace may not be deleted")

    def _limit_ranges(self, obj: Object) -> Iterator[LimitRange]:
        for each in self._reader.view(LIMIT_RANGES, obj.metadata.namespace):
            yield codec.decode(LimitRange, each.data)

    def _give_class(self, claim: PersistentVolumeClaim) -> None:
        """Classes that are not the default cost no decoding."""
        marked = (each for each in self._reader.view(STORAGE_CLASSES) if b"is-default-class" in each.data)
        found = default_classes.default_class(readable(StorageClass, marked))
        if found is not None:
            claim.spec.storage_class_name = found.metadata.name

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
            mirror = account_names.MIRROR_POD in pod.metadata.annotations
            spec.service_account_name = spec.service_account or ("" if mirror else account_names.DEFAULT)
        spec.service_account = spec.service_account_name
        for key in (NOT_READY, UNREACHABLE):
            if not any(_covers(toleration, key) for toleration in spec.tolerations):
                spec.tolerations.append(
                    Toleration(key=key, operator="Exists", effect="NoExecute", toleration_seconds=self._toleration_s)
                )


def _covers(toleration: Toleration, key: str) -> bool:
    return toleration.key in ("", key) and toleration.effect in ("", "NoExecute")


def _terminating(namespace: Current) -> bool:
    return _is_terminating(namespace.data)


@lru_cache(maxsize=256)
def _is_terminating(data: bytes) -> bool:
    """Asked for every object that is made, of the same bytes of the cache until the namespace changes."""
    found = codec.decode(Namespace, data)
    return bool(found.metadata.deletion_timestamp) or found.status.phase == "Terminating"


def _ending() -> ApiError:
    message = "create not allowed while custom resource definition is terminating"
    return api_error(405, Reason.METHOD_NOT_ALLOWED, message)


def _being_terminated(resource: Resource, namespace: str, name: str) -> ApiError:
    detail = f"unable to create new content in namespace {namespace} because it is being terminated"
    error = errors.forbidden(resource.plural, name, detail, group=resource.group)
    message = f"namespace {namespace} is being terminated"
    cause = StatusCause(reason="NamespaceTerminating", message=message, field="metadata.namespace")
    error.status.details = error.status.details or StatusDetails(kind=resource.plural, name=name, group=resource.group)
    error.status.details.causes = [cause]
    return error
