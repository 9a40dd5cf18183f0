"""The terminal in a real Chromium: three watchlists of 50, a chain of 42 x 2, chart and depth at ten updates a second.

Run with `python -m bench.browser [--minutes 10] [--chromium /usr/bin/chromium]`; prints one JSON object last. A
frame's time is that of the page's own work in it: from its first callback to the task after its painting.
"""

from __future__ import annotations

import argparse
import gzip
import json
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, Page, sync_playwright

from bench.fanout import wait_for_port
from bench.machine import describe
from terminal import frontend
from terminal.children import Child
from terminal.embedded import EmbeddedServers, temporary_data
from terminal.stack import PROJECT, free_port, web_command

FRAME_TARGET_MS = 16
LONG_TASK_MS = 100
PAINT_TARGET_MS = 2_000
HEAP_GROWTH_LIMIT = 1.10
"""Of the last reading over the first after warming up: what grows for ever grows by more in ten minutes."""
FRAMES_SECONDS = 60
SETTLE_SECONDS = 10
WIDTH, HEIGHT = 1600, 1000
PASSWORD = "bench-of-the-browser"
FIRST_PRICE = """
() => new Promise((resolve, reject) => {
  setTimeout(() => reject(new Error('no price within a minute')), 60000)
  const look = () => {
    const price = document.querySelector('.chain-cell.last b')
    if (price && /[0-9]/.test(price.textContent)) resolve(performance.now())
    else requestAnimationFrame(look)
  }
  look()
})
"""
"""Looks at each frame, for the page's policy lets no text be evaluated in it."""
WATCH_FRAMES = """
() => {
  const seen = { work: [], gaps: [], long: [] }
  const channel = new MessageChannel()
  let started = 0, before = 0
  channel.port1.onmessage = () => seen.work.push(performance.now() - started)
  const frame = (at) => {
    if (before) seen.gaps.push(at - before)
    before = at
    started = performance.now()
    channel.port2.postMessage(0)
    requestAnimationFrame(frame)
  }
  requestAnimationFrame(frame)
  new PerformanceObserver((list) => seen.long.push(...list.getEntries().map((each) => each.duration)))
    .observe({ type: 'longtask', buffered: false })
  window.seenFrames = seen
}
"""


class Bench:
    """The servers, one web process and the feed; every process stops with its context."""

    def __init__(self, data: Path, servers: EmbeddedServers) -> None:
        self.data = data
        self.environment = {**os.environ, **servers.environment, "DJANGO_SETTINGS_MODULE": "terminal.settings"}

    def prepare(self) -> None:
        """Migrate, list the market, and give one user three lists and a layout that shows all at once."""
        os.environ.update(self.environment)
        import django
        from django.core.management import call_command

        django.setup()
        call_command("migrate", verbosity=0)
        call_command("collectstatic", verbosity=0, interactive=False)
        from django.contrib.auth.models import User

        from bench.browser_market import instrument_fields
        from feeds.models import Instrument

        Instrument.objects.bulk_create([Instrument(**fields) for fields in instrument_fields()])
        user = User.objects.create_user("bench", password=PASSWORD)
        keep_layout(user, make_lists(user))

    @contextmanager
    def running(self) -> Iterator[str]:
        """The page's address, with prices moving."""
        port = free_port()
        web = self._child("web", web_command("daphne", port))
        feed = self._child("feed", [sys.executable, "-m", "bench.browser_market"])
        web.start()
        try:
            wait_for_port(port, web)
            feed.start()
            yield f"http://127.0.0.1:{port}/"
        finally:
            feed.stop()
            web.stop()

    def _child(self, name: str, command: list[str]) -> Child:
        return Child(name, command, environment=self.environment, log=self.data / f"{name}.log", folder=PROJECT)


def make_lists(user: Any) -> list[int]:
    """Three lists of fifty shares, taken up for today already: nobody asks Dhan for them here."""
    from bench.browser_market import LISTS, SHARE_KEYS
    from feeds import clock
    from watchlists.models import Watchlist, WatchlistItem

    size = len(SHARE_KEYS) // LISTS
    lists = [
        Watchlist.objects.create(user=user, name=f"List {place + 1}", position=place, live_on=clock.exchange_today())
        for place in range(LISTS)
    ]
    for place, watchlist in enumerate(lists):
        keys = SHARE_KEYS[place * size : (place + 1) * size]
        items = [WatchlistItem(watchlist=watchlist, instrument_id=key.code, position=at) for at, key in enumerate(keys)]
        WatchlistItem.objects.bulk_create(items)
    return [watchlist.pk for watchlist in lists]


def keep_layout(user: Any, lists: list[int]) -> None:
    """Lists left, chain over chart in the middle, depth right: as a user would have arranged and kept it."""
    from bench.browser_market import CHARTED
    from terminal.accounts.models import Layout

    panels = [panel(f"watchlist:{pk}", "watchlist", {"watchlist": pk}) for pk in lists]
    panels += [panel("chain", "chain", {"pinned": True})]
    panels += [panel(name, name, {"instrument": str(CHARTED)}) for name in ("chart", "depth")]
    columns = [column([leaf(each) for each in panels[:3]], 420), column([leaf(each) for each in panels[3:5]], 800)]
    root = {"type": "branch", "data": [*columns, leaf(panels[5], 380)], "size": HEIGHT}
    grid = {"root": root, "width": WIDTH, "height": HEIGHT, "orientation": "HORIZONTAL"}
    shown = {"grid": grid, "panels": {each["id"]: each for each in panels}, "activeGroup": "chain"}
    Layout.objects.update_or_create(user=user, defaults={"text": json.dumps({"panels": shown})})


