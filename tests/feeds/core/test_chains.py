"""Chains: the four numbers with reasons, the out-of-the-money side, Tier A windows, references."""

from __future__ import annotations

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from feeds.core.chains import (
    SHIPPED_CHAINS,
    Chain,
    ListedContract,
    Missing,
    MissingReason,
    Sides,
    by_expiry,
    nearest_expiry,
    option_window,
    reference_future,
    reference_segment,
    resolve_chain,
)
from feeds.core.expiries import NOT_KNOWN, Slot, SlotKind, Slots
from feeds.core.instrument import ExchangeSegment, InstrumentKey, InstrumentType, OptionType

CALL, PUT = OptionType.CALL, OptionType.PUT
NEAR, FAR = date(2026, 2, 24), date(2026, 6, 30)
NEAR_SLOT, FAR_SLOT = Slot(SlotKind.MONTHLY, 1, NEAR), Slot(SlotKind.QUARTERLY, 1, FAR)
NO_DATE = Slot(SlotKind.MONTHLY, 2, None, reason=NOT_KNOWN)


def listed(expiry: date, strikes: list[int], sides: tuple[OptionType, ...] = (CALL, PUT)) -> list[ListedContract]:
    return [
        ListedContract(
            InstrumentKey(ExchangeSegment.NSE_FNO, expiry.toordinal() * 1000 + 2 * strike + (side is PUT)),
            expiry,
            strike,
            side,
        )
        for strike in strikes
        for side in sides
    ]


def chain(strikes: int = 3, sides: Sides = Sides.BOTH) -> Chain:
    return Chain("NIFTY", ExchangeSegment.NSE_FNO, Slots(monthly=1), strikes, sides)


def chosen(resolved) -> list[tuple[int, OptionType, int]]:
    return [(contract.strike, contract.option_type, contract.rank) for contract in resolved.contracts]


def test_both_sides_of_the_strikes_around_the_reference() -> None:
    resolved = resolve_chain(chain(), [NEAR_SLOT], by_expiry(listed(NEAR, [100, 200, 300, 400, 500])), 310)
    assert chosen(resolved) == [
        (200, CALL, -1),
        (200, PUT, -1),
        (300, CALL, 0),
        (300, PUT, 0),
        (400, CALL, 1),
        (400, PUT, 1),
    ]
    assert (resolved.nominal, resolved.unique, resolved.listed, resolved.missing) == (6, 6, 6, ())


def test_the_out_of_the_money_side_is_the_put_below_atm_and_the_call_at_and_above() -> None:
    contracts = by_expiry(listed(NEAR, [100, 200, 300, 400, 500]))
    resolved = resolve_chain(chain(5, Sides.OTM), [NEAR_SLOT], contracts, 310)
    assert chosen(resolved) == [(100, PUT, -2), (200, PUT, -1), (300, CALL, 0), (400, CALL, 1), (500, CALL, 2)]
    assert (resolved.nominal, resolved.unique, resolved.listed) == (5, 5, 5)


def test_a_date_that_two_slots_name_is_one_expiry() -> None:
    weekly = Slot(SlotKind.WEEKLY, 4, NEAR)
    resolved = resolve_chain(chain(), [weekly, NEAR_SLOT], by_expiry(listed(NEAR, [100, 200, 300])), 200)
    assert (resolved.nominal, resolved.unique, resolved.listed) == (12, 6, 6)
    assert resolved.expiries == [NEAR]


def test_each_kind_of_absence_has_its_reason() -> None:
    contracts = by_expiry([*listed(NEAR, [100, 200]), *listed(NEAR, [300], (CALL,))])
    resolved = resolve_chain(chain(5), [NEAR_SLOT, FAR_SLOT, NO_DATE], contracts, 200)
    assert resolved.missing == (
        Missing(None, MissingReason.NOT_KNOWN, 10),
        Missing(NEAR, MissingReason.TOO_FEW_STRIKES, 4),
        Missing(NEAR, MissingReason.SIDE_NOT_LISTED, 1),
        Missing(FAR, MissingReason.NOT_LISTED, 10),
    )
    assert (resolved.nominal, resolved.unique, resolved.listed) == (30, 20, 5)


def test_without_a_reference_price_there_is_no_window() -> None:
    resolved = resolve_chain(chain(), [NEAR_SLOT, FAR_SLOT], by_expiry(listed(NEAR, [100, 200, 300])), None)
    assert resolved.contracts == ()
    assert resolved.missing == (
        Missing(NEAR, MissingReason.NO_REFERENCE_PRICE, 6),
        Missing(FAR, MissingReason.NOT_LISTED, 6),
    )


LADDERS = st.lists(st.integers(1, 400), max_size=40, unique=True)


