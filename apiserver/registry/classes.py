"""Classes that pods name, made good when a pod is admitted: its priority, and what its runtime costs and where it is.

- Priority: a pod gets the number and the preemption policy of its PriorityClass; one that names none gets those of the class
  that is the global default, else 0.
- RuntimeClass: a pod gets the overhead of its RuntimeClass and is kept to nodes that have the runtime.

Source: the Kubernetes pages "Pod Priority and Preemption" and "Runtime Class".
"""

from functools import lru_cache

from apimachinery import codec, errors
from apimachinery.errors import ApiError
from apimachinery.kinds import Pod, PriorityClass, RuntimeClass
from apimachinery.resources import PODS, PRIORITY_CLASSES, RUNTIME_CLASSES, Resource
from apiserver.registry.current import Current, Reader

NO_PRIORITY = 0
PREEMPTS = "PreemptLowerPriority"


class Classes:
    """Reads both kinds of classes."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader

    async def complete(self, pod: Pod) -> None:
        """Complete a new pod in place; raises ApiError 403 for a class that does not exist or that the pod contradicts."""
        await self._prioritize(pod)
        if pod.spec.runtime_class_name:
            await self._fit_runtime(pod, pod.spec.runtime_class_name)

    def admit_class(self, priority: PriorityClass) -> None:
        """Only one class can be the default; raises ApiError 403."""
        default = self._default_priority() if priority.global_default else None
        if default is not None and default.metadata.name != priority.metadata.name:
            detail = f"PriorityClass {default.metadata.name} is already marked as default. Only one default can exist"
            raise errors.forbidden("priorityclasses", priority.metadata.name, detail, group=PRIORITY_CLASSES.group)

    async def _prioritize(self, pod: Pod) -> None:
        spec = pod.spec
        found: PriorityClass | None
        if spec.priority_class_name:
            stored = await self._find(PRIORITY_CLASSES, spec.priority_class_name)
            if stored is None:
                raise _refused(pod, f"no PriorityClass with name {spec.priority_class_name} was found")
            found = _priority_class(stored.data)
        else:
            found = self._default_priority()
        value = NO_PRIORITY if found is None else found.value
        if spec.priority is not None and spec.priority != value:
            detail = f"the integer value of priority ({spec.priority}) must not be provided in pod spec; priority admission "
            raise _refused(pod, f"{detail}controller computed {value} from the given PriorityClass name")
        policy = PREEMPTS if found is None else found.preemption_policy or PREEMPTS
        if spec.preemption_policy and spec.preemption_policy != policy:
            detail = f"the string value of PreemptionPolicy ({spec.preemption_policy}) must not be provided in pod spec; "
            raise _refused(pod, f"{detail}priority admission controller computed {policy} from the given PriorityClass name")
        spec.priority, spec.preemption_policy = value, policy
        if found is not None:
            spec.priority_class_name = found.metadata.name

    async def _fit_runtime(self, pod: Pod, name: str) -> None:
        stored = await self._find(RUNTIME_CLASSES, name)
        if stored is None:
            raise _refused(pod, f'pod rejected: RuntimeClass "{name}" not found')
        runtime = codec.decode(RuntimeClass, stored.data)
        overhead = runtime.overhead.pod_fixed if runtime.overhead is not None else {}
        if pod.spec.overhead and pod.spec.overhead != overhead:
            raise _refused(pod, "pod rejected: Pod's Overhead doesn't match RuntimeClass's defined Overhead")
        pod.spec.overhead = dict(overhead)
        if runtime.scheduling is None:
            return
        for key, value in runtime.scheduling.node_selector.items():
            given = pod.spec.node_selector.setdefault(key, value)
            if given != value:
                where = f"runtimeClass.scheduling.nodeSelector[{key}] = {value}; pod.spec.nodeSelector[{key}] = {given}"
                raise _refused(pod, f"conflict: {where}")
        added = [each for each in runtime.scheduling.tolerations if each not in pod.spec.tolerations]
        pod.spec.tolerations.extend(added)

    def _default_priority(self) -> PriorityClass | None:
        """The class of pods that name none; the least of several, of which there may be two for a moment."""
        classes = (_readable_class(each.data) for each in self._reader.view(PRIORITY_CLASSES))
        defaults = (each for each in classes if each is not None and each.global_default)
        return min(defaults, key=lambda each: each.value, default=None)

    async def _find(self, resource: Resource, name: str) -> Current | None:
        return self._reader.glimpse(resource, "", name) or await self._reader.read(resource, "", name)


@lru_cache(maxsize=64)
def _priority_class(data: bytes) -> PriorityClass:
    """Looked at for every pod that is made, of the same bytes of the cache until the class changes; not to be changed."""
    return codec.decode(PriorityClass, data)


def _readable_class(data: bytes) -> PriorityClass | None:
    try:
        return _priority_class(data)
    except ApiError:
        return None  # what cannot be read is nobody's default


def _refused(pod: Pod, detail: str) -> ApiError:
    return errors.forbidden(PODS.plural, pod.metadata.name, detail)