def panel(identity: str, component: str, params: dict[str, Any]) -> dict[str, Any]:
    return {"id": identity, "contentComponent": component, "title": identity, "params": params}


def leaf(shown: dict[str, Any], size: int = 300) -> dict[str, Any]:
    name = shown["id"]
    return {"type": "leaf", "data": {"views": [name], "activeView": name, "id": name}, "size": size}


def column(leaves: list[dict[str, Any]], size: int) -> dict[str, Any]:
    return {"type": "branch", "data": leaves, "size": size}


# --- measuring ------------------------------------------------------------------------------------


def open_page(browser: Browser, address: str) -> tuple[Page, float]:
    """Sign in, then open the page again as somebody does who is signed in; until the first price, in ms."""
    page = browser.new_context(viewport={"width": WIDTH, "height": HEIGHT}).new_page()
    page.goto(address)
    page.get_by_label("User name").fill("bench")
    page.get_by_label("Password").fill(PASSWORD)
    page.keyboard.press("Enter")
    page.wait_for_selector(".chain-cell.last")
    page.reload(wait_until="commit")
    return page, float(page.evaluate(FIRST_PRICE))


def frames(page: Page, seconds: int) -> dict[str, Any]:
    page.evaluate(WATCH_FRAMES)
    page.wait_for_timeout(seconds * 1000)
    seen = page.evaluate("() => window.seenFrames")
    long = [duration for duration in seen["long"] if duration > LONG_TASK_MS]
    return {
        "seconds": seconds,
        "frames": len(seen["work"]),
        "work_ms": percentiles(seen["work"]),
        "between_ms": percentiles(seen["gaps"]),
        "tasks_over_100_ms": len(long),
        "longest_task_ms": round(max(seen["long"], default=0.0)),
    }


def percentiles(values: list[float]) -> dict[str, float]:
    ordered = sorted(values)
    at = {"p50": 0.50, "p95": 0.95, "p99": 0.99}
    return {name: round(ordered[int(share * (len(ordered) - 1))], 2) for name, share in at.items()}


def heap(page: Page, minutes: float) -> dict[str, Any]:
    """Megabytes in use after collecting garbage, once a minute."""
    session = page.context.new_cdp_session(page)
    session.send("Performance.enable")
    readings = [heap_megabytes(session)]
    for _ in range(max(1, round(minutes))):
        page.wait_for_timeout(60_000 * minutes / max(1, round(minutes)))
        readings.append(heap_megabytes(session))
    return {"minutes": minutes, "megabytes": readings, "growth": round(readings[-1] / readings[0], 3)}


def heap_megabytes(session: Any) -> float:
    session.send("HeapProfiler.collectGarbage")
    metrics = {each["name"]: each["value"] for each in session.send("Performance.getMetrics")["metrics"]}
    return round(float(metrics["JSHeapUsedSize"]) / 1e6, 2)


def bundle() -> dict[str, Any]:
    """What the page loads of its own, in kilobytes."""
    files = [path for path in frontend.BUILT.parent.rglob("*") if path.suffix in {".js", ".css"}]
    contents = [path.read_bytes() for path in files]
    return {
        "files": len(files),
        "kilobytes": round(sum(map(len, contents)) / 1000),
        "gzipped_kilobytes": round(sum(len(gzip.compress(text)) for text in contents) / 1000),
    }


def run(chromium: str, minutes: float, seconds: int) -> dict[str, Any]:
    if frontend.is_stale():
        print(frontend.build(), file=sys.stderr)
    with temporary_data("bench-") as folder, EmbeddedServers(Path(folder), durable=False) as servers:
        bench = Bench(Path(folder), servers)
        bench.prepare()
        with bench.running() as address, sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
            page, first_price = open_page(browser, address)
            page.wait_for_timeout(SETTLE_SECONDS * 1000)
            drawn = frames(page, seconds)
            grown = heap(page, minutes)
            page.screenshot(path=str(Path(folder) / "page.png"))
            browser.close()
    return {
        "bench": "browser",
        "first_useful_paint_ms": round(first_price),
        "frame": drawn,
        "heap": grown,
        "bundle": bundle(),
        "ok": drawn["work_ms"]["p50"] < FRAME_TARGET_MS
        and drawn["tasks_over_100_ms"] == 0
        and first_price < PAINT_TARGET_MS
        and grown["growth"] <= HEAP_GROWTH_LIMIT,
        "machine": describe(),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--chromium", default="/usr/bin/chromium", help="The browser's program.")
    parser.add_argument("--minutes", type=float, default=10.0, help="How long the heap is watched.")
    parser.add_argument("--seconds", type=int, default=FRAMES_SECONDS, help="How long frames are watched.")
    arguments = parser.parse_args()
    print(json.dumps(run(arguments.chromium, arguments.minutes, arguments.seconds)))


if __name__ == "__main__":
    main()
