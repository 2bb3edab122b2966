"""A component that never starts: for tests of what happens then."""

import sys
from collections.abc import Sequence


def main(argv: Sequence[str] | None = None) -> int:
    """Fail with a reason."""
    print("no such luck", file=sys.stderr, flush=True)
    return 3
