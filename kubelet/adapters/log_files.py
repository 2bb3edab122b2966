"""Container logs as files: reading with options, following with inotify, rotating.

A log is the file that the runtime writes (`N.log`) and those that rotation has put aside (`N.log.TIME`, oldest first). Only
regular files that really lie in the pods' log directory are read: a link that a container's owner managed to put there serves
nothing.
"""

import asyncio
import contextlib
import ctypes
import os
import stat
from collections.abc import AsyncIterator, Callable
from types import TracebackType

from kubelet.core.logs import LogFilter, LogOptions, tail_offset

_IN_MODIFY, _IN_MOVED_FROM, _IN_MOVED_TO, _IN_CREATE, _IN_CLOSE_WRITE = 0x2, 0x40, 0x80, 0x100, 0x8
_CHUNK_BYTES = 256 * 1024
_STILL_RUNNING_CHECK_S = 0.5
_libc = ctypes.CDLL(None, use_errno=True)


class LogFiles:
    """Logs below `directory`."""

    def __init__(self, directory: str) -> None:
        self._directory = os.path.realpath(directory)

    def parts(self, path: str) -> list[str]:
        """The files of a log, the oldest first."""
        folder, name = os.path.split(path)
        try:
            old = sorted(each for each in os.listdir(folder) if each.startswith(f"{name}.") and not each.endswith(".tmp"))
        except OSError:
            old = []
        return [*(os.path.join(folder, each) for each in old), path]

    async def size_bytes(self, path: str) -> int:
        """See the port LogStore."""
        return await asyncio.to_thread(_size_bytes, path)

    async def put_aside(self, path: str, stamp: str, keep: int) -> None:
        """See the port LogStore."""
        await asyncio.to_thread(_put_aside, path, stamp, keep)

    async def put_back(self, path: str, stamp: str) -> None:
        """See the port LogStore."""
        await asyncio.to_thread(_put_back, path, stamp)

    async def read(
        self, path: str, options: LogOptions, tail_lines: int, *, follow: bool, running: Callable[[], bool]
    ) -> AsyncIterator[bytes]:
        """What the reader gets, in pieces; with `follow` until the container (`running`) has ended. Negative tail: all."""
        wanted = LogFilter(options)
        with _Watch(os.path.dirname(path) if follow else None) as watch:
            file: _Tail | None = None
            for data, last in await asyncio.to_thread(self._first, path, tail_lines):
                for piece in _batched(wanted, data):
                    yield piece
                file = last
            while follow and not wanted.full:
                alive = running()
                moved = False
                if file is None:
                    file = self._open(path)
                if file is not None:
                    moved = file.replaced(path)
                    for piece in _batched(wanted, await asyncio.to_thread(file.more)):
                        yield piece
                    if moved:
                        file.close()
                        file = self._open(path)
                        continue
                if not alive:
                    break
                await watch.wait(_STILL_RUNNING_CHECK_S)
            if file is not None:
                file.close()

    def _first(self, path: str, tail_lines: int) -> "list[tuple[list[bytes], _Tail | None]]":
        """What is there now: lines file by file; with the last one the open file to go on with."""
        found: list[tuple[list[bytes], _Tail | None]] = []
        left = tail_lines
        for part in reversed(self.parts(path)):
            file = self._open(part)
            if file is None:
                continue
            lines = file.more()
            if tail_lines >= 0:
                data = b"".join(lines)
                kept = data[tail_offset(data, left) :]
                left -= sum(1 for line in kept.splitlines() if b" P " not in line[:64])
                lines = kept.splitlines(keepends=True)
            if part != path:
                file.close()
            found.append((lines, file if part == path else None))
            if tail_lines >= 0 and left <= 0:
                break
        # the last entry decides what to go on with
        order = found[::-1]
        return order if order or tail_lines else []

    def _open(self, path: str) -> "_Tail | None":
        try:
            if os.path.commonpath([os.path.realpath(path), self._directory]) != self._directory:
                return None
            descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
        except OSError:
            return None
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            os.close(descriptor)
            return None
        return _Tail(descriptor)


class _Tail:
    """An open log file, read on from where the last read ended; only whole lines come out."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._rest = b""

    def more(self) -> list[bytes]:
        pieces = [self._rest]
        while data := os.read(self._descriptor, _CHUNK_BYTES):
            pieces.append(data)
        lines = b"".join(pieces).splitlines(keepends=True)
        self._rest = lines.pop() if lines and not lines[-1].endswith(b"\n") else b""
        return lines

    def replaced(self, path: str) -> bool:
        """Whether another file stands under the name by now."""
        try:
            current, own = os.stat(path, follow_symlinks=False), os.fstat(self._descriptor)
        except OSError:
            return False
        return (current.st_dev, current.st_ino) != (own.st_dev, own.st_ino)

    def close(self) -> None:
        with contextlib.suppress(OSError):
            os.close(self._descriptor)


class _Watch:
    """Wakes when something in a folder changes."""

    def __init__(self, folder: str | None) -> None:
        self._folder = folder
        self._descriptor = -1
        self._changed = asyncio.Event()

    def __enter__(self) -> "_Watch":
        if self._folder is None:
            return self
        descriptor = _libc.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC)
        if descriptor >= 0:
            mask = _IN_MODIFY | _IN_MOVED_FROM | _IN_MOVED_TO | _IN_CREATE | _IN_CLOSE_WRITE
            _libc.inotify_add_watch(descriptor, self._folder.encode(), mask)
            self._descriptor = descriptor
            asyncio.get_running_loop().add_reader(descriptor, self._drain)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self._descriptor >= 0:
            asyncio.get_running_loop().remove_reader(self._descriptor)
            os.close(self._descriptor)

    def _drain(self) -> None:
        with contextlib.suppress(BlockingIOError):
            while os.read(self._descriptor, 4096):
                pass
        self._changed.set()

    async def wait(self, limit_s: float) -> None:
        """Until something changes, but no longer than the limit: a container's end is no change of a file."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(limit_s):
                await self._changed.wait()
        self._changed.clear()


def _batched(wanted: LogFilter, lines: list[bytes]) -> list[bytes]:
    """The reader's bytes in a few large pieces."""
    data = b"".join(wanted.feed(iter(lines)))
    return [data[start : start + _CHUNK_BYTES] for start in range(0, len(data), _CHUNK_BYTES)]


def _put_aside(path: str, stamp: str, keep: int) -> None:
    os.rename(path, f"{path}.{stamp}")
    folder, name = os.path.split(path)
    old = sorted(each for each in os.listdir(folder) if each.startswith(f"{name}."))
    for each in old[: max(len(old) - (keep - 1), 0)]:
        os.unlink(os.path.join(folder, each))


def _put_back(path: str, stamp: str) -> None:
    if not os.path.lexists(path):
        os.rename(f"{path}.{stamp}", path)


def _size_bytes(path: str) -> int:
    with contextlib.suppress(OSError):
        found = os.stat(path, follow_symlinks=False)
        return found.st_size if stat.S_ISREG(found.st_mode) else 0
    return 0
