"""An account's facts are numbered without a gap, whoever writes them, and told after the commit."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import orjson
import pytest
from django.db import DatabaseError, connection, transaction

from feeds import topics
from rms import facts, ledger
from rms.models import AccountFact, Funds, Position
from tests.rms import desk
from tests.rms.desk import CRUDE, DAY

pytestmark = pytest.mark.django_db


def offsets(account_id: int) -> list[int]:
    return list(AccountFact.objects.filter(account=account_id).order_by("offset").values_list("offset", flat=True))


def test_facts_are_numbered_from_one_in_each_account():
    first, second = desk.make_account().pk, desk.make_account().pk
    assert [facts.record(first, "ALERT", {"n": n}) for n in range(3)] == [1, 2, 3]
    assert facts.record(second, "ALERT", {}) == 1


def test_many_facts_keep_the_order_they_were_given_in():
    first, second = desk.make_account().pk, desk.make_account().pk
    last = facts.record_many([(first, "A", {"n": 1}), (second, "B", {"n": 2}), (first, "C", {"n": 3})])
    assert last == {first: 2, second: 1}
    assert facts.facts_after(first, 0, 10) == [(1, "A", {"n": 1}), (2, "C", {"n": 3})]


def test_no_facts_are_nothing():
    assert facts.record_many([]) == {}


def test_a_client_asks_for_what_it_missed():
    account = desk.make_account().pk
    facts.record_many([(account, "ALERT", {"n": n}) for n in range(5)])
    assert [offset for offset, _, _ in facts.facts_after(account, 2, 2)] == [3, 4]


def test_a_transaction_that_does_not_happen_leaves_no_gap():
    account = desk.make_account().pk
    facts.record(account, "ALERT", {})
    with pytest.raises(DatabaseError), transaction.atomic():
        facts.record_many([(account, "A" * 99, {})])
    assert facts.record(account, "ALERT", {}) == 2


def test_what_a_position_is_told_as():
    instruments = desk.make_instruments()
    position = Position(
        account=desk.make_account(), instrument=instruments[CRUDE], product="MARGIN", trading_date=DAY,
        signed_quantity=-2, open_cost=-120_000_100,
    )  # fmt: skip
    body = facts.position_body(position)
    assert (body["instrument"], body["quantity"], body["average_price"]) == ("MCX_COMM.430000", -2, 600_000)
    assert (body["open_cost"], body["multiplier"], body["trading_date"]) == (-120_000_100, 100, "2026-02-03")


@pytest.mark.django_db(transaction=True)
def test_writers_of_one_account_never_share_a_number(redis):
    account = desk.make_account().pk

    def write(number: int) -> None:
        for n in range(10):
            with transaction.atomic():
                ledger.lock([account])
                facts.record_many([(account, "ALERT", {"writer": number, "n": n})] * 2)
        connection.close()

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(write, range(4)))
    assert offsets(account) == list(range(1, 81))
    assert Funds.objects.get(pk=account).fact_offset == 80


@pytest.mark.django_db(transaction=True)
def test_hubs_are_told_after_the_commit_and_not_before(redis):
    account = desk.make_account().pk
    listener = redis.pubsub(ignore_subscribe_messages=True)
    listener.subscribe(topics.FACTS_CHANNEL)
    listener.get_message(timeout=5, ignore_subscribe_messages=False)
    with transaction.atomic():
        facts.announce([account, account])
        assert listener.get_message(timeout=0.05) is None
    message = listener.get_message(timeout=5)
    listener.close()
    assert orjson.loads(message["data"]) == [f"account.{account}"]


@pytest.mark.django_db(transaction=True)
def test_a_commit_does_not_need_redis(settings, caplog):
    settings.REDIS_URL = "redis://127.0.0.1:1/0"
    facts.announce([1])
    assert "account.1" in caplog.text
