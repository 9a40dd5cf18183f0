"""Watchlists over REST: the two calls kept by name, whose list it is, and what a refusal says."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime

import pytest
from django.contrib.auth.models import User
from pytest_django.fixtures import Settings
from rest_framework.test import APIClient

from feeds.importing import import_lines
from feeds.interest import capacity
from tests.feeds.market_rows import TODAY, master, share
from tests.watchlists.conftest import options_of
from watchlists.models import Watchlist

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("market", "account", "redis")]


@pytest.fixture
def client(asha: User) -> APIClient:
    return signed_in(asha)


def signed_in(user: User) -> APIClient:
    client = APIClient()
    client.force_login(user)
    return client


def post(client: APIClient, path: str, **body: object):
    return client.post(f"/api/v2/{path}", body, format="json")


def test_add_and_remove_as_promised(client: APIClient) -> None:
    answer = post(client, "watchlist/add", symbols=["RELIANCE"])
    assert answer.status_code == 200
    watchlist = Watchlist.objects.get()
    assert answer.json() == {
        "watchlist": watchlist.pk,
        "items": ["NSE_EQ.2885"],
        "subscriptions": 42,
        "references": 1,
        "capacity": {"capacity": 25000, "tier_b": 0, "references": 1, "tier_a": 42, "used": 43, "free": 24957},
        "not_today": [],
    }
    answer = post(client, "watchlist/remove", instruments=["NSE_EQ.2885"])
    assert (answer.json()["subscriptions"], answer.json()["capacity"]["used"]) == (42, 0)


def test_keys_and_symbols_may_be_mixed_and_the_list_named(client: APIClient) -> None:
    pk = post(client, "watchlists", name="Banks").json()["id"]
    answer = post(client, "watchlist/add", watchlist=pk, instruments=["IDX_I.13"], symbols=["zeel"])
    assert (answer.json()["items"], answer.json()["subscriptions"]) == (["IDX_I.13", "NSE_EQ.7"], 43)


@pytest.mark.parametrize(
    ("body", "status", "code", "details"),
    [
        ({"symbols": ["NIFTY", "NOSUCH"]}, 422, "UNKNOWN_INSTRUMENT", {"unknown": ["NOSUCH"]}),
        ({"instruments": ["NSE_EQ.999"]}, 422, "UNKNOWN_INSTRUMENT", {"unknown": ["NSE_EQ.999"]}),
        ({"symbols": ["NIFTY-Feb2026-26000-CE"]}, 422, "AMBIGUOUS_SYMBOL", None),
        ({"instruments": ["RELIANCE"]}, 400, "INVALID", None),
        ({}, 400, "INVALID", None),
        ({"symbols": "RELIANCE"}, 400, "INVALID", None),
        ({"symbols": ["RELIANCE"], "watchlist": 999999}, 404, "NOT_FOUND", {}),
    ],
)
def test_a_refusal_says_which_and_changes_nothing(
    client: APIClient, body: dict[str, object], status: int, code: str, details: object
) -> None:
    answer = post(client, "watchlist/add", **body)
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert details is None or answer.json()["details"] == details
    assert capacity().total.used == 0


def test_over_capacity_is_409_with_the_figures(client: APIClient, settings: Settings) -> None:
    settings.FEED_INSTRUMENTS_TOTAL = 50
    answer = post(client, "watchlist/add", symbols=["RELIANCE", "INFY"])
    assert (answer.status_code, answer.json()["code"]) == (409, "CAPACITY_EXCEEDED")
    assert answer.json()["details"] == {
        "requested": 86, "additional": 86, "capacity": 50, "tier_b": 0, "references": 0, "tier_a": 0,
        "used": 0, "free": 50,
    }  # fmt: skip
    assert not Watchlist.objects.exists()


def test_after_the_close_it_says_what_waits(client: APIClient, at: Callable[[str], datetime]) -> None:
    at("2026-02-03 16:00")
    answer = post(client, "watchlist/add", symbols=["RELIANCE"]).json()
    assert (answer["subscriptions"], answer["not_today"]) == (0, ["NSE_EQ.2885"])
    (item,) = client.get(f"/api/v2/watchlists/{answer['watchlist']}").json()["items"]
    assert (item["live"], item["not_live"]) == (False, "MARKET_CLOSED")


def test_lists_are_made_read_renamed_moved_and_deleted(client: APIClient) -> None:
    first, second = (post(client, "watchlists", name=name).json()["id"] for name in ("One", "Two"))
    client.patch(f"/api/v2/watchlists/{second}", {"name": "Zwei", "position": 0}, format="json")
    assert [each["name"] for each in client.get("/api/v2/watchlists").json()["results"]] == ["Zwei", "One"]
    assert post(client, "watchlists", name="One").json()["code"] == "NAME_TAKEN"
    assert client.delete(f"/api/v2/watchlists/{first}").status_code == 204
    assert client.get(f"/api/v2/watchlists/{first}").status_code == 404


def test_another_users_list_is_404_for_every_verb_and_stays_as_it_is(client: APIClient, ravi: User) -> None:
    post(client, "watchlist/add", symbols=["RELIANCE"])
    mine = Watchlist.objects.get()
    his = signed_in(ravi)
    answers = [
        his.get(f"/api/v2/watchlists/{mine.pk}"),
        his.patch(f"/api/v2/watchlists/{mine.pk}", {"name": "stolen"}, format="json"),
        his.delete(f"/api/v2/watchlists/{mine.pk}"),
        post(his, "watchlist/add", watchlist=mine.pk, symbols=["INFY"]),
        post(his, "watchlist/remove", watchlist=mine.pk, symbols=["RELIANCE"]),
    ]
    assert [(each.status_code, each.json()["code"]) for each in answers] == [(404, "NOT_FOUND")] * 5
    assert his.get("/api/v2/watchlists").json()["results"] == []
    assert (Watchlist.objects.get().name, mine.items.count()) == ("Watchlist", 1)


def test_fields_that_are_not_the_users_to_set_are_ignored(client: APIClient, ravi: User) -> None:
    answer = post(client, "watchlists", name="Mine", id=7777, user=ravi.pk, position=42, live_on="2026-02-03")
    watchlist = Watchlist.objects.get(pk=answer.json()["id"])
    assert (watchlist.pk == 7777, watchlist.user.username, watchlist.position, watchlist.live_on) == (
        False, "asha", 0, None,
    )  # fmt: skip


def test_500_items_are_21000_subscriptions_and_500_references(client: APIClient) -> None:
    names = [f"STOCK{number:03d}" for number in range(500)]
    rows = [share(50_000 + number, name) for number, name in enumerate(names)]
    for number, name in enumerate(names):
        rows += options_of(name, 100_000 + 100 * number, date(2026, 2, 24), 1_400, 10)
    import_lines(master(rows), day=TODAY)
    answer = post(client, "watchlist/add", symbols=names).json()
    assert (answer["subscriptions"], answer["references"]) == (21_000, 500)
    assert (answer["capacity"]["used"], answer["capacity"]["free"]) == (21_500, 3_500)
    assert post(client, "watchlist/remove", symbols=names[:1]).json()["capacity"]["used"] == 21_457


def test_a_commodity_removed_by_its_name_leaves_the_options_that_were_added_by_key(client: APIClient) -> None:
    post(client, "watchlist/add", symbols=["CRUDEOIL"], instruments=["MCX_COMM.30000"], instrument_only=True)
    assert post(client, "watchlist/remove", symbols=["crudeoil"]).json()["items"] == ["MCX_COMM.1"]
    pk = Watchlist.objects.get().pk
    assert [item["instrument"] for item in client.get(f"/api/v2/watchlists/{pk}").json()["items"]] == ["MCX_COMM.30000"]
