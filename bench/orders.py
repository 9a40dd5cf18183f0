"""Durable paper orders a second through the whole server, beside what one PostgreSQL connection can commit at all.

Run with `python -m bench.orders [--seconds 15] [--server daphne|uvicorn] [--web 2] [--quick]`; prints JSON last.
Everything is real and on loopback: PostgreSQL with synchronous_commit=on and fsync, Valkey, the simulator, the feed,
the web processes (two unless told otherwise) and the execution process, all on the same cores as the load.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any

import psycopg

from bench.machine import describe
from feeds import clock
from terminal.embedded import temporary_data
from terminal.stack import PROJECT, Stack, free_port

START = datetime(2026, 2, 3, 10, 0, tzinfo=clock.IST)
ACCOUNTS = 120
"""Each may place ten orders a second on a segment (NSE/INVG/67858)."""
LISTENERS = 10
"""Accounts whose websocket is open: from their orders the time to the fill is measured."""
RUPEES_EACH = 100_000_000
MARKET_RATE = "2500"
READY_SECONDS = 90.0
CONNECTIONS = 32
MANY_CONNECTIONS = 64
"""Of an order each at a time: what comes meanwhile is placed together, so more of them are served faster."""
PACED_RATE = 100.0
BARE_SECONDS = 3.0
BARE_THREADS = 8
TARGET_RATE = 300.0
TARGET_RATIO = 0.1
TARGET_P99_MS = 100
INSERT = "INSERT INTO bench_commit (body) VALUES ('about as long as an order: ' || random())"

PREPARE = """
import json, os
import django
django.setup()
from django.conf import settings
from django.contrib.auth.models import Group, User
from django.core.management import call_command
from feeds import clock
from feeds.models import ChainContract
from rms.funds import request_funds
from rms.ledger import open_account
from rms.models import FundsRequest, RiskLimits
from terminal import demo
from terminal.accounts.models import ApiToken
from terminal.accounts.selectors import token_digest

call_command("migrate", verbosity=0)
demo.load(settings.DATA_DIR)
demo.prepare_market()
settings.FUNDS_APPROVAL_RUPEES = 10**12
admin = User.objects.get(username="admin")
tokens, accounts = [], []
for number in range(%(accounts)d):
    user = User.objects.create_user(f"bench{number}")
    user.groups.set([Group.objects.get(name="trader")])
    account = open_account(name=f"Bench {number}", owner=user)
    direction = FundsRequest.Direction.IN
    request_funds(
        account=account, direction=direction, amount=%(rupees)d * 100, actor=admin, reason="so that nothing is refused"
    )
    RiskLimits.objects.filter(account=account).delete()
    text = f"btt_bench{number}"
    ApiToken.objects.create(user=user, name="bench", prefix=text[:8], digest=token_digest(text))
    tokens.append(text)
    accounts.append(account.pk)
