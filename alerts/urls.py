"""Addresses of the alert endpoints, below /api/v2/."""

from __future__ import annotations

from django.urls import path

from alerts import views

urlpatterns = [
    path("alerts", views.AlertsView.as_view()),
    path("alerts/fired", views.FiringsView.as_view()),
    path("alerts/<int:pk>", views.AlertView.as_view()),
]
