"""Orders under faults: nothing acknowledged is lost, nothing happens twice, and trading goes on in time."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.faults.trading import LOT, Stream, TradingServer, trading

pytestmark = [pytest.mark.processes, pytest.mark.timeout(300)]

FAILPOINTS = (
    "after_claim", "before_write", "before_commit", "after_commit_before_announce", "after_commit_before_bell",
)  # fmt: skip
"""All there are: the execution's, and the web's last."""
INODE = 9
"""The column of /proc/<pid>/net/tcp that names a socket as /proc/<pid>/fd does."""
MACHINE_SECONDS = 10.0
"""What a busy machine may add to a limit; a soak adds nothing."""
EXECUTION_SECONDS = 5.0
POSTGRES_SECONDS = 10.0
TRADES = """
SELECT o.client_reference, o.status, o.filled_quantity, coalesce(sum(t.quantity), 0), count(t.id),
  coalesce(max(t.number), 0)
FROM oms_order o LEFT JOIN oms_trade t ON t.order_id = o.id WHERE o.id = ANY(%s) GROUP BY o.id
"""
EVENTS = "SELECT order_id FROM oms_orderevent GROUP BY order_id HAVING max(sequence) <> count(*)"
FACTS = 'SELECT account_id FROM rms_accountfact GROUP BY account_id HAVING max("offset") <> count(*)'


@pytest.fixture(scope="module")
def server(tmp_path_factory) -> Iterator[TradingServer]:
    with trading(tmp_path_factory.mktemp("trading")) as server:
        server.show(last_price=100.0, bids=[[99.95, 10_000_000]], asks=[[100.05, 10_000_000]])
        server.wait_until(lambda: is_taken(server), 60, "the option is fed and an order is taken")
        yield server


@pytest.fixture
def limit(request) -> float:
    return 0.0 if request.config.getoption("--soak") else MACHINE_SECONDS


def filled(server: TradingServer, reference: str) -> bool:
    """Whether the order of this reference, placed by the first call that is answered, has been filled."""
    try:
        answer = server.order(reference)
    except httpx.HTTPError:
        return False
    return answer.status_code in (200, 201) and answer.json()["status"] == "FILLED"


def is_taken(server: TradingServer) -> bool:
    """Whether a new order is taken and filled."""
    answer = server.order(server.new_reference())
    if answer.status_code not in (200, 201):
        return False
    pk = answer.json()["id"]
    server.wait_until(lambda: server.status_of(pk) == "FILLED", 15, "its fill")
    return True


def trades_again(server: TradingServer, seconds: float, what: str) -> None:
    reference = server.new_reference()
    server.wait_until(lambda: filled(server, reference), seconds, f"trading again after {what}")


def everything_happened_once(server: TradingServer, stream: Stream) -> None:
    """Every order that was acknowledged is filled, by trades that add up, numbered from one; no event is missing."""
    ids = list(stream.taken.values())
    assert len(ids) == len(set(ids)) > 0
    open_orders = "SELECT 1 FROM oms_order WHERE id = ANY(%s) AND status <> 'FILLED' LIMIT 1"
    server.wait_until(lambda: not server.query(open_orders, ids), 20, "every acknowledged order filled")
    rows = server.query(TRADES, ids)
    assert {row[0] for row in rows} == set(stream.taken)
    assert [row for row in rows if (row[2], row[3]) != (LOT, LOT) or row[4] != row[5]] == []
    assert server.query(EVENTS) == []
    assert server.query(FACTS) == []


@pytest.mark.parametrize("failpoint", FAILPOINTS[:-1])
def test_execution_killed_at_a_failpoint_loses_and_repeats_nothing(server, limit, failpoint):
    server.settle()
    with Stream(server, failpoint) as stream:
        server.wait_until(lambda: len(stream.taken) > 5, 20, "orders flow")
        server.wait_until(server.arm(failpoint), 10, "the kill")
        trades_again(server, EXECUTION_SECONDS + limit, failpoint)
    everything_happened_once(server, stream)


def test_web_killed_between_its_commit_and_the_bell_answers_the_repeat_with_the_first_order(server, limit):
    server.settle()
    with Stream(server, "web") as stream:
        server.wait_until(lambda: len(stream.taken) > 5, 20, "orders flow")
        server.wait_until(server.arm("after_commit_before_bell"), 10, "the kill")
        before = len(stream.taken)
        server.wait_until(lambda: len(stream.taken) > before + 5, 20 + limit, "orders flow again")
    everything_happened_once(server, stream)


@pytest.mark.parametrize(
    ("killed", "failpoint"),
    [
        ("postgres", "before_commit"),
        ("valkey", "after_commit_before_announce"),
        *[
            pytest.param(killed, failpoint, marks=pytest.mark.soak)
            for killed in ("postgres", "valkey")
            for failpoint in FAILPOINTS
            if (killed, failpoint) not in {("postgres", "before_commit"), ("valkey", "after_commit_before_announce")}
        ],
    ],
)
def test_a_server_killed_while_a_process_is_at_a_failpoint_loses_and_repeats_nothing(server, limit, killed, failpoint):
    server.settle()
    with Stream(server, f"{killed[0]}-{failpoint}") as stream:
        server.wait_until(lambda: len(stream.taken) > 5, 20, "orders flow")
        pid = getattr(server.stack, killed).child.pid
        server.wait_until(server.arm(failpoint, pid), 10, "the kill")
        before = len(stream.taken)
        server.wait_until(lambda: len(stream.taken) > before + 5, POSTGRES_SECONDS + limit, "orders flow again")
        trades_again(server, POSTGRES_SECONDS + limit, f"{killed} at {failpoint}")
    everything_happened_once(server, stream)


def test_postgres_killed_loses_nothing_that_was_acknowledged(server, limit):
    server.settle()
    with Stream(server, "postgres") as stream:
        server.wait_until(lambda: len(stream.taken) > 5, 20, "orders flow")
        server.stack.postgres.kill()
        before = len(stream.taken)
        server.wait_until(lambda: len(stream.taken) > before + 5, POSTGRES_SECONDS + limit, "orders flow again")
        trades_again(server, POSTGRES_SECONDS + limit, "postgres")
    everything_happened_once(server, stream)


def test_valkey_killed_only_delays(server, limit):
    server.settle()
    with Stream(server, "valkey") as stream:
        server.wait_until(lambda: len(stream.taken) > 5, 20, "orders flow")
        server.stack.valkey.kill()
        server.wait_until(server.trades, POSTGRES_SECONDS + limit, "the execution speaks again")
        before = len(stream.taken)
        server.wait_until(lambda: len(stream.taken) > before + 5, POSTGRES_SECONDS + limit, "orders flow again")
    everything_happened_once(server, stream)


def test_f16_of_two_executions_the_stopped_one_writes_nothing_when_it_goes_on(server, limit):
    server.settle()
    first = server.execution()["epoch"]
    server.start_second_execution()
    with Stream(server, "f16") as stream:
        server.wait_until(lambda: len(stream.taken) > 5, 20, "orders flow")
        server.stack.pause("execution")
        server.wait_until(
            lambda: server.execution().get("epoch", first) > first, 15 + limit, "the other has taken over"
        )
        trades_again(server, EXECUTION_SECONDS + limit, "takeover")
        server.stack.resume("execution")
        before = len(stream.taken)
        server.wait_until(lambda: len(stream.taken) > before + 20, 20, "orders flow on")
    server.stop_second_execution()
    everything_happened_once(server, stream)
    epochs = [epoch for (epoch,) in server.query("SELECT epoch FROM oms_trade ORDER BY id")]
    assert epochs == sorted(epochs)


def test_f11_a_stale_price_fills_nothing_until_it_is_fresh_again(server):
    option = server.option
    server.inject(fault="freeze", instruments=[option])
    try:
        server.wait_until(lambda: is_refused(server, "NO_LAST_PRICE"), 20, "a market order is refused")
        answer = server.order(server.new_reference())
        assert answer.status_code in (200, 201), answer.text
        pk = answer.json()["id"]
        server.wait_until(lambda: server.status_of(pk) == "OPEN", 10, "it rests")
    finally:
        server.inject(fault="freeze", instruments=[option], on=False)
    server.wait_until(lambda: server.status_of(pk) == "FILLED", 10, "it fills when prices are back")


def is_refused(server: TradingServer, code: str) -> bool:
    answer = server.order(server.new_reference(), order_type="MARKET", limit_price=None)
    return answer.status_code == 422 and answer.json()["code"] == code


def test_f09_a_quarantined_price_fills_nothing(server):
    option = server.option
    low = server.order(server.new_reference(), limit_price="95.00").json()["id"]
    server.wait_until(lambda: server.status_of(low) == "OPEN", 10, "it rests")
    for value in ("nan", "inf", -5.0, 0.0, 1e30):
        server.inject(
            fault="impossible", instrument=option, values={"last_price": value, "ask_price": value}, packets=3
        )
        server.show(bids=[[99.95, 10_000_000]], asks=[[100.05, 10_000_000]])
    assert is_taken(server)
    assert server.status_of(low) == "OPEN"
    server.show(last_price=94.0, bids=[[93.95, 10_000_000]], asks=[[94.05, 10_000_000]])
    server.wait_until(lambda: server.status_of(low) == "FILLED", 10, "a true price fills it")
    server.show(last_price=100.0, bids=[[99.95, 10_000_000]], asks=[[100.05, 10_000_000]])


def test_b16_paper_trading_opens_no_connection_to_anybody(server):
    assert is_taken(server)
    pid = server.execution()["pid"]
    assert tcp_connections(pid) == []


def tcp_connections(pid: int) -> list[str]:
    """The TCP sockets that a process holds: PostgreSQL and Valkey are reached by files, so there is no need for any."""
    links = (os.readlink(entry) for entry in Path(f"/proc/{pid}/fd").iterdir())
    sockets = {link[len("socket:[") : -1] for link in links if link.startswith("socket:[")}
    tables = (Path(f"/proc/{pid}/net/{name}").read_text().splitlines()[1:] for name in ("tcp", "tcp6"))
    return [line for table in tables for line in table if line.split()[INODE] in sockets]


def test_the_books_agree_with_the_trades_after_all_of_it(server):
    assert server.audit().rstrip().endswith("0 differences")
