"""Fills change positions, cash, holds and margin together, once, and in few statements."""

from __future__ import annotations

from dataclasses import replace

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext

from rms import holds, ledger, margin
from rms.audit_ledger import audit
from rms.core.product import Product
from rms.fills import Fill, FillEffect, GroupKey, Kind, record_fills, refresh_margins
from rms.market import Market
from rms.models import AccountFact, Funds, Hold, MarginGroup, Position, PositionChange, TradingAccount, Transfer
from tests.rms import desk
from tests.rms.desk import CALL, CRUDE, DAY, FUTURE, NEXT_DAY, PUT, SHARE, fill

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def only_rms(monkeypatch):
    """These fills are of no order: the audit is to prove what rms keeps."""
    monkeypatch.setattr("rms.audit_ledger._trades", [])
    monkeypatch.setattr("rms.audit_ledger._live_references", [])


def record(market: Market, *fills: Fill) -> list[FillEffect]:
    with transaction.atomic():
        ledger.lock({each.account_id for each in fills})
        return record_fills(fills, market)


def funds(account: TradingAccount) -> Funds:
    return Funds.objects.get(pk=account.pk)


def cash_moved(reference: str) -> int:
    return Transfer.objects.get(reference=reference).entries.get(ledger_account__book="CASH").amount


# --- cash -----------------------------------------------------------------------------------------


def test_a_bought_option_is_paid_for_at_once(account, market):
    record(market, fill(account, CALL, 65, 15_000))
    assert (funds(account).cash, funds(account).used_margin) == (10_000_000 - 65 * 15_000, 0)


def test_a_sold_option_brings_its_premium_and_binds_margin(account, market):
    record(market, fill(account, CALL, -65, 15_000))
    assert funds(account).cash == 10_000_000 + 65 * 15_000
    assert funds(account).used_margin == MarginGroup.objects.get(group="NSE_FNO.NIFTY").used_margin > 0


def test_a_bought_share_is_paid_for_at_once(account, market):
    record(market, fill(account, SHARE, 10, 140_000))
    assert funds(account).cash == 10_000_000 - 1_400_000


def test_a_share_bought_for_the_day_moves_no_cash(account, market):
    record(market, fill(account, SHARE, 10, 140_000, product=Product.INTRADAY))
    assert (funds(account).cash, Transfer.objects.filter(kind="TRADE").count()) == (10_000_000, 0)


def test_a_future_moves_only_the_profit_it_realises(market):
    account = desk.make_account(1_000_000_000)
    record(market, fill(account, FUTURE, 65, 2_600_000))
    assert funds(account).cash == 1_000_000_000
    record(market, fill(account, FUTURE, -65, 2_601_000, reference="7.1"))
    assert (cash_moved("trade.7.1"), funds(account).cash) == (65_000, 1_000_065_000)


def test_a_loss_leaves_the_cash(market):
    account = desk.make_account(1_000_000_000)
    record(market, fill(account, FUTURE, 65, 2_600_000), fill(account, FUTURE, -65, 2_599_000, reference="7.1"))
    assert cash_moved("trade.7.1") == -65_000


def test_a_lot_of_crude_is_a_hundred_barrels(market):
    account = desk.make_account(1_000_000_000)
    record(market, fill(account, CRUDE, 2, 600_000), fill(account, CRUDE, -1, 601_000, reference="7.1"))
    assert cash_moved("trade.7.1") == 100 * 1_000


def test_an_option_that_expired_worthless_closes_without_a_transfer(account, market):
    record(market, fill(account, CALL, 65, 15_000))
    [effect] = record(market, fill(account, CALL, -65, 0, kind=Kind.EXPIRY, reference="7.1"))
    assert (effect.realised, effect.closed_quantity) == (-975_000, 65)
    assert not Transfer.objects.filter(kind="EXPIRY").exists()


# --- positions ------------------------------------------------------------------------------------


def test_fills_of_one_step_follow_each_other(account, market):
    effects = record(
        market,
        fill(account, CALL, 100, 17_500),
        fill(account, CALL, -150, 18_000),
        fill(account, CALL, 20, 17_000),
    )
    position = Position.objects.get()
    assert [each.realised for each in effects] == [0, 50_000, 20_000]
    assert (position.signed_quantity, position.open_cost, position.realised_pnl) == (-30, -540_000, 70_000)
    assert (position.day_buy_quantity, position.day_sell_quantity) == (120, 150)


