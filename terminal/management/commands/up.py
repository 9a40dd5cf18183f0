"""`manage.py up`: the whole data server on one machine, on embedded servers and the simulated Dhan."""

from __future__ import annotations

import fcntl
import json
import logging
import os
import shutil
import signal
import sys
import time
from argparse import ArgumentParser
from datetime import datetime, timedelta
from pathlib import Path
from typing import IO, Any

import httpx
from django.conf import settings
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError
from django.db import DatabaseError, connections
from redis import Redis, RedisError

from feeds.bus import feed_statuses
from feeds.clock import IST, exchange_now
from feeds.core.calendar import shipped_calendar
from feeds.models import ExchangeClockMark
from oms.process import status as execution
from terminal import demo, exchange_start, frontend, health, rehearsal
from terminal.embedded import EmbeddedServerError, temporary_data
from terminal.stack import Stack, free_port, port_is_free, simulator_urls

READY_SECONDS = 120.0
GRACE_SECONDS = 14.0
"""In a rehearsal the clock is set before the processes start; they get this long to be ready."""
MARK_EVERY_SECONDS = 5.0
FIRST_DAY = ("--switch", "previous_close_for=all")
"""As documented, though Dhan sends it with indices alone: a new database has no yesterday to compare interest with."""
REPORT_CLOSE = datetime(2026, 2, 3, 15, 30, tzinfo=IST)


