"""What Prometheus reads, and that nobody else does."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import orjson
import pytest
from django.test import Client
from prometheus_client.parser import text_string_to_metric_families

from feeds import bus, clock
from feeds.fanout.web_status import WEBS
from feeds.models import DhanAccount
from oms.process.status import KEY as EXECUTION_KEY

pytestmark = pytest.mark.django_db

TOKEN = "a-long-random-word"


def samples(text: str) -> Iterator[tuple[str, dict[str, str], float]]:
    for family in text_string_to_metric_families(text):
        yield from ((sample.name, sample.labels, sample.value) for sample in family.samples)


def value(text: str, name: str, **labels: str) -> float | None:
    found = [each for each in samples(text) if each[0] == f"terminal_{name}" and each[1] == labels]
    return found[0][2] if found else None


def scrape(**extra: str) -> str:
    response = Client().get("/metrics", **extra)
    assert response.status_code == 200
    assert response["Content-Type"].startswith("text/plain; version=")
    return response.content.decode()


# --- who may --------------------------------------------------------------------------------------


def test_this_machine_may_ask_while_there_is_no_token(redis):
    assert Client(REMOTE_ADDR="127.0.0.1").get("/metrics").status_code == 200
    assert Client(REMOTE_ADDR="::1").get("/metrics").status_code == 200


@pytest.mark.parametrize(
    "asking",
    [
        {"REMOTE_ADDR": "10.0.0.7"},
        {"REMOTE_ADDR": ""},
        {"REMOTE_ADDR": "127.0.0.1", "HTTP_X_FORWARDED_FOR": "10.0.0.7"},
        {"REMOTE_ADDR": "127.0.0.1", "HTTP_X_FORWARDED_FOR": "127.0.0.1"},
        {"REMOTE_ADDR": "127.0.0.1", "HTTP_FORWARDED": "for=10.0.0.7"},
    ],
)
def test_another_machine_may_not_nor_a_proxy_in_its_name(redis, asking):
    assert Client(**asking).get("/metrics").status_code == 403


def test_behind_our_proxy_nobody_is_this_machine(redis, settings):
    settings.NUM_PROXIES = 1
    assert Client(REMOTE_ADDR="127.0.0.1").get("/metrics").status_code == 403


def test_with_a_token_the_token_alone_counts(redis, settings):
    settings.METRICS_TOKEN = TOKEN
    assert Client(REMOTE_ADDR="127.0.0.1").get("/metrics").status_code == 403
    for wrong in ("", TOKEN, f"Bearer {TOKEN}x", f"Basic {TOKEN}", "Bearer "):
        assert Client().get("/metrics", HTTP_AUTHORIZATION=wrong).status_code == 403
    away = Client(REMOTE_ADDR="10.0.0.7")
    assert away.get("/metrics", HTTP_AUTHORIZATION=f"Bearer {TOKEN}").status_code == 200


def test_the_answer_is_read_only(redis):
    assert Client().post("/metrics").status_code == 405


# --- what is told ---------------------------------------------------------------------------------


@pytest.fixture
def feed(redis):
    account = DhanAccount.objects.create(name="desk", client_id="1000000001")
    line = {
        "index": 0, "state": "LIVE", "since": 1, "subscribed": 456, "placed": 456, "packets_per_second": 1200.0,
        "age_seconds": 0.1, "lag_ms_p50": 400, "lag_ms_p99": 950, "reconnects": 2, "last_reason": None,
    }  # fmt: skip
    silent = line | {"index": 1, "state": "WAITING", "age_seconds": None, "lag_ms_p50": None, "lag_ms_p99": None}
    status = {
        "account": account.pk, "name": "desk", "epoch": 3, "state": "LIVE", "at": clock.wall_nanoseconds() // 1_000_000,
        "connections": [line, silent], "packets_per_second": 1200.0, "tier_b": 2272, "references": 8, "tier_a": 126,
        "capacity": 25000, "wanted": 2406, "sync_seconds_max": 0.4, "counters": {"dials": 7},
    }  # fmt: skip
    redis.sadd(bus.BOARDS, account.pk)
    redis.set(bus.status_key(account.pk), orjson.dumps(status), ex=10)


def test_any_web_process_tells_of_every_feed_and_connection(feed):
    text = scrape()
    assert value(text, "feed_up", account="desk") == 1
    assert value(text, "feed_subscribed", account="desk", **{"class": "tier_b"}) == 2272
    assert value(text, "feed_events_total", account="desk", event="dials") == 7
    assert value(text, "connection_up", account="desk", connection="1") == 1
    assert value(text, "connection_up", account="desk", connection="2") == 0
    assert value(text, "connection_lag_seconds", account="desk", connection="1", quantile="0.99") == 0.95
    assert value(text, "connection_reconnects_total", account="desk", connection="1") == 2


def test_what_is_not_measured_is_absent_and_not_zero(feed):
    text = scrape()
    assert value(text, "connection_lag_seconds", account="desk", connection="2", quantile="0.99") is None
    assert value(text, "connection_age_seconds", account="desk", connection="2") is None
    assert value(text, "execution_step_seconds") is None
    assert value(text, "execution_up") == 0


def test_any_web_process_tells_of_all_of_them(redis):
    for number, browsers in ((1, 30), (2, 20)):
        web = {"key": f"web.desk.{number}.status", "browsers": browsers, "slow": 1, "counters": {"frames": 5}}
        redis.set(f"web.desk.{number}.status", orjson.dumps(web))
        redis.sadd(WEBS, f"web.desk.{number}.status")
    text = scrape()
    assert value(text, "web_browsers", process="web.desk.1.status") == 30
    assert value(text, "web_browsers", process="web.desk.2.status") == 20
    assert value(text, "web_events_total", process="web.desk.2.status", event="frames") == 5


def test_trading_is_told_in_rupees_and_seconds(redis):
    at = clock.exchange_now().timestamp() * 1000
    spoken = {
        "state": "LIVE",
        "at": at,
        "orders_per_second": 4.0,
        "fills_per_second": 2.0,
        "step_ms": 12.5,
        "lag_ms": 80,
    }
    redis.set(EXECUTION_KEY, orjson.dumps(spoken))
    text = scrape()
    assert (value(text, "execution_up"), value(text, "execution_step_seconds")) == (1, 0.0125)
    assert (value(text, "unknown_outcomes"), value(text, "house_stopped"), value(text, "margin_used_rupees")) == (
        0,
        0,
        0,
    )


def test_with_redis_away_that_is_the_metric(settings):
    settings.REDIS_URL = "unix:///nowhere/valkey.sock"
    text = scrape()
    assert (value(text, "database_up"), value(text, "redis_up")) == (1, 0)


DASHBOARD = Path(__file__).resolve().parents[2] / "docker" / "grafana" / "dashboards" / "terminal.json"


def dashboard_names() -> set[str]:
    """Every metric that a panel of the shipped dashboard asks for."""
    panels = json.loads(DASHBOARD.read_text())["panels"]
    queries = [target["expr"] for panel in panels for target in panel.get("targets", [])]
    return {name for query in queries for name in re.findall(r"terminal_[a-z_]+", query)}


def test_every_name_of_the_grafana_dashboard_is_one_of_ours(feed):
    told = {name for name, _, _ in samples(scrape())}
    assert len(dashboard_names()) > 15
    assert dashboard_names() - told - ABSENT_WITHOUT_PROCESSES == set()


ABSENT_WITHOUT_PROCESSES = {
    "terminal_web_browsers", "terminal_web_slow_browsers", "terminal_web_memory_bytes", "terminal_web_events_total",
    "terminal_execution_orders_per_second", "terminal_execution_fills_per_second", "terminal_execution_step_seconds",
    "terminal_execution_lag_seconds", "terminal_chain_contracts", "terminal_job_finished_timestamp_seconds",
}  # fmt: skip
"""What only a running process, a chain or a finished job tells."""
