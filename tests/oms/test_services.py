"""Placing, cancelling, squaring off and converting, on the database and the last rows of the market."""

from __future__ import annotations

from datetime import datetime

import pytest

from feeds import clock
from feeds.core.instrument import ExchangeSegment, InstrumentKey
from feeds.models import AuditEntry, DhanAccount, Instrument, Interest
from oms import services
from oms.core.order import OrderType, Side, Source, Validity
from oms.errors import ChangeRefused, NotChangeable, OrderError, OrderRefused
from oms.models import Order, OrderEvent
from rms import facts, kill_switch
from rms.core.product import Product
from rms.models import AccountFact, Funds, Hold, Position, RiskLimits, TradingAccount
from tests.oms.floor import CALL, CRUDE, FUTURE, PUT, SHARE, Floor
from tests.rms import desk

MARKET = {"order_type": OrderType.MARKET, "limit_price": None}


def events(order: Order) -> list[tuple[int, str, str]]:
    return list(OrderEvent.objects.filter(order=order).values_list("sequence", "kind", "status"))


def told(floor: Floor, kind: str) -> list[dict]:
    return [body for _, each, body in facts.facts_after(floor.account.pk, 0, 100) if each == kind]


# --- placing ------------------------------------------------------------------------------------------


def test_an_order_is_on_its_way_with_its_margin_held_its_event_and_its_facts(floor):
    order = floor.place(CALL, quantity=65, limit_price=15_000)
    assert (order.status, order.sequence, order.user) == ("TRANSIT", 1, floor.trader)
    assert order.placed_at.astimezone(clock.IST).date() == order.trading_date == floor.at("2026-02-03 10:00").date()
    assert events(order) == [(1, "PLACED", "TRANSIT")]
    assert Hold.objects.get(reference=f"order.{order.pk}").amount == 65 * 15_000
    assert floor.funds.held_margin == 975_000
    [body] = told(floor, "ORDER")
    assert (body["id"], body["status"], body["instrument"]) == (order.pk, "TRANSIT", "NSE_FNO.49081")
    assert told(floor, "FUNDS")[-1]["available"] == 100_000_000 - 975_000


def test_a_refused_order_is_stored_with_its_reason_and_told(floor):
    refused = floor.refusal(quantity=64)
    assert (refused.code, refused.details["lot_size"]) == ("LOT_SIZE", 65)
    order = Order.objects.get(pk=refused.order_id)
    assert events(order) == [(1, "REJECTED", "REJECTED")]
    [fact] = told(floor, "REFUSAL")
    assert (fact["order"], fact["code"], fact["message"]) == (order.pk, "LOT_SIZE", refused.message)
    assert floor.funds.held_margin == 0


def test_absurd_figures_are_refused_and_stored_as_far_as_they_fit(floor):
    assert floor.refusal(quantity=-1).code == "INVALID_QUANTITY"
    assert floor.refusal(quantity=10**30).code == "INVALID_QUANTITY"
    assert floor.refusal(limit_price=10**30).code == "INVALID_PRICE"


def test_an_unknown_instrument_leaves_nothing_behind(floor):
    with pytest.raises(OrderRefused) as refused:
        floor.place(InstrumentKey(ExchangeSegment.NSE_FNO, 1))
    assert (refused.value.code, refused.value.order_id) == ("UNKNOWN_INSTRUMENT", None)
    assert not Order.objects.exists()


def test_a_reference_is_made_of_plain_characters(floor):
    with pytest.raises(OrderError):
        floor.place(client_reference="#1")
    with pytest.raises(OrderError):
        floor.place(client_reference="x" * 41)


def test_margin_that_is_not_there_is_refused_in_rupees(floor):
    for _ in range(3):
        floor.place(quantity=65 * 27, limit_price=15_000)
    floor.place(quantity=65 * 20, limit_price=15_000)
    refused = floor.refusal(quantity=65 * 10, limit_price=15_000)
    assert refused.code == "INSUFFICIENT_MARGIN"
    assert refused.details["shortfall"] == 65 * 10 * 15_000 - floor.funds.available


def test_a_market_order_needs_a_price_of_this_moment(floor):
    assert floor.place(**MARKET).limit_price is None
    floor.tick(CALL, 15_000, age_seconds=6)
    assert floor.refusal(**MARKET).code == "NO_LAST_PRICE"
    assert floor.place(limit_price=15_000).status == "TRANSIT"


