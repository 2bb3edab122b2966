"""Fixtures shared by all tests."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from tests.support import etcd as etcd_support

# How long an example takes says more about what else the machine does than about what is tested.
settings.register_profile("coxswain", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("coxswain")


@pytest.fixture(scope="session")
def shared_etcd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[etcd_support.Etcd]:
    """An etcd that the tests of a session share: do not kill it, and expect keys of others."""
    if not etcd_support.available():
        pytest.fail("etcd is not installed; tests/run installs it")
    server = etcd_support.Etcd(tmp_path_factory.mktemp("etcd"))
    server.start()
    yield server
    server.stop()


@pytest.fixture
def etcd(tmp_path: Path) -> Iterator[etcd_support.Etcd]:
    """An etcd of the test's own, to be killed and restarted at will."""
    if not etcd_support.available():
        pytest.fail("etcd is not installed; tests/run installs it")
    server = etcd_support.Etcd(tmp_path)
    server.start()
    yield server
    server.stop()
