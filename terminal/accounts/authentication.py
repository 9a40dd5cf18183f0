"""How a REST request says who it is: the session cookie, or `Authorization: Token ...`."""

from __future__ import annotations

from django.contrib.auth.models import User
from rest_framework import authentication, exceptions
from rest_framework.request import Request

from terminal.accounts import selectors, services
from terminal.errors import ErrorCode

KEYWORD = "Token"


class SessionAuthentication(authentication.SessionAuthentication):
    """Django's session, with CSRF enforced. A user with a second factor must have given it in this session."""

    def authenticate(self, request: Request) -> tuple[User, None] | None:
        found = super().authenticate(request)
        if found is None:
            return None
        user = found[0]
        if not user.is_verified() and selectors.has_second_factor(user):
            raise exceptions.AuthenticationFailed(
                "A code of the second factor is needed.", code=ErrorCode.SECOND_FACTOR_REQUIRED
            )
        return found

    def enforce_csrf(self, request: Request) -> None:
        try:
            super().enforce_csrf(request)
        except exceptions.PermissionDenied as error:
            raise exceptions.PermissionDenied(str(error.detail), code=ErrorCode.CSRF_FAILED) from None

    def authenticate_header(self, request: Request) -> str:
        return "Session"  # with a challenge DRF answers 401, without one 403


class ApiTokenAuthentication(authentication.BaseAuthentication):
    """`Authorization: Token btt_...`. A token in a URL is never looked at."""

    def authenticate(self, request: Request) -> tuple[User, None] | None:
        keyword, _, text = request.headers.get("Authorization", "").partition(" ")
        if keyword.lower() != KEYWORD.lower():
            return None
        user = services.user_for_token(text.strip())
        if user is None:
            raise exceptions.AuthenticationFailed(
                "The token is unknown, expired or revoked.", code=ErrorCode.TOKEN_INVALID
            )
        return user, None

    def authenticate_header(self, request: Request) -> str:
        return KEYWORD
