"""Addresses of accounts, money and risk, below /api/v2/."""

from __future__ import annotations

from django.urls import path

from rms import views

urlpatterns = [
    path("accounts", views.AccountsView.as_view()),
    path("accounts/<int:pk>", views.AccountView.as_view()),
    path("accounts/<int:pk>/facts", views.FactsView.as_view()),
    path("accounts/<int:pk>/funds", views.FundsView.as_view()),
    path("accounts/<int:pk>/funds-requests", views.FundsRequestsView.as_view()),
    path("accounts/<int:pk>/holdings", views.HoldingsView.as_view()),
    path("accounts/<int:pk>/ledger", views.LedgerView.as_view()),
    path("accounts/<int:pk>/limits", views.LimitsView.as_view()),
    path("accounts/<int:pk>/positions", views.PositionsView.as_view()),
    path("accounts/<int:pk>/statements", views.StatementsView.as_view()),
    path("charges", views.ChargesView.as_view()),
    path("funds-requests/<int:pk>/approve", views.ApproveView.as_view()),
    path("funds-requests/<int:pk>/refuse", views.RefuseView.as_view()),
    path("kill-switches", views.KillSwitchesView.as_view()),
    path("kill-switches/<int:pk>/release", views.ReleaseView.as_view()),
    path("statements/<int:pk>", views.StatementView.as_view()),
    path("statements/<int:pk>/file", views.StatementFileView.as_view()),
    path("statements/<int:pk>/page", views.StatementPageView.as_view()),
]
