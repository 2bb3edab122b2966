"""One containerd for all tests of this folder; each test has the node for itself and leaves it empty."""

from collections.abc import Awaitable, Callable, Iterator

import pytest

from tests.support.containerd import PrivateContainerd, inside
from tests.support.kubelet_node import TestNode

Scenario = Callable[[TestNode], Awaitable[None]]


@pytest.fixture(scope="session")
def containerd() -> Iterator[PrivateContainerd]:
    daemon = PrivateContainerd()
    try:
        daemon.start()
        yield daemon
    finally:
        daemon.stop()


@pytest.fixture
def on_node(containerd: PrivateContainerd) -> Callable[[Scenario], None]:
    """Run a scenario on a node whose kubelet runs; afterwards all its pods are deleted."""

    def run(scenario: Scenario) -> None:
        async def body() -> None:
            node = TestNode(containerd)
            async with node.running():
                try:
                    await scenario(node)
                finally:
                    await node.empty()

        inside(containerd.pid, body)

    return run