def test_a_market_order_holds_what_its_protection_may_cost(floor):
    order = floor.place(**MARKET)
    assert Hold.objects.get(reference=f"order.{order.pk}").amount == 65 * 16_500


def test_limits_kill_switches_and_disabled_accounts_are_looked_at_each_time(floor):
    RiskLimits.objects.create(account=floor.account, order_value=900_000, order_to_trade_ratio=2)
    assert floor.refusal().code == "ORDER_VALUE"
    floor.place(limit_price=10_000)
    floor.place(limit_price=10_000)
    assert floor.refusal(limit_price=10_000).code == "ORDER_TO_TRADE"
    RiskLimits.objects.all().delete()
    TradingAccount.objects.update(enabled=False)
    assert floor.refusal().code == "ACCOUNT_DISABLED"
    switch = kill_switch.engage(actor=floor.trader, reason="enough", account=floor.account)
    assert floor.refusal().message == f"Trading is stopped for the account {floor.account.name}."
    kill_switch.release(switch=switch, actor=desk.make_user(), reason="calm again")
    TradingAccount.objects.update(enabled=True)
    assert floor.place().status == "TRANSIT"


def test_nobody_trades_with_oneself(floor):
    floor.fill(CALL, 65, 15_000)
    floor.to(floor.place(CALL, side=Side.SELL, limit_price=15_500), "OPEN")
    assert floor.refusal(CALL, limit_price=15_500).code == "SELF_TRADE"
    assert floor.place(CALL, limit_price=15_495).status == "TRANSIT"


def test_ten_in_a_second_and_no_more(floor):
    for _ in range(10):
        floor.place(limit_price=12_000)
    assert floor.refusal(limit_price=12_000).code == "RATE_EXCEEDED"
    assert floor.place(CRUDE, quantity=1, limit_price=600_000).status == "TRANSIT"


def test_refused_orders_do_not_count_in_the_rate(floor):
    for _ in range(12):
        floor.refusal(quantity=1)
    assert floor.place().status == "TRANSIT"


def test_many_are_placed_together_and_each_counts_for_the_next(floor):
    RiskLimits.objects.create(account=floor.account, net_position=130)
    orders = services.place_orders([floor.request() for _ in range(3)], floor.trader)
    assert [order.status for order in orders] == ["TRANSIT", "TRANSIT", "REJECTED"]
    assert orders[2].reason_code == "NET_POSITION"
    assert floor.funds.held_margin == 2 * 975_000


def test_an_instrument_with_an_order_is_held_with_what_its_margin_hangs_on(floor):
    floor.place(CALL)
    owner = str(CALL.code)
    assert Interest.objects.filter(source="held", owner=owner).exists()
    assert Interest.objects.filter(source="reference", owner=f"held.{owner}").exists()


def test_what_cannot_be_fed_cannot_be_traded(floor):
    DhanAccount.objects.update(enabled=False)
    assert floor.refusal().code == "NO_MARKET_DATA"


def test_an_instrument_without_a_price_is_subscribed_so_that_the_next_try_finds_one(floor):
    floor.redis.flushall()
    refused = floor.refusal(FUTURE, side=Side.SELL, limit_price=2_605_000)
    assert refused.code == "NO_MARKET_DATA"
    assert Interest.objects.filter(source="held", owner=str(FUTURE.code)).exists()


def test_in_deficit_positions_only_get_smaller(floor):
    floor.fill(CALL, 130, 15_000)
    Funds.objects.update(deficit=True)
    assert floor.refusal(CALL).code == "DEFICIT"
    assert floor.place(CALL, side=Side.SELL).status == "TRANSIT"
    assert floor.refusal(CALL, side=Side.SELL, quantity=130, limit_price=15_100).code == "DEFICIT"


def test_delivery_needs_shares(floor):
    shares = {"product": Product.CNC, "quantity": 10, "limit_price": 140_000}
    assert floor.refusal(SHARE, side=Side.SELL, **shares).code == "INSUFFICIENT_HOLDINGS"
    floor.fill(SHARE, 10, 140_000, product=Product.CNC)
    assert floor.place(SHARE, side=Side.SELL, **shares).status == "TRANSIT"
    assert floor.refusal(SHARE, side=Side.SELL, **shares | {"quantity": 1}).code == "INSUFFICIENT_HOLDINGS"


# --- what one request becomes -----------------------------------------------------------------------------


