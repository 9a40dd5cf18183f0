"""Addresses of the watchlist endpoints, below /api/v2/."""

from __future__ import annotations

from django.urls import path

from watchlists import views

urlpatterns = [
    path("watchlists", views.WatchlistsView.as_view()),
    path("watchlists/<int:pk>", views.WatchlistView.as_view()),
    path("watchlist/add", views.AddView.as_view()),
    path("watchlist/remove", views.RemoveView.as_view()),
]
