"""Volatilities of days that closed, and where today's stands among a year of them: the IV rank of an underlying.

An expiry does not live for a year, so the series is an underlying's: at the money, of the expiry about thirty days
ahead. The analytics process leaves each chain's last figures in Redis; a job keeps one row of them when the day closes.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

import orjson
from django.db.models import Count, Max, Min

from feeds import clock
from feeds.bus import blocking_redis
from feeds.core.instrument import ExchangeSegment
from feeds.models import DailyVolatility
from feeds.topics import ChainName

CHAIN_ANALYTICS = "analytics.chain"
"""The hash of each chain's last figures, by topic."""
TENOR, YEAR = timedelta(days=30), timedelta(days=365)

Underlying = tuple[ExchangeSegment, str]
Body = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Range:
    """The lowest and the highest volatility (percent) of so many days."""

    low: float
    high: float
    days: int

    def rank(self, volatility: float) -> float:
        """0 at the lowest and below, 100 at the highest and above."""
        if volatility <= self.low:
            return 0.0
        return 100.0 if volatility >= self.high else round(100 * (volatility - self.low) / (self.high - self.low), 1)


def tenor_expiry(expiries: Iterable[date], day: date) -> date:
    """The expiry nearest to thirty days ahead, the earlier of two."""
    return min(sorted(expiries), key=lambda expiry: abs(expiry - day - TENOR))


def ranges(today: date) -> dict[Underlying, Range]:
    """By underlying, of the year before today."""
    rows = DailyVolatility.objects.filter(day__gte=today - YEAR, day__lt=today).order_by()
    columns = rows.values_list("segment", "underlying_symbol").annotate(
        Min("volatility"), Max("volatility"), Count("pk")
    )
    return {(ExchangeSegment(segment), symbol): Range(*figures) for segment, symbol, *figures in columns}


def last_figures(names: Collection[str] | None = None) -> dict[str, Body]:
    """What was told last of these chains, of all by default; by topic.

    Raises:
        REDIS_ERRORS: Redis is away.
    """
    redis = blocking_redis()
    if names is None:
        return {topic.decode(): orjson.loads(text) for topic, text in redis.hgetall(CHAIN_ANALYTICS).items()}
    texts = redis.hmget(CHAIN_ANALYTICS, list(names)) if names else []
    return {name: orjson.loads(text) for name, text in zip(names, texts, strict=True) if text}


def store_day(day: date, segments: Collection[ExchangeSegment]) -> dict[str, Any]:
    """Keep one volatility for each underlying of these segments that was told of on this day; again replaces it."""
    chosen = _chosen(day, segments, last_figures())
    rows = [
        DailyVolatility(segment=segment, underlying_symbol=symbol, day=day, expiry=expiry, volatility=volatility)
        for (segment, symbol), (expiry, volatility) in chosen.items()
    ]
    DailyVolatility.objects.bulk_create(
        rows,
        update_conflicts=True,
        unique_fields=["segment", "underlying_symbol", "day"],
        update_fields=["expiry", "volatility"],
    )
    return {"stored": len(rows)}


def _chosen(
    day: date, segments: Collection[ExchangeSegment], figures: Mapping[str, Body]
) -> dict[Underlying, tuple[date, float]]:
    by_underlying: dict[Underlying, dict[date, float]] = {}
    for topic, body in figures.items():
        chain = ChainName.parse(topic)
        if chain and chain.segment in segments and body["atm_iv"] is not None and _day_of(body) == day:
            by_underlying.setdefault((chain.segment, chain.underlying), {})[chain.expiry] = body["atm_iv"]
    nearest = {key: tenor_expiry(expiries, day) for key, expiries in by_underlying.items()}
    return {key: (expiry, by_underlying[key][expiry]) for key, expiry in nearest.items()}


def _day_of(body: Body) -> date:
    return datetime.fromtimestamp(body["at"] / 1000, clock.IST).date()
