"""What accounts bind: by position, by order-to-be, by basket."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

import pytest

from feeds.core.instrument import ExchangeSegment, InstrumentKey, InstrumentType, OptionType
from rms import margin
from rms.core.product import Product
from rms.margin import Held, Pending, additional, group_of, requirement, used_margin, what_if
from rms.market import Market, NoMarketData
from rms.models import Position
from tests.rms import desk
from tests.rms.desk import CALL, CRUDE, DAY, EXPIRY, FUTURE, PUT, SHARE, SPOT

LOW_PUT = InstrumentKey(ExchangeSegment.NSE_FNO, 49083)
INTRADAY, MARGIN, CNC, MTF = Product.INTRADAY, Product.MARGIN, Product.CNC, Product.MTF
FUTURE_SPAN = 65 * 242_265
"""9.3 % of 26,050.00 a unit."""
FUTURE_MARGIN = FUTURE_SPAN + 65 * 52_100


@pytest.fixture
def low_put(instruments):
    return desk.make_instrument(
        LOW_PUT, "NIFTY-Feb2026-25500-PE", instrument_type=InstrumentType.OPTIDX, underlying_symbol="NIFTY",
        expiry=EXPIRY, strike=2_550_000, option_type=OptionType.PUT, lot_size=65,
    )  # fmt: skip


@pytest.fixture
def market(instruments, low_put) -> Market:
    told = {**instruments, LOW_PUT: low_put}
    usual = desk.market_of(instruments)
    row = usual.row(PUT.code).copy()
    row["code"], row["last_price"] = LOW_PUT.code, 5_000
    return Market.of_rows(list(told.values()), {**usual.rows, LOW_PUT.code: row}, DAY)


def want(key: InstrumentKey, quantity: int, price: int, product: Product = MARGIN, reference: str = "") -> Pending:
    return Pending(reference or f"{key}.{quantity}", key.code, product, quantity, price)


def hold(account: Any, key: InstrumentKey, quantity: int, price: int, product: Product = MARGIN) -> None:
    multiplier = 100 if key == CRUDE else 1
    Position.objects.create(
        account=account, instrument_id=key.code, product=product, signed_quantity=quantity,
        open_cost=quantity * price * multiplier, trading_date=DAY,
    )  # fmt: skip


def added(account: Any, market: Market, *new: Pending, pending: tuple[Pending, ...] = ()) -> list[int]:
    return list(additional(account.pk, new, market, DAY, pending).values())


# --- groups and positions ---------------------------------------------------------------------------


def test_contracts_group_by_segment_and_underlying_and_shares_by_themselves(instruments):
    groups = [group_of(instruments[key]) for key in (CALL, FUTURE, CRUDE, SHARE)]

    assert groups == ["NSE_FNO.NIFTY", "NSE_FNO.NIFTY", "MCX_COMM.CRUDEOIL", "NSE_EQ.2885"]


def test_a_future_that_is_held_binds_span_and_exposure(account, market):
    hold(account, FUTURE, 65, 2_600_000)

    used, details = used_margin(account.pk, "NSE_FNO.NIFTY", market, DAY)

    assert used == FUTURE_MARGIN
    assert (details["span"], details["exposure"], details["total"]) == (FUTURE_SPAN, 65 * 52_100, used)
    assert (details["policy"], details["is_estimate"]) == ("SPAN_LIKE 2026-02-03", True)


def test_a_long_option_that_was_paid_binds_nothing_more(account, market):
    hold(account, CALL, 65, 14_000)

    used, details = used_margin(account.pk, "NSE_FNO.NIFTY", market, DAY)

    assert used == 0
    assert (details["premium"], details["policy"]) == (65 * 15_000, "PAID_IN_FULL")


def test_a_group_counts_only_its_own_and_only_this_account(account, market):
    hold(account, FUTURE, 65, 2_600_000)
    hold(account, SHARE, 10, 140_000, INTRADAY)
    hold(desk.make_account(), FUTURE, 650, 2_600_000)

    assert used_margin(account.pk, "NSE_EQ.2885", market, DAY)[0] == 280_000
    assert used_margin(account.pk, "NSE_FNO.NIFTY", market, DAY)[0] == FUTURE_MARGIN
    assert used_margin(account.pk, "MCX_COMM.CRUDEOIL", market, DAY)[0] == 0


def test_what_is_held_needs_its_margin_without_a_price_too(redis, account, instruments):
    hold(account, FUTURE, 65, 2_605_000)
    hold(account, SHARE, 10, 150_000, INTRADAY)
    nothing = Market.of_rows([], {}, DAY)

    assert used_margin(account.pk, "NSE_FNO.NIFTY", nothing, DAY)[0] == FUTURE_MARGIN
    assert used_margin(account.pk, "NSE_EQ.2885", nothing, DAY)[0] == 300_000


def test_a_requirement_is_the_worst_of_each_group(market):
    positions = [Held(FUTURE.code, MARGIN, 65), Held(SHARE.code, INTRADAY, 10)]
    pending = [want(FUTURE, 65, 2_605_000), want(FUTURE, -65, 2_605_000), want(SHARE, -10, 140_000, INTRADAY)]

    needed = requirement(positions, pending, market, DAY)

    assert needed.by_group == {"NSE_EQ.2885": 280_000, "NSE_FNO.NIFTY": 2 * FUTURE_MARGIN}
    assert needed.total == 280_000 + 2 * FUTURE_MARGIN


# --- what one more order holds ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("key", "quantity", "price", "product", "amount"),
    [
        (CALL, 65, 15_500, MARGIN, 65 * 15_500),
        (SHARE, 10, 141_000, CNC, 1_410_000),
        (SHARE, -10, 139_000, CNC, 0),
        (SHARE, 10, 141_000, INTRADAY, 280_000),
        (SHARE, -10, 139_000, INTRADAY, 280_000),
        (SHARE, 10, 141_000, MTF, 371_000),
        (FUTURE, 65, 2_610_000, MARGIN, FUTURE_MARGIN),
        (FUTURE, -65, 2_600_000, INTRADAY, FUTURE_MARGIN),
    ],
)
def test_opening_holds_the_whole_value_of_what_is_paid_and_the_margin_of_the_rest(
    account, market, key, quantity, price, product, amount
):
    assert added(account, market, want(key, quantity, price, product)) == [amount]


def test_a_short_option_holds_scan_risk_and_exposure_its_premium_being_received(account, market):
    hold_of_sale = added(account, market, want(CALL, -65, 15_000))[0]
    hold(account, CALL, -65, 15_000)
    used, details = used_margin(account.pk, "NSE_FNO.NIFTY", market, DAY)

    assert hold_of_sale == details["scan"] + details["exposure"] == used - 65 * 15_000


def test_a_sale_below_the_market_counts_the_lower_premium(account, market):
    at_market, below = (added(account, market, want(CALL, -65, price))[0] for price in (15_000, 14_000))

    assert below == at_market + 65 * 1_000
    assert added(account, market, want(CALL, -65, 20_000)) == [at_market]


@pytest.mark.parametrize(
    ("key", "held", "product"), [(FUTURE, 65, MARGIN), (FUTURE, -65, MARGIN), (CALL, 65, MARGIN), (CALL, -65, MARGIN),
                                 (SHARE, 10, INTRADAY), (SHARE, 10, CNC)]
)  # fmt: skip
def test_what_only_reduces_holds_nothing(account, market, key, held, product):
    hold(account, key, held, desk.PRICES[key], product)

    assert added(account, market, want(key, -held, desk.PRICES[key], product)) == [0]


def test_a_flip_is_charged_for_the_part_that_opens(account, market):
    hold(account, FUTURE, 65, 2_605_000)
    hold(account, CALL, -65, 15_000)

    assert added(account, market, want(CALL, 195, 16_000)) == [130 * 16_000]


def test_a_future_that_flips_is_charged_for_the_other_side(account, market):
    hold(account, FUTURE, 65, 2_605_000)

    assert added(account, market, want(FUTURE, -195, 2_605_000)) == [2 * FUTURE_MARGIN]


def test_two_orders_cannot_both_close_one_position(account, market):
    hold(account, FUTURE, 65, 2_605_000)
    first = want(FUTURE, -65, 2_605_000, reference="first")

    assert added(account, market, first, want(FUTURE, -65, 2_605_000)) == [0, FUTURE_MARGIN]
    assert added(account, market, want(FUTURE, -65, 2_605_000), pending=(first,)) == [FUTURE_MARGIN]


def test_a_pending_order_of_the_other_side_helps_nobody(account, market):
    buy = want(FUTURE, 65, 2_605_000, reference="buy")

    assert added(account, market, want(FUTURE, -65, 2_605_000), pending=(buy,)) == [FUTURE_MARGIN]


def test_two_short_options_cannot_lean_on_one_hedge(account, market, low_put):
    hold(account, LOW_PUT, 65, 5_000)
    first = want(PUT, -65, 14_000, reference="first")
    hedged = added(account, market, first)[0]
    second = added(account, market, want(PUT, -65, 14_000), pending=(first,))[0]

    assert hedged < second / 3
    assert second == pytest.approx(added(desk.make_account(), market, want(PUT, -65, 14_000))[0], rel=0.05)


def test_selling_the_hedge_of_a_short_option_is_charged(account, market):
    hold(account, PUT, -65, 14_000)
    hold(account, LOW_PUT, 65, 5_000)
    before, _ = used_margin(account.pk, "NSE_FNO.NIFTY", market, DAY)
    naked = additional(account.pk, [want(LOW_PUT, -65, 5_000)], market, DAY)

    Position.objects.filter(instrument_id=LOW_PUT.code).update(signed_quantity=0, open_cost=0)
    after, _ = used_margin(account.pk, "NSE_FNO.NIFTY", market, DAY)

    assert list(naked.values()) == [after - before - 65 * 5_000]
    assert after > 2 * before


def test_a_basket_with_its_hedge_first_holds_far_less(account, market):
    buy, sell = want(LOW_PUT, 65, 5_000), want(PUT, -65, 14_000)
    naked = added(account, market, sell)[0]

    hedge, short = added(account, market, buy, sell)

    assert hedge == 65 * 5_000
    assert hedge + short < naked / 2


def test_a_hold_leaves_enough_for_the_position_that_its_fill_makes(account, market):
    """Cash after the fill covers what the position binds: a fill at the order's own price makes no deficit."""
    for reference, (key, quantity, price) in enumerate(
        [(PUT, -65, 14_000), (LOW_PUT, 65, 5_000), (CALL, -65, 14_500), (FUTURE, 65, 2_605_000)]
    ):
        account = desk.make_account()
        amount = added(account, market, want(key, quantity, price, reference=str(reference)))[0]
        hold(account, key, quantity, price)
        received = -quantity * price if key != FUTURE else 0

        assert amount + received >= used_margin(account.pk, "NSE_FNO.NIFTY", market, DAY)[0]


