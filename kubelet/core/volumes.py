"""Volumes as data: which objects a pod's volumes need, and the files that they become.

A payload maps relative paths to contents; the filesystem port makes a directory show exactly that, at once. Messages are those
that Kubernetes puts into FailedMount events. Source: the Kubernetes pages "Volumes" and "Projected Volumes".
"""

import base64
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from apimachinery.kinds import (
    ConfigMap,
    ConfigMapVolumeSource,
    DownwardAPIVolumeFile,
    KeyToPath,
    Pod,
    Secret,
    SecretVolumeSource,
    Volume,
)
from kubelet.core.environment import ConfigError, Sources, field_value, resource_value, secret_data
from kubelet.core.tokens import TokenNeed, need, owner

_DEFAULT_MODE = 0o644
_PRIVATE_MODE = 0o600


@dataclass(frozen=True, slots=True)
class FileContent:
    """One file of a volume: its bytes, its permission bits, and whose it is (None: root's)."""

    data: bytes
    mode: int
    owner: int | None = None


class VolumeError(Exception):
    """The volume's contents cannot be made; the message is what the FailedMount event says."""


@dataclass(frozen=True, slots=True)
class Needs:
    """Names of the objects that something refers to, in the pod's namespace."""

    config_maps: frozenset[str] = frozenset()
    secrets: frozenset[str] = frozenset()

    def __or__(self, other: "Needs") -> "Needs":
        return Needs(self.config_maps | other.config_maps, self.secrets | other.secrets)


def needs(volume: Volume) -> Needs:
    """The objects that a volume's contents come from."""
    found = Needs()
    if volume.config_map is not None:
        found |= Needs(config_maps=frozenset([volume.config_map.name]))
    if volume.secret is not None:
        found |= Needs(secrets=frozenset([volume.secret.secret_name]))
    for source in volume.projected.sources if volume.projected is not None else ():
        if source.config_map is not None:
            found |= Needs(config_maps=frozenset([source.config_map.name]))
        if source.secret is not None:
            found |= Needs(secrets=frozenset([source.secret.name]))
    return found


def has_payload(volume: Volume) -> bool:
    """Whether the volume's files come from the API and follow it."""
    return any((volume.config_map, volume.secret, volume.downward_api, volume.projected))


def payload(
    pod: Pod, volume: Volume, sources: Sources, tokens: Mapping[TokenNeed, str] | None = None
) -> dict[str, FileContent]:
    """The files of a configMap, secret, downwardAPI or projected volume; raises VolumeError."""
    if volume.config_map is not None:
        return _config_map_files(pod, volume.config_map, sources, None)
    if volume.secret is not None:
        return _secret_files(pod, volume.secret, sources, None)
    if volume.downward_api is not None:
        return _downward_files(pod, volume.downward_api.items, volume.downward_api.default_mode, sources)
    return _projected_files(pod, volume, sources, tokens or {})


def _projected_files(pod: Pod, volume: Volume, sources: Sources, tokens: Mapping[TokenNeed, str]) -> dict[str, FileContent]:
    assert volume.projected is not None
    mode = volume.projected.default_mode
    files: dict[str, FileContent] = {}
    for source in volume.projected.sources:
        if source.config_map is not None:
            chosen = source.config_map
            files |= _config_map_files(
                pod,
                ConfigMapVolumeSource(name=chosen.name, items=chosen.items, optional=chosen.optional),
                sources,
                mode,
            )
        if source.secret is not None:
            wanted = SecretVolumeSource(
                secret_name=source.secret.name, items=source.secret.items, optional=source.secret.optional
            )
            files |= _secret_files(pod, wanted, sources, mode)
        if source.downward_api is not None:
            files |= _downward_files(pod, source.downward_api.items, mode, sources)
        if source.service_account_token is not None:
            projection = source.service_account_token
            files[projection.path] = _token_file(pod, tokens[need(projection)], mode)
        if source.cluster_trust_bundle is not None:
            raise VolumeError("clusterTrustBundle projections are not supported by this node")
        if source.pod_certificate is not None:
            raise VolumeError("podCertificate projections are not supported by this node")
    return files


def _token_file(pod: Pod, token: str, mode: int | None) -> FileContent:
    """Private as soon as it is known who has to read it: the one user of all containers, or the pod's group."""
    user = owner(pod)
    group = pod.spec.security_context.fs_group if pod.spec.security_context is not None else None
    if user is not None or group is not None:
        return FileContent(token.encode(), _PRIVATE_MODE, user)
    return FileContent(token.encode(), _DEFAULT_MODE if mode is None else mode)


def _config_map_files(pod: Pod, source: ConfigMapVolumeSource, sources: Sources, mode: int | None) -> dict[str, FileContent]:
    found = sources.config_maps.get(source.name)
    if found is None and not source.optional:
        raise VolumeError(f'configmap "{source.name}" not found')
    data = {} if found is None else config_map_data(found)
    default = mode if mode is not None else source.default_mode
    return _chosen(data, source.items, default, bool(source.optional))


def _secret_files(pod: Pod, source: SecretVolumeSource, sources: Sources, mode: int | None) -> dict[str, FileContent]:
    found = sources.secrets.get(source.secret_name)
    if found is None and not source.optional:
        raise VolumeError(f'secret "{source.secret_name}" not found')
    data = {} if found is None else _decoded(found)
    default = mode if mode is not None else source.default_mode
    return _chosen(data, source.items, default, bool(source.optional))


def config_map_data(config_map: ConfigMap) -> dict[str, bytes]:
    """Text and binary values together."""
    texts = {name: value.encode() for name, value in config_map.data.items()}
    return texts | {name: base64.b64decode(value) for name, value in config_map.binary_data.items()}


def _decoded(secret: Secret) -> dict[str, bytes]:
    try:
        return secret_data(secret)
    except ConfigError as error:
        raise VolumeError(str(error)) from error


def _chosen(
    data: Mapping[str, bytes], items: Iterable[KeyToPath], default: int | None, optional: bool
) -> dict[str, FileContent]:
    mode = _DEFAULT_MODE if default is None else default
    chosen = list(items)
    if not chosen:
        return {name: FileContent(value, mode) for name, value in data.items()}
    files = {}
    for item in chosen:
        if item.key in data:
            files[item.path] = FileContent(data[item.key], mode if item.mode is None else item.mode)
        elif not optional:
            raise VolumeError(f"references non-existent config key: {item.key}")
    return files


def _downward_files(
    pod: Pod, items: Iterable[DownwardAPIVolumeFile], default: int | None, sources: Sources
) -> dict[str, FileContent]:
    files = {}
    for item in items:
        try:
            if item.field_ref is not None:
                text = field_value(pod, item.field_ref.field_path, sources)
            elif item.resource_field_ref is not None:
                text = resource_value(pod, item.resource_field_ref, None, sources)
            else:
                continue
        except ConfigError as error:
            raise VolumeError(str(error)) from error
        mode = item.mode if item.mode is not None else default
        files[item.path] = FileContent(text.encode(), _DEFAULT_MODE if mode is None else mode)
    return files
