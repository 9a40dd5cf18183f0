"""A trader's desk on a running server: orders by REST, prices as wanted, and a book of its own beside ours."""

from __future__ import annotations

import json
import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterator
from decimal import Decimal
from fractions import Fraction
from itertools import count
from typing import Any

from terminal.stack import PROJECT
from tests.flows.server import Server

LOT = 65
FILL_SECONDS = 15.0
OPTIONS = """
SELECT security_id FROM feeds_instrument
WHERE segment = 2 AND underlying_symbol = 'NIFTY' AND expiry = '2026-02-10' AND option_type = %s AND strike = %s
"""


AUDITS = """
import sys, django
django.setup()
from django.core.management import call_command
for _ in sys.stdin:
    call_command("auditledger", "--json")
"""


class Auditor:
    """`auditledger` as often as it is asked, in one process that stays: its start costs more than the proof."""

    def __init__(self, server: Server) -> None:
        self._child = subprocess.Popen(
            [sys.executable, "-c", AUDITS],
            env=server.stack.environment, cwd=PROJECT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip

    def differences(self) -> list[Any]:
        assert self._child.stdin
        assert self._child.stdout
        self._child.stdin.write("\n")
        self._child.stdin.flush()
        return list(json.loads(self._child.stdout.readline())["differences"])

    def end(self) -> None:
        self._child.communicate(timeout=FILL_SECONDS)


class Desk:
    """One account's trader."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self._references = count(1)
        accounts = self.get("/api/v2/accounts")["results"]
        self.account = next(account["id"] for account in accounts if account["can_trade"])
        self.opening = paise(self.funds()["cash"])
        self.auditor = Auditor(server)

    # --- prices

    def option(self, kind: str, strike: int) -> str:
        [(number,)] = self.server.query(OPTIONS, kind, strike * 100)
        return f"NSE_FNO.{number}"

    def show(self, instrument: str, **step: Any) -> None:
        """The instrument shows this, and nothing else."""
        self.server.script(instrument=instrument, **step)

    def quote(self, instrument: str, last: float, bid: float, ask: float, quantity: int = 10 * LOT) -> None:
        self.show(instrument, last_price=last, bids=[[bid, quantity]], asks=[[ask, quantity]])
        self.server.wait_until(lambda: self.last_price(instrument) == last, FILL_SECONDS, f"{instrument} at {last}")

    def last_price(self, instrument: str) -> float:
        quotes = self.get(f"/api/v2/quotes?instruments={instrument}")["quotes"]
        return float(quotes[0]["last_price"] or 0) if quotes else 0.0

    # --- orders

    def get(self, path: str) -> Any:
        answer = self.server.rest("GET", path)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def post(self, path: str, body: Any, status: int, username: str = "trader") -> Any:
        answer = self.server.rest("POST", path, body, username)
        assert answer.status_code == status, answer.text
        return answer.json()

    def place(self, instrument: str, side: str, quantity: int, **fields: Any) -> int:
        body = {
            "account": self.account, "instrument": instrument, "side": side, "quantity": quantity,
            "product": "INTRADAY", "client_reference": f"desk-{next(self._references)}", **fields,
        }  # fmt: skip
        return int(self.post("/api/v2/orders", body, 201)["id"])

    def order(self, pk: int) -> dict[str, Any]:
        return self.get(f"/api/v2/orders/{pk}")

    def becomes(self, pk: int, status: str, **fields: Any) -> dict[str, Any]:
        """Wait until the order is that."""
        wanted = {"status": status, **fields}
        try:
            self.server.wait_until(lambda: wanted.items() <= self.order(pk).items(), FILL_SECONDS, f"{pk} {wanted}")
        except TimeoutError as error:
            raise AssertionError(f"{error}\n{self.order(pk)}\n{self.get(f'/api/v2/orders/{pk}/events')}") from None
        return self.order(pk)

    def fills(self, pk: int) -> list[tuple[int, str]]:
        """Quantity and price of each fill, in their order."""
        trades = self.get(f"/api/v2/trades?order={pk}&order_by=id")["results"]
        return [(trade["quantity"], trade["price"]) for trade in trades]

    # --- what the server says

    def funds(self) -> dict[str, Any]:
        return self.get(f"/api/v2/accounts/{self.account}/funds")

    def positions(self) -> dict[tuple[str, str], dict[str, Any]]:
        rows = self.get(f"/api/v2/accounts/{self.account}/positions")["positions"]
        return {(row["instrument"], row["product"]): row for row in rows}

    def trades(self) -> Iterator[dict[str, Any]]:
        """The whole trade book, oldest first."""
        path = f"/api/v2/trades?account={self.account}&order_by=id"
        while path:
            page = self.get(path)
            yield from page["results"]
            path = (page["next"] or "").removeprefix(self.server.bases[0])

    # --- the books beside each other

    def agrees(self, paid_in: int = 0) -> None:
        """Cash, positions and realised profit are what the trades alone say, and `auditledger` finds nothing."""
        book = Book()
        for trade in self.trades():
            book.take(trade)
        assert paise(self.funds()["cash"]) == self.opening + paid_in + book.cash
        shown = self.positions()
        assert {key: row["quantity"] for key, row in shown.items() if row["quantity"]} == book.open_quantities
        assert {key: paise(row["realised_pnl"]) for key, row in shown.items()} == book.realised
        assert self.auditor.differences() == []

    def audit(self) -> None:
        """The command as an operator runs it."""
        command = [sys.executable, "manage.py", "auditledger", "--json"]
        done = subprocess.run(
            command, env=self.server.stack.environment, cwd=PROJECT, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr
        assert json.loads(done.stdout)["differences"] == []


class Book:
    """Twenty lines of bookkeeping for what is paid in full: cash, moving average, realised profit, in whole paise."""

    def __init__(self) -> None:
        self.cash = 0
        self._quantity: defaultdict[tuple[str, str], int] = defaultdict(int)
        self._cost: defaultdict[tuple[str, str], Fraction] = defaultdict(Fraction)
        self._realised: defaultdict[tuple[str, str], Fraction] = defaultdict(Fraction)

    def take(self, trade: dict[str, Any]) -> None:
        key = (trade["instrument"], trade["product"])
        signed = trade["quantity"] * (1 if trade["side"] == "BUY" else -1)
        price, held = paise(trade["price"]), self._quantity[key]
        self.cash -= signed * price
        closed = min(abs(signed), abs(held)) * (1 if signed > 0 else -1) if held * signed < 0 else 0
        if closed:
            average = self._cost[key] / held
            self._realised[key] += -closed * (price - average)
            self._cost[key] += closed * average
        self._cost[key] += (signed - closed) * price
        self._quantity[key] += signed
        self._realised[key] += 0

    @property
    def open_quantities(self) -> dict[tuple[str, str], int]:
        return {key: quantity for key, quantity in self._quantity.items() if quantity}

    @property
    def realised(self) -> dict[tuple[str, str], int]:
        return {key: round(profit) for key, profit in self._realised.items()}


def paise(rupees: str) -> int:
    return int(Decimal(rupees) * 100)
