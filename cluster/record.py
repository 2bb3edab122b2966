"""cluster.json: what was created, for every later command."""

from __future__ import annotations

from pathlib import Path

import msgspec

from cluster.errors import ClusterError
from cluster.spec import ClusterSpec


class ClusterRecord(msgspec.Struct, frozen=True, rename="camel"):
    """A created cluster. `kubeconfig` is the file its context was written to; `kubeconfig_is_new`: we made that file."""

    spec: ClusterSpec
    api_port: int
    snapshotter: str
    created_at: str
    kubeconfig: str
    kubeconfig_is_new: bool = False


def read_record(path: Path) -> ClusterRecord:
    """The record at `path`; FileNotFoundError, or ClusterError if it is damaged."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=ClusterRecord)
    except msgspec.DecodeError as error:
        raise ClusterError(f"{path} is damaged ({error}); delete the cluster and create it again") from error


def write_record(path: Path, record: ClusterRecord) -> None:
    """Write the record in one step."""
    partial = path.with_suffix(".partial")
    partial.write_bytes(msgspec.json.format(msgspec.json.encode(record), indent=1))
    partial.replace(path)
