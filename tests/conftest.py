"""Fixtures that every test may use."""

from __future__ import annotations

import pytest
import redis as redis_client
from django.conf import settings


@pytest.fixture
def redis():
    """A client of this process's Valkey, emptied before the test."""
    client = redis_client.Redis.from_url(settings.REDIS_URL, socket_timeout=10)
    client.flushall()
    yield client
    client.close()
