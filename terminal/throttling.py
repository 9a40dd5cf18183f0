"""How often one user, or one address, may ask. Counted in Redis by one script, so that it holds across processes."""

from __future__ import annotations

import logging
import uuid
from collections.abc import Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from django.conf import settings
from redis import Redis, RedisError
from rest_framework import exceptions
from rest_framework.request import Request
from rest_framework.throttling import BaseThrottle

from feeds.audit import client_address

if TYPE_CHECKING:
    from rest_framework.views import APIView

log = logging.getLogger(__name__)

WINDOW_SECONDS = 60.0
REDIS_SECONDS = 1.0
NOT_COUNTED = "requests are not counted: Redis is away (%s)"
LOGIN = "login"
"""A view with this `throttle_scope` is counted by address, and closed while nothing can be counted."""

SCRIPT = """
local time = redis.call('TIME')
local now = tonumber(time[1]) + tonumber(time[2]) / 1e6
local window, limit = tonumber(ARGV[1]), tonumber(ARGV[2])
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now - window)
if redis.call('ZCARD', KEYS[1]) >= limit then
  local oldest = redis.call('ZRANGE', KEYS[1], 0, 0, 'WITHSCORES')
  return tostring(tonumber(oldest[2]) + window - now)
end
redis.call('ZADD', KEYS[1], now, ARGV[3])
redis.call('PEXPIRE', KEYS[1], math.ceil(window * 1000))
return '0'
"""
"""KEYS: one caller's requests of the last minute. ARGV: window, limit, a unique member. Seconds to wait, or 0."""


@lru_cache(maxsize=4)
def _redis(url: str) -> Redis:
    return Redis.from_url(url, socket_timeout=REDIS_SECONDS, socket_connect_timeout=REDIS_SECONDS)


def seconds_to_wait(key: str, limit: int) -> float:
    """Count one request of this caller; 0 when it may pass, else seconds until one may.

    In any 60 seconds at most `limit` pass, however many ask at once.

    Raises:
        RedisError, OSError: Redis is away.
    """
    return _seconds_to_wait([key], limit)[0]


def _seconds_to_wait(keys: Sequence[str], limit: int) -> list[float]:
    """In one round trip. The script goes along: asking whether it is known would be another."""
    with _redis(settings.REDIS_URL).pipeline(transaction=False) as pipe:
        for key in keys:
            pipe.eval(SCRIPT, 1, f"throttle.{key}", WINDOW_SECONDS, limit, uuid.uuid4().hex)
        return [float(wait) for wait in pipe.execute()]


def users_to_wait(users: Sequence[Any]) -> list[float]:
    """`seconds_to_wait` of these users, asked together; a user may be among them several times. Redis away: 0."""
    try:
        return _seconds_to_wait([_caller(user) for user in users], settings.REST_RATE_PER_MINUTE)
    except (RedisError, OSError) as error:
        log.warning(NOT_COUNTED, type(error).__name__)
        return [0.0] * len(users)


class AtomicThrottle(BaseThrottle):
    """429 with Retry-After. While Redis is away reading goes on uncounted, and signing in does not."""

    def __init__(self) -> None:
        self._wait = 0.0

    def allow_request(self, request: Request, view: APIView) -> bool:
        is_login = getattr(view, "throttle_scope", "") == LOGIN and request.method == "POST"
        try:
            self._wait = seconds_to_wait(*_budget(request, is_login))
        except (RedisError, OSError) as error:
            if is_login:
                raise NotCountable from None
            log.warning(NOT_COUNTED, type(error).__name__)
            self._wait = 0.0
        return self._wait <= 0.0

    def wait(self) -> float:
        return self._wait


def _budget(request: Request, is_login: bool) -> tuple[str, int]:
    """Whose count, and how many a minute. The address is the proxy's word only when a proxy is configured."""
    address = client_address(request.META) or "unknown"
    if is_login:
        return f"login.{address}", settings.LOGIN_RATE_PER_MINUTE
    user: Any = request.user
    caller = _caller(user) if user and user.is_authenticated else f"address.{address}"
    return caller, settings.REST_RATE_PER_MINUTE


def _caller(user: Any) -> str:
    return f"user.{user.pk}"


class NotCountable(exceptions.APIException):
    """Signing in is refused while failures cannot be counted."""

    status_code = 503
    default_code = "UNAVAILABLE"
    default_detail = "Signing in is not possible just now."
