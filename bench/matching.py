"""Matching events a second beside the naive list book and the package lightmatchingengine; a full batch of ticks.

Run with `python -m bench.matching`; prints one JSON object last. All do the same operations and must give the same
trades. An operation is an order, a cancellation or a row of one instrument.

The package knows limit orders that meet each other and nothing else: no depth, stops, phases or groups. So the stream
it shares is limit orders that rest, cancellations, and an offer that comes down to the best of our buys (for us: a row
that displays it; for the package: an order of the house, whose unfilled rest is cancelled), never for more than rests
at that price, where both fill at the same price. `one_book` has all orders in one instrument over 4,000 prices, as a
future's book has; `many_books` 100 orders in each of 100 instruments over 40 prices, where the package's way of
looking through all prices for the best costs it least. Times are of the processor, so that what else the machine
does counts for none of them.
"""

from __future__ import annotations

import argparse
import json
import random
from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from statistics import median
from time import process_time
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

import numpy as np
from lightmatchingengine.lightmatchingengine import LightMatchingEngine

from bench.machine import describe
from feeds.core.calendar import Phase
from feeds.core.instrument import ExchangeSegment, InstrumentKey
from feeds.core.tick import TICK
from oms.core.matching import Engine, EngineOrder, Filled
from oms.core.order import OrderType, Side
from tests.oms.core.naive_book import NaiveEngine

SEGMENT = ExchangeSegment.NSE_FNO
AT = datetime(2026, 2, 3, 10, 0, tzinfo=ZoneInfo("Asia/Kolkata"))
MIDDLE = 2_500_000
"""Paise: our buys are below, our sales above."""
TICK_SIZE = 5
HOUSE = 2
TARGET_OVER_NAIVE = 10
LIMIT_MILLISECONDS = 50.0
Trades = list[tuple[int, int, int]]


class Rest(NamedTuple):
    number: int
    code: int
    side: Side
    price: int
    quantity: int


class Cancel(NamedTuple):
    number: int
    code: int


class Offer(NamedTuple):
    """The market offers a quantity at the price of our best buy."""

    code: int
    price: int
    quantity: int


Operation = Rest | Cancel | Offer


