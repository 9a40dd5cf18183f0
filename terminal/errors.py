"""Every error of the REST API in one shape, {code, message, details}, with codes from one closed list."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from enum import StrEnum
from typing import Any

from django.core.exceptions import PermissionDenied
from django.db import InterfaceError, OperationalError
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from redis import RedisError
from rest_framework import exceptions, status
from rest_framework.response import Response

from feeds.core.price import rupees_text
from oms.core.rules import RefusalCode

log = logging.getLogger(__name__)

SOMETHING_WRONG = "Something went wrong here."


class ErrorCode(StrEnum):
    """All that an error's `code` can be, beside the reasons why an order is not taken (`RefusalCode`)."""

    INVALID = "INVALID"
    PARSE_ERROR = "PARSE_ERROR"
    NOT_AUTHENTICATED = "NOT_AUTHENTICATED"
    TOKEN_INVALID = "TOKEN_INVALID"  # noqa: S105 a code
    LOGIN_FAILED = "LOGIN_FAILED"
    LOCKED_OUT = "LOCKED_OUT"
    SECOND_FACTOR_REQUIRED = "SECOND_FACTOR_REQUIRED"
    SECOND_FACTOR_WRONG = "SECOND_FACTOR_WRONG"
    SECOND_FACTOR_EXISTS = "SECOND_FACTOR_EXISTS"
    SECOND_FACTOR_MISSING = "SECOND_FACTOR_MISSING"
    PASSWORD_WRONG = "PASSWORD_WRONG"  # noqa: S105 a code
    TOO_MANY_TOKENS = "TOO_MANY_TOKENS"
    PERMISSION_DENIED = "PERMISSION_DENIED"
    CSRF_FAILED = "CSRF_FAILED"
    NOT_FOUND = "NOT_FOUND"
    METHOD_NOT_ALLOWED = "METHOD_NOT_ALLOWED"
    NOT_ACCEPTABLE = "NOT_ACCEPTABLE"
    UNSUPPORTED_MEDIA_TYPE = "UNSUPPORTED_MEDIA_TYPE"
    THROTTLED = "THROTTLED"
    CONFLICT = "CONFLICT"
    CAPACITY_EXCEEDED = "CAPACITY_EXCEEDED"
    ITEM_LIMIT_EXCEEDED = "ITEM_LIMIT_EXCEEDED"
    WATCHLIST_LIMIT_EXCEEDED = "WATCHLIST_LIMIT_EXCEEDED"
    NAME_TAKEN = "NAME_TAKEN"
    UNKNOWN_INSTRUMENT = "UNKNOWN_INSTRUMENT"
    AMBIGUOUS_SYMBOL = "AMBIGUOUS_SYMBOL"
    REFERENCE_TAKEN = "REFERENCE_TAKEN"
    NOT_CHANGEABLE = "NOT_CHANGEABLE"
    BASKET_REFUSED = "BASKET_REFUSED"
    INSUFFICIENT_FUNDS = "INSUFFICIENT_FUNDS"
    SECOND_PERSON_NEEDED = "SECOND_PERSON_NEEDED"
    ALREADY_DECIDED = "ALREADY_DECIDED"
    HOLD_ENDED = "HOLD_ENDED"
    UNAVAILABLE = "UNAVAILABLE"
    INTERNAL = "INTERNAL"


ALL_CODES = list(dict.fromkeys([code.value for code in ErrorCode] + [code.value for code in RefusalCode]))

