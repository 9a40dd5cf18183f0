"""Liveness and readiness, for supervisors and load balancers: no login, no figures worth hiding."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.conf import settings
from django.db import OperationalError, connection
from django.http import HttpRequest, JsonResponse
from redis import Redis, RedisError

from feeds.analytics import status as analytics_process
from oms.process import status as execution


def live(request: HttpRequest) -> JsonResponse:
    """The process answers."""
    return JsonResponse({"live": True})


def ready(request: HttpRequest) -> JsonResponse:
    """The process can serve: 200 when PostgreSQL and Redis answer, else 503 and which does not.

    `trading` says whether the execution process lives, `analytics` the same of that process. They do not count: prices
    are served without them, and orders are taken and wait.
    """
    answers = stores()
    is_ready = all(answers.values())
    others = {"trading": trading(), "analytics": analytics()}
    return JsonResponse({"ready": is_ready, **answers, **others}, status=200 if is_ready else 503)


def trading() -> bool:
    """Whether an execution process has said within its heartbeat that it takes orders up."""
    return _says_live(execution.read_status)


def analytics() -> bool:
    """Whether an analytics process has said within its heartbeat that it computes."""
    return _says_live(analytics_process.read_status)


def _says_live(read_status: Callable[[Redis], dict[str, Any] | None]) -> bool:
    with Redis.from_url(settings.REDIS_URL, socket_timeout=2) as client:
        try:
            status = read_status(client)
        except RedisError:
            return False
    return status is not None and status["state"] == "LIVE"


def stores() -> dict[str, bool]:
    """Which of the stores answer now."""
    return {"database": _database_answers(), "redis": _redis_answers()}


def _database_answers() -> bool:
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
    except OperationalError:
        return False
    return True


def _redis_answers() -> bool:
    client = Redis.from_url(settings.REDIS_URL, socket_timeout=2)
    try:
        return bool(client.ping())
    except RedisError:
        return False
    finally:
        client.close()
