"""The position monitor: results at the last prices to the paisa, sums by account, and an honest word for no price."""

from __future__ import annotations

import numpy as np
import pytest

from feeds import bus
from feeds.core.tick import TICK
from rms.models import Funds, Position
from terminal.accounts.roles import Role
from terminal.ops.positions import house_figures, position_reading
from terminal.ops.trading_status import trading_status
from tests.oms.books import make_order
from tests.rms import desk

pytestmark = pytest.mark.django_db


@pytest.fixture
def instruments():
    return desk.make_instruments()


@pytest.fixture
def alpha(people):
    return desk.make_account(10_000_000, owner=people[Role.TRADER], name="Alpha")


def hold(account, instrument, quantity: int, open_cost: int, **fields) -> Position:
    values = {"product": "INTRADAY", "trading_date": desk.DAY, **fields}
    return Position.objects.create(
        account=account, instrument=instrument, signed_quantity=quantity, open_cost=open_cost, **values
    )


def tell_price(redis, instrument, price: int) -> None:
    """As a feed's flush leaves it on the board."""
    row = np.zeros(1, TICK)
    row["code"], row["last_price"] = instrument.code, price
    redis.sadd(bus.BOARDS, 1)
    redis.hset(bus.board_key(1), instrument.code.to_bytes(8, "little"), row.tobytes())


def test_a_long_a_short_and_a_lot_of_crude_are_marked_to_the_paisa(redis, instruments, alpha):
    long = hold(alpha, instruments[desk.CALL], 75, 75 * 15_230)
    short = hold(alpha, instruments[desk.FUTURE], -65, -65 * 2_605_000, realised_pnl=-1_234)
    crude = hold(alpha, instruments[desk.CRUDE], 2, 2 * 600_000 * 100)
    for key, price in ((desk.CALL, 15_105), (desk.FUTURE, 2_604_000), (desk.CRUDE, 600_100)):
        tell_price(redis, instruments[key], price)
    reading = position_reading()
    results = {row["id"]: (row["average"], row["unrealised"]) for row in reading["positions"]}
    assert results == {long.pk: (15_230, -9_375), short.pk: (2_605_000, 65_000), crude.pk: (600_000, 20_000)}
    (account,) = reading["accounts"]
    assert (account["name"], account["open"], account["realised"], account["unrealised"]) == (
        "Alpha",
        3,
        -1_234,
        75_625,
    )


def test_without_a_price_there_is_no_result(redis, instruments, alpha):
    hold(alpha, instruments[desk.CALL], 75, 75 * 15_230)
    reading = position_reading()
    assert (reading["positions"][0]["last"], reading["positions"][0]["unrealised"]) == (None, None)
    assert (reading["accounts"][0]["unrealised"], reading["accounts"][0]["unpriced"]) == (None, 1)


def test_a_position_that_was_closed_today_stands_last_with_its_result(redis, instruments, alpha):
    hold(alpha, instruments[desk.CALL], 0, 0, realised_pnl=5_000, day_buy_quantity=75)
    hold(alpha, instruments[desk.PUT], 75, 75 * 14_000)
    shown = [(row["quantity"], row["realised"]) for row in position_reading()["positions"]]
    assert shown == [(75, 0), (0, 5_000)]


def test_the_house_is_exposed_by_either_side_and_net(redis, instruments, alpha, people):
    beta = desk.make_account(owner=people[Role.TRADER], name="Beta")
    hold(alpha, instruments[desk.CALL], 75, 75 * 15_230)
    hold(beta, instruments[desk.CALL], -50, -50 * 15_230)
    hold(beta, instruments[desk.PUT], 10, 100)
    tell_price(redis, instruments[desk.CALL], 15_000)
    house = house_figures()
    assert (house.gross, house.net, house.unpriced) == (125 * 15_000, 25 * 15_000, 1)


def test_the_day_of_the_house_is_what_was_realised_and_what_is_open_at_last_prices(redis, instruments, alpha):
    hold(alpha, instruments[desk.CALL], 75, 75 * 15_230)
    hold(alpha, instruments[desk.FUTURE], -65, -65 * 2_605_000, realised_pnl=-1_234)
    hold(alpha, instruments[desk.PUT], 0, 0, realised_pnl=5_000, day_buy_quantity=75)
    tell_price(redis, instruments[desk.CALL], 15_105)
    tell_price(redis, instruments[desk.FUTURE], 2_604_000)
    house = house_figures()
    assert (house.realised, house.unrealised) == (5_000 - 1_234, 65_000 - 9_375)


def test_the_dashboard_counts_what_waits_and_says_when_execution_is_silent(redis, instruments, alpha, people):
    make_order(alpha, people[Role.TRADER], instruments[desk.CALL])
    make_order(alpha, people[Role.TRADER], instruments[desk.CALL], client_reference="mine-2", status="FILLED")
    Funds.objects.filter(pk=alpha.pk).update(deficit=True)
    reading = trading_status()
    assert reading["execution"] == {"state": "DOWN"}
    assert (reading["open_orders"], reading["deficits"], reading["kill_switches"]) == (1, 1, 0)
    assert reading["unknown_outcomes"] == 0


def test_margin_of_all_accounts_is_summed(redis, alpha, people):
    beta = desk.make_account(owner=people[Role.TRADER], name="Beta")
    Funds.objects.filter(pk=alpha.pk).update(used_margin=10_000, held_margin=500, deficit=True)
    Funds.objects.filter(pk=beta.pk).update(used_margin=2_345, deficit=True)
    assert trading_status()["margin"] == {"used": 12_345, "held": 500}


def test_an_order_whose_end_a_broker_has_not_told_is_counted(redis, instruments, alpha, people):
    make_order(alpha, people[Role.TRADER], instruments[desk.CALL], status="UNKNOWN")
    reading = trading_status()
    assert (reading["open_orders"], reading["unknown_outcomes"]) == (1, 1)


def test_the_monitor_is_for_who_may_see_every_account(redis, browser, instruments, alpha):
    hold(alpha, instruments[desk.CALL], 75, 75 * 15_230)
    reading = browser(Role.OPERATOR).get("/admin/ops/positions/reading").json()
    assert reading["positions"][0]["key"] == "NSE_FNO.49081"
    assert browser(Role.TRADER).get("/admin/ops/positions/reading").status_code == 302
    assert browser(Role.RISK).get("/admin/ops/positions").context["page"]["may_square_off"] is True
    assert browser(Role.OPERATOR).get("/admin/ops/positions").context["page"]["may_square_off"] is False
