"""Debian packages as a source of files: which version is on offer, fetch it, unpack it. Nothing is installed.

A `Tree` is a directory into which packages were unpacked side by side, without their maintainer scripts. Its programs run
through the tree's own dynamic loader and libraries, so that what the loader reports is what will hold inside an image,
whatever the machine itself has installed.
"""

from __future__ import annotations

import logging
import os
import platform
import subprocess
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

log = logging.getLogger(__name__)

_COMMAND_TIMEOUT_S = 300.0
_LISTS = Path("/var/lib/apt/lists")


class ImageError(Exception):
    """An image cannot be built; the message is one sentence for the person who asked for it."""


@dataclass(frozen=True)
class Architecture:
    """One machine type in the words of OCI, of Debian's library folders, and of the dynamic loader."""

    oci: str
    triplet: str
    loader: str


_ARCHITECTURES: Mapping[str, Architecture] = {
    "x86_64": Architecture("amd64", "x86_64-linux-gnu", "lib64/ld-linux-x86-64.so.2"),
    "aarch64": Architecture("arm64", "aarch64-linux-gnu", "lib/ld-linux-aarch64.so.1"),
}


def this_architecture() -> Architecture:
    """The machine's own architecture; raises ImageError for one that nobody has tried."""
    machine = platform.machine()
    if machine not in _ARCHITECTURES:
        raise ImageError(f"images can be built on {' and '.join(_ARCHITECTURES)}, not on {machine}")
    return _ARCHITECTURES[machine]


def lists_state() -> str:
    """A text that changes whenever the lists of packages on offer do (`apt-get update`); costs a directory scan."""
    if not _LISTS.is_dir():
        return ""
    lists = sorted((entry for entry in os.scandir(_LISTS) if "_Packages" in entry.name), key=lambda entry: entry.name)
    return " ".join(f"{entry.name}@{entry.stat().st_mtime_ns}" for entry in lists)


def candidates(packages: Iterable[str]) -> dict[str, str]:
    """The version apt would install of each package; a package that no list offers is left out."""
    output = _run(["apt-cache", "policy", *sorted(packages)])
    versions: dict[str, str] = {}
    name = ""
    for line in output.splitlines():
        if not line.startswith(" "):
            name = line.rstrip(":").partition(":")[0]
        elif line.strip().startswith("Candidate:"):
            version = line.partition(":")[2].strip()
            if version != "(none)":
                versions[name] = version
    return versions


def fetch(packages: Iterable[str], directory: Path) -> tuple[dict[str, str], dict[str, Path]]:
    """Download packages into `directory`; return the version and the file of each.

    Lists that are missing or outdated are updated once. Raises ImageError when a package cannot be had.
    """
    wanted = sorted(packages)
    directory.mkdir(parents=True, exist_ok=True)
    try:
        return _download(wanted, directory)
    except ImageError as error:
        log.info("updating the package lists", extra={"cause": str(error)})
    _run(["apt-get", "update", "-q"])
    return _download(wanted, directory)


def _download(packages: Sequence[str], directory: Path) -> tuple[dict[str, str], dict[str, Path]]:
    versions = candidates(packages)
    missing = [name for name in packages if name not in versions]
    if missing:
        raise ImageError(f"no package list of apt offers {', '.join(missing)}; Coxswain's images are built from Debian 12")
    wanted = [f"{name}={versions[name]}" for name in packages]
    _run(["apt-get", "download", "-q", "-o", "APT::Sandbox::User=root", *wanted], cwd=directory)
    files = {name: _newest(directory, name, versions[name]) for name in packages}
    return versions, files


def _newest(directory: Path, package: str, version: str) -> Path:
    escaped = version.replace(":", "%3a")
    found = sorted(directory.glob(f"{package}_{escaped}_*.deb"))
    if not found:
        raise ImageError(f"apt-get download brought no file for {package} {version}")
    return found[-1]


class Tree:
    """Unpacked packages under `root`."""

    def __init__(self, root: Path, architecture: Architecture) -> None:
        self.root = root
        self.architecture = architecture

    def unpack(self, archives: Iterable[Path]) -> None:
        """Add the files of package archives; maintainer scripts are not run."""
        self.root.mkdir(parents=True, exist_ok=True)
        for archive in archives:
            _run(["dpkg-deb", "-x", str(archive), str(self.root)])

    def read(self, path: str) -> bytes:
        """The content of a file; raises ImageError when no unpacked package holds it."""
        try:
            return self.path(path).read_bytes()
        except OSError as error:
            raise ImageError(f"no unpacked package holds {path}") from error

    def path(self, path: str) -> Path:
        """Where `path` of the image world lies on this machine."""
        return self.root / path

    def libraries(self, program: str) -> dict[str, Path]:
        """Shared libraries that `program` needs, soname to file, the dynamic loader not among them.

        Raises ImageError naming a library that no unpacked package holds.
        """
        found: dict[str, Path] = {}
        for line in self.run(program, listing=True).splitlines():
            name, arrow, rest = line.strip().partition(" => ")
            if not arrow or name.startswith("/"):
                continue  # the vDSO and the loader itself
            file = Path(rest.partition(" (")[0])
            if not file.resolve().is_relative_to(self.root.resolve()):
                raise ImageError(f"{program} needs {name}, which none of the image's packages holds")
            found[name] = file
        return found

    def run(self, program: str, *arguments: str, listing: bool = False, env: Mapping[str, str] | None = None) -> str:
        """Output of a program of the tree, run by the tree's loader; with `listing`, what the loader would load."""
        folders = [self.path(f"{base}/{self.architecture.triplet}") for base in ("lib", "usr/lib")]
        loader = self._loader()
        command = [str(loader), "--inhibit-cache", "--library-path", ":".join(map(str, folders))]
        command += ["--list"] if listing else []
        return _run([*command, str(self.path(program)), *arguments], env=env)

    def run_static(self, program: str, *arguments: str) -> str:
        """Output of a statically linked program of the tree."""
        return _run([str(self.path(program)), *arguments])

    def loader_content(self) -> bytes:
        """The dynamic loader itself."""
        return self._loader().read_bytes()

    def _loader(self) -> Path:
        name = Path(self.architecture.loader).name
        loader = self.path(f"lib/{self.architecture.triplet}/{name}")
        if not loader.exists():
            raise ImageError("the dynamic loader is missing: the image's packages must include libc6")
        return loader


def _run(command: Sequence[str], *, cwd: Path | None = None, env: Mapping[str, str] | None = None) -> str:
    """Output of a command that must succeed; raises ImageError with the last lines it complained with."""
    surroundings = {"PATH": os.environ.get("PATH", "/usr/sbin:/usr/bin:/sbin:/bin"), "LC_ALL": "C.UTF-8", **(env or {})}
    proxies = {name: value for name, value in os.environ.items() if name.lower().endswith("_proxy")}
    try:
        done = subprocess.run(
            command,
            cwd=cwd,
            env={**proxies, **surroundings},
            capture_output=True,
            text=True,
            check=False,
            stdin=subprocess.DEVNULL,
            timeout=_COMMAND_TIMEOUT_S,
        )
    except FileNotFoundError as error:
        raise ImageError(f"{command[0]} is not installed; Coxswain's images are built from Debian packages") from error
    except subprocess.TimeoutExpired as error:
        raise ImageError(f"{command[0]} did not end within {_COMMAND_TIMEOUT_S:.0f} s") from error
    if done.returncode:
        complaint = " / ".join((done.stderr or done.stdout).strip().splitlines()[-3:])
        raise ImageError(f"{Path(command[0]).name} failed ({done.returncode}): {complaint}")
    return done.stdout
