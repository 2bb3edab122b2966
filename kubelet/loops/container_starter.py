"""Starting one container: its image, variables, mounts, then create and start at the runtime.

Until the runtime is asked to create it, starting can be given up at any point; from there on it is carried through, because a
request that was cut off leaves it open whether a container runs.
"""

from dataclasses import replace

from apimachinery.kinds import Pod
from kubelet.core.containers import ContainerInputs, container_config, message_path
from kubelet.core.environment import ConfigError, environment
from kubelet.core.model import ContainerRecord, ImageRecord, Sandbox
from kubelet.core.plan import Start, backoff_key
from kubelet.core.sandboxes import hosts_file
from kubelet.core.status import Trouble
from kubelet.core.volumes import Needs
from kubelet.loops.images import ImageTroubleError
from kubelet.loops.kit import Kit
from kubelet.loops.objects import NotSyncedError
from kubelet.loops.pod_volumes import PodVolumes, container_needs
from kubelet.ports import RuntimeFailureError, VolumeFailureError
from proto.gen import cri_pb2 as cri

_CONFIG_RETRY_S = 5.0
_CREATE_RETRY_S = 2.0


class StartFailedError(Exception):
    """The container did not start; `container_id` names what the runtime may hold of it."""

    def __init__(self, trouble: Trouble, retry_s: float, container_id: str = "") -> None:
        super().__init__(trouble.message)
        self.trouble = trouble
        self.retry_s = retry_s
        self.container_id = container_id


class ContainerStarter:
    """Starts the containers of one pod, one after the other."""

    def __init__(self, kit: Kit, volumes: PodVolumes) -> None:
        self._kit = kit
        self._volumes = volumes
        self.interruptible = True
        """Whether cancelling now leaves nothing half done."""

    async def start(
        self,
        pod: Pod,
        start: Start,
        previous: ContainerRecord | None,
        sandbox: Sandbox,
        sandbox_config: cri.PodSandboxConfig,
        target: ContainerRecord | None = None,
    ) -> ContainerRecord:
        """The running container; `target` is that of an ephemeral one. Raises StartFailedError."""
        image = await self._image(pod, start, sandbox_config)
        try:
            if start.target and (target is None or not target.running):
                raise ConfigError(f"unable to find target container {start.target}")
            config = await self._config(pod, start, sandbox, image, target)
        except (ConfigError, VolumeFailureError, NotSyncedError) as error:
            self._failed(pod, f"Error: {error}")
            raise StartFailedError(Trouble("CreateContainerConfigError", str(error)), _CONFIG_RETRY_S) from error
        if previous is not None and previous.over:
            self._kit.backoff.fail(backoff_key(pod, start.container), self._kit.clock.now().timestamp())
        async with self._kit.start_slots:
            self.interruptible = False
            try:
                return await self._create_and_start(pod, start, sandbox, config, sandbox_config)
            finally:
                self.interruptible = True

    async def _image(self, pod: Pod, start: Start, sandbox_config: cri.PodSandboxConfig) -> ImageRecord:
        kit = self._kit
        names = frozenset(each.name for each in pod.spec.image_pull_secrets)
        try:
            secrets = await kit.objects.secrets(pod.metadata.namespace, names) if names else {}
            return await kit.images.have(pod, start.container, list(secrets.values()), sandbox_config)
        except NotSyncedError as error:
            raise StartFailedError(Trouble("ErrImagePull", str(error)), _CREATE_RETRY_S) from error
        except ImageTroubleError as error:
            wait_s = kit.images.retry_in_s(pod, start.container)
            retry_s = _CONFIG_RETRY_S if wait_s is None else max(wait_s, 0.2)
            if error.trouble.reason == "ErrImagePull":
                # shown for a moment, then as the back-off that it is
                retry_s = min(retry_s, _CREATE_RETRY_S)
            raise StartFailedError(error.trouble, retry_s) from error

    async def _config(
        self, pod: Pod, start: Start, sandbox: Sandbox, image: ImageRecord, target: ContainerRecord | None
    ) -> cri.ContainerConfig:
        container, settings = start.container, self._kit.settings
        addresses = (settings.node_ip,) if pod.spec.host_network else sandbox.addresses
        needs: Needs = container_needs(pod, container)
        variables = environment(pod, container, await self._volumes.sources(pod, needs, addresses))
        mounts = await self._volumes.mounts(pod, container, variables)
        mounts.extend(await self._own_mounts(pod, start, addresses))
        inputs = ContainerInputs(
            kind=start.kind,
            restart_count=start.restart_count,
            image=image,
            variables=variables,
            mounts=mounts,
            memory_capacity_bytes=settings.memory_bytes,
            seccomp_directory=settings.facts.seccomp_directory,
            target_id=target.id if target is not None else "",
        )
        return container_config(pod, container, inputs)

    async def _own_mounts(self, pod: Pod, start: Start, addresses: tuple[str, ...]) -> list[cri.Mount]:
        """The hosts file and the place for last words."""
        files, container, uid = self._kit.filesystem, start.container, pod.metadata.uid
        taken = {mount.mount_path.rstrip("/") for mount in container.volume_mounts}
        mounts = []
        if "/etc/hosts" not in taken and not pod.spec.host_network:
            content = hosts_file(pod, addresses, self._kit.settings.facts.cluster_domain)
            path = await files.write_pod_file(uid, "etc-hosts", content)
            mounts.append(cri.Mount(container_path="/etc/hosts", host_path=path))
        if message_path(container) not in taken:
            path = await files.termination_file(uid, container.name, start.restart_count)
            mounts.append(cri.Mount(container_path=message_path(container), host_path=path))
        return mounts

    async def _create_and_start(
        self,
        pod: Pod,
        start: Start,
        sandbox: Sandbox,
        config: cri.ContainerConfig,
        sandbox_config: cri.PodSandboxConfig,
    ) -> ContainerRecord:
        kit, name = self._kit, start.container.name
        try:
            identity = await kit.runtime.create_container(sandbox.id, config, sandbox_config)
        except RuntimeFailureError as error:
            self._failed(pod, f"Error: {error}")
            raise StartFailedError(Trouble("CreateContainerError", str(error)), _CREATE_RETRY_S) from error
        kit.recorder.event(pod, "Normal", "Created", f"Created container: {name}")
        try:
            await kit.runtime.start_container(identity)
            record = await kit.runtime.container_status(identity)
        except RuntimeFailureError as error:
            self._failed(pod, f"Error: {error}")
            raise StartFailedError(Trouble("RunContainerError", str(error)), 0.0, identity) from error
        kit.recorder.event(pod, "Normal", "Started", f"Started container {name}")
        return replace(record, sandbox_id=sandbox.id)

    def _failed(self, pod: Pod, message: str) -> None:
        self._kit.recorder.event(pod, "Warning", "Failed", message)