def test_orders_of_several_groups_are_answered_in_the_order_given(account, market):
    new = [
        want(SHARE, 10, 140_000, INTRADAY, "c"),
        want(CALL, 65, 15_000, MARGIN, "a"),
        want(CRUDE, 1, 600_000, MARGIN, "b"),
    ]

    amounts = additional(account.pk, new, market, DAY)

    assert list(amounts.items()) == [("c", 280_000), ("a", 975_000), ("b", 100 * (120_000 + 7_500))]


def test_without_a_price_nothing_is_let_through(redis, account, instruments):
    market = Market.of_rows(list(instruments.values()), {}, DAY)

    with pytest.raises(NoMarketData):
        added(account, market, want(FUTURE, 65, 2_605_000))


def test_a_pending_order_without_a_price_does_not_stand_in_the_way(redis, account, market, instruments):
    rows = {code: row for code, row in market.rows.items() if code != PUT.code}
    told = Market.of_rows(market.instruments, rows, DAY)
    pending = (want(PUT, -65, 14_000, reference="resting"),)

    assert added(account, told, want(CALL, 65, 15_000), pending=pending) == [65 * 15_000]


def test_positions_that_were_read_are_not_read_again(account, market, django_assert_num_queries):
    positions = [Held(FUTURE.code, MARGIN, 65, 2_605_000), Held(SHARE.code, INTRADAY, 10, 140_000)]

    with django_assert_num_queries(0):
        amounts = additional(account.pk, [want(FUTURE, -65, 2_605_000)], market, DAY, positions=positions)

    assert list(amounts.values()) == [0]


