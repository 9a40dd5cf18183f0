"""An exported file is what a spreadsheet may open: no text in it is a formula, and numbers stay numbers."""

from __future__ import annotations

from decimal import Decimal

import pytest

from rms.book_admin import csv_text


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1"])
def test_text_that_begins_like_a_formula_is_quoted(text: str) -> None:
    assert csv_text([[text]]).lstrip('"').startswith("'")


def test_numbers_stay_numbers_and_nothing_stays_empty() -> None:
    assert (
        csv_text([[-75, Decimal("-152.30"), None, "RELIANCE", 'a "b", c']]) == '-75,-152.30,,RELIANCE,"a ""b"", c"\r\n'
    )
