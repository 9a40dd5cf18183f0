"""A market of a few underlyings, one account and two traders, at ten in the morning of 2026-02-03."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime, timedelta

import pytest
from django.contrib.auth.models import User
from pytest_django.fixtures import Settings

from feeds import clock
from feeds.importing import import_lines
from feeds.models import DhanAccount
from tests.feeds.market_rows import TODAY, future, index, master, option, share

NEAR, FAR = date(2026, 2, 10), date(2026, 2, 24)
STRIKES = 25


def options_of(name: str, first_id: int, expiry: date, middle: int, step: int, exchange: str = "NSE") -> list[str]:
    return [
        option(first_id + 2 * place + side, name, expiry, middle + step * (place - STRIKES // 2), word, exchange)
        for place in range(STRIKES)
        for side, word in enumerate(("CE", "PE"))
    ]


@pytest.fixture
def market(db: None) -> None:
    rows = [
        index(13, "NIFTY", "Nifty 50"),
        share(2885, "RELIANCE"),
        share(1594, "INFY"),
        share(11536, "TCS"),
        share(7, "ZEEL"),
    ]
    rows += options_of("NIFTY", 10_000, NEAR, 26_000, 50) + options_of("NIFTY", 11_000, FAR, 26_000, 50)
    for place, name in enumerate(("RELIANCE", "INFY", "TCS")):
        rows += options_of(name, 20_000 + 1_000 * place, FAR, 1_400, 10)
    rows += [future(1, "CRUDEOIL", date(2026, 2, 19), "MCX"), future(2, "CRUDEOIL", date(2026, 3, 19), "MCX")]
    rows += options_of("CRUDEOIL", 30_000, date(2026, 2, 17), 5_700, 50, "MCX")
    import_lines(master(rows), day=TODAY)


@pytest.fixture
def account(db: None) -> DhanAccount:
    return DhanAccount.objects.create(name="main", client_id="1000000001")


@pytest.fixture
def asha(db: None) -> User:
    return User.objects.create(username="asha")


@pytest.fixture
def ravi(db: None) -> User:
    return User.objects.create(username="ravi")


@pytest.fixture
def at(settings: Settings) -> Callable[[str], datetime]:
    """Shift the exchange's clock to a moment, `2026-02-03 10:00`."""

    def shift(text: str) -> datetime:
        moment = datetime.strptime(text, "%Y-%m-%d %H:%M").replace(tzinfo=clock.IST)
        settings.EXCHANGE_CLOCK_OFFSET_SECONDS = (moment - clock.wall_now()) / timedelta(seconds=1)
        return moment

    return shift


@pytest.fixture(autouse=True)
def morning(at: Callable[[str], datetime]) -> datetime:
    return at("2026-02-03 10:00")
