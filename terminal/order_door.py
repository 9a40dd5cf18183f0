"""The door for orders of programs: what arrives together is identified, counted, placed and answered together.

A program's order is a POST of one JSON object with a token. On threads of their own many such requests wait for each
other and for the interpreter; here one thread answers all that have come meanwhile, with one statement for each
question that they share. Nothing is refused here but by the order desk: what is not wholly as it should be (an
unknown token, a body that is not valid, an account of somebody else, a budget that is used up) goes on to the view,
which says what is wrong with it.
"""

from __future__ import annotations

import asyncio
import logging
import uuid
from collections import deque
from collections.abc import Awaitable, Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import lru_cache
from io import BytesIO
from typing import Any

import orjson
import structlog
from csp.middleware import CSPMiddleware
from django.conf import settings
from django.contrib.auth.models import User
from django.core.exceptions import DisallowedHost
from django.core.handlers.asgi import ASGIRequest
from django.db import DatabaseError, InterfaceError, connection
from django.http import HttpRequest, HttpResponse
from django.middleware.clickjacking import XFrameOptionsMiddleware
from django.middleware.security import SecurityMiddleware
from redis import RedisError
from rest_framework import exceptions
from rest_framework.renderers import JSONRenderer

from feeds import clock
from feeds.audit import client_address
from feeds.rows import instances, select
from oms import services
from oms.intake import MOST, Waiting, intake
from oms.serializers import PlaceSerializer
from oms.services import Asked
from oms.views import order_request, placed, reference_of
from rms.models import TradingAccount
from rms.selectors import may_trade
from rms.serializers import LARGEST_ID
from rms.views import valid
from terminal import errors, throttling
from terminal.accounts import services as accounts
from terminal.accounts.authentication import KEYWORD
from terminal.ops.headers import PathHeaders
from terminal.request_logs import ORDERS_PATH, REQUEST_ID_HEADER, order_ids_in

log = logging.getLogger(__name__)
lines = structlog.getLogger(__name__)

Scope = dict[str, Any]
Message = dict[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Application = Callable[[Scope, Receive, Send], Awaitable[None]]

BODY_BYTES = 16_384
"""An order is a few hundred. What is larger is the view's."""
JSON_TYPES = frozenset({"application/json", "application/json; charset=utf-8"})
ANY_TYPES = frozenset({"application/json", "*/*"})
NOT_OURS = ("cookie", "content-encoding", "transfer-encoding", "expect")
"""Headers of requests that mean more than an order: a session, a body that is not what it looks like."""
RESPONSE_MIDDLEWARE = (XFrameOptionsMiddleware, PathHeaders, CSPMiddleware, SecurityMiddleware)
"""Those that write headers of every answer, in the order in which an answer passes them."""
AWAY = (DatabaseError, InterfaceError, RedisError, OSError)


@dataclass(frozen=True, slots=True)
class Posted:
    """One request as it came: its ASGI scope, its headers by lower name, its body."""

    scope: Scope
    headers: Mapping[str, str]
    body: bytes
    came_at: float

    @property
    def token(self) -> str:
        return self.headers["authorization"].partition(" ")[2].strip()

    @property
    def request_id(self) -> str:
        own = self.headers.get(REQUEST_ID_HEADER.lower()) if settings.DJANGO_STRUCTLOG_TRUST_UPSTREAM_REQUEST_ID else ""
        return own or str(uuid.uuid4())


@dataclass(frozen=True, slots=True)
class Answered:
    """What goes back: status, whole headers and body."""

    status: int
    headers: list[tuple[bytes, bytes]]
    body: bytes


@dataclass(frozen=True, slots=True)
class Fields:
    """A request's checked host and its validated body."""

    request: HttpRequest
    fields: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Known:
    """A request of which everything is known that the desk needs."""

    posted: Posted
    request: HttpRequest
    asked: Asked


class OrderDoor:
    """An ASGI application before another: `otherwise` gets all requests that are not a program's order in order."""

    def __init__(self, otherwise: Application) -> None:
        self._otherwise = otherwise
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="orders")
        self._waiting: deque[tuple[Posted, asyncio.Future[Answered | None]]] = deque()
        self._answering: asyncio.Task[None] | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = headers_of_order(scope)
        if headers is None:
            await self._otherwise(scope, receive, send)
            return
        body = await whole_body(receive)
        if body is None:
            return
        answer = await self._ask(Posted(scope, headers, body, clock.monotonic()))
        if answer is None:
            await self._otherwise(scope, repeating(body, receive), send)
            return
        await send({"type": "http.response.start", "status": answer.status, "headers": answer.headers})
        await send({"type": "http.response.body", "body": answer.body})

    async def _ask(self, posted: Posted) -> Answered | None:
        """None: it is for the view. Who hangs up meanwhile takes nothing back; the order is placed."""
        future: asyncio.Future[Answered | None] = asyncio.get_running_loop().create_future()
        self._waiting.append((posted, future))
        if self._answering is None or self._answering.done():
            self._answering = asyncio.create_task(self._answer())
        return await future

    async def _answer(self) -> None:
        """Until nobody waits any more."""
        while self._waiting:
            await asyncio.sleep(intake().pause())
            batch = [self._waiting.popleft() for _ in range(min(len(self._waiting), MOST))]
            answers = await self._answers([each for each, _ in batch])
            for (_, future), answer in zip(batch, answers, strict=True):
                if not future.done():
                    future.set_result(answer)

    async def _answers(self, posted: Sequence[Posted]) -> Sequence[Answered | None]:
        """A mistake of ours is told to all of them; the view is not asked, as their orders may be stored."""
        try:
            return await asyncio.get_running_loop().run_in_executor(self._thread, answer_on_thread, posted)
        except Exception:
            log.exception("orders were not answered")
            return [broken()] * len(posted)