def test_products_are_positions_of_their_own(account, market):
    record(market, fill(account, SHARE, 1, 100), fill(account, SHARE, -1, 100, product=Product.INTRADAY))
    assert sorted(Position.objects.values_list("product", "signed_quantity")) == [("CNC", 1), ("INTRADAY", -1)]


def test_a_fill_of_the_next_day_starts_the_days_figures_anew(account, market):
    record(market, fill(account, CALL, 65, 15_000), fill(account, CALL, -5, 16_000))
    record(market, fill(account, CALL, 5, 14_000, trading_date=NEXT_DAY))
    position = Position.objects.get()
    assert (position.trading_date, position.realised_pnl) == (NEXT_DAY, 0)
    assert (position.carried_quantity, position.carried_price) == (60, 15_000)
    assert (position.day_buy_quantity, position.day_sell_quantity, position.signed_quantity) == (5, 0, 65)


def test_a_mark_settles_what_is_open(market):
    account = desk.make_account(1_000_000_000)
    record(market, fill(account, FUTURE, 65, 2_600_000))
    record(market, fill(account, FUTURE, 0, 2_610_000, kind=Kind.MARK_TO_MARKET, reference="mtm.1"))
    transfer = Transfer.objects.get(kind="MARK_TO_MARKET")
    assert (transfer.reference, cash_moved(transfer.reference)) == ("mark_to_market.mtm.1", 650_000)
    assert Position.objects.get().open_cost == 65 * 2_610_000


# --- once -----------------------------------------------------------------------------------------


def test_the_same_fill_again_changes_nothing(account, market):
    again = fill(account, CALL, 65, 15_000)
    record(market, again)
    before = funds(account)
    assert record(market, again) == [FillEffect(again, repeated=True)]
    assert (funds(account).cash, funds(account).fact_offset) == (before.cash, before.fact_offset)
    assert (Position.objects.get().signed_quantity, PositionChange.objects.count()) == (65, 1)


def test_a_fill_that_moves_no_money_is_taken_once_too(market):
    account = desk.make_account(1_000_000_000)
    again = fill(account, FUTURE, 65, 2_600_000)
    record(market, again, again)
    record(market, again)
    assert Position.objects.get().signed_quantity == 65


# --- holds ----------------------------------------------------------------------------------------


def test_a_fill_posts_its_hold_to_what_is_left(account, market):
    holds.place(account.pk, {"order.1": 1_000_000})
    record(market, fill(account, CALL, 30, 15_000, hold_reference="order.1", hold_left=538_461))
    assert (funds(account).held_margin, Hold.objects.get().posted_amount) == (538_461, 461_539)
    record(market, fill(account, CALL, 35, 15_000, hold_reference="order.1"))
    assert (funds(account).held_margin, Hold.objects.get().state) == (0, "POSTED")


def test_the_last_fill_of_a_step_says_what_its_hold_still_binds(account, market):
    holds.place(account.pk, {"order.1": 1_000_000})
    fills = [fill(account, CALL, 10, 15_000, hold_reference="order.1", hold_left=left) for left in (600_000, 300_000)]
    record(market, *fills)
    assert funds(account).held_margin == 300_000


def test_a_hold_that_stays_can_be_resized_after_a_partial_fill(account, market):
    holds.place(account.pk, {"order.1": 0})
    record(market, fill(account, CALL, -10, 15_000, hold_reference="order.1", hold_stays=True))
    holds.resize("order.1", 5_000)
    assert funds(account).held_margin == 5_000


# --- margin and deficit ---------------------------------------------------------------------------


def test_used_margin_is_the_sum_of_the_groups(market):
    account = desk.make_account(10_000_000_000)
    record(market, fill(account, FUTURE, 65, 2_605_000), fill(account, CRUDE, -1, 600_000))
    groups = dict(MarginGroup.objects.values_list("group", "used_margin"))
    assert set(groups) == {"NSE_FNO.NIFTY", "MCX_COMM.CRUDEOIL"}
    assert funds(account).used_margin == sum(groups.values())
    assert groups["NSE_FNO.NIFTY"] == margin.used_margin(account.pk, "NSE_FNO.NIFTY", market, DAY)[0]


