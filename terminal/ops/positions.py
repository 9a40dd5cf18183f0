"""One reading of everybody's positions at the last known prices, by account and for the house."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

from django.db.models import Q

from feeds.clock import wall_nanoseconds
from feeds.core.instrument import InstrumentKey
from feeds.selectors import last_prices
from rms.models import Funds, Position

MOST_ROWS = 1000
"""Rows that a page gets each second; the sums are of all of them."""
NANOSECONDS_PER_MILLISECOND = 1_000_000
COLUMNS = (
    "id",
    "account_id",
    "instrument_id",
    "instrument__name",
    "instrument__symbol",
    "instrument__multiplier",
    "product",
    "signed_quantity",
    "open_cost",
    "realised_pnl",
)


class Held(NamedTuple):
    """A position as it is stored; money in paise."""

    id: int
    account: int
    code: int
    name: str
    symbol: str
    multiplier: int
    product: str
    quantity: int
    open_cost: int
    realised: int

    @property
    def units(self) -> int:
        return self.quantity * self.multiplier

    def value(self, price: int) -> int:
        return self.units * price


class House(NamedTuple):
    """All open positions in sum, in paise: `gross` is either side added up, `net` with the short ones taken off.

    The result of the day is `realised` and `unrealised` together, before charges; `unpriced` positions add nothing.
    """

    gross: int
    net: int
    realised: int
    unrealised: int
    unpriced: int


def position_reading() -> dict[str, Any]:
    """What the position monitor shows. Money in paise; what has no known price has no unrealised result."""
    positions = held_positions()
    prices = last_prices({position.code for position in positions if position.quantity})
    shown = [position_row(position, prices.get(position.code)) for position in positions[:MOST_ROWS]]
    return {
        "at": wall_nanoseconds() // NANOSECONDS_PER_MILLISECOND,
        "accounts": account_rows(positions, prices),
        "positions": shown,
        "left_off": len(positions) - len(shown),
    }


def house_figures() -> House:
    positions = held_positions()
    prices = last_prices({position.code for position in positions if position.quantity})
    values = [position.value(prices[position.code]) for position in positions if position.code in prices]
    results = [unrealised(position, prices.get(position.code)) for position in positions]
    return House(
        gross=sum(map(abs, values)),
        net=sum(values),
        realised=sum(position.realised for position in positions),
        unrealised=sum(result or 0 for result in results),
        unpriced=results.count(None),
    )


def held_positions() -> list[Held]:
    """Open ones first, then those that were closed with a result."""
    rows = Position.objects.exclude(Q(signed_quantity=0) & Q(realised_pnl=0) & Q(day_buy_quantity=0))
    ordered = rows.order_by("account__name", "instrument__symbol", "product").values_list(*COLUMNS)
    return sorted((Held(*row) for row in ordered), key=lambda position: position.quantity == 0)


def position_row(position: Held, price: int | None) -> dict[str, Any]:
    return {
        "id": position.id,
        "account": position.account,
        "instrument": position.name or position.symbol,
        "key": str(InstrumentKey.from_code(position.code)),
        "product": position.product,
        "quantity": position.quantity,
        "average": round(position.open_cost / position.units) if position.quantity else None,
        "last": price,
        "realised": position.realised,
        "unrealised": unrealised(position, price),
    }


def unrealised(position: Held, price: int | None) -> int | None:
    """What closing at `price` would add to the realised result; None without a price."""
    if not position.quantity:
        return 0
    return None if price is None else position.value(price) - position.open_cost


def account_rows(positions: Iterable[Held], prices: dict[int, int]) -> list[dict[str, Any]]:
    """Accounts that hold something or bind money, with their sums."""
    results = sums_by_account(positions, prices)
    busy = Q(account__in=results) | Q(held_margin__gt=0) | Q(used_margin__gt=0) | Q(deficit=True)
    funds = Funds.objects.filter(busy).select_related("account").order_by("account__name")
    return [account_row(row, results.get(row.account_id, {})) for row in funds]


def sums_by_account(positions: Iterable[Held], prices: dict[int, int]) -> dict[int, dict[str, int]]:
    sums: dict[int, dict[str, int]] = {}
    for position in positions:
        account = sums.setdefault(position.account, {"open": 0, "realised": 0, "unrealised": 0, "unpriced": 0})
        result = unrealised(position, prices.get(position.code))
        account["open"] += position.quantity != 0
        account["realised"] += position.realised
        account["unrealised"] += result or 0
        account["unpriced"] += result is None
    return sums


def account_row(funds: Funds, sums: dict[str, int]) -> dict[str, Any]:
    is_unpriced = 0 < sums.get("open", 0) == sums.get("unpriced", 0)
    return {
        "id": funds.account_id,
        "name": funds.account.name,
        "cash": funds.cash,
        "held": funds.held_margin,
        "used": funds.used_margin,
        "available": funds.available,
        "deficit": funds.deficit,
        "open": sums.get("open", 0),
        "realised": sums.get("realised", 0),
        "unrealised": None if is_unpriced else sums.get("unrealised", 0),
        "unpriced": sums.get("unpriced", 0),
    }
