"""What a user asks for, as a value: one request becomes one order, or the orders of a bracket, a pair or slices."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, fields

from oms.core.order import OrderType, Side, Source, Validity
from rms.core.product import Product

NOT_ASKED = "source"
"""Who sent it is not part of what was asked: a repeat through another door is the same request."""


@dataclass(frozen=True, slots=True)
class OrderRequest:
    """Prices in paise, quantity in units (lots on MCX), the total of all slices.

    - A bracket: `target_price` and `stop_price` (or one of them) beside an entry; the exits go the other way.
    - `oco`: no entry; `side` is the exits', and both prices are given. `order_type` and `limit_price` say nothing.
    - `forever` waits across days: a stop type for its trigger, a LIMIT for its price.
    - `slice` cuts what is above the freeze quantity instead of refusing it.
    - `reduces` may only make a position smaller, and binds no margin.
    """

    account_id: int
    code: int
    side: Side
    quantity: int
    product: Product
    client_reference: str
    order_type: OrderType = OrderType.LIMIT
    validity: Validity = Validity.DAY
    limit_price: int | None = None
    trigger_price: int | None = None
    disclosed_quantity: int = 0
    after_market: bool = False
    slice: bool = False
    target_price: int | None = None
    stop_price: int | None = None
    trailing_jump: int = 0
    oco: bool = False
    forever: bool = False
    reduces: bool = False
    source: Source = Source.MANUAL

    @property
    def key(self) -> tuple[int, str]:
        """What a repeat has in common with the first: the account and its reference."""
        return self.account_id, self.client_reference

    @property
    def is_bracket(self) -> bool:
        return not self.oco and (self.target_price is not None or self.stop_price is not None)

    @property
    def digest(self) -> str:
        """SHA-256 of all that was asked: the same reference with another digest is another request."""
        asked = {name: getattr(self, name) for name in ASKED}
        return hashlib.sha256(json.dumps(asked, sort_keys=True).encode()).hexdigest()


ASKED = tuple(field.name for field in fields(OrderRequest) if field.name != NOT_ASKED)
