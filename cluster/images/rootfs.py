"""Steps that make the entries of a layer out of unpacked packages.

A layer names the packages it draws from and a sequence of steps; a step knows which paths it adds. Steps are data (frozen
dataclasses): their `repr` is part of the key under which a built image is cached, so changing one rebuilds the image.
"""

from __future__ import annotations

import hashlib
import json
import tempfile
from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from cluster.images.archive import Entry
from cluster.images.packages import Tree

_HERE = Path(__file__).parent
_COMPILER = (_HERE / "python_closure.py").read_text()


class Step(ABC):
    """One step: the entries it adds, and what its result depends on besides its own fields."""

    @abstractmethod
    def entries(self, tree: Tree) -> Iterator[Entry]:
        """Entries of the layer; raises ImageError when the packages do not hold what is needed."""

    def sources(self) -> str:
        """A digest of the project's own files that go into the image, empty when there are none."""
        return ""


@dataclass(frozen=True)
class Directory(Step):
    """An empty directory."""

    path: str
    mode: int = 0o755
    owner: int = 0

    def entries(self, tree: Tree) -> Iterator[Entry]:
        yield Entry(self.path, "directory", self.mode, uid=self.owner, gid=self.owner)


@dataclass(frozen=True)
class Text(Step):
    """A file with the given text."""

    path: str
    text: str
    mode: int = 0o644

    def entries(self, tree: Tree) -> Iterator[Entry]:
        yield Entry(self.path, "file", self.mode, self.text.encode())


@dataclass(frozen=True)
class Link(Step):
    """A symbolic link."""

    path: str
    target: str

    def entries(self, tree: Tree) -> Iterator[Entry]:
        yield Entry(self.path, "link", 0o777, self.target.encode())


@dataclass(frozen=True)
class StaticProgram(Step):
    """A statically linked program of the packages at `source`, placed at `path`."""

    source: str
    path: str

    def entries(self, tree: Tree) -> Iterator[Entry]:
        yield Entry(self.path, "file", 0o755, tree.read(self.source))


@dataclass(frozen=True)
class Programs(Step):
    """Dynamically linked programs (`source` to `path`) with the dynamic loader and exactly the libraries they need."""

    programs: tuple[tuple[str, str], ...]

    def entries(self, tree: Tree) -> Iterator[Entry]:
        libraries: dict[str, Path] = {}
        for source, path in self.programs:
            yield Entry(path, "file", 0o755, tree.read(source))
            libraries.update(tree.libraries(source))
        for soname, file in sorted(libraries.items()):
            yield Entry(f"usr/lib/{tree.architecture.triplet}/{soname}", "file", 0o644, file.read_bytes())
        yield Entry(tree.architecture.loader, "file", 0o755, tree.loader_content())


@dataclass(frozen=True)
class Applets(Step):
    """BusyBox at `/bin/busybox`, and a link beside it for each of its applets."""

    source: str

    def entries(self, tree: Tree) -> Iterator[Entry]:
        yield Entry("bin/busybox", "file", 0o755, tree.read(self.source))
        for applet in sorted(set(tree.run_static(self.source, "--list").split()) - {"busybox"}):
            yield Entry(f"bin/{applet}", "link", 0o777, b"busybox")


@dataclass(frozen=True)
class PythonPackage(Step):
    """A Python package of this project with the part of the standard library it imports, compiled, without sources.

    `package` is a folder beside this file and lands at `/srv/NAME`; `main` is the module of it to import when finding out
    what is needed; `extra` are modules that the interpreter imports only later, when it meets a need for them.
    """

    interpreter: str
    package: str
    main: str
    extra: tuple[str, ...] = ()

    def entries(self, tree: Tree) -> Iterator[Entry]:
        yield from Programs(((self.interpreter, self.interpreter),)).entries(tree)
        library = f"usr/lib/{Path(self.interpreter).name}"
        with tempfile.TemporaryDirectory(prefix="coxswain-python-") as scratch:
            request = {
                "path": str(_HERE),
                "modules": [f"{self.package}.{self.main}", *self.extra],
                "roots": {str(tree.path(library)): library, str(_HERE): "srv"},
                "target": scratch,
            }
            env = {"PYTHONHOME": str(tree.path("usr")), "PYTHONHASHSEED": "0", "PYTHONDONTWRITEBYTECODE": "1"}
            tree.run(self.interpreter, "-s", "-S", "-c", _COMPILER, json.dumps(request), env=env)
            root = Path(scratch)
            for file in sorted(path for path in root.rglob("*") if path.is_file()):
                yield Entry(str(file.relative_to(root)), "file", 0o644, file.read_bytes())
        yield Entry("srv/main.py", "file", 0o644, f"from {self.package}.{self.main} import main\n\nmain()\n".encode())

    def sources(self) -> str:
        names = sorted((_HERE / self.package).glob("*.py"))
        content = b"".join(name.name.encode() + b"\0" + name.read_bytes() + b"\0" for name in names)
        return hashlib.sha256(content + _COMPILER.encode()).hexdigest()
