"""Addresses of the market endpoints, below /api/v2/."""

from __future__ import annotations

from django.urls import path

from feeds import chart_views, movers_views, views

urlpatterns = [
    path("instruments", views.InstrumentsView.as_view()),
    path("instruments/<str:key>", views.InstrumentView.as_view()),
    path("quotes", views.QuotesView.as_view()),
    path("chains", views.ChainsView.as_view()),
    path("chains/<str:segment>/<str:underlying>/<str:expiry>", views.ChainView.as_view()),
    path("underlyings", views.UnderlyingsView.as_view()),
    path("expiries", views.ExpiriesView.as_view()),
    path("subscriptions", views.SubscriptionsView.as_view()),
    path("feed-status", views.FeedStatusView.as_view()),
    path("candles/<str:key>", chart_views.CandlesView.as_view()),
    path("sparklines", chart_views.SparklinesView.as_view()),
    path("movers", movers_views.MoversView.as_view()),
    path("market-status", views.MarketStatusView.as_view()),
]
