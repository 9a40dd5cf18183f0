"""What is loaded is out of the collector's way."""

from __future__ import annotations

import gc
from collections.abc import Iterator

import pytest

from feeds import pauses


@pytest.fixture(autouse=True)
def thawed() -> Iterator[None]:
    yield
    gc.unfreeze()


def test_what_is_there_is_frozen_and_what_comes_later_is_not():
    kept = [object() for _ in range(3)]
    gc.unfreeze()
    pauses.keep_short()
    frozen = gc.get_freeze_count()
    assert frozen > 10_000
    later = [[] for _ in range(1_000)]
    assert gc.get_freeze_count() <= frozen  # what is freed is no longer counted
    assert any(each is later for each in gc.get_objects())
    assert not any(each is kept for each in gc.get_objects())
