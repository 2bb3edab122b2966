"""Directories, mounts and files of pods under the kubelet's root.

    ROOT/pods/UID/volumes/KIND/NAME/       one volume; API contents as `..TIME/` directories behind a `..data` link
    ROOT/pods/UID/volume-subpaths/VOLUME/CONTAINER/INDEX   bind mounts of subpaths
    ROOT/pods/UID/containers/NAME/ATTEMPT  last words of a container
    ROOT/pods/UID/etc-hosts

A pod writes into its volumes, so no path through a volume is ever resolved by the kernel's ordinary rules: subpaths are opened
with openat2(RESOLVE_IN_ROOT), which keeps every link inside the volume, and what was opened is mounted through its descriptor;
trees are unmounted first and then deleted relative to directory descriptors, without following links. Readers of API contents
see all files change at once, because they go through `..data`, which one rename replaces.
"""

import asyncio
import contextlib
import ctypes
import os
import re
import shutil
import stat
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import ParamSpec, TypeVar

from apimachinery.clock import Clock
from kubelet.core.volumes import FileContent
from kubelet.ports import VolumeFailureError

Parameters = ParamSpec("Parameters")
ResultT = TypeVar("ResultT")

_MS_BIND, _MS_REC, _MS_NOSUID, _MS_NODEV = 4096, 16384, 2, 4
_MNT_DETACH, _UMOUNT_NOFOLLOW = 2, 8
_OPENAT2 = 437
_RESOLVE_NO_MAGICLINKS, _RESOLVE_IN_ROOT = 0x02, 0x10
_SAFE_NAME = re.compile(r"^[A-Za-z0-9][A-Za-z0-9._-]*$")
_DATA, _NEW_DATA = "..data", "..data_tmp"
_IN_MEMORY = ("secret", "projected")
_libc = ctypes.CDLL(None, use_errno=True)


class _OpenHow(ctypes.Structure):
    _fields_ = [("flags", ctypes.c_uint64), ("mode", ctypes.c_uint64), ("resolve", ctypes.c_uint64)]


class NodeFilesystem:
    """The files of this node's pods; `root` is the kubelet's directory, `logs` the pods' log directory."""

    def __init__(self, root: str, logs: str, clock: Clock) -> None:
        self._pods = Path(root) / "pods"
        self._logs = Path(logs)
        self._clock = clock

    async def prepare_pod(self, uid: str) -> None:
        await _off_loop(self._prepare_pod, uid)

    def _prepare_pod(self, uid: str) -> None:
        self._pods.mkdir(parents=True, exist_ok=True, mode=0o711)
        self._pod(uid).mkdir(exist_ok=True, mode=0o750)

    async def write_payload(self, uid: str, volume: str, kind: str, files: Mapping[str, FileContent], group: int | None) -> str:
        return await _off_loop(self._write_payload, uid, volume, kind, files, group)

    def _write_payload(self, uid: str, volume: str, kind: str, files: Mapping[str, FileContent], group: int | None) -> str:
        target = self._volume(uid, kind, volume)
        if not target.exists():
            target.mkdir(parents=True)
            target.chmod(0o755)
        # the directory may be there without its mount, after the node's power has failed
        if kind in _IN_MEMORY and not os.path.ismount(target):
            _mount("tmpfs", str(target), "tmpfs", _MS_NOSUID | _MS_NODEV, "mode=0755,size=16m")
        replace_contents(target, files, group, f"..{self._clock.now():%Y_%m_%d_%H_%M_%S.%f}")
        return str(target)

    async def make_empty(self, uid: str, volume: str, *, memory: bool, size_bytes: int | None, group: int | None) -> str:
        return await _off_loop(self._make_empty, uid, volume, memory, size_bytes, group)

    def _make_empty(self, uid: str, volume: str, memory: bool, size_bytes: int | None, group: int | None) -> str:
        target = self._volume(uid, "empty-dir", volume)
        if target.exists() and (not memory or os.path.ismount(target)):
            return str(target)
        target.mkdir(parents=True, exist_ok=True)
        if memory:
            size = f",size={size_bytes}" if size_bytes else ""
            _mount("tmpfs", str(target), "tmpfs", _MS_NOSUID | _MS_NODEV, f"mode=0777{size}")
        target.chmod(0o777)
        if group is not None:
            os.chown(target, -1, group)
            target.chmod(0o2777)
        return str(target)

    async def check_host_path(self, path: str, kind: str) -> str:
        return await _off_loop(_check_host_path, path, kind)

    async def resolve_subpath(
        self, volume_path: str, subpath: str, uid: str, container: str, index: int, *, create: bool
    ) -> str:
        return await _off_loop(self._resolve_subpath, volume_path, subpath, uid, container, index, create)

    def _resolve_subpath(self, volume_path: str, subpath: str, uid: str, container: str, index: int, create: bool) -> str:
        parts = [part for part in subpath.split("/") if part not in ("", ".")]
        if ".." in parts or subpath.startswith("/"):
            raise VolumeFailureError(f"failed to prepare subPath: {subpath!r} leaves the volume")
        place = self._pod(uid) / "volume-subpaths" / _safe(Path(volume_path).name) / _safe(container) / str(index)
        _unmount_tree(place)
        volume = os.open(volume_path, os.O_PATH | os.O_DIRECTORY)
        try:
            found = _open_in(volume, parts, create)
        except OSError as error:
            raise VolumeFailureError(f"failed to prepare subPath for volumeMount of container {container}: {error}") from error
        finally:
            os.close(volume)
        try:
            _make_mount_point(place, directory=stat.S_ISDIR(os.fstat(found).st_mode))
            _mount(f"/proc/self/fd/{found}", str(place), "", _MS_BIND | _MS_REC, "")
        finally:
            os.close(found)
        return str(place)

    async def write_pod_file(self, uid: str, name: str, data: bytes, *, mode: int = 0o644) -> str:
        return await _off_loop(self._write_pod_file, uid, name, data, mode)

    def _write_pod_file(self, uid: str, name: str, data: bytes, mode: int) -> str:
        path = self._pod(uid) / _safe(name)
        # a bind mount shows the inode, so a changed file is written in place
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, mode)
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
        return str(path)

    async def termination_file(self, uid: str, container: str, attempt: int) -> str:
        return await _off_loop(self._termination_file, uid, container, attempt)

    def _termination_file(self, uid: str, container: str, attempt: int) -> str:
        folder = self._pod(uid) / "containers" / _safe(container)
        folder.mkdir(parents=True, exist_ok=True, mode=0o750)
        path = folder / str(attempt)
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW, 0o666)
        os.fchmod(descriptor, 0o666)
        os.close(descriptor)
        return str(path)

    async def read_tail(self, path: str, limit_bytes: int, within: str) -> bytes:
        return await _off_loop(_read_tail, path, limit_bytes, within)

    def termination_path(self, uid: str, container: str, attempt: int) -> str:
        return str(self._pod(uid) / "containers" / _safe(container) / str(attempt))

    async def make_log_directory(self, path: str) -> None:
        await _off_loop(os.makedirs, path, 0o755, True)

    async def remove_logs(self, path: str) -> None:
        if Path(path).parent != self._logs:
            raise VolumeFailureError(f"{path} is no pod's log directory")
        await _off_loop(_delete_tree, Path(path))

    async def log_directories(self) -> list[str]:
        return await _off_loop(_children, self._logs)

    async def remove_pod(self, uid: str) -> None:
        await _off_loop(_delete_tree, self._pod(uid))

    async def pods(self) -> list[str]:
        return [Path(path).name for path in await _off_loop(_children, self._pods)]

    def _pod(self, uid: str) -> Path:
        return self._pods / _safe(uid)

    def _volume(self, uid: str, kind: str, volume: str) -> Path:
        return self._pod(uid) / "volumes" / _safe(kind) / _safe(volume)


