"""An account's day is settled once: futures marked, what expired paid or delivered, shares in and out of holdings."""

from __future__ import annotations

from datetime import date

import pytest
from django.db.models import Sum

from feeds.core.instrument import InstrumentKey
from feeds.models import Instrument
from rms.audit_ledger import audit
from rms.core.product import Product
from rms.models import (
    Entry,
    Funds,
    Holding,
    MarginGroup,
    Position,
    PositionChange,
    SettlementPrice,
    TradingAccount,
    Transfer,
)
from rms.settlement import Group, NoSettlementPrice, fix_prices
from tests.rms import day as days
from tests.rms.day import CRUDE_CALL, CRUDE_PUT, SHARE_CALL, SHARE_FUTURE, SHARE_PUT, by_hand, quote, settle, trade
from tests.rms.desk import CALL, CRUDE, DAY, FUTURE, NEXT_DAY, PUT, SHARE, SPOT, fill

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("redis", "instruments")]

CASH = 10_000_000
MONDAY = date(2026, 2, 2)


@pytest.fixture
def contracts(instruments) -> dict[InstrumentKey, Instrument]:
    return days.make_contracts()


def cash(account: TradingAccount) -> int:
    return Funds.objects.get(account=account).cash


def position(account: TradingAccount, key: InstrumentKey, product: Product = Product.MARGIN) -> Position:
    return Position.objects.get(account=account, instrument_id=key.code, product=product)


def holding(account: TradingAccount) -> tuple[int, int]:
    row = Holding.objects.get(account=account, instrument_id=SHARE.code)
    return row.quantity, row.cost


def assert_books_prove() -> None:
    """Nothing differs; of what has no trade here the audit of trades does not speak."""
    assert [each for each in audit().differences if each.check != "trades"] == []


# --- prices -------------------------------------------------------------------------------------


def test_what_is_open_is_settled_at_its_last_trade_of_the_day_and_says_so(account) -> None:
    trade(fill(account, FUTURE, 65, 2_600_000))
    quote(FUTURE, 2_607_500)
    fix_prices(DAY, Group.EQUITY)
    settled = SettlementPrice.objects.get()
    assert (settled.instrument_id, settled.price, settled.source) == (FUTURE.code, 2_607_500, "LAST_TRADED")


def test_a_price_entered_by_hand_wins_over_the_feed(account) -> None:
    trade(fill(account, FUTURE, 65, 2_600_000))
    quote(FUTURE, 2_607_500)
    by_hand(FUTURE, 2_608_000)
    assert fix_prices(DAY, Group.EQUITY).price(FUTURE.code) == 2_608_000


def test_a_price_once_fixed_stays_although_the_feed_goes_on(account) -> None:
    trade(fill(account, FUTURE, 65, 2_600_000))
    quote(FUTURE, 2_607_500)
    fix_prices(DAY, Group.EQUITY)
    quote(FUTURE, 2_700_000, NEXT_DAY)
    assert fix_prices(DAY, Group.EQUITY).price(FUTURE.code) == 2_607_500


def test_a_missed_day_is_settled_at_the_close_that_the_next_day_tells(account) -> None:
    trade(fill(account, FUTURE, 65, 2_600_000))
    quote(FUTURE, 2_700_000, NEXT_DAY, previous_close=2_609_000)
    assert fix_prices(DAY, Group.EQUITY).price(FUTURE.code) == 2_609_000


def test_without_any_quote_the_last_settlement_price_is_carried(account) -> None:
    trade(fill(account, FUTURE, 65, 2_600_000))
    by_hand(FUTURE, 2_590_000, MONDAY)
    fix_prices(DAY, Group.EQUITY)
    assert SettlementPrice.objects.get(trading_date=DAY).source == "CARRIED"


def test_what_has_no_price_at_all_stops_the_day_and_is_named(account) -> None:
    trade(fill(account, FUTURE, 65, 2_600_000))
    with pytest.raises(NoSettlementPrice, match=r"NSE_FNO\.49000"):
        fix_prices(DAY, Group.EQUITY)


