"""The lock that kubectl takes on a kubeconfig before it changes it: a file beside it that only one can create."""

import contextlib
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path

TIMEOUT_S = 5.0
POLL_S = 0.05


@contextlib.contextmanager
def file_lock(path: Path, refusal: Callable[[str], Exception]) -> Iterator[None]:
    """Hold `PATH.lock`; raises what `refusal` makes of a sentence when somebody else holds it for TIMEOUT_S."""
    lock = path.with_name(f"{path.name}.lock")
    give_up_at = time.monotonic() + TIMEOUT_S
    while True:
        try:
            os.close(os.open(lock, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
            break
        except FileExistsError:
            if time.monotonic() > give_up_at:
                raise refusal(f"the kubeconfig is locked by {lock}; remove that file if no kubectl is running") from None
            time.sleep(POLL_S)
    try:
        yield
    finally:
        lock.unlink(missing_ok=True)
