"""Control groups on made-up trees: hybrid and pure v2, since a machine has only one of them."""

from __future__ import annotations

from pathlib import Path

import pytest

from cluster import cgroups
from cluster.cgroups import Hierarchy

HYBRID = """\
25 20 0:22 / /sys/fs/cgroup rw,relatime - tmpfs tmpfs rw,mode=755
26 25 0:23 / /sys/fs/cgroup/cpu,cpuacct rw,relatime shared:4 - cgroup cgroup rw,cpu,cpuacct
27 25 0:24 / /sys/fs/cgroup/systemd rw,relatime - cgroup systemd rw,xattr,name=systemd
28 25 0:25 / /sys/fs/cgroup/unified rw,relatime - cgroup2 cgroup2 rw,nsdelegate
29 20 0:23 / /elsewhere/cpu rw,relatime - cgroup cgroup rw,cpu,cpuacct
30 20 8:1 / / rw,relatime - ext4 /dev/root rw
"""


def test_mountinfo_names_each_tree_once() -> None:
    assert cgroups.parse_mountinfo(HYBRID) == (
        Hierarchy(Path("/sys/fs/cgroup/cpu,cpuacct"), 1, ("cpu", "cpuacct")),
        Hierarchy(Path("/sys/fs/cgroup/systemd"), 1, ("name=systemd",)),
        Hierarchy(Path("/sys/fs/cgroup/unified"), 2),
    )
    pure = "30 23 0:26 / /sys/fs/cgroup rw - cgroup2 cgroup rw,nsdelegate"
    assert cgroups.parse_mountinfo(pure) == (Hierarchy(Path("/sys/fs/cgroup"), 2),)


def test_v2_delegates_what_there_is_on_the_way_down(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Path, "mkdir", make_v2_group)
    make_v2_group(tmp_path / "tree")
    tree = Hierarchy(tmp_path / "tree", 2)
    cgroups.create((tree,), "demo", "demo-worker")
    for path in ("", "coxswain", "coxswain/demo", "coxswain/demo/demo-worker"):
        assert (tree.mount / path / "cgroup.subtree_control").read_text() == "+pids", "the last one written"
    for leaf in ("services", "pods"):
        group = tree.mount / "coxswain/demo/demo-worker" / leaf
        assert group.is_dir()
        assert (group / "cgroup.subtree_control").read_text() == ""


def make_v2_group(path: Path, exist_ok: bool = False, **_: object) -> None:
    """What the kernel does on mkdir in a v2 tree that has three controllers."""
    import os

    os.makedirs(path, exist_ok=exist_ok)
    (path / "cgroup.controllers").write_text("cpu memory pids\n")
    (path / "cgroup.subtree_control").write_text("")


def test_hybrid_leaves_the_v2_tree_undelegated(tmp_path: Path) -> None:
    trees = (Hierarchy(tmp_path / "v1", 1, ("cpu",)), Hierarchy(tmp_path / "v2", 2))
    for tree in trees:
        tree.mount.mkdir()
    cgroups.create(trees, "demo", "demo-worker")
    for tree in trees:
        assert (tree.mount / "coxswain/demo/demo-worker/services").is_dir()
        assert not (tree.mount / "cgroup.subtree_control").exists()


def test_a_cpuset_inherits_its_processors(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Path, "mkdir", make_cpuset)
    tree = Hierarchy(tmp_path / "cpuset", 1, ("cpuset",))
    make_cpuset(tree.mount)
    (tree.mount / "cpuset.cpus").write_text("0-1\n")
    (tree.mount / "cpuset.mems").write_text("0\n")
    cgroups.create((tree,), "demo", "demo-worker")
    assert (tree.mount / "coxswain/demo/demo-worker/services/cpuset.cpus").read_text() == "0-1\n"


def make_cpuset(path: Path, exist_ok: bool = False, **_: object) -> None:
    import os

    os.makedirs(path, exist_ok=exist_ok)
    (path / "cpuset.cpus").write_text("\n")
    (path / "cpuset.mems").write_text("\n")


def test_removing_what_is_not_there_is_no_error(tmp_path: Path) -> None:
    tree = Hierarchy(tmp_path, 1, ("cpu",))
    assert cgroups.remove((tree,), "/coxswain/demo", timeout_s=0) == []
    cgroups.remove_if_empty((tree,), "/coxswain")
