"""One whole server and one Chromium for all browser tests, and a page for each who signs in."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import NoReturn

import pytest
from playwright.sync_api import Browser, sync_playwright

from terminal import frontend
from terminal.embedded import temporary_data
from terminal.frontend import CannotBuild
from tests.browser.terminal import Terminal
from tests.flows.server import Server, running

PROGRAMS = ("chromium", "chromium-browser", "google-chrome")
RATE = "1600"
"""Packets a second: every price comes well within the five seconds after which it protects no order."""


def missing(what: str) -> NoReturn:
    """A run that must have a browser fails without one; any other says so and goes on."""
    if os.environ.get("REQUIRE_BROWSER") == "1":
        pytest.fail(what)
    pytest.skip(f"{what}; .ci/run installs it and requires it")


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    program = next(filter(None, map(shutil.which, PROGRAMS)), None)
    if program is None:
        missing("there is no Chromium on PATH")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def page_is_built() -> None:
    if not frontend.is_stale():
        return
    try:
        frontend.build()
    except CannotBuild as reason:
        missing(str(reason))


@pytest.fixture(scope="module")
def server(chromium: Browser, page_is_built: None) -> Iterator[Server]:
    """Nothing starts where no browser or no page is."""
    with temporary_data("bt-web-") as folder, running(Path(folder), replicas=1, rate=RATE) as server:
        yield server


@pytest.fixture(scope="module")
def trader(chromium: Browser, server: Server) -> Iterator[Terminal]:
    """The trader's page; who looks at it looks after the server's processes too."""
    with Terminal.opened(chromium, server) as terminal:
        yield terminal


@pytest.fixture(scope="module")
def operator(chromium: Browser, server: Server) -> Iterator[Terminal]:
    with Terminal.opened(chromium, server) as terminal:
        yield terminal
