"""Marked positions: what the screens are told, and what a day's loss brings about, once."""

from __future__ import annotations

import pytest

from feeds.leases import LeaseKeeper
from oms.models import Order
from oms.process.fencing import LEASE
from oms.process.prices import Prices
from oms.process.watching import Watch
from rms import kill_switch
from rms.models import AccountFact, KillSwitch, Position, RiskLimits
from tests.oms.process.trading import CODE, DAY, FEED, an_account, an_option, row, tell_redis

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("redis")]


@pytest.fixture
def watch(redis):
    """75 bought at 120.00, with a daily loss limit of 1,000 rupees."""
    an_option()
    account = an_account()
    Position.objects.create(
        account=account, instrument_id=CODE, product="INTRADAY", signed_quantity=75, open_cost=75 * 12_000,
        day_buy_quantity=75, day_buy_value=75 * 12_000, trading_date=DAY,
    )  # fmt: skip
    RiskLimits.objects.create(account=account, daily_loss=100_000, daily_loss_warn_percent=80)
    lease = LeaseKeeper(LEASE)
    assert lease.acquire()
    return Watch(lease.epoch)


def seen_at(watch: Watch, price: int) -> dict[str, object]:
    """Mark at this price and act on it; the values that screens are told."""
    prices = Prices()
    rows = row(price, bids=[(price - 5, 500)], asks=[(price + 5, 500)])
    tell_redis(rows)
    prices.take(rows, FEED)
    watch.reload()
    marks = watch.mark(prices)
    values = watch.values(marks)
    watch.act(watch.totals(marks))
    return {name: body for name, (_, body) in values.items()}


def alerts() -> list[str]:
    return [fact.body["code"] for fact in AccountFact.objects.filter(kind="ALERT").order_by("offset")]


def test_screens_are_told_what_changed_and_nothing_twice(watch):
    [body] = seen_at(watch, 12_100).values()
    assert (body["unrealised"], body["realised"]) == (7_500, 0)
    assert body["positions"] == {"NSE_FNO.49081.INTRADAY": {"unrealised": 7_500, "price": 12_100, "source": "LAST"}}
    assert seen_at(watch, 12_100) == {}


def test_a_loss_near_the_limit_warns_once(watch):
    seen_at(watch, 10_933)  # 800.25 of 1,000 lost
    seen_at(watch, 10_930)
    assert alerts() == ["DAILY_LOSS_WARNING"]
    assert not KillSwitch.objects.exists()


def test_a_loss_at_the_limit_stops_the_account_and_closes_its_positions_once(watch):
    seen_at(watch, 10_600)
    seen_at(watch, 10_590)
    assert alerts() == ["DAILY_LOSS"]
    switch = KillSwitch.objects.get()
    assert (switch.engaged_by, switch.reason) == (None, "The daily loss limit was reached.")
    order = Order.objects.get()
    assert (order.side, order.order_type, order.quantity, order.source) == ("SELL", "MARKET", 75, "SQUARE_OFF")


def test_after_a_restart_a_released_switch_is_not_engaged_again_the_same_day(watch, admin_user):
    seen_at(watch, 10_600)
    kill_switch.release(switch=KillSwitch.objects.get(), actor=admin_user, reason="agreed")
    seen_at(Watch(watch._epoch), 10_600)
    assert KillSwitch.objects.filter(released_at=None).count() == 0
