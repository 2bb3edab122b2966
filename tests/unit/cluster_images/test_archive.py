"""Archives: the same entries give the same bytes, digests are those of the content, and both kinds of loader find the names."""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
from dataclasses import dataclass

import pytest

from cluster.images.archive import Entry, Image, ImageConfig, digest, merge_archives, pack_layer, write_archive

ENTRIES = (
    Entry("etc/passwd", "file", 0o644, b"root\n"),
    Entry("bin/sh", "link", 0o777, b"busybox"),
    Entry("tmp", "directory", 0o1777),
    Entry("data", "directory", 0o750, uid=6379, gid=6379),
)


def image(reference: str, *layers: bytes) -> Image:
    return Image(reference, "amd64", ImageConfig(cmd=("sh",), user="7:7", env={"B": "2", "A": "1"}), layers)


def archive(*images: Image) -> bytes:
    target = io.BytesIO()
    write_archive(images, target)
    return target.getvalue()


def files(data: bytes) -> dict[str, bytes]:
    with tarfile.open(fileobj=io.BytesIO(data)) as tar:
        return {info.name: tar.extractfile(info).read() for info in tar if info.isfile()}


def test_layer_does_not_depend_on_the_order_of_entries() -> None:
    assert pack_layer(ENTRIES) == pack_layer(reversed(ENTRIES))


def test_layer_holds_what_was_asked_for_and_every_parent() -> None:
    with tarfile.open(fileobj=io.BytesIO(pack_layer(ENTRIES))) as tar:
        members = {info.name: info for info in tar}
    assert list(members) == ["bin", "bin/sh", "data", "etc", "etc/passwd", "tmp"]
    assert all(info.mtime == 0 and info.uname == "" for info in members.values())
    assert members["tmp"].mode == 0o1777
    assert (members["data"].uid, members["data"].gid) == (6379, 6379)
    assert members["bin/sh"].linkname == "busybox"


@dataclass(frozen=True)
class Refused:
    id: str
    entries: tuple[Entry, ...]
    says: str


REFUSED = (
    Refused("absolute path", (Entry("/etc/x", "file", 0o644),), "not a path inside"),
    Refused("path that climbs out", (Entry("../x", "file", 0o644),), "not a path inside"),
    Refused("empty path", (Entry("", "directory", 0o755),), "not a path inside"),
    Refused("path twice", (Entry("x", "file", 0o644), Entry("./x", "file", 0o644)), "occurs twice"),
)


@pytest.mark.parametrize("case", REFUSED, ids=lambda case: case.id)
def test_layer_refuses(case: Refused) -> None:
    with pytest.raises(ValueError, match=case.says):
        pack_layer(case.entries)


def test_archive_is_reproducible_and_every_blob_is_named_by_its_digest() -> None:
    layer = pack_layer(ENTRIES)
    data = archive(image("registry.local/a/b:1", layer))
    assert data == archive(image("registry.local/a/b:1", layer))
    blobs = {name: content for name, content in files(data).items() if name.startswith("blobs/")}
    assert len(blobs) == 3
    for name, content in blobs.items():
        assert name == "blobs/sha256/" + hashlib.sha256(content).hexdigest()


def test_archive_is_consistent_from_the_index_down_to_the_layers() -> None:
    layer = pack_layer(ENTRIES)
    content = files(archive(image("registry.local/a/b:1", layer)))
    assert json.loads(content["oci-layout"]) == {"imageLayoutVersion": "1.0.0"}
    (descriptor,) = json.loads(content["index.json"])["manifests"]
    assert descriptor["annotations"]["io.containerd.image.name"] == "registry.local/a/b:1"
    assert descriptor["annotations"]["org.opencontainers.image.ref.name"] == "1"
    manifest = json.loads(blob(content, descriptor))
    config = json.loads(blob(content, manifest["config"]))
    assert config["rootfs"]["diff_ids"] == [digest(layer)]
    assert config["config"]["Env"] == ["A=1", "B=2"]
    assert config["config"]["User"] == "7:7"
    assert [blob(content, row) for row in manifest["layers"]] == [layer]
    (docker,) = json.loads(content["manifest.json"])
    assert docker["RepoTags"] == ["registry.local/a/b:1"]
    assert content[docker["Config"]] == blob(content, manifest["config"])
    assert [content[path] for path in docker["Layers"]] == [layer]


def blob(content: dict[str, bytes], descriptor: dict[str, object]) -> bytes:
    data = content["blobs/" + str(descriptor["digest"]).replace(":", "/")]
    assert len(data) == descriptor["size"]
    return data


def test_bundle_holds_every_image_and_shared_layers_once(tmp_path) -> None:
    shared, own = pack_layer(ENTRIES), pack_layer(ENTRIES[:1])
    one, two = image("registry.local/one:1", shared), image("registry.local/two:1", shared, own)
    paths = []
    for name, each in (("one", one), ("two", two)):
        paths.append(tmp_path / name)
        paths[-1].write_bytes(archive(each))
    target = io.BytesIO()
    merge_archives(paths, target)
    assert target.getvalue() == archive(one, two)
    assert sum(content == shared for content in files(target.getvalue()).values()) == 1


def test_two_images_of_the_same_name_are_refused() -> None:
    with pytest.raises(ValueError, match="same reference"):
        archive(image("a:1", b""), image("a:1", b""))
