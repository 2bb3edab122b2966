"""Entry point of the `kctl` program and of `python -m kctl`."""

import sys

from kctl.cli import main

if __name__ == "__main__":
    sys.exit(main())
