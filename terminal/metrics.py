"""/metrics for Prometheus: one web process answers for all, from what every process says of itself in Redis."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator
from typing import Any

from django.conf import settings
from django.db import Error as DatabaseError
from django.http import HttpRequest, HttpResponse
from django.utils.crypto import constant_time_compare
from django.views.decorators.http import require_GET
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_LATEST

from feeds.audit import client_address
from terminal.ops.status import ops_status

log = logging.getLogger(__name__)

Reading = dict[str, Any]
Row = tuple[tuple[str, ...], float | None]
"""A figure with its labels' values; None: not known, and then not told."""

PREFIX = "terminal_"
SCHEME = "Bearer "
LOOPBACK = frozenset({"127.0.0.1", "::1"})
MILLISECONDS = 1000.0
PAISE = 100.0
CLASSES = ("tier_b", "references", "tier_a")


@require_GET
def metrics(request: HttpRequest) -> HttpResponse:
    """What Prometheus reads; nobody else may."""
    if not is_allowed(request):
        return HttpResponse("Not for you.\n", status=403, content_type="text/plain")
    registry = CollectorRegistry(auto_describe=False)
    registry.register(Readings(read()))
    return HttpResponse(generate_latest(registry), content_type=CONTENT_TYPE_LATEST)


def is_allowed(request: HttpRequest) -> bool:
    """With a METRICS_TOKEN only who sends it. Without one only this machine itself, and no proxy in its name."""
    if settings.METRICS_TOKEN:
        return constant_time_compare(request.headers.get("Authorization", ""), SCHEME + settings.METRICS_TOKEN)
    is_forwarded = settings.NUM_PROXIES or "X-Forwarded-For" in request.headers or "Forwarded" in request.headers
    return not is_forwarded and client_address(request.META) in LOOPBACK


def read() -> Reading | None:
    """None: the database does not answer, and that is the metric."""
    try:
        return ops_status()
    except DatabaseError as error:
        log.warning("metrics without a reading (%s)", type(error).__name__)
        return None


class Readings:
    """A collector for one scrape."""

    def __init__(self, reading: Reading | None) -> None:
        self._reading = reading

    def collect(self) -> Iterator[Metric]:
        reading = self._reading
        yield gauge("database_up", "Whether PostgreSQL answered this scrape.", [((), float(reading is not None))])
        if reading is None:
            return
        yield gauge("redis_up", "Whether Redis answered this scrape.", [((), float(reading["redis"]))])
        yield from feed_metrics(reading)
        yield from connection_metrics(reading)
        yield from web_metrics(reading)
        yield from trading_metrics(reading["trading"])
        yield from chain_metrics(reading)
        yield from job_metrics(reading)


def feed_metrics(reading: Reading) -> Iterator[Metric]:
    accounts = reading["accounts"]
    speaking = [each for each in accounts if each.get("capacity")]
    by_class = [((each["name"], name), each[name]) for each in speaking for name in CLASSES]
    counted = [((each["name"], name), count) for each in speaking for name, count in each.get("counters", {}).items()]
    yield gauge("feed_up", "1 while the feed is LIVE.", in_state(accounts, "LIVE"), "account")
    yield gauge("feed_stale", "1 while the feed is STALE.", in_state(accounts, "STALE"), "account")
    yield gauge("feed_packets_per_second", "Packets.", figures(speaking, "packets_per_second"), "account")
    yield gauge("feed_subscribed", "Instruments placed, by class.", by_class, "account", "class")
    yield gauge("feed_capacity", "Instruments that fit.", figures(speaking, "capacity"), "account")
    yield gauge("feed_wanted", "Instruments wanted, placed or not.", figures(speaking, "wanted"), "account")
    yield gauge("feed_sync_seconds_max", "Slowest change.", figures(speaking, "sync_seconds_max"), "account")
    yield counter("feed_events", "The feed's counters, by name.", counted, "account", "event")


def connection_metrics(reading: Reading) -> Iterator[Metric]:
    lines = [
        ((account["name"], str(line["index"] + 1)), line)
        for account in reading["accounts"]
        for line in account["connections"]
    ]

    def of(name: str, scale: float = 1.0) -> list[Row]:
        return [(labels, None if line.get(name) is None else line[name] / scale) for labels, line in lines]

    labels = ("account", "connection")
    quantiles = [
        ((*names, quantile), None if line.get(name) is None else line[name] / MILLISECONDS)
        for names, line in lines
        for quantile, name in (("0.5", "lag_ms_p50"), ("0.99", "lag_ms_p99"))
    ]
    yield gauge(
        "connection_up", "1 while LIVE.", [(names, float(line["state"] == "LIVE")) for names, line in lines], *labels
    )
    yield gauge("connection_subscribed", "Instruments subscribed.", of("subscribed"), *labels)
    yield gauge("connection_packets_per_second", "Packets.", of("packets_per_second"), *labels)
    yield gauge("connection_age_seconds", "Since the last packet of market data.", of("age_seconds"), *labels)
    yield gauge("connection_lag_seconds", "From the trade's stamp to its receipt.", quantiles, *labels, "quantile")
    yield counter("connection_reconnects", "Since the process began.", of("reconnects"), *labels)


