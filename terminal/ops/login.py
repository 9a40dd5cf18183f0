"""Signing in to the admin: password, then the authenticator's code, and a lockout that says how long it lasts."""

from __future__ import annotations

from typing import Any

from axes.helpers import get_cool_off
from django import forms
from django.conf import settings
from django.contrib import admin
from django.contrib.auth.models import AnonymousUser, User
from django.contrib.auth.signals import user_login_failed
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.template.response import TemplateResponse
from django_otp.models import Device
from unfold.forms import AuthenticationForm
from unfold.widgets import BASE_INPUT_CLASSES

from terminal.accounts.selectors import has_second_factor
from terminal.accounts.services import verify_code

CODE_REQUIRED = "Enter the code that your authenticator shows."
CODE_WRONG = "That code is not right, or was used already. Wait for the next one."


class LoginForm(AuthenticationForm):
    """The admin's login. The code is asked for whenever the user has a confirmed device."""

    otp_token = forms.CharField(
        label="Authenticator code",
        required=False,
        max_length=16,
        help_text="Six digits, or a recovery code. Leave it empty if you have not enrolled a device.",
        widget=forms.TextInput(
            attrs={"autocomplete": "one-time-code", "inputmode": "text", "class": " ".join(BASE_INPUT_CLASSES)}
        ),
    )

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean()
        user = self.get_user()
        if user is not None and has_second_factor(user):
            user.otp_device = self._device(user, cleaned.get("otp_token", ""))  # django-otp remembers it at login
        return cleaned

    def _device(self, user: User, code: str) -> Device:
        if not code:
            raise forms.ValidationError(CODE_REQUIRED, code="token_required")
        device = verify_code(user, code)
        if device is None:
            user_login_failed.send(__name__, credentials={"username": user.get_username()}, request=self.request)
            raise forms.ValidationError(CODE_WRONG, code="invalid_token")
        return device


def is_cleared(user: User | AnonymousUser) -> bool:
    """Whether the second factor is behind this session. Without a device only the demo's users pass."""
    return user.is_verified() or (settings.DEMO and not has_second_factor(user))


def must_enrol(user: User | AnonymousUser) -> bool:
    """A member of staff without any device, outside the demo."""
    return bool(user.is_active and user.is_staff and not settings.DEMO and not has_second_factor(user))


def locked_out(request: HttpRequest, response: HttpResponse, credentials: dict[str, Any] | None = None) -> HttpResponse:
    """What too many failed logins see (django-axes calls it): a page under /admin/, the API's error shape elsewhere."""
    minutes = max(1, round(cool_off_minutes(request)))
    message = f"Too many failed logins. Wait {minutes} minutes, then try again."
    if not request.path_info.startswith("/admin/"):
        error = {"code": "LOCKED_OUT", "message": message, "details": {"minutes": minutes}}
        return JsonResponse(error, status=settings.AXES_HTTP_RESPONSE_CODE)
    context = {**admin.site.each_context(request), "title": "Locked out", "message": message}
    page = TemplateResponse(request, "admin/ops/locked_out.html", context, status=settings.AXES_HTTP_RESPONSE_CODE)
    return page.render()


def cool_off_minutes(request: HttpRequest) -> float:
    cool_off = get_cool_off(request)
    return cool_off.total_seconds() / 60 if cool_off else 0.0
