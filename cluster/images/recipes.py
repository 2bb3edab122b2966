"""The images of every local cluster, as data.

Layers that several images share are the same object here and the same blob in the runtime: the BusyBox layer is unpacked once
on a node and gives every image a shell to look around with.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass

from cluster.images.archive import ImageConfig
from cluster.images.rootfs import Applets, Directory, Link, Programs, PythonPackage, StaticProgram, Step, Text

REDIS_UID = 6379
WEB_UID = 8080


@dataclass(frozen=True)
class Layer:
    """What one layer is made of: steps over the files of Debian packages, unpacked side by side."""

    packages: tuple[str, ...]
    steps: tuple[Step, ...]

    def key(self) -> str:
        """Changes when anything but the packages' versions does."""
        text = repr(self) + "".join(step.sources() for step in self.steps)
        return hashlib.sha256(text.encode()).hexdigest()


@dataclass(frozen=True)
class Recipe:
    """An image: its full reference, its layers from the bottom up, and how it starts."""

    reference: str
    layers: tuple[Layer, ...]
    config: ImageConfig

    @property
    def packages(self) -> frozenset[str]:
        """Debian packages of all layers."""
        return frozenset(package for layer in self.layers for package in layer.packages)

    def key(self) -> str:
        """Changes when anything but the packages' versions does."""
        parts = [self.reference, repr(self.config), *(layer.key() for layer in self.layers)]
        return hashlib.sha256("\n".join(parts).encode()).hexdigest()


def _accounts(*accounts: tuple[str, int]) -> tuple[Step, ...]:
    """`/etc/passwd` and `/etc/group` with root, nobody and the given accounts."""
    people = (("root", 0), *accounts, ("nobody", 65534))
    passwd = "".join(f"{name}:x:{uid}:{uid}:{name}:{'/root' if uid == 0 else '/'}:/bin/sh\n" for name, uid in people)
    group = "".join(f"{name}:x:{uid}:\n" for name, uid in people)
    return (
        Text("etc/passwd", passwd),
        Text("etc/group", group),
        Text("etc/nsswitch.conf", "passwd: files\ngroup: files\nhosts: files dns\n"),
    )


_PATH = {"PATH": "/usr/bin:/bin"}

_PAUSE = Layer(packages=("catatonit",), steps=(StaticProgram("usr/bin/catatonit", "catatonit"),))

_BUSYBOX = Layer(
    packages=("busybox-static",),
    steps=(
        Applets("bin/busybox"),
        Directory("tmp", mode=0o1777),
        Directory("root", mode=0o700),
        Link("usr/bin/env", "../../bin/env"),
    ),
)

_BUSYBOX_ACCOUNTS = Layer(packages=(), steps=_accounts())

_REDIS = Layer(
    packages=(
        "redis-server",
        "redis-tools",
        "libatomic1",
        "libc6",
        "libcap2",
        "libgcc-s1",
        "libgcrypt20",
        "libgpg-error0",
        "libjemalloc2",
        "liblz4-1",
        "liblzf1",
        "liblzma5",
        "libssl3",
        "libstdc++6",
        "libsystemd0",
        "libzstd1",
    ),
    steps=(
        Programs((("usr/bin/redis-server", "usr/bin/redis-server"), ("usr/bin/redis-cli", "usr/bin/redis-cli"))),
        Directory("data", mode=0o750, owner=REDIS_UID),
        *_accounts(("redis", REDIS_UID)),
    ),
)

_GUESTBOOK = Layer(
    packages=("python3.11-minimal", "libpython3.11-minimal", "libpython3.11-stdlib", "libc6", "libexpat1", "zlib1g"),
    steps=(
        PythonPackage(
            interpreter="usr/bin/python3.11",
            package="guestbook",
            main="server",
            extra=("encodings.idna", "encodings.latin_1", "encodings.ascii"),
        ),
        Link("usr/bin/python3", "python3.11"),
        *_accounts(("web", WEB_UID)),
    ),
)

RECIPES: Mapping[str, Recipe] = {
    "pause": Recipe(
        "registry.local/coxswain/pause:1", (_PAUSE,), ImageConfig(entrypoint=("/catatonit", "-P"), user="65534:65534")
    ),
    "busybox": Recipe("docker.io/library/busybox:1", (_BUSYBOX, _BUSYBOX_ACCOUNTS), ImageConfig(cmd=("sh",), env=_PATH)),
    "redis": Recipe(
        "registry.local/coxswain/redis:1",
        (_BUSYBOX, _REDIS),
        ImageConfig(
            entrypoint=("/usr/bin/redis-server",),
            cmd=("--dir", "/data", "--protected-mode", "no"),
            env=_PATH,
            user=f"{REDIS_UID}:{REDIS_UID}",
            working_dir="/data",
            exposed_ports=("6379/tcp",),
        ),
    ),
    "guestbook": Recipe(
        "registry.local/coxswain/guestbook:1",
        (_BUSYBOX, _GUESTBOOK),
        ImageConfig(
            # -E and -s: no Python settings from outside; -S: no site packages to look for.
            entrypoint=("/usr/bin/python3", "-EsS", "/srv/main.py"),
            # The cluster's name server answers at once or not at all; waiting 5 s for it, as the resolver would, helps nobody.
            env={**_PATH, "RES_OPTIONS": "timeout:1 attempts:3"},
            user=f"{WEB_UID}:{WEB_UID}",
            working_dir="/srv",
            exposed_ports=("8080/tcp",),
        ),
    ),
}
