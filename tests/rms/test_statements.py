"""A contract note agrees with the ledger to the paisa, is written once, and prints."""

from __future__ import annotations

import csv
import io

import pytest
from django.db import IntegrityError, transaction
from django.db.models import Sum

from feeds.models import Instrument
from rms.charges import charged_trade
from rms.core.charges import ChargedTrade, Line
from rms.core.product import Product
from rms.models import Entry, Funds, Statement, Transfer
from rms.statements import render_csv, render_html
from tests.rms.day import by_hand, close, quote, trade
from tests.rms.desk import CALL, DAY, FUTURE, SHARE, SPOT, fill

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("redis", "instruments")]


def ordered(key, signed_quantity: int, price: int, reference: str, product: Product = Product.MARGIN) -> ChargedTrade:
    return charged_trade(Instrument.objects.get(code=key.code), product, signed_quantity, price, reference)


@pytest.fixture
def note(account) -> Statement:
    """A NIFTY option in two fills of one order, sold in part; a future carried; shares bought for delivery."""
    trade(
        fill(account, CALL, 65, 15_000),
        fill(account, CALL, 65, 15_005),
        fill(account, CALL, -65, 18_000),
        fill(account, FUTURE, 65, 2_570_000),
        fill(account, SHARE, 3, 33_333),
    )
    for key, price in ((CALL, 17_000), (FUTURE, 2_576_000), (SHARE, 34_000)):
        by_hand(key, price)
    _, written = close(
        account,
        ordered(CALL, 65, 15_000, "1"),
        ordered(CALL, 65, 15_005, "1"),
        ordered(CALL, -65, 18_000, "2"),
        ordered(FUTURE, 65, 2_570_000, "3"),
        ordered(SHARE, 3, 33_333, "4", Product.CNC),
    )
    return written


def test_the_charges_of_the_note_are_what_the_ledger_posted(note) -> None:
    charges = note.content["charges"]
    posted = Entry.objects.filter(transfer__kind="CHARGES", ledger_account__book="CHARGES")
    assert sum(charges["lines"].values()) == charges["total"] == posted.aggregate(total=Sum("amount"))["total"]
    assert Transfer.objects.get(kind="CHARGES").details == {"lines": charges["lines"]}
    assert charges["lines"][Line.BROKERAGE] == 3 * 2_000


def test_opening_and_all_that_moved_make_the_closing_balance_of_the_ledger(note, account) -> None:
    money = note.content["cash"]
    assert money["trades"] == -65 * 15_000 - 65 * 15_005 + 65 * 18_000 - 3 * 33_333
    assert money["mark_to_market"] == 65 * 6_000
    assert money["charges"] == -note.content["charges"]["total"]
    assert money["opening"] + money["net"] + money["other"] == money["closing"]
    assert money["closing"] == Funds.objects.get(account=account).cash


def test_a_contract_has_one_line_a_side_with_an_average_of_four_decimals(note) -> None:
    (call,) = (row for row in note.content["trades"] if row["instrument"] == str(CALL))
    assert call["bought"] == {"quantity": 130, "value": 65 * 30_005, "average": 1_500_250}
    assert call["sold"] == {"quantity": 65, "value": 65 * 18_000, "average": 1_800_000}


def test_fifo_stands_beside_the_moving_average_and_each_says_its_name(note) -> None:
    (fifo,) = (row for row in note.content["fifo"] if row["instrument"] == str(CALL))
    (position,) = (row for row in note.content["positions"] if row["instrument"] == str(CALL))
    assert (fifo["realised"], fifo["lots"], fifo["method"]) == (65 * 3_000, [[65, 15_005]], "FIFO")
    assert position["method"] == "moving average"
    # 65 of 130 that cost 19,503.25 together: 9,751.625, to the even paisa
    assert position["realised"] == 65 * 18_000 - 975_162


def test_the_days_result_of_each_position_is_told_and_where_its_price_came_from(note) -> None:
    results = {row["instrument"]: (row["day_pnl"], row["price_source"]) for row in note.content["positions"]}
    assert results[str(FUTURE)] == (65 * 6_000, "BY_HAND")
    assert results[str(CALL)] == (65 * (18_000 - 15_000) + 65 * (17_000 - 15_005), "BY_HAND")


def test_shares_are_in_the_holdings_of_the_note_with_their_cost(note) -> None:
    (held,) = note.content["holdings"]
    assert (held["quantity"], held["cost"]) == (3, 99_999)


def test_an_exercise_is_on_the_note_and_its_tax_in_the_charges(account) -> None:
    Instrument.objects.filter(code=CALL.code).update(expiry=DAY)
    trade(fill(account, CALL, 65, 15_000))
    quote(SPOT, 2_610_000)
    charges, written = close(account)
    assert charges.lines == {Line.STT: 800}
    (expiry,) = written.content["settlements"]
    assert (expiry["kind"], expiry["quantity"], expiry["price"], expiry["amount"]) == ("EXPIRY", -65, 10_000, 650_000)


def test_what_the_house_closed_is_charged_as_such(account) -> None:
    trade(fill(account, SHARE, 100, 100_000, product=Product.INTRADAY))
    by_hand(SHARE, 101_000)
    charges, _ = close(account, ordered(SHARE, 100, 100_000, "1", Product.INTRADAY))
    assert charges.lines[Line.SQUARE_OFF] == 2_000
    assert charges.total == 8_272 + 2_360


def test_a_note_is_written_once(note, account) -> None:
    with pytest.raises(IntegrityError), transaction.atomic():
        Statement.objects.create(account=account, trading_date=DAY, group="EQUITY", content={})


def test_its_content_holds_whole_numbers_only(note) -> None:
    def figures(value: object):
        if isinstance(value, dict):
            return [each for part in value.values() for each in figures(part)]
        if isinstance(value, list):
            return [each for part in value for each in figures(part)]
        return [value]

    note.refresh_from_db()
    assert {type(each) for each in figures(note.content)} <= {int, str, type(None)}


def test_as_csv_every_row_is_as_long_as_its_header_and_money_adds_up(note) -> None:
    header, *rows = csv.reader(io.StringIO(render_csv(note)))
    assert {len(row) for row in rows} == {len(header)}
    money = {row[4]: row[7] for row in rows if row[0] == "cash"}
    assert money["closing"] == f"{note.content['cash']['closing'] / 100:.2f}"


def test_it_prints_as_a_page_of_its_own_without_scripts_or_inline_styles(note) -> None:
    page = render_html(note)
    assert "NIFTY-Feb2026-26000-CE" in page
    assert "150.0250" in page
    assert "Closing balance" in page
    assert "<script" not in page
    assert "style=" not in page


def test_names_on_the_page_are_escaped(note, account) -> None:
    account.name = "<b>Alpha</b>"
    account.save()
    note.refresh_from_db()
    assert "<b>Alpha" not in render_html(note)
