"""Times marking 10,000 positions from one batch and the margin of a 20-leg basket, each beside the obvious way.

Run with `python -m bench.risk`; prints one JSON object last. Needs no server: the figures are of computing alone.
"""

from __future__ import annotations

import argparse
import json
import os
import random
from collections.abc import Callable
from datetime import date
from statistics import median
from time import perf_counter_ns

import django
import numpy as np

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "terminal.settings")
django.setup()

from bench.machine import describe  # noqa: E402
from feeds.core import greeks  # noqa: E402
from feeds.core.instrument import InstrumentType, OptionType  # noqa: E402
from feeds.core.tick import TICK  # noqa: E402
from rms.core import scenarios  # noqa: E402
from rms.core.margin import Leg, margin_of  # noqa: E402
from rms.core.parameters import parameters_on  # noqa: E402
from rms.core.product import Product  # noqa: E402
from rms.valuation import LAST_TRADE_SECONDS, OpenPosition, PositionTable  # noqa: E402

POSITIONS, INSTRUMENTS, ACCOUNTS = 10_000, 2_500, 200
LEGS = 20
MARK_LIMIT_MILLISECONDS = 5.0
MARGIN_LIMIT_MILLISECONDS = 20.0
AT = 1_770_090_000
DAY, EXPIRY = date(2026, 2, 10), date(2026, 2, 24)
SPOT, FORWARD, LOT = 2_593_515, 2_598_560, 65
RATE = 0.0534


def positions(seed: random.Random) -> list[OpenPosition]:
    """Of many accounts in many instruments, each once an account."""
    chosen = seed.sample([(account, code) for account in range(ACCOUNTS) for code in range(INSTRUMENTS)], POSITIONS)
    return [
        OpenPosition(account, code, Product.MARGIN, LOT * seed.randint(-20, 20), seed.randint(-(10**9), 10**9))
        for account, code in chosen
    ]


def batch(seed: random.Random) -> np.ndarray:
    """One row of every instrument; a third did not trade for a while, so that they are marked at the mid."""
    rows = np.zeros(INSTRUMENTS, TICK)
    rows["code"] = np.arange(INSTRUMENTS)
    rows["last_price"] = [seed.randint(5, 3_000_000) for _ in range(INSTRUMENTS)]
    rows["depth"]["bid_price"][:, 0], rows["depth"]["ask_price"][:, 0] = rows["last_price"], rows["last_price"] + 10
    rows["last_traded_at"] = [AT - (1 if number % 3 else 2 * LAST_TRADE_SECONDS) for number in range(INSTRUMENTS)]
    return rows


def naive_marks(held: list[OpenPosition], rows: np.ndarray) -> tuple[list[int], dict[int, int]]:
    """Position by position, each row read when it is needed."""
    by_code = {int(row["code"]): row for row in rows}
    values, accounts = [], {}
    for each in held:
        row = by_code[each.code]
        bid, ask = int(row["depth"][0]["bid_price"]), int(row["depth"][0]["ask_price"])
        old = AT - int(row["last_traded_at"]) > LAST_TRADE_SECONDS and bid > 0 and ask >= bid
        price = round((bid + ask) / 2) if old else int(row["last_price"])
        values.append(each.units * price - each.open_cost)
        accounts[each.account_id] = accounts.get(each.account_id, 0) + values[-1]
    return values, accounts


