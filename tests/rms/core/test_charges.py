"""What a day's trades cost, line by line, against published worked cases and one real contract note."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from feeds.core.instrument import ExchangeSegment, InstrumentType
from rms.core.charges import (
    ChargedTrade,
    Charges,
    Line,
    Manner,
    NoTariff,
    StampRounding,
    charges_of,
    funding_interest,
)
from rms.core.product import Product

OLD, NEW, NOTE = date(2026, 2, 3), date(2026, 11, 20), date(2025, 6, 18)
SHARED = Path(__file__).resolve().parents[4] / "shared"
REFERENCE = SHARED / "reference" / "data" / "charges_worked_examples.json"

INTRADAY = (ExchangeSegment.NSE_EQ, InstrumentType.EQUITY, Product.INTRADAY)
DELIVERY = (ExchangeSegment.NSE_EQ, InstrumentType.EQUITY, Product.CNC)
FUNDED = (ExchangeSegment.NSE_EQ, InstrumentType.EQUITY, Product.MTF)
FUTURE = (ExchangeSegment.NSE_FNO, InstrumentType.FUTIDX, Product.MARGIN)
OPTION = (ExchangeSegment.NSE_FNO, InstrumentType.OPTIDX, Product.MARGIN)
SENSEX_OPTION = (ExchangeSegment.BSE_FNO, InstrumentType.OPTIDX, Product.MARGIN)
CRUDE_FUTURE = (ExchangeSegment.MCX_COMM, InstrumentType.FUTCOM, Product.MARGIN)
CRUDE_OPTION = (ExchangeSegment.MCX_COMM, InstrumentType.OPTFUT, Product.MARGIN)
Contract = tuple[ExchangeSegment, InstrumentType, Product]

# what, day, quantity, bought and sold at (paise), then paise: brokerage, exchange, IPFT, SEBI, STT or CTT, stamp, GST,
# total. As in the reference's table, row by row.
WORKED = [
    (INTRADAY, OLD, 100, 100_000, 101_000, 4000, 597, 20, 20, 2500, 300, 835, 8272),
    (INTRADAY, NEW, 100, 100_000, 101_000, 4000, 617, 0, 20, 2500, 300, 835, 8272),
    (DELIVERY, OLD, 100, 100_000, 101_000, 0, 597, 20, 20, 20100, 1500, 115, 22352),
    (DELIVERY, NEW, 100, 100_000, 101_000, 0, 617, 0, 20, 20100, 1500, 115, 22352),
    (FUTURE, OLD, 65, 2_570_000, 2_576_000, 4000, 5787, 334, 334, 33500, 3300, 1882, 49137),
    (FUTURE, NEW, 65, 2_570_000, 2_576_000, 4000, 6121, 0, 334, 83700, 3300, 1882, 99337),
    (OPTION, OLD, 65, 15_000, 18_000, 4000, 751, 11, 2, 1200, 0, 858, 6822),
    (OPTION, NEW, 65, 15_000, 18_000, 4000, 762, 0, 2, 1800, 0, 858, 7422),
    (SENSEX_OPTION, OLD, 20, 30_000, 32_000, 4000, 403, 6, 1, 600, 0, 794, 5804),
    (SENSEX_OPTION, NEW, 20, 30_000, 32_000, 4000, 403, 6, 1, 1000, 0, 794, 6204),
    (CRUDE_FUTURE, OLD, 100, 580_000, 585_000, 4000, 2447, 0, 117, 5900, 1200, 1181, 14845),
    (CRUDE_FUTURE, NEW, 100, 580_000, 585_000, 4000, 2447, 0, 117, 5900, 1200, 1181, 14845),
    (CRUDE_OPTION, OLD, 100, 22_000, 24_500, 4000, 1944, 0, 5, 1200, 100, 1071, 8320),
    (CRUDE_OPTION, NEW, 100, 22_000, 24_500, 4000, 1944, 0, 5, 1200, 100, 1071, 8320),
]
TABLE = (
    (Line.BROKERAGE,),
    (Line.EXCHANGE_TRANSACTION,),
    (Line.INVESTOR_PROTECTION,),
    (Line.SEBI,),
    (Line.STT, Line.CTT),
    (Line.STAMP,),
    (Line.GST,),
)


def trade(contract: Contract, signed_quantity: int, price: int, reference: str = "1", **more: object) -> ChargedTrade:
    segment, instrument_type, product = contract
    value = abs(signed_quantity) * price
    return ChargedTrade(1, segment, instrument_type, product, reference, signed_quantity, value, **more)  # type: ignore[arg-type]


def round_trip(contract: Contract, quantity: int, bought: int, sold: int) -> list[ChargedTrade]:
    return [trade(contract, quantity, bought, "buy"), trade(contract, -quantity, sold, "sell")]


def in_columns(charges: Charges) -> list[int]:
    return [sum(charges.lines.get(line, 0) for line in lines) for lines in TABLE] + [charges.total]


@pytest.mark.parametrize("row", WORKED)
def test_a_worked_case_comes_out_to_the_paisa(row: tuple) -> None:
    contract, day, quantity, bought, sold, *expected = row
    assert in_columns(charges_of(round_trip(contract, quantity, bought, sold), day)) == expected


def test_a_real_contract_note_is_met_line_by_line_with_stamp_in_paise() -> None:
    """MCX crude mini option, 18 June 2025: 20 bought at 491.45 and sold at 475.60 in four orders."""
    trades = [
        trade(CRUDE_OPTION, quantity, price, reference)
        for reference, quantity, price in (("1", 10, 49145), ("2", 10, 49145), ("3", -10, 47560), ("4", -10, 47560))
    ]
    exact = charges_of(trades, NOTE, StampRounding.PAISA)
    assert in_columns(exact) == [8000, 808, 0, 2, 500, 29, 1586, 10925]
    assert charges_of(trades, NOTE).total == 10896


@pytest.mark.skipif(not REFERENCE.exists(), reason="the reference is not on this machine")
def test_the_table_here_is_the_references_table() -> None:
    examples = json.loads(REFERENCE.read_text())["examples"]
    columns = ("brokerage", "txn", "ipft", "sebi", "stt", "stamp", "gst", "total")
    theirs = [
        (example["trade_date"], example["buy"], example["sell"], [round(example["result"][c] * 100) for c in columns])
        for example in examples
        if "result" in example
    ]
    ours = [
        (day.isoformat(), [quantity, bought / 100], [quantity, sold / 100], list(expected))
        for _, day, quantity, bought, sold, *expected in WORKED
    ]
    assert ours == theirs


def test_brokerage_is_for_the_order_and_not_for_its_fills() -> None:
    whole = charges_of([trade(OPTION, 650, 15_000)], OLD)
    in_parts = charges_of([trade(OPTION, 65, 15_000) for _ in range(10)], OLD)
    assert in_parts == whole
    assert whole.lines[Line.BROKERAGE] == 2000


def test_a_small_intraday_order_costs_its_share_and_not_twenty_rupees() -> None:
    assert charges_of([trade(INTRADAY, 10, 100_000)], OLD).lines[Line.BROKERAGE] == 300


def test_shares_that_leave_the_account_cost_a_depository_charge_once_with_tax() -> None:
    sales = [trade(DELIVERY, -10, 100_000, "1"), trade(DELIVERY, -10, 100_000, "2")]
    lines = charges_of(sales, OLD).lines
    assert lines[Line.DEPOSITORY] == 1250
    # 18 % of 12.50 + 0.594 + 0.02 + 0.02
    assert lines[Line.GST] == 236
    assert Line.DEPOSITORY not in charges_of(round_trip(DELIVERY, 10, 100_000, 100_000), OLD).lines


def test_funded_shares_are_taxed_as_delivery_and_pay_brokerage() -> None:
    lines = charges_of([trade(FUNDED, 100, 100_000)], OLD).lines
    assert (lines[Line.BROKERAGE], lines[Line.STT], lines[Line.STAMP]) == (2000, 10000, 1500)


def test_what_the_house_squares_off_costs_twenty_rupees_more_an_order_with_tax() -> None:
    plain = charges_of([trade(INTRADAY, -100, 100_000)], OLD)
    by_house = charges_of([trade(INTRADAY, -100, 100_000, manner=Manner.SQUARED_OFF)], OLD)
    assert by_house.lines[Line.SQUARE_OFF] == 2000
    assert by_house.total - plain.total == 2360


def test_an_exercised_option_is_taxed_on_intrinsic_by_its_date_and_on_nothing_else() -> None:
    def exercise(day: date) -> Charges:
        return charges_of([trade(OPTION, -65, 10_000, manner=Manner.EXERCISED)], day)

    assert exercise(OLD) == Charges({Line.STT: 800})  # 0.125 % of 6,500 = 8.125
    assert exercise(NEW) == Charges({Line.STT: 1000})  # 0.15 % of 6,500 = 9.75


def test_shares_delivered_against_a_contract_pay_the_taxes_of_delivery_and_no_brokerage() -> None:
    charges = charges_of([trade(DELIVERY, 250, 140_000, manner=Manner.DELIVERED)], OLD)
    assert charges == Charges({Line.STT: 35000, Line.STAMP: 5300})  # 350.00, and 52.50 half up


def test_tax_is_rounded_half_up_on_each_segments_total() -> None:
    half = trade(INTRADAY, -1, 200_000)  # 0.025 % of 2,000 = 0.50
    assert charges_of([half], OLD).lines[Line.STT] == 100
    assert charges_of([half, half], OLD).lines[Line.STT] == 100


def test_a_day_before_the_tariff_begins_is_refused() -> None:
    with pytest.raises(NoTariff):
        charges_of([trade(OPTION, 65, 100)], date(2024, 9, 30))


@pytest.mark.parametrize(("rupees", "interest"), [(500_000, 17110), (500_001, 18479), (10_000_001, 451781), (0, 0)])
def test_funded_shares_cost_interest_by_the_slab_of_the_whole_amount(rupees: int, interest: int) -> None:
    assert funding_interest(rupees * 100, OLD) == interest


contracts = st.sampled_from([INTRADAY, DELIVERY, FUNDED, FUTURE, OPTION, SENSEX_OPTION, CRUDE_FUTURE, CRUDE_OPTION])
quantities = st.integers(-5000, 5000).filter(bool)
trades_of_a_day = st.lists(
    st.builds(trade, contracts, quantities, st.integers(1, 10_000_000), st.sampled_from("abcd")), max_size=12
)


@settings(max_examples=50, deadline=None)
@given(trades_of_a_day, st.randoms())
def test_the_order_of_the_trades_does_not_matter_and_no_line_is_negative(trades: list[ChargedTrade], random) -> None:
    mixed = list(trades)
    random.shuffle(mixed)
    charges = charges_of(trades, OLD)
    assert charges == charges_of(mixed, OLD)
    assert all(amount > 0 for amount in charges.lines.values())
    assert charges.total == sum(charges.lines.values())
