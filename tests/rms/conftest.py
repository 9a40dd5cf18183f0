"""What the tests of money and risk share."""

from __future__ import annotations

import pytest

from feeds.core.instrument import InstrumentKey
from feeds.models import Instrument
from rms.market import Market, forget_facts
from rms.models import TradingAccount
from tests.rms import desk


@pytest.fixture
def instruments(db) -> dict[InstrumentKey, Instrument]:
    forget_facts()
    return desk.make_instruments()


@pytest.fixture
def market(instruments) -> Market:
    return desk.market_of(instruments)


@pytest.fixture
def account(db) -> TradingAccount:
    """With 1,00,000.00 in cash."""
    return desk.make_account(10_000_000)