def test_the_group_is_read_with_one_query(account, market, django_assert_num_queries):
    hold(account, FUTURE, 65, 2_605_000)

    with django_assert_num_queries(1):
        added(account, market, want(CALL, -65, 15_000), want(PUT, -65, 14_000))


# --- what if ---------------------------------------------------------------------------------------


def test_a_condor_shows_its_benefit(account, market):
    legs = [want(LOW_PUT, 65, 5_000), want(PUT, -65, 14_000)]

    answer = what_if(account.pk, legs, market, DAY)

    assert answer.total == sum(answer.additional.values())
    assert answer.benefit == answer.alone - answer.together.to_open > 0
    assert answer.before.total == 0
    assert answer.after.total == answer.together.total
    assert answer.total == pytest.approx(answer.together.to_open, abs=1)


# --- a real file -------------------------------------------------------------------------------------


def test_the_file_that_the_settings_name_replaces_the_estimate(account, instruments, settings):
    """A NIFTY lot of 25 June 2026: 2,244.36 x 65 and 2 % of 24,051.80 x 65."""
    settings.SPAN_FILE = str(Path(__file__).parent / "core" / "nsccl.20260625.i01.spn")
    future = instruments[FUTURE]
    future.expiry = date(2026, 6, 30)
    future.save()
    day = date(2026, 6, 25)
    market = Market.of_rows([future], desk.market_of(instruments, future=2_405_180).rows, day)

    hold(account, FUTURE, 65, 2_405_180)
    used, details = used_margin(account.pk, "NSE_FNO.NIFTY", market, day)

    assert (details["span"], details["exposure"], used) == (14_588_340, 3_126_734, 17_715_074)
    assert (details["policy"], details["is_estimate"]) == ("nsccl.20260625.i01.spn", False)


