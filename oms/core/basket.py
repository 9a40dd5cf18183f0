"""In which order the legs of a basket are placed."""

from __future__ import annotations

from collections.abc import Sequence

from oms.core.order import Side


def hedges_first(sides: Sequence[Side]) -> list[int]:
    """The places of the legs as they are placed: what is bought before what is sold, else as they were given.

    What is sold may then lean on what was bought, and never stands naked for a moment.
    """
    return sorted(range(len(sides)), key=lambda place: sides[place] is Side.SELL)
