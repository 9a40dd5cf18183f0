"""Enrolling an authenticator: show the key once, ask for its first code, and only then let it count."""

from __future__ import annotations

from base64 import b32encode
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.contrib.auth import REDIRECT_FIELD_NAME
from django.contrib.auth.models import User
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.cache import never_cache
from django_otp.plugins.otp_totp.models import TOTPDevice
from unfold.widgets import BASE_INPUT_CLASSES

from terminal.accounts.services import SecondFactorWrong, begin_second_factor, confirm_second_factor
from terminal.ops.login import CODE_WRONG, must_enrol

KEY_GROUP = 4  # characters, as authenticators print a key


class CodeForm(forms.Form):
    """The six digits that prove the key arrived."""

    code = forms.RegexField(
        r"^\d{6}$",
        label="First code",
        error_messages={"invalid": "Enter the six digits that your authenticator shows."},
        widget=forms.TextInput(
            attrs={"autocomplete": "one-time-code", "inputmode": "numeric", "class": " ".join(BASE_INPUT_CLASSES)}
        ),
    )


@never_cache
def enrol(request: HttpRequest) -> HttpResponse:
    """Only for staff without a device: whoever has one must first show its code at the login."""
    if not must_enrol(request.user):
        return redirect("admin:index")
    form = CodeForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            confirm_second_factor(request=request, code=form.cleaned_data["code"])
        except SecondFactorWrong:
            form.add_error("code", CODE_WRONG)
        else:
            messages.success(request, "Your authenticator is enrolled. From now on the login asks for its code.")
            return redirect(next_page(request))
    key, address = pending_key(request.user)
    return TemplateResponse(request, "admin/ops/enrol.html", page_context(key, address, form, request))


def pending_key(user: User) -> tuple[str, str]:
    """The key that was begun, or a new one: a mistyped code, or a reload, must not change what was already scanned."""
    device = TOTPDevice.objects.filter(user=user, confirmed=False).first()
    if device is None:
        return begin_second_factor(user=user)
    return b32encode(device.bin_key).decode(), device.config_url


def page_context(key: str, address: str, form: CodeForm, request: HttpRequest) -> dict[str, Any]:
    groups = [key[at : at + KEY_GROUP] for at in range(0, len(key), KEY_GROUP)]
    site = admin.site.each_context(request)
    return {**site, "title": "Enrol your authenticator", "form": form, "key_groups": groups, "config_url": address}


def next_page(request: HttpRequest) -> str:
    target = request.GET.get(REDIRECT_FIELD_NAME, "")
    if url_has_allowed_host_and_scheme(target, allowed_hosts={request.get_host()}, require_https=request.is_secure()):
        return target
    return reverse("admin:index")
