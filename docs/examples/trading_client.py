"""A trading program: places an order and follows its account, each fact once and in order, gaps recovered over REST.

    python trading_client.py --base http://127.0.0.1:8000 --token btt_... --account 3 \
        --instrument NSE_FNO.49081 --side BUY --quantity 65 --price 152.30

Needs `pip install websockets` and market_client.py beside it. docs/api.md and docs/websocket.md say what is sent.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import urllib.error
import urllib.request
import uuid
from collections.abc import AsyncIterator
from typing import Any

from market_client import Change, MarketClient

REQUEST_SECONDS = 10.0

Fact = tuple[int, str, dict[str, Any]]
"""Offset, kind, body: prices and money in whole paise, times in epoch milliseconds."""


class RestClient:
    """The few calls that this program makes. Blocking: from a coroutine use `asyncio.to_thread`."""

    def __init__(self, base: str, token: str) -> None:
        self._base = f"{base}/api/v2/"
        self._headers = {"Authorization": f"Token {token}", "Content-Type": "application/json"}

    def place(self, order: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        """Status and body: 201 and the order, or 422 and why not. With a `client_reference` it is safe to repeat."""
        return self._ask("POST", "orders", order)

    def facts_after(self, account: int, offset: int) -> dict[str, Any]:
        return self._ask("GET", f"accounts/{account}/facts?after={offset}")[1]

    def _ask(self, method: str, path: str, body: dict[str, Any] | None = None) -> tuple[int, dict[str, Any]]:
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self._base + path, data, self._headers, method=method)  # noqa: S310 ours
        try:
            with urllib.request.urlopen(request, timeout=REQUEST_SECONDS) as answer:  # noqa: S310 ours
                return answer.status, json.load(answer)
        except urllib.error.HTTPError as refused:
            return refused.code, json.load(refused)


class TradingClient(MarketClient):
    """`async for fact in client.facts()`: every fact of one account after `offset`, once, in order."""

    def __init__(self, base: str, token: str, account: int, offset: int = 0) -> None:
        super().__init__(base.replace("http", "ws", 1) + "/ws/market", token, [f"account.{account}"])
        self.rest = RestClient(base, token)
        self.offset = offset
        """Of the last fact given out: keep it, and begin with it after a restart."""
        self.values: dict[str, Any] = {}
        self._account = account
        self._parts: asyncio.Queue[tuple[int, list[Fact]]] = asyncio.Queue()

    async def facts(self) -> AsyncIterator[Fact]:
        """Raises:
        websockets.ConnectionClosed: coming back would not help: not signed in.
        """
        following = asyncio.create_task(self._follow())
        try:
            while True:
                start, facts = await self._next_part(following)
                for fact in [*await self._missing(start), *facts]:
                    if fact[0] > self.offset:
                        self.offset = fact[0]
                        yield fact
        finally:
            following.cancel()

    async def _follow(self) -> None:
        async for _ in self.changes():
            pass

    async def _next_part(self, following: asyncio.Task[None]) -> tuple[int, list[Fact]]:
        part = asyncio.create_task(self._parts.get())
        await asyncio.wait({part, following}, return_when=asyncio.FIRST_COMPLETED)
        if following.done():
            part.cancel()
            following.result()
        return await part

    async def _missing(self, start: int) -> list[Fact]:
        """The facts up to `start` that the websocket did not bring."""
        found: list[Fact] = []
        reached = self.offset
        while reached < start:
            told = await asyncio.to_thread(self.rest.facts_after, self._account, reached)
            found += [(fact["offset"], fact["kind"], fact["body"]) for fact in told["facts"]]
            reached = found[-1][0] if found else start
        return found

    def _take(self, part: Any) -> Change | None:
        if isinstance(part, dict) and "facts" in part:
            self._parts.put_nowait((part["from"], [(offset, kind, body) for offset, kind, body in part["facts"]]))
        elif isinstance(part, dict) and "values" in part:
            self.values |= dict(part["values"])
        elif isinstance(part, dict) and "offset" in part:
            self._parts.put_nowait((part["offset"], []))
        return super()._take(part)


async def trade(client: TradingClient, order: dict[str, Any]) -> None:
    """Place one order and print what becomes of the account."""
    status, answer = await asyncio.to_thread(client.rest.place, order)
    print(status, answer.get("code") or answer["status"], answer.get("message") or f"order {answer['id']}")
    async for offset, kind, body in client.facts():
        print(offset, kind, json.dumps(body))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--base", default="http://127.0.0.1:8000")
    parser.add_argument("--token", required=True)
    parser.add_argument("--account", type=int, required=True)
    parser.add_argument("--instrument", required=True)
    parser.add_argument("--side", choices=["BUY", "SELL"], required=True)
    parser.add_argument("--quantity", type=int, required=True)
    parser.add_argument("--price", required=True, help="Rupees, as text: 152.30")
    parser.add_argument("--product", default="MARGIN")
    given = parser.parse_args()
    order = {
        "account": given.account,
        "instrument": given.instrument,
        "side": given.side,
        "quantity": given.quantity,
        "limit_price": given.price,
        "product": given.product,
        "source": "PROGRAM",
        "client_reference": uuid.uuid4().hex,
    }
    asyncio.run(trade(TradingClient(given.base, given.token, given.account), order))


if __name__ == "__main__":
    main()
