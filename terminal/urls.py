"""Every address: the API, its documentation, the admin and the page in front."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.urls import include, path
from drf_spectacular.views import SpectacularAPIView, SpectacularSwaggerSplitView
from rest_framework.permissions import AllowAny

from terminal import health, metrics, page

PUBLIC: dict[str, Any] = {"authentication_classes": [], "permission_classes": [AllowAny], "throttle_classes": []}
"""The description of the API says nothing about anybody, and a half signed-in browser may read it too."""


api = [
    path("", include("terminal.accounts.urls")),
    path("", include("feeds.urls")),
    path("", include("watchlists.urls")),
    path("", include("alerts.urls")),
    path("", include("rms.urls")),
    path("", include("oms.urls")),
    path("schema", SpectacularAPIView.as_view(**PUBLIC), name="schema"),
    path("docs", SpectacularSwaggerSplitView.as_view(url_name="schema", **PUBLIC), name="docs"),
]

urlpatterns = [
    path("", page.terminal),
    path("about", page.about),
    path("health/live", health.live),
    path("health/ready", health.ready),
    path("metrics", metrics.metrics),
    path("api/v2/", include(api)),
    path("admin/", admin.site.urls),
]

handler404 = "terminal.errors.page_not_found"
handler500 = "terminal.errors.server_error"
