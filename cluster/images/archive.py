"""OCI image archives as values: entries in, bytes out; the same entries always give the same bytes.

An image is a stack of layers (plain tar, so that a node unpacks without decompressing) and a configuration. One archive
holds one or several images as an OCI layout in a tar file; a blob that two images share is stored once. The archive names
its images in both vocabularies that loaders read: annotations in `index.json` (`ctr images import`, any CRI) and a
`manifest.json` (`docker load`).

Sources: OCI image format 1.0 (image-layout, manifest, config, layer); Docker image specification 1.2 (`docker save`).
"""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import IO, Literal

_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
_CONFIG = "application/vnd.oci.image.config.v1+json"
_LAYER = "application/vnd.oci.image.layer.v1.tar"
_INDEX = "application/vnd.oci.image.index.v1+json"
_EPOCH = "1970-01-01T00:00:00Z"


@dataclass(frozen=True)
class Entry:
    """One path of a layer. `path` is relative to the root; `data` is a file's content or a link's target."""

    path: str
    kind: Literal["file", "directory", "link"]
    mode: int
    data: bytes = b""
    uid: int = 0
    gid: int = 0


@dataclass(frozen=True)
class ImageConfig:
    """How a runtime starts the image; every field has the meaning of the OCI configuration field of that name."""

    entrypoint: tuple[str, ...] = ()
    cmd: tuple[str, ...] = ()
    env: Mapping[str, str] = field(default_factory=dict)
    user: str = ""
    working_dir: str = "/"
    exposed_ports: tuple[str, ...] = ()
    stop_signal: str = "SIGTERM"


@dataclass(frozen=True)
class Image:
    """An image ready to be written: its full reference, and the bytes of its layers from the bottom up."""

    reference: str
    architecture: str
    config: ImageConfig
    layers: tuple[bytes, ...]


def digest(data: bytes) -> str:
    """The OCI digest of `data`: `sha256:` and 64 hexadecimal digits."""
    return "sha256:" + hashlib.sha256(data).hexdigest()