class Command(BaseCommand):
    """Prepare, start, watch, stop."""

    help = "Start everything: PostgreSQL, Valkey, the simulated Dhan, all processes. Ctrl-C stops them."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--port", type=int, default=8000, help="Port of the web server (default 8000).")
        parser.add_argument("--replicas", type=int, default=1, help="Web processes, on ports from --port upward.")
        parser.add_argument("--at", help='Exchange time to start at, "2026-02-03 15:29" (IST).')
        parser.add_argument("--fresh", action="store_true", help="Throw the database and the last values away first.")
        parser.add_argument("--rate", type=int, default=6000, help="Packets a second that the simulator sends.")
        parser.add_argument("--listing", choices=["spec", "exchange"], default="spec", help="What the simulator lists.")
        parser.add_argument("--seconds", type=float, help="Stop by itself after so long.")
        parser.add_argument("--report", action="store_true", help="Rehearse the day's end; print one JSON object.")

    def handle(self, *args: Any, **options: Any) -> None:
        if options["report"] and "UP_TEMPORARY" not in os.environ:
            self._again_in_a_temporary_folder()
        self.quiet = options["report"]
        self.clock_runs = False
        logging.getLogger().setLevel(logging.WARNING)  # the steps below are told in our own words
        signal.signal(signal.SIGTERM, signal.default_int_handler)
        try:
            self._run(options)
        except EmbeddedServerError as error:
            raise CommandError(str(error)) from None

    def _again_in_a_temporary_folder(self) -> None:
        """Settings are read once, so a run on other data is another run of this very command."""
        with temporary_data("bt-up-") as folder:
            environment = {
                **{k: v for k, v in os.environ.items() if k not in {"DATABASE_URL", "REDIS_URL"}},
                "DATA_DIR": folder,
                "UP_TEMPORARY": "1",
            }
            pid = os.posix_spawn(sys.executable, [sys.executable, *sys.argv], environment)
            signal.signal(signal.SIGTERM, lambda *_: os.kill(pid, signal.SIGTERM))
            while True:
                try:
                    _, status = os.waitpid(pid, 0)
                    break
                except KeyboardInterrupt:
                    os.kill(pid, signal.SIGINT)
        sys.exit(os.waitstatus_to_exitcode(status))

    # --- the run

    def _run(self, options: dict[str, Any]) -> None:
        data = Path(settings.DATA_DIR)
        data.mkdir(parents=True, exist_ok=True, mode=0o700)
        ports = self._ports(options)
        lock = self._lock(data)
        if options["fresh"]:
            self._forget(data)
        stack = Stack(
            data,
            web_ports=ports,
            server=os.environ.get("ASGI_SERVER", "daphne"),
            simulator_arguments=("--rate", str(options["rate"]), "--listing", options["listing"], *FIRST_DAY),
        )
        try:
            self._start(stack, options)
        except KeyboardInterrupt:
            self._say("stopping")
        finally:
            if self.clock_runs:  # before that, this process knows only where an earlier run began
                mark_clock()
            connections.close_all()
            stack.stop()
            lock.close()
            self._say("stopped")

    def _build_page(self) -> None:
        """Without its page everything else still runs, so a build that fails is told and no more."""
        if not frontend.is_stale():
            return
        try:
            report = self._step("browser terminal (npm and Vite)", frontend.build)
        except frontend.CannotBuild as error:
            self._say(f" not built: {error}")
        else:
            self._say(f"    {frontend.sizes(report)}")

    def _start(self, stack: Stack, options: dict[str, Any]) -> None:
        if not options["report"]:  # a rehearsal opens no page
            self._build_page()
        self._step("PostgreSQL and Valkey", stack.start_servers)
        self._step("database", lambda: call_command("migrate", verbosity=0, interactive=False))
        for name, value in simulator_urls(stack.simulator_port).items():
            setattr(settings, name, value)  # this process asks the simulator too
        start = self._exchange_start(options)
        self._set_clock(stack, start)
        demo.issue_token(stack.data)
        self._step("simulated Dhan", lambda: self._start_simulator(stack))
        logins = self._step("demo data", lambda: demo.load(stack.data))
        self._step("instruments and option chains", demo.prepare_market)
        if options["report"]:
            starts_at = time.monotonic() + GRACE_SECONDS
            ends_at = starts_at + (options["seconds"] or 60.0)
            until_close = ends_at - rehearsal.CLOSE_BEFORE_END_SECONDS - time.monotonic()
            self._set_clock(stack, REPORT_CLOSE - timedelta(seconds=until_close))
            stack.members.pop("simulator").child.stop()  # its clock was another one
            self._start_simulator(stack)
        self._step("feed, analytics, execution, web, worker and beat", lambda: self._start_rest(stack))
        base = f"http://localhost:{stack.web_ports[0]}"
        if options["report"]:
            self._report(stack, base, logins, starts_at, ends_at)
        else:
            self._serve(stack, base, logins, options["seconds"])

    def _ports(self, options: dict[str, Any]) -> tuple[int, ...]:
        if options["report"]:
            return (free_port(),)
        ports = tuple(range(options["port"], options["port"] + max(options["replicas"], 1)))
        for port in ports:
            if not port_is_free(port):
                raise CommandError(f"port {port} is taken; choose another with --port")
        return ports

    def _lock(self, data: Path) -> IO[str]:
        lock = (data / "up.lock").open("a+")
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise CommandError(f"a second copy: another `up` already runs on {data}") from None
        return lock

    def _forget(self, data: Path) -> None:
        for name in ("postgres", "valkey", "clock.json", "demo-logins.json"):
            path = data / name
            shutil.rmtree(path, ignore_errors=True) if path.is_dir() else path.unlink(missing_ok=True)

    def _exchange_start(self, options: dict[str, Any]) -> datetime:
        if options["report"]:
            return REPORT_CLOSE - timedelta(hours=1)
        mark = ExchangeClockMark.objects.first()
        try:
            asked = exchange_start.read_at(options["at"]) if options["at"] else None
            return exchange_start.choose_start(asked, mark.reached_at if mark else None, shipped_calendar())
        except ValueError as error:
            raise CommandError(str(error)) from None

    def _set_clock(self, stack: Stack, start: datetime) -> None:
        shift = (start - exchange_now()).total_seconds() + settings.EXCHANGE_CLOCK_OFFSET_SECONDS
        settings.EXCHANGE_CLOCK_OFFSET_SECONDS = shift  # this process, and below every child
        stack.environment["EXCHANGE_CLOCK_OFFSET_SECONDS"] = repr(shift)
        dhan = {name: stack.environment[name] for name in simulator_urls(stack.simulator_port)}
        (stack.data / "clock.json").write_text(json.dumps({"offset_seconds": shift, "dhan": dhan}))
        self.clock_runs = True

    def _start_simulator(self, stack: Stack) -> None:
        stack.start("simulator")
        stack.wait_until(lambda: answers(stack.environment["DHAN_REST_URL"]), READY_SECONDS, "the simulated Dhan")

    def _start_rest(self, stack: Stack) -> None:
        for name in stack.commands():
            if name != "simulator":
                stack.start(name)
        for port in stack.web_ports:
            ready = f"http://127.0.0.1:{port}/health/ready"
            stack.wait_until(lambda ready=ready: answers(ready, 200), READY_SECONDS, f"web on port {port}")
        stack.wait_until(feed_is_complete, READY_SECONDS, "the feed")
        stack.wait_until(health.trading, READY_SECONDS, "the execution")
        stack.wait_until(health.analytics, READY_SECONDS, "the analytics")

    # --- running

    def _report(self, stack: Stack, base: str, logins: dict[str, str], starts_at: float, ends_at: float) -> None:
        while time.monotonic() < starts_at:
            stack.watch()
            time.sleep(0.05)
        report = rehearsal.run(stack, base, logins["trader"], ends_at, self._say)
        self.stdout.write(json.dumps(report))
        if not report["ok"]:
            sys.exit(1)

    def _serve(self, stack: Stack, base: str, logins: dict[str, str], seconds: float | None) -> None:
        self._say(f"\n  Open    {base}/\n  API     {base}/api/v2/docs\n  Admin   {base}/admin/\n")
        for user, password in logins.items():
            self._say(f"  {user:<9} {password}")
        self._say("\n  Ctrl-C stops everything.\n")
        until = time.monotonic() + seconds if seconds else None
        marked = 0.0
        while until is None or time.monotonic() < until:
            for name in stack.watch():
                self._say(f"\nstarted again: {name}")
            if time.monotonic() - marked > MARK_EVERY_SECONDS:
                mark_clock()
                marked = time.monotonic()
            self._status_line()
            time.sleep(1.0)

    def _status_line(self) -> None:
        if not sys.stdout.isatty():
            return
        self.stdout.write(f"\r\033[K{status_line()}", ending="")
        self.stdout.flush()

    def _step(self, what: str, action: Any) -> Any:
        started = time.monotonic()
        self._say(f"  {what} ...", ending="")
        result = action()
        self._say(f" {time.monotonic() - started:.1f} s")
        return result

    def _say(self, text: str, ending: str = "\n") -> None:
        stream = self.stderr if self.quiet else self.stdout
        stream.write(text, ending=ending)
        stream.flush()