DOMAIN_STATUSES: dict[str, int] = {
    **dict.fromkeys((code.value for code in RefusalCode), status.HTTP_422_UNPROCESSABLE_ENTITY),
    ErrorCode.LOGIN_FAILED: status.HTTP_401_UNAUTHORIZED,
    ErrorCode.SECOND_FACTOR_REQUIRED: status.HTTP_401_UNAUTHORIZED,
    ErrorCode.SECOND_FACTOR_WRONG: status.HTTP_401_UNAUTHORIZED,
    ErrorCode.SECOND_FACTOR_EXISTS: status.HTTP_409_CONFLICT,
    ErrorCode.SECOND_FACTOR_MISSING: status.HTTP_409_CONFLICT,
    ErrorCode.PASSWORD_WRONG: status.HTTP_403_FORBIDDEN,
    ErrorCode.TOO_MANY_TOKENS: status.HTTP_409_CONFLICT,
    ErrorCode.CAPACITY_EXCEEDED: status.HTTP_409_CONFLICT,
    ErrorCode.ITEM_LIMIT_EXCEEDED: status.HTTP_409_CONFLICT,
    ErrorCode.WATCHLIST_LIMIT_EXCEEDED: status.HTTP_409_CONFLICT,
    ErrorCode.CONFLICT: status.HTTP_409_CONFLICT,
    ErrorCode.NAME_TAKEN: status.HTTP_409_CONFLICT,
    ErrorCode.UNKNOWN_INSTRUMENT: status.HTTP_422_UNPROCESSABLE_ENTITY,
    ErrorCode.AMBIGUOUS_SYMBOL: status.HTTP_422_UNPROCESSABLE_ENTITY,
    ErrorCode.REFERENCE_TAKEN: status.HTTP_422_UNPROCESSABLE_ENTITY,
    ErrorCode.BASKET_REFUSED: status.HTTP_422_UNPROCESSABLE_ENTITY,
    ErrorCode.INSUFFICIENT_FUNDS: status.HTTP_422_UNPROCESSABLE_ENTITY,
    ErrorCode.NOT_CHANGEABLE: status.HTTP_409_CONFLICT,
    ErrorCode.SECOND_PERSON_NEEDED: status.HTTP_409_CONFLICT,
    ErrorCode.ALREADY_DECIDED: status.HTTP_409_CONFLICT,
    ErrorCode.HOLD_ENDED: status.HTTP_409_CONFLICT,
    ErrorCode.NOT_FOUND: status.HTTP_404_NOT_FOUND,
    ErrorCode.INVALID: status.HTTP_400_BAD_REQUEST,
}
"""A domain error carries a `code` and perhaps `details`; what HTTP makes of each code is said here only."""

MONEY_DETAILS = frozenset(
    {"required", "shortfall", "amount", "tick_size", "lower_limit", "upper_limit", "low", "high", "price"}
)
MONEY_DETAILS_OF: dict[str, frozenset[str]] = {
    RefusalCode.INSUFFICIENT_MARGIN: frozenset({"available"}),
    ErrorCode.INSUFFICIENT_FUNDS: frozenset({"available"}),
    RefusalCode.ORDER_VALUE: frozenset({"value", "allowed"}),
    RefusalCode.OPEN_ORDER_VALUE: frozenset({"value", "allowed"}),
}
"""Details that are paise where they are raised, and rupees as text in REST; some mean money with some codes only."""

FRAMEWORK_CODES = {
    status.HTTP_400_BAD_REQUEST: ErrorCode.INVALID,
    status.HTTP_401_UNAUTHORIZED: ErrorCode.NOT_AUTHENTICATED,
    status.HTTP_403_FORBIDDEN: ErrorCode.PERMISSION_DENIED,
    status.HTTP_404_NOT_FOUND: ErrorCode.NOT_FOUND,
    status.HTTP_405_METHOD_NOT_ALLOWED: ErrorCode.METHOD_NOT_ALLOWED,
    status.HTTP_406_NOT_ACCEPTABLE: ErrorCode.NOT_ACCEPTABLE,
    status.HTTP_409_CONFLICT: ErrorCode.CONFLICT,
    status.HTTP_415_UNSUPPORTED_MEDIA_TYPE: ErrorCode.UNSUPPORTED_MEDIA_TYPE,
    status.HTTP_429_TOO_MANY_REQUESTS: ErrorCode.THROTTLED,
    status.HTTP_503_SERVICE_UNAVAILABLE: ErrorCode.UNAVAILABLE,
}


