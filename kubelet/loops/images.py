"""Having a container's image: looking, pulling, and not pulling again too soon.

Equal pulls are one pull: whoever asks for an image that is on its way waits for it. Whoever waits may stop waiting; the pull
goes on.
"""

import asyncio
from collections.abc import Sequence

from apiclient.events import EventRecorder
from apimachinery.clock import Clock
from apimachinery.kinds import Container, Pod, Secret
from kubelet.core.backoff import Backoff
from kubelet.core.images import InvalidImageNameError, login_for, normalize, pull_policy
from kubelet.core.model import ImageRecord, RegistryLogin
from kubelet.core.status import Trouble
from kubelet.ports import ImageRuntime, RuntimeFailureError
from proto.gen.cri_pb2 import PodSandboxConfig


class ImageTroubleError(Exception):
    """The image cannot be had now; `trouble` is what the container's status says."""

    def __init__(self, trouble: Trouble) -> None:
        super().__init__(trouble.message)
        self.trouble = trouble


class ImageKeeper:
    """Looks after the images of the node's containers."""

    def __init__(self, runtime: ImageRuntime, recorder: EventRecorder, clock: Clock, parallel_pulls: int = 4) -> None:
        self._runtime = runtime
        self._recorder = recorder
        self._clock = clock
        self._backoff = Backoff()
        self._failures: dict[str, tuple[float, str]] = {}
        self._pulls: dict[tuple[str, RegistryLogin | None], asyncio.Task[str]] = {}
        self._slots = asyncio.Semaphore(parallel_pulls)

    def retry_in_s(self, pod: Pod, container: Container) -> float | None:
        """Seconds until the next try is due; None when none has failed."""
        key = self._key(pod, container)
        if key not in self._failures:
            return None
        return self._backoff.remaining_s(key, self._failures[key][0], self._clock.monotonic())

    def forget(self, pod: Pod) -> None:
        """The pod is gone."""
        prefix = f"{pod.metadata.uid}/"
        self._backoff.forget(prefix)
        for key in [key for key in self._failures if key.startswith(prefix)]:
            del self._failures[key]

    async def have(
        self, pod: Pod, container: Container, secrets: Sequence[Secret], sandbox: PodSandboxConfig | None
    ) -> ImageRecord:
        """The container's image, pulled if its policy says so; raises ImageTroubleError."""
        try:
            reference = normalize(container.image)
        except InvalidImageNameError as error:
            self._recorder.event(
                pod, "Warning", "InspectFailed", f'Failed to apply default image tag "{container.image}": {error}'
            )
            raise ImageTroubleError(
                Trouble("InvalidImageName", f'Failed to apply default image tag "{container.image}": {error}')
            ) from error
        policy = pull_policy(container)
        found = await self._look(container, reference)
        if found is not None and policy != "Always":
            message = f'Container image "{container.image}" already present on machine'
            self._recorder.event(pod, "Normal", "Pulled", message)
            return found
        if policy == "Never":
            message = f'Container image "{container.image}" is not present with pull policy of Never'
            self._recorder.event(pod, "Warning", "ErrImageNeverPull", message)
            raise ImageTroubleError(Trouble("ErrImageNeverPull", message))
        return await self._pull(pod, container, reference, login_for(reference, secrets), sandbox)

    async def _look(self, container: Container, reference: str) -> ImageRecord | None:
        try:
            return await self._runtime.image_status(reference)
        except RuntimeFailureError as error:
            message = f'Failed to inspect image "{container.image}": {error}'
            raise ImageTroubleError(Trouble("ImageInspectError", message)) from error

    async def _pull(
        self,
        pod: Pod,
        container: Container,
        reference: str,
        login: RegistryLogin | None,
        sandbox: PodSandboxConfig | None,
    ) -> ImageRecord:
        key = self._key(pod, container)
        failed = self._failures.get(key)
        if failed is not None and self._backoff.remaining_s(key, failed[0], self._clock.monotonic()) > 0:
            message = f'Back-off pulling image "{container.image}"'
            self._recorder.event(pod, "Normal", "BackOff", message)
            self._recorder.event(pod, "Warning", "Failed", "Error: ImagePullBackOff")
            raise ImageTroubleError(Trouble("ImagePullBackOff", f"{message}: ErrImagePull: {failed[1]}"))
        self._recorder.event(pod, "Normal", "Pulling", f'Pulling image "{container.image}"')
        started = self._clock.monotonic()
        try:
            await self._shared_pull(reference, login, sandbox)
            found = await self._look(container, reference)
            if found is None:
                raise RuntimeFailureError(f"{reference} is not there after it was pulled")
        except RuntimeFailureError as error:
            self._note_failure(pod, container, key, str(error))
            raise ImageTroubleError(Trouble("ErrImagePull", str(error))) from error
        self._failures.pop(key, None)
        took = f"{self._clock.monotonic() - started:.3g}s"
        message = (
            f'Successfully pulled image "{container.image}" in {took} ({took} including waiting). '
            f"Image size: {found.size_bytes} bytes."
        )
        self._recorder.event(pod, "Normal", "Pulled", message)
        return found

    def _note_failure(self, pod: Pod, container: Container, key: str, error: str) -> None:
        now = self._clock.monotonic()
        self._backoff.fail(key, now)
        self._failures[key] = now, error
        self._recorder.event(pod, "Warning", "Failed", f'Failed to pull image "{container.image}": {error}')
        self._recorder.event(pod, "Warning", "Failed", "Error: ErrImagePull")

    async def _shared_pull(self, reference: str, login: RegistryLogin | None, sandbox: PodSandboxConfig | None) -> str:
        key = reference, login
        task = self._pulls.get(key)
        if task is None:
            task = asyncio.create_task(self._pull_now(reference, login, sandbox), name=f"pull/{reference}")
            self._pulls[key] = task
            task.add_done_callback(lambda done: self._done(key, done))
        return await asyncio.shield(task)

    def _done(self, key: tuple[str, RegistryLogin | None], task: asyncio.Task[str]) -> None:
        self._pulls.pop(key, None)
        if not task.cancelled():
            task.exception()  # nobody may be waiting any more

    async def _pull_now(self, reference: str, login: RegistryLogin | None, sandbox: PodSandboxConfig | None) -> str:
        async with self._slots:
            return await self._runtime.pull_image(reference, login, sandbox)

    async def close(self) -> None:
        """Give up what is on its way."""
        tasks = list(self._pulls.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    @staticmethod
    def _key(pod: Pod, container: Container) -> str:
        return f"{pod.metadata.uid}/{container.image}"
