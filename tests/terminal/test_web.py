"""The page's own tests (reducers, formats, folds) under vitest, and its types, where Node and the packages are."""

from __future__ import annotations

import os

import pytest

from terminal import frontend
from terminal.frontend import CannotBuild, Node


@pytest.fixture(scope="module")
def node() -> Node:
    """Skips, unless this run must have it: `make up` installs the packages."""
    try:
        found = frontend.find_node()
    except CannotBuild as reason:
        missing = str(reason)
    else:
        if frontend.INSTALLED.exists():
            return found
        missing = "terminal/web/node_modules is not there: npm ci"
    if os.environ.get("REQUIRE_BROWSER") == "1":
        pytest.fail(missing)
    pytest.skip(missing)


def test_the_pages_own_tests_pass(node: Node) -> None:
    report = frontend.run([*node.npm, "test", "--silent"], node, 100.0)
    assert "failed" not in report
    assert "passed" in report


def test_the_pages_types_are_strict_and_right(node: Node) -> None:
    frontend.run([*node.npm, "run", "--silent", "types"], node, 100.0)
