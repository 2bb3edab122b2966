"""What the benchmarks share: a cluster to throw away, its API, and how figures are told."""

from __future__ import annotations

import base64
import os
import ssl
import statistics
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import msgspec
import yaml

from cluster import api
from cluster.create import StagePassed
from cluster.spec import ClusterSpec, Publish

WATCH_TIMEOUT = aiohttp.ClientTimeout(total=None)


@dataclass(frozen=True)
class Access:
    """How to reach a cluster's API as its administrator; the files live as long as the cluster."""

    name: str
    server: str
    cert_file: str
    key_file: str
    ca_file: str


@contextmanager
def throwaway_cluster(
    name: str, workers: int, publish: tuple[Publish, ...] = (), on_stage: Callable[[StagePassed], None] = lambda stage: None
) -> Iterator[Access]:
    """A cluster that is deleted at the end, whatever happens; the user's kubeconfig is not touched."""
    with tempfile.TemporaryDirectory() as folder:
        environment = {**os.environ, "KUBECONFIG": f"{folder}/kubeconfig"}
        spec = ClusterSpec(name, workers=workers, publish=publish, image_archives=api.default_images())
        try:
            api.create(spec, on_stage, environment=environment)
            yield _access(name, Path(folder))
        finally:
            api.delete(name)


def _access(name: str, folder: Path) -> Access:
    config = yaml.safe_load((folder / "kubeconfig").read_text())
    cluster, user = config["clusters"][0]["cluster"], config["users"][0]["user"]
    files = {
        "ca.crt": cluster["certificate-authority-data"],
        "client.crt": user["client-certificate-data"],
        "client.key": user["client-key-data"],
    }
    for file, data in files.items():
        (folder / file).write_bytes(base64.b64decode(data))
    return Access(name, cluster["server"], *(str(folder / file) for file in ("client.crt", "client.key", "ca.crt")))


class Api:
    """A few calls on the REST door; every refusal ends the benchmark."""

    def __init__(self, server: str, session: aiohttp.ClientSession) -> None:
        self._server = server
        self._session = session

    async def call(self, method: str, path: str, body: Any = None) -> Any:
        data = None if body is None else msgspec.json.encode(body)
        async with self._session.request(method, self._server + path, data=data) as response:
            answer = await response.read()
            if response.status >= 400:
                raise SystemExit(f"{method} {path}: {response.status} {answer[:300]!r}")
            return msgspec.json.decode(answer)

    async def watch(self, path: str) -> AsyncIterator[Any]:
        """Events of a watch as plain data, until the caller stops asking."""
        rest = b""
        async with self._session.get(self._server + path, timeout=WATCH_TIMEOUT) as response:
            async for chunk in response.content.iter_any():
                *lines, rest = (rest + chunk).split(b"\n")
                for line in filter(None, lines):
                    yield msgspec.json.decode(line)


def client_context(access: Access) -> ssl.SSLContext:
    """Mutual TLS as that administrator."""
    tls = ssl.create_default_context(cafile=access.ca_file)
    tls.load_cert_chain(access.cert_file, access.key_file)
    return tls


@asynccontextmanager
async def connected(access: Access) -> AsyncIterator[Api]:
    """The API of a cluster over mutual TLS."""
    headers = {"Content-Type": "application/json", "Accept": "application/json"}
    connector = aiohttp.TCPConnector(ssl=client_context(access), limit=0)
    async with aiohttp.ClientSession(headers=headers, connector=connector) as session:
        yield Api(access.server, session)


def spread(values: Sequence[float], unit: str, digits: int = 0) -> str:
    """`median 246 ms, 99th percentile 259 ms, 6 runs`."""
    ordered = sorted(values)
    last = ordered[min(len(ordered) - 1, int(len(ordered) * 0.99))]
    median = statistics.median(ordered)
    return f"median {median:.{digits}f} {unit}, 99th percentile {last:.{digits}f} {unit}, {len(ordered)} runs"
