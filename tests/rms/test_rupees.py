"""Rupees in a form are read and printed exactly, to the paisa, and refused when they are not rupees."""

from __future__ import annotations

import pytest
from django.core.exceptions import ValidationError
from hypothesis import given
from hypothesis import strategies as st

from rms.rupees import RupeesField, decimal_rupees, grouped


@pytest.mark.parametrize(
    ("text", "paise"),
    [("1500.50", 150050), ("1,50,000.5", 15000050), (" 7 ", 700), ("0.01", 1), ("-12.30", -1230), ("", None)],
)
def test_what_is_typed_becomes_paise(text: str, paise: int | None) -> None:
    assert RupeesField(required=False).clean(text) == paise


@pytest.mark.parametrize("text", ["1.005", "1e5", "0x10", "NaN", "Infinity", "12 34", "1.", "9" * 16])
def test_what_is_no_amount_is_refused(text: str) -> None:
    with pytest.raises(ValidationError, match="at most two decimals"):
        RupeesField().clean(text)


def test_an_amount_below_the_smallest_is_refused() -> None:
    with pytest.raises(ValidationError, match=r"At least 0\.01 rupees"):
        RupeesField(minimum=1).clean("0")


@given(st.integers(min_value=1 - 10**17, max_value=10**17 - 1))
def test_what_is_printed_in_a_form_is_read_back_to_the_paisa(paise: int) -> None:
    field = RupeesField()
    assert field.clean(field.prepare_value(paise)) == paise
    assert field.clean(grouped(paise)) == paise
    assert decimal_rupees(paise) * 100 == paise


@pytest.mark.parametrize(
    ("paise", "text"),
    [(14588340, "1,45,883.40"), (-14588340, "-1,45,883.40"), (5, "0.05"), (10_000_000, "1,00,000.00"), (None, "-")],
)
def test_money_is_grouped_as_india_reads_it(paise: int | None, text: str) -> None:
    assert grouped(paise) == text


def test_a_field_that_was_not_touched_has_not_changed() -> None:
    assert not RupeesField().has_changed(150050, "1500.50")
    assert RupeesField().has_changed(150050, "1500.51")
    assert RupeesField().has_changed(150050, "many")