def test_a_closed_group_binds_nothing(market):
    account = desk.make_account(10_000_000_000)
    record(market, fill(account, FUTURE, 65, 2_605_000))
    record(market, fill(account, FUTURE, -65, 2_605_000))
    assert (funds(account).used_margin, MarginGroup.objects.get().used_margin) == (0, 0)


def test_margins_are_computed_anew_when_only_prices_moved(instruments):
    account = desk.make_account(10_000_000_000)
    record(desk.market_of(instruments), fill(account, CALL, -65, 15_000))
    before, later = funds(account).used_margin, desk.market_of(instruments, call=90_000, spot=2_680_000)
    with transaction.atomic():
        ledger.lock([account.pk])
        refresh_margins([GroupKey(account.pk, "NSE_FNO.NIFTY")], later, DAY)
    assert funds(account).used_margin == margin.used_margin(account.pk, "NSE_FNO.NIFTY", later, DAY)[0] > before


def test_a_fill_always_posts_and_marks_the_deficit(market):
    account = desk.make_account(1_000)
    record(market, fill(account, CALL, 65, 15_000))
    assert (funds(account).cash, funds(account).deficit) == (1_000 - 975_000, True)
    record(market, fill(account, CALL, -65, 16_000))
    assert (funds(account).cash, funds(account).deficit) == (66_000, False)
    alerts = AccountFact.objects.filter(kind="ALERT").order_by("offset").values_list("body__code", flat=True)
    assert list(alerts) == ["DEFICIT", "DEFICIT_CLEARED"]


def test_a_hold_that_becomes_a_position_is_no_deficit_on_the_way(market):
    """Cash pays what the hold held: no moment of it is below the floor."""
    account = desk.make_account(975_000)
    holds.place(account.pk, {"order.1": 975_000})
    record(market, fill(account, CALL, 65, 15_000, hold_reference="order.1"))
    assert (funds(account).available, funds(account).deficit) == (0, False)
    assert not AccountFact.objects.filter(kind="ALERT").exists()


# --- facts and pace -------------------------------------------------------------------------------


def test_the_step_is_told_as_it_ended(account, market):
    record(market, fill(account, CALL, 65, 15_000), fill(account, CALL, 65, 15_100), fill(account, PUT, 65, 14_000))
    told = list(AccountFact.objects.filter(account=account, offset__gt=1).values_list("kind", "body"))
    assert [kind for kind, _ in told] == ["FUNDS", "POSITION", "POSITION"]
    position = told[1][1]
    assert (position["instrument"], position["quantity"], position["average_price"]) == ("NSE_FNO.49081", 130, 15_050)


def step(accounts: list[TradingAccount], count: int) -> list[Fill]:
    """Twenty fills touch every account in every instrument; more touch nothing else."""
    keys = (CALL, PUT, FUTURE, CRUDE)
    return [fill(accounts[n % 5], keys[n % 4], 1 + n % 3, 15_000) for n in range(count)]


def statements(market: Market, fills: list[Fill]) -> int:
    with CaptureQueriesContext(connection) as queries:
        record(market, *fills)
    return len(queries)


def test_a_hundred_fills_take_as_many_statements_as_twenty(market):
    accounts = [desk.make_account(10_000_000_000) for _ in range(5)]
    statements(market, step(accounts, 20))
    assert statements(market, step(accounts, 20)) == statements(market, step(accounts, 100))


def test_one_fill_takes_few_statements(account, market):
    """Those of the margin group included."""
    record(market, fill(account, CALL, 65, 15_000))
    assert statements(market, [fill(account, CALL, 65, 15_000)]) <= 20


def test_many_fills_of_several_accounts_leave_books_that_can_be_proved(market):
    accounts = [desk.make_account(10_000_000_000) for _ in range(5)]
    record(market, *step(accounts, 50))
    sold = [replace(each, signed_quantity=-2 * each.signed_quantity, price=15_500) for each in step(accounts, 50)]
    record(market, *sold)
    assert audit().differences == []


def test_no_fills_are_no_change(market):
    assert record(market) == []