def test_an_expiry_is_never_paid_out_at_an_older_price(account) -> None:
    Instrument.objects.filter(code=CALL.code).update(expiry=DAY)
    trade(fill(account, CALL, 65, 15_000))
    quote(SPOT, 2_612_345, MONDAY)
    with pytest.raises(NoSettlementPrice, match=r"IDX_I\.13"):
        fix_prices(DAY, Group.EQUITY)


def test_each_group_has_its_own_prices(account) -> None:
    trade(fill(account, FUTURE, 65, 2_600_000), fill(account, CRUDE, 1, 590_000))
    quote(CRUDE, 595_000)
    fix_prices(DAY, Group.COMMODITY)
    assert list(SettlementPrice.objects.values_list("instrument_id", flat=True)) == [CRUDE.code]


# --- futures ------------------------------------------------------------------------------------


def test_a_future_is_marked_to_its_settlement_price_in_cash(account) -> None:
    trade(fill(account, FUTURE, 65, 2_600_000))
    by_hand(FUTURE, 2_607_500)
    settle(account)
    assert cash(account) == CASH + 65 * 7_500
    marked = position(account, FUTURE)
    assert (marked.open_cost, marked.realised_pnl) == (65 * 2_607_500, 65 * 7_500)
    transfer = Transfer.objects.get(kind="MARK_TO_MARKET")
    assert transfer.reference == f"mark_to_market.mtm.2026-02-03.{marked.pk}"
    assert_books_prove()


def test_the_next_day_brings_the_position_forward_at_the_settlement_price(account) -> None:
    trade(fill(account, FUTURE, -65, 2_600_000))
    by_hand(FUTURE, 2_607_500)
    days.close(account)
    carried = position(account, FUTURE)
    assert (carried.trading_date, carried.carried_quantity, carried.carried_price) == (NEXT_DAY, -65, 2_607_500)
    assert (carried.realised_pnl, carried.day_sell_quantity) == (0, 0)
    trade(fill(account, FUTURE, 65, 2_590_000, trading_date=NEXT_DAY))
    assert position(account, FUTURE).realised_pnl == 65 * 17_500
    assert cash(account) == CASH + 65 * 10_000
    assert_books_prove()


def test_settling_twice_is_settling_once(account) -> None:
    trade(fill(account, FUTURE, 65, 2_600_000), fill(account, SHARE, 10, 140_000))
    by_hand(FUTURE, 2_607_500)
    by_hand(SHARE, 140_500)
    settle(account)
    before = (cash(account), Entry.objects.count(), PositionChange.objects.count(), holding(account))
    settle(account)
    assert (cash(account), Entry.objects.count(), PositionChange.objects.count(), holding(account)) == before


def test_an_index_future_ends_at_what_its_index_closed_at(account) -> None:
    Instrument.objects.filter(code=FUTURE.code).update(expiry=DAY)
    trade(fill(account, FUTURE, 65, 2_600_000))
    quote(FUTURE, 2_613_000)
    quote(SPOT, 2_612_345)
    settle(account)
    assert (position(account, FUTURE).signed_quantity, cash(account)) == (0, CASH + 65 * 12_345)
    assert SettlementPrice.objects.get(instrument_id=FUTURE.code).source == "UNDERLYING_CLOSE"
    assert MarginGroup.objects.get(account=account).used_margin == 0
    assert_books_prove()


def test_a_commodity_future_counts_the_units_of_its_lot_and_ends_in_cash(account) -> None:
    Instrument.objects.filter(code=CRUDE.code).update(expiry=DAY)
    trade(fill(account, CRUDE, 2, 590_000))
    quote(CRUDE, 595_050)
    settle(account, Group.COMMODITY)
    assert (position(account, CRUDE).signed_quantity, cash(account)) == (0, CASH + 2 * 100 * 5_050)


# --- options ------------------------------------------------------------------------------------


