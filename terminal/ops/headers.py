"""Response headers by path and session: a looser content policy where a page needs it, no caching of private ones."""

from __future__ import annotations

from django.conf import settings
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.utils.cache import patch_cache_control
from django.utils.deprecation import MiddlewareMixin


class PathHeaders(MiddlewareMixin):
    """Sits inside CSPMiddleware (which writes the header) and outside the session."""

    def process_response(self, request: HttpRequest, response: HttpResponseBase) -> HttpResponseBase:
        if replacement := policy_for(request.path_info):
            response._csp_replace = replacement  # what django-csp's own decorator sets
        if knows_who_asks(request) and not response.has_header("Cache-Control"):
            patch_cache_control(response, private=True, no_store=True)
        return response


def policy_for(path: str) -> dict[str, list[str]]:
    """The directives that differ from the default under this path; {} when none do."""
    for prefix, directives in settings.CSP_BY_PREFIX.items():
        if path.startswith(prefix):
            return directives
    return {}


def knows_who_asks(request: HttpRequest) -> bool:
    """Whether the answer may hold what is only this session's. Asking must not itself load the session."""
    session = getattr(request, "session", None)
    return session is not None and session.accessed
