"""The volumes of one pod: made before its containers start, kept in step with the API objects and the tokens they show."""

import asyncio
from collections.abc import Callable

from apimachinery.kinds import Container, Pod, PodSecurityContext, Volume, VolumeMount
from apimachinery.quantity import int_value
from kubelet.core.containers import propagation
from kubelet.core.environment import Sources, expand, referenced
from kubelet.core.pods import containers
from kubelet.core.tokens import needs as token_needs
from kubelet.core.volumes import Needs, VolumeError, has_payload, needs, payload
from kubelet.loops.kit import Kit
from kubelet.loops.objects import NotSyncedError
from kubelet.loops.pod_tokens import PodTokens
from kubelet.ports import VolumeFailureError
from proto.gen import cri_pb2 as cri


class PodVolumes:
    """Owned by the pod's worker. `paths` maps a volume's name to its place on the node once it is made."""

    def __init__(self, kit: Kit, uid: str) -> None:
        self._kit = kit
        self._uid = uid
        self._tokens = PodTokens(kit.client, kit.clock, kit.rng)
        self.paths: dict[str, str] = {}

    def hold(self, pod: Pod, changed: Callable[[], None]) -> None:
        """Begin to watch every object that the pod refers to."""
        self._kit.objects.hold(self._uid, pod.metadata.namespace, _all_needs(pod), changed)

    async def sources(self, pod: Pod, wanted: Needs, pod_ips: tuple[str, ...]) -> Sources:
        """What variables and files are drawn from; raises NotSyncedError."""
        namespace, objects = pod.metadata.namespace, self._kit.objects
        config_maps, secrets = await asyncio.gather(
            objects.config_maps(namespace, wanted.config_maps), objects.secrets(namespace, wanted.secrets)
        )
        return Sources(
            config_maps=config_maps,
            secrets=secrets,
            services=self._kit.services.list(),
            pod_ips=pod_ips,
            host_ip=self._kit.settings.node_ip,
            allocatable=self._kit.settings.allocatable,
        )

    async def provide(self, pod: Pod, pod_ips: tuple[str, ...]) -> None:
        """Make every volume, or renew its contents; raises VolumeFailureError with the event's message."""
        for volume in pod.spec.volumes:
            try:
                self.paths[volume.name] = await self._make(pod, volume, pod_ips)
            except (VolumeError, VolumeFailureError, NotSyncedError) as error:
                raise VolumeFailureError(f'MountVolume.SetUp failed for volume "{volume.name}" : {error}') from error

    def due_s(self) -> float | None:
        """Seconds until contents have to be renewed because of their age; None when nothing ages."""
        return self._tokens.due_s()

    async def renew(self, pod: Pod, pod_ips: tuple[str, ...]) -> None:
        """Renew the contents that come from the API; raises VolumeFailureError."""
        for volume in pod.spec.volumes:
            if volume.name in self.paths and has_payload(volume):
                try:
                    await self._make(pod, volume, pod_ips)
                except (VolumeError, VolumeFailureError, NotSyncedError) as error:
                    raise VolumeFailureError(f'MountVolume.SetUp failed for volume "{volume.name}" : {error}') from error

    async def _make(self, pod: Pod, volume: Volume, pod_ips: tuple[str, ...]) -> str:
        group = (pod.spec.security_context or PodSecurityContext()).fs_group
        files = self._kit.filesystem
        if has_payload(volume):
            tokens = await self._tokens.get(pod, token_needs(volume))
            contents = payload(pod, volume, await self.sources(pod, needs(volume), pod_ips), tokens)
            return await files.write_payload(self._uid, volume.name, _kind(volume), contents, group)
        if volume.host_path is not None:
            return await files.check_host_path(volume.host_path.path, volume.host_path.type or "")
        if volume.empty_dir is not None:
            limit = volume.empty_dir.size_limit
            return await files.make_empty(
                self._uid,
                volume.name,
                memory=volume.empty_dir.medium == "Memory",
                size_bytes=int_value(limit) if limit is not None else None,
                group=group,
            )
        raise VolumeFailureError("no volume plugin matched")

    async def mounts(self, pod: Pod, container: Container, variables: dict[str, str]) -> list[cri.Mount]:
        """The container's volume mounts; raises VolumeFailureError."""
        volumes = {volume.name: volume for volume in pod.spec.volumes}
        found = []
        for index, mount in enumerate(container.volume_mounts):
            path = self.paths[mount.name]
            subpath = expand(mount.sub_path_expr, variables) if mount.sub_path_expr else mount.sub_path
            if subpath:
                path = await self._kit.filesystem.resolve_subpath(
                    path, subpath, self._uid, container.name, index, create=not has_payload(volumes[mount.name])
                )
            found.append(_mount(mount, path, volumes[mount.name]))
        return found


def _mount(mount: VolumeMount, path: str, volume: Volume) -> cri.Mount:
    inside = mount.mount_path if mount.mount_path.startswith("/") else f"/{mount.mount_path}"
    return cri.Mount(
        container_path=inside,
        host_path=path,
        readonly=bool(mount.read_only) or has_payload(volume),
        propagation=propagation(mount.mount_propagation),
    )


def _kind(volume: Volume) -> str:
    if volume.config_map is not None:
        return "configmap"
    if volume.secret is not None:
        return "secret"
    return "projected" if volume.projected is not None else "downward-api"


def _all_needs(pod: Pod) -> Needs:
    found = Needs(secrets=frozenset(each.name for each in pod.spec.image_pull_secrets))
    for volume in pod.spec.volumes:
        found |= needs(volume)
    for _, container in containers(pod):
        found |= container_needs(pod, container)
    return found


def container_needs(pod: Pod, container: Container) -> Needs:
    """The objects that a container's variables come from."""
    config_maps, secrets = referenced(pod, container)
    return Needs(frozenset(config_maps), frozenset(secrets))
