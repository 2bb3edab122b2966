"""Definitions that are being deleted while the storage does not answer."""

from __future__ import annotations

import sys
from typing import Any, cast

import pytest

from apimachinery import errors
from apimachinery.clock import FakeClock
from apimachinery.resources import ResourceTable
from apiserver.chain import Api
from apiserver.extensions import Extensions
from apiserver.registry.store import ObjectStore


class SilentStorage:
    """Answers nothing `left` times; then the definition is gone."""

    def __init__(self, left: int) -> None:
        self.left = left

    async def current(self, *_: Any) -> None:
        self.left -= 1
        if self.left >= 0:
            raise errors.unavailable("the storage does not answer")
        raise errors.not_found("customresourcedefinitions", "things.example.com")


@pytest.mark.looptime
async def test_however_long_the_storage_is_silent_cleaning_up_goes_on() -> None:
    storage = SilentStorage(2 * sys.getrecursionlimit())
    extensions = Extensions(
        table=ResourceTable(()),
        caches={},
        strategies={},
        store=cast(ObjectStore, storage),
        new_cache=lambda family: pytest.fail("no kind is served"),
        converter=lambda definition: pytest.fail("nothing is converted"),
        on_change=lambda: None,
        clock=FakeClock(),
    )
    await extensions._clean(cast(Api, None), "things.example.com")
    assert storage.left == -1
