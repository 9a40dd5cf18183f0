"""Orders that belong together: what may be closed of a bracket, and which exits share it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from oms.core.order import Role

if TYPE_CHECKING:
    from oms.core.resting import Resting


class Group:
    """A bracket's entry and exits, or the two exits of an OCO pair, which has no entry."""

    __slots__ = ("closed_quantity", "entry", "entry_price", "entry_unfilled", "exits", "open_quantity")

    def __init__(self) -> None:
        self.entry: Resting | None = None
        self.entry_unfilled = False
        """The entry ended without a fill: nothing will ever be closed."""
        self.entry_price = 0
        """Of the entry's first fill: what a trailing stop counts from."""
        self.open_quantity = 0
        """What the entry's fills opened and no exit has closed."""
        self.closed_quantity = 0
        """What the exits have filled."""
        self.exits: list[Resting] = []

    def __bool__(self) -> bool:
        return self.entry is not None or bool(self.exits)

    def join(self, held: Resting) -> None:
        if held.order.role is Role.ENTRY:
            self.entry = held
            self.open_quantity += held.filled
        else:
            self.exits.append(held)
            self.open_quantity -= held.filled
            self.closed_quantity += held.filled

    def leave(self, held: Resting) -> None:
        if held is self.entry:
            self.entry = None
            self.entry_unfilled = not held.filled
        elif held in self.exits:
            self.exits.remove(held)

    def others(self, held: Resting) -> list[Resting]:
        return [exit_ for exit_ in self.exits if exit_ is not held]