class Stream:
    """Operations around a steady number of resting orders, and where each would stand: kept outside any timing."""

    def __init__(self, seed: int, instruments: int, prices: int, resting: int) -> None:
        self.random = random.Random(seed)
        self.codes = [InstrumentKey(SEGMENT, 1 + number).code for number in range(instruments)]
        self.prices, self.resting, self.number = prices, resting, 0
        self.live: list[Rest] = []
        self.left: dict[int, int] = {}
        self.buys: dict[int, dict[int, list[int]]] = {code: {} for code in self.codes}
        self.offered: dict[int, tuple[int, int]] = {}

    def fill(self) -> list[Rest]:
        return [self.rest() for _ in range(self.resting)]

    def operations(self, count: int) -> list[Operation]:
        return [self.next() for _ in range(count)]

    def next(self) -> Operation:
        kind = self.random.random()
        if kind < 0.1:
            return self.offer() or self.rest()
        return self.rest() if len(self.left) < self.resting else self.cancel()

    def rest(self) -> Rest:
        self.number += 1
        side = self.random.choice((Side.BUY, Side.SELL))
        away = self.random.randrange(1, self.prices // 2 + 1) * TICK_SIZE
        code, price = self.random.choice(self.codes), MIDDLE - side.sign * away
        order = Rest(self.number, code, side, price, self.random.randrange(1, 100))
        self.live.append(order)
        self.left[order.number] = order.quantity
        if side is Side.BUY:
            self.buys[code].setdefault(price, []).append(order.number)
        return order

    def cancel(self) -> Cancel:
        while True:
            place = self.random.randrange(len(self.live))
            self.live[place], self.live[-1] = self.live[-1], self.live[place]
            order = self.live.pop()
            if self.left.pop(order.number, 0):
                self._forget(order)
                return Cancel(order.number, order.code)

    def offer(self) -> Offer | None:
        code = self.random.choice(self.codes)
        if not self.buys[code]:
            return None
        price = max(self.buys[code])
        total = sum(self.left[number] for number in self.buys[code][price])
        quantity = self.random.randrange(1, total + 1)
        if self.offered.get(code) == (price, quantity):
            return None
        self.offered[code] = price, quantity
        self._take(code, price, quantity)
        return Offer(code, price, quantity)

    def _take(self, code: int, price: int, quantity: int) -> None:
        numbers = self.buys[code][price]
        while quantity:
            taken = min(quantity, self.left[numbers[0]])
            quantity -= taken
            self.left[numbers[0]] -= taken
            if not self.left[numbers[0]]:
                del self.left[numbers.pop(0)]
        if not numbers:
            del self.buys[code][price]

    def _forget(self, order: Rest) -> None:
        if order.side is Side.BUY:
            self.buys[order.code][order.price].remove(order.number)
            if not self.buys[order.code][order.price]:
                del self.buys[order.code][order.price]


class Ours:
    """The engine (or the naive one, which has the same calls) behind the stream's words."""

    def __init__(self, engine: Any) -> None:
        self.engine = engine
        self.engine.on_phase(SEGMENT, Phase.CONTINUOUS, AT)
        self.row = np.zeros(1, TICK)
        self.row["received_at"], self.row["last_price"] = int(AT.timestamp() * 1e9), MIDDLE
        self.level = self.row["depth"][:, 0]
        self.moment = AT

    def start(self, resting: list[Rest]) -> None:
        self.engine.restore([self._order(rest) for rest in resting], self.moment)

    def run(self, operations: Iterable[Operation]) -> Trades:
        trades: Trades = []
        for operation in operations:
            self._do(operation)
            for event in self.engine.take():
                if type(event) is Filled:
                    trades.append((event.order_id, event.quantity, event.price))
        return trades

    def _order(self, rest: Rest) -> EngineOrder:
        number, code, side, price, quantity = rest
        return EngineOrder(number, number, code, SEGMENT, side, OrderType.LIMIT, quantity, limit_price=price)

    def _do(self, operation: Operation) -> None:
        if type(operation) is Rest:
            self.engine.submit(self._order(operation), self.moment)
        elif type(operation) is Cancel:
            self.engine.cancel(operation.number, "ASKED", self.moment)
        else:
            self.moment += timedelta(microseconds=1)
            self.row["code"] = operation.code
            self.level["ask_price"], self.level["ask_quantity"] = operation.price, operation.quantity
            self.engine.on_ticks(self.row, self.moment)


class Package:
    """lightmatchingengine behind the same words: it numbers orders itself, so ours are looked up."""

    def __init__(self) -> None:
        self.engine = LightMatchingEngine()
        self.theirs: dict[int, int] = {}
        self.ours: dict[int, int] = {}

    def start(self, resting: list[Rest]) -> None:
        self.run(resting)

    def run(self, operations: Iterable[Operation]) -> Trades:
        trades: Trades = []
        for operation in operations:
            if type(operation) is Rest:
                number, code, side, price, quantity = operation
                order, _ = self.engine.add_order(code, price, quantity, 1 if side is Side.BUY else HOUSE)
                self.theirs[number], self.ours[order.order_id] = order.order_id, number
            elif type(operation) is Cancel:
                self.engine.cancel_order(self.theirs[operation.number], operation.code)
            else:
                trades += self._offer(operation)
        return trades

    def _offer(self, offer: Offer) -> Trades:
        order, done = self.engine.add_order(offer.code, offer.price, offer.quantity, HOUSE)
        if order.leaves_qty:
            self.engine.cancel_order(order.order_id, offer.code)
        return [
            (self.ours[trade.order_id], trade.trade_qty, trade.trade_price)
            for trade in done
            if trade.order_id != order.order_id
        ]


def rate(book: Ours | Package, first: list[Rest], operations: list[Operation]) -> tuple[float, Trades]:
    """Operations a second once `first` rests, and the trades."""
    book.start(first)
    started = process_time()
    trades = book.run(operations)
    return len(operations) / (process_time() - started), trades


def compare(peer: Callable[[], Ours | Package], shape: dict[str, int], count: int, rounds: int) -> dict[str, Any]:
    """Rates of ours and the peer by turns, the medians of some rounds, and whether all trades were the same."""
    ours, theirs, same, trades = [], [], True, 0
    for seed in range(rounds):
        stream = Stream(seed, **shape)
        first, operations = stream.fill(), stream.operations(count)
        our_rate, our_trades = rate(Ours(Engine()), first, operations)
        peer_rate, peer_trades = rate(peer(), first, operations)
        ours.append(our_rate)
        theirs.append(peer_rate)
        same &= our_trades == peer_trades
        trades += len(our_trades)
    ratio = median(one / other for one, other in zip(ours, theirs, strict=True))
    return {
        "ours": round(median(ours)), "peer": round(median(theirs)), "ratio": round(ratio, 2),
        "same_trades": same, "trades": trades, "operations": count * rounds,
    }  # fmt: skip


def full_batch(instruments: int, resting: int, rounds: int) -> dict[str, Any]:
    """Milliseconds of a batch of every instrument: prices that reach no order, and one in a hundred that fills one."""
    engine, numbers = Engine(), random.Random(1)
    engine.on_phase(SEGMENT, Phase.CONTINUOUS, AT)
    codes = np.array([InstrumentKey(SEGMENT, 1 + number).code for number in range(instruments)], np.uint64)
    for number in range(resting):
        side = Side.BUY if number % 2 else Side.SELL
        price = MIDDLE - side.sign * numbers.randrange(200, 4_000) * TICK_SIZE
        code = int(codes[number % instruments])
        order = EngineOrder(number + 1, number, code, SEGMENT, side, OrderType.LIMIT, 50, limit_price=price)
        engine.submit(order, AT)
    rows = np.zeros(instruments, TICK)
    rows["code"], rows["last_price"], rows["low"], rows["high"] = codes, MIDDLE, MIDDLE - 100, MIDDLE + 100
    rows["depth"]["bid_price"][:, 0], rows["depth"]["ask_price"][:, 0] = MIDDLE - 5, MIDDLE + 5
    rows["depth"]["bid_quantity"][:, 0], rows["depth"]["ask_quantity"][:, 0] = 500, 500
    engine.on_ticks(rows, AT)
    engine.take()
    quiet, busy, filled = [], [], 0
    for turn in range(2 * rounds):
        at = AT + timedelta(seconds=1 + turn)
        batch = rows[numbers.sample(range(instruments), instruments)]
        batch["received_at"] = int(at.timestamp() * 1e9)
        if turn % 2:
            batch["depth"]["ask_price"][::100, 0] = MIDDLE - 10_000
            batch["depth"]["ask_quantity"][::100, 0] = 10 + turn
        started = process_time()
        engine.on_ticks(batch, at)
        filled += sum(type(event) is Filled for event in engine.take())
        (busy if turn % 2 else quiet).append((process_time() - started) * 1000)
    return {
        "instruments": instruments, "resting": resting, "fills": filled,
        "quiet_median": round(median(quiet), 2), "quiet_worst": round(max(quiet), 2),
        "busy_median": round(median(busy), 2), "busy_worst": round(max(busy), 2),
    }  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--resting", type=int, default=10_000)
    parser.add_argument("--operations", type=int, default=10_000)
    parser.add_argument("--naive-operations", type=int, default=400)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--batch-rounds", type=int, default=15)
    arguments = parser.parse_args()
    one = {"instruments": 1, "prices": 4_000, "resting": arguments.resting}
    many = {"instruments": 100, "prices": 40, "resting": arguments.resting}
    naive = compare(lambda: Ours(NaiveEngine()), one, arguments.naive_operations, 1)
    package = compare(Package, one, arguments.operations, arguments.rounds)
    spread = compare(Package, many, arguments.operations, arguments.rounds)
    batch = full_batch(25_000, 100_000, arguments.batch_rounds)
    result = {
        "bench": "matching",
        "unit": "operations a second at 10,000 resting orders, median; milliseconds a batch",
        "naive_list_book": naive,
        "lightmatchingengine": {"one_book": package, "many_books": spread},
        "full_batch": batch,
        "ok": (
            naive["ratio"] >= TARGET_OVER_NAIVE
            and package["ratio"] > 1
            and max(batch["quiet_median"], batch["busy_median"]) < LIMIT_MILLISECONDS
            and all(part["same_trades"] for part in (naive, package, spread))
        ),
        "machine": describe(),
    }
    print(json.dumps(result))


if __name__ == "__main__":
    main()
