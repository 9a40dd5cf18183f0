"""What fills make of a position: moving average to the paisa, and beside it FIFO lots and the day's net value."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import NamedTuple


@dataclass(frozen=True, slots=True)
class PositionState:
    """A position as it stands. Quantities are units (lots on MCX), money paise, the multiplier included.

    `open_cost` is signed like the quantity: 100 bought at 10.00 cost 1,000.00, 100 sold short cost -1,000.00.
    `realised_pnl` and the day's figures belong to one trading date; `start_day` begins the next.
    """

    signed_quantity: int = 0
    open_cost: int = 0
    realised_pnl: int = 0
    day_buy_quantity: int = 0
    day_buy_value: int = 0
    day_sell_quantity: int = 0
    day_sell_value: int = 0
    carried_quantity: int = 0
    carried_price: int = 0


@dataclass(frozen=True, slots=True)
class Effect:
    """What one fill did: profit realised in paise, and how much of it closed and opened (units, never negative)."""

    realised: int = 0
    closed_quantity: int = 0
    opened_quantity: int = 0


def apply_fill(
    state: PositionState, signed_quantity: int, price: int, multiplier: int = 1
) -> tuple[PositionState, Effect]:
    """Add one fill (units, positive bought; price in paise): what is opposite closes first, the rest opens.

    A part that is closed takes its share of `open_cost`, rounded half to even; the last part takes what is left.
    So realised + unrealised = cash flow + mark x quantity to the paisa, always.

    Raises:
        ValueError: nothing was filled.
    """
    if not signed_quantity:
        raise ValueError("a fill of nothing")
    closing = closing_part(state.signed_quantity, signed_quantity)
    opening = signed_quantity - closing
    share = cost_share(state, -closing)
    realised = -closing * price * multiplier - share
    filled = replace(
        _with_day(state, signed_quantity, price * multiplier),
        signed_quantity=state.signed_quantity + signed_quantity,
        open_cost=state.open_cost - share + opening * price * multiplier,
        realised_pnl=state.realised_pnl + realised,
    )
    return filled, Effect(realised, abs(closing), abs(opening))


def closing_part(held: int, signed_quantity: int) -> int:
    """How much of a signed quantity closes what is held, signed like the quantity; 0 when both point one way."""
    if held * signed_quantity >= 0:
        return 0
    closed = min(abs(held), abs(signed_quantity))
    return closed if signed_quantity > 0 else -closed


def cost_share(state: PositionState, signed_quantity: int) -> int:
    """The part of `open_cost` that a part of the open quantity (signed alike) cost, in paise."""
    if not signed_quantity:
        return 0
    return round(Fraction(state.open_cost * signed_quantity, state.signed_quantity))


def _with_day(state: PositionState, signed_quantity: int, unit_value: int) -> PositionState:
    if signed_quantity > 0:
        return replace(
            state,
            day_buy_quantity=state.day_buy_quantity + signed_quantity,
            day_buy_value=state.day_buy_value + signed_quantity * unit_value,
        )
    return replace(
        state,
        day_sell_quantity=state.day_sell_quantity - signed_quantity,
        day_sell_value=state.day_sell_value - signed_quantity * unit_value,
    )


def mark_to(state: PositionState, price: int, multiplier: int = 1) -> tuple[PositionState, Effect]:
    """Settle what is open at a price: its profit so far is realised, and from now on it cost that price."""
    realised = unrealised_pnl(state, price, multiplier)
    marked = replace(state, open_cost=state.open_cost + realised, realised_pnl=state.realised_pnl + realised)
    return marked, Effect(realised)


def deliver(state: PositionState, signed_quantity: int, realised: int = 0) -> tuple[PositionState, Effect]:
    """Move a part (signed against the position) into or out of the holdings: its cost goes along, no money moves.

    `realised` is what a sale brought beyond what the shares had cost in the holdings; what is bought realises nothing.

    Raises:
        ValueError: it is more than is open, or points the same way.
    """
    if closing_part(state.signed_quantity, signed_quantity) != signed_quantity or not signed_quantity:
        raise ValueError("only what is open can be delivered")
    delivered = replace(
        state,
        signed_quantity=state.signed_quantity + signed_quantity,
        open_cost=state.open_cost - cost_share(state, -signed_quantity),
        realised_pnl=state.realised_pnl + realised,
    )
    return delivered, Effect(realised, abs(signed_quantity))


def start_day(state: PositionState, carried_price: int) -> PositionState:
    """The same position on the morning after: the day's figures are zero, what is open was carried at this price."""
    return PositionState(
        signed_quantity=state.signed_quantity,
        open_cost=state.open_cost,
        carried_quantity=state.signed_quantity,
        carried_price=carried_price if state.signed_quantity else 0,
    )


def unrealised_pnl(state: PositionState, mark: int, multiplier: int = 1) -> int:
    """Paise that closing everything at `mark` would realise."""
    return mark * state.signed_quantity * multiplier - state.open_cost


def average_price(signed_quantity: int, open_cost: int, multiplier: int = 1) -> Fraction | None:
    """What one unit that is open cost on average, in paise, exactly. None: nothing is open."""
    return Fraction(open_cost, signed_quantity * multiplier) if signed_quantity else None


# --- the other two views ------------------------------------------------------------------------


class Traded(NamedTuple):
    """One fill: units, positive bought, and the price in paise."""

    signed_quantity: int
    price: int


class Lot(NamedTuple):
    """What is left of one fill."""

    signed_quantity: int
    price: int


def fifo(fills: Iterable[Traded], multiplier: int = 1) -> tuple[tuple[Lot, ...], int]:
    """The open lots, oldest first, and the profit realised in paise, when what came first goes first.

    This is the method of statements and of tax; screens and risk use the moving average.
    """
    lots: deque[Lot] = deque()
    realised = 0
    for signed_quantity, price in fills:
        left = signed_quantity
        while lots and left * lots[0].signed_quantity < 0:
            lot = lots.popleft()
            closing = closing_part(lot.signed_quantity, left)
            realised += -closing * (price - lot.price) * multiplier
            left -= closing
            if lot.signed_quantity + closing:
                lots.appendleft(Lot(lot.signed_quantity + closing, lot.price))
        if left:
            lots.append(Lot(left, price))
    return tuple(lots), realised


def net_value_average(fills: Iterable[Traded]) -> Fraction | None:
    """Paise that each open unit cost when all that was bought and sold is netted: sales book their profit into it.

    None: nothing is open.
    """
    quantity = value = 0
    for signed_quantity, price in fills:
        quantity += signed_quantity
        value += signed_quantity * price
    return Fraction(value, quantity) if quantity else None
