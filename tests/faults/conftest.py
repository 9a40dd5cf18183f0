"""What all fault tests share: 2026-02-03 at ten, and timers that are shortened together."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

import pytest

from feeds import clock
from tests.faults.pace import Pace, shorten

MORNING = datetime(2026, 2, 3, 10, 0, tzinfo=clock.IST)


@pytest.fixture(autouse=True)
def morning(settings) -> None:
    settings.EXCHANGE_CLOCK_OFFSET_SECONDS = (MORNING - clock.wall_now()).total_seconds()


@pytest.fixture
def say(request, capfd) -> Callable[[str], None]:
    """Print a figure of a soak past the capture, after the test's own name."""

    def tell(figure: str) -> None:
        if request.config.getoption("--soak"):
            with capfd.disabled():
                print(f"{request.node.name}: {figure}", flush=True)

    return tell


@pytest.fixture
def pace(request, settings, say) -> Pace:
    """Of the `paced` mark; a test without one runs at a tenth."""
    scale = getattr(request, "param", 0.1)
    shorten(settings, scale)
    return Pace(scale, say)