# --- what comes in


def headers_of_order(scope: Scope) -> dict[str, str] | None:
    """The headers of a program's order; None when the request is, or may be, something else."""
    if scope["method"] != "POST" or scope["path"] != ORDERS_PATH or scope["query_string"] or scope.get("root_path"):
        return None
    headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]}
    is_plain = len(headers) == len(scope["headers"]) and not any(name in headers for name in NOT_OURS)
    length = headers.get("content-length", "")
    is_ours = (
        is_plain
        and headers.get("authorization", "").partition(" ")[0].lower() == KEYWORD.lower()
        and headers.get("content-type", "").lower() in JSON_TYPES
        and headers.get("accept", "*/*") in ANY_TYPES
        and length.isascii()
        and length.isdigit()
        and int(length) <= BODY_BYTES
    )
    return headers if is_ours else None


async def whole_body(receive: Receive) -> bytes | None:
    """None: who sent it hung up."""
    parts = []
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            return None
        parts.append(message.get("body", b""))
        if not message.get("more_body", False):
            return b"".join(parts)


def repeating(body: bytes, receive: Receive) -> Receive:
    """A `receive` that gives a body that was read already, and then what else comes."""
    given = False

    async def again() -> Message:
        nonlocal given
        if given:
            return await receive()
        given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return again


# --- what is answered


def answer_on_thread(posted: Sequence[Posted]) -> list[Answered | None]:
    """`answer_all`. The thread keeps its connection until an error: what comes next is asked on another one, and what
    could not be known for a connection that broke meanwhile is the view's."""
    try:
        return answer_all(posted)
    finally:
        if connection.errors_occurred:
            connection.close()


def answer_all(posted: Sequence[Posted]) -> list[Answered | None]:
    """An answer for each, None for what the view must answer: of that nothing has been done."""
    known = {place: each for place, each in enumerate(known_of(posted)) if each is not None}
    outcomes = intake().place_all([each.asked for each in known.values()]) if known else []
    answers: list[Answered | None] = [None] * len(posted)
    told = []
    for (place, each), outcome in zip(known.items(), outcomes, strict=True):
        status, body = outcome_of(each.asked, outcome)
        answers[place], line = answered(each, status, body)
        told.append(line)
    if told:
        lines.info("orders_answered", answers=told)
    return answers


