"""Margin parameters in force on a day, from effective-dated rows, and exact portions of a value."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from functools import lru_cache
from pathlib import Path
from typing import Any

from feeds.core.instrument import InstrumentType

DATA = Path(__file__).resolve().parents[1] / "data" / "margins.json"
BASIS_POINTS = 10_000
RISK_FREE_PERCENT = 5.34
"""The rate that models discount at unless told otherwise; margins hardly feel it."""


class Kind(StrEnum):
    """What a contract is written on decides its parameters."""

    INDEX = "INDEX"
    STOCK = "STOCK"
    COMMODITY = "COMMODITY"
    SHARE = "SHARE"


KINDS = {
    InstrumentType.FUTIDX: Kind.INDEX,
    InstrumentType.OPTIDX: Kind.INDEX,
    InstrumentType.FUTSTK: Kind.STOCK,
    InstrumentType.OPTSTK: Kind.STOCK,
    InstrumentType.FUTCOM: Kind.COMMODITY,
    InstrumentType.OPTFUT: Kind.COMMODITY,
    InstrumentType.EQUITY: Kind.SHARE,
}


class NoMarginRule(Exception):
    """A kind of instrument, or a day, that the parameters say nothing of."""

    code = "NO_MARGIN_RULE"

    def __init__(self, what: str) -> None:
        super().__init__(f"No margin parameters for {what}.")
        self.details = {"what": what}


@dataclass(frozen=True, slots=True)
class ContractRules:
    """Of futures and options on one underlying. Rates are basis points, volatilities points of 0.01 a year."""

    price_scan: int
    price_scan_far: int  # beyond nine months
    volatility_scan: int
    fallback_volatility: int  # where a price implies none
    calendar_charge: int  # of the far leg
    short_option_minimum: int  # of the underlying, for each short option
    exposure: int
    exposure_out_of_the_money: int
    out_of_the_money_beyond: int
    exposure_far: int
    expiry_day_short_option: int = 0
    calendar_benefit_on_expiry_day: bool = True
    delivery_steps: tuple[int, ...] = ()  # of the delivery rate, by trading days left: [0] is the expiry day
    delivery_value_at_risk: int = 0
    delivery_floor: int = 0
    pre_expiry_steps: tuple[int, ...] = ()  # of a future's value, by trading days left

    @property
    def delivery_rate(self) -> int:
        return max(self.delivery_value_at_risk, self.delivery_floor)


@dataclass(frozen=True, slots=True)
class ShareRules:
    """Of shares, in basis points of their value."""

    value_at_risk: int
    extreme_loss: int
    intraday_floor: int
    mtf_extreme_loss_times: int
    mtf_floor: int


@dataclass(frozen=True, eq=False)
class Parameters:
    """What the rows say on one day. Ask `contract_rules` and `share_rules` by underlying symbol."""

    day: date
    rows: tuple[Mapping[str, Any], ...]
    risk_free_percent: float = RISK_FREE_PERCENT

    def contract_rules(self, kind: Kind, underlying: str) -> ContractRules:
        """Raises: NoMarginRule."""
        return _contract_rules(self, kind, underlying)

    def share_rules(self, symbol: str) -> ShareRules:
        """Raises: NoMarginRule."""
        return _share_rules(self, symbol)

    def values(self, kind: Kind, underlying: str) -> dict[str, Any]:
        """The rows of a kind folded into one, those that name it last."""
        folded: dict[str, Any] = {}
        for row in sorted(self.rows, key=lambda row: (bool(row["underlyings"]), row["from"])):
            if row["kind"] == kind and (not row["underlyings"] or underlying in row["underlyings"]):
                folded |= row["values"]
        if not folded:
            raise NoMarginRule(f"{kind} on {self.day}")
        return folded


@lru_cache(maxsize=4096)
def _contract_rules(parameters: Parameters, kind: Kind, underlying: str) -> ContractRules:
    values = parameters.values(kind, underlying)
    steps: dict[str, Any] = {name: tuple(value) for name, value in values.items() if isinstance(value, list)}
    return ContractRules(**{**values, **steps})


@lru_cache(maxsize=4096)
def _share_rules(parameters: Parameters, symbol: str) -> ShareRules:
    return ShareRules(**parameters.values(Kind.SHARE, symbol))


@lru_cache(maxsize=64)
def parameters_on(day: date, risk_free_percent: float = RISK_FREE_PERCENT) -> Parameters:
    """The shipped parameters as they are in force on a day."""
    rows = tuple(row for row in _shipped()["rows"] if date.fromisoformat(row["from"]) <= day)
    return Parameters(day, rows, risk_free_percent)


def span_codes() -> Mapping[str, str]:
    """The codes in .spn files of underlyings that are not listed there by their own symbol."""
    codes: Mapping[str, str] = _shipped()["span_codes"]
    return codes


@lru_cache(maxsize=1)
def _shipped() -> Any:
    return json.loads(DATA.read_text(encoding="utf-8"))


def portion(value: int, rate: int, parts: int = 1) -> int:
    """`rate` basis points of `value`, of which one of `parts`: whole paise, half to even."""
    return half_even(value * rate, BASIS_POINTS * parts)


def half_even(numerator: int, denominator: int) -> int:
    """The quotient as a whole number, half to even; the denominator is positive."""
    quotient, remainder = divmod(numerator, denominator)
    return quotient + (2 * remainder > denominator or (2 * remainder == denominator and quotient % 2 == 1))
