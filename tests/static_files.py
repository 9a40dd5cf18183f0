"""A pytest plugin: the static files are looked for once in a test run, not again by the middleware of every client."""

from __future__ import annotations

from collections.abc import Iterator
from unittest.mock import patch

import pytest
from whitenoise.middleware import WhiteNoiseMiddleware


@pytest.fixture(scope="session", autouse=True)
def static_files_once() -> Iterator[None]:
    look = WhiteNoiseMiddleware.add_files_from_finders
    found: dict[str, object] = {}

    def remember(middleware: WhiteNoiseMiddleware) -> None:
        if not found:
            look(middleware)
            found.update(middleware.files)
        middleware.files.update(found)

    with patch.object(WhiteNoiseMiddleware, "add_files_from_finders", remember):
        yield