def web_metrics(reading: Reading) -> Iterator[Metric]:
    webs = [((web.get("key", ""),), web) for web in reading["web"]]

    def of(name: str) -> list[Row]:
        return [(labels, web.get(name)) for labels, web in webs]

    counted = [((*labels, name), count) for labels, web in webs for name, count in web.get("counters", {}).items()]
    yield gauge("web_browsers", "Browsers listening.", of("browsers"), "process")
    yield gauge("web_slow_browsers", "Browsers that owe an acknowledgement.", of("slow"), "process")
    yield gauge("web_users", "People listening.", of("users"), "process")
    yield gauge("web_topics", "Topics held.", of("topics"), "process")
    yield gauge("web_memory_bytes", "Resident memory.", of("memory_bytes"), "process")
    yield counter("web_events", "The process's counters, by name.", counted, "process", "event")


def trading_metrics(trading: Reading) -> Iterator[Metric]:
    execution, house, margin = trading["execution"], trading["house"], trading["margin"]
    result = house["realised"] + house["unrealised"]
    for name, text, value in (
        ("execution_up", "1 while the execution process is LIVE.", float(execution["state"] == "LIVE")),
        ("execution_orders_per_second", "Orders taken up.", execution.get("orders_per_second")),
        ("execution_fills_per_second", "Fills.", execution.get("fills_per_second")),
        ("execution_step_seconds", "The last step.", scaled(execution.get("step_ms"), MILLISECONDS)),
        (
            "execution_lag_seconds",
            "From a batch's flush to its matching.",
            scaled(execution.get("lag_ms"), MILLISECONDS),
        ),
        ("open_orders", "Orders that have not ended.", trading["open_orders"]),
        ("unknown_outcomes", "Orders whose end a broker has not told.", trading["unknown_outcomes"]),
        ("margin_used_rupees", "Of all accounts.", margin["used"] / PAISE),
        ("margin_held_rupees", "Held for orders.", margin["held"] / PAISE),
        ("house_result_rupees", "The day's result of all positions, before charges.", result / PAISE),
        ("house_exposure_rupees", "Either side added up.", house["gross"] / PAISE),
        ("deficit_accounts", "Accounts below their floor.", trading["deficits"]),
        ("kill_switches", "Engaged switches.", trading["kill_switches"]),
        ("house_stopped", "1 while the house switch is engaged.", float(trading["house_stopped"])),
    ):
        yield gauge(name, text, [((), value)])


def chain_metrics(reading: Reading) -> Iterator[Metric]:
    rows = [
        ((chain["underlying"], chain["segment"], stage), chain.get(stage))
        for chain in reading["chains"]
        for stage in ("nominal", "unique", "listed", "subscribed")
    ]
    yield gauge("chain_contracts", "A chain's four numbers.", rows, "underlying", "segment", "number")


def job_metrics(reading: Reading) -> Iterator[Metric]:
    jobs = reading["jobs"]
    failed = [((job["job"],), float(job["status"] == "FAILED")) for job in jobs]
    finished = [((job["job"],), scaled(job["finished_at"], MILLISECONDS)) for job in jobs]
    due = [((job["job"],), scaled(job["due_at"], MILLISECONDS)) for job in jobs]
    yield gauge("job_failed", "1 when its last run failed.", failed, "job")
    yield gauge("job_finished_timestamp_seconds", "When its last run ended.", finished, "job")
    yield gauge("job_due_timestamp_seconds", "When it is due next, in exchange time.", due, "job")


# --- figures to metrics ---------------------------------------------------------------------------


def gauge(name: str, text: str, rows: Iterable[Row], *labels: str) -> Metric:
    return filled(GaugeMetricFamily(PREFIX + name, text, labels=labels), rows)


def counter(name: str, text: str, rows: Iterable[Row], *labels: str) -> Metric:
    return filled(CounterMetricFamily(PREFIX + name, text, labels=labels), rows)


def filled(metric: GaugeMetricFamily | CounterMetricFamily, rows: Iterable[Row]) -> Metric:
    """The metric with every figure that is known: what is not measured is absent, and never zero."""
    for labels, value in rows:
        if value is not None:
            metric.add_metric(list(labels), float(value))
    return metric


def in_state(accounts: Iterable[Reading], state: str) -> list[Row]:
    return [((each["name"],), float(each["state"] == state)) for each in accounts]


def figures(accounts: Iterable[Reading], name: str) -> list[Row]:
    return [((each["name"],), each.get(name)) for each in accounts]


def scaled(value: float | None, by: float) -> float | None:
    return None if value is None else value / by
