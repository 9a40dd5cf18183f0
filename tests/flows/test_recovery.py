"""A trader's day on a whole server; then what dies under fifty browsers comes right again by itself, gap shown."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from feeds import clock
from feeds.topics import CHANGED_CHANNEL
from terminal.embedded import temporary_data
from terminal.listeners import Listener, Tally, open_listener
from tests.faults.clients_fixtures import until
from tests.flows.server import CHAINS_A_BROWSER, Crowd, Server, running

pytestmark = pytest.mark.processes

BROWSERS = 50
RECOVERY_SECONDS = 5.0
DATABASE_RECOVERY_SECONDS = 10.0
MACHINE_SECONDS = 5.0
"""What two busy cores may add when everything starts at once."""
EXACT_SECONDS = 4.0
EXACT_TRIES = 3
MOVING_SECONDS = 10.0
READY_SECONDS = 60.0
SYNC_SECONDS = 10.0
RELEASES = "SELECT attempts, status, report FROM feeds_jobrun WHERE job LIKE 'eod_release.%%' AND status = 'DONE'"
CLOSE = datetime(2026, 2, 3, 15, 30, tzinfo=clock.IST)


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with temporary_data("bt-flow-") as folder, running(Path(folder)) as server:
        yield server


def test_a_trader_adds_sees_ticks_removes_and_the_close_releases_once(server: Server):
    watchlist = server.rest("POST", "/api/v2/watchlists", {"name": "Three"}).json()["id"]
    added = server.rest(
        "POST", "/api/v2/watchlist/add", {"watchlist": watchlist, "symbols": ["RELIANCE", "INFY", "TCS"]}
    )
    assert (added.status_code, added.json()["subscriptions"]) == (200, 126)
    server.wait_until(lambda: tier_a(server) == 126, SYNC_SECONDS, "126 subscriptions")
    asyncio.run(sees_ticks(server, f"watchlist.{watchlist}"))
    assert_nobody_else_sees(server, watchlist)
    removed = server.rest("POST", "/api/v2/watchlist/remove", {"watchlist": watchlist, "symbols": ["TCS"]})
    assert (removed.status_code, removed.json()["subscriptions"]) == (200, 42)
    server.wait_until(lambda: tier_a(server) == 84, SYNC_SECONDS, "84 subscriptions")
    server.start_at(CLOSE - timedelta(seconds=3), "worker", "beat")
    server.wait_until(lambda: tier_a(server) == 0, READY_SECONDS, "the release at 15:30")
    assert server.tier_b_is_complete()
    assert_released_once(server)


def tier_a(server: Server) -> int | None:
    return server.feed_status().get("tier_a")


async def sees_ticks(server: Server, topic: str) -> None:
    """Three rows, and each of them moves."""
    listener = Listener([topic], Tally(), keep_rows=True)
    await open_listener(server.sockets[0], {**server.trader, "Origin": server.bases[0]}, listener)
    await until(lambda: topic in listener.snapshots)
    before = [listener.value(topic, "volume", row) for row in range(3)]
    await until(lambda: all(listener.value(topic, "volume", row) > before[row] for row in range(3)))
    assert all(listener.value(topic, "last_price", row) > 0 for row in range(3))
    assert listener.tally.counts["gaps"] == 0
    listener.transport.disconnect()


def assert_nobody_else_sees(server: Server, watchlist: int) -> None:
    """Another's watchlist does not exist, by any verb."""
    path, change = f"/api/v2/watchlists/{watchlist}", {"watchlist": watchlist, "symbols": ["TCS"]}
    for method, where, body in (
        ("GET", path, None),
        ("PATCH", path, {"name": "Mine"}),
        ("DELETE", path, None),
        ("POST", "/api/v2/watchlist/add", change),
        ("POST", "/api/v2/watchlist/remove", change),
    ):
        assert server.rest(method, where, body, username="risk").status_code == 404, (method, where)


def assert_released_once(server: Server) -> None:
    """Beat went on asking each second: one row, done at the first attempt."""
    runs = server.query(RELEASES)
    released = [report["released"] for _, _, report in runs]
    assert {(attempts, status) for attempts, status, _ in runs} == {(1, "DONE")}
    assert sum(count > 0 for count in released) == 1, runs


@pytest.fixture(scope="module")
def crowd(server: Server) -> Iterator[Crowd]:
    """Each browser on four chains, so that together they are on all."""
    chains = server.chain_topics()
    topics = [(chains + chains)[first : first + CHAINS_A_BROWSER] for first in range(0, len(chains), CHAINS_A_BROWSER)]
    with Crowd(server, BROWSERS, topics) as crowd:
        server.wait_until(lambda: crowd.is_complete, READY_SECONDS, "fifty browsers")
        yield crowd


def recovers(server: Server, crowd: Crowd, fault: Callable[[], None], seconds: float) -> float:
    """Cause the fault; seconds until every row of every browser is new, which must not be longer than these."""
    at = clock.wall_nanoseconds() // 1_000_000
    fault()
    took = server.wait_until(lambda: crowd.is_fresh(at), seconds + MACHINE_SECONDS, "new prices everywhere")
    server.wait_until(server.tier_b_is_complete, seconds + MACHINE_SECONDS, "Tier B")
    for _ in range(EXACT_TRIES):
        wrong = wrong_when_frozen(server, crowd)
        moved = clock.wall_nanoseconds() // 1_000_000
        server.wait_until(lambda moved=moved: crowd.is_fresh(moved), MOVING_SECONDS, "prices that move")
        if not wrong:
            break
    assert wrong == []
    print(f"{fault.__name__}: right again after {took:.2f} s")
    return took


def wrong_when_frozen(server: Server, crowd: Crowd) -> list[object]:
    """What browsers do not come to show of what was sent last before everything froze; empty: all is right.

    A chain that follows its ATM at that very moment has contracts that have not ticked yet: then another try, which
    tells nothing before everything has moved again.
    """
    with server.frozen() as truth:
        with suppress(TimeoutError):
            server.wait_until(lambda: crowd.shows(truth), EXACT_SECONDS, "exactly what was sent")
            return []
        return list(crowd.differences(truth)[:3])


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


def test_a_change_that_is_told_while_postgresql_is_away_is_shown_when_it_is_back(server: Server):
    watchlist = server.rest("POST", "/api/v2/watchlists", {"name": "Before"}).json()["id"]
    with Crowd(server, 2, [[f"watchlist.{watchlist}"]]) as watching:
        server.wait_until(lambda: watching.is_complete, READY_SECONDS, "a browser on each replica")
        server.query("UPDATE watchlists_watchlist SET name = 'After' WHERE id = %s RETURNING id", watchlist)
        server.stack.postgres.kill()
        server.publish(CHANGED_CHANNEL, [f"watchlist.{watchlist}"])
        server.wait_until(lambda: watching.names() == {"After"}, READY_SECONDS, "the new name")


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


def test_the_jobs_go_on_after_all_of_it(server: Server):
    """Worker and beat lost both stores; a release that is wanted again is still made, once."""
    server.query("DELETE FROM feeds_jobrun WHERE job LIKE 'eod_release.%%' RETURNING id")
    server.wait_until(lambda: server.query(RELEASES), READY_SECONDS, "a release by the worker")


def assert_gap_shown(crowd: Crowd, before: dict) -> None:
    after = crowd.marks()
    assert all(after[browser][1] > before[browser][1] for browser in crowd.browsers)


def assert_same_connections(crowd: Crowd, before: dict) -> None:
    after = crowd.marks()
    assert [after[browser][0] for browser in crowd.browsers] == [before[browser][0] for browser in crowd.browsers]
