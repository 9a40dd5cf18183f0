"""What the order book tells the audit of the ledger: its trades, and the orders that may still hold margin."""

from __future__ import annotations

from collections.abc import Iterator

from oms.changes import hold_reference
from oms.core.order import LIVE, Side
from oms.models import Order, Trade
from rms.audit_ledger import CHUNK, TradeRow

LIVE_VALUES = [status.value for status in LIVE]
COLUMNS = ("order_id", "number", "account_id", "instrument_id", "product", "side", "quantity", "price", "multiplier")


def trades() -> Iterator[TradeRow]:
    """Every trade, as the fill that was recorded of it."""
    for row in Trade.objects.order_by().values_list(*COLUMNS).iterator(CHUNK):
        order, number, account, code, product, side, quantity, price, multiplier = row
        yield TradeRow(f"{order}.{number}", account, code, product, Side(side).sign * quantity, price, multiplier)


def live_references() -> Iterator[str]:
    for pk in Order.objects.filter(status__in=LIVE_VALUES).order_by().values_list("pk", flat=True).iterator(CHUNK):
        yield hold_reference(pk)
