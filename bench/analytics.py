"""Volatilities and greeks of all always-on contracts in one pass beside a loop over vollib; candles written and read.

Run with `python -m bench.analytics`; prints one JSON object last. The greeks need no server, the candles start theirs.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime
from statistics import median
from time import perf_counter, process_time
from typing import Any

import numpy as np
from numpy.typing import NDArray
from vollib.black import black
from vollib.black.greeks import analytical
from vollib.black.implied_volatility import implied_volatility

from bench import candles_part
from bench.machine import describe
from feeds.core import greeks, option_chain
from feeds.core.calendar import IST, Calendar, shipped_calendar
from feeds.core.chains import SHIPPED_CHAINS, Chain, ResolvedContract, resolve_chain
from feeds.core.expiries import expiry_slots
from feeds.core.instrument import OptionType
from feeds.core.listing import listed_options, rule_listing, underlyings
from feeds.core.option_chain import Contract, Layout, Market, Terms

CONTRACTS = 2_272
LIMIT_MILLISECONDS = 20.0
LEAST_RATIO = 50.0
LARGEST_DIFFERENCE = 1e-8
"""Of any greek at a given volatility from vollib's, and in rupees of a price at the volatility found from the price."""
NOW = datetime(2026, 2, 3, 11, 0, tzinfo=IST)
RATE = 0.0534
CALM, SMILE = 0.11, 0.6
"""Volatility at the money, and how much it grows for each unit of log-moneyness."""
FAR = 0.20
"""Strikes this far from the forward in log-moneyness would have prices below any tick: their smile is cut there."""

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Board:
    """Every contract as its exchange would list it, at prices of a known smile; prices in rupees."""

    layout: Layout
    forward: Floats  # by contract, as the three below
    years: Floats
    volatility: Floats
    premium: Floats
    chain_forward: Floats
    chain_years: Floats

    @property
    def strike(self) -> Floats:
        return self.layout.strike / option_chain.PAISE


# --- the board --------------------------------------------------------------------------------------------


def board() -> Board:
    calendar = shipped_calendar()
    options = listed_options(rule_listing(NOW.date(), calendar, "spec"))
    found = [part for chain in SHIPPED_CHAINS for part in expiries(chain, options[chain.underlying], calendar)]
    layout = Layout([[Contract(c.strike, c.option_type is OptionType.CALL) for c in part] for part, _, _ in found])
    forward, years = (np.array([part[column] for part in found]) for column in (1, 2))
    each, time = forward[layout.chain], years[layout.chain]
    distance = np.minimum(np.abs(np.log(layout.strike / option_chain.PAISE / each)), FAR)
    volatility = CALM + SMILE * distance
    premium = greeks.price(each, layout.strike / option_chain.PAISE, time, RATE, volatility, layout.is_call)
    return Board(layout, each, time, volatility, premium, forward, years)


def expiries(chain: Chain, listed: Any, calendar: Calendar) -> list[tuple[list[ResolvedContract], float, float]]:
    """The contracts of each expiry, their forward, and the years they have left."""
    level = underlyings()[chain.underlying].level
    slots = expiry_slots(chain.underlying, chain.segment, chain.slots, NOW.date(), calendar)
    by_expiry: dict[date, list[ResolvedContract]] = {}
    for contract in resolve_chain(chain, slots, listed, level).contracts:
        by_expiry.setdefault(contract.expiry, []).append(contract)
    parts = []
    for expiry, contracts in by_expiry.items():
        sessions = calendar.sessions(chain.segment, expiry)
        assert sessions is not None, expiry
        years = (sessions.last_trade - NOW).total_seconds() / 60 / greeks.MINUTES_PER_YEAR
        ordered = sorted(contracts, key=lambda contract: (contract.strike, contract.option_type))
        parts.append((ordered, level / option_chain.PAISE * float(np.exp(RATE * years)), years))
    return parts


def market(board: Board) -> Market:
    """The same as the feed would tell it: quotes a tick wide around the price."""
    count, paise = len(board.premium), np.maximum(np.rint(board.premium * option_chain.PAISE), 5).astype(np.int64)
    interest = np.arange(count, dtype=np.int64) * 75
    return Market(
        last_price=paise,
        last_traded_at=np.full(count, int(NOW.timestamp())),
        bid_price=np.maximum(paise - 5, 5),
        ask_price=paise + 5,
        previous_close=paise + 10,
        open_interest=interest,
        previous_open_interest=interest + 75,
        volume=interest,
        is_doubted=np.zeros(count, np.bool_),
    )


# --- the two ways ---------------------------------------------------------------------------------------------


def ours(board: Board) -> tuple[Floats, greeks.Greeks]:
    """By rung the volatility of the right that is out of the money; by contract its greeks."""
    layout, at = board.layout, asked(board)
    premium, forward, years = board.premium[at], board.forward[at], board.years[at]
    found = greeks.implied_volatility(premium, forward, board.strike[at], years, RATE, layout.is_call[at])
    volatility = found[layout.rung]
    return found, greeks.greeks(board.forward, board.strike, board.years, RATE, volatility, layout.is_call)


