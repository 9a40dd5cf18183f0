"""One reading of the whole system for the dashboard: feeds, capacity, trading, chains, jobs, clock, browsers."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.conf import settings
from redis import Redis

from feeds import selectors
from feeds.analytics.status import read_status as read_analytics
from feeds.bus import REDIS_ERRORS, feed_statuses, last_flushes
from feeds.clock import exchange_now, wall_nanoseconds
from feeds.core.instrument import ExchangeSegment
from feeds.fanout.web_status import web_statuses
from feeds.models import AuditEntry, ChainDefinition, ChainState, DhanAccount, JobRun
from terminal.ops.trading_status import READ_SECONDS, trading_status

NANOSECONDS_PER_MILLISECOND = 1_000_000
SILENT_MILLISECONDS = 3_000
"""A feed speaks each second; three missed ones are silence, for browsers as for this page."""
RECENT = 6
"""Rows of job runs and audit entries: what fits beside each other without scrolling."""
MARKETS = (
    ("NSE and BSE equity", ExchangeSegment.NSE_EQ),
    ("NSE and BSE F&O", ExchangeSegment.NSE_FNO),
    ("MCX", ExchangeSegment.MCX_COMM),
)


CLASSES = ("tier_b", "references", "tier_a")


def ops_status() -> dict[str, Any]:
    """Everything the dashboard shows; times are epoch milliseconds. What cannot be read says so, and the rest stays."""
    try:
        spoken, flushed, webs = feed_statuses(), last_flushes(), web_statuses()
    except REDIS_ERRORS:
        spoken, flushed, webs = {}, {}, None
    accounts = [
        account_status(account, spoken.get(account.pk), flushed.get(account.pk))
        for account in DhanAccount.objects.order_by("pk")
    ]
    return {
        "at": wall_nanoseconds() // NANOSECONDS_PER_MILLISECOND,
        "redis": webs is not None,
        "clock": clock_status(exchange_now()),
        "accounts": accounts,
        "totals": totals(accounts),
        "browsers": None if webs is None else sum(web["browsers"] for web in webs),
        "trading": trading_status(),
        "analytics": analytics_status(),
        "chains": chains(spoken),
        "jobs": jobs(),
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
    lags = [
        connection["lag_ms_p99"]
        for account in speaking
        for connection in account["connections"]
        if connection.get("lag_ms_p99") is not None
    ]
    return {
        **by_class,
        "capacity": capacity,
        "used": sum(by_class.values()),
        "packets_per_second": sum(account.get("packets_per_second") or 0 for account in speaking),
        "lag_ms_p99": max(lags, default=None),
        "reconnects": sum(
            connection.get("reconnects") or 0 for account in speaking for connection in account["connections"]
        ),
    }


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


def jobs() -> list[dict[str, Any]]:
    """The last run of each job, newest first."""
    latest = JobRun.objects.order_by("job", "-trading_date", "-started_at").distinct("job")
    rows = [
        {
            "id": run.pk,
            "job": run.job,
            "trading_date": run.trading_date.isoformat(),
            "status": run.status,
            "attempts": run.attempts,
            "finished_at": epoch_milliseconds(run.finished_at),
            "report": run.report,
        }
        for run in latest
    ]
    return sorted(rows, key=lambda row: (row["trading_date"], row["finished_at"] or 0), reverse=True)[:RECENT]


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
