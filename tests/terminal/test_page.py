"""The page at `/`: what it may load, what it says when it is not built."""

from __future__ import annotations

from pathlib import Path

import pytest
from django.test import Client

from terminal import frontend


@pytest.fixture
def built(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    script = tmp_path / "main.js"
    script.write_text("")
    monkeypatch.setattr(frontend, "BUILT", script)
    return script


@pytest.mark.django_db
@pytest.mark.usefixtures("built")
def test_the_page_loads_one_script_and_one_style_of_ours_and_has_nothing_inline() -> None:
    page = Client().get("/").content.decode()
    assert page.count("<script") == 1
    assert '<script type="module" src="/static/terminal/app/main.js"></script>' in page
    assert '<link rel="stylesheet" href="/static/terminal/app/main.css" nonce="' in page
    assert "<style" not in page
    assert " style=" not in page
    assert " onclick=" not in page


@pytest.mark.django_db
@pytest.mark.usefixtures("built")
def test_only_style_elements_with_this_answers_nonce_count() -> None:
    first, second = Client().get("/"), Client().get("/")
    directives = dict(part.strip().split(" ", 1) for part in first["Content-Security-Policy"].split(";"))
    nonce = first.content.decode().partition('nonce="')[2].partition('"')[0]
    assert directives["style-src"] == f"'self' 'nonce-{nonce}'"
    assert directives["default-src"] == "'self'"
    assert "script-src" not in directives
    assert first["Content-Security-Policy"] != second["Content-Security-Policy"]


@pytest.mark.django_db
@pytest.mark.usefixtures("built")
def test_the_page_brings_the_csrf_cookie_and_is_asked_for_each_time() -> None:
    answer = Client().get("/")
    assert "csrftoken" in answer.cookies
    assert answer["Cache-Control"] == "no-cache"


@pytest.mark.django_db
def test_a_page_that_is_not_built_says_how_to_build_it(built: Path) -> None:
    built.unlink()
    page = Client().get("/").content.decode()
    assert "make up" in page
    assert "npm ci &amp;&amp; npm run build" in page
    assert "<script" not in page
