"""What the execution process says about itself once a second, for health, the admin and whoever looks after it."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import orjson
from redis import Redis
from redis.asyncio import Redis as AsyncRedis

from feeds import clock

KEY = "execution.status"
EXPIRES_SECONDS = 10
"""A process that has not spoken for so long is down."""


@dataclass
class Figures:
    """Counted as it runs; rates are between two looks."""

    counters: Counter[str] = field(default_factory=Counter)
    step_ms: float = 0.0
    longest_step_ms: float = 0.0
    lag_ms: float | None = None
    """From the flush of the last batch to its being matched."""
    _before: Counter[str] = field(default_factory=Counter)
    _looked_at: float = field(default_factory=clock.monotonic)

    def stepped(self, seconds: float) -> None:
        self.step_ms = round(seconds * 1000, 2)
        self.longest_step_ms = max(self.longest_step_ms, self.step_ms)

    def rates(self) -> dict[str, float]:
        """Per second since the last look."""
        now = clock.monotonic()
        elapsed = max(now - self._looked_at, 1e-3)
        rates = {
            f"{name}_per_second": round((self.counters[name] - self._before[name]) / elapsed, 1)
            for name in ("orders", "fills")
        }
        self._before, self._looked_at = Counter(self.counters), now
        return rates


async def write_status(redis: AsyncRedis, status: dict[str, Any]) -> None:
    """Raises REDIS_ERRORS."""
    await redis.set(KEY, orjson.dumps(status), ex=EXPIRES_SECONDS)


def read_status(redis: Redis) -> dict[str, Any] | None:
    """What the process said last; None: it is down.

    Raises:
        REDIS_ERRORS: Redis is away.
    """
    text = redis.get(KEY)
    return dict(orjson.loads(text)) if text else None
