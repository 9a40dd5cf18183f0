"""Faults that only ages and clocks show (F11, F14): one instrument frozen among many, and clocks that jump."""

from __future__ import annotations

import random
import sys
from datetime import date, datetime, timedelta
from types import SimpleNamespace

import pytest

from feeds import clock, jobs
from feeds.core.instrument import InstrumentKey
from feeds.core.tick import TickFlag
from feeds.models import JobRun
from tests.faults.market import a_market
from tests.faults.pace import paced

pytestmark = pytest.mark.django_db(transaction=True)

HOUR = 3600.0


@paced(0.05)
async def test_f11_the_one_instrument_that_froze_among_many_is_the_one_that_is_marked_stale(pace, redis):
    many = 25_000 if pace.is_full else 1_000
    async with a_market(pace, redis, instruments=many, rate=10_000.0 if pace.is_full else 2_000.0) as market:
        codes = market.subscribed()
        busy = sorted(market.board().values(), key=lambda row: row["last_traded_at"])[-len(codes) // 50 :]
        frozen = int(random.Random(11).choice(busy)["code"])  # one that trades: the quote must tell what we miss
        market.cause("freeze", instruments=[str(InstrumentKey.from_code(frozen))])
        # Silent for a minute, and then its turn among those that are compared with a quote, one request a second.
        await market.within(120, lambda: market.flagged(TickFlag.STALE) == {frozen}, f"F11 one of {many} stale")
        await pace.throughout(10, lambda: market.flagged(TickFlag.STALE) == {frozen}, "F11 that one alone")
        assert market.session.state == "LIVE"
        market.cause("freeze", instruments=[str(InstrumentKey.from_code(frozen))], on=False)
        await market.within(20, lambda: market.is_believed(codes), "F11 believed again")


@pytest.fixture
def step(monkeypatch):
    """Set our host's wall clock off by some seconds, as NTP or an operator does. Dhan's own clock goes on."""
    truth = SimpleNamespace(**{name: getattr(clock, name) for name in ("exchange_now", "exchange_today", "wall_now")})
    truth.wall_nanoseconds, truth.monotonic, truth.IST = clock.wall_nanoseconds, clock.monotonic, clock.IST
    for name, module in list(sys.modules.items()):
        if name.startswith("feeds.simulator.") and getattr(module, "clock", None) is clock:
            monkeypatch.setattr(module, "clock", truth)

    def by(seconds: float) -> None:
        monkeypatch.setattr(clock, "exchange_now", lambda: truth.exchange_now() + timedelta(seconds=seconds))
        monkeypatch.setattr(clock, "wall_now", lambda: truth.wall_now() + timedelta(seconds=seconds))
        monkeypatch.setattr(clock, "wall_nanoseconds", lambda: truth.wall_nanoseconds() + int(seconds * 1e9))

    return by


@paced(0.1)
async def test_f14_jumps_of_the_wall_clock_make_no_age_negative_and_no_price_doubtful(pace, redis, step):
    async with a_market(pace, redis, instruments=200) as market:
        codes, dice = market.subscribed(), random.Random(14)
        for seconds in (HOUR, -HOUR, 0.2, -0.2, 0.0, *(dice.uniform(-HOUR, HOUR) for _ in range(3))):
            step(seconds)
            volumes = {code: int(row["volume"]) for code, row in market.board().items()}
            at = market.status()["at"]
            await pace.until(lambda at=at: market.status()["at"] != at, "a status by the new time")
            ages = [c["age_seconds"] for c in market.status()["connections"]]
            assert min(ages) >= 0
            assert max(ages) < pace.real(4.0)
            await pace.until(lambda before=volumes: has_traded_on(market.board(), before), "prices that go on")
            assert market.is_believed(codes)
        assert market.reconnects == [0] * 5
        assert market.session.state == "LIVE"
        assert not market.session.counters["watch_failed"]


def has_traded_on(board, before: dict[int, int]) -> bool:
    return sum(int(row["volume"]) > before[code] for code, row in board.items()) > len(before) // 2


def test_f14_no_job_is_done_twice_for_a_trading_date_however_the_clock_jumps(settings):
    settings.DHAN_MASTER_URL = "http://127.0.0.1:9/there-is-nobody.csv"
    opening = datetime(2026, 2, 3, 7, 0, tzinfo=clock.IST)
    now, dice = opening, random.Random(14)
    done: list[tuple[str, date]] = []
    for _ in range(60):
        now = max(opening, now + timedelta(minutes=dice.choice((-60, -1, 1, 60, 180))))
        done += [(run.job, run.trading_date) for run in jobs.run_due(now) if run.status == JobRun.Status.DONE]
    assert {"pre_open_rebuild", "eod_release.derivatives", "eod_release.mcx"} <= {job for job, _ in done}
    assert len(done) == len(set(done))
