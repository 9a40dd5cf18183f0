"""Another user's things: an address that names one answers 404 to whoever it does not belong to, and changes nothing.

The addresses come from the resolver, so that a new one is asked too, or fails for want of a row to name.
"""

from __future__ import annotations

import re

import pytest
from django.apps import apps
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client
from pytest_django.fixtures import Settings
from redis import Redis

from feeds import topics
from tests.terminal.people import REST_METHODS, filled, routes

PUBLIC_OBJECTS = {
    "candles/<str:key>",
    "chains/<str:segment>/<str:underlying>/<str:expiry>",
    "instruments/<str:key>",
    "order-terms/<str:key>",
}
"""The market is everybody's."""
PARAMETER = re.compile(r"<(?:\w+:)?\w+>")
BODIES = [
    {},
    {"name": "taken over", "reason": "because", "quantity": 1, "limit_price": "1.00", "order_value": "1.00"},
]


def object_routes() -> list[tuple[str, str]]:
    return [
        (path, method)
        for path, method in routes()
        if path.startswith("api/v2/") and PARAMETER.search(path) and path.removeprefix("api/v2/") not in PUBLIC_OBJECTS
    ]


def contents() -> dict[str, str]:
    """A digest of every table of ours."""
    found = {}
    with connection.cursor() as cursor:
        for model in apps.get_models():
            table = model._meta.db_table
            if model._meta.app_label in {"rms", "oms", "watchlists", "alerts", "feeds", "accounts", "auth"}:
                cursor.execute(f"SELECT md5(string_agg(row::text, '|' ORDER BY row::text)) FROM {table} AS row")
                found[table] = cursor.fetchone()[0]
    return found


@pytest.fixture
def stranger(settings: Settings, people: dict[str, User]) -> Client:
    """A trader with nothing of his own, who knows every number."""
    client = Client(raise_request_exception=False)
    client.force_login(User.objects.create_user("stranger"), backend="django.contrib.auth.backends.ModelBackend")
    return client


def test_every_kind_of_object_is_among_them() -> None:
    kinds = {path.removeprefix("api/v2/").split("/")[0] for path, _ in object_routes()}
    assert kinds == {
        "accounts", "alerts", "baskets", "funds-requests", "kill-switches", "orders", "statements", "tokens",
        "watchlists",
    }  # fmt: skip


def test_a_stranger_finds_none_of_them_and_changes_nothing(
    stranger: Client,
    things: dict[str, str],
    redis: Redis,
) -> None:
    before, wrong = contents(), []
    for path, method in object_routes():
        address = filled("/" + path, things)
        assert not PARAMETER.search(address), f"{path} needs a row in `things`"
        for body in BODIES:
            answer = getattr(stranger, method.lower())(address, data=body, content_type="application/json")
            if answer.status_code != 404:
                wrong.append(f"{method} {path}: {answer.status_code}")
    assert not wrong, "\n".join(wrong)
    assert contents() == before


def test_another_ones_account_in_a_body_is_not_there_either(
    stranger: Client,
    things: dict[str, str],
    redis: Redis,
) -> None:
    account = int(things["{account}"])
    order = {"instrument": "NSE_FNO.49001", "side": "BUY", "quantity": 75, "product": "INTRADAY"}
    leg = {**order, "order_type": "LIMIT", "limit_price": "152.30"}
    asked = {
        "orders": {**leg, "account": account},
        "orders/cancel-all": {"account": account},
        "positions/square-off": {"account": account},
        "positions/convert": {
            "account": account, "instrument": "NSE_FNO.49001", "quantity": 75, "from_product": "INTRADAY",
            "to_product": "MARGIN",
        },
        "margin": {"account": account, "orders": [order]},
        "baskets": {"account": account, "name": "mine", "legs": [leg]},
        "kill-switches": {"scope": "ACCOUNT", "account": account, "reason": "because"},
    }  # fmt: skip
    before = contents()
    for path, body in asked.items():
        answer = stranger.post(f"/api/v2/{path}", data=body, content_type="application/json")
        assert (path, answer.status_code) == (path, 404)
    assert contents() == before


@pytest.mark.parametrize("book", ["orders", "trades", "baskets", "accounts"])
def test_another_ones_rows_are_in_no_list(
    book: str,
    stranger: Client,
    things: dict[str, str],
    redis: Redis,
) -> None:
    told = stranger.get(f"/api/v2/{book}", {"account": things["{account}"]} if book != "accounts" else {}).json()
    assert (told["count"], told["results"]) == (0, [])


def test_another_ones_topics_are_not_joined(
    stranger: Client,
    things: dict[str, str],
    redis: Redis,
) -> None:
    user = User.objects.get(username="stranger")
    names = [f"account.{things['{account}']}", f"watchlist.{things['{watchlist}']}"]
    assert topics.authorised(user, names) == set()


def test_the_methods_asked_are_all_there_are() -> None:
    assert {method for _, method in object_routes()} <= set(REST_METHODS)
