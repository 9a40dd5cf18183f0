"""The door for orders of programs: the same answers as the view's, several at once, and nothing else's business."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from asgiref.testing import ApplicationCommunicator
from django.db import connection, connections
from django.test import Client
from django.test.utils import CaptureQueriesContext

from feeds import clock
from oms.models import Order
from rms.models import TradingAccount
from terminal import order_door
from terminal.accounts.models import ApiToken
from terminal.accounts.selectors import token_digest
from terminal.order_door import OrderDoor, Posted, answer_all, headers_of_order
from tests.oms.floor import CALL, RUPEES, Floor, open_floor
from tests.rms import desk

DEADLINE_SECONDS = 20.0
TOKEN = "btt_door"
OF_THE_VIEW_ALONE = {"allow", "vary", "content-length", "x-request-id"}


@pytest.fixture
def floor(db, settings, redis) -> Floor:
    return with_token(open_floor(settings, redis))


@pytest.fixture
def busy_floor(transactional_db, settings, redis) -> Floor:
    """The same, for a door that answers on a thread of its own."""
    return with_token(open_floor(settings, redis))


def with_token(floor: Floor) -> Floor:
    give_token(floor.trader, TOKEN)
    return floor


def give_token(user: Any, text: str) -> ApiToken:
    return ApiToken.objects.create(user=user, name="door", prefix=text[:8], digest=token_digest(text))


def body(account: TradingAccount, **fields: Any) -> dict[str, Any]:
    return {
        "account": account.pk, "instrument": str(CALL), "side": "BUY", "quantity": 65, "product": "MARGIN",
        "limit_price": "150.00", **fields,
    }  # fmt: skip


def scope(content: bytes, token: str = TOKEN, **changed: Any) -> dict[str, Any]:
    headers = {
        "host": "testserver",
        "authorization": f"Token {token}",
        "content-type": "application/json",
        "content-length": str(len(content)),
        **changed.pop("headers", {}),
    }
    return {
        "type": "http", "method": "POST", "path": "/api/v2/orders", "query_string": b"", "root_path": "",
        "scheme": "http", "client": ("127.0.0.1", 4711),
        "headers": [(name.encode(), value.encode()) for name, value in headers.items() if value is not None],
        **changed,
    }  # fmt: skip


def posted(fields: Any, token: str = TOKEN, **headers: str) -> Posted:
    content = fields if isinstance(fields, bytes) else json.dumps(fields).encode()
    asked = scope(content, token, headers=headers)
    found = headers_of_order(asked)
    assert found is not None
    return Posted(asked, found, content, clock.monotonic())


def answer(fields: Any, token: str = TOKEN, **headers: str) -> order_door.Answered | None:
    return answer_all([posted(fields, token, **headers)])[0]


# --- the same answers ---------------------------------------------------------------------------


def test_an_order_is_answered_as_the_view_answers_it(floor: Floor) -> None:
    by_door = answer(body(floor.account, client_reference="door"))
    by_view = ask_the_view(body(floor.account, client_reference="view"))
    assert (by_door.status, by_view.status_code) == (201, 201)
    own = {"id", "client_reference", "placed_at", "updated_at"}
    told, expected = json.loads(by_door.body), by_view.json()
    assert {name: told[name] for name in told if name not in own} == {
        name: expected[name] for name in expected if name not in own
    }
    assert Order.objects.get(client_reference="door").user == floor.trader


def ask_the_view(fields: dict[str, Any]) -> Any:
    content = json.dumps(fields)
    headers = {"Authorization": f"Token {TOKEN}"}
    return Client().post("/api/v2/orders", content, content_type="application/json", headers=headers)


def test_its_headers_are_the_views(floor: Floor) -> None:
    by_door = answer(body(floor.account))
    by_view = ask_the_view(body(floor.account))
    told = {name.decode().lower(): value.decode() for name, value in by_door.headers}
    expected = {name.lower(): value for name, value in by_view.headers.items()}
    assert {name: told[name] for name in told if name not in OF_THE_VIEW_ALONE} == {
        name: expected[name] for name in expected if name not in OF_THE_VIEW_ALONE
    }
    assert told["cache-control"] == "private, no-store"
    assert int(told["content-length"]) == len(by_door.body)
    assert len(told["x-request-id"]) == 36


@pytest.mark.parametrize(
    "fields",
    [{"quantity": 65_000, "slice": True}, {"instrument": "NSE_FNO.99999999"}, {"quantity": 66}],
    ids=["margin", "unknown instrument", "lot"],
)
def test_a_refusal_has_the_views_words(floor: Floor, fields: dict[str, Any]) -> None:
    by_door = answer(body(floor.account, **fields))
    by_view = ask_the_view(body(floor.account, **fields))
    assert by_door.status == by_view.status_code == 422
    told, expected = json.loads(by_door.body), by_view.json()
    assert (told["code"], told["message"]) == (expected["code"], expected["message"])
    assert told["details"].keys() == expected["details"].keys()


def test_a_repeat_gets_the_first_answer_and_another_body_is_refused(floor: Floor) -> None:
    first = json.loads(answer(body(floor.account, client_reference="once")).body)
    again = json.loads(answer(body(floor.account), **{"idempotency-key": "once"}).body)
    assert again["id"] == first["id"]
    other = answer(body(floor.account, client_reference="once", quantity=130))
    assert (other.status, json.loads(other.body)["code"]) == (422, "REFERENCE_TAKEN")
    assert Order.objects.count() == 1


def test_what_breaks_is_told_without_a_word_of_why(floor: Floor, monkeypatch) -> None:
    def break_down(order: Order, caller: object) -> None:
        raise RuntimeError("secret")

    monkeypatch.setattr(order_door, "placed", break_down)
    broken = answer(body(floor.account))
    assert broken.status == 500
    assert json.loads(broken.body) == {"code": "INTERNAL", "message": "Something went wrong here.", "details": {}}


# --- together -----------------------------------------------------------------------------------


def test_those_that_come_together_are_answered_one_by_one_by_the_statements_of_one(floor: Floor) -> None:
    accounts = [desk.make_account(100_000 * RUPEES) for _ in range(5)]
    for number, account in enumerate(accounts):
        give_token(account.owner, f"btt_{number}")
    answer_all([posted(body(floor.account))])  # reads what is kept
    with CaptureQueriesContext(
        connection,
    ) as of_one:
        answer_all([posted(body(accounts[0]), "btt_0")])
    requests = [posted(body(account), f"btt_{number}") for number, account in enumerate(accounts)]
    with CaptureQueriesContext(connection) as of_five:
        answers = answer_all([*requests, posted(body(floor.account, quantity=66))])
    assert [each.status for each in answers] == [201] * 5 + [422]
    told = [json.loads(each.body) for each in answers[:5]]
    assert [each["account"] for each in told] == [account.pk for account in accounts]
    assert [each["user"] for each in told] == [account.owner.username for account in accounts]
    notes = sum("last_used_at" in query["sql"] for query in of_five.captured_queries)
    assert len(of_five) - notes <= len(of_one) + 2  # the refusal reads its event


def test_one_line_tells_of_all_of_them(floor: Floor, caplog) -> None:
    caplog.set_level("INFO", logger="terminal.order_door")
    answers = answer_all([posted(body(floor.account)), posted(body(floor.account, quantity=66))])
    [line] = [record.msg for record in caplog.records if record.name == "terminal.order_door"]
    ids = [dict(each.headers)[b"X-Request-ID"].decode() for each in answers]
    assert [told["request_id"] for told in line["answers"]] == ids
    assert [told["code"] for told in line["answers"]] == [201, 422]
    stored = Order.objects.order_by("pk").values_list("pk", flat=True)
    assert [told["order_id"] for told in line["answers"]] == [[pk] for pk in stored]
    assert {told["user_id"] for told in line["answers"]} == {floor.trader.pk}
    assert TOKEN not in str(line)


# --- what is the view's business ----------------------------------------------------------------


@pytest.mark.parametrize(
    "content",
    [b"", b"{", b"[]", b"null", b'{"account": NaN}', b'{"account": 1}', b"[" * 5_000],
)
def test_a_body_that_is_no_order_is_the_views(floor: Floor, content: bytes) -> None:
    assert answer(content) is None


@pytest.mark.parametrize("token", ["btt_unknown", "", "btt_door x"])
def test_an_unknown_token_is_the_views(floor: Floor, token: str) -> None:
    assert answer(body(floor.account), token) is None
    assert not Order.objects.exists()


def test_a_revoked_or_expired_token_and_one_of_an_inactive_user_open_nothing(floor: Floor) -> None:
    revoked, expired = give_token(floor.trader, "btt_revoked"), give_token(floor.trader, "btt_expired")
    revoked.revoked_at = expired.expires_at = clock.wall_now()
    revoked.save()
    expired.save()
    assert answer(body(floor.account), "btt_revoked") is None
    assert answer(body(floor.account), "btt_expired") is None
    floor.trader.is_active = False
    floor.trader.save()
    assert answer(body(floor.account)) is None
    assert not Order.objects.exists()


def test_anothers_account_and_one_that_is_not_there_are_the_views(floor: Floor, people) -> None:
    other = desk.make_account(100_000 * RUPEES)
    assert answer(body(other)) is None
    assert answer({**body(other), "account": 10**9}) is None
    give_token(people["risk"], "btt_risk")
    assert answer(body(other), "btt_risk") is None  # may see it, not trade it
    assert not Order.objects.exists()


def test_who_was_given_an_account_trades_it_here_too(floor: Floor) -> None:
    other = desk.make_account(100_000 * RUPEES)
    other.traders.add(floor.trader)
    assert answer(body(other)).status == 201


def test_a_header_and_a_body_that_differ_are_the_views(floor: Floor) -> None:
    assert answer(body(floor.account, client_reference="a"), **{"idempotency-key": "b"}) is None
    assert answer(body(floor.account), **{"idempotency-key": "no/reference"}) is None


def test_a_strange_host_is_the_views(floor: Floor, settings) -> None:
    settings.ALLOWED_HOSTS = ["testserver"]
    assert answer(body(floor.account), host="evil.example") is None


def test_the_budget_is_the_users_whole_one_and_who_must_wait_hears_it_from_the_view(floor: Floor, settings) -> None:
    settings.REST_RATE_PER_MINUTE = 3
    assert ask_the_view(body(floor.account)).status_code == 201
    answers = answer_all([posted(body(floor.account)) for _ in range(3)])
    assert [each.status if each else None for each in answers] == [201, 201, None]
    refused = ask_the_view(body(floor.account))
    assert (refused.status_code, refused.json()["code"]) == (429, "THROTTLED")
    assert Order.objects.count() == 3


@pytest.mark.parametrize(
    "changed",
    [
        {"method": "GET"},
        {"path": "/api/v2/orders/1"},
        {"query_string": b"format=json"},
        {"root_path": "/api"},
        {"headers": {"cookie": "sessionid=1"}},
        {"headers": {"authorization": "Basic eA=="}},
        {"headers": {"authorization": None}},
        {"headers": {"content-type": "text/plain"}},
        {"headers": {"content-length": "16385"}},
        {"headers": {"content-length": "-1"}},
        {"headers": {"content-length": None}},
        {"headers": {"content-encoding": "gzip"}},
        {"headers": {"accept": "text/html"}},
    ],
    ids=str,
)
def test_other_requests_are_not_looked_at(changed: dict[str, Any]) -> None:
    assert headers_of_order(scope(b"{}", **changed)) is None


def test_a_header_that_comes_twice_is_not_decided_here() -> None:
    asked = scope(b"{}")
    asked["headers"].append((b"Authorization", b"Token other"))
    assert headers_of_order(asked) is None


# --- as an application --------------------------------------------------------------------------


class Otherwise:
    """An application that remembers what it was given."""

    def __init__(self) -> None:
        self.bodies: list[bytes] = []

    async def __call__(self, scope: Any, receive: Callable[[], Awaitable[Any]], send: Any) -> None:
        self.bodies.append((await receive())["body"])
        await send({"type": "http.response.start", "status": 299, "headers": []})
        await send({"type": "http.response.body", "body": b"otherwise"})


async def ask(door: OrderDoor, content: bytes, token: str = TOKEN, parts: int = 1) -> tuple[int, bytes]:
    request = ApplicationCommunicator(door, scope(content, token))
    cut = -(-len(content) // parts) or 1
    pieces = [content[first : first + cut] for first in range(0, len(content), cut)] or [b""]
    for number, piece in enumerate(pieces, start=1):
        await request.send_input({"type": "http.request", "body": piece, "more_body": number < len(pieces)})
    start = await request.receive_output(DEADLINE_SECONDS)
    end = await request.receive_output(DEADLINE_SECONDS)
    await request.wait(DEADLINE_SECONDS)
    return start["status"], end["body"]


@asynccontextmanager
async def opened(otherwise: Otherwise) -> AsyncIterator[OrderDoor]:
    """A door whose thread lets go of its connection in the end."""
    door = OrderDoor(otherwise)
    yield door
    door._thread.submit(connections.close_all).result(DEADLINE_SECONDS)


async def test_many_at_once_are_all_answered_and_what_is_not_in_order_goes_on_whole(busy_floor: Floor) -> None:
    otherwise = Otherwise()
    async with opened(otherwise) as door:
        orders = [json.dumps(body(busy_floor.account, client_reference=f"many-{n}")).encode() for n in range(8)]
        answers = await asyncio.gather(
            *[ask(door, order, parts=2) for order in orders],
            ask(door, b'{"odd": 1}', parts=3),
            ask(door, orders[0], "x"),
        )
        assert [status for status, _ in answers] == [201] * 8 + [299, 299]
        assert sorted(otherwise.bodies) == sorted([b'{"odd": 1}', orders[0]])
        references = {json.loads(content)["client_reference"] for _, content in answers[:8]}
        assert references == {f"many-{n}" for n in range(8)}


async def test_a_mistake_of_ours_is_told_to_all_and_to_the_next_no_more(busy_floor: Floor, monkeypatch) -> None:
    order = json.dumps(body(busy_floor.account)).encode()
    async with opened(Otherwise()) as door:
        with monkeypatch.context() as broken:
            broken.setattr(order_door, "known_of", lambda posted: 1 / 0)
            answers = await asyncio.gather(*[ask(door, order) for _ in range(3)])
        assert [status for status, _ in answers] == [500] * 3
        assert json.loads(answers[0][1])["code"] == "INTERNAL"
        assert (await ask(door, order))[0] == 201


async def test_a_connection_that_broke_meanwhile_costs_no_order(busy_floor: Floor) -> None:
    otherwise = Otherwise()
    first, second, third = (
        json.dumps(body(busy_floor.account, client_reference=f"broke-{n}")).encode() for n in range(3)
    )
    async with opened(otherwise) as door:
        assert (await ask(door, first))[0] == 201
        door._thread.submit(lambda: connection.connection.close()).result(DEADLINE_SECONDS)
        assert (await ask(door, second))[0] == 299
        assert (await ask(door, third))[0] == 201
    assert otherwise.bodies == [second]


async def test_who_hangs_up_takes_nothing_back(busy_floor: Floor) -> None:
    async with opened(Otherwise()) as door:
        gone = asyncio.create_task(ask(door, json.dumps(body(busy_floor.account, client_reference="gone")).encode()))
        while not door._waiting and door._answering is None:
            await asyncio.sleep(0)
        gone.cancel()
        status, _ = await ask(door, json.dumps(body(busy_floor.account, client_reference="stays")).encode())
        assert status == 201
        stored = Order.objects.order_by("client_reference").values_list("client_reference", flat=True)
        assert [reference async for reference in stored.aiterator()] == ["gone", "stays"]


async def test_who_hangs_up_before_the_end_of_the_body_asked_nothing() -> None:
    otherwise = Otherwise()
    request = ApplicationCommunicator(OrderDoor(otherwise), scope(b"{}"))
    await request.send_input({"type": "http.disconnect"})
    await request.wait(DEADLINE_SECONDS)
    assert otherwise.bodies == []