async def _off_loop(
    function: Callable[Parameters, ResultT], *arguments: Parameters.args, **named: Parameters.kwargs
) -> ResultT:
    try:
        return await asyncio.to_thread(function, *arguments, **named)
    except OSError as error:
        raise VolumeFailureError(str(error)) from error


def replace_contents(target: Path, files: Mapping[str, FileContent], group: int | None, stamp: str) -> None:
    """Have `target` show exactly `files`, all of them changing in one instant."""
    current = target / _DATA
    if current.is_symlink() and _same(target / os.readlink(current), files, group):
        return
    fresh = _new_directory(target, stamp)
    for name, content in files.items():
        _write_file(fresh, name, content, group)
    link = target / _NEW_DATA
    link.unlink(missing_ok=True)
    link.symlink_to(fresh.name)
    previous = os.readlink(current) if current.is_symlink() else ""
    link.rename(current)
    visible = {name.split("/", 1)[0] for name in files}
    for name in visible:
        if not (target / name).is_symlink():
            (target / name).symlink_to(f"{_DATA}/{name}")
    for entry in target.iterdir():
        if not entry.name.startswith("..") and entry.name not in visible:
            entry.unlink()
    if previous and previous != fresh.name:
        shutil.rmtree(target / previous, ignore_errors=True)


def _same(folder: Path, files: Mapping[str, FileContent], group: int | None) -> bool:
    present = {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}
    return present == set(files) and all(_is(folder / name, content, group) for name, content in files.items())


def _is(path: Path, content: FileContent, group: int | None) -> bool:
    found = path.stat()
    if stat.S_IMODE(found.st_mode) != _mode(content, group) or found.st_uid != _owner(content):
        return False
    return path.read_bytes() == content.data


def _new_directory(target: Path, stamp: str) -> Path:
    for suffix in ("", *(f".{number}" for number in range(1, 1000))):
        with contextlib.suppress(FileExistsError):
            fresh = target / f"{stamp}{suffix}"
            fresh.mkdir()
            fresh.chmod(0o755)
            return fresh
    raise VolumeFailureError(f"no free name in {target}")


