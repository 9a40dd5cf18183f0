"""2026-02-03 at ten, and nothing remembered of another test's instruments."""

from __future__ import annotations

import pytest

from feeds import clock
from oms.trading_day import forget_trading_day
from rms.market import forget_facts
from tests.oms.process.trading import MORNING


@pytest.fixture(autouse=True)
def morning(settings):
    settings.EXCHANGE_CLOCK_OFFSET_SECONDS = (MORNING - clock.wall_now()).total_seconds()
    forget_facts()
    forget_trading_day()