def test_a_bracket_is_an_entry_and_two_exits_that_wait_for_it(floor):
    entry = floor.place(target_price=17_000, stop_price=14_000, trailing_jump=50)
    assert (entry.role, entry.status, entry.group.kind, entry.group.trailing_jump) == (
        "ENTRY",
        "TRANSIT",
        "BRACKET",
        50,
    )
    target, stop = entry.group.orders.exclude(pk=entry.pk).order_by("pk")
    assert (target.role, target.status, target.side, target.limit_price) == ("TARGET", "QUEUED", "SELL", 17_000)
    assert (stop.role, stop.order_type, stop.trigger_price, stop.limit_price) == ("STOP", "STOP_LOSS", 14_000, 12_600)
    assert target.reduces
    assert stop.reduces
    assert floor.funds.held_margin == 975_000
    assert floor.refusal(target_price=14_000).code == "INVALID_EXITS"


def test_a_pair_closes_what_is_there_and_counts_once(floor):
    pair = {"oco": True, "side": Side.SELL, "limit_price": None, "target_price": 17_000, "stop_price": 14_000}
    assert floor.refusal(**pair).code == "REDUCE_ONLY"
    floor.fill(CALL, 65, 15_000)
    target = floor.place(**pair)
    assert (target.role, target.status, target.group.kind) == ("TARGET", "TRANSIT", "OCO")
    assert target.group.orders.count() == 2
    assert floor.refusal(**pair).code == "REDUCE_ONLY"
    assert floor.refusal(**pair | {"stop_price": None}).code == "INVALID_EXITS"


def test_what_is_above_the_freeze_is_sliced_when_asked(floor):
    Instrument.objects.update(freeze_quantity=1800)
    assert floor.refusal(quantity=65 * 60, limit_price=10_000).code == "FREEZE_QUANTITY"
    first = floor.place(quantity=65 * 60, limit_price=10_000, slice=True)
    slices = list(first.group.orders.order_by("pk").values_list("quantity", "role"))
    assert slices == [(1755, "SLICE"), (1755, "SLICE"), (390, "SLICE")]
    assert floor.funds.held_margin == 65 * 60 * 10_000


def test_an_after_market_order_waits_for_the_next_opening(floor):
    floor.at("2026-02-03 16:00")
    assert floor.refusal().code == "MARKET_CLOSED"
    order = floor.place(after_market=True)
    assert order.status == "QUEUED"
    assert order.release_at == datetime(2026, 2, 4, 9, 15, tzinfo=clock.IST)
    assert order.trading_date.isoformat() == "2026-02-04"
    floor.at("2026-02-03 12:00")
    assert floor.refusal(after_market=True).code == "AFTER_MARKET_HOURS"
    assert floor.place(CRUDE, after_market=True, quantity=1, limit_price=600_000).status == "QUEUED"


def test_a_forever_order_waits_at_any_time(floor):
    floor.at("2026-02-08 03:00")
    order = floor.place(forever=True, limit_price=10_000)
    assert (order.status, order.forever, order.release_at) == ("QUEUED", True, None)
    assert floor.funds.held_margin == 650_000


def test_ioc_is_taken_in_continuous_trading_only(floor):
    assert floor.place(validity=Validity.IOC).validity == "IOC"
    floor.at("2026-02-03 09:05")
    shares = {"product": Product.CNC, "quantity": 10, "limit_price": 140_000}
    assert floor.refusal(SHARE, validity=Validity.IOC, **shares).code == "VALIDITY_NOT_TAKEN"
    assert floor.place(SHARE, **shares).status == "TRANSIT"


# --- cancelling -----------------------------------------------------------------------------------------------


def test_what_waits_here_is_cancelled_at_once_and_gives_its_margin_back(floor):
    order = services.cancel_order(floor.place(forever=True), floor.trader)
    assert (order.status, order.reason_code) == ("CANCELLED", "CANCELLED_BY_USER")
    assert floor.funds.held_margin == 0
    with pytest.raises(NotChangeable):
        services.cancel_order(order, floor.trader)


def test_what_is_at_the_venue_is_asked_to_be_cancelled_once(floor):
    order = floor.to(floor.place(), "OPEN")
    services.cancel_order(order, floor.trader)
    order = services.cancel_order(order, floor.trader)
    assert (order.status, order.cancel_requested, order.cancel_requested_by) == ("OPEN", True, floor.trader)
    assert [kind for _, kind, _ in events(order)] == ["PLACED", "ACCEPTED", "CANCEL_REQUESTED"]
    assert floor.funds.held_margin == 975_000