near = ChainContract.objects.filter(rank__range=(-4, 4), definition__underlying_symbol__in=["NIFTY", "BANKNIFTY"])
near = near.order_by("expiry", "strike").select_related("instrument")
contracts = [(str(row.instrument.key), row.instrument.lot_size) for row in near[:90]]
print(json.dumps({"tokens": tokens, "accounts": accounts, "contracts": contracts}))
"""


@contextmanager
def trading_server(folder: Path, server: str, web: int = 1) -> Iterator[tuple[Stack, dict[str, Any]]]:
    """All processes but worker and beat, at ten on a trading day; yields the stack and who may trade what."""
    stack = Stack(
        folder,
        offset_seconds=(START - clock.wall_now()).total_seconds(),
        web_ports=tuple(free_port() for _ in range(web)),
        server=server,
        simulator_arguments=("--rate", MARKET_RATE),
        environment={"REST_RATE_PER_MINUTE": "1000000", "BROWSER_CLIENTS_PER_USER": "1000"},
        durable=True,
    )
    with stack.running_servers():
        stack.start("simulator")
        stack.wait_until(lambda: answers(stack.simulator_port), READY_SECONDS, "the simulator")
        who = json.loads(python(stack, PREPARE % {"accounts": ACCOUNTS, "rupees": RUPEES_EACH}).splitlines()[-1])
        for name in ("feed", *(name for name in stack.commands() if name.startswith("web")), "execution"):
            stack.start(name)
        for port in stack.web_ports:
            ready = f"http://127.0.0.1:{port}/health/ready"
            stack.wait_until(partial(is_ok, ready), READY_SECONDS, "the web process")
        yield stack, who


def python(stack: Stack, code: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", code], env=stack.environment, cwd=PROJECT, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise RuntimeError(done.stderr)
    return done.stdout


def answers(port: int) -> bool:
    return is_ok(f"http://127.0.0.1:{port}/control/state")


def is_ok(url: str) -> bool:
    import httpx

    try:
        return httpx.get(url, timeout=5.0).status_code == 200
    except httpx.HTTPError:
        return False


# --- what the database can do at all


def bare_rate(url: str, threads: int) -> float:
    """Rows a second when each of so many connections inserts one row a commit."""
    counts = [0] * threads
    ends = time.monotonic() + BARE_SECONDS

    def insert(number: int) -> None:
        with psycopg.connect(url, autocommit=True) as connection:
            while time.monotonic() < ends:
                connection.execute(INSERT)
                counts[number] += 1

    workers = [threading.Thread(target=insert, args=(number,)) for number in range(threads)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    return sum(counts) / BARE_SECONDS


def measure_bare(url: str) -> dict[str, Any]:
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("CREATE TABLE IF NOT EXISTS bench_commit (id bigserial PRIMARY KEY, body text)")
        settings = {name: connection.execute(f"SHOW {name}").fetchone()[0] for name in ("synchronous_commit", "fsync")}
    return {"one_connection": bare_rate(url, 1), "eight_connections": bare_rate(url, BARE_THREADS), **settings}


# --- the orders


def plan(stack: Stack, who: dict[str, Any], seconds: float) -> dict[str, Any]:
    """Buys and sales of one lot at the market, over many contracts and accounts."""
    orders = [
        {
            "instrument": instrument,
            "side": side,
            "order_type": "MARKET",
            "product": "MARGIN",
            "validity": "DAY",
            "quantity": lot,
        }
        for side in ("BUY", "SELL")
        for instrument, lot in who["contracts"]
    ]
    return {
        "bases": [f"http://127.0.0.1:{port}" for port in stack.web_ports],
        "tokens": who["tokens"],
        "accounts": who["accounts"],
        "listeners": LISTENERS,
        "orders": orders,
        "phases": [
            {"name": "warm", "connections": 4, "rate": 20.0, "seconds": 5.0},
            {"name": "paced", "connections": CONNECTIONS, "rate": PACED_RATE, "seconds": seconds},
            {"name": "flat_out_of_few", "connections": CONNECTIONS, "rate": None, "seconds": seconds},
            {"name": "flat_out", "connections": MANY_CONNECTIONS, "rate": None, "seconds": seconds},
        ],
    }


def drive(stack: Stack, wanted: dict[str, Any]) -> dict[str, dict[str, Any]]:
    done = subprocess.run(
        [sys.executable, "-m", "bench.orders_load"],
        input=json.dumps(wanted),
        env=stack.environment,
        cwd=PROJECT,
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    return {phase["phase"]: phase for phase in map(json.loads, done.stdout.splitlines())}


def stored(url: str) -> dict[str, Any]:
    """What is in the database: every acknowledged order must be."""
    with psycopg.connect(url) as connection:
        rows = connection.execute("SELECT status, count(*) FROM oms_order GROUP BY status").fetchall()
        trades = connection.execute("SELECT count(*) FROM oms_trade").fetchone()
    return {"statuses": dict(rows), "trades": trades[0] if trades else 0}


def audit(stack: Stack) -> bool:
    command = [sys.executable, os.fspath(PROJECT / "manage.py"), "auditledger"]
    return subprocess.run(command, env=stack.environment, cwd=PROJECT, capture_output=True, check=False).returncode == 0


def run(seconds: float, server: str, web: int) -> dict[str, Any]:
    with temporary_data("bt-orders-") as folder, trading_server(Path(folder), server, web) as (stack, who):
        before = measure_bare(stack.postgres.url)
        phases = drive(stack, plan(stack, who, seconds))
        after = measure_bare(stack.postgres.url)
        books = stored(stack.postgres.url)
        is_clean = audit(stack)
    one = (before["one_connection"] + after["one_connection"]) / 2
    rate, paced = phases["flat_out"]["orders_per_second"], phases["paced"]
    ratio = rate / one
    return {
        "server": server,
        "web_processes": web,
        "orders_per_second": rate,
        "ratio": round(ratio, 3),
        "paced": paced,
        "connections": MANY_CONNECTIONS,
        "flat_out": phases["flat_out"],
        "connections_of_few": CONNECTIONS,
        "flat_out_of_few": phases["flat_out_of_few"],
        "bare_commits_per_second": {
            "one_connection": round(one),
            "eight_connections": round((before["eight_connections"] + after["eight_connections"]) / 2),
            "synchronous_commit": before["synchronous_commit"],
            "fsync": before["fsync"],
        },
        "stored": books,
        "auditledger_clean": is_clean,
        "machine": describe(),
        "ok": rate >= TARGET_RATE
        and ratio >= TARGET_RATIO
        and (paced["to_acknowledged_ms"]["p99"] or TARGET_P99_MS) < TARGET_P99_MS
        and is_clean,
    }


def main() -> int:
    parser = argparse.ArgumentParser(description="Durable paper orders a second, and how long each takes.")
    parser.add_argument("--seconds", type=float, default=15.0)
    parser.add_argument("--server", default="daphne", choices=("daphne", "uvicorn"))
    parser.add_argument("--quick", action="store_true", help="Four seconds a phase.")
    parser.add_argument("--web", type=int, default=2, help="Web processes.")
    arguments = parser.parse_args()
    report = run(4.0 if arguments.quick else arguments.seconds, arguments.server, arguments.web)
    print(json.dumps(report, indent=1))
    return 0 if report["ok"] else 1


if __name__ == "__main__":
    raise SystemExit(main())
