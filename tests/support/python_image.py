"""An image for tests: Python with TLS and HTTP servers, which no image of a cluster has."""

from __future__ import annotations

from pathlib import Path

from cluster.images import ensure
from cluster.images.archive import ImageConfig
from cluster.images.packages import this_architecture
from cluster.images.recipes import Layer, Recipe
from cluster.images.rootfs import Directory, Link, Programs, PythonPackage, Text

REFERENCE = "registry.local/coxswain/test-python:1"


def archive() -> Path:
    """Its archive, built when there is none."""
    return ensure(("test-python",), recipes={"test-python": _recipe()})["test-python"]


def _recipe() -> Recipe:
    extension = f"usr/lib/python3.11/lib-dynload/_ssl.cpython-311-{this_architecture().triplet}.so"
    python = PythonPackage(
        interpreter="usr/bin/python3.11",
        package="http",
        main="server",
        extra=("json", "ssl", "encodings.idna", "encodings.latin_1", "encodings.ascii"),
    )
    packages = (
        "python3.11-minimal",
        "libpython3.11-minimal",
        "libpython3.11-stdlib",
        "libc6",
        "libexpat1",
        "zlib1g",
        "libssl3",
    )
    # a layer of its own, as the interpreter's brings the same file, but not the libraries that it needs
    tls = Layer(packages, (Programs(((extension, extension),)),))
    accounts = Text("etc/passwd", "root:x:0:0:root:/:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/sh\n")
    programs = Layer(packages, (python, Link("usr/bin/python3", "python3.11"), Directory("tmp", mode=0o1777), accounts))
    config = ImageConfig(entrypoint=("/usr/bin/python3", "-EsSu"), user="65534:65534")
    return Recipe(REFERENCE, (tls, programs), config)
