"""The pages of the front: the browser terminal at `/`, and at `/about` what this server is."""

from __future__ import annotations

from csp.constants import NONCE
from csp.decorators import csp_update
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.csrf import ensure_csrf_cookie

from terminal import frontend, health


@ensure_csrf_cookie
@csp_update({"style-src": ["'self'", NONCE]})  # the grid writes a style element of its own
def terminal(request: HttpRequest) -> HttpResponse:
    """The single page, for who is signed in or not. It must not be kept: it names the scripts of this build."""
    response = render(request, "app.html", {"built": frontend.is_built()})
    response["Cache-Control"] = "no-cache"
    return response


def about(request: HttpRequest) -> HttpResponse:
    """What a person sees who wants to know where they are."""
    return render(request, "landing.html", {"health": health.stores()})
