"""Addresses of orders, trades and baskets, below /api/v2/."""

from __future__ import annotations

from django.urls import path

from oms import views

urlpatterns = [
    path("baskets", views.BasketsView.as_view()),
    path("baskets/<int:pk>", views.BasketView.as_view()),
    path("baskets/<int:pk>/place", views.BasketPlaceView.as_view()),
    path("baskets/<int:pk>/preview", views.BasketPreviewView.as_view()),
    path("margin", views.MarginView.as_view()),
    path("order-terms/<str:key>", views.OrderTermsView.as_view()),
    path("orders", views.OrdersView.as_view()),
    path("orders/cancel-all", views.CancelAllView.as_view()),
    path("orders/<int:pk>", views.OrderView.as_view()),
    path("orders/<int:pk>/events", views.OrderEventsView.as_view()),
    path("positions/convert", views.ConvertView.as_view()),
    path("positions/square-off", views.SquareOffView.as_view()),
    path("trades", views.TradesView.as_view()),
]