def error_body(code: str, message: str, details: Any = None) -> dict[str, Any]:
    return {"code": str(code), "message": message, "details": details or {}}


BROKEN = error_body(ErrorCode.INTERNAL, SOMETHING_WRONG)
"""Of a mistake of ours nothing is told; the log knows."""


def handle(exception: Exception, context: dict[str, Any]) -> Response | None:
    """DRF's exception handler. None, for what is nobody's plan, makes Django log it and `server_error` answer."""
    from rest_framework.views import (
        set_rollback,  # at the top it would be a circle: views load authentication, that this
    )

    response = response_of(exception)
    if response is not None:
        set_rollback()
    return response


def response_of(exception: Exception) -> Response | None:
    """The answer to an exception; None for what is nobody's plan."""
    if isinstance(exception, Http404):
        exception = exceptions.NotFound()
    elif isinstance(exception, PermissionDenied):
        exception = exceptions.PermissionDenied()
    if isinstance(exception, exceptions.APIException):
        return _framework_response(exception)
    if isinstance(exception, RedisError):
        log.warning("Redis is away (%s)", type(exception).__name__)
        return Response(error_body(ErrorCode.UNAVAILABLE, "Live data is not reachable just now."), status=503)
    if isinstance(exception, (OperationalError, InterfaceError)):
        log.warning("PostgreSQL is away or too slow (%s)", type(exception).__name__)
        return Response(error_body(ErrorCode.UNAVAILABLE, "Stored data is not reachable just now."), status=503)
    code = getattr(exception, "code", None)
    if isinstance(code, str) and code in DOMAIN_STATUSES:
        details = in_rupees(code, getattr(exception, "details", None) or {})
        return Response(error_body(code, str(exception), details), status=DOMAIN_STATUSES[code])
    return None


def in_rupees(code: str, details: Mapping[str, Any]) -> dict[str, Any]:
    """The details of a domain error as REST tells them."""
    money = MONEY_DETAILS | MONEY_DETAILS_OF.get(code, frozenset())
    return {
        name: rupees_text(value) if name in money and type(value) is int else value for name, value in details.items()
    }


def _framework_response(exception: exceptions.APIException) -> Response:
    headers = {}
    if challenge := getattr(exception, "auth_header", None):
        headers["WWW-Authenticate"] = challenge
    if wait := getattr(exception, "wait", None):
        headers["Retry-After"] = str(max(1, int(wait + 0.999)))
    body = error_body(_code(exception), _message(exception), _details(exception))
    return Response(body, status=exception.status_code, headers=headers)


def _code(exception: exceptions.APIException) -> str:
    if isinstance(exception, exceptions.ParseError):
        return ErrorCode.PARSE_ERROR
    own = exception.get_codes()
    if isinstance(own, str) and own in ErrorCode.__members__:
        return own
    return FRAMEWORK_CODES.get(exception.status_code, ErrorCode.INTERNAL)


def _message(exception: exceptions.APIException) -> str:
    if isinstance(exception, exceptions.ValidationError):
        return "The request is not valid."
    return str(exception.detail)


def _details(exception: exceptions.APIException) -> Any:
    if isinstance(exception, exceptions.ValidationError):
        detail = exception.detail
        return {"errors": detail} if isinstance(detail, list) else detail
    return getattr(exception, "details", None)


def page_not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Django's 404: JSON for programs."""
    if request.path.startswith("/api/"):
        return JsonResponse(error_body(ErrorCode.NOT_FOUND, "There is nothing at this address."), status=404)
    return HttpResponse("Not found.", status=404, content_type="text/plain")


def server_error(request: HttpRequest) -> HttpResponse:
    """Django's 500: it says nothing about why; the log does."""
    if request.path.startswith("/api/"):
        return JsonResponse(BROKEN, status=500)
    return HttpResponse(SOMETHING_WRONG, status=500, content_type="text/plain")
