"""Trading through real processes that die where a test says, and somebody who places orders meanwhile."""

from __future__ import annotations

import itertools
import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import Any

import httpx
from redis import Redis, RedisError

from terminal.children import Child
from terminal.stack import PROJECT, SETTLED_SECONDS, Member, Stack, free_port
from tests import prepared
from tests.flows.server import READY_SECONDS, START, Server, answers, offset_to

LOT = 65
ANSWER_SECONDS = 15.0
PREPARE = """
import django
django.setup()
from django.conf import settings
from feeds.clock import exchange_today
from feeds.importing import import_master
from rms import ledger
from rms.models import LedgerAccount, TradingAccount, Transfer
from terminal import demo
demo.load(settings.DATA_DIR)
import_master(day=exchange_today())
account = TradingAccount.objects.get(name="Paper trader")
ledger.transfer(
    reference="more", kind=Transfer.Kind.FUNDS_IN, account_id=account.pk, amount=10**11,
    against=LedgerAccount.Book.BANK, trading_date=exchange_today(), reason="a long test",
)
account.limits.delete()
"""
OPTION = """
SELECT code, security_id FROM feeds_instrument
WHERE segment = 2 AND underlying_symbol = 'NIFTY' AND option_type = 'CALL' AND is_listed
ORDER BY expiry, abs(strike - 2600000) LIMIT 1
"""


@contextmanager
def trading(folder: Path) -> Iterator[TradingServer]:
    """A server at ten on 2026-02-03 that trades: durable, without chains, worker and beat, its failpoints in reach."""
    failpoints = folder / "failpoints"
    failpoints.mkdir(parents=True)
    prepared.migrated(folder)
    stack = Stack(
        folder,
        offset_seconds=offset_to(START),
        web_ports=(free_port(),),
        simulator_arguments=("--rate", "600", "--instrument-rate", "20"),
        environment={
            "FAILPOINTS": os.fspath(failpoints),
            "ORDERS_PER_SECOND": "1000",
            "REST_RATE_PER_MINUTE": "100000",
            "LOGIN_RATE_PER_MINUTE": "1000",
        },
    )
    with stack.running_servers():
        server = TradingServer(stack, failpoints)
        stack.start("simulator")
        stack.wait_until(server.simulator_answers, READY_SECONDS, "the simulator")
        prepared.run(PREPARE, stack.environment)
        for name in ("feed", "execution", "web"):
            stack.start(name)
        stack.wait_until(lambda: answers(f"{server.bases[0]}/health/ready"), READY_SECONDS, "the web")
        stack.wait_until(server.trades, READY_SECONDS, "the execution")
        yield server


class TradingServer(Server):
    """One web replica, and one option whose price the test decides."""

    def __init__(self, stack: Stack, failpoints: Path) -> None:
        super().__init__(stack)
        self._failpoints = failpoints
        self._client = httpx.Client(base_url=self.bases[0], timeout=ANSWER_SECONDS)
        self._references = itertools.count(1)

    # --- prices

    @cached_property
    def option(self) -> str:
        [(_, number)] = self.query(OPTION)
        return f"NSE_FNO.{number}"

    def show(self, **step: Any) -> None:
        """The option shows this, and nothing else."""
        answer = self._simulator.post("/control/prices", json={"instrument": self.option, **step})
        answer.raise_for_status()

    def inject(self, **command: Any) -> None:
        self._inject(**command)

    # --- orders

    @cached_property
    def account(self) -> int:
        [(pk,)] = self.query("SELECT id FROM rms_tradingaccount WHERE name = 'Paper trader'")
        return int(pk)

    def new_reference(self) -> str:
        return f"single-{next(self._references)}"

    def order(self, reference: str, **fields: Any) -> httpx.Response:
        """One POST.

        Raises:
            httpx.HTTPError: no answer came.
        """
        body = {
            "account": self.account, "instrument": self.option, "side": "BUY", "quantity": LOT, "product": "INTRADAY",
            "order_type": "LIMIT", "limit_price": "100.10", "client_reference": reference, **fields,
        }  # fmt: skip
        token = "t" * 32  # what a page reads from its cookie and sends with every change
        headers = {
            "Cookie": f"{self.trader['Cookie']}; csrftoken={token}",
            "X-CSRFToken": token,
            "Origin": self.bases[0],
        }
        return self._client.post("/api/v2/orders", json=body, headers=headers)

    def status_of(self, pk: int) -> str:
        [(status,)] = self.query("SELECT status FROM oms_order WHERE id = %s", pk)
        return str(status)

    # --- processes

    def execution(self) -> dict[str, Any]:
        """What the execution process last said; empty when it or Valkey is away."""
        try:
            with Redis.from_url(self.stack.valkey.url, socket_timeout=5) as redis:
                return json.loads(redis.get("execution.status") or "{}")
        except (RedisError, OSError):
            return {}

    def trades(self) -> bool:
        return self.execution().get("state") == "LIVE"

    def arm(self, failpoint: str, pid: int | None = None) -> Callable[[], bool]:
        """The next process that comes there kills itself, or the one of this pid; the answer says whether one did."""
        path = self._failpoints / failpoint
        armed = path.with_suffix(".new")
        armed.write_text(str(pid or ""))
        armed.rename(path)
        return lambda: not path.exists()

    def settle(self) -> None:
        """Whoever dies next starts again at once, as after a long life: each death here is the first of its kind."""
        for member in self.stack.members.values():
            member.failures = 0
            member.started_at -= SETTLED_SECONDS

    def start_second_execution(self) -> None:
        name = "execution2"
        child = Child(
            name,
            self.stack.commands()["execution"],
            environment=self.stack.environment,
            log=self.stack.logs / f"{name}.log",
            folder=PROJECT,
        )
        self.stack.members[name] = Member(child)
        self.stack.members[name].start()

    def stop_second_execution(self) -> None:
        self.stack.members.pop("execution2").child.stop()

    def audit(self) -> str:
        """What `auditledger` prints; it has to find nothing."""
        command = [sys.executable, "manage.py", "auditledger"]
        done = subprocess.run(
            command, env=self.stack.environment, cwd=PROJECT, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout


class Stream:
    """Somebody who places one order after another, and asks again by the same reference until there is an answer."""

    def __init__(self, server: TradingServer, name: str) -> None:
        self._server, self._name = server, name
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self.taken: dict[str, int] = {}
        self.refused: dict[str, str] = {}

    def __enter__(self) -> Stream:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopping.set()
        self._thread.join(60)
        assert not self._thread.is_alive(), "an order was never answered"

    def _run(self) -> None:
        while not self._stopping.is_set():
            self.place(f"{self._name}-{len(self.taken) + len(self.refused)}")

    def place(self, reference: str) -> None:
        while True:
            try:
                answer = self._server.order(reference)
            except httpx.HTTPError:
                time.sleep(0.05)
                continue
            if answer.status_code in (200, 201):
                self.taken[reference] = answer.json()["id"]
                return
            if answer.status_code == 422:
                self.refused[reference] = answer.json()["code"]
                return
            time.sleep(0.05)
