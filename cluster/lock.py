"""One command at a time may create or delete a cluster of a given name.

The lock is a flock(2) on a file, so it goes with the last process that holds the descriptor. `create` hands a copy to the
daemon, which keeps it until the cluster is complete: nobody can create the name again while a failed attempt is cleaned up.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Iterator
from pathlib import Path

from cluster.errors import ClusterError


@contextlib.contextmanager
def held(path: Path, name: str) -> Iterator[int]:
    """Hold the lock of cluster `name`, yielding its descriptor; ClusterError if somebody else does."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    while True:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            raise ClusterError(
                f"cluster {name!r} is being created or deleted by another command; wait for that to end"
            ) from None
        if _is_file_at(descriptor, path):
            break
        os.close(descriptor)  # its holder removed it after we had opened it
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _is_file_at(descriptor: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(descriptor), path.stat())
    except FileNotFoundError:
        return False