def test_a_waiting_bracket_is_cancelled_as_a_whole(floor):
    floor.at("2026-02-03 16:00")
    entry = floor.place(target_price=17_000, stop_price=14_000, after_market=True)
    services.cancel_order(entry, floor.trader)
    assert set(entry.group.orders.values_list("status", flat=True)) == {"CANCELLED"}


def test_a_waiting_exit_whose_entry_was_sent_is_cancelled_by_the_venue(floor):
    entry = floor.place(target_price=17_000, stop_price=14_000)
    stop = entry.group.orders.get(role="STOP")
    assert services.cancel_order(stop, floor.trader).cancel_requested


def test_cancel_all_asks_for_everything(floor):
    floor.place()
    floor.place(PUT, limit_price=14_000)
    floor.place(forever=True)
    assert len(services.cancel_all(floor.account, floor.trader, codes=[PUT.code])) == 1
    assert len(services.cancel_all(floor.account, floor.trader)) == 2
    assert services.cancel_all(floor.account, floor.trader) == []


def test_cancellations_count_in_the_rate(floor):
    order = floor.place(limit_price=12_000)
    for _ in range(9):
        floor.place(limit_price=12_000)
    with pytest.raises(ChangeRefused) as refused:
        services.cancel_order(order, floor.trader)
    assert refused.value.code == "RATE_EXCEEDED"


# --- squaring off -----------------------------------------------------------------------------------------------


def test_squaring_off_cancels_and_closes_even_behind_a_kill_switch(floor):
    floor.fill(CALL, 65, 15_000)
    resting = floor.to(floor.place(CALL, side=Side.SELL, limit_price=16_000), "OPEN")
    kill_switch.engage(actor=None, reason="daily loss", account=floor.account)
    [closing] = services.square_off(floor.account, floor.trader, reason="end of the day")
    assert Order.objects.get(pk=resting.pk).cancel_requested
    assert (closing.side, closing.quantity, closing.order_type) == ("SELL", 65, "MARKET")
    assert (closing.status, closing.source, closing.reduces) == ("TRANSIT", Source.SQUARE_OFF, True)
    assert AuditEntry.objects.filter(action="positions.square_off", reason="end of the day").count() == 1


def test_nothing_open_is_nothing_to_square_off(floor):
    assert services.square_off(floor.account, floor.trader) == []


def test_squaring_off_in_a_closed_market_says_so(floor):
    floor.fill(CALL, 65, 15_000)
    floor.at("2026-02-03 20:00")
    [order] = services.square_off(floor.account, floor.trader)
    assert (order.status, order.reason_code) == ("REJECTED", "MARKET_CLOSED")


# --- converting --------------------------------------------------------------------------------------------------


def test_intraday_shares_become_delivery_and_cost_their_whole_price(floor):
    floor.fill(SHARE, 10, 140_000, product=Product.INTRADAY)
    before = floor.funds.cash
    position = Position.objects.get(product="INTRADAY")
    for _ in range(2):  # the second is a repeat
        services.convert(position, floor.trader, product=Product.CNC, quantity=4, client_reference="keep-four")
    held = dict(Position.objects.values_list("product", "signed_quantity"))
    assert held == {"INTRADAY": 6, "CNC": 4}
    assert before - floor.funds.cash == 4 * 140_000
    assert AccountFact.objects.filter(kind="POSITION").count() >= 2


def test_a_disabled_account_converts_nothing(floor):
    floor.fill(SHARE, 10, 140_000, product=Product.INTRADAY)
    type(floor.account).objects.filter(pk=floor.account.pk).update(enabled=False)
    with pytest.raises(ChangeRefused) as refused:
        services.convert(
            Position.objects.get(), floor.trader, product=Product.MTF, quantity=10, client_reference="more"
        )
    assert refused.value.code == "ACCOUNT_DISABLED"


def test_a_conversion_is_refused_when_margin_or_product_do_not_allow_it(floor):
    floor.fill(SHARE, 2_000, 140_000, product=Product.INTRADAY)
    position = Position.objects.get()
    for product, quantity, code in (
        (Product.CNC, 2_000, "INSUFFICIENT_MARGIN"),
        (Product.MARGIN, 10, "PRODUCT_NOT_ALLOWED"),
        (Product.CNC, 2_001, "INVALID_QUANTITY"),
    ):
        with pytest.raises(ChangeRefused) as refused:
            services.convert(position, floor.trader, product=product, quantity=quantity, client_reference="all")
        assert refused.value.code == code
    assert dict(Position.objects.values_list("product", "signed_quantity")) == {"INTRADAY": 2_000}
