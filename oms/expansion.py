"""One request as the orders it becomes: itself, a bracket's three, a pair of exits, or slices below the freeze."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from oms.core.order import OrderType, Role, Side, Validity
from oms.core.rules import Contract, Draft
from oms.models import OrderGroup
from oms.requests import OrderRequest

Kind = OrderGroup.Kind
Protect = Callable[[Side, int], int]
"""The price that protects a market order of this side at a last price."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What is checked, and the orders that are made of it, the main one first."""

    checked: tuple[Draft, ...]
    drafts: tuple[Draft, ...]
    kind: OrderGroup.Kind | None = None


def plan_of(request: OrderRequest, contract: Contract, *, takes_stop_market: bool, protect: Protect) -> Plan:
    """Where stop-market orders are not taken (options), a stop gets the limit that would protect it."""
    if request.oco or request.is_bracket:
        exits = _exits(request, takes_stop_market, protect)
        drafts = exits if request.oco else (replace(draft_of(request), role=Role.ENTRY), *exits)
        return Plan(drafts, drafts, Kind.OCO if request.oco else Kind.BRACKET)
    draft = draft_of(request)
    freeze = contract.freeze_quantity
    if not request.slice or freeze is None or draft.quantity <= freeze or freeze < contract.lot:
        return Plan((draft,), (draft,))
    return Plan((draft,), tuple(_slices(draft, freeze // contract.lot * contract.lot)), Kind.SLICED)


def draft_of(request: OrderRequest) -> Draft:
    """The request itself, as one order."""
    return Draft(
        side=request.side,
        order_type=request.order_type,
        quantity=request.quantity,
        product=request.product,
        validity=request.validity,
        limit_price=request.limit_price,
        trigger_price=request.trigger_price,
        disclosed_quantity=request.disclosed_quantity,
        after_market=request.after_market,
        forever=request.forever,
        reduces=request.reduces,
        source=request.source,
    )


def _slices(draft: Draft, most: int) -> list[Draft]:
    whole, rest = divmod(draft.quantity, most)
    sizes = [most] * whole + ([rest] if rest else [])
    shown = min(draft.disclosed_quantity, rest or most)
    return [replace(draft, quantity=size, disclosed_quantity=shown, role=Role.SLICE) for size in sizes]


def _exits(request: OrderRequest, takes_stop_market: bool, protect: Protect) -> tuple[Draft, ...]:
    side = request.side if request.oco else request.side.opposite
    common = Draft(
        side=side,
        order_type=OrderType.LIMIT,
        quantity=request.quantity,
        product=request.product,
        validity=Validity.DAY,
        after_market=request.after_market,
        forever=request.forever,
        reduces=True,
        waits=not request.oco,
        source=request.source,
    )
    exits = []
    if request.target_price is not None:
        exits.append(replace(common, role=Role.TARGET, limit_price=request.target_price))
    if request.stop_price is not None:
        stop = replace(common, role=Role.STOP, trigger_price=request.stop_price)
        limit = None if takes_stop_market or request.stop_price <= 0 else protect(side, request.stop_price)
        kind = OrderType.STOP_LOSS_MARKET if limit is None else OrderType.STOP_LOSS
        exits.append(replace(stop, order_type=kind, limit_price=limit))
    return tuple(exits)
