"""`up --report`: a whole trading day's end in a minute, through the real processes, measured from outside.

Fifty browsers listen; a trader adds three underlyings (126 subscriptions) and removes one (42); exchange
time passes 15:30 and Tier A is released. What is printed was counted, not computed.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import httpx

from feeds.bus import feed_statuses
from terminal.stack import PROJECT, Stack

BROWSERS = 50
ADDED = ("RELIANCE", "INFY", "TCS")
REMOVED = "TCS"
CLOSE_BEFORE_END_SECONDS = 20.0
SYNC_LIMIT_SECONDS = 1.5
LATENCY_LIMIT_MS = 250.0
PACKETS_LIMIT = 5_000
TIER_B, REFERENCES, PER_CONNECTION = 2272, 8, 456


@dataclass
class Observations:
    """What the run saw, phase by phase."""

    tier_a_added: int = 0
    tier_a_removed: int = 0
    packets_per_second: list[float] = field(default_factory=list)
    browsers: dict[str, Any] = field(default_factory=dict)
    end: dict[str, Any] = field(default_factory=dict)


class Trader:
    """The demo trader at the REST API."""

    def __init__(self, base: str, password: str) -> None:
        self.client = httpx.Client(base_url=base, timeout=15.0, headers={"Origin": base})
        self.client.get("/api/v2/session")
        answer = self._post("/api/v2/session", {"username": "trader", "password": password})
        answer.raise_for_status()

    def _post(self, path: str, body: dict[str, Any]) -> httpx.Response:
        token = self.client.cookies.get("csrftoken", "")
        return self.client.post(path, json=body, headers={"X-CSRFToken": token})

    def change(self, action: str, symbols: list[str]) -> int:
        """Add or remove; returns the subscriptions that this changed."""
        answer = self._post(f"/api/v2/watchlist/{action}", {"symbols": symbols})
        answer.raise_for_status()
        return int(answer.json()["subscriptions"])


def run(stack: Stack, base: str, password: str, ends_at: float, say: Callable[[str], None]) -> dict[str, Any]:
    """Play the day's end and report. `ends_at` is a monotonic time; the shifted 15:30 lies 20 s before it."""
    seen = Observations()
    seconds = ends_at - time.monotonic()
    listeners = _start_listeners(stack, base, password, max(seconds - 6.0, 5.0))
    try:
        trader = Trader(base, password)
        _wait(stack, ends_at - seconds * 0.85, seen)
        seen.tier_a_added = trader.change("add", list(ADDED))
        say(f"added {', '.join(ADDED)}: {seen.tier_a_added} subscriptions")
        _wait(stack, ends_at - seconds * 0.60, seen)
        seen.tier_a_removed = trader.change("remove", [REMOVED])
        say(f"removed {REMOVED}: {seen.tier_a_removed} subscriptions")
        _wait(stack, ends_at - 1.0, seen)
        output, _ = listeners.communicate(timeout=30)
        seen.browsers = json.loads(output.splitlines()[-1])
        seen.end = _status()
    finally:
        if listeners.poll() is None:
            listeners.kill()
            listeners.wait()
    return _report(seen)


def _start_listeners(stack: Stack, base: str, password: str, seconds: float) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "terminal.listeners", "--base", base, "--browsers", str(BROWSERS)]
    command += ["--seconds", f"{seconds:.1f}", "--username", "trader", "--topics", "demo"]
    with (stack.logs / "listeners.log").open("ab") as log:
        return subprocess.Popen(  # noqa: S603
            command,
            stdout=subprocess.PIPE,
            stderr=log,
            env={**stack.environment, "LISTENER_PASSWORD": password},
            cwd=PROJECT,
        )


def _wait(stack: Stack, until: float, seen: Observations) -> None:
    while time.monotonic() < until:
        stack.watch()
        status = _status()
        if status.get("packets_per_second"):
            seen.packets_per_second.append(float(status["packets_per_second"]))
        time.sleep(0.5)


def _status() -> dict[str, Any]:
    return next(iter(feed_statuses().values()), {})


def _report(seen: Observations) -> dict[str, Any]:
    rates = sorted(seen.packets_per_second)
    end, browsers = seen.end, seen.browsers
    report = {
        "tier_b": end.get("tier_b"),
        "references": end.get("references"),
        "connections": [connection["subscribed"] for connection in end.get("connections", [])],
        "capacity": end.get("capacity"),
        "tier_a_added": seen.tier_a_added,
        "tier_a_removed": seen.tier_a_removed,
        "sync_seconds_max": end.get("sync_seconds_max"),
        "packets_per_second": round(rates[len(rates) // 2]) if rates else 0,
        "browsers": browsers.get("browsers", 0),
        "tick_to_browser_ms": browsers.get("latency_ms", {}),
        "gaps": browsers.get("gaps"),
        "eod": {"tier_a_after": end.get("tier_a"), "tier_b_after": end.get("tier_b")},
    }
    report["ok"] = _is_ok(report)
    return report


def _is_ok(report: dict[str, Any]) -> bool:
    return (
        report["tier_b"] == TIER_B
        and report["references"] == REFERENCES
        and report["connections"] == [PER_CONNECTION] * 5
        and report["capacity"] == 25_000
        and (report["tier_a_added"], report["tier_a_removed"]) == (126, 42)
        and (report["sync_seconds_max"] or 99.0) <= SYNC_LIMIT_SECONDS
        and report["packets_per_second"] >= PACKETS_LIMIT
        and report["browsers"] == BROWSERS
        and (report["tick_to_browser_ms"].get("p99") or 1e9) <= LATENCY_LIMIT_MS
        and report["gaps"] == 0
        and report["eod"] == {"tier_a_after": 0, "tier_b_after": TIER_B}
    )
