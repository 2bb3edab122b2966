"""`python -m cluster.images [--output DIR] [--bundle] [NAME...]`: build what is not current, print the archives' paths."""

from __future__ import annotations

import argparse
import logging
import sys
from collections.abc import Sequence
from pathlib import Path

from cluster.images import CACHE_DIRECTORY, RECIPES, ImageError, ensure, ensure_bundle


def main(argv: Sequence[str] | None = None) -> int:
    """Exit code 0, or 1 after one sentence on standard error."""
    parser = argparse.ArgumentParser(prog="python -m cluster.images", description="Build the images of a local cluster.")
    parser.add_argument(
        "--output", type=Path, default=CACHE_DIRECTORY, metavar="DIR", help="folder of the archives (%(default)s)"
    )
    parser.add_argument("--bundle", action="store_true", help="print one archive that holds all the images")
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"images, by default all: {', '.join(RECIPES)}")
    arguments = parser.parse_args(argv)
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stderr)
    names = tuple(dict.fromkeys(arguments.names)) or tuple(RECIPES)
    try:
        output = arguments.output
        paths = [ensure_bundle(names, output)] if arguments.bundle else list(ensure(names, output).values())
    except ImageError as error:
        sys.stderr.write(f"cannot build the images: {error}\n")
        return 1
    sys.stdout.writelines(f"{path}\n" for path in paths)
    return 0


if __name__ == "__main__":
    sys.exit(main())