def _write_file(folder: Path, name: str, content: FileContent, group: int | None) -> None:
    parts = name.split("/")
    if name.startswith("/") or any(part in ("", ".", "..") for part in parts):
        raise VolumeFailureError(f"invalid path {name!r} in volume")
    path = folder.joinpath(*parts)
    path.parent.mkdir(parents=True, exist_ok=True)
    # the pod sees the new directory at once: nobody may read a file in it before it is whose it should be
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content.data)
        os.fchown(descriptor, _owner(content), -1 if group is None else group)
        os.fchmod(descriptor, _mode(content, group))


def _mode(content: FileContent, group: int | None) -> int:
    return content.mode | (0o040 if group is not None else 0)


def _owner(content: FileContent) -> int:
    return os.geteuid() if content.owner is None else content.owner


def _check_host_path(path: str, kind: str) -> str:
    if kind == "DirectoryOrCreate":
        os.makedirs(path, 0o755, exist_ok=True)
    elif kind == "FileOrCreate":
        with contextlib.suppress(FileExistsError):
            os.close(os.open(path, os.O_CREAT | os.O_EXCL, 0o644))
    checks: dict[str, tuple[Callable[[int], bool], str]] = {
        "Directory": (stat.S_ISDIR, "a directory"),
        "DirectoryOrCreate": (stat.S_ISDIR, "a directory"),
        "File": (stat.S_ISREG, "a file"),
        "FileOrCreate": (stat.S_ISREG, "a file"),
        "Socket": (stat.S_ISSOCK, "a socket file"),
        "CharDevice": (stat.S_ISCHR, "a character device"),
        "BlockDevice": (stat.S_ISBLK, "a block device"),
    }
    if kind in checks:
        check, noun = checks[kind]
        try:
            good = check(os.stat(path).st_mode)
        except OSError:
            good = False
        if not good:
            raise VolumeFailureError(f"hostPath type check failed: {path} is not {noun}")
    return path


def _open_in(volume: int, parts: list[str], create: bool) -> int:
    """A descriptor (O_PATH) of the path below the directory `volume`, whatever links lie on the way."""
    try:
        return _openat2(volume, "/".join(parts) or ".")
    except FileNotFoundError:
        if not create:
            raise
    for count in range(1, len(parts) + 1):
        try:
            os.close(_openat2(volume, "/".join(parts[:count])))
        except FileNotFoundError:
            parent = _openat2(volume, "/".join(parts[: count - 1]) or ".")
            try:
                # a link that somebody puts here meanwhile makes this fail, and is judged by the next openat2
                with contextlib.suppress(FileExistsError):
                    os.mkdir(parts[count - 1], 0o755, dir_fd=parent)
            finally:
                os.close(parent)
    return _openat2(volume, "/".join(parts))


def _openat2(folder: int, path: str) -> int:
    how = _OpenHow(os.O_PATH | os.O_CLOEXEC, 0, _RESOLVE_IN_ROOT | _RESOLVE_NO_MAGICLINKS)
    found = _libc.syscall(_OPENAT2, folder, path.encode(), ctypes.byref(how), ctypes.sizeof(how))
    if found < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), path)
    return int(found)


def _make_mount_point(place: Path, *, directory: bool) -> None:
    place.parent.mkdir(parents=True, exist_ok=True, mode=0o750)
    if place.is_dir() and not directory:
        place.rmdir()
    if directory:
        if place.is_file():
            place.unlink()
        place.mkdir(exist_ok=True)
    else:
        place.touch(exist_ok=True)


def _mount(source: str, target: str, kind: str, flags: int, options: str) -> None:
    if _libc.mount(source.encode(), target.encode(), kind.encode() or None, flags, options.encode() or None) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), target)


def _mounts_below(top: Path) -> list[str]:
    """Mount points at or below `top`, the innermost first."""
    found = []
    for line in Path("/proc/thread-self/mountinfo").read_text().splitlines():
        point = line.split(" ")[4].encode().decode("unicode_escape")
        if point == str(top) or point.startswith(f"{top}/"):
            found.append(point)
    return found[::-1]


def _unmount_tree(top: Path) -> None:
    for point in _mounts_below(top):
        _libc.umount2(point.encode(), _MNT_DETACH | _UMOUNT_NOFOLLOW)


def _delete_tree(top: Path) -> None:
    if not top.is_symlink() and not top.exists():
        return
    _unmount_tree(top)
    still = _mounts_below(top)
    if still:
        raise VolumeFailureError(f"{top} still holds the mount {still[0]}")
    if top.is_symlink() or not top.is_dir():
        top.unlink()
        return
    shutil.rmtree(top)


def _read_tail(path: str, limit_bytes: int, within: str) -> bytes:
    try:
        if os.path.commonpath([os.path.realpath(path), os.path.realpath(within)]) != os.path.realpath(within):
            return b""
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError:
        return b""
    with os.fdopen(descriptor, "rb") as file:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            return b""
        file.seek(max(os.fstat(descriptor).st_size - limit_bytes, 0))
        return file.read(limit_bytes)


def _children(folder: Path) -> list[str]:
    return [str(path) for path in folder.iterdir()] if folder.is_dir() else []


def _safe(name: str) -> str:
    if not _SAFE_NAME.match(name):
        raise VolumeFailureError(f"unsafe name {name!r}")
    return name
