"""One reading of the whole system for the dashboard: feeds, capacity, trading, chains, jobs, clock, browsers."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.conf import settings
from redis import Redis

from feeds import jobs as due_jobs
from feeds import selectors
from feeds.analytics.status import read_status as read_analytics
from feeds.bus import REDIS_ERRORS, feed_endings, feed_statuses, last_flushes
from feeds.clock import exchange_now, wall_nanoseconds
from feeds.core.instrument import ExchangeSegment
from feeds.fanout.web_status import web_statuses
from feeds.models import AuditEntry, ChainDefinition, ChainState, DhanAccount, JobRun
from terminal.ops.trading_status import READ_SECONDS, trading_status

NANOSECONDS_PER_MILLISECOND = 1_000_000
SILENT_MILLISECONDS = 3_000
"""A feed speaks each second; three missed ones are silence, for browsers as for this page."""
RECENT = 8
"""Rows of jobs, endings and audit entries: what fits beside each other without scrolling."""
MARKETS = (
    ("NSE and BSE equity", ExchangeSegment.NSE_EQ),
    ("NSE and BSE F&O", ExchangeSegment.NSE_FNO),
    ("MCX", ExchangeSegment.MCX_COMM),
)
CLASSES = ("tier_b", "references", "tier_a")
NEVER_RUN: dict[str, Any] = {
    "id": None, "trading_date": None, "status": None, "attempts": 0, "finished_at": None, "report": {},
}  # fmt: skip


def ops_status() -> dict[str, Any]:
    """Everything the dashboard shows; times are epoch milliseconds. What cannot be read says so, and the rest stays."""
    now = exchange_now()
    rows = list(DhanAccount.objects.order_by("pk"))
    try:
        spoken, flushed, webs = feed_statuses(), last_flushes(), web_statuses()
        ended = feed_endings([account.pk for account in rows])
    except REDIS_ERRORS:
        spoken, flushed, webs, ended = {}, {}, None, {}
    accounts = [account_status(account, spoken.get(account.pk), flushed.get(account.pk)) for account in rows]
    return {
        "at": wall_nanoseconds() // NANOSECONDS_PER_MILLISECOND,
        "redis": webs is not None,
        "clock": clock_status(now),
        "accounts": accounts,
        "totals": totals(accounts),
        "endings": endings(rows, ended),
        "browsers": None if webs is None else sum(web["browsers"] for web in webs),
        "web": webs or [],
        "trading": trading_status(),
        "analytics": analytics_status(),
        "chains": chains(spoken),
        "jobs": jobs(now),
        "audit": audit_trail(),
    }


def account_status(account: DhanAccount, spoken: dict[str, Any] | None, flushed: int | None) -> dict[str, Any]:
    """One account's feed in its own words, or DOWN since its last batch when it has fallen silent."""
    known = {"account": account.pk, "name": account.name, "enabled": account.enabled}
    if spoken is not None and not is_old(spoken):
        return {**spoken, **known, "last_data_at": last_packet_at(spoken)}
    last_flush = flushed // NANOSECONDS_PER_MILLISECOND if flushed else None
    state = "DOWN" if account.enabled else "DISABLED"
    return {**known, "state": state, "connections": [], "last_data_at": last_flush}


def is_old(spoken: dict[str, Any]) -> bool:
    """Redis keeps a status for ten seconds: a page that believed it so long would show a dead feed as live."""
    return wall_nanoseconds() // NANOSECONDS_PER_MILLISECOND - spoken["at"] > SILENT_MILLISECONDS


def last_packet_at(spoken: dict[str, Any]) -> int | None:
    """A feed without a live connection still flushes its heartbeat: the packets' own age tells since when."""
    ages = [age for connection in spoken["connections"] if (age := connection.get("age_seconds")) is not None]
    return int(spoken["at"] - min(ages) * 1000) if ages else None


def totals(accounts: list[dict[str, Any]]) -> dict[str, Any]:
    """Sums over the feeds that speak; `capacity` is of all enabled accounts' feeds that speak."""
    speaking = [account for account in accounts if account.get("capacity")]
    capacity = sum(account["capacity"] for account in speaking)
    by_class = {name: sum(account[name] for account in speaking) for name in CLASSES}
    connections = [connection for account in speaking for connection in account["connections"]]
    return {
        **by_class,
        "capacity": capacity,
        "used": sum(by_class.values()),
        "packets_per_second": sum(account.get("packets_per_second") or 0 for account in speaking),
        "lag_ms_p50": worst(connections, "lag_ms_p50"),
        "lag_ms_p99": worst(connections, "lag_ms_p99"),
        "reconnects": sum(connection.get("reconnects") or 0 for connection in connections),
    }