@pytest.mark.parametrize(("quantity", "moved"), [(65, 65 * 12_345), (-65, -65 * 12_345)])
def test_an_index_option_is_paid_out_at_intrinsic_against_the_closing_index(account, quantity: int, moved: int) -> None:
    Instrument.objects.filter(code__in=[CALL.code, PUT.code]).update(expiry=DAY)
    trade(fill(account, CALL, quantity, 15_000), fill(account, PUT, quantity, 14_000))
    premium = -quantity * 29_000
    quote(SPOT, 2_612_345)
    settle(account)
    assert cash(account) == CASH + premium + moved
    assert position(account, CALL).realised_pnl == quantity * (12_345 - 15_000)
    assert position(account, PUT).realised_pnl == -quantity * 14_000
    assert Transfer.objects.filter(kind="EXPIRY").count() == 1, "what lapses moves nothing"
    assert_books_prove()


def test_a_bought_share_call_takes_the_shares_at_the_strike(account, contracts) -> None:
    days_funds = 250 * 140_000
    trade(fill(account, SHARE_CALL, 250, 2_000))
    quote(SHARE, 145_000)
    settle(account)
    assert holding(account) == (250, days_funds)
    assert cash(account) == CASH - 250 * 2_000 - days_funds
    assert position(account, SHARE_CALL).realised_pnl == -250 * 2_000
    assert_books_prove()


def test_a_written_share_call_gives_the_shares_that_are_there_at_the_strike(account, contracts) -> None:
    trade(fill(account, SHARE, 300, 130_000, trading_date=MONDAY))
    by_hand(SHARE, 145_000, MONDAY)
    settle(account, day=MONDAY)
    trade(fill(account, SHARE_CALL, -250, 2_000))
    by_hand(SHARE, 145_000)
    settle(account)
    assert holding(account) == (50, 50 * 130_000)
    assert cash(account) == CASH - 300 * 130_000 + 250 * 2_000 + 250 * 140_000
    assert position(account, SHARE, Product.CNC).realised_pnl == 250 * 10_000
    assert_books_prove()


def test_shares_that_are_not_there_are_bought_in_at_the_close(account, contracts) -> None:
    trade(fill(account, SHARE_PUT, 250, 2_000))
    quote(SHARE, 135_000)
    settle(account)
    assert not Holding.objects.filter(quantity__gt=0).exists()
    assert cash(account) == CASH - 250 * 2_000 + 250 * (140_000 - 135_000)
    auction = PositionChange.objects.get(kind="CLOSE_OUT")
    assert (auction.signed_quantity, auction.price) == (250, 135_000)
    assert_books_prove()


def test_a_share_future_delivers_at_the_close_of_the_share(account, contracts) -> None:
    trade(fill(account, SHARE_FUTURE, 250, 141_000))
    quote(SHARE, 145_000)
    settle(account)
    assert holding(account) == (250, 250 * 145_000)
    assert cash(account) == CASH + 250 * 4_000 - 250 * 145_000
    assert_books_prove()


def test_a_commodity_option_becomes_a_future_at_the_strike_and_is_marked_that_day(account, contracts) -> None:
    trade(fill(account, CRUDE_CALL, 2, 20_000, multiplier=100), fill(account, CRUDE_PUT, 2, 10_000, multiplier=100))
    quote(CRUDE, 615_000)
    settle(account, Group.COMMODITY)
    future = position(account, CRUDE)
    opened = PositionChange.objects.get(instrument_id=CRUDE.code, kind="EXPIRY")
    assert (opened.signed_quantity, opened.price) == (2, 600_000)
    assert (future.signed_quantity, future.open_cost) == (2, 2 * 100 * 615_000)
    assert cash(account) == CASH - 2 * 100 * 30_000 + 2 * 100 * 15_000
    assert position(account, CRUDE_PUT).signed_quantity == 0
    assert_books_prove()


def test_an_expiry_that_fell_on_a_holiday_ends_on_the_next_day(account) -> None:
    Instrument.objects.filter(code=CALL.code).update(expiry=MONDAY)
    trade(fill(account, CALL, 65, 15_000))
    quote(SPOT, 2_612_345)
    settle(account)
    assert position(account, CALL).signed_quantity == 0


