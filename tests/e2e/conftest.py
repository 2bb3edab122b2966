"""One cluster for all end-to-end tests (a control plane, two workers), and for each test a namespace of its own in it.

The cluster is deleted when the run ends: in order, by a failure, by Ctrl-C or by SIGTERM. A run that was killed leaves its
cluster to the next one, which removes it. A test that fails shows what was in its namespace, and what the components logged.
"""

from __future__ import annotations

import os
import re
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FrameType

import pytest

from tests.support.cluster import NAME_PREFIX, LocalCluster, Namespace, remove_leftovers
from tests.support.sweeping import TOOLS, Tool

NAMESPACE_LENGTH_MAX = 40
NAMESPACE_START = 22
LOG_LINES_MAX = 60
_SHOWN = pytest.StashKey[tuple[Namespace, dict[Path, int]]]()
_QUIET = re.compile(r"\b(INFO|DEBUG)\b|level=(info|debug)|\"level\":\"(info|debug)\"")


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "whole_machine: compares the machine before and after; runs before other clusters exist")


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Tests that look at the whole machine run before the shared cluster is made, all others in their order."""
    ours = [item for item in items if item.path.parent == Path(__file__).parent]
    ordered = iter(sorted(ours, key=lambda item: item.get_closest_marker("whole_machine") is None))
    items[:] = [next(ordered) if item.path.parent == Path(__file__).parent else item for item in items]


@pytest.fixture(scope="session")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalCluster]:
    """The shared cluster: tests leave its nodes and processes as they found them."""
    if os.geteuid() != 0:
        pytest.fail("end-to-end tests make namespaces and mounts: run them as root")
    with _terminated_is_interrupted():
        remove_leftovers()
        shared = LocalCluster.create(f"{NAME_PREFIX}{os.getpid()}", tmp_path_factory.mktemp("cluster"))
        try:
            yield shared
        finally:
            shared.delete()


@pytest.fixture
def ns(request: pytest.FixtureRequest, cluster: LocalCluster) -> Iterator[Namespace]:
    """A namespace of the test's own."""
    slug = re.sub(r"[^a-z0-9]+", "-", request.node.name.lower().removeprefix("test_")).strip("-")
    if len(slug) > NAMESPACE_LENGTH_MAX:  # the end tells the rows of a table apart
        slug = f"{slug[:NAMESPACE_START].strip('-')}-{slug[NAMESPACE_START - NAMESPACE_LENGTH_MAX + 1 :].strip('-')}"
    with cluster.namespace(slug) as namespace:
        _show_in_reports(request.node, namespace)
        yield namespace


@pytest.fixture(params=TOOLS)
def tool(request: pytest.FixtureRequest, ns: Namespace) -> Tool:
    """kubectl, then kctl, each in a namespace of its own."""
    return Tool(request.param, ns.cluster, ns.name)


@pytest.fixture
def tools(ns: Namespace) -> tuple[Tool, ...]:
    """Both programs in the same namespace: for what both should say of the same objects."""
    return tuple(Tool(name, ns.cluster, ns.name) for name in TOOLS)


@pytest.fixture(scope="session")
def show_in_reports() -> Callable[[pytest.Item | pytest.Collector, Namespace], None]:
    """For namespaces that several tests share: when a test of the given node fails, its report tells of the namespace."""
    return _show_in_reports


def _show_in_reports(node: pytest.Item | pytest.Collector, namespace: Namespace) -> None:
    node.stash[_SHOWN] = (namespace, _log_sizes(namespace.cluster))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]):  # type: ignore[no-untyped-def]
    """Add to the report of a failure what was in the test's namespace and what the components complained about."""
    report = yield
    shown = next((node.stash[_SHOWN] for node in reversed(item.listchain()) if _SHOWN in node.stash), None)
    if report.when != "teardown" and report.failed and shown is not None:
        namespace, log_sizes = shown
        try:
            report.sections.append(("objects in the namespace", namespace.report()))
            report.sections.append(("components' logs", _complaints(namespace.cluster, log_sizes)))
        except Exception as error:  # noqa: BLE001 - the cluster may be what has failed; the test's own failure matters more
            report.sections.append(("no report of the namespace", repr(error)))
    return report


class _terminated_is_interrupted:  # noqa: N801 - a context manager
    """SIGTERM and SIGHUP end the run as Ctrl-C does, so that fixtures are torn down."""

    def __enter__(self) -> None:
        def interrupt(number: int, frame: FrameType | None) -> None:
            raise KeyboardInterrupt(f"signal {number}")

        self._before = {number: signal.signal(number, interrupt) for number in (signal.SIGTERM, signal.SIGHUP)}

    def __exit__(self, *exception: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)


def _log_sizes(cluster: LocalCluster) -> dict[Path, int]:
    return {file: file.stat().st_size for file in cluster.logs().values()}


def _complaints(cluster: LocalCluster, sizes: dict[Path, int]) -> str:
    """The lines since `sizes` that are not merely informative, of each log."""
    parts = []
    for (node, name), file in sorted(cluster.logs().items()):
        with file.open("rb") as stream:
            stream.seek(sizes.get(file, 0))
            lines = [line for line in stream.read().decode(errors="replace").splitlines() if not _QUIET.search(line)]
        if lines:
            parts.append(f"{node} {name}:\n  " + "\n  ".join(lines[-LOG_LINES_MAX:]))
    return "\n".join(parts)
