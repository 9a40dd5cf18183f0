"""Held instruments: what has an open order or position is fed, and is let go some time after it has neither."""

from __future__ import annotations

from django.db import transaction

from feeds.clock import exchange_today, monotonic
from feeds.interest import Source, withdraw_interest
from feeds.models import Interest
from oms.interest import hold_instruments
from oms.models import LIVE_VALUES, Order
from rms import gate
from rms.models import Position

LINGER_SECONDS = 60.0
"""An instrument whose order was refused for want of a price stays as long, so that the next try finds one."""


class Holding:
    """Which held instruments nobody needs any more, and since when (monotonic)."""

    def __init__(self) -> None:
        self._idle_since: dict[int, float] = {}

    def look(self) -> None:
        """Hold what is needed and let go of what has not been for a while."""
        needed, held = needed_codes(), held_codes()
        if needed - held:
            hold_again()
        now = monotonic()
        self._idle_since = {code: self._idle_since.get(code, now) for code in held - needed}
        idle = {code for code, since in self._idle_since.items() if now - since >= LINGER_SECONDS}
        if idle:
            let_go(idle)


def needed_codes() -> set[int]:
    """Instruments with an open order or position."""
    orders = Order.objects.filter(status__in=LIVE_VALUES).order_by().values_list("instrument_id", flat=True)
    positions = Position.objects.exclude(signed_quantity=0).order_by().values_list("instrument_id", flat=True)
    return {*orders.distinct(), *positions.distinct()}


def held_codes() -> set[int]:
    rows = Interest.objects.filter(source=Source.HELD).exclude(codes=b"").values_list("owner", flat=True)
    return {int(owner) for owner in rows}


@transaction.atomic
def hold_again() -> None:
    """Take up what is needed and not held: a start after the interest was lost."""
    gate.shared()
    hold_instruments(needed_codes(), exchange_today())


@transaction.atomic
def let_go(codes: set[int]) -> None:
    """Under the closed gate: nobody is placing an order in them at this moment."""
    gate.exclusive()
    for code in codes - needed_codes():
        withdraw_interest(Source.HELD, str(code))
