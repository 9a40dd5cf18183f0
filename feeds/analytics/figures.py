"""What is told of chains: the figures of docs/browser.md, out of the columns that were computed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime
from typing import Any

import numpy as np
from django.conf import settings

from feeds.analytics.listing import Chain
from feeds.core import option_chain
from feeds.core.instrument import InstrumentKey
from feeds.core.option_chain import BuildUp, ForwardSource, Reason, Slices
from feeds.volatility import Range, Underlying, tenor_expiry

COLUMNS = ("iv", "delta", "gamma", "theta", "vega", "oi_change", "build_up", "iv_reason")
PERCENT = 100.0
NO_HISTORY, NO_VOLATILITY = "NO_HISTORY", "NO_VOLATILITY"

Body = dict[str, Any]


def bodies(
    chains: Sequence[Chain], found: Slices, which: Iterable[int], now: datetime, past: Mapping[Underlying, Range]
) -> dict[str, Body]:
    """Of these among all chains, by topic: prices in paise, volatilities in percent, null where nothing can be said."""
    rows, ranks = contract_rows(found), iv_ranks(chains, found, now.date(), past)
    ends = np.cumsum([len(chain.codes) for chain in chains]).tolist()
    common = {
        "model": option_chain.MODEL,
        "rate": settings.ANALYTICS_RATE_PERCENT,
        "rate_date": settings.ANALYTICS_RATE_DATE,
        "at": int(now.timestamp() * 1000),
    }
    chosen = ((at, chains[at]) for at in which)
    return {
        str(chain.name): {
            **common,
            **chain_figures(found, at),
            **ranks.get((chain.name.segment, chain.name.underlying), {}),
            "first_strike": chain.contracts[0].strike,
            "last_strike": chain.contracts[-1].strike,
            "instruments": [str(InstrumentKey.from_code(code)) for code in chain.codes],
            "columns": COLUMNS,
            "rows": rows[ends[at] - len(chain.codes) : ends[at]],
        }
        for at, chain in chosen
    }


def chain_figures(found: Slices, at: int) -> Body:
    source = ForwardSource.FUTURE if found.is_future[at] else ForwardSource.SYNTHETIC
    forward = whole(found.forward[at])
    return {
        "years": rounded(found.years[at], 8) or 0.0,
        "forward": forward,
        "forward_source": None if forward is None else source,
        "synthetic_future": whole(found.synthetic[at]),
        "atm_strike": whole(found.atm_strike[at]),
        "atm_iv": rounded(found.atm_iv[at] * PERCENT, 3),
        "straddle": whole(found.straddle[at]),
        "skew": rounded(found.skew[at] * PERCENT, 3),
        "pcr_oi": rounded(found.pcr_oi[at], 4),
        "pcr_volume": rounded(found.pcr_volume[at], 4),
        "max_pain": whole(found.max_pain[at]),
    }


def contract_rows(found: Slices) -> list[tuple[Any, ...]]:
    """COLUMNS of every contract."""
    names = {kind: [None, *(member.name for member in kind)] for kind in (BuildUp, Reason)}
    return list(
        zip(
            nullable(found.iv * PERCENT, 3),
            nullable(found.greeks.delta, 4),
            nullable(found.greeks.gamma, 7),
            nullable(found.greeks.theta, 3),
            nullable(found.greeks.vega, 3),
            [None if change is None else int(change) for change in nullable(found.oi_change, 0)],
            [names[BuildUp][code] for code in found.build_up.tolist()],
            [names[Reason][code] for code in found.reason.tolist()],
            strict=True,
        )
    )


def iv_ranks(
    chains: Sequence[Chain], found: Slices, today: date, past: Mapping[Underlying, Range]
) -> dict[Underlying, Body]:
    """Where each underlying's volatility, thirty days ahead, stands in the year before."""
    expiries: dict[Underlying, dict[date, int]] = {}
    for at, chain in enumerate(chains):
        expiries.setdefault((chain.name.segment, chain.name.underlying), {})[chain.name.expiry] = at
    nearest = {key: of[tenor_expiry(of, today)] for key, of in expiries.items()}
    return {key: iv_rank(rounded(found.atm_iv[at] * PERCENT, 3), past.get(key)) for key, at in nearest.items()}


def iv_rank(volatility: float | None, past: Range | None) -> Body:
    if past is None or past.days < settings.IV_RANK_DAYS:
        return {"iv_rank": None, "iv_rank_reason": NO_HISTORY}
    if volatility is None:
        return {"iv_rank": None, "iv_rank_reason": NO_VOLATILITY}
    return {"iv_rank": past.rank(volatility), "iv_rank_reason": None}


def nullable(values: option_chain.FloatArray, digits: int) -> list[float | None]:
    """Rounded, NaN as None."""
    return [None if value != value else value for value in np.round(values, digits).tolist()]


def rounded(value: float, digits: int) -> float | None:
    return None if np.isnan(value) else round(float(value), digits)


def whole(value: float) -> int | None:
    return None if np.isnan(value) else round(float(value))
