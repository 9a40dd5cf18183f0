"""Every reason to refuse an order, one by one, and their order."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from feeds.core.calendar import Phase
from feeds.core.instrument import ExchangeSegment, InstrumentType
from oms.core.order import OrderType, Role, Side, Source, Validity
from oms.core.rules import Context, Contract, Draft, Exposure, RefusalCode, check, exits_are_sound
from rms.core.limits import Limits
from rms.core.product import Product

DAY = date(2026, 11, 23)
OPTION = Contract(
    1, "NIFTY CALL", ExchangeSegment.NSE_FNO, InstrumentType.OPTIDX, lot=65, tick_size=5,
    expiry=date(2026, 11, 24), freeze_quantity=1800, lower_limit=5, upper_limit=60_000,
)  # fmt: skip
FUTURE = replace(OPTION, name="NIFTY FUTURE", instrument_type=InstrumentType.FUTIDX, upper_limit=None)
BSE_OPTION = replace(OPTION, name="SENSEX CALL", segment=ExchangeSegment.BSE_FNO)
SHARE = Contract(2, "RELIANCE", ExchangeSegment.NSE_EQ, InstrumentType.EQUITY, lot=1, tick_size=5)
CRUDE = Contract(3, "CRUDE OIL", ExchangeSegment.MCX_COMM, InstrumentType.FUTCOM, 1, 100, multiplier=100)
INDEX = replace(SHARE, name="NIFTY", segment=ExchangeSegment.IDX_I, instrument_type=InstrumentType.INDEX)

BUY = Draft(Side.BUY, OrderType.LIMIT, 65, Product.MARGIN, limit_price=15_000)
OPEN = Context(OPTION, DAY, Phase.CONTINUOUS, price=15_000, is_fresh=True, value_price=15_000)
STOP = replace(BUY, order_type=OrderType.STOP_LOSS, trigger_price=15_500, limit_price=15_600)
SHARES = replace(BUY, quantity=10, product=Product.CNC)
SELL_SHARES = replace(SHARES, side=Side.SELL)
CASH = replace(OPEN, contract=SHARE)

REFUSED = [
    ("a house that was stopped", BUY, replace(OPEN, stopped="the whole house"), "KILL_SWITCH"),
    ("a disabled account", BUY, replace(OPEN, account_enabled=False), "ACCOUNT_DISABLED"),
    ("an index", BUY, replace(OPEN, contract=INDEX), "NOT_TRADABLE"),
    ("what is not listed any more", BUY, replace(OPEN, contract=replace(OPTION, is_listed=False)), "NOT_TRADABLE"),
    ("an expired contract", BUY, replace(OPEN, day=date(2026, 11, 25)), "NOT_TRADABLE"),
    ("a closed market", BUY, replace(OPEN, phase=Phase.CLOSED), "MARKET_CLOSED"),
    ("a stop in the pre-open", replace(STOP, product=Product.MARGIN),
     replace(OPEN, contract=FUTURE, phase=Phase.PRE_OPEN), "ORDER_TYPE_NOT_TAKEN"),
    ("an option in the pre-open, which is for futures", BUY, replace(OPEN, phase=Phase.PRE_OPEN), "MARKET_CLOSED"),
    ("a market order when only limits are taken", replace(SHARES, order_type=OrderType.MARKET, limit_price=None),
     replace(CASH, phase=Phase.PRE_OPEN_LIMIT_ONLY), "ORDER_TYPE_NOT_TAKEN"),
    ("a stop-market order on an option",
     replace(STOP, order_type=OrderType.STOP_LOSS_MARKET, limit_price=None), OPEN, "ORDER_TYPE_NOT_TAKEN"),
    ("a forever market order", replace(BUY, forever=True, order_type=OrderType.MARKET, limit_price=None),
     OPEN, "ORDER_TYPE_NOT_TAKEN"),
    ("IOC in the closing auction", replace(SHARES, validity=Validity.IOC),
     replace(CASH, phase=Phase.CLOSING_AUCTION), "VALIDITY_NOT_TAKEN"),
    ("an IOC after the market", replace(BUY, after_market=True, validity=Validity.IOC),
     replace(OPEN, takes_after_market=True), "VALIDITY_NOT_TAKEN"),
    ("an after-market order at noon", replace(BUY, after_market=True), OPEN, "AFTER_MARKET_HOURS"),
    ("no quantity", replace(BUY, quantity=0), OPEN, "INVALID_QUANTITY"),
    ("64 of a lot of 65", replace(BUY, quantity=64), OPEN, "LOT_SIZE"),
    ("a disclosed quantity of an option", replace(BUY, disclosed_quantity=65), OPEN, "DISCLOSED_QUANTITY"),
    ("two disclosed of ten", replace(SHARES, disclosed_quantity=2), CASH, "DISCLOSED_QUANTITY"),
    ("a limit order without a limit", replace(BUY, limit_price=None), OPEN, "INVALID_PRICE"),
    ("a market order with one", replace(BUY, order_type=OrderType.MARKET), OPEN, "INVALID_PRICE"),
    ("a price of zero", replace(BUY, limit_price=0), OPEN, "INVALID_PRICE"),
    ("150.03 on a tick of 0.05", replace(BUY, limit_price=15_003), OPEN, "TICK_SIZE"),
    ("a market order on a stale price", replace(BUY, order_type=OrderType.MARKET, limit_price=None),
     replace(OPEN, is_fresh=False), "NO_LAST_PRICE"),
    ("600.05 above the circuit limit", replace(BUY, limit_price=60_005), OPEN, "PRICE_BAND"),
    ("210.05: more than 40 % above 150", replace(BUY, limit_price=21_005), OPEN, "PRICE_RANGE"),
    ("151.00 with a guard of half a per cent", replace(BUY, limit_price=15_100),
     replace(OPEN, limits=Limits(price_deviation_percent=Decimal("0.5"))), "PRICE_DEVIATION"),
    ("a stop buy below the market", replace(STOP, trigger_price=14_900), OPEN, "STOP_SIDE"),
    ("a stop buy with its limit below its trigger", replace(STOP, limit_price=15_400), OPEN, "STOP_SIDE"),
    ("a BSE stop whose limit is more than 20 % away", replace(STOP, limit_price=18_605),
     replace(OPEN, contract=BSE_OPTION), "STOP_RANGE"),
    ("1,820 where 1,800 freezes", replace(BUY, quantity=1820), OPEN, "FREEZE_QUANTITY"),
    ("more units than the limit", BUY, replace(OPEN, limits=Limits(order_quantity=64)), "ORDER_QUANTITY"),
    ("9,750 where 9,749.99 are allowed", BUY, replace(OPEN, limits=Limits(order_value=974_999)), "ORDER_VALUE"),
    ("too much open together", BUY,
     replace(OPEN, limits=Limits(open_order_value=1_000_000), open_order_value=25_001), "OPEN_ORDER_VALUE"),
    ("delivery of an option", replace(BUY, product=Product.CNC), OPEN, "PRODUCT_NOT_ALLOWED"),
    ("a carried share", replace(SHARES, product=Product.MARGIN), CASH, "PRODUCT_NOT_ALLOWED"),
    ("a rupee of margin too little", BUY,
     replace(OPEN, required_margin=975_000, available_margin=974_900), "INSUFFICIENT_MARGIN"),
    ("an opening order in a deficit", BUY, replace(OPEN, deficit=True), "DEFICIT"),
    ("an exit of nothing", replace(BUY, reduces=True), OPEN, "REDUCE_ONLY"),
    ("shares that nobody has", SELL_SHARES, CASH, "INSUFFICIENT_HOLDINGS"),
    ("a third lot where two are the limit", BUY,
     replace(OPEN, limits=Limits(net_position=130), exposure=Exposure(position=65, pending_buys=65)), "NET_POSITION"),
    ("a buy at one's own offer", BUY, replace(OPEN, exposure=Exposure(lowest_sell=15_000)), "SELF_TRADE"),
    ("the eleventh in a second", BUY, replace(OPEN, orders_in_second=10), "RATE_EXCEEDED"),
    ("the 21st order without a trade", BUY,
     replace(OPEN, limits=Limits(order_to_trade_ratio=20), orders_today=20), "ORDER_TO_TRADE"),
]  # fmt: skip
"""What is refused, the order, its surroundings, and the code."""
ELSEWHERE = {"UNKNOWN_INSTRUMENT", "NO_MARKET_DATA", "INVALID_EXITS"}
"""Reached in tests/oms/test_services.py and below."""


@pytest.mark.parametrize(
    ("draft", "context", "code"), [case[1:] for case in REFUSED], ids=[case[0] for case in REFUSED]
)
def test_refuses(draft, context, code):
    refusal = check(draft, context)
    assert refusal is not None
    assert refusal.code == code
    assert refusal.message.endswith(".")
    assert refusal.message[0].isupper() or refusal.message[0].isdigit()


def test_every_code_is_reached():
    assert {case[3] for case in REFUSED} | ELSEWHERE == set(RefusalCode)


@pytest.mark.parametrize(
    ("draft", "context"),
    [
        (BUY, OPEN),
        (STOP, OPEN),
        (replace(BUY, order_type=OrderType.MARKET, limit_price=None), OPEN),
        (replace(BUY, limit_price=21_000), OPEN),
        (replace(BUY, quantity=1755), OPEN),
        (replace(BUY, validity=Validity.IOC), OPEN),
        (replace(BUY, after_market=True), replace(OPEN, phase=Phase.CLOSED, takes_after_market=True)),
        (replace(BUY, forever=True), replace(OPEN, phase=Phase.CLOSED, price=None, is_fresh=False)),
        (replace(STOP, limit_price=18_600), replace(OPEN, contract=BSE_OPTION)),
        (replace(STOP, limit_price=18_605), replace(OPEN, contract=BSE_OPTION, day=date(2026, 2, 6))),
        (SHARES, CASH),
        (replace(SHARES, disclosed_quantity=3), CASH),
        (SHARES, replace(CASH, phase=Phase.CLOSING_AUCTION)),
        (SELL_SHARES, replace(CASH, exposure=Exposure(holding=6, product_position=4, position=4))),
        (replace(BUY, quantity=1, product=Product.INTRADAY, limit_price=600_000), replace(OPEN, contract=CRUDE)),
        (BUY, replace(OPEN, exposure=Exposure(lowest_sell=15_005))),
        (BUY, replace(OPEN, required_margin=975_000, available_margin=975_000)),
    ],
)
def test_takes(draft, context):
    assert check(draft, context) is None


def test_who_is_stopped_may_still_square_off():
    closing = replace(
        BUY, side=Side.SELL, order_type=OrderType.MARKET, limit_price=None, reduces=True, source=Source.SQUARE_OFF
    )
    holding_one_lot = Exposure(position=65, product_position=65)
    stopped = replace(OPEN, stopped="you", deficit=True, orders_in_second=99, exposure=holding_one_lot)
    assert check(closing, stopped) is None
    assert check(replace(closing, source=Source.MANUAL), stopped).code == "KILL_SWITCH"
    assert check(replace(closing, quantity=130), stopped).code == "REDUCE_ONLY"


def test_a_disabled_account_may_still_exit():
    closing = replace(BUY, side=Side.SELL, reduces=True)
    exposure = Exposure(position=65, product_position=65)
    assert check(closing, replace(OPEN, account_enabled=False, exposure=exposure)) is None


def test_what_another_exit_will_close_cannot_be_closed_twice():
    closing = replace(BUY, side=Side.SELL, reduces=True)
    exposure = Exposure(position=65, product_position=65, pending_sells=65, product_pending_sells=65)
    refusal = check(closing, replace(OPEN, exposure=exposure))
    assert (refusal.code, refusal.details) == ("REDUCE_ONLY", {"closable": 0})


def test_a_short_of_margin_is_told_in_rupees():
    refusal = check(BUY, replace(OPEN, required_margin=975_000, available_margin=900_050))
    assert refusal.message == "This needs a margin of 9750.00, and 9000.50 are available."
    assert refusal.details == {"required": 975_000, "available": 900_050, "shortfall": 74_950}


def test_the_first_reason_in_the_stated_order_is_told():
    everything_wrong = replace(BUY, quantity=64, limit_price=60_003)
    for context, code in (
        (replace(OPEN, stopped="you", phase=Phase.CLOSED), "KILL_SWITCH"),
        (replace(OPEN, phase=Phase.CLOSED), "MARKET_CLOSED"),
        (OPEN, "LOT_SIZE"),
    ):
        assert check(everything_wrong, context).code == code
    assert check(replace(everything_wrong, quantity=65), OPEN).code == "TICK_SIZE"


def test_a_bracket_of_a_buy_has_its_target_above_and_its_stop_below():
    assert exits_are_sound(Side.BUY, 15_000, 17_000, 14_000, 100, 5) is None
    assert exits_are_sound(Side.SELL, 15_000, 14_000, 17_000, 0, 5) is None
    for target, stop, jump in ((15_000, 14_000, 0), (17_000, 15_000, 0), (17_000, None, 100), (17_000, 14_000, 3)):
        assert exits_are_sound(Side.BUY, 15_000, target, stop, jump, 5).code == "INVALID_EXITS"


drafts = st.builds(
    Draft,
    side=st.sampled_from(Side),
    order_type=st.sampled_from(OrderType),
    quantity=st.integers(-65, 4000),
    product=st.sampled_from(Product),
    validity=st.sampled_from(Validity),
    limit_price=st.none() | st.integers(-5, 70_000),
    trigger_price=st.none() | st.integers(-5, 70_000),
    disclosed_quantity=st.integers(0, 130),
    after_market=st.booleans(),
    forever=st.booleans(),
    reduces=st.booleans(),
    role=st.sampled_from(Role),
)


@given(
    drafts,
    st.sampled_from([OPTION, FUTURE, BSE_OPTION, SHARE, CRUDE]),
    st.sampled_from(Phase),
    st.none() | st.integers(5, 60_000),
    st.booleans(),
)
def test_whatever_is_taken_is_sound(draft, contract, phase, price, after_market):
    context = Context(contract, DAY, phase, price, True, draft.limit_price or price or 0, after_market)
    if check(draft, context) is not None:
        return
    assert draft.quantity > 0
    assert draft.quantity % contract.lot == 0
    assert draft.quantity <= (contract.freeze_quantity or draft.quantity)
    for each in (draft.limit_price, draft.trigger_price):
        assert each is None or (each > 0 and each % contract.tick_size == 0)
    assert (draft.limit_price is None) == (draft.order_type in (OrderType.MARKET, OrderType.STOP_LOSS_MARKET))
    assert draft.sent_later or phase not in (Phase.CLOSED, Phase.BUFFER, Phase.PRE_OPEN_MATCHING)
    assert draft.product in (Product.INTRADAY, Product.MARGIN) or contract is SHARE
    assert not draft.reduces
