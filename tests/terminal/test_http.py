"""The web process' HTTP: each request whole on one thread, and nothing of it left there."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from asgiref.testing import ApplicationCommunicator
from django.contrib.auth.models import User
from django.db import connection
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.urls import path
from django.utils import timezone

from terminal import http
from terminal.http import ThreadHandler

DEADLINE_SECONDS = 10.0


def zone(request: HttpRequest, name: str) -> HttpResponse:
    """The zone that was active before, and then another."""
    before = timezone.get_current_timezone_name()
    timezone.activate(name.replace("-", "/"))
    return HttpResponse(f"{before} {User.objects.count()}")


def length(request: HttpRequest) -> HttpResponse:
    return HttpResponse(str(len(request.body)))


def names(request: HttpRequest) -> StreamingHttpResponse:
    User.objects.count()  # a connection on the thread of the request

    async def lines() -> AsyncIterator[str]:
        async for user in User.objects.order_by("username").aiterator():
            yield f"{user.username}\n"

    return StreamingHttpResponse(lines())


urlpatterns = [
    path("zone/<str:name>", zone),
    path("length", length),
    path("names", names),
]


@pytest.fixture
def application(settings, monkeypatch) -> Iterator[ThreadHandler]:
    """With one thread, so that every request comes to the same."""
    settings.ROOT_URLCONF = __name__
    settings.MIDDLEWARE = []
    settings.ALLOWED_HOSTS = ["testserver"]
    monkeypatch.setattr(http, "THREADS", 1)
    handler = ThreadHandler()
    yield handler
    handler._threads.shutdown()


def scope(path: str, **headers: str) -> dict[str, Any]:
    given = {"host": "testserver", **headers}
    return {
        "type": "http", "method": "GET", "path": path, "query_string": b"", "root_path": "", "scheme": "http",
        "headers": [(name.replace("_", "-").encode(), value.encode()) for name, value in given.items()],
    }  # fmt: skip


async def ask(application: ThreadHandler, path: str, body: bytes = b"", **headers: str) -> tuple[int, bytes]:
    """Status and whole body."""
    request = ApplicationCommunicator(application, scope(path, **headers))
    await request.send_input({"type": "http.request", "body": body})
    async with asyncio.timeout(DEADLINE_SECONDS):
        status = (await request.receive_output(DEADLINE_SECONDS))["status"]
        parts, more = [], True
        while more:
            message = await request.receive_output(DEADLINE_SECONDS)
            parts.append(message.get("body", b""))
            more = message.get("more_body", False)
        await request.wait(DEADLINE_SECONDS)
    return status, b"".join(parts)


async def holds_a_connection(application: ThreadHandler) -> bool:
    """Whether the thread of the requests has one now."""
    loop = asyncio.get_running_loop()
    return await loop.run_in_executor(application._threads, lambda: connection.connection is not None)


@pytest.mark.django_db(transaction=True)
async def test_a_time_zone_of_one_request_is_not_the_next_ones(application):
    assert await ask(application, "/zone/Europe-Berlin") == (200, b"Asia/Kolkata 0")
    assert await ask(application, "/zone/Europe-Paris") == (200, b"Asia/Kolkata 0")
    assert not await holds_a_connection(application)


@pytest.mark.django_db(transaction=True)
async def test_what_streams_comes_whole_and_keeps_no_connection(application):
    await sync_to_async(User.objects.create_user)("one")
    await sync_to_async(User.objects.create_user)("two")
    assert await ask(application, "/names") == (200, b"one\ntwo\n")
    assert not await holds_a_connection(application)


async def test_a_body_beyond_the_limit_is_refused(application, settings):
    settings.DATA_UPLOAD_MAX_MEMORY_SIZE = 10
    assert await ask(application, "/length", b"x" * 10, content_length="10") == (200, b"10")
    assert (await ask(application, "/length", b"x" * 11, content_length="11"))[0] == 400
