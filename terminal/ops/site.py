"""The admin site: the operations panel in front, and nobody in without the second factor."""

from __future__ import annotations

from typing import Any

from django.contrib.auth import REDIRECT_FIELD_NAME
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import URLPattern, reverse
from django.utils.functional import SimpleLazyObject
from django.utils.http import urlencode
from unfold.sites import UnfoldAdminSite

from terminal.ops import login
from terminal.ops.trading_status import house_switch


class OpsAdminSite(UnfoldAdminSite):
    """unfold's site with our pages under /admin/ops/ and django-otp's question: is this session verified?"""

    index_title = "Operations"

    def extra_urls(self) -> list[URLPattern]:
        from terminal.ops.urls import urls_of

        return urls_of(self)

    def has_permission(self, request: HttpRequest) -> bool:
        return super().has_permission(request) and login.is_cleared(request.user)

    def each_context(self, request: HttpRequest) -> dict[str, Any]:
        """Every page says while the whole house is stopped. Pages that are not drawn do not ask."""
        return {**super().each_context(request), "house_switch": SimpleLazyObject(house_switch)}

    def login(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        """Sends who is signed in and has no device yet to enrol one; everyone else to the form."""
        if login.must_enrol(request.user):
            query = urlencode({REDIRECT_FIELD_NAME: request.GET.get(REDIRECT_FIELD_NAME, "")})
            return redirect(f"{self.enrol_path}?{query}")
        return super().login(request, extra_context)

    @property
    def enrol_path(self) -> str:
        return reverse(f"{self.name}:enrol")
