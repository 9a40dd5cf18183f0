"""What axe says of a page as it stands: its serious and critical violations of accessibility."""

from __future__ import annotations

from typing import Any

from playwright.sync_api import Page

from terminal.frontend import WEB

SCRIPT = WEB / "node_modules" / "axe-core" / "axe.min.js"
GRAVE = ("serious", "critical")
RUN = "() => axe.run(document, { resultTypes: ['violations'] })"


def grave_violations(page: Page) -> list[str]:
    """One line each: the rule, what it asks, and the first elements that break it."""
    page.evaluate(SCRIPT.read_text())
    found = page.evaluate(RUN)["violations"]
    return [line(violation) for violation in found if violation["impact"] in GRAVE]


def line(violation: dict[str, Any]) -> str:
    places = [" ".join(map(str, node["target"])) for node in violation["nodes"]]
    return f"{violation['id']}: {violation['help']} ({len(places)}: {', '.join(places[:3])})"
