"""A trader's day in a real browser on a whole server, then an operator's change: each test goes on from the last.

The simulator's market; what an order needs to fill at a known price is scripted, everything else walks by itself.
"""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.browser.axe import grave_violations
from tests.browser.terminal import SEEN_SECONDS, Terminal
from tests.flows.desk import LOT, OPTIONS
from tests.flows.server import Server

pytestmark = [pytest.mark.browser, pytest.mark.processes, pytest.mark.timeout(300)]
expect.set_options(timeout=SEEN_SECONDS * 1000)

STRIKE = 25_800
EXPIRY = "10 Feb"
CALL = f"NIFTY {EXPIRY} {STRIKE} CE"
RECOVERY_SECONDS = 60.0
FEED_BANNER = '[data-banner="feed"]'
CONNECTION_BANNER = '[data-banner="connection"]'
SEEN_TOGETHER = (
    (("Watchlists", "watchlist"), ("Chart", "chart"), ("Order ticket", "ticket"), ("Positions", "positions")),
    (("Movers", "movers"), ("Option chain", "chain"), ("Orders", "orders"), ("Depth", "depth")),
    (("Strategy", "strategy"), ("Trades", "trades")),
    (("Statements", "statement"), ("Holdings", "holdings")),
    (("Settings", "settings"), ("Funds", "funds")),
    (("Alerts", "alerts"),),
)
"""Every panel once; axe looks at all that is seen."""


@pytest.fixture(scope="module")
def call(server: Server) -> str:
    [(number,)] = server.query(OPTIONS, "CALL", STRIKE * 100)
    return f"NSE_FNO.{number}"


def last_price(trader: Terminal, instrument: str) -> Locator:
    return trader.panel("watchlist").locator(f'[row-id="{instrument}"] [col-id="last"]')


def quote(server: Server, instrument: str, last: float) -> None:
    """From now on it shows this price, with a book of a step on either side."""
    bids, asks = [[last - 0.05, 10 * LOT]], [[last + 0.05, 10 * LOT]]
    server.script(instrument=instrument, last_price=last, bids=bids, asks=asks)


def shown_like(trader: Terminal, other: Terminal, title: str, name: str) -> None:
    """Both show the same there, to the letter."""
    here, there = trader.open(title, name), other.open(title, name)
    trader.until(lambda: here.inner_text() == there.inner_text(), f"{name} to be the same on a new page")


# --- the trader -----------------------------------------------------------------------------------


def test_who_is_not_signed_in_can_read_the_login(trader: Terminal):
    trader.page.goto("/")
    expect(trader.page.get_by_role("button", name="Sign in")).to_be_visible()
    assert grave_violations(trader.page) == []


def test_a_trader_signs_in_and_prices_move(trader: Terminal):
    trader.sign_in("trader")
    nifty = last_price(trader, "IDX_I.13")
    expect(nifty).to_have_text(re.compile(r"^[\d,]+\.\d\d$"))
    expect(nifty).not_to_have_text(nifty.inner_text())


def test_a_contract_is_found_by_its_words(trader: Terminal):
    trader.search("Search an instrument", f"nifty {STRIKE} ce", f"{STRIKE}")
    expect(trader.panel("chart")).to_contain_text(f"{STRIKE} CE")


def test_a_share_that_is_added_to_a_watchlist_moves_there(trader: Terminal):
    trader.search("Add an instrument to this watchlist", "infy", "INFY")
    infosys = last_price(trader, "NSE_EQ.1594")
    expect(infosys).to_have_text(re.compile(r"^[\d,]+\.\d\d$"))
    expect(infosys).not_to_have_text(infosys.inner_text())


def test_a_chain_shows_prices_and_greeks_around_the_money(trader: Terminal):
    chain = trader.open("Option chain", "chain")
    chain.get_by_role("combobox", name="Underlying").select_option("NSE_FNO.NIFTY")
    chain.get_by_role("tab", name=EXPIRY).click()
    expect(chain.get_by_role("rowheader", name=str(STRIKE))).to_be_visible()
    expect(chain.locator(".chain-row.atm")).to_be_visible()
    expect(chain).to_contain_text(re.compile(r"ATM IV\s*\d+\.\d\d%"))


def test_a_bracket_is_placed_from_the_chain_and_its_profit_moves(trader: Terminal, server: Server, call: str):
    quote(server, call, 400.0)
    chain = trader.panel("chain")
    row = chain.get_by_role("row").filter(has=trader.page.get_by_role("rowheader", name=str(STRIKE), exact=True))
    ask = row.locator('[data-side="0"][data-trade="BUY"]')
    expect(ask).to_have_text("400.05")
    ask.click()
    ticket = trader.panel("ticket")
    ticket.get_by_role("radio", name="Bracket").check(force=True)
    ticket.get_by_label("Target", exact=True).fill("450")
    ticket.get_by_label("Stop", exact=True).fill("380")
    ticket.get_by_role("button", name=re.compile("^Buy 65")).click()
    trader.agree("Buy")
    trader.shows(trader.told("Bought"))
    position = trader.open("Positions", "positions").get_by_role("row").filter(has_text=f"{STRIKE} CE")
    expect(position).to_contain_text("400.05")
    quote(server, call, 410.0)
    expect(position).to_contain_text("+646.75")
    quote(server, call, 405.0)
    expect(position).to_contain_text("+321.75")


def test_the_exits_of_the_bracket_wait_in_the_order_book(trader: Terminal):
    orders = trader.open("Orders", "orders")
    expect(orders.get_by_role("row").filter(has_text="Trigger pending")).to_contain_text("380.00")
    expect(orders.get_by_role("row").filter(has_text="Target")).to_contain_text("450.00")


