"""A share, an index with options, one account that feeds, and two traders."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import User
from pytest_django.fixtures import Settings
from redis import Redis

from feeds.core.instrument import ExchangeSegment, InstrumentKey
from feeds.models import DhanAccount, Instrument
from tests.feeds.market import make_chain, make_instrument

RELIANCE = InstrumentKey(ExchangeSegment.NSE_EQ, 2885)


@pytest.fixture(autouse=True)
def account(db: None, redis: Redis, settings: Settings) -> DhanAccount:
    settings.ALERT_QUIET_SECONDS = 0.0
    return DhanAccount.objects.create(name="main", client_id="1000000001")


@pytest.fixture
def reliance(db: None) -> Instrument:
    return make_instrument(RELIANCE, "RELIANCE", name="Reliance Industries")


@pytest.fixture
def options(db: None) -> list[Instrument]:
    return [Instrument.objects.get(code=key.code) for key in make_chain()[1:]]


@pytest.fixture
def asha(db: None) -> User:
    return User.objects.create(username="asha")


@pytest.fixture
def ravi(db: None) -> User:
    return User.objects.create(username="ravi")
