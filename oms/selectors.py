"""Reading orders, trades and baskets: those of the accounts that a user may see, and no others."""

from __future__ import annotations

from collections.abc import Collection
from datetime import date

from django.db.models import QuerySet

from oms.core.order import LIVE
from oms.models import Basket, Order, OrderEvent, Trade
from rms.errors import AccountMissing
from rms.selectors import User, accounts_of

LIVE_VALUES = sorted(status.value for status in LIVE)


class OrderMissing(AccountMissing):
    """It does not exist, or is of somebody else's account: the caller cannot tell which."""

    def __str__(self) -> str:
        return "There is no such order."


class BasketMissing(AccountMissing):
    """The same, of a basket."""

    def __str__(self) -> str:
        return "There is no such basket."


def orders_of(user: User) -> QuerySet[Order]:
    return Order.objects.filter(account__in=accounts_of(user)).select_related("instrument")


def order_for(user: User, pk: int) -> Order:
    """Raises: OrderMissing."""
    order = orders_of(user).select_related("account", "instrument").filter(pk=pk).first()
    if order is None:
        raise OrderMissing
    return order


def events_of(order: Order) -> QuerySet[OrderEvent]:
    return order.events.select_related("actor").order_by("sequence")


def trades_of(user: User) -> QuerySet[Trade]:
    return Trade.objects.filter(account__in=accounts_of(user)).select_related("instrument")


def baskets_of(user: User) -> QuerySet[Basket]:
    return Basket.objects.filter(account__in=accounts_of(user)).prefetch_related("legs__instrument")


def basket_for(user: User, pk: int) -> Basket:
    """Raises: BasketMissing."""
    basket = baskets_of(user).select_related("account").filter(pk=pk).first()
    if basket is None:
        raise BasketMissing
    return basket


def live_orders(accounts: Collection[int]) -> QuerySet[Order]:
    """What is not ended yet of many accounts, oldest first."""
    return Order.objects.filter(account__in=accounts, status__in=LIVE_VALUES).order_by("account", "pk")


def trades_of_day(accounts: Collection[int], day: date) -> QuerySet[Trade]:
    return Trade.objects.filter(account__in=accounts, trading_date=day).order_by("account", "pk")
