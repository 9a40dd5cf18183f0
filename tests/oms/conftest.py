"""Fixtures of the tests that place orders."""

from __future__ import annotations

import pytest

from tests.oms.floor import Floor, open_floor


@pytest.fixture
def floor(db, settings, redis) -> Floor:
    return open_floor(settings, redis)


@pytest.fixture
def busy_floor(transactional_db, settings, redis) -> Floor:
    """The same, where each thread has transactions of its own."""
    return open_floor(settings, redis)
