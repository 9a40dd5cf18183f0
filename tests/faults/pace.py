"""How fast a fault test runs: the product's timers as they are (`--soak`), or all shortened by one factor."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import pytest
from django.conf import settings as django_settings

from feeds import clock

UNSCALED = ("FEED_SYNC_SECONDS", "FEED_FLUSH_SECONDS", "DHAN_QUOTE_SPACING_SECONDS")
"""Periods that FEED_TIME_SCALE leaves alone in the product; a shortened test shortens them too."""
SHORTEST_PERIOD = 0.02
MACHINE_SECONDS = 1.5
"""What a busy machine may add to a shortened limit: its own delays do not shrink with the timers."""
POLL_SECONDS = 0.01
FULL_POLL_SECONDS = 0.1
"""At full volume a look at 25,000 rows takes a while, and the feed under test shares this event loop."""
PATIENCE_SECONDS = 30.0
FULL_TIMEOUT_SECONDS = 900
"""Thirty closes in a row wait six minutes for their back-off alone."""


def paced(short: float) -> pytest.MarkDecorator:
    """Run a test at `short` times the product's timers in `make test`, and at full length in `make soak`."""
    full = pytest.param(1.0, marks=[pytest.mark.soak, pytest.mark.timeout(FULL_TIMEOUT_SECONDS)], id="full")
    return pytest.mark.parametrize("pace", [pytest.param(short, id="short"), full], indirect=True)


def seeded(scale: float, *, short: int, full: Iterable[int]) -> pytest.MarkDecorator:
    """As `paced`, for a test of chance: one seed at `scale` in `make test`, all of `full` at full length in a soak."""
    soak = [pytest.mark.soak, pytest.mark.timeout(FULL_TIMEOUT_SECONDS)]
    runs = [pytest.param(1.0, seed, marks=soak, id=f"full-{seed}") for seed in full]
    short_run = pytest.param(scale, short, id=f"short-{short}")
    return pytest.mark.parametrize(("pace", "seed"), [short_run, *runs], indirect=["pace"])


@dataclass(frozen=True)
class Pace:
    """Product seconds, and what becomes of them in this run. `say` prints a figure when the run is a soak."""

    scale: float
    say: Callable[[str], None]

    @property
    def is_full(self) -> bool:
        return self.scale == 1.0

    @property
    def poll(self) -> float:
        return FULL_POLL_SECONDS if self.is_full else POLL_SECONDS

    def real(self, seconds: float) -> float:
        """How long so many product seconds last here."""
        return seconds * self.scale

    async def within(self, seconds: float, condition: Callable[[], object], what: str) -> float:
        """Wait until it holds; a failure once it took longer than so many product seconds. Returns how many it took."""
        began = clock.monotonic()
        limit = self.real(seconds) + (0.0 if self.is_full else MACHINE_SECONDS)
        while not condition():
            if clock.monotonic() - began > limit:
                pytest.fail(f"not within {seconds:g} s (times {self.scale:g}): {what}")
            await asyncio.sleep(self.poll)
        took = (clock.monotonic() - began) / self.scale
        self.say(f"{what}: {took:.2f} s of {seconds:g} s")
        return took

    async def until(self, condition: Callable[[], object], what: str) -> None:
        """Wait for what no timer of the product bounds."""
        ends = clock.monotonic() + PATIENCE_SECONDS
        while not condition():
            if clock.monotonic() > ends:
                pytest.fail(f"never came: {what}")
            await asyncio.sleep(self.poll)

    async def throughout(self, seconds: float, condition: Callable[[], object], what: str) -> None:
        """It holds at every look for so many product seconds: for what must not happen."""
        ends = clock.monotonic() + self.real(seconds)
        while clock.monotonic() < ends:
            assert condition(), f"no longer: {what}"
            await asyncio.sleep(self.poll)


def shorten(settings: Any, scale: float) -> None:
    """Every timer of the product times `scale`, so that their ratios stay."""
    for name in django_settings.SCALED_TIMERS:
        setattr(settings, name, getattr(settings, name) * scale)
    for name in UNSCALED:
        setattr(settings, name, max(getattr(settings, name) * scale, SHORTEST_PERIOD))
