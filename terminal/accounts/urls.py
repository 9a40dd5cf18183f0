"""Addresses of the account endpoints, below /api/v2/."""

from __future__ import annotations

from django.urls import path

from terminal.accounts import views

urlpatterns = [
    path("session", views.SessionView.as_view()),
    path("tokens", views.TokensView.as_view()),
    path("tokens/<int:pk>", views.TokenView.as_view()),
    path("password", views.PasswordView.as_view()),
    path("layout", views.LayoutView.as_view()),
    path("second-factor", views.SecondFactorView.as_view()),
    path("second-factor/confirm", views.ConfirmSecondFactorView.as_view()),
    path("second-factor/disable", views.DisableSecondFactorView.as_view()),
]