def test_an_iron_condor_is_built_and_placed_whole(trader: Terminal):
    strategy = trader.open("Strategy", "strategy")
    strategy.get_by_label("Expiry").first.select_option(label="10 Feb 2026")
    strategy.get_by_role("button", name="Iron condor", exact=True).click()
    expect(strategy.get_by_role("list", name="Legs").get_by_role("listitem")).to_have_count(4)
    expect(strategy.get_by_role("img", name=re.compile("breaks even at"))).to_be_visible()
    expect(strategy.get_by_text("Benefit").locator("..").locator("dd")).to_have_text(re.compile(r"^[\d,]+\.\d\d$"))
    strategy.get_by_role("button", name="Place all").click()
    trader.agree("Place 4 legs")
    expect(strategy.get_by_text("4 orders are on their way.")).to_be_visible()
    positions = trader.open("Positions", "positions")
    expect(positions.get_by_role("tab", name=re.compile("Open 5"))).to_be_visible()


def test_an_alert_is_set_and_comes(trader: Terminal, server: Server, call: str):
    trader.panel("positions").get_by_role("button", name=re.compile(f"{STRIKE} CE$")).first.click()
    alerts = trader.open("Alerts", "alerts")
    form = alerts.get_by_role("form", name=re.compile("New alert"))
    form.get_by_label("Level in rupees").fill("415.00")
    form.get_by_role("button", name="Set alert").click()
    expect(alerts.get_by_role("cell", name="Active")).to_be_visible()
    quote(server, call, 416.0)
    trader.shows(trader.told(re.compile("Alert:")))
    alerts.get_by_role("tab", name="History").click()
    expect(alerts.get_by_role("row").filter(has_text="416.00")).to_be_visible()


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_every_panel_can_be_read_and_reached_by_all(trader: Terminal, theme: str):
    trader.page.get_by_role("button", name=f"Use the {theme} theme").click()
    for together in SEEN_TOGETHER:
        for title, name in together:
            trader.open(title, name)
        assert grave_violations(trader.page) == []


def test_a_feed_that_is_killed_is_told_and_comes_back_by_itself(trader: Terminal, server: Server):
    trader.open("Watchlists", "watchlist")
    server.stack.kill("feed")
    banner = trader.page.locator(FEED_BANNER)
    expect(banner).to_be_visible()  # nobody looks after the processes until it is
    trader.until(lambda: not banner.count(), "the feed to be back", RECOVERY_SECONDS)
    nifty = last_price(trader, "IDX_I.13")
    before = nifty.inner_text()
    trader.until(lambda: nifty.inner_text() != before, "prices that move again", RECOVERY_SECONDS)


def test_a_web_replica_that_is_killed_is_told_and_no_reload_is_needed(trader: Terminal, server: Server, call: str):
    trader.page.evaluate("() => { window.sameAsBefore = true }")
    server.stack.kill("web")
    banner = trader.page.locator(CONNECTION_BANNER)
    expect(banner).to_be_visible()
    trader.until(lambda: not banner.count(), "the connection to be back", RECOVERY_SECONDS)
    quote(server, call, 420.0)
    position = trader.open("Positions", "positions").get_by_role("row").filter(has_text=f"{STRIKE} CE")
    trader.until(lambda: "420.00" in position.first.inner_text(), "the price of now", RECOVERY_SECONDS)
    assert trader.page.evaluate("() => window.sameAsBefore") is True
    assert trader.mistakes == []


def test_what_is_shown_after_all_that_is_what_a_new_page_shows(trader: Terminal, server: Server):
    """Snapshot and updates, whatever was missed in between, come to what a fresh snapshot says."""
    with server.frozen(), trader.another_page("/") as page:
        other = Terminal(page, server)
        for title, name in (("Watchlists", "watchlist"), ("Orders", "orders"), ("Positions", "positions")):
            shown_like(trader, other, title, name)


def test_a_trader_signs_out(trader: Terminal):
    trader.page.get_by_role("button", name="User:").click()
    trader.page.get_by_role("button", name="Sign out").click()
    trader.agree("Sign out")
    expect(trader.page.get_by_role("button", name="Sign in")).to_be_visible()


# --- the operator ---------------------------------------------------------------------------------


CHOICES = {"Segment": "NSE_FNO", "Account": "demo", "Sides": "Call and put"}
NUMBERS = {"Weekly": 0, "Monthly": 1, "Quarterly": 0, "Half yearly": 0, "Strikes": 5, "Position": 20}


def tier_b_of(page: Page, place: str) -> Locator:
    return page.locator(f"{place} dl div").filter(has_text="Tier B").locator("dd")


def test_an_operator_adds_a_chain_and_sees_the_capacity_change(operator: Terminal):
    operator.sign_in("operator")
    operator.page.goto("/admin/")
    tier_b = tier_b_of(operator.page, "#ops-accounts")
    expect(tier_b).to_have_text("2,272")
    assert grave_violations(operator.page) == []
    with operator.another_page("/admin/feeds/chaindefinition/add/") as editor:
        editor.get_by_label("Underlying symbol").fill("SBIN")
        for label, choice in CHOICES.items():
            editor.get_by_role("combobox", name=label).select_option(label=choice)
        for label, number in NUMBERS.items():
            editor.get_by_role("spinbutton", name=label).fill(str(number))
        expect(editor.locator("#chain-slots")).to_contain_text("5 strikes")
        expect(tier_b_of(editor, "#chain-effect")).to_have_text("2,282")
        editor.get_by_label("Reason").fill("Asked for by the desk")
        editor.get_by_role("button", name="Save", exact=True).click()
        expect(editor.get_by_text("was added successfully")).to_be_visible()
    operator.until(lambda: tier_b.inner_text() == "2,282", "the page to show the capacity as it is now")
