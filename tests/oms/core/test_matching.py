"""Every rule of docs/matching.md, one order and one row at a time. Prices are paise."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from feeds.core.calendar import Phase
from feeds.core.instrument import ExchangeSegment, InstrumentKey, InstrumentType
from feeds.core.tick import TickFlag
from oms.core.matching import (
    Accepted,
    Activated,
    Cancelled,
    Change,
    Engine,
    Expired,
    Filled,
    Modified,
    ModifyRefused,
    Protected,
    Reason,
    Rejected,
    Rules,
    Trailed,
    Triggered,
)
from oms.core.order import OrderType, Role, Validity
from tests.oms.core.market import BUY, OPTION, SELL, order, row, seconds, stop

FNO, CASH = ExchangeSegment.NSE_FNO, ExchangeSegment.NSE_EQ
SHARE = InstrumentKey(CASH, 1333).code
BID, ASK = ((99_95, 50),), ((100_05, 50),)


class Desk:
    """An engine with its clock: each step is a second later. The first row is 99.95 against 100.05, last 100.00."""

    def __init__(self, **first: Any) -> None:
        self.engine = Engine()
        self.second = 0
        self.volume = 1_000
        self.engine.on_phase(FNO, Phase.CONTINUOUS, seconds(0))
        self.engine.on_phase(CASH, Phase.CONTINUOUS, seconds(0))
        self.tick(**({"last": 100_00, "bids": BID, "asks": ASK} | first))

    def tick(self, last: int = 100_00, traded: int = 0, **fields: Any) -> list[Any]:
        self.second += 1
        self.volume += traded
        at = seconds(self.second)
        self.engine.on_ticks(row(at, last, volume=self.volume, **fields), at)
        return self.engine.take()

    def submit(self, *orders: Any, after: float = 0.5) -> list[Any]:
        for one in orders:
            self.engine.submit(one, seconds(self.second + after))
        return self.engine.take()

    def modify(self, number: int, **change: Any) -> list[Any]:
        self.engine.modify(number, Change(**change), seconds(self.second + 0.6))
        return self.engine.take()

    def cancel(self, number: int) -> list[Any]:
        self.engine.cancel(number, "ASKED", seconds(self.second + 0.6))
        return self.engine.take()

    def phase(self, phase: Phase, segment: ExchangeSegment = FNO, **fields: Any) -> list[Any]:
        self.engine.on_phase(segment, phase, seconds(self.second + 0.7), **fields)
        return self.engine.take()


def fills(events) -> list[tuple[int, int, int]]:
    """(order, quantity, price) of each trade."""
    return [(event.order_id, event.quantity, event.price) for event in events if isinstance(event, Filled)]


def of(kind, events) -> list[Any]:
    return [event for event in events if isinstance(event, kind)]


# --- the displayed depth ---


def test_a_buy_takes_the_levels_up_to_its_limit_and_rests_with_what_is_left():
    desk = Desk(asks=((100_05, 50), (100_10, 30), (100_15, 500)))
    events = desk.submit(order(1, BUY, 100, 100_10))
    assert events == [
        Accepted(1, seconds(1.5), 1),
        Filled(1, 50, 100_05, seconds(1.5), 1),
        Filled(1, 30, 100_10, seconds(1.5), 2),
    ]
    assert desk.engine.order(1).remaining == 20


def test_a_sale_takes_the_bids_down_to_its_limit():
    desk = Desk(bids=((99_95, 50), (99_90, 30)))
    assert fills(desk.submit(order(1, SELL, 60, 99_90))) == [(1, 50, 99_95), (1, 10, 99_90)]
    assert desk.engine.order(1) is None


def test_what_was_taken_of_a_level_stays_taken():
    desk = Desk()
    assert fills(desk.submit(order(1, BUY, 30, 100_05))) == [(1, 30, 100_05)]
    assert fills(desk.submit(order(2, BUY, 30, 100_05))) == [(2, 20, 100_05)]
    assert fills(desk.tick(bids=BID, asks=ASK)) == []
    assert fills(desk.tick(bids=((99_90, 10),), asks=((100_05, 50), (100_10, 5)))) == []


def test_a_level_whose_quantity_changes_is_there_anew():
    desk = Desk()
    desk.submit(order(1, BUY, 80, 100_05))
    assert fills(desk.tick(asks=((100_05, 51),))) == [(1, 30, 100_05)]


def test_a_level_that_went_and_came_back_is_there_anew():
    desk = Desk()
    desk.submit(order(1, BUY, 80, 100_05))
    assert fills(desk.tick(asks=((100_10, 50),))) == []
    assert fills(desk.tick(asks=ASK)) == [(1, 30, 100_05)]


def test_a_resting_buy_fills_when_the_ask_comes_down_to_it_at_the_displayed_price():
    desk = Desk()
    desk.submit(order(1, BUY, 75, 99_00))
    assert fills(desk.tick(last=99_00, asks=((98_90, 40), (99_00, 20), (99_05, 500)))) == [
        (1, 40, 98_90),
        (1, 20, 99_00),
    ]


def test_the_better_price_and_then_the_earlier_order_takes_the_displayed_quantity():
    desk = Desk()
    desk.submit(order(1, BUY, 40, 99_00), order(2, BUY, 40, 99_10), order(3, BUY, 40, 99_00))
    assert fills(desk.tick(asks=((99_00, 100),))) == [(2, 40, 99_00), (1, 40, 99_00), (3, 20, 99_00)]


def test_paper_orders_never_trade_with_each_other():
    desk = Desk(bids=(), asks=())
    assert fills(desk.submit(order(1, BUY, 50, 101_00), order(2, SELL, 50, 99_00))) == []
    assert fills(desk.tick(bids=(), asks=())) == []


# --- trades through a price ---


def test_a_trade_through_a_buy_fills_it_at_its_limit_up_to_the_traded_volume():
    desk = Desk()
    desk.submit(order(1, BUY, 100, 99_50))
    desk.tick(bids=BID, asks=ASK)
    assert fills(desk.tick(low=99_45, high=100_00, traded=60, bids=BID, asks=ASK)) == [(1, 60, 99_50)]


def test_a_mere_touch_fills_nothing():
    desk = Desk()
    desk.submit(order(1, BUY, 100, 99_50), order(2, SELL, 100, 100_50))
    desk.tick(bids=BID, asks=ASK)
    assert fills(desk.tick(low=99_50, high=100_50, traded=60, bids=BID, asks=ASK)) == []


def test_a_trade_through_a_sale_fills_it_at_its_limit():
    desk = Desk()
    desk.submit(order(1, SELL, 100, 100_50))
    desk.tick(bids=BID, asks=ASK)
    assert fills(desk.tick(low=100_00, high=100_55, traded=500, bids=BID, asks=ASK)) == [(1, 100, 100_50)]


def test_the_traded_volume_is_shared_in_price_time_priority():
    desk = Desk()
    desk.submit(order(1, BUY, 40, 99_50), order(2, BUY, 40, 99_60), order(3, BUY, 40, 99_50))
    desk.tick(bids=BID, asks=ASK)
    assert fills(desk.tick(low=99_00, high=99_90, traded=90, bids=BID, asks=ASK)) == [
        (2, 40, 99_60),
        (1, 40, 99_50),
        (3, 10, 99_50),
    ]


def test_volume_that_traded_away_what_we_had_taken_is_not_given_to_us_again():
    desk = Desk()
    desk.submit(order(1, BUY, 50, 100_05), order(2, BUY, 100, 99_95))
    desk.tick(bids=BID, asks=ASK)
    assert fills(desk.tick(low=99_90, high=100_05, traded=70, bids=BID, asks=((100_10, 50),))) == [(2, 20, 99_95)]


def test_over_a_gap_nobody_knows_when_the_volume_was_traded():
    desk = Desk()
    desk.submit(order(1, BUY, 100, 99_50))
    desk.tick(bids=BID, asks=ASK)
    assert fills(desk.tick(low=99_00, high=99_00, traded=500, flags=TickFlag.GAP, bids=BID, asks=ASK)) == []


def test_an_order_accepted_inside_a_batch_sees_its_close_and_not_its_low_and_high():
    desk = Desk()
    desk.submit(order(1, BUY, 100, 99_50), stop(2, SELL, 10, 99_00))
    assert desk.tick(low=98_00, high=100_00, traded=500, bids=BID, asks=ASK) == []
    events = desk.tick(low=98_00, high=100_00, traded=500, bids=BID, asks=ASK)
    assert fills(events) == [(2, 10, 99_95), (1, 100, 99_50)]
    assert of(Triggered, events)[0].order_id == 2


def test_a_batch_that_was_flushed_before_the_order_came_is_inside_its_window_too():
    desk = Desk()
    desk.submit(order(1, BUY, 100, 99_50), after=1.5)
    assert fills(desk.tick(low=98_00, high=100_00, traded=500, bids=BID, asks=ASK)) == []
    assert fills(desk.tick(low=98_00, high=100_00, traded=500, bids=BID, asks=ASK)) == []
    assert fills(desk.tick(low=98_00, high=100_00, traded=500, bids=BID, asks=ASK)) == [(1, 100, 99_50)]


def test_each_feed_has_windows_of_its_own():
    desk = Desk()
    desk.submit(order(1, BUY, 100, 99_50))
    desk.engine.on_ticks(row(seconds(1.6), 50_00, code=OPTION + 1), seconds(1.6), source=2)
    assert fills(desk.tick(low=98_00, high=100_00, traded=500, bids=BID, asks=ASK)) == []


def test_a_snapshot_tells_what_stands_and_not_what_was_traded():
    desk = Desk()
    desk.submit(order(1, BUY, 100, 99_50), order(2, BUY, 10, 99_00))
    desk.tick(bids=BID, asks=ASK)
    rows = row(seconds(3), 100_00, low=98_00, high=100_00, volume=9_000, bids=BID, asks=((99_50, 30),))
    desk.engine.on_snapshot(rows, seconds(3))
    assert fills(desk.engine.take()) == [(1, 30, 99_50)]


def test_the_displayed_depth_comes_before_the_traded_volume_which_it_uses_up():
    desk = Desk()
    desk.submit(order(1, BUY, 100, 99_50))
    desk.tick(bids=BID, asks=ASK)
    events = desk.tick(last=99_40, low=99_40, high=100_00, traded=60, asks=((99_45, 40),))
    assert fills(events) == [(1, 40, 99_45), (1, 20, 99_50)]


# --- what may not be believed ---


@pytest.mark.parametrize("flag", [TickFlag.STALE, TickFlag.QUARANTINED, TickFlag.SEEDED])
def test_doubtful_rows_fill_nothing_and_trigger_nothing(flag):
    desk = Desk()
    desk.submit(order(1, BUY, 100, 99_50), stop(2, SELL, 10, 99_00))
    desk.tick(bids=BID, asks=ASK)
    assert desk.tick(last=90_00, low=90_00, high=90_00, traded=500, flags=flag, asks=((90_00, 500),)) == []
    assert fills(desk.submit(order(3, BUY, 10, 99_00))) == []
    assert of(Rejected, desk.submit(order(4, BUY, 10)))[0].code == Reason.NO_PRICE


def test_a_row_older_than_the_limit_fills_nothing():
    desk = Desk()
    assert fills(desk.submit(order(1, BUY, 10, 100_05), after=4.9)) == [(1, 10, 100_05)]
    assert fills(desk.submit(order(2, BUY, 10, 100_05), after=5.1)) == []
    rows = row(seconds(2), 90_00, asks=((90_00, 500),))
    desk.engine.on_ticks(rows, seconds(7.5))
    assert desk.engine.take() == []


def test_the_age_of_a_row_is_told_by_the_wall_clock():
    engine = Engine(Rules(stale_seconds=5, wall_offset_seconds=3_600))
    engine.on_phase(FNO, Phase.CONTINUOUS, seconds(0))
    engine.on_ticks(row(seconds(-3_600), 100_00, asks=ASK), seconds(0))
    engine.submit(order(1, BUY, 10, 100_05), seconds(1))
    assert fills(engine.take()) == [(1, 10, 100_05)]


def test_the_first_last_price_after_doubtful_rows_triggers_what_they_passed():
    desk = Desk()
    desk.submit(stop(1, SELL, 10, 99_00))
    desk.tick(last=98_00, low=98_00, high=98_00, flags=TickFlag.STALE)
    assert of(Triggered, desk.tick(last=98_50, bids=((98_45, 10),)))[0].price == 98_50


# --- market orders, IOC ---


def test_a_market_order_fills_within_its_protection_and_rests_there():
    desk = Desk(asks=((100_05, 50), (110_00, 30), (110_05, 500)))
    events = desk.submit(order(1, BUY, 100))
    assert of(Protected, events) == [Protected(1, 110_00, seconds(1.5))]
    assert fills(events) == [(1, 50, 100_05), (1, 30, 110_00)]
    held = desk.engine.order(1)
    assert (held.remaining, held.protection_price) == (20, 110_00)


def test_a_market_order_of_a_share_has_its_own_protection():
    desk = Desk()
    desk.engine.on_ticks(row(seconds(1), 100_00, code=SHARE, asks=ASK), seconds(1))
    share = order(1, BUY, 10, code=SHARE, segment=CASH, instrument_type=InstrumentType.EQUITY)
    assert of(Protected, desk.submit(share))[0].limit_price == 102_00


def test_a_market_order_without_any_price_is_refused():
    desk = Desk()
    assert of(Rejected, desk.submit(order(1, BUY, 10, code=OPTION + 1)))[0].code == Reason.NO_PRICE
    assert desk.engine.orders() == []


def test_an_ioc_takes_what_is_there_and_the_rest_is_cancelled_at_once():
    desk = Desk()
    events = desk.submit(order(1, BUY, 80, 100_05, validity=Validity.IOC))
    assert events[1:] == [Filled(1, 50, 100_05, seconds(1.5), 1), Cancelled(1, Reason.IOC_REMAINDER, seconds(1.5))]
    events = desk.submit(order(2, BUY, 80, 99_00, validity=Validity.IOC))
    assert events[1:] == [Cancelled(2, Reason.IOC_REMAINDER, seconds(1.5))]


# --- stops ---


def test_a_stop_is_triggered_by_the_high_of_a_batch_once():
    desk = Desk()
    desk.submit(stop(1, BUY, 10, 101_00, 101_50))
    desk.tick(bids=BID, asks=ASK)
    events = desk.tick(low=100_00, high=101_05, traded=10, bids=BID, asks=((101_55, 10),))
    assert events == [Triggered(1, 101_05, 101_50, seconds(3), 2)]
    assert desk.tick(low=101_10, high=101_20, bids=BID, asks=((101_55, 10),)) == []
    assert fills(desk.tick(asks=((101_40, 10),))) == [(1, 10, 101_40)]


def test_a_stop_is_not_triggered_a_tick_away():
    desk = Desk()
    desk.submit(stop(1, BUY, 10, 101_00, 101_50), stop(2, SELL, 10, 99_00, 98_00))
    desk.tick(bids=BID, asks=ASK)
    assert desk.tick(low=99_05, high=100_95, traded=10, bids=BID, asks=ASK) == []


def test_a_stop_market_gets_a_protected_limit_when_it_is_triggered():
    desk = Desk()
    desk.submit(stop(1, SELL, 60, 99_00))
    desk.tick(bids=BID, asks=ASK)
    events = desk.tick(last=98_00, low=98_00, high=99_90, bids=((97_00, 40), (88_20, 10), (88_15, 100)))
    assert of(Triggered, events) == [Triggered(1, 98_00, 88_20, seconds(3), 2)]
    assert fills(events) == [(1, 40, 97_00), (1, 10, 88_20)]
    assert desk.engine.order(1).remaining == 10


def test_a_stop_that_the_price_has_passed_already_is_triggered_when_it_comes():
    desk = Desk()
    assert of(Triggered, desk.submit(stop(1, BUY, 10, 99_00, 99_50)))[0].price == 100_00


def test_immediate_stops_that_one_price_fires_end_in_the_order_in_which_they_fired():
    desk = Desk()
    desk.submit(
        stop(1, SELL, 10, 98_00, 97_00, validity=Validity.IOC), stop(2, SELL, 10, 99_00, 97_00, validity=Validity.IOC)
    )
    desk.tick(bids=BID, asks=ASK)
    events = desk.tick(last=97_50, low=97_50, high=99_90, bids=((96_00, 40),))
    assert [event.order_id for event in of(Triggered, events)] == [2, 1]
    assert [event.order_id for event in of(Cancelled, events)] == [2, 1]


def test_a_triggered_stop_is_not_filled_by_the_trades_that_triggered_it():
    desk = Desk()
    desk.submit(stop(1, BUY, 10, 101_00, 105_00))
    desk.tick(bids=BID, asks=ASK)
    events = desk.tick(low=100_00, high=103_00, traded=500, bids=BID, asks=((106_00, 10),))
    assert of(Triggered, events)
    assert fills(events) == []


def test_the_nearest_stop_is_triggered_first():
    desk = Desk()
    desk.submit(stop(1, SELL, 10, 98_00), stop(2, SELL, 10, 99_00))
    desk.tick(bids=BID, asks=ASK)
    events = desk.tick(last=97_00, low=97_00, high=99_00, bids=((97_00, 15),))
    assert [event.order_id for event in of(Triggered, events)] == [2, 1]
    assert fills(events) == [(2, 10, 97_00), (1, 5, 97_00)]


def test_a_stop_whose_limit_is_on_the_wrong_side_is_refused():
    desk = Desk()
    assert of(Rejected, desk.submit(stop(1, BUY, 10, 101_00, 100_95)))[0].code == Reason.STOP_SIGN
    assert of(Rejected, desk.submit(stop(2, SELL, 10, 99_00, 99_05)))[0].code == Reason.STOP_SIGN


# --- self-trade ---


def test_an_order_that_would_meet_its_own_account_is_refused():
    desk = Desk()
    desk.submit(order(1, SELL, 10, 101_00, account=7))
    assert of(Rejected, desk.submit(order(2, BUY, 10, 101_00, account=7)))[0].code == Reason.SELF_TRADE
    assert of(Rejected, desk.submit(order(3, BUY, 10, account=7)))[0].code == Reason.SELF_TRADE
    assert of(Accepted, desk.submit(order(4, BUY, 10, 100_95, account=7)))
    assert of(Accepted, desk.submit(order(5, BUY, 10, 101_00, account=8)))


def test_a_change_that_would_meet_its_own_account_is_refused():
    desk = Desk()
    desk.submit(order(1, SELL, 10, 101_00, account=7), order(2, BUY, 10, 99_00, account=7))
    assert of(ModifyRefused, desk.modify(2, limit_price=101_00))[0].code == Reason.SELF_TRADE
    assert desk.engine.order(2).limit_price == 99_00


def test_to_a_stop_that_is_triggered_its_own_resting_order_gives_way():
    desk = Desk()
    desk.submit(order(1, BUY, 10, 98_00, account=7), stop(2, SELL, 10, 99_00, account=7))
    desk.tick(bids=BID, asks=ASK)
    events = desk.tick(last=99_00, low=99_00, high=99_00, bids=((98_90, 10),), asks=((99_10, 10),))
    assert [type(event) for event in events] == [Triggered, Cancelled, Filled]
    assert events[1] == Cancelled(1, Reason.SELF_TRADE, seconds(3))


# --- changing and cancelling ---


def test_less_quantity_keeps_an_orders_place():
    desk = Desk()
    desk.submit(order(1, BUY, 40, 99_00), order(2, BUY, 40, 99_00))
    assert of(Modified, desk.modify(1, quantity=30))[0].priority == 1
    assert fills(desk.tick(asks=((99_00, 50),))) == [(1, 30, 99_00), (2, 20, 99_00)]


@pytest.mark.parametrize("change", [{"quantity": 41}, {"limit_price": 99_05}])
def test_more_quantity_or_another_price_loses_it(change):
    desk = Desk()
    desk.submit(order(1, BUY, 40, 99_00), order(2, BUY, 40, 99_05))
    assert of(Modified, desk.modify(1, limit_price=99_05))[0].priority == 3
    desk.submit(order(3, BUY, 40, 99_05))
    desk.modify(1, **change)
    first = fills(desk.tick(asks=((99_05, 50),)))[0]
    assert first == (2, 40, 99_05)


def test_a_changed_price_matches_at_once():
    desk = Desk()
    desk.submit(order(1, BUY, 40, 99_00))
    assert fills(desk.modify(1, limit_price=100_05)) == [(1, 40, 100_05)]


def test_the_quantity_of_a_change_is_the_total():
    desk = Desk()
    desk.submit(order(1, BUY, 80, 100_05))
    assert of(ModifyRefused, desk.modify(1, quantity=49))[0].code == Reason.BELOW_FILLED
    assert of(ModifyRefused, desk.modify(1, quantity=50))[0].code == Reason.BELOW_FILLED
    desk.modify(1, quantity=60)
    assert desk.engine.order(1).remaining == 10


def test_the_trigger_of_a_triggered_stop_stays():
    desk = Desk()
    desk.submit(stop(1, BUY, 10, 100_00, 100_00))
    assert of(ModifyRefused, desk.modify(1, trigger_price=99_00))[0].code == Reason.TRIGGERED
    assert of(Modified, desk.modify(1, limit_price=100_02))


def test_a_limit_order_becomes_a_market_order():
    desk = Desk()
    desk.submit(order(1, BUY, 10, 99_00))
    events = desk.modify(1, order_type=OrderType.MARKET)
    assert [type(event) for event in events] == [Modified, Protected, Filled]


def test_a_limit_given_to_a_resting_market_order_makes_it_a_limit_order():
    desk = Desk()
    desk.submit(order(1, BUY, 80))
    assert of(Modified, desk.modify(1, limit_price=99_00))[0].order_type is OrderType.LIMIT
    assert fills(desk.tick(asks=((99_05, 500),))) == []


def test_a_type_without_its_price_is_refused():
    desk = Desk()
    desk.submit(order(1, BUY, 10, 99_00))
    assert of(ModifyRefused, desk.modify(1, order_type=OrderType.STOP_LOSS))[0].code == Reason.PRICE_MISSING


def test_a_cancelled_order_never_fills_and_an_unknown_one_is_told():
    desk = Desk()
    desk.submit(order(1, BUY, 10, 99_00))
    assert desk.cancel(1) == [Cancelled(1, "ASKED", seconds(1.6))]
    assert fills(desk.tick(asks=((98_00, 500),))) == []
    assert desk.engine.cancel(1, "ASKED", seconds(3)) is False
    assert desk.engine.modify(1, Change(quantity=5), seconds(3)) is False


def test_the_same_order_cannot_come_twice():
    desk = Desk()
    desk.submit(order(1, BUY, 10, 99_00))
    with pytest.raises(ValueError, match="held already"):
        desk.submit(order(1, BUY, 10, 99_00))


# --- the day ---


def test_an_order_rests_without_fills_while_prices_are_found_by_auction():
    desk = Desk()
    desk.phase(Phase.PRE_OPEN)
    assert desk.submit(order(1, BUY, 10, 100_05), order(2, BUY, 10)) == [
        Accepted(1, seconds(1.5), 1),
        Accepted(2, seconds(1.5), 2),
    ]
    assert desk.tick(low=98_00, high=100_00, traded=500, asks=((90_00, 500),)) == []


def test_at_the_open_the_first_row_fills_what_waited_and_its_auction_trades_do_not():
    desk = Desk()
    desk.phase(Phase.PRE_OPEN)
    desk.submit(order(1, BUY, 10, 99_00), order(2, BUY, 10))
    desk.tick(bids=BID, asks=ASK)
    desk.phase(Phase.CONTINUOUS)
    events = desk.tick(low=98_00, high=100_00, traded=500, bids=BID, asks=ASK)
    assert of(Protected, events) == [Protected(2, 110_00, seconds(3))]
    assert fills(events) == [(2, 10, 100_05)]


@pytest.mark.parametrize(
    ("phase", "refused"),
    [
        (Phase.PRE_OPEN, {2, 3, 4}),
        (Phase.PRE_OPEN_LIMIT_ONLY, {1, 2, 3, 4}),
        (Phase.CLOSING_AUCTION, {2, 3, 4}),
        (Phase.CANCEL_ONLY, {0, 1, 2, 3, 4}),
        (Phase.BUFFER, {0, 1, 2, 3, 4}),
        (Phase.CLOSED, {0, 1, 2, 3, 4}),
    ],
)
def test_each_phase_takes_its_own_kinds_of_order(phase, refused):
    desk = Desk()
    desk.phase(phase)
    orders = (
        order(0, BUY, 10, 99_00),
        order(1, BUY, 10),
        stop(2, BUY, 10, 101_00),
        order(3, BUY, 10, 99_00, validity=Validity.IOC),
        order(4, BUY, 10, 99_00, disclosed_quantity=5),
    )
    rejected = of(Rejected, desk.submit(*orders))
    assert {event.order_id for event in rejected} == refused
    assert {event.code for event in rejected} <= {Reason.PHASE}


def test_an_order_can_be_cancelled_in_any_phase():
    desk = Desk()
    desk.submit(order(1, BUY, 10, 99_00))
    desk.phase(Phase.CLOSING_MATCHING)
    assert of(Cancelled, desk.cancel(1))


def test_at_its_segments_close_a_day_order_expires():
    desk = Desk()
    desk.submit(order(1, BUY, 10, 99_00), order(2, BUY, 10, 99_00, code=SHARE, segment=CASH), stop(3, BUY, 10, 105_00))
    assert desk.phase(Phase.CLOSED) == [
        Expired(1, Reason.DAY_ENDED, seconds(1.7)),
        Expired(3, Reason.DAY_ENDED, seconds(1.7)),
    ]
    assert [held.id for held in desk.engine.orders()] == [2]


def test_a_forever_order_outlives_the_day_until_it_is_triggered():
    desk = Desk()
    desk.submit(
        stop(1, BUY, 80, 101_00, 102_00, forever=True),
        order(2, BUY, 10, 95_00, forever=True),
        stop(3, BUY, 80, 99_00, 99_50, forever=True),
    )
    assert [event.order_id for event in desk.phase(Phase.CLOSED)] == [3]
    desk.phase(Phase.CONTINUOUS)
    desk.tick(bids=BID, asks=ASK)
    assert of(Triggered, desk.tick(last=101_00, low=101_00, high=101_00, asks=((102_50, 5),)))[0].order_id == 1
    assert [event.order_id for event in desk.phase(Phase.CLOSED)] == [1]


def test_stops_and_disclosed_quantities_do_not_go_into_a_closing_auction():
    desk = Desk()
    desk.submit(stop(1, BUY, 10, 101_00), order(2, BUY, 10, 99_00), order(3, BUY, 10, 99_00, disclosed_quantity=5))
    assert desk.phase(Phase.CLOSING_REFERENCE) == [
        Cancelled(1, Reason.CLOSING_AUCTION, seconds(1.7)),
        Cancelled(3, Reason.CLOSING_AUCTION, seconds(1.7)),
    ]
    assert desk.phase(Phase.CLOSING_AUCTION) == []
    assert desk.phase(Phase.CLOSED) == [Expired(2, Reason.DAY_ENDED, seconds(1.7))]


def test_slices_of_one_quantity_have_nothing_to_do_with_each_other():
    desk = Desk()
    slices = [order(number, BUY, 10, 99_00, group=5, role=Role.SLICE) for number in (1, 2)]
    desk.submit(*slices)
    desk.phase(Phase.CLOSED, CASH)
    assert fills(desk.tick(asks=((99_00, 15),))) == [(1, 10, 99_00), (2, 5, 99_00)]
    assert of(Cancelled, desk.cancel(2))


def test_shares_without_derivatives_keep_their_own_hours():
    desk = Desk()
    desk.phase(Phase.CONTINUOUS, CASH, has_derivatives=False)
    other = SHARE + 1
    desk.submit(
        order(1, BUY, 10, 99_00, code=SHARE, segment=CASH),
        order(2, BUY, 10, 99_00, code=other, segment=CASH, has_derivatives=False),
    )
    assert [event.order_id for event in desk.phase(Phase.POST_CLOSE, CASH)] == [1]
    desk.engine.on_ticks(row(seconds(2), 99_00, code=other, asks=((99_00, 10),)), seconds(2))
    assert fills(desk.engine.take()) == [(2, 10, 99_00)]


# --- brackets and pairs ---


def bracket(desk: Desk, entry_limit: int = 99_00, quantity: int = 100, **stop_fields: Any) -> list[Any]:
    exits = {"account": 7, "group": 5, "waits": True}
    return desk.submit(
        order(1, BUY, quantity, entry_limit, account=7, group=5, role=Role.ENTRY),
        order(2, SELL, quantity, 105_00, role=Role.TARGET, **exits),
        stop(3, SELL, quantity, 95_00, role=Role.STOP, **exits, **stop_fields),
    )


def test_a_brackets_exits_wait_for_their_entry():
    desk = Desk()
    assert [type(event) for event in bracket(desk)] == [Accepted] * 3
    desk.tick(bids=BID, asks=ASK)
    assert desk.tick(last=106_00, low=94_00, high=106_00, bids=((106_00, 500),), asks=((106_05, 5),), traded=0) == []


def test_exits_become_active_for_what_the_entry_filled_and_grow_with_it():
    desk = Desk()
    bracket(desk)
    events = desk.tick(last=99_00, asks=((99_00, 30),))
    assert events == [
        Filled(1, 30, 99_00, seconds(2), 1),
        Activated(2, 30, None, seconds(2), 4),
        Activated(3, 30, None, seconds(2), 5),
    ]
    events = desk.tick(last=99_00, asks=((99_00, 20),))
    assert [(event.order_id, event.quantity, event.by_group) for event in of(Modified, events)] == [
        (2, 50, True),
        (3, 50, True),
    ]


def test_one_exits_fill_makes_the_other_smaller_and_its_end_cancels_the_other():
    desk = Desk()
    bracket(desk)
    desk.tick(last=99_00, asks=((99_00, 100),))
    events = desk.tick(last=105_00, bids=((105_00, 40),))
    assert fills(events) == [(2, 40, 105_00)]
    assert [(event.order_id, event.quantity) for event in of(Modified, events)] == [(3, 60)]
    events = desk.tick(last=94_00, low=94_00, high=94_00, bids=((93_00, 500),))
    assert fills(events) == [(3, 60, 93_00)]
    assert of(Cancelled, events) == [Cancelled(2, Reason.OTHER_EXIT, seconds(4))]
    assert desk.engine.orders() == []


def test_both_exits_never_fill_beyond_the_quantity_in_one_batch():
    desk = Desk()
    bracket(desk)
    desk.tick(last=99_00, asks=((99_00, 100),))
    desk.tick(last=99_00, bids=((98_00, 1),))
    events = desk.tick(last=100_00, low=90_00, high=110_00, traded=5_000, bids=((106_00, 5_000),))
    assert sum(quantity for _, quantity, _ in fills(events)) == 100
    assert desk.engine.orders() == []


def test_when_an_exit_is_done_an_entry_that_is_still_open_ends():
    desk = Desk()
    bracket(desk)
    desk.tick(last=99_00, asks=((99_00, 30),))
    events = desk.tick(last=105_00, bids=((105_00, 40),))
    assert fills(events) == [(2, 30, 105_00)]
    assert of(Cancelled, events) == [
        Cancelled(3, Reason.OTHER_EXIT, seconds(3)),
        Cancelled(1, Reason.BRACKET_EXITED, seconds(3)),
    ]


def test_cancelling_an_entry_with_fills_leaves_its_exits():
    desk = Desk()
    bracket(desk)
    desk.tick(last=99_00, asks=((99_00, 30),))
    assert desk.cancel(1) == [Cancelled(1, "ASKED", seconds(2.6))]
    assert [(held.id, held.remaining) for held in desk.engine.orders()] == [(2, 30), (3, 30)]


def test_cancelling_an_entry_without_fills_takes_its_exits_along():
    desk = Desk()
    bracket(desk)
    assert [event.reason_code for event in desk.cancel(1)] == ["ASKED", Reason.ENTRY_ENDED, Reason.ENTRY_ENDED]
    assert desk.engine.orders() == []


def test_exits_that_come_after_their_entry_has_filled_are_active_at_once():
    desk = Desk()
    events = bracket(desk, entry_limit=100_05, quantity=50)
    assert [type(event) for event in events] == [Accepted, Filled, Accepted, Activated, Accepted, Activated]


def test_exits_of_a_refused_entry_end():
    desk = Desk()
    desk.submit(order(9, SELL, 10, 100_50, account=7))
    events = bracket(desk, entry_limit=100_50)
    assert of(Rejected, events)[0].order_id == 1
    assert [event.order_id for event in of(Cancelled, events)] == [2, 3]


def test_an_exits_quantity_follows_its_group_alone():
    desk = Desk()
    bracket(desk)
    assert of(ModifyRefused, desk.modify(2, quantity=10))[0].code == Reason.EXIT_QUANTITY
    assert of(Modified, desk.modify(2, limit_price=104_00))[0].limit_price == 104_00


def test_a_brackets_stop_trails_by_the_best_price_since_its_entry_filled():
    desk = Desk()
    bracket(desk, trailing_jump=1_00)
    assert of(Activated, desk.tick(last=99_00, asks=((99_00, 100),)))[1].trailing_anchor == 99_00
    desk.tick(last=99_00)
    events = desk.tick(last=100_00, low=99_50, high=101_20)
    assert of(Trailed, events) == [Trailed(3, 97_00, None, 101_00, seconds(4))]
    assert desk.tick(last=98_00, low=97_05, high=101_95) == []
    events = desk.tick(last=97_00, low=97_00, high=98_00, bids=((96_90, 500),))
    assert fills(events) == [(3, 100, 96_90)]
    assert of(Cancelled, events)[0].order_id == 2


def test_a_trailing_stop_with_a_limit_moves_both():
    desk = Desk()
    events = desk.submit(stop(1, SELL, 10, 95_00, 94_00, trailing_jump=50))
    assert of(Trailed, events) == [Trailed(1, 95_00, 94_00, 100_00, seconds(1.5))]
    desk.tick(last=100_00)
    assert of(Trailed, desk.tick(last=101_10, low=100_00, high=101_10)) == [
        Trailed(1, 96_00, 95_00, 101_00, seconds(3))
    ]


def test_the_second_exit_of_a_pair_comes_for_what_the_first_has_left():
    desk = Desk(bids=((99_95, 30),))
    events = desk.submit(
        order(1, SELL, 40, 99_95, account=7, group=5, role=Role.TARGET),
        stop(2, SELL, 40, 95_00, account=7, group=5, role=Role.STOP),
    )
    assert fills(events) == [(1, 30, 99_95)]
    assert [(event.order_id, event.quantity) for event in of(Modified, events)] == [(2, 10)]


def test_an_oco_pair_is_active_at_once_and_only_one_of_it_fills():
    desk = Desk()
    desk.submit(
        order(1, SELL, 40, 105_00, account=7, group=5, role=Role.TARGET),
        stop(2, SELL, 40, 95_00, account=7, group=5, role=Role.STOP),
    )
    events = desk.tick(last=105_00, bids=((105_00, 40),))
    assert fills(events) == [(1, 40, 105_00)]
    assert of(Cancelled, events) == [Cancelled(2, Reason.OTHER_EXIT, seconds(2))]


# --- again ---


def test_orders_of_many_instruments_in_one_batch_are_matched_each_with_its_own_row():
    desk = Desk()
    codes = [OPTION + number for number in range(1, 401)]
    desk.submit(*(order(number, BUY, 10, 99_00, code=code) for number, code in enumerate(codes, 1)))
    rows = np.concatenate([row(seconds(2), 100_00, code=code, asks=((99_00 + 5 * (code % 2), 50),)) for code in codes])
    desk.engine.on_ticks(rows, seconds(2))
    filled = {event.order_id for event in of(Filled, desk.engine.take())}
    assert filled == {number for number, code in enumerate(codes, 1) if code % 2 == 0}


def test_a_rebuilt_engine_goes_on_as_the_one_before():
    desk = Desk()
    bracket(desk, trailing_jump=1_00)
    desk.submit(stop(4, BUY, 80, 100_00, 100_05), order(6, BUY, 40, 99_10), order(7, BUY, 40, 99_10), order(8, BUY, 60))
    desk.tick(last=99_00, asks=((99_00, 90),))
    desk.modify(6, limit_price=99_05)
    rebuilt = Engine()
    rebuilt.restore(desk.engine.orders(), seconds(2.8))
    rebuilt.on_phase(FNO, Phase.CONTINUOUS, seconds(2.8))
    assert rebuilt.orders() == desk.engine.orders()
    assert rebuilt.take() == []
    told = []
    for engine in (desk.engine, rebuilt):
        for second, last in ((3, 99_00), (4, 102_50), (5, 98_20), (6, 94_00)):
            rows = row(seconds(second), last, low=last, high=last, volume=second * 50,
                       bids=((last - 5, 30),), asks=((last + 5, 30),))  # fmt: skip
            (engine.on_snapshot if second == 3 else engine.on_ticks)(rows, seconds(second))
        told.append(engine.take())
    assert told[0] == told[1]
    assert len(fills(told[0])) == 6