def asked(board: Board) -> NDArray[np.int64]:
    """By rung the contract whose price is asked."""
    layout = board.layout
    wants_call = layout.rung_strike >= board.chain_forward[layout.rung_chain] * option_chain.PAISE
    first, second = (layout.call_at, layout.put_at), (layout.put_at, layout.call_at)
    wanted, other = np.where(wants_call, *first), np.where(wants_call, *second)
    return np.where(wanted >= 0, wanted, other)


def rows(board: Board) -> list[tuple[str, float, float, float]]:
    """Flag, forward, strike and years of each contract as Python's own numbers, which a loop is quickest with."""
    flags = ["c" if is_call else "p" for is_call in board.layout.is_call.tolist()]
    return list(zip(flags, board.forward.tolist(), board.strike.tolist(), board.years.tolist(), strict=True))


def theirs(
    contracts: list[tuple[str, float, float, float]], premium: list[float], at: list[int], rung: list[int]
) -> Any:
    """The same, contract by contract through vollib."""
    found = []
    for place in at:
        flag, forward, strike, years = contracts[place]
        found.append(implied_volatility(premium[place], forward, strike, RATE, years, flag))
    sensitivities = [greeks_of(*contract, found[place]) for contract, place in zip(contracts, rung, strict=True)]
    return found, sensitivities


def greeks_of(flag: str, forward: float, strike: float, years: float, volatility: float) -> tuple[float, ...]:
    given = (flag, forward, strike, years, RATE, volatility)
    return tuple(float(of(*given)) for of in (analytical.delta, analytical.gamma, analytical.theta, analytical.vega))


# --- measuring ------------------------------------------------------------------------------------------------


def measure_greeks(rounds: int, peer_rounds: int) -> dict[str, Any]:
    known = board()
    given, terms = market(known), Terms(known.chain_years, np.full(len(known.chain_years), np.nan))
    loop = rows(known), known.premium.tolist(), asked(known).tolist(), known.layout.rung.tolist()
    now = int(NOW.timestamp())
    mine = milliseconds(lambda: ours(known), rounds)
    whole = milliseconds(lambda: option_chain.slices(known.layout, given, terms, RATE, now), rounds)
    peers = milliseconds(lambda: theirs(*loop), peer_rounds)
    ratio = round(peers["own_median"] / mine["own_median"], 1)
    errors = differences(known)
    is_same = max(errors.values()) <= LARGEST_DIFFERENCE
    return {
        "contracts": len(known.premium),
        "chains": len(known.chain_years),
        "volatilities": len(known.layout.rung_strike),
        "ours_ms": mine,
        "whole_slices_ms": whole,
        "limit_ms": LIMIT_MILLISECONDS,
        "vollib_ms": peers,
        "ratio": ratio,
        "least_ratio": LEAST_RATIO,
        **errors,
        "ok": is_same
        and ratio >= LEAST_RATIO
        and mine["median"] < LIMIT_MILLISECONDS
        and len(known.premium) == CONTRACTS,
    }


def differences(known: Board) -> dict[str, float]:
    """The largest of: our greeks from vollib's at the known volatility; prices at the volatility found, by both."""
    layout, at = known.layout, asked(known)
    mine = greeks.greeks(known.forward, known.strike, known.years, RATE, known.volatility, layout.is_call)
    contracts = rows(known)
    peers = np.array(
        [greeks_of(*each, sigma) for each, sigma in zip(contracts, known.volatility.tolist(), strict=True)]
    )
    found, _ = ours(known)
    again = greeks.price(known.forward[at], known.strike[at], known.years[at], RATE, found, layout.is_call[at])
    by_vollib = np.array(
        [black(*contracts[place], RATE, sigma) for place, sigma in zip(at, found.tolist(), strict=True)]
    )
    return {
        "greeks_difference": float(np.abs(np.stack(mine, axis=1) - peers).max()),
        "repricing_rupees": float(np.abs(again - known.premium[at]).max()),
        "repricing_by_vollib_rupees": float(np.abs(by_vollib - known.premium[at]).max()),
    }


def milliseconds(work: Callable[[], object], rounds: int) -> dict[str, float]:
    """On the clock, and of this process alone: the ratio is of the latter, so that a busy machine favours neither."""
    work()
    times, own = [], []
    for _ in range(rounds):
        started, began = perf_counter(), process_time()
        work()
        own.append((process_time() - began) * 1_000)
        times.append((perf_counter() - started) * 1_000)
    p99 = sorted(times)[int(len(times) * 0.99)]
    return {"median": round(median(times), 3), "p99": round(p99, 3), "own_median": round(median(own), 3)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=300)
    parser.add_argument("--peer-rounds", type=int, default=10)
    parser.add_argument("--no-candles", action="store_true", help="Greeks alone: no server is started.")
    given = parser.parse_args()
    result: dict[str, Any] = {"greeks": measure_greeks(given.rounds, given.peer_rounds)}
    if not given.no_candles:
        result["candles"] = candles_part.measure_with_servers()
    print(json.dumps({"bench": "analytics", **result, "machine": describe()}))


if __name__ == "__main__":
    main()
