"""The content policy is strict everywhere, and looser only where a library needs it."""

from __future__ import annotations

import pytest
from django.test import Client

from terminal.accounts.roles import Role
from terminal.ops.headers import policy_for

pytestmark = pytest.mark.django_db


def policy(response) -> dict[str, str]:
    parts = (part.strip().partition(" ") for part in response["Content-Security-Policy"].split(";"))
    return {name: value for name, _, value in parts}


def test_a_page_outside_the_admin_allows_nothing_inline():
    header = Client().get("/health/live")["Content-Security-Policy"]
    assert "unsafe" not in header
    assert {"default-src 'self'", "object-src 'none'", "frame-ancestors 'none'", "form-action 'self'"} <= {
        part.strip() for part in header.split(";")
    }


def test_the_admin_may_evaluate_and_style_inline_but_not_run_inline_scripts(browser):
    found = policy(browser(Role.ADMIN).get("/admin/"))
    assert found["script-src"] == "'self' 'unsafe-eval'"
    assert found["style-src"] == "'self' 'unsafe-inline'"
    assert found["frame-ancestors"] == "'none'"


def test_a_path_that_only_looks_like_the_admin_stays_strict():
    assert policy_for("/administrator/") == {}
    assert policy_for("/api/v2/admin/") == {}


def test_the_documentation_page_may_style_inline_only():
    assert policy_for("/api/v2/docs") == {"style-src": ["'self'", "'unsafe-inline'"]}


def test_what_a_session_was_asked_for_is_not_cached(browser):
    assert "no-store" in browser(Role.OPERATOR).get("/admin/ops/status")["Cache-Control"]


def test_every_answer_says_how_it_may_be_used():
    answer = Client().get("/health/live")
    assert answer["X-Content-Type-Options"] == "nosniff"
    assert answer["Referrer-Policy"] == "same-origin"
    assert answer["Cross-Origin-Opener-Policy"] == "same-origin"
    assert answer["X-Frame-Options"] == "DENY"