def basket() -> list[Leg]:
    """Five condors around the spot, each leg with the volatility of its own price."""
    legs = []
    for number in range(LEGS // 4):
        for strike, side, sign in (
            (26_100 + 50 * number, OptionType.CALL, -1),
            (26_600 + 50 * number, OptionType.CALL, 1),
            (25_800 - 50 * number, OptionType.PUT, -1),
            (25_300 - 50 * number, OptionType.PUT, 1),
        ):
            legs.append(leg(strike * 100, side, sign * LOT))
    return legs


def leg(strike: int, side: OptionType, quantity: int) -> Leg:
    volatility = 0.12 + abs(strike - SPOT) / SPOT
    premium = float(greeks.price(FORWARD, strike, 14 / 365, RATE, volatility, side is OptionType.CALL))
    return Leg(
        code=strike * 2 + (side is OptionType.CALL),
        group="NSE_FNO.NIFTY",
        instrument_type=InstrumentType.OPTIDX,
        underlying="NIFTY",
        signed_quantity=quantity,
        price=round(premium),
        option_type=side,
        strike=strike,
        expiry=EXPIRY,
        underlying_price=SPOT,
        forward=FORWARD,
    )


def ours(legs: list[Leg]) -> int:
    """With prices that were never seen before: nothing is cached."""
    scenarios.option_risk.cache_clear()
    return margin_of(legs, parameters_on(DAY, 5.34), DAY).scan


def naive_scan(legs: list[Leg]) -> int:
    """Leg by leg and scenario by scenario through the vectorised functions, one number at a time."""
    totals = [0] * len(scenarios.PRICE_MOVES)
    for each in legs:
        is_call = each.option_type is OptionType.CALL
        sigma = float(greeks.implied_volatility(each.price, FORWARD, each.strike, 14 / 365, RATE, is_call))
        for number, (move, shift, weight) in enumerate(
            zip(scenarios.PRICE_MOVES, scenarios.VOLATILITY_MOVES, scenarios.WEIGHTS, strict=True)
        ):
            forward, volatility = FORWARD * (1 + move * 0.093), max(sigma + shift * 0.04, 0.01)
            value = float(greeks.price(forward, each.strike, 13 / 365, RATE, volatility, is_call))
            totals[number] += each.units * round(min((each.price - value) * weight, each.price))
    return max(*totals, 0)


def milliseconds(work: Callable[[], object], rounds: int) -> dict[str, float]:
    times = []
    for _ in range(rounds):
        started = perf_counter_ns()
        work()
        times.append((perf_counter_ns() - started) / 1e6)
    return {"median": round(median(times), 3), "p99": round(sorted(times)[int(len(times) * 0.99)], 3)}


def measure_marks(rounds: int, peer_rounds: int) -> dict[str, object]:
    seed = random.Random(1)
    held, rows = positions(seed), batch(seed)
    table = PositionTable(held)
    marks = table.mark_rows(rows, AT)
    values, accounts = naive_marks(table.positions, rows)
    mine = milliseconds(lambda: table.mark_rows(rows, AT), rounds)
    theirs = milliseconds(lambda: naive_marks(table.positions, rows), peer_rounds)
    return {
        "positions": POSITIONS,
        "rows": INSTRUMENTS,
        "ours": mine,
        "naive": theirs,
        "ratio": round(theirs["median"] / mine["median"], 1),
        "same": marks.unrealised.tolist() == values
        and marks.account_unrealised.tolist() == [accounts[account] for account in table.account_ids.tolist()],
        "limit": MARK_LIMIT_MILLISECONDS,
    }


def measure_margin(rounds: int, peer_rounds: int) -> dict[str, object]:
    legs = basket()
    mine = milliseconds(lambda: ours(legs), rounds)
    again = milliseconds(lambda: margin_of(legs, parameters_on(DAY, 5.34), DAY), rounds)
    theirs = milliseconds(lambda: naive_scan(legs), peer_rounds)
    return {
        "legs": LEGS,
        "ours": mine,
        "ours_at_standing_prices": again,
        "naive": theirs,
        "ratio": round(theirs["median"] / mine["median"], 1),
        "same": ours(legs) == naive_scan(legs),
        "limit": MARGIN_LIMIT_MILLISECONDS,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=300)
    parser.add_argument("--peer-rounds", type=int, default=10)
    arguments = parser.parse_args()
    parts = {
        "mark_to_market": measure_marks(arguments.rounds, arguments.peer_rounds),
        "margin": measure_margin(arguments.rounds, arguments.peer_rounds),
    }
    fits = all(part["same"] and part["ours"]["median"] < part["limit"] for part in parts.values())
    print(json.dumps({"bench": "risk", "unit": "milliseconds", **parts, "ok": fits, "machine": describe()}))


if __name__ == "__main__":
    main()
