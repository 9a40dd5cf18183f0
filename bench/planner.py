"""Times a cycle of the subscription planner at 25,000 instruments, beside one that compares everything each time.

Run with `python -m bench.planner`; prints one JSON object last.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Hashable
from statistics import median
from time import perf_counter_ns

from bench.machine import describe
from feeds.core.instrument import ExchangeSegment, InstrumentKey
from feeds.core.subscriptions import Limits, Planner, SubscriptionClass

TIER_B = 2272
REFERENCES = 8
ITEM = 42
"""Subscriptions of one watchlist item with options: 21 strikes, call and put."""
LIMIT_MICROSECONDS = 1000


class NaivePlanner:
    """The obvious way: each cycle unites what all want, takes set differences and counts the loads again."""

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self.owners: dict[Hashable, set[int]] = {}
        self.connection_of: dict[int, int] = {}

    def want(self, owner: Hashable, codes: list[int], klass: SubscriptionClass) -> None:
        self.owners[owner] = set(codes)

    def withdraw(self, owner: Hashable) -> None:
        self.owners.pop(owner, None)

    def plan(self) -> tuple[list[list[int]], list[list[int]]]:
        """Codes to unsubscribe and to subscribe, by connection."""
        wanted = set().union(*self.owners.values())
        gone = [self._on(connection) - wanted for connection in range(self.limits.connections)]
        for code in set().union(*gone):
            del self.connection_of[code]
        added: list[list[int]] = [[] for _ in gone]
        loads = [len(self._on(connection)) for connection in range(self.limits.connections)]
        for code in sorted(wanted - self.connection_of.keys()):
            connection = loads.index(min(loads))
            self.connection_of[code] = connection
            added[connection].append(code)
            loads[connection] += 1
        return [sorted(codes) for codes in gone], added

    def _on(self, connection: int) -> set[int]:
        return {code for code, placed in self.connection_of.items() if placed == connection}


def options(first: int, count: int) -> list[int]:
    return [InstrumentKey(ExchangeSegment.NSE_FNO, first + number).code for number in range(count)]


def fill(planner: Planner | NaivePlanner, total: int) -> None:
    """Tier B, references and whole watchlist items up to `total` less one item; then what is left, singly."""
    planner.want("chains", options(1, TIER_B), SubscriptionClass.TIER_B)
    planner.want("references", options(5_000, REFERENCES), SubscriptionClass.REFERENCE)
    for first in range(TIER_B + REFERENCES, total - ITEM, ITEM):
        size = min(ITEM, total - ITEM - first)
        planner.want(first, options(100_000 + first, size), SubscriptionClass.TIER_A)
    planner.plan()


def microseconds(work: Callable[[], object]) -> float:
    started = perf_counter_ns()
    work()
    return (perf_counter_ns() - started) / 1000


def measure(planner: Planner | NaivePlanner, rounds: int) -> dict[str, float]:
    """Median microseconds of a cycle: unchanged, one that adds an item (to 25,000) and one that removes it."""
    codes = options(200_000, ITEM)

    def add() -> None:
        planner.want("item", codes, SubscriptionClass.TIER_A)
        planner.plan()

    def remove() -> None:
        planner.withdraw("item")
        planner.plan()

    times: dict[str, list[float]] = {"no_change": [], "add_42": [], "remove_42": []}
    for _ in range(rounds):
        times["add_42"].append(microseconds(add))
        times["no_change"].append(microseconds(planner.plan))
        times["remove_42"].append(microseconds(remove))
    return {name: round(median(values), 2) for name, values in times.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=500)
    parser.add_argument("--peer-rounds", type=int, default=30)
    arguments = parser.parse_args()
    limits = Limits()
    planner, peer = Planner(limits), NaivePlanner(limits)
    fill(planner, limits.total)
    fill(peer, limits.total)
    ours = measure(planner, arguments.rounds)
    theirs = measure(peer, arguments.peer_rounds)
    result = {
        "bench": "planner",
        "unit": "microseconds a cycle, median, at 25,000 subscriptions",
        "ours": ours,
        "peer": theirs,
        "ratio": {name: round(theirs[name] / ours[name], 1) for name in ours},
        "loads": planner.loads,
        "ok": all(value < LIMIT_MICROSECONDS for value in ours.values()),
        "machine": describe(),
    }
    print(json.dumps(result))


if __name__ == "__main__":
    main()