def known_of(posted: Sequence[Posted]) -> list[Known | None]:
    """Who asks, for which account and what; None for what is not wholly in order, or cannot be known just now."""
    try:
        bodies = [_object(each.body) for each in posted]
        asked_for = list({pk for body in bodies if _is_id(pk := body.get("account"))})
        wanted = select(TradingAccount, "id = ANY(%s::bigint[])", [asked_for])
        users, [found_rows] = accounts.users_for_tokens([each.token for each in posted], wanted)
        rows = {row.pk: row for row in instances(TradingAccount, found_rows)}
        found = [
            _fields(each, body) if each.token in users else None for each, body in zip(posted, bodies, strict=True)
        ]
        known = [
            _known(each, row, users[each.token], rows) if row is not None else None
            for each, row in zip(posted, found, strict=True)
        ]
        return _within_budget(known)
    except AWAY as error:
        log.warning("orders go to the view: %s", type(error).__name__)
        return [None] * len(posted)


def _object(body: bytes) -> dict[str, Any]:
    """A body's JSON object; of anything else an empty one, which is no order."""
    try:
        data = orjson.loads(body)
    except orjson.JSONDecodeError:
        return {}
    return data if isinstance(data, dict) else {}


def _is_id(value: object) -> bool:
    """Before anything is checked: what the database takes for a row's id."""
    return type(value) is int and 0 < value <= LARGEST_ID


def _fields(posted: Posted, body: dict[str, Any]) -> Fields | None:
    request = ASGIRequest(posted.scope, BytesIO())
    try:
        request.get_host()
        is_secure = request.is_secure() or not settings.SECURE_SSL_REDIRECT
        return Fields(request, valid(PlaceSerializer, body)) if is_secure else None
    except (DisallowedHost, exceptions.ValidationError):
        return None


def _known(posted: Posted, found: Fields, user: User, rows: Mapping[int, TradingAccount]) -> Known | None:
    fields = dict(found.fields)
    account = rows.get(fields.pop("account"))
    if account is None or not may_trade(user, account):
        return None
    try:
        reference = reference_of(posted.headers.get("idempotency-key"), fields)
    except exceptions.ValidationError:
        return None
    return Known(posted, found.request, Asked(order_request(account, fields, reference), user))


def _within_budget(known: list[Known | None]) -> list[Known | None]:
    """Each counts as a request of its user. Who must wait is not counted yet, and hears of it from the view."""
    counted = [each for each in known if each is not None]
    waits = iter(throttling.users_to_wait([each.asked.user for each in counted]))
    return [None if each is None or next(waits) > 0 else each for each in known]


def outcome_of(asked: Asked, outcome: Waiting) -> tuple[int, Any]:
    """Status and body, as the view has them."""
    try:
        return 201, placed(services.taken(outcome.result()), asked.user)
    except Exception as error:
        response = errors.response_of(error)
        if response is None:
            log.exception("an order was not answered")
            return 500, errors.BROKEN
        return response.status_code, response.data


def answered(known: Known, status: int, body: Any) -> tuple[Answered, dict[str, Any]]:
    """The answer, and what the log says of it."""
    request_id = known.posted.request_id
    answer = written(status, body, is_secure=known.request.is_secure(), request_id=request_id)
    line = {
        "request_id": request_id,
        "code": status,
        "user_id": known.asked.user.pk if known.asked.user else None,
        "order_id": order_ids_in(body),
        "address": client_address(known.request.META),
        "milliseconds": round((clock.monotonic() - known.posted.came_at) * 1000, 1),
    }
    return answer, line


def broken() -> Answered:
    return written(500, errors.BROKEN, is_secure=False, request_id=str(uuid.uuid4()))


def written(status: int, body: Any, *, is_secure: bool, request_id: str) -> Answered:
    content = JSONRenderer().render(body)
    headers = [
        *standing_headers(is_secure),
        (b"Content-Length", b"%d" % len(content)),
        (REQUEST_ID_HEADER.encode(), request_id.encode()),
    ]
    return Answered(status, headers, content)


@lru_cache(maxsize=2)
def standing_headers(is_secure: bool) -> tuple[tuple[bytes, bytes], ...]:
    """What every answer carries: as our middleware writes it, asked once."""
    request = HttpRequest()
    request.path = request.path_info = ORDERS_PATH
    request._get_scheme = lambda: "https" if is_secure else "http"  # type: ignore[method-assign]
    response = HttpResponse(content_type="application/json", headers={"Cache-Control": "private, no-store"})
    for kind in RESPONSE_MIDDLEWARE:
        response = kind(HttpResponse).process_response(request, response)
    return tuple((name.encode(), value.encode()) for name, value in response.items())
