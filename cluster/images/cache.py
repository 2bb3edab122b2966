"""Built images on disk: `ensure` returns archives that are current, and builds only what is not.

An archive is current while its recipe is the one it was built from and its packages have the versions that apt would install.
Asking apt costs half a second, so it is asked only when its lists changed since the last look. The folder holds

    index.json      for each image the key of its recipe, its packages' versions, apt's lists at the last look, its archive
    NAME-KEY.tar    archives, KEY from recipe and versions; bundle-KEY.tar holds several images
    packages/       downloaded packages that the current archives were built from

One process at a time changes the folder (a lock file); files appear complete or not at all.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import logging
import os
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import IO, Protocol

from cluster.images.archive import Image, merge_archives, pack_layer, write_archive
from cluster.images.packages import Architecture, ImageError, Tree, candidates, fetch, lists_state, this_architecture
from cluster.images.recipes import RECIPES, Layer, Recipe

log = logging.getLogger(__name__)

CACHE_DIRECTORY = Path("/var/cache/coxswain/images")


class PackageSource(Protocol):
    """Where packages come from; the one outside of this package is apt."""

    def state(self) -> str:
        """Changes whenever what is on offer may have changed."""

    def candidates(self, packages: Iterable[str]) -> dict[str, str]:
        """Version on offer of each package that is."""

    def fetch(self, packages: Iterable[str], directory: Path) -> tuple[dict[str, str], dict[str, Path]]:
        """Version and file of each package; raises ImageError."""


class Apt:
    """The machine's apt."""

    def state(self) -> str:
        return lists_state()

    def candidates(self, packages: Iterable[str]) -> dict[str, str]:
        return candidates(packages)

    def fetch(self, packages: Iterable[str], directory: Path) -> tuple[dict[str, str], dict[str, Path]]:
        return fetch(packages, directory)


@dataclass(frozen=True)
class Built:
    """An archive in the cache, and what it was built from."""

    recipe: str
    versions: Mapping[str, str]
    lists: str
    archive: str


def reference(name: str) -> str:
    """The full reference of the image with the short name `name`; raises ImageError for an unknown one."""
    return _recipe(name).reference


def ensure(
    names: Sequence[str] = tuple(RECIPES),
    cache_dir: Path = CACHE_DIRECTORY,
    *,
    source: PackageSource | None = None,
    recipes: Mapping[str, Recipe] | None = None,
) -> dict[str, Path]:
    """An up-to-date archive for each image, by short name (`redis`), in the order asked for; `recipes`: others than ours.

    Raises ImageError with one sentence when an image cannot be built. When packages changed but cannot be fetched (no network),
    the image built before is used, with a warning.
    """
    wanted = {name: _recipe(name) if recipes is None else recipes[name] for name in names}
    with _locked(cache_dir):
        return _Cache(cache_dir, source or Apt()).ensure(wanted)


def ensure_bundle(
    names: Sequence[str] = tuple(RECIPES), cache_dir: Path = CACHE_DIRECTORY, *, source: PackageSource | None = None
) -> Path:
    """One archive that holds all the images, shared layers once: a node needs a single import for all of them."""
    recipes = {name: _recipe(name) for name in names}
    with _locked(cache_dir):
        return _Cache(cache_dir, source or Apt()).ensure_bundle(recipes)


def _recipe(name: str) -> Recipe:
    if name not in RECIPES:
        raise ImageError(f"there is no image {name!r}; there are {', '.join(sorted(RECIPES))}")
    return RECIPES[name]


@contextlib.contextmanager
def _locked(directory: Path) -> Iterator[None]:
    try:
        directory.mkdir(parents=True, exist_ok=True)
        lock = (directory / ".lock").open("w")
    except OSError as error:
        raise ImageError(f"cannot write to the image cache {directory}: {error.strerror}") from error
    with lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


