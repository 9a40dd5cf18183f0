"""Prices are whole paise. Here floats of the wire and texts of the edges become paise, and back."""

from __future__ import annotations

from decimal import ROUND_HALF_UP, Decimal

import numpy as np
from numpy.typing import NDArray

PAISE_PER_RUPEE = 100
MAXIMUM_PAISE = 2**31 - 1
"""Price columns are int32: 2.1 crore rupees, a hundred times the dearest share."""


def paise_from_rupees(rupees: Decimal | str | int) -> int:
    """Rupees as text or Decimal to whole paise, half up. Floats are refused: they belong to `snap`.

    Raises:
        decimal.InvalidOperation: the text is not a number.
    """
    return int((Decimal(rupees) * PAISE_PER_RUPEE).to_integral_value(rounding=ROUND_HALF_UP))


def rupees_text(paise: int) -> str:
    """Paise to the text that REST carries: 15230 -> ``"152.30"``."""
    sign, paise = ("-", -paise) if paise < 0 else ("", paise)
    return f"{sign}{paise // PAISE_PER_RUPEE}.{paise % PAISE_PER_RUPEE:02d}"


def snap(rupees: NDArray[np.float32], tick_size: NDArray[np.int32]) -> NDArray[np.int32]:
    """Float32 rupees of the wire to int32 paise on the instrument's tick.

    Above 131,072 a float32 is off by up to 0.0078 rupees, so rounding to the paisa can be wrong while
    rounding to the tick stays exact. Both arrays have the same shape; a tick of 0 means one paisa.
    What is not a finite price that fits becomes -1, which the board quarantines.
    """
    tick = np.maximum(tick_size, 1).astype(np.float64)
    with np.errstate(invalid="ignore", over="ignore"):
        paise = np.rint(rupees.astype(np.float64) * PAISE_PER_RUPEE / tick) * tick
        valid = (paise >= 0) & (paise <= MAXIMUM_PAISE)
    return np.where(valid, paise, -1).astype(np.int32)
