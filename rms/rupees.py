"""Rupees at the edges of the admin: read and printed exactly, whole paise inside."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.core.validators import MinValueValidator
from unfold.widgets import UnfoldAdminTextInputWidget

from feeds.core.price import paise_from_rupees, rupees_text

RUPEES = re.compile(r"-?\d{1,15}(\.\d{1,2})?")
"""Fifteen digits of rupees fit a bigint of paise."""
GROUP = re.compile(r"(?<=\d)(?=(\d\d)+$)")
"""Where a comma goes in the digits left of the last three: thousands, then lakhs, then crores."""


class RupeesField(forms.Field):
    """Asks for rupees, "1,50,000.50" or "150000.5"; its value is whole paise.

    `minimum` is in paise.
    """

    def __init__(self, *, minimum: int | None = None, **options: Any) -> None:
        options.setdefault("widget", UnfoldAdminTextInputWidget(attrs={"inputmode": "decimal"}))
        super().__init__(**options)
        if minimum is not None:
            message = f"At least {grouped(minimum)} rupees."
            self.validators.append(MinValueValidator(minimum, message))

    def to_python(self, value: Any) -> int | None:
        text = str(value or "").replace(",", "").strip()
        if not text:
            return None
        if not RUPEES.fullmatch(text):
            raise ValidationError("Rupees in digits, with at most two decimals: 1500.50.")
        return paise_from_rupees(text)

    def prepare_value(self, value: Any) -> Any:
        """A stored value is paise; what somebody typed is shown again as it was."""
        return rupees_text(value) if isinstance(value, int) else value

    def has_changed(self, initial: Any, data: Any) -> bool:
        try:
            return self.to_python(data) != initial
        except ValidationError:
            return True


def grouped(paise: int | None) -> str:
    """Paise as people in India read money: 14588340 -> ``"1,45,883.40"``; None: ``"-"``."""
    if paise is None:
        return "-"
    sign, digits = ("-", rupees_text(-paise)) if paise < 0 else ("", rupees_text(paise))
    rupees, decimals = digits.split(".")
    head, tail = rupees[:-3], rupees[-3:]
    return f"{sign}{GROUP.sub(',', head)}{',' if head else ''}{tail}.{decimals}"


def decimal_rupees(paise: int | None) -> Decimal | None:
    """Paise as an exact Decimal of rupees, for files that are read by programs."""
    return None if paise is None else Decimal(paise).scaleb(-2)