@given(
    near=LADDERS,
    far=LADDERS,
    calls_only=LADDERS,
    strikes=st.integers(1, 25),
    sides=st.sampled_from(Sides),
    reference=st.none() | st.integers(1, 400),
    undated=st.integers(0, 3),
)
def test_listed_and_missing_always_add_up(near, far, calls_only, strikes, sides, reference, undated) -> None:
    contracts = [
        *listed(NEAR, near),
        *listed(NEAR, [strike for strike in calls_only if strike not in near], (CALL,)),
        *listed(FAR, far),
    ]
    slots = [NEAR_SLOT, FAR_SLOT, FAR_SLOT, *[NO_DATE] * undated]
    resolved = resolve_chain(chain(strikes, sides), slots, by_expiry(contracts), reference)
    dated = sum(missing.count for missing in resolved.missing if missing.expiry is not None)
    assert resolved.listed + dated == resolved.unique
    assert resolved.nominal == (3 + undated) * resolved.chain.contracts_per_expiry
    assert {contract.key for contract in resolved.contracts} <= {contract.key for contract in contracts}
    assert len({contract.key for contract in resolved.contracts}) == resolved.listed
    assert all(missing.count > 0 for missing in resolved.missing)


def test_the_shipped_chains_are_the_eight_of_the_specification() -> None:
    table = [
        (chain.underlying, chain.segment.name, chain.slots.count, chain.strikes, chain.sides)
        for chain in SHIPPED_CHAINS
    ]
    assert table == [
        ("NIFTY", "NSE_FNO", 15, 21, "BOTH"),
        ("BANKNIFTY", "NSE_FNO", 9, 21, "BOTH"),
        ("SENSEX", "BSE_FNO", 8, 21, "BOTH"),
        ("FINNIFTY", "NSE_FNO", 8, 21, "BOTH"),
        ("MIDCPNIFTY", "NSE_FNO", 8, 21, "BOTH"),
        ("BANKEX", "BSE_FNO", 8, 21, "BOTH"),
        ("CRUDEOIL", "MCX_COMM", 4, 11, "OTM"),
        ("NATURALGAS", "MCX_COMM", 4, 11, "OTM"),
    ]
    assert sum(chain.slots.count * chain.contracts_per_expiry for chain in SHIPPED_CHAINS) == 2440


def test_a_watchlist_item_with_options_is_42_contracts_of_its_nearest_expiry() -> None:
    contracts = by_expiry([*listed(NEAR, list(range(1000, 1400, 10))), *listed(FAR, [1200])])
    window = option_window(contracts, date(2026, 2, 3), 1203)
    assert len(window) == 42
    assert {contract.expiry for contract in window} == {NEAR}
    assert {contract.strike for contract in window} == set(range(1100, 1301, 10))
    assert [contract.option_type for contract in window] == [CALL, PUT] * 21


def test_an_expiry_of_today_is_still_the_nearest_and_yesterdays_is_not() -> None:
    contracts = by_expiry([*listed(NEAR, [100]), *listed(FAR, [100])])
    assert nearest_expiry(contracts, NEAR) == NEAR
    assert nearest_expiry(contracts, date(2026, 2, 25)) == FAR
    assert nearest_expiry(contracts, date(2026, 7, 1)) is None


def test_a_window_is_empty_without_options_or_a_price() -> None:
    assert option_window({}, NEAR, 100) == []
    assert option_window(by_expiry(listed(NEAR, [100])), NEAR, None) == []


def test_a_chain_refers_to_the_spot_the_share_or_the_future() -> None:
    assert reference_segment(InstrumentType.OPTIDX, ExchangeSegment.BSE_FNO) is ExchangeSegment.IDX_I
    assert reference_segment(InstrumentType.OPTSTK, ExchangeSegment.NSE_FNO) is ExchangeSegment.NSE_EQ
    assert reference_segment(InstrumentType.OPTSTK, ExchangeSegment.BSE_FNO) is ExchangeSegment.BSE_EQ
    assert reference_segment(InstrumentType.OPTFUT, ExchangeSegment.MCX_COMM) is ExchangeSegment.MCX_COMM
    with pytest.raises(ValueError, match="FUTIDX has no reference"):
        reference_segment(InstrumentType.FUTIDX, ExchangeSegment.NSE_FNO)


def test_an_mcx_option_is_priced_on_the_first_future_to_expire_after_it() -> None:
    february, march = (InstrumentKey(ExchangeSegment.MCX_COMM, number) for number in (1, 2))
    futures = [(date(2026, 3, 19), march), (date(2026, 2, 19), february)]
    assert reference_future(futures, date(2026, 2, 17)) == february
    assert reference_future(futures, date(2026, 3, 17)) == march
    assert reference_future(futures, date(2026, 4, 16)) is None
