"""Baskets: up to twenty legs that are looked at together and placed together, hedges first, or not at all."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.contrib.auth.models import AbstractBaseUser
from django.db import transaction

from feeds import clock
from oms import placing, services
from oms.core.basket import hedges_first
from oms.core.order import OrderStatus, OrderType, Side, Source, Validity
from oms.core.rules import Refusal
from oms.desk import Desk
from oms.errors import OrderError
from oms.models import Basket, BasketLeg, Order, OrderGroup
from oms.requests import OrderRequest
from rms.core.product import Product
from rms.market import NoMarketData
from rms.models import Funds, TradingAccount

LEGS_LIMIT = 20


class BasketRefused(OrderError):
    """A leg was refused, so none was placed. Details: `legs`, one report each in the order of the basket."""

    code = "BASKET_REFUSED"

    def __init__(self, legs: Sequence[dict[str, Any]]) -> None:
        refused = [leg for leg in legs if leg["code"]]
        super().__init__(f"{len(refused)} of {len(legs)} legs were refused, so none was placed.", legs=list(legs))


@dataclass(frozen=True, slots=True)
class Leg:
    """One order of a basket, as a value. Prices in paise, quantities as in an order."""

    code: int
    side: Side
    quantity: int
    product: Product
    order_type: OrderType = OrderType.LIMIT
    validity: Validity = Validity.DAY
    limit_price: int | None = None
    trigger_price: int | None = None


@dataclass(frozen=True, slots=True)
class Preview:
    """What a basket would need, in paise: with its hedges, without them, and what they save. Legs as they were given.

    Without a price of some leg the margins are not known (None), and its refusal says so.
    """

    total: int | None
    without_benefit: int | None
    benefit: int | None
    available: int
    refusals: tuple[Refusal | None, ...]


def legs_of(basket: Basket) -> list[Leg]:
    return [
        Leg(
            row.instrument_id, Side(row.side), row.quantity, Product(row.product), OrderType(row.order_type),
            Validity(row.validity), row.limit_price, row.trigger_price,
        )
        for row in basket.legs.all()
    ]  # fmt: skip


def preview(account: TradingAccount, legs: Sequence[Leg], user: AbstractBaseUser | None) -> Preview:
    """Check and margin all legs as if they were placed now; nothing is held, nothing locked.

    Raises:
        OrderError: no legs, or too many.
        OrderRefused: an instrument is unknown.
    """
    require_size(legs)
    order = hedges_first([leg.side for leg in legs])
    requests = _requests(account, [legs[place] for place in order], "preview")
    funds = Funds.objects.get(pk=account.pk)
    desk = Desk.open(funds, None if user is None else user.pk, clock.exchange_now(), {leg.code for leg in legs})
    intents = services.intents_of(desk, requests, counted_once=True)
    total, alone = _margins(desk, intents)
    placing.check_all([placing.Placement(desk, intents, together=True)], subscribe=False)
    refusals = {place: intent.refusal for place, intent in zip(order, intents, strict=True)}
    benefit = None if total is None or alone is None else max(alone - total, 0)
    found = tuple(refusals[place] for place in range(len(legs)))
    return Preview(total, alone, benefit, funds.available - funds.floor, found)


def _margins(desk: Desk, intents: Sequence[placing.Intent]) -> tuple[int | None, int | None]:
    """Of all legs together, and the sum of each alone."""
    pending = [each for number, intent in enumerate(intents) for each in placing.pending_of(desk, intent, number)]
    try:
        together = desk.margin_of(pending)
        alone = [desk.margin_of([each]) for each in pending]
    except NoMarketData:
        return None, None
    return sum(together.values()), sum(sum(each.values()) for each in alone)


@transaction.atomic
def place_basket(basket: Basket, user: AbstractBaseUser | None, *, client_reference: str) -> list[Order]:
    """Place every leg or none; the orders in the order of the legs. A repeat of the reference gets the first ones.

    Raises:
        BasketRefused: with a report leg by leg; nothing was placed.
        ReferenceTaken: the reference named another basket or order before.
        OrderError: the basket is empty.
    """
    legs = legs_of(basket)
    require_size(legs)
    places = hedges_first([leg.side for leg in legs])
    requests = _requests(basket.account, [legs[place] for place in places], client_reference)
    group = OrderGroup.objects.create(
        account_id=basket.account_id, kind=OrderGroup.Kind.BASKET, details={"basket": basket.pk, "name": basket.name}
    )
    placed = services.place_orders(requests, user, group=group)
    by_place = dict(zip(places, placed, strict=True))
    orders = [by_place[place] for place in range(len(legs))]
    if any(order.status == OrderStatus.REJECTED and order.sequence == 1 for order in orders):
        raise BasketRefused([report(order) for order in orders])
    if all(order.group_id != group.pk for order in orders):
        group.delete()
    return orders


def report(order: Order) -> dict[str, Any]:
    """How it went with one leg; no code: it would have been taken."""
    return {"instrument": str(order.instrument.key), "side": order.side, "quantity": order.quantity,
            "code": order.reason_code, "message": order.reason}  # fmt: skip


def require_size(legs: Sequence[object]) -> None:
    if not 0 < len(legs) <= LEGS_LIMIT:
        raise OrderError(f"A basket has 1 to {LEGS_LIMIT} legs.", legs=len(legs), limit=LEGS_LIMIT)


def _requests(account: TradingAccount, legs: Sequence[Leg], reference: str) -> list[OrderRequest]:
    """The legs in the order in which they are placed, each with a reference of its own."""
    return [
        OrderRequest(
            account_id=account.pk, code=leg.code, side=leg.side, quantity=leg.quantity, product=leg.product,
            client_reference=f"{reference}.{number}", order_type=leg.order_type, validity=leg.validity,
            limit_price=leg.limit_price, trigger_price=leg.trigger_price, source=Source.BASKET,
        )
        for number, leg in enumerate(legs, start=1)
    ]  # fmt: skip


# --- keeping them ---------------------------------------------------------------------------------------


@transaction.atomic
def save_basket(
    *, account: TradingAccount, user: AbstractBaseUser, name: str, legs: Sequence[Leg], basket: Basket | None = None
) -> Basket:
    """A new basket, or another name and other legs for one that is there.

    Raises:
        OrderError: no legs, too many, or another basket of the account has this name (`NAME_TAKEN`).
    """
    require_size(legs)
    others = Basket.objects.filter(account=account, name=name).exclude(pk=basket.pk if basket else None)
    if others.exists():
        raise NameTaken(f"The account has a basket called {name}.", name=name)
    if basket is None:
        basket = Basket.objects.create(account=account, user=user, name=name)
    else:
        Basket.objects.filter(pk=basket.pk).update(name=name)
        basket.legs.all().delete()
    BasketLeg.objects.bulk_create(
        BasketLeg(
            basket=basket, position=position, instrument_id=leg.code, side=leg.side, order_type=leg.order_type,
            product=leg.product, validity=leg.validity, quantity=leg.quantity, limit_price=leg.limit_price,
            trigger_price=leg.trigger_price,
        )
        for position, leg in enumerate(legs)
    )  # fmt: skip
    return Basket.objects.get(pk=basket.pk)


class NameTaken(OrderError):
    code = "NAME_TAKEN"
