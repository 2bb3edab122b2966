"""The image cache over a fake package source: what is built when, and what happens without a network."""

from __future__ import annotations

import subprocess
from collections.abc import Iterable
from pathlib import Path

import pytest

from cluster.images import ImageError, cache
from cluster.images.archive import ImageConfig
from cluster.images.recipes import Layer, Recipe
from cluster.images.rootfs import StaticProgram, Text


class FakePackages:
    """One package, `tool`, whose only file holds its version."""

    def __init__(self, work: Path) -> None:
        self.work = work
        self.version = "1"
        self.lists = "as of monday"
        self.reachable = True
        self.asked = 0
        self.fetched = 0

    def state(self) -> str:
        return self.lists

    def candidates(self, packages: Iterable[str]) -> dict[str, str]:
        self.asked += 1
        return dict.fromkeys(packages, self.version)

    def fetch(self, packages: Iterable[str], directory: Path) -> tuple[dict[str, str], dict[str, Path]]:
        if not self.reachable:
            raise ImageError("no network")
        self.fetched += 1
        directory.mkdir(parents=True, exist_ok=True)
        return dict.fromkeys(packages, self.version), {name: self._package(name, directory) for name in packages}

    def _package(self, name: str, directory: Path) -> Path:
        tree = self.work / f"{name}-{self.version}"
        (tree / "DEBIAN").mkdir(parents=True, exist_ok=True)
        control = f"Package: {name}\nVersion: {self.version}\nArchitecture: all\nMaintainer: nobody\nDescription: {name}\n"
        (tree / "DEBIAN/control").write_text(control)
        (tree / "tool").write_text(f"version {self.version}")
        target = directory / f"{name}_{self.version}_all.deb"
        subprocess.run(["dpkg-deb", "--root-owner-group", "-Znone", "-b", tree, target], check=True, capture_output=True)
        return target


def recipe(text: str) -> Recipe:
    layer = Layer(packages=("tool",), steps=(StaticProgram("tool", "bin/tool"), Text("etc/text", text)))
    return Recipe("registry.local/thing:1", (layer,), ImageConfig())


@pytest.fixture
def packages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakePackages:
    monkeypatch.setattr(cache, "RECIPES", {"thing": recipe("one")})
    return FakePackages(tmp_path / "work")


def build(tmp_path: Path, packages: FakePackages) -> Path:
    return cache.ensure(("thing",), tmp_path / "cache", source=packages)["thing"]


def test_second_call_touches_neither_the_network_nor_apt(tmp_path: Path, packages: FakePackages) -> None:
    first = build(tmp_path, packages)
    written = first.stat().st_mtime_ns
    packages.reachable = False
    assert build(tmp_path, packages) == first
    assert (packages.fetched, packages.asked, first.stat().st_mtime_ns) == (1, 0, written)


def test_new_lists_without_new_versions_only_cost_one_look(tmp_path: Path, packages: FakePackages) -> None:
    first = build(tmp_path, packages)
    packages.lists = "as of tuesday"
    assert build(tmp_path, packages) == first
    assert build(tmp_path, packages) == first
    assert (packages.fetched, packages.asked) == (1, 1)


def test_new_version_is_built_and_replaces_the_old_archive(tmp_path: Path, packages: FakePackages) -> None:
    first = build(tmp_path, packages)
    packages.lists, packages.version = "as of tuesday", "2"
    second = build(tmp_path, packages)
    assert second != first
    assert b"version 2" in second.read_bytes()
    assert not first.exists()
    assert [path.name for path in (tmp_path / "cache/packages").iterdir()] == ["tool_2_all.deb"]


def test_new_version_that_cannot_be_had_leaves_the_old_image_in_use(tmp_path: Path, packages: FakePackages) -> None:
    first = build(tmp_path, packages)
    packages.lists, packages.version, packages.reachable = "as of tuesday", "2", False
    assert build(tmp_path, packages) == first
    packages.reachable = True
    assert build(tmp_path, packages) != first


def test_changed_recipe_is_built_anew(tmp_path: Path, packages: FakePackages, monkeypatch: pytest.MonkeyPatch) -> None:
    first = build(tmp_path, packages)
    monkeypatch.setattr(cache, "RECIPES", {"thing": recipe("two")})
    assert build(tmp_path, packages) != first


def test_lost_archive_and_damaged_index_are_made_good(tmp_path: Path, packages: FakePackages) -> None:
    first = build(tmp_path, packages)
    content = first.read_bytes()
    first.unlink()
    assert build(tmp_path, packages).read_bytes() == content
    (tmp_path / "cache/index.json").write_text("{not json")
    assert build(tmp_path, packages).read_bytes() == content


def test_first_build_without_network_says_why(tmp_path: Path, packages: FakePackages) -> None:
    packages.reachable = False
    with pytest.raises(ImageError, match="no network"):
        build(tmp_path, packages)
    assert not list((tmp_path / "cache").glob("*.tar"))


def test_missing_file_is_named(tmp_path: Path, packages: FakePackages, monkeypatch: pytest.MonkeyPatch) -> None:
    layer = Layer(packages=("tool",), steps=(StaticProgram("usr/bin/absent", "absent"),))
    monkeypatch.setattr(cache, "RECIPES", {"thing": Recipe("registry.local/thing:1", (layer,), ImageConfig())})
    with pytest.raises(ImageError, match="usr/bin/absent"):
        build(tmp_path, packages)


def test_unknown_image_lists_the_known_ones(tmp_path: Path) -> None:
    with pytest.raises(ImageError, match="there are busybox, guestbook, pause, redis"):
        cache.ensure(("nginx",), tmp_path)


def test_bundle_follows_its_images(tmp_path: Path, packages: FakePackages) -> None:
    first = cache.ensure_bundle(("thing",), tmp_path / "cache", source=packages)
    assert cache.ensure_bundle(("thing",), tmp_path / "cache", source=packages) == first
    packages.lists, packages.version = "as of tuesday", "2"
    second = cache.ensure_bundle(("thing",), tmp_path / "cache", source=packages)
    assert b"version 2" in second.read_bytes()
    assert not first.exists()
