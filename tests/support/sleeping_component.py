"""A component that starts and never gets ready: for tests of what happens meanwhile."""

import signal
from collections.abc import Sequence


def main(argv: Sequence[str] | None = None) -> int:
    """Wait for a signal, which ends the process."""
    signal.pause()
    return 0