def test_an_option_that_does_not_expire_moves_no_money(account) -> None:
    trade(fill(account, CALL, 65, 15_000))
    by_hand(CALL, 18_000)
    days.close(account)
    assert cash(account) == CASH - 65 * 15_000
    assert position(account, CALL).carried_price == 18_000


# --- shares -------------------------------------------------------------------------------------


def test_bought_shares_go_into_the_holdings_with_their_exact_cost(account) -> None:
    trade(fill(account, SHARE, 1, 33_333), fill(account, SHARE, 2, 33_334))
    by_hand(SHARE, 34_000)
    settle(account)
    assert holding(account) == (3, 100_001)
    flat = position(account, SHARE, Product.CNC)
    assert (flat.signed_quantity, flat.open_cost, flat.realised_pnl) == (0, 0, 0)
    assert_books_prove()


def test_sold_shares_come_out_of_the_holdings_and_realise_against_their_cost(account) -> None:
    trade(fill(account, SHARE, 3, 33_333))
    by_hand(SHARE, 34_000)
    settle(account)
    trade(fill(account, SHARE, -2, 35_000, trading_date=NEXT_DAY))
    settle(account, day=NEXT_DAY)
    assert holding(account) == (1, 33_333)
    assert position(account, SHARE, Product.CNC).realised_pnl == 2 * (35_000 - 33_333)
    assert_books_prove()


def test_intraday_leftovers_are_closed_by_the_house_at_the_settlement_price(account) -> None:
    trade(fill(account, SHARE, -10, 140_000, product=Product.INTRADAY))
    by_hand(SHARE, 141_000)
    settle(account)
    assert position(account, SHARE, Product.INTRADAY).signed_quantity == 0
    assert cash(account) == CASH - 10 * 1_000
    assert PositionChange.objects.filter(kind="CLOSE_OUT").count() == 1
    assert Funds.objects.get(account=account).used_margin == 0
    assert_books_prove()


def test_funded_shares_stay_open_and_cost_interest_for_the_nights_to_the_next_day(account) -> None:
    trade(fill(account, SHARE, 100, 140_000, product=Product.MTF))
    by_hand(SHARE, 140_000)
    settle(account)
    assert position(account, SHARE, Product.MTF).signed_quantity == 100
    transfer = Transfer.objects.get(kind="INTEREST")
    funded = transfer.details["funded"]
    assert 0 < funded < 100 * 140_000
    # 12.49 % a year for one night
    assert cash(account) == CASH - round(funded * 0.1249 / 365)
    assert transfer.reference == f"interest.2026-02-03.{account.pk}"
    friday = date(2026, 2, 6)
    by_hand(SHARE, 140_000, friday)
    settle(account, day=friday)
    assert Transfer.objects.get(reference=f"interest.2026-02-06.{account.pk}").details["nights"] == 3


# --- days that are made up for ---------------------------------------------------------------------


def test_what_was_traded_after_a_missed_day_waits_for_its_own_day(account) -> None:
    trade(fill(account, SHARE, 10, 140_000, product=Product.INTRADAY, trading_date=NEXT_DAY))
    settle(account)
    assert position(account, SHARE, Product.INTRADAY).signed_quantity == 10


def test_a_loss_below_the_floor_posts_and_marks_the_account(account) -> None:
    trade(fill(account, FUTURE, 65, 2_600_000))
    by_hand(FUTURE, 2_400_000)
    days.close(account)
    funds = Funds.objects.get(account=account)
    assert (funds.cash, funds.deficit) == (CASH - 65 * 200_000, True)
    assert_books_prove()


def test_cash_is_the_sum_of_its_entries(account) -> None:
    trade(fill(account, FUTURE, 65, 2_600_000), fill(account, CALL, 65, 15_000))
    by_hand(FUTURE, 2_607_500)
    by_hand(CALL, 16_000)
    days.close(account)
    entries = Entry.objects.filter(ledger_account__account=account)
    assert cash(account) == entries.aggregate(total=Sum("amount"))["total"]