class _Cache:
    """The folder, while its lock is held."""

    def __init__(self, directory: Path, source: PackageSource) -> None:
        self._directory = directory
        self._source = source
        self._state = source.state()
        self._index = self._load()

    def ensure(self, recipes: Mapping[str, Recipe]) -> dict[str, Path]:
        """Archive of each recipe, building those that are not current."""
        missing = {name: recipe for name, recipe in recipes.items() if not self._usable(name, recipe)}
        if missing:
            self._build(missing)
        aged = {name: recipes[name] for name in recipes if self._index[name].lists != self._state}
        if aged:
            self._refresh(aged)
        return {name: self._directory / self._index[name].archive for name in recipes}

    def ensure_bundle(self, recipes: Mapping[str, Recipe]) -> Path:
        """One archive of all recipes."""
        archives = self.ensure(recipes)
        key = hashlib.sha256("\n".join(path.name for path in archives.values()).encode()).hexdigest()
        target = self._directory / f"bundle-{key[:16]}.tar"
        if not target.exists():
            for old in self._directory.glob("bundle-*.tar"):
                old.unlink()
            self._write(target, lambda stream: merge_archives(list(archives.values()), stream))
        return target

    def _usable(self, name: str, recipe: Recipe) -> bool:
        built = self._index.get(name)
        return built is not None and built.recipe == recipe.key() and (self._directory / built.archive).exists()

    def _refresh(self, recipes: Mapping[str, Recipe]) -> None:
        """Rebuild the images whose packages have new versions; the others are current as of now."""
        offered = self._source.candidates({package for recipe in recipes.values() for package in recipe.packages})
        outdated = {
            name: recipe
            for name, recipe in recipes.items()
            if any(offered.get(package, version) != version for package, version in self._index[name].versions.items())
        }
        for name in recipes.keys() - outdated.keys():
            self._index[name] = replace(self._index[name], lists=self._state)
        self._save()
        if not outdated:
            return
        try:
            self._build(outdated)
        except ImageError as error:
            log.warning("newer packages cannot be had, using the images built before", extra={"cause": str(error)})

    def _build(self, recipes: Mapping[str, Recipe]) -> None:
        packages = sorted({package for recipe in recipes.values() for package in recipe.packages})
        log.info("building images", extra={"images": sorted(recipes)})
        versions, files = self._source.fetch(packages, self._directory / "packages")
        self._state = self._source.state()  # fetching may have updated the lists
        architecture = this_architecture()
        layers: dict[str, bytes] = {}
        for name, recipe in recipes.items():
            for layer in recipe.layers:
                layers.setdefault(layer.key(), self._layer(layer, files, architecture))
            stack = tuple(layers[layer.key()] for layer in recipe.layers)
            image = Image(recipe.reference, architecture.oci, recipe.config, stack)
            self._store(name, recipe, image, {package: versions[package] for package in recipe.packages})
        self._prune_packages(files)

    def _layer(self, layer: Layer, files: Mapping[str, Path], architecture: Architecture) -> bytes:
        with tempfile.TemporaryDirectory(prefix="coxswain-image-", dir=self._directory) as scratch:
            tree = Tree(Path(scratch), architecture)
            tree.unpack(files[package] for package in layer.packages)
            return pack_layer(entry for step in layer.steps for entry in step.entries(tree))

    def _store(self, name: str, recipe: Recipe, image: Image, versions: Mapping[str, str]) -> None:
        text = recipe.key() + json.dumps(versions, sort_keys=True)
        archive = f"{name}-{hashlib.sha256(text.encode()).hexdigest()[:16]}.tar"
        self._write(self._directory / archive, lambda stream: write_archive([image], stream))
        self._index[name] = Built(recipe.key(), dict(sorted(versions.items())), self._state, archive)
        self._save()
        for old in self._directory.glob(f"{name}-*.tar"):
            if old.name != archive:
                old.unlink()

    def _prune_packages(self, files: Mapping[str, Path]) -> None:
        """Drop downloads that a newer version of the same package has replaced."""
        for package, current in files.items():
            for old in current.parent.glob(f"{package}_*.deb"):
                if old != current:
                    old.unlink()

    def _write(self, target: Path, fill: Callable[[IO[bytes]], object]) -> None:
        with tempfile.NamedTemporaryFile(dir=self._directory, prefix=".writing-", delete=False) as stream:
            try:
                fill(stream)
                stream.flush()
                os.fchmod(stream.fileno(), 0o644)
                os.replace(stream.name, target)
            except BaseException:
                Path(stream.name).unlink(missing_ok=True)
                raise

    def _load(self) -> dict[str, Built]:
        """The index; an absent one, or one of another format, is an empty one: everything is then built anew."""
        try:
            raw = json.loads((self._directory / "index.json").read_text())
            return {name: Built(**fields) for name, fields in raw.items()}
        except (OSError, ValueError, TypeError, AttributeError):
            return {}

    def _save(self) -> None:
        content = json.dumps({name: asdict(built) for name, built in sorted(self._index.items())}, indent=1)
        self._write(self._directory / "index.json", lambda stream: stream.write(content.encode()))