@pytest.mark.parametrize("content", [None, b"<spanFile>"])
def test_a_file_that_cannot_be_read_leaves_estimates(account, market, settings, tmp_path, content, caplog):
    path = tmp_path / "broken.spn"
    if content is not None:
        path.write_bytes(content)
    settings.SPAN_FILE = str(path)

    assert added(account, market, want(FUTURE, 65, 2_605_000)) == [FUTURE_MARGIN]
    assert "SPAN_FILE cannot be used" in caplog.text


# --- trading days ------------------------------------------------------------------------------------


def test_trading_days_left_are_counted_by_the_exchange_s_calendar(db):
    """16 Feb 2026 is a Monday; MCX futures on crude end on Thursday 19 Feb."""
    left = [
        margin._trading_days_left(InstrumentType.FUTCOM, date(2026, 2, 19), date(2026, 2, day)) for day in (19, 16, 13)
    ]

    assert left == [0, 3, 4]
    assert margin._trading_days_left(InstrumentType.FUTIDX, date(2026, 2, 24), date(2026, 2, 24)) is None


def test_crude_in_its_last_days_binds_more(account, market):
    hold(account, CRUDE, 1, 600_000)
    usual = used_margin(account.pk, "MCX_COMM.CRUDEOIL", market, DAY)[0]

    assert used_margin(account.pk, "MCX_COMM.CRUDEOIL", market, EXPIRY)[0] == usual + 100 * 150_000


def test_an_option_is_priced_on_the_spot_carried_to_its_expiry(market):
    leg = margin._leg(CALL.code, MARGIN, 65, market, DAY)

    assert leg.underlying_price == desk.PRICES[SPOT]
    assert leg.forward == 2_608_000
