"""The terminal as somebody sees it: its panels by their names, what is pressed and what is waited for."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from playwright.sync_api import Browser, Locator, Page
from playwright.sync_api import TimeoutError as PlaywrightTimeout

from tests.flows.server import Server

WIDTH, HEIGHT = 1280, 800
SEEN_SECONDS = 20.0
"""How long what was asked for may take on a busy machine."""


class Terminal:
    """One page on the server."""

    def __init__(self, page: Page, server: Server) -> None:
        self.page = page
        self.server = server
        self.mistakes: list[str] = []
        """What the page's scripts threw."""
        page.set_default_timeout(SEEN_SECONDS * 1000)
        page.on("pageerror", lambda error: self.mistakes.append(str(error)))

    @classmethod
    @contextmanager
    def opened(cls, browser: Browser, server: Server, width: int = WIDTH, height: int = HEIGHT) -> Iterator[Terminal]:
        context = browser.new_context(viewport={"width": width, "height": height}, base_url=server.bases[0])
        try:
            yield cls(context.new_page(), server)
        finally:
            context.close()

    def sign_in(self, username: str) -> None:
        logins = json.loads((self.server.stack.data / "demo-logins.json").read_text())
        self.page.goto("/")
        self.page.get_by_label("User name").fill(username)
        self.page.get_by_label("Password").fill(logins[username])
        self.page.get_by_role("button", name="Sign in").click()
        self.page.get_by_role("main", name="Workspace").wait_for()

    # --- panels

    def panel(self, name: str) -> Locator:
        return self.page.locator(f'[data-panel="{name}"]')

    def open(self, title: str, name: str) -> Locator:
        """Of the menu of panels."""
        self.page.get_by_role("button", name="Panels:").click()
        self.page.get_by_role("region", name="Panels").get_by_role("button", name=title, exact=True).click()
        panel = self.panel(name)
        panel.wait_for()
        return panel

    def search(self, label: str, words: str, found: str) -> None:
        """Type these words and take what is found with that name."""
        self.page.get_by_role("combobox", name=label).fill(words)
        options = self.page.get_by_role("listbox", name="Instruments found").get_by_role("option")
        options.filter(has_text=found).first.click()

    def told(self, text: str | re.Pattern[str]) -> Locator:
        """A notification that says so."""
        return self.page.get_by_role("log", name="Notifications").get_by_text(text)

    @contextmanager
    def another_page(self, path: str) -> Iterator[Page]:
        """Beside the first, for the same user."""
        page = self.page.context.new_page()
        page.goto(path)
        yield page
        page.close()

    def agree(self, action: str) -> None:
        """To what the dialog asks; when none opens the failure has the page's words."""
        button = self.page.get_by_role("dialog").get_by_role("button", name=action)
        try:
            button.click()
        except PlaywrightTimeout:
            raise AssertionError(f"not asked to {action}: {self.page.get_by_role('main').inner_text()}") from None

    # --- waiting

    def until(self, condition: Callable[[], bool], what: str, seconds: float = SEEN_SECONDS) -> float:
        """Look after the processes until it holds: what was killed comes back meanwhile. The seconds it took."""
        return self.server.wait_until(condition, seconds, what)

    def shows(self, place: Locator, seconds: float = SEEN_SECONDS) -> None:
        self.until(lambda: place.first.is_visible(), f"{place} to be seen", seconds)
