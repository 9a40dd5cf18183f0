"""What a watchlist item subscribes: itself, or the option window of what it is an underlying of. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from feeds.core.chains import ListedContract, by_expiry, nearest_expiry, option_window
from feeds.core.instrument import ExchangeSegment, InstrumentKey


@dataclass(frozen=True, slots=True)
class Expansion:
    """The instruments an item wants, the reference of its options, and the segment whose hours it keeps."""

    keys: tuple[InstrumentKey, ...]
    reference: InstrumentKey | None
    segment: ExchangeSegment


def expand(item: InstrumentKey, options: Sequence[ListedContract], day: date, price: int | None) -> Expansion:
    """The window of 21 strikes by two sides at the options' nearest expiry, with the item as its reference.

    `options` are the listed options on the item (none: it is wanted alone), `price` its own in paise. Without a
    price the window is in the middle of what is listed: in the wrong place, but there, and put right when the
    item is taken up the next time.
    """
    listed = by_expiry(options)
    expiry = nearest_expiry(listed, day)
    if expiry is None:
        return Expansion((item,), None, item.segment)
    contracts = option_window(listed, day, price or middle_strike(listed[expiry]))
    keys = tuple(contract.key for contract in contracts)
    return Expansion(keys, item, keys[0].segment)


def middle_strike(contracts: Sequence[ListedContract]) -> int:
    strikes = sorted({contract.strike for contract in contracts})
    return strikes[len(strikes) // 2]