def mark_clock() -> None:
    """Remember how far exchange time has come; a database that is away is asked again later."""
    try:
        ExchangeClockMark.objects.update_or_create(pk=1, defaults={"reached_at": exchange_now()})
    except DatabaseError:
        connections.close_all()


def answers(url: str, status: int | None = None) -> bool:
    """Whether an HTTP server answers there (with this status, when given)."""
    try:
        code = httpx.get(url, timeout=2.0).status_code
    except httpx.HTTPError:
        return False
    return status is None or code == status


def feed_is_complete() -> bool:
    """Whether every connection is live and everything placed is subscribed."""
    try:
        statuses = feed_statuses()
    except RedisError:
        return False
    return bool(statuses) and all(
        status["state"] == "LIVE"
        and status["tier_b"] > 0
        and all(c["state"] == "LIVE" and c["subscribed"] == c["placed"] for c in status["connections"])
        for status in statuses.values()
    )


def status_line() -> str:
    """One line: exchange time, connections, instruments, rate and lag."""
    try:
        statuses = feed_statuses()
    except RedisError:
        return "Redis is away"
    clock = f"{exchange_now():%a %d %b %H:%M:%S} IST"
    if not statuses:
        return f"{clock}  the feed is down"
    status = next(iter(statuses.values()))
    live = sum(connection["state"] == "LIVE" for connection in status["connections"])
    wanted = status["tier_b"] + status["references"] + status["tier_a"]
    return (
        f"{clock}  feed {status['state']}  connections {live}/{len(status['connections'])}  instruments {wanted:,}"
        f" of {status['capacity']:,}  {status['packets_per_second']:,.0f} packets/s  {execution_words()}"
    )


def execution_words() -> str:
    """What the status line says of orders."""
    with Redis.from_url(settings.REDIS_URL, socket_timeout=2) as client:
        status = execution.read_status(client)
    if status is None:
        return "no orders: the execution is down"
    return f"orders {status['resting']:,} resting, {status['orders_per_second']:,.0f}/s"
