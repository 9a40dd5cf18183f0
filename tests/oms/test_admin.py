"""The order book and the trade book in the admin: found by every filter, shown in rupees, exported as filtered."""

from __future__ import annotations

import pytest

from feeds.models import AuditEntry
from terminal.accounts.roles import Role
from tests.oms.books import exported, fill, make_books, make_order
from tests.rms import desk

pytestmark = pytest.mark.django_db


@pytest.fixture
def instruments(db):
    return desk.make_instruments()


@pytest.fixture
def books(people, instruments):
    return make_books(people[Role.TRADER], instruments[desk.CALL])


@pytest.fixture
def sale(people, books, instruments):
    """A share sold the day after, filled at two prices."""
    account = desk.make_account(owner=people[Role.TRADER], name="Beta")
    order = make_order(
        account, people[Role.TRADER], instruments[desk.SHARE], client_reference="=cmd()", side="SELL", quantity=10,
        order_type="MARKET", limit_price=None, product="CNC", status="FILLED", filled_quantity=10,
        filled_value=3 * 140_000 + 7 * 140_005, trading_date=desk.NEXT_DAY,
    )  # fmt: skip
    fill(order, 3, 140_000, 1)
    fill(order, 7, 140_005, 2)
    return order


def found(answer) -> list[str]:
    assert answer.status_code == 200
    return [row.client_reference for row in answer.context["cl"].result_list]


@pytest.mark.parametrize(
    "query",
    [
        {"status__exact": "FILLED"},
        {"side__exact": "SELL"},
        {"product__exact": "CNC"},
        {"instrument__segment__exact": "1"},
        {"trading_date_from": "2026-02-04", "trading_date_to": "2026-02-04"},
        {"q": "RELIANCE"},
        {"q": "=cmd"},
    ],
)
def test_an_order_is_found_by_each_filter_and_by_search(browser, sale, query):
    assert found(browser(Role.RISK).get("/admin/oms/order/", query)) == ["=cmd()"]


def test_orders_are_found_by_account(browser, sale):
    answer = browser(Role.RISK).get("/admin/oms/order/", {"account__id__exact": sale.account_id})
    assert found(answer) == ["=cmd()"]


def test_prices_are_shown_in_rupees(browser, sale, people, instruments):
    stop = {"order_type": "STOP_LOSS", "limit_price": 139_500, "trigger_price": 140_050, "client_reference": "stop"}
    make_order(sale.account, people[Role.TRADER], instruments[desk.SHARE], **stop)
    page = browser(Role.RISK).get("/admin/oms/order/").content.decode()
    assert "152.30" in page
    assert "1,395.00 / 1,400.50" in page  # a stop's limit, and the trigger before it
    assert "1,400.04" in page  # the average of 1,400.00 and 1,400.05, weighed


def test_an_order_shows_its_timeline_and_its_trades(browser, sale):
    page = browser(Role.OPERATOR).get(f"/admin/oms/order/{sale.pk}/change/").content.decode()
    assert "Timeline" in page
    assert "TRANSIT" in page
    assert "9,800.35" in page


def test_the_book_is_exported_as_it_is_filtered_and_no_cell_is_a_formula(browser, sale):
    answer = browser(Role.RISK).get("/admin/oms/order/export/", {"side__exact": "SELL"})
    assert answer["Content-Disposition"] == 'attachment; filename="orders.csv"'
    heading, line = exported(answer)
    assert heading.startswith("Order,Placed,Account,Instrument,Name,Side,Type")
    assert ",Beta,NSE_EQ.2885,RELIANCE,SELL,MARKET,DAY,CNC,10,10,,,1400.04,FILLED,,,MANUAL,'=cmd()" in line
    entry = AuditEntry.objects.get()
    assert (entry.actor.username, entry.action, entry.details) == (
        "risk",
        "order.export",
        {"filters": "side__exact=SELL"},
    )


def test_trades_are_exported_with_their_values(browser, sale):
    answer = browser(Role.RISK).get("/admin/oms/trade/export/", {"q": "RELIANCE"})
    _, second, first = exported(answer)
    assert ",SELL,CNC,3,1400.00,1,4200.00,'=cmd()" in first
    assert ",SELL,CNC,7,1400.05,1,9800.35,'=cmd()" in second


def test_a_trader_does_not_get_that_far(browser, sale):
    for address in ("/admin/oms/order/", "/admin/oms/order/export/", "/admin/oms/trade/export/"):
        assert browser(Role.TRADER).get(address).status_code == 302
    assert not AuditEntry.objects.exists()
