"""ServiceAccount: a pod runs as an account that exists, and finds in each container what it needs to talk to the API as it.

    pod ── names an account → it exists → its imagePullSecrets, if the pod has none → the volume kube-api-access-xxxxx
                                            (token, CA, namespace), mounted where a container mounts nothing else

A pod that shows one which a node runs from a file has no account. The account `default` of a namespace is made by a controller
as soon as the namespace is there: who makes a pod right after its namespace would often be faster, so a pod waits a moment for
it before it is refused.

Source: the Kubernetes pages "Managing Service Accounts" and "Configure Service Accounts for Pods".
"""

import asyncio
import random
from collections.abc import Iterable

from apimachinery import codec, errors
from apimachinery import service_accounts as names
from apimachinery.errors import ApiError
from apimachinery.kinds import (
    ConfigMapProjection,
    Container,
    DownwardAPIProjection,
    DownwardAPIVolumeFile,
    KeyToPath,
    ObjectFieldSelector,
    Pod,
    ProjectedVolumeSource,
    ServiceAccount,
    ServiceAccountTokenProjection,
    Volume,
    VolumeMount,
    VolumeProjection,
)
from apimachinery.resources import SERVICE_ACCOUNTS
from apiserver.core.naming import generate_name
from apiserver.core.service_account_tokens import EXTENDED_FROM_S
from apiserver.registry.current import Reader

FILE_MODE = 0o644
WAITS_S = (0.01, 0.02, 0.04, 0.08, 0.1, 0.15, 0.2, 0.2, 0.2)
"""Between one look for the account `default` and the next: a second altogether."""


class Accounts:
    """Looks accounts up for new pods."""

    def __init__(self, reader: Reader, rng: random.Random) -> None:
        self._reader = reader
        self._rng = rng

    async def complete(self, pod: Pod) -> None:
        """Complete a new pod, whose account is named, in place; raises ApiError 403."""
        if names.MIRROR_POD in pod.metadata.annotations:
            _require_no_account(pod)
            return
        account = await self._account(pod)
        if not pod.spec.image_pull_secrets:
            pod.spec.image_pull_secrets = list(account.image_pull_secrets)
        if _mounts(pod, account):
            mount_token(pod, generate_name(names.VOLUME_PREFIX, self._rng))

    async def _account(self, pod: Pod) -> ServiceAccount:
        namespace, name = pod.metadata.namespace, pod.spec.service_account_name
        current = self._reader.glimpse(SERVICE_ACCOUNTS, namespace, name)
        for wait_s in (0.0, *(WAITS_S if name == names.DEFAULT else ())):
            if current is None:
                await asyncio.sleep(wait_s)
                current = await self._reader.read(SERVICE_ACCOUNTS, namespace, name)
        if current is None:
            detail = f'error looking up service account {namespace}/{name}: serviceaccount "{name}" not found'
            raise _refused(pod, detail)
        return codec.decode(ServiceAccount, current.data)


def mount_token(pod: Pod, volume: str) -> None:
    """Give each container the volume, unless it mounts something else in its place; the pod gets it if any container does."""
    containers = (*pod.spec.init_containers, *pod.spec.containers)
    without = [each for each in containers if not _has_mount(each)]
    for container in without:
        container.volume_mounts.append(VolumeMount(name=volume, read_only=True, mount_path=names.MOUNT_PATH))
    if without:
        pod.spec.volumes.append(
            Volume(name=volume, projected=ProjectedVolumeSource(default_mode=FILE_MODE, sources=_sources()))
        )


def _sources() -> list[VolumeProjection]:
    namespace = DownwardAPIVolumeFile(
        path=names.NAMESPACE_KEY, field_ref=ObjectFieldSelector(api_version="v1", field_path="metadata.namespace")
    )
    certificate = KeyToPath(key=names.CA_KEY, path=names.CA_KEY)
    token = ServiceAccountTokenProjection(path=names.TOKEN_KEY, expiration_seconds=EXTENDED_FROM_S)
    return [
        VolumeProjection(service_account_token=token),
        VolumeProjection(config_map=ConfigMapProjection(name=names.ROOT_CA, items=[certificate])),
        VolumeProjection(downward_api=DownwardAPIProjection(items=[namespace])),
    ]


def _has_mount(container: Container) -> bool:
    return any(mount.mount_path.rstrip("/") == names.MOUNT_PATH for mount in container.volume_mounts)


def _mounts(pod: Pod, account: ServiceAccount) -> bool:
    """Whether a pod wants the token: it decides itself, else its account."""
    chosen = pod.spec.automount_service_account_token
    if chosen is None:
        chosen = account.automount_service_account_token
    return chosen is not False


def _require_no_account(pod: Pod) -> None:
    if pod.spec.service_account_name:
        raise _refused(pod, "a mirror pod may not reference service accounts")
    if any(_uses_token(volume) for volume in pod.spec.volumes):
        raise _refused(pod, "a mirror pod may not use ServiceAccountToken volume projections")


def _uses_token(volume: Volume) -> bool:
    sources: Iterable[VolumeProjection] = volume.projected.sources if volume.projected is not None else ()
    return any(source.service_account_token is not None for source in sources)


def _refused(pod: Pod, detail: str) -> ApiError:
    return errors.forbidden("pods", pod.metadata.name, detail)