def worst(connections: list[dict[str, Any]], name: str) -> int | None:
    """Percentiles of several lines do not add up: the slowest line's is shown."""
    return max((figure for each in connections if (figure := each.get(name)) is not None), default=None)


def analytics_status() -> dict[str, Any]:
    """The analytics process's last words, or that it is down."""
    try:
        with Redis.from_url(settings.REDIS_URL, socket_timeout=READ_SECONDS) as client:
            spoken = read_analytics(client)
    except REDIS_ERRORS:
        return {"state": "DOWN"}
    return spoken if spoken and not is_old(spoken) else {"state": "DOWN"}


def clock_status(now: datetime) -> dict[str, Any]:
    """Exchange time as epoch ms, so that the page can tick, and each market's phase."""
    statuses = {status.segment: status for status in selectors.market_status(now)}
    return {
        "at": int(now.timestamp() * 1000),
        "phases": [{"market": label, "phase": statuses[segment].phase} for label, segment in MARKETS],
        "day_names": sorted({status.holiday for status in statuses.values() if status.holiday}),
    }


def chains(spoken: dict[int, dict[str, Any]]) -> list[dict[str, Any]]:
    definitions = ChainDefinition.objects.select_related("state__reference", "account")
    return [chain_status(definition, spoken.get(definition.account_id)) for definition in definitions]


def chain_status(definition: ChainDefinition, spoken: dict[str, Any] | None) -> dict[str, Any]:
    """A chain's four numbers, with the reason of every contract that is missing between them."""
    row = {
        "id": definition.pk,
        "underlying": definition.underlying_symbol,
        "segment": ExchangeSegment(definition.segment).name,
        "account": definition.account.name,
        "enabled": definition.enabled,
        "subscribed": (spoken or {}).get("chains", {}).get(str(definition.pk)),
    }
    state: ChainState | None = getattr(definition, "state", None)
    if state is None:
        return {**row, "resolved": False}
    return {
        **row,
        "resolved": True,
        "trading_date": state.trading_date.isoformat(),
        "reference": str(state.reference) if state.reference else None,
        "atm_strike": state.atm_strike,
        "nominal": state.nominal,
        "unique": state.unique,
        "listed": state.listed,
        "missing": state.missing,
    }


def endings(accounts: list[DhanAccount], ended: dict[int, list[dict[str, Any]]]) -> list[dict[str, Any]]:
    """The reconnect history of all accounts, newest first."""
    rows = [{**ending, "name": account.name} for account in accounts for ending in ended.get(account.pk, [])]
    return sorted(rows, key=lambda row: row["at"], reverse=True)[:RECENT]


def jobs(now: datetime) -> list[dict[str, Any]]:
    """Each job's last run and when it is due next, soonest first; those that are not due any more stand last."""
    latest = JobRun.objects.order_by("job", "-trading_date", "-started_at").distinct("job")
    last = {run.job: last_run(run) for run in latest}
    due = {run.job: int(run.due_at.timestamp() * 1000) for run in due_jobs.next_runs(now)}
    return [
        {"job": name, "due_at": due.get(name), **last.get(name, NEVER_RUN)} for name in dict.fromkeys([*due, *last])
    ]


def last_run(run: JobRun) -> dict[str, Any]:
    return {
        "id": run.pk,
        "trading_date": run.trading_date.isoformat(),
        "status": run.status,
        "attempts": run.attempts,
        "finished_at": epoch_milliseconds(run.finished_at),
        "report": run.report,
    }


def audit_trail() -> list[dict[str, Any]]:
    return [
        {
            "at": epoch_milliseconds(entry.at),
            "actor": entry.actor.get_username() if entry.actor else "system",
            "action": entry.action,
            "target": entry.target,
            "reason": entry.reason,
        }
        for entry in AuditEntry.objects.select_related("actor")[:RECENT]
    ]


def epoch_milliseconds(moment: datetime | None) -> int | None:
    return int(moment.timestamp() * 1000) if moment else None
