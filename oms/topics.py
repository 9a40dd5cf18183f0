"""What orders add to the topic of an account: those that are open, and the day's trades."""

from __future__ import annotations

from collections.abc import Collection

from feeds import clock
from oms import selectors
from oms.facts import order_body, trade_body
from rms.topics import Part

SHOWN = 1000
"""Of each in one snapshot; the REST API pages through more."""


def parts_of(accounts: Collection[int]) -> dict[int, Part]:
    """Open orders and the trading date's trades of each account, in the bodies of their facts."""
    found = {account: Part({"orders": [], "trades": []}) for account in accounts}
    for order in selectors.live_orders(accounts):
        part = found[order.account_id]
        part.codes.append(order.instrument_id)
        if len(part.details["orders"]) < SHOWN:
            part.details["orders"].append(order_body(order))
    for trade in selectors.trades_of_day(accounts, clock.exchange_today()):
        if len(found[trade.account_id].details["trades"]) < SHOWN:
            found[trade.account_id].details["trades"].append(trade_body(trade))
    return found
