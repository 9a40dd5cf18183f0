"""The figures of a contract note: averages to four decimals, FIFO beside them, a table of text."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from rms.core.position import Lot, Traded
from rms.core.statement import SideTotal, average_text, csv_rows, fifo_of_day, side_totals, weighted_average

BOUGHT = [Traded(200, 17_500), Traded(200, 16_000)]
SOLD = [Traded(-100, 25_300)]


def test_an_average_has_four_decimals_of_a_rupee() -> None:
    assert weighted_average([Traded(1, 100), Traded(2, 101)]) == 10_067
    assert average_text(10_067) == "1.0067"
    assert average_text(weighted_average([Traded(-65, 15_005)])) == "150.0500"
    assert weighted_average([]) == 0


def test_both_sides_are_averaged_apart() -> None:
    bought, sold = side_totals([*BOUGHT, *SOLD])
    assert bought == SideTotal(400, 6_700_000, 1_675_000)
    assert sold == SideTotal(100, 2_530_000, 2_530_000)


def test_a_value_on_mcx_counts_the_units_of_a_lot_and_an_average_does_not() -> None:
    bought, sold = side_totals([Traded(2, 580_000)], multiplier=100)
    assert bought == SideTotal(2, 116_000_000, 58_000_000)
    assert sold == SideTotal(0, 0, 0)


def test_fifo_sells_what_was_bought_first() -> None:
    """The published case: 200 at 175 and 200 at 160, 100 sold at 253: realised 7,800, left 300 at 165 on average."""
    lots, realised = fifo_of_day(BOUGHT, SOLD)
    assert realised == 780_000
    assert lots == (Lot(100, 17_500), Lot(200, 16_000))
    assert weighted_average(map(Traded._make, lots)) == 1_650_000


def test_fifo_of_a_day_is_only_what_that_day_realised() -> None:
    assert fifo_of_day([*BOUGHT, *SOLD], [Traded(-100, 20_000)])[1] == 250_000
    assert fifo_of_day([], [])[1] == 0


@given(st.lists(st.tuples(st.integers(1, 1000), st.integers(1, 10_000_000)), min_size=1, max_size=20))
def test_an_average_lies_between_the_lowest_and_the_highest_price(pairs: list[tuple[int, int]]) -> None:
    average = weighted_average([Traded(*pair) for pair in pairs])
    prices = [price for _, price in pairs]
    assert min(prices) * 100 <= average <= max(prices) * 100


def test_a_statement_becomes_one_table_of_text() -> None:
    content = {
        "cash": {
            "opening": 10_000_000, "trades": -975_000, "mark_to_market": 0, "expiry": 0, "interest": 0,
            "charges": -2_482, "net": -977_482, "other": 0, "closing": 9_022_518,
        },
        "trades": [
            {
                "instrument": "NSE_FNO.49081", "symbol": "NIFTY 24 FEB 26000 CALL", "product": "MARGIN",
                "bought": {"quantity": 65, "value": 975_000, "average": 1_500_000},
                "sold": {"quantity": 0, "value": 0, "average": 0},
            }
        ],
        "settlements": [],
        "charges": {"lines": {"BROKERAGE": 2_000, "GST": 427, "EXCHANGE_TRANSACTION": 55}, "total": 2_482},
        "holdings": [{"instrument": "NSE_EQ.2885", "symbol": "RELIANCE", "quantity": 3, "cost": 420_001}],
    }  # fmt: skip
    rows = list(csv_rows(content))
    assert rows[1] == ("cash", "", "", "", "opening", "", "", "100000.00")
    assert rows[2] == (
        "trade", "NSE_FNO.49081", "NIFTY 24 FEB 26000 CALL", "MARGIN", "bought", "65", "150.0000", "9750.00",
    )  # fmt: skip
    assert [row[4] for row in rows if row[0] == "charges"] == ["BROKERAGE", "EXCHANGE_TRANSACTION", "GST"]
    assert rows[-1] == ("holding", "NSE_EQ.2885", "RELIANCE", "CNC", "held", "3", "", "4200.01")
    assert {len(row) for row in rows} == {8}
