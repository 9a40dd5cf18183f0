"""Instruments with an open order are held: fed for as long as the order or its position lives."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date

from feeds.core.instrument import InstrumentKey
from feeds.interest import CapacityExceeded, Source, declare_interest
from feeds.models import Interest
from rms.market import reference_codes


def hold_instruments(codes: Iterable[int], day: date) -> dict[int, CapacityExceeded]:
    """Want these instruments, and what their margin hangs on, unless they are held; returns those that do not fit.

    Under the shared gate: whoever lets go of held instruments holds it exclusively.
    """
    refused = {}
    for code in set(codes) - _held(codes):
        references = [InstrumentKey.from_code(reference) for reference in reference_codes([code], day)]
        try:
            declare_interest(Source.HELD, str(code), [InstrumentKey.from_code(code)], references=references)
        except CapacityExceeded as error:
            refused[code] = error
    return refused


def _held(codes: Iterable[int]) -> set[int]:
    rows = Interest.objects.filter(source=Source.HELD, owner__in=[str(code) for code in codes]).exclude(codes=b"")
    return {int(owner) for owner in rows.values_list("owner", flat=True)}
