"""Reading .spn files, and the clearing house's own numbers through them.

The file beside this test is written by hand in the layout of market-rules 5.2. NIFTY's June array, prices, scan ranges
and calendar charges, and BANKNIFTY's price and worst loss, are those of nsccl.20260625.i01.spn; the rest is filled in.
"""

from __future__ import annotations

import zipfile
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest

from feeds.core.instrument import InstrumentType, OptionType
from rms.core.margin import Leg, Margin, margin_of
from rms.core.parameters import parameters_on
from rms.core.span import BadSpanFile, SpanFile, read_span

FILE = Path(__file__).parent / "nsccl.20260625.i01.spn"
DAY = date(2026, 6, 25)
JUNE, JULY = date(2026, 6, 30), date(2026, 7, 28)


@pytest.fixture(scope="module")
def span() -> SpanFile:
    return read_span(FILE, {"NIFTY", "BANKNIFTY", "CRUDEOIL", "BSX"})


def future(quantity: int, underlying: str = "NIFTY", expiry: date = JUNE) -> Leg:
    prices = {("NIFTY", JUNE): 2_405_180, ("NIFTY", JULY): 2_428_600, ("BANKNIFTY", JUNE): 5_818_720}
    return Leg(
        code=hash((underlying, expiry)),
        group=f"NSE_FNO.{underlying}",
        instrument_type=InstrumentType.FUTIDX,
        underlying=underlying,
        signed_quantity=quantity,
        price=prices[underlying, expiry],
        expiry=expiry,
    )


def call(quantity: int, strike: int = 2_400_000) -> Leg:
    return replace(
        future(quantity),
        code=strike,
        instrument_type=InstrumentType.OPTIDX,
        price=26_800,
        option_type=OptionType.CALL,
        strike=strike,
        underlying_price=2_405_035,
    )


def margin(span: SpanFile, *legs: Leg, on: date = DAY) -> Margin:
    return margin_of(legs, parameters_on(on), on, span)


def test_a_long_lot_of_nifty_needs_145883_40_and_31267_34_of_exposure(span):
    ours = margin(span, future(65))

    assert ours.span == 14_588_340
    assert ours.exposure == 3_126_734
    assert ours.total == 17_715_074


def test_a_short_lot_of_nifty_needs_144749_15(span):
    assert margin(span, future(-65)).span == 14_474_915


def test_a_lot_of_banknifty_needs_165402_and_34912_32_of_exposure(span):
    ours = margin(span, future(30, "BANKNIFTY"))

    assert (ours.span, ours.exposure) == (16_540_200, 3_491_232)


def test_a_result_of_the_file_names_it_and_is_no_estimate(span):
    ours = margin(span, future(65))

    assert (ours.policy, ours.is_estimate) == ("nsccl.20260625.i01.spn", False)


def test_scenarios_15_and_16_are_taken_as_weighted(span):
    """-1561.89 = 0.35 x (-(2 x 2235.64) + 8.72)."""
    losses = span.underlyings["NIFTY"].futures[JUNE].risk.losses

    assert losses[14:] == (-156_189, 156_800)


def test_what_the_file_says_of_an_underlying_is_read(span):
    nifty = span.underlyings["NIFTY"]

    assert span.day == DAY
    assert (nifty.spot, nifty.price_scan, nifty.volatility_scan) == (2_405_035, 223_401, 0.04)
    assert nifty.calendar_charges == {(JUNE, JULY): 42_500}
    assert nifty.options[JUNE, 2_400_000, True].price == 26_800
    assert nifty.options[JUNE, 2_400_000, False].risk.delta == -0.47


def test_only_wanted_underlyings_are_kept(span):
    assert set(span.underlyings) == {"NIFTY", "BANKNIFTY", "CRUDEOIL"}
    assert "RELIANCE" in read_span(FILE).underlyings


def test_a_calendar_spread_is_charged_425_rupees_a_unit(span):
    ours = margin(span, future(65), future(-65, expiry=JULY))

    assert ours.calendar_charge == 65 * 42_500
    assert ours.scan == 65 * (224_285 - 222_691)


def test_a_short_call_of_the_file_loses_what_its_array_says(span):
    ours = margin(span, call(-65))

    assert (ours.scan, ours.net_option_value) == (65 * 210_975, -65 * 26_800)
    assert not ours.is_estimate


def test_a_contract_that_the_file_lacks_is_estimated_with_the_files_range(span):
    ours = margin(span, call(-65, strike=2_450_000))

    assert ours.is_estimate
    assert ours.policy == "SPAN_LIKE 2026-06-25"
    assert ours.scan > 0


def test_values_of_a_commodity_lot_become_values_of_a_unit_and_the_minimum_counts(span):
    crude = span.underlyings["CRUDEOIL"]

    assert crude.futures[date(2026, 7, 20)].risk.losses[12] == 115_600
    assert crude.options[date(2026, 7, 14), 580_000, True].risk.losses[13] == 16_000
    assert crude.short_option_minimum == 25_000


def test_a_file_of_last_week_is_not_used(span):
    assert margin(span, future(65), on=date(2026, 6, 29)).policy == "nsccl.20260625.i01.spn"
    assert margin(span, future(65), on=date(2026, 6, 30)).policy == "SPAN_LIKE 2026-06-30"
    assert margin(span, future(65), on=date(2026, 6, 24)).is_estimate


def test_a_zipped_file_is_read(tmp_path, span):
    path = tmp_path / "nsccl.20260625.i01.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.write(FILE, FILE.name)

    assert read_span(path, {"NIFTY"}).underlyings["NIFTY"] == span.underlyings["NIFTY"]


@pytest.mark.parametrize(
    "damage",
    [
        lambda text: text[: len(text) // 2],
        lambda text: b"",
        lambda text: text.replace(b"<date>20260625</date>", b""),
        lambda text: text.replace(b"<a>8.72</a>", b"", 1),
        lambda text: text.replace(b"<a>8.72</a>", b"<a>much</a>", 1),
        lambda text: text.replace(b"<a>8.72</a>", b"<a>nan</a>", 1),
        lambda text: text.replace(b"<a>8.72</a>", b"<a>1e999</a>", 1),
    ],
)
def test_a_damaged_file_is_refused(tmp_path, damage):
    path = tmp_path / "damaged.spn"
    path.write_bytes(damage(FILE.read_bytes()))

    with pytest.raises(BadSpanFile):
        read_span(path)


def test_an_archive_without_a_span_file_is_refused(tmp_path):
    path = tmp_path / "other.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("read.me", "nothing")

    with pytest.raises(BadSpanFile):
        read_span(path)
