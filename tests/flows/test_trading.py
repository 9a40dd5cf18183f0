"""A trading day on paper through every process, from funds to contract note; the books agree to the paisa."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import pytest

from feeds import clock
from terminal.embedded import temporary_data
from tests.flows.desk import FILL_SECONDS, LOT, Desk, paise
from tests.flows.server import READY_SECONDS, running

pytestmark = [pytest.mark.processes, pytest.mark.timeout(400)]

PAID_IN = 300_000_00
STRIKE = 26_000
DAY_IS_OVER = datetime(2026, 2, 3, 16, 3, 58, tzinfo=clock.IST)
DAY_END = "SELECT status, attempts FROM feeds_jobrun WHERE job = 'day_end.EQUITY' AND trading_date = '2026-02-03'"
SHARE = "NSE_EQ.2885"


@pytest.fixture(scope="module")
def desk() -> Iterator[Desk]:
    with temporary_data("bt-flow-") as folder, running(Path(folder)) as server:
        desk = Desk(server)
        yield desk
        desk.auditor.end()


@pytest.fixture(scope="module")
def call(desk: Desk) -> str:
    return desk.option("CALL", STRIKE)


def test_funds_that_a_trader_asks_for_come_when_another_approves(desk: Desk):
    path = f"/api/v2/accounts/{desk.account}/funds-requests"
    asked = desk.post(path, {"direction": "IN", "amount": "300000.00", "reason": "to trade with"}, 201)
    assert asked["state"] == "WAITING"
    assert paise(desk.funds()["cash"]) == desk.opening
    desk.post(f"/api/v2/funds-requests/{asked['id']}/approve", {}, 200, username="admin")
    assert paise(desk.funds()["cash"]) == desk.opening + PAID_IN
    desk.opening += PAID_IN
    desk.agrees()


def test_a_market_order_is_protected_and_takes_what_is_displayed(desk: Desk, call: str):
    desk.show(call, last_price=100.0, bids=[[99.95, LOT]], asks=[[100.05, LOT], [100.5, LOT]])
    desk.server.wait_until(lambda: desk.last_price(call) == 100.0, FILL_SECONDS, "the price")
    bought = desk.becomes(desk.place(call, "BUY", 2 * LOT, order_type="MARKET"), "FILLED")
    assert bought["protection_price"] == "110.00"
    assert desk.fills(bought["id"]) == [(LOT, "100.05"), (LOT, "100.50")]
    desk.agrees()


def test_a_limit_order_fills_in_part_is_modified_and_fills_whole(desk: Desk, call: str):
    resting = desk.place(call, "BUY", 3 * LOT, order_type="LIMIT", limit_price="99.00")
    desk.becomes(resting, "OPEN")
    desk.show(call, last_price=99.2, bids=[[98.5, LOT]], asks=[[98.95, LOT]])
    desk.becomes(resting, "PARTIALLY_FILLED", filled_quantity=LOT)
    changed = desk.server.rest("PATCH", f"/api/v2/orders/{resting}", {"quantity": 2 * LOT, "limit_price": "98.90"})
    assert changed.status_code == 200, changed.text
    desk.becomes(resting, "PARTIALLY_FILLED", quantity=2 * LOT, limit_price="98.90")
    desk.show(call, last_price=99.2, bids=[[98.5, LOT]], asks=[[98.9, 5 * LOT]])
    desk.becomes(resting, "FILLED", filled_quantity=2 * LOT)
    assert desk.fills(resting) == [(LOT, "98.95"), (LOT, "98.90")]
    desk.agrees()


def test_a_stop_waits_for_its_trigger_and_sells_within_its_limit(desk: Desk, call: str):
    desk.quote(call, 99.0, 98.95, 99.05)
    stop = desk.place(call, "SELL", LOT, order_type="STOP_LOSS", trigger_price="95.00", limit_price="94.00")
    desk.becomes(stop, "TRIGGER_PENDING")
    desk.show(call, last_price=94.8, bids=[[94.5, LOT]], asks=[[95.0, LOT]])
    assert desk.becomes(stop, "FILLED")["triggered"]
    assert desk.fills(stop) == [(LOT, "94.50")]
    desk.agrees()


def test_a_brackets_stop_trails_and_its_exit_ends_the_target(desk: Desk, call: str):
    desk.quote(call, 100.0, 99.95, 100.05)
    entry = desk.place(
        call, "BUY", LOT, order_type="LIMIT", limit_price="100.10", target_price="120.00", stop_price="96.00",
        trailing_jump="1.00",
    )  # fmt: skip
    group = desk.becomes(entry, "FILLED")["group"]
    assert desk.fills(entry) == [(LOT, "100.05")]
    exits = {row["role"]: row["id"] for row in desk.get(f"/api/v2/orders?group={group}")["results"]}
    desk.becomes(exits["STOP"], "TRIGGER_PENDING", trigger_price="96.00")
    desk.becomes(exits["TARGET"], "OPEN")
    desk.quote(call, 105.0, 104.95, 105.05)
    desk.server.wait_until(
        lambda: paise(desk.order(exits["STOP"])["trigger_price"]) >= 100_00, FILL_SECONDS, "the stop to follow"
    )
    desk.show(call, last_price=99.9, bids=[[99.9, LOT]], asks=[[100.0, LOT]])
    desk.becomes(exits["STOP"], "FILLED")
    desk.becomes(exits["TARGET"], "CANCELLED")
    assert desk.fills(exits["STOP"]) == [(LOT, "99.90")]
    desk.agrees()


def test_an_iron_condor_is_placed_whole_for_less_than_its_legs(desk: Desk):
    legs = [("PUT", 25_900, "SELL", 60.0), ("PUT", 25_800, "BUY", 45.0)]
    legs += [("CALL", 26_100, "SELL", 55.0), ("CALL", 26_200, "BUY", 40.0)]
    wanted = []
    for kind, strike, side, price in legs:
        instrument = desk.option(kind, strike)
        desk.quote(instrument, price, price - 0.05, price + 0.05)
        wanted.append(
            {"instrument": instrument, "side": side, "quantity": LOT, "product": "MARGIN", "order_type": "MARKET"}
        )
    basket = desk.post("/api/v2/baskets", {"account": desk.account, "name": "Condor", "legs": wanted}, 201)["id"]
    preview = desk.post(f"/api/v2/baskets/{basket}/preview", None, 200)
    assert preview["sufficient"] is True
    assert 0 < paise(preview["total"]) < paise(preview["without_benefit"])
    assert paise(preview["benefit"]) == paise(preview["without_benefit"]) - paise(preview["total"])
    placed = desk.post(f"/api/v2/baskets/{basket}/place", {"client_reference": "condor"}, 201)["orders"]
    assert [order["side"] for order in placed] == ["BUY", "BUY", "SELL", "SELL"]
    bought_and_sold = {desk.fills(desk.becomes(order["id"], "FILLED")["id"])[0] for order in placed}
    assert bought_and_sold == {(LOT, "59.95"), (LOT, "45.05"), (LOT, "54.95"), (LOT, "40.05")}
    funds = desk.funds()
    assert paise(funds["held_margin"]) == 0
    assert 0 < paise(funds["used_margin"]) < paise(preview["without_benefit"])
    desk.agrees()


def test_squaring_off_closes_everything_and_frees_the_margin(desk: Desk, call: str):
    desk.quote(call, 100.0, 99.95, 100.05)
    orders = desk.post("/api/v2/positions/square-off", {"account": desk.account, "reason": "enough"}, 200)["orders"]
    assert len(orders) == 5
    for order in orders:
        desk.becomes(order["id"], "FILLED")
    assert all(row["quantity"] == 0 for row in desk.positions().values())
    funds = desk.funds()
    assert (funds["held_margin"], funds["used_margin"]) == ("0.00", "0.00")
    desk.agrees()


def test_the_days_end_charges_delivers_and_writes_a_note_that_agrees(desk: Desk):
    desk.post("/api/v2/watchlist/add", {"symbols": ["RELIANCE"]}, 200)
    desk.quote(SHARE, 1400.0, 1399.9, 1400.1)
    bought = desk.place(SHARE, "BUY", 10, order_type="LIMIT", limit_price="1400.10", product="CNC")
    desk.becomes(bought, "FILLED")
    desk.agrees()
    before = paise(desk.funds()["cash"])

    desk.server.start_at(DAY_IS_OVER, "worker", "beat")
    desk.server.wait_until(lambda: desk.server.query(DAY_END) == [("DONE", 1)], READY_SECONDS, "the day's end")

    [note] = desk.get(f"/api/v2/accounts/{desk.account}/statements")["results"]
    note = desk.get(f"/api/v2/statements/{note['id']}")["content"]
    charges = paise(note["charges"]["total"])
    assert charges == sum(map(paise, note["charges"]["lines"].values())) > 0
    after = paise(desk.funds()["cash"])
    assert after == before - charges == paise(note["cash"]["closing"])
    assert paise(note["cash"]["opening"]) + paise(note["cash"]["net"]) + paise(note["cash"]["other"]) == after
    [holding] = desk.get(f"/api/v2/accounts/{desk.account}/holdings")
    assert (holding["instrument"], holding["quantity"], holding["cost"]) == (SHARE, 10, "14001.00")
    assert desk.positions() == {} or all(row["quantity"] == 0 for row in desk.positions().values())
    desk.audit()
