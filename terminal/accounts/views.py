"""Session, API tokens, password and second factor under /api/v2/."""

from __future__ import annotations

from typing import Any

from django.shortcuts import get_object_or_404
from drf_spectacular.utils import extend_schema
from rest_framework.authentication import BaseAuthentication
from rest_framework.permissions import AllowAny, BasePermission, IsAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import Serializer
from rest_framework.views import APIView

from terminal.accounts import layouts, selectors, serializers, services
from terminal.accounts.authentication import SessionAuthentication
from terminal.throttling import LOGIN


def valid(kind: type[Serializer[Any]], request: Request) -> dict[str, Any]:
    serializer = kind(data=request.data)
    serializer.is_valid(raise_exception=True)
    return serializer.validated_data


class SessionView(APIView):
    """Sign in, sign out, who am I."""

    throttle_scope = LOGIN

    def get_permissions(self) -> list[BasePermission]:
        return [AllowAny()] if self.request.method == "POST" else [IsAuthenticated()]

    def get_authenticators(self) -> list[BaseAuthentication]:
        # A login must not fail on an old cookie or token that came along. JSON only, so no other site can post here
        # without asking first (CORS), and the session key changes.
        is_login = self.request is not None and self.request.method == "POST"
        return [] if is_login else super().get_authenticators()

    @extend_schema(
        operation_id="session_read", summary="Who is signed in", responses=serializers.UserSerializer, tags=["session"]
    )
    def get(self, request: Request) -> Response:
        return Response(serializers.UserSerializer(request.user).data)

    @extend_schema(
        operation_id="session_create",
        summary="Sign in",
        request=serializers.LoginSerializer,
        responses=serializers.UserSerializer,
        tags=["session"],
        auth=[],
    )
    def post(self, request: Request) -> Response:
        user = services.log_in(request=request._request, **valid(serializers.LoginSerializer, request))
        return Response(serializers.UserSerializer(user).data)

    @extend_schema(operation_id="session_delete", summary="Sign out", responses={204: None}, tags=["session"])
    def delete(self, request: Request) -> Response:
        services.log_out(request=request._request)
        return Response(status=204)


class AccountView(APIView):
    """Changes to how one signs in need the session itself: a leaked token must not make more of its kind."""

    authentication_classes = [SessionAuthentication]


class TokensView(AccountView):
    """The caller's API tokens."""

    @extend_schema(
        operation_id="tokens_list",
        summary="API tokens",
        responses=serializers.ApiTokenSerializer(many=True),
        tags=["session"],
    )
    def get(self, request: Request) -> Response:
        return Response(serializers.ApiTokenSerializer(selectors.tokens_of(request.user), many=True).data)

    @extend_schema(
        operation_id="tokens_create",
        summary="Make an API token; its text is shown this once",
        request=serializers.ApiTokenSerializer,
        responses={201: serializers.NewApiTokenSerializer},
        tags=["session"],
    )
    def post(self, request: Request) -> Response:
        wanted = valid(serializers.ApiTokenSerializer, request)
        token, text = services.create_token(
            request=request._request, name=wanted["name"], expires_at=wanted.get("expires_at")
        )
        body = serializers.ApiTokenSerializer(token).data | {"token": text}
        return Response(body, status=201)


class TokenView(AccountView):
    """One API token."""

    @extend_schema(operation_id="tokens_delete", summary="Revoke an API token", responses={204: None}, tags=["session"])
    def delete(self, request: Request, pk: int) -> Response:
        token = get_object_or_404(selectors.tokens_of(request.user), pk=pk)
        services.revoke_token(request=request._request, token=token)
        return Response(status=204)


class PasswordView(AccountView):
    """The caller's password. Guesses are counted as those at the login are."""

    throttle_scope = LOGIN

    @extend_schema(
        operation_id="password_change",
        summary="Change the password; other sessions end",
        request=serializers.PasswordSerializer,
        responses={204: None},
        tags=["session"],
    )
    def post(self, request: Request) -> Response:
        services.change_password(request=request._request, **valid(serializers.PasswordSerializer, request))
        return Response(status=204)


class SecondFactorView(AccountView):
    """The authenticator's enrolment."""

    @extend_schema(
        operation_id="second_factor_begin",
        summary="Begin to enrol an authenticator",
        request=None,
        responses=serializers.SecondFactorSecretSerializer,
        tags=["session"],
    )
    def post(self, request: Request) -> Response:
        secret, url = services.begin_second_factor(user=request.user)
        return Response({"secret": secret, "otpauth_url": url})


class ConfirmSecondFactorView(AccountView):
    """The proof that the secret arrived."""

    @extend_schema(
        operation_id="second_factor_confirm",
        summary="Confirm the authenticator by its first code",
        request=serializers.CodeSerializer,
        responses={204: None},
        tags=["session"],
    )
    def post(self, request: Request) -> Response:
        services.confirm_second_factor(request=request._request, **valid(serializers.CodeSerializer, request))
        return Response(status=204)


class DisableSecondFactorView(AccountView):
    """The end of the second factor, which asks for the password again."""

    throttle_scope = LOGIN

    @extend_schema(
        operation_id="second_factor_disable",
        summary="Remove the authenticator",
        request=serializers.DisableSecondFactorSerializer,
        responses={204: None},
        tags=["session"],
    )
    def post(self, request: Request) -> Response:
        services.disable_second_factor(
            request=request._request, **valid(serializers.DisableSecondFactorSerializer, request)
        )
        return Response(status=204)


class LayoutView(APIView):
    """How the caller's terminal looks, wherever they sign in."""

    @extend_schema(
        operation_id="layout_read",
        summary="Your layout; version 0 and empty before the first was saved",
        responses=serializers.LayoutSerializer,
        tags=["session"],
    )
    def get(self, request: Request) -> Response:
        return Response(layouts.layout_of(request.user)._asdict())

    @extend_schema(
        operation_id="layout_save",
        summary="Save the layout over the version that was read; 409 when another page saved since",
        request=serializers.LayoutSerializer,
        responses=serializers.LayoutSerializer,
        tags=["session"],
    )
    def put(self, request: Request) -> Response:
        saved = layouts.save_layout(user=request.user, **valid(serializers.LayoutSerializer, request))
        return Response(saved._asdict())
