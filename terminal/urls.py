"""Every address: the API, its documentation, the admin and the page in front."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import include, path
from drf_spectacular.views import SpectacularAPIView, SpectacularSwaggerSplitView
from rest_framework.permissions import AllowAny

from terminal import health

PUBLIC: dict[str, Any] = {"authentication_classes": [], "permission_classes": [AllowAny], "throttle_classes": []}
"""The description of the API says nothing about anybody, and a half signed-in browser may read it too."""


def landing(request: HttpRequest) -> HttpResponse:
    """What a person sees who opens the server's address."""
    return render(request, "landing.html", {"health": health.stores()})


api = [
    path("", include("terminal.accounts.urls")),
    path("", include("feeds.urls")),
    path("", include("watchlists.urls")),
    path("", include("rms.urls")),
    path("", include("oms.urls")),
    path("schema", SpectacularAPIView.as_view(**PUBLIC), name="schema"),
    path("docs", SpectacularSwaggerSplitView.as_view(url_name="schema", **PUBLIC), name="docs"),
]

urlpatterns = [
    path("", landing),
    path("health/live", health.live),
    path("health/ready", health.ready),
    path("api/v2/", include(api)),
    path("admin/", admin.site.urls),
]

handler404 = "terminal.errors.page_not_found"
handler500 = "terminal.errors.server_error"
