"""A store or a process dies while fifty browsers listen: all is right again in seconds, by itself, the gap shown."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from feeds import clock
from terminal.embedded import temporary_data
from tests.flows.server import CHAINS_A_BROWSER, Crowd, Server, running

pytestmark = pytest.mark.processes

BROWSERS = 50
RECOVERY_SECONDS = 5.0
DATABASE_RECOVERY_SECONDS = 10.0
MACHINE_SECONDS = 5.0
"""What two busy cores may add when everything starts at once."""
EXACT_SECONDS = 10.0
READY_SECONDS = 60.0


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with temporary_data("bt-flow-") as folder, running(Path(folder)) as server:
        yield server


@pytest.fixture(scope="module")
def crowd(server: Server) -> Iterator[Crowd]:
    """Each browser on four chains, so that together they are on all."""
    chains = server.chain_topics()
    topics = [(chains + chains)[first : first + CHAINS_A_BROWSER] for first in range(0, len(chains), CHAINS_A_BROWSER)]
    with Crowd(server, BROWSERS, topics) as crowd:
        server.stack.wait_until(lambda: crowd.is_complete, READY_SECONDS, "fifty browsers")
        yield crowd


def recovers(server: Server, crowd: Crowd, fault: Callable[[], None], seconds: float) -> float:
    """Cause the fault; seconds until every row of every browser is new, which must not be longer than these."""
    at = clock.wall_nanoseconds() // 1_000_000
    fault()
    took = server.stack.wait_until(lambda: crowd.is_fresh(at), seconds + MACHINE_SECONDS, "new prices everywhere")
    server.stack.wait_until(server.tier_b_is_complete, seconds + MACHINE_SECONDS, "Tier B")
    with server.frozen() as truth:
        server.stack.wait_until(lambda: crowd.shows(truth), EXACT_SECONDS, "exactly what was sent")
    moved = clock.wall_nanoseconds() // 1_000_000
    server.stack.wait_until(lambda: crowd.is_fresh(moved), EXACT_SECONDS, "prices that move")
    print(f"{fault.__name__}: right again after {took:.2f} s")
    return took


def test_valkey_killed_and_restarted_empty(server: Server, crowd: Crowd):
    before = crowd.marks()

    def kill_valkey() -> None:
        server.stack.valkey.kill()
        server.stack.valkey.forget()

    recovers(server, crowd, kill_valkey, RECOVERY_SECONDS)
    assert_gap_shown(crowd, before)
    assert_same_connections(crowd, before)


def test_postgresql_killed(server: Server, crowd: Crowd):
    before = crowd.marks()

    def kill_postgresql() -> None:
        server.stack.postgres.kill()

    recovers(server, crowd, kill_postgresql, DATABASE_RECOVERY_SECONDS)
    assert server.rest("GET", "/api/v2/watchlists").status_code == 200
    assert crowd.marks() == before, "prices need no database: nothing was missed, and no gap shown"


def test_feed_killed(server: Server, crowd: Crowd):
    before = crowd.marks()

    def kill_feed() -> None:
        server.stack.kill("feed")

    recovers(server, crowd, kill_feed, RECOVERY_SECONDS)
    assert_gap_shown(crowd, before)
    assert_same_connections(crowd, before)


def test_web_killed(server: Server, crowd: Crowd):
    before = crowd.marks()

    def kill_web() -> None:
        server.stack.kill("web")

    recovers(server, crowd, kill_web, RECOVERY_SECONDS)
    came_back = sum(browser.opened > opened for browser, (opened, _) in before.items())
    assert came_back == BROWSERS // 2, "those of the dead replica, and they alone, came back by a new connection"


def assert_gap_shown(crowd: Crowd, before: dict) -> None:
    after = crowd.marks()
    assert all(after[browser][1] > before[browser][1] for browser in crowd.browsers)


def assert_same_connections(crowd: Crowd, before: dict) -> None:
    after = crowd.marks()
    assert [after[browser][0] for browser in crowd.browsers] == [before[browser][0] for browser in crowd.browsers]
