"""Files as tar streams, for `kctl cp`: packing what is here, unpacking what a container sent.

What a container sends is not trusted. Only regular files and directories are made, and only below the destination: a
name that is absolute or climbs (`..`) is refused, links and devices are left out, and every directory on the way is
opened without following links, so that neither the archive nor what stood there before can lead anything outside
(CVE-2018-1002100, CVE-2019-1002101, CVE-2019-11246, CVE-2019-11249, CVE-2019-11251). Of a file's mode the permission
bits are kept, without set-user-id.
"""

import os
import shutil
import tarfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from posixpath import normpath
from typing import IO, BinaryIO

from kctl.errors import KctlError

MODE_BITS = 0o777
Warn = Callable[[str], None]


def pack(source: Path, name: str, sink: BinaryIO) -> None:
    """Write `source` and all below it as `name` into a tar stream; raises OSError and KctlError."""
    try:
        with tarfile.open(fileobj=sink, mode="w|", format=tarfile.GNU_FORMAT) as archive:
            archive.add(source, arcname=name)
    except tarfile.TarError as error:
        raise KctlError(f"cannot pack {source}: {error}") from error


def unpack(stream: BinaryIO, prefix: str, destination: Path, warn: Warn) -> None:
    """Make what stands below `prefix` in the tar stream, as `destination`; raises KctlError and OSError."""
    root = tuple(part for part in normpath(prefix).split("/") if part not in ("", ".", ".."))  # as tar itself strips them
    found = False
    try:
        with tarfile.open(fileobj=stream, mode="r|") as archive:
            for member in archive:
                parts = _below(member.name, root)
                if parts is None:
                    warn(f'warning: file "{member.name}" is outside target destination, skipping')
                    continue
                found = True
                _make(archive, member, destination, parts, warn)
    except tarfile.TarError as error:
        if not found:
            raise KctlError(f"{prefix} no such file or directory, or the container sent no archive: {error}") from error
        raise KctlError(f"the archive is damaged: {error}") from error


def _below(name: str, root: tuple[str, ...]) -> tuple[str, ...] | None:
    """The parts of a member's name below the root; None when it is elsewhere, or may lead elsewhere."""
    parts = tuple(part for part in name.split("/") if part not in ("", "."))
    if name.startswith("/") or ".." in parts or parts[: len(root)] != root:
        return None
    return parts[len(root) :]


def _make(archive: tarfile.TarFile, member: tarfile.TarInfo, destination: Path, parts: tuple[str, ...], warn: Warn) -> None:
    if member.isdir():
        with _directory(destination, parts):
            return
    if not member.isreg():
        kind = "symlink" if member.issym() else "link" if member.islnk() else "special file"
        warn(f'warning: skipping {kind}: "{member.name}"')
        return
    *above, name = (destination.name, *parts)
    content = archive.extractfile(member)
    with _directory(destination, tuple(above[1:]), top=bool(above)) as folder:
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK
        try:
            descriptor = os.open(name, flags, member.mode & MODE_BITS, dir_fd=folder)
        except OSError as error:
            raise KctlError(f"cannot write {destination.joinpath(*parts)}: {error.strerror}") from error
        with os.fdopen(descriptor, "wb") as file:
            if content is not None:
                _copy(content, file)


def _copy(content: IO[bytes], file: BinaryIO) -> None:
    shutil.copyfileobj(content, file, 256 * 1024)


@contextmanager
def _directory(destination: Path, parts: tuple[str, ...], *, top: bool = True) -> Iterator[int]:
    """A descriptor of the directory at `parts` below the destination (its parent without `top`), made where it is not there.

    The destination's parent is the user's own choice, links included; from there on no link is followed.
    """
    parent = destination.parent
    parent.mkdir(parents=True, exist_ok=True)
    folder = os.open(parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        for name in (destination.name, *parts) if top else ():
            with suppress(FileExistsError):
                os.mkdir(name, dir_fd=folder)
            try:
                below = os.open(name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=folder)
            except OSError as error:
                place = destination.joinpath(*parts)
                raise KctlError(f'cannot write to {place}: "{name}" is a link or no directory: {error.strerror}') from error
            os.close(folder)
            folder = below
        yield folder
    finally:
        os.close(folder)
