"""An underlying becomes 42 contracts and a reference; everything else stays one instrument."""

from __future__ import annotations

from datetime import date

from hypothesis import given
from hypothesis import strategies as st

from feeds.core.chains import ListedContract
from feeds.core.instrument import ExchangeSegment, InstrumentKey, OptionType
from watchlists.core.expansion import expand

NIFTY = InstrumentKey(ExchangeSegment.IDX_I, 13)
DAY = date(2026, 2, 3)
NEAR, FAR = date(2026, 2, 10), date(2026, 2, 24)


def options(expiry: date, strikes: range, first_id: int = 1) -> list[ListedContract]:
    return [
        ListedContract(InstrumentKey(ExchangeSegment.NSE_FNO, first_id + 2 * place + side), expiry, strike, option_type)
        for place, strike in enumerate(strikes)
        for side, option_type in enumerate(OptionType)
    ]


LISTED = options(NEAR, range(2_400_000, 2_800_001, 5_000)) + options(FAR, range(2_400_000, 2_800_001, 5_000), 10_000)


def strikes_of(keys: tuple[InstrumentKey, ...]) -> list[int]:
    by_key = {contract.key: contract.strike for contract in LISTED}
    return sorted({by_key[key] for key in keys})


def test_an_underlying_is_21_strikes_of_two_sides_and_itself_the_reference() -> None:
    expansion = expand(NIFTY, LISTED, DAY, 2_601_000)
    assert len(set(expansion.keys)) == 42
    assert (expansion.reference, expansion.segment) == (NIFTY, ExchangeSegment.NSE_FNO)
    assert strikes_of(expansion.keys) == list(range(2_550_000, 2_650_001, 5_000))


def test_only_the_nearest_expiry_counts_and_on_its_day_it_still_does() -> None:
    assert {key.security_id < 10_000 for key in expand(NIFTY, LISTED, NEAR, 2_600_000).keys} == {True}
    assert {key.security_id >= 10_000 for key in expand(NIFTY, LISTED, date(2026, 2, 11), 2_600_000).keys} == {True}


def test_without_a_price_the_window_is_in_the_middle_of_what_is_listed() -> None:
    assert strikes_of(expand(NIFTY, LISTED, DAY, None).keys)[10] == 2_600_000


def test_without_options_an_item_is_wanted_alone() -> None:
    for listed in ([], options(date(2026, 1, 27), range(100, 200, 5))):
        expansion = expand(NIFTY, listed, DAY, 2_600_000)
        assert (expansion.keys, expansion.reference, expansion.segment) == ((NIFTY,), None, ExchangeSegment.IDX_I)


@given(count=st.integers(1, 60), price=st.integers(1, 10_000_000))
def test_an_expansion_is_never_empty_and_never_more_than_42(count: int, price: int) -> None:
    keys = expand(NIFTY, options(NEAR, range(100_000, 100_000 + 5_000 * count, 5_000)), DAY, price).keys
    assert len(set(keys)) == len(keys) == 2 * min(count, 21)