def pack_layer(entries: Iterable[Entry]) -> bytes:
    """An uncompressed tar of `entries`, sorted, without times, with every parent directory present.

    Raises ValueError for a path that is absolute, climbs out of the root, or occurs twice.
    """
    by_path: dict[str, Entry] = {}
    for entry in entries:
        path = PurePosixPath(entry.path)
        if path.is_absolute() or ".." in path.parts or not path.parts:
            raise ValueError(f"not a path inside an image: {entry.path!r}")
        if str(path) in by_path:
            raise ValueError(f"occurs twice in one layer: {entry.path!r}")
        by_path[str(path)] = entry
    for name in tuple(by_path):
        for parent in PurePosixPath(name).parents:
            if parent.parts:
                by_path.setdefault(str(parent), Entry(str(parent), "directory", 0o755))
    target = io.BytesIO()
    with tarfile.open(fileobj=target, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        for name in sorted(by_path):
            _add_entry(tar, name, by_path[name])
    return target.getvalue()


def _add_entry(tar: tarfile.TarFile, name: str, entry: Entry) -> None:
    info = tarfile.TarInfo(name)
    info.mode, info.uid, info.gid, info.mtime = entry.mode, entry.uid, entry.gid, 0
    if entry.kind == "directory":
        info.type = tarfile.DIRTYPE
        tar.addfile(info)
    elif entry.kind == "link":
        info.type = tarfile.SYMTYPE
        info.linkname = entry.data.decode()
        tar.addfile(info)
    else:
        info.size = len(entry.data)
        tar.addfile(info, io.BytesIO(entry.data))


def write_archive(images: Sequence[Image], target: IO[bytes]) -> None:
    """Write one archive holding `images` to `target`; raises ValueError when two have the same reference."""
    if len({image.reference for image in images}) != len(images):
        raise ValueError("two images of one archive have the same reference")
    blobs: dict[str, bytes] = {}
    descriptors, docker = [], []
    for image in images:
        descriptor, listing = _describe(image, blobs)
        descriptors.append(descriptor)
        docker.append(listing)
    _write_layout({_blob_path(name): data for name, data in blobs.items()}, descriptors, docker, target)


def merge_archives(archives: Sequence[Path], target: IO[bytes]) -> None:
    """Write to `target` one archive with the images of `archives`, which `write_archive` wrote."""
    blobs: dict[str, bytes] = {}
    descriptors, docker = [], []
    for archive in archives:
        with tarfile.open(archive) as tar:
            files = {info.name: _content(tar, info) for info in tar if info.isfile()}
        descriptors += json.loads(files["index.json"])["manifests"]
        docker += json.loads(files["manifest.json"])
        blobs.update({name: data for name, data in files.items() if name.startswith("blobs/")})
    _write_layout(blobs, descriptors, docker, target)


def _content(tar: tarfile.TarFile, info: tarfile.TarInfo) -> bytes:
    stream = tar.extractfile(info)
    return stream.read() if stream else b""


def _write_layout(files: dict[str, bytes], descriptors: Sequence[object], docker: Sequence[object], target: IO[bytes]) -> None:
    """Write the tar around `files`, the blobs by path."""
    files["oci-layout"] = _json({"imageLayoutVersion": "1.0.0"})
    files["index.json"] = _json({"schemaVersion": 2, "mediaType": _INDEX, "manifests": descriptors})
    files["manifest.json"] = _json(docker)
    with tarfile.open(fileobj=target, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        for name in ("blobs", "blobs/sha256"):
            _add_entry(tar, name, Entry(name, "directory", 0o755))
        for name in sorted(files):
            _add_entry(tar, name, Entry(name, "file", 0o644, files[name]))


def _describe(image: Image, blobs: dict[str, bytes]) -> tuple[dict[str, object], dict[str, object]]:
    """Put the blobs of `image` into `blobs`; return its OCI descriptor and its Docker listing."""
    layers = [_descriptor(_LAYER, layer, blobs) for layer in image.layers]
    config = _descriptor(_CONFIG, _json(_config(image)), blobs)
    manifest = {"schemaVersion": 2, "mediaType": _MANIFEST, "config": config, "layers": layers}
    descriptor = _descriptor(_MANIFEST, _json(manifest), blobs)
    descriptor["platform"] = {"architecture": image.architecture, "os": "linux"}
    descriptor["annotations"] = {
        "io.containerd.image.name": image.reference,
        "org.opencontainers.image.ref.name": image.reference.rpartition(":")[2],
    }
    listing: dict[str, object] = {
        "Config": _blob_path(str(config["digest"])),
        "RepoTags": [image.reference],
        "Layers": [_blob_path(str(layer["digest"])) for layer in layers],
    }
    return descriptor, listing


def _config(image: Image) -> dict[str, object]:
    config = image.config
    run: dict[str, object] = {
        "Env": [f"{name}={value}" for name, value in sorted(config.env.items())],
        "WorkingDir": config.working_dir,
        "StopSignal": config.stop_signal,
    }
    if config.entrypoint:
        run["Entrypoint"] = list(config.entrypoint)
    if config.cmd:
        run["Cmd"] = list(config.cmd)
    if config.user:
        run["User"] = config.user
    if config.exposed_ports:
        run["ExposedPorts"] = {port: {} for port in config.exposed_ports}
    return {
        "architecture": image.architecture,
        "os": "linux",
        "created": _EPOCH,
        "config": run,
        "rootfs": {"type": "layers", "diff_ids": [digest(layer) for layer in image.layers]},
        "history": [{"created": _EPOCH, "created_by": "cluster.images"} for _ in image.layers],
    }


def _descriptor(media_type: str, data: bytes, blobs: dict[str, bytes]) -> dict[str, object]:
    name = digest(data)
    blobs[name] = data
    return {"mediaType": media_type, "digest": name, "size": len(data)}


def _blob_path(name: str) -> str:
    return "blobs/" + name.replace(":", "/")


def _json(value: object) -> bytes:
    return json.dumps(value, sort_keys=True, separators=(",", ":")).encode()
