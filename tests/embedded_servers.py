"""A pytest plugin: every test process gets its own PostgreSQL and Valkey, in a folder that goes with it.

Loaded by the top conftest.py, before the settings are read: these addresses are theirs.
"""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import django
import pytest

from terminal import datadir

OURS = "TESTS_EMBED_SERVERS"
"""Set by a controller of pytest-xdist: the addresses that its workers inherit are not somebody's servers."""

_folder = tempfile.TemporaryDirectory(prefix="bt-test-", ignore_cleanup_errors=True)
DATA = Path(_folder.name)
EXTERNAL = OURS not in os.environ and bool(os.environ.get("DATABASE_URL") and os.environ.get("REDIS_URL"))

(DATA / "static").mkdir()
os.environ["DATA_DIR"] = str(DATA)
if not EXTERNAL:
    os.environ[OURS] = "1"
    os.environ["DATABASE_URL"] = datadir.embedded_database_url(DATA)
    os.environ["REDIS_URL"] = datadir.embedded_redis_url(DATA)
os.environ["DJANGO_SETTINGS_MODULE"] = "terminal.settings"
django.setup()  # the conftests of the folders below import models


def is_controller(config: pytest.Config) -> bool:
    """With pytest-xdist the controller runs no test and needs no server."""
    return not hasattr(config, "workerinput") and bool(getattr(config.option, "numprocesses", None))


class Servers:
    """The servers of this test process; `None` until the session starts."""

    running = None


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    if is_controller(config):  # a worker that inherits the name would read the settings before this file
        del os.environ["DJANGO_SETTINGS_MODULE"]


@pytest.hookimpl(tryfirst=True)
def pytest_sessionstart(session: pytest.Session) -> None:
    if EXTERNAL or is_controller(session.config):
        return
    from terminal.embedded import EmbeddedServers

    Servers.running = EmbeddedServers(DATA, durable=False)
    Servers.running.__enter__()


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    if Servers.running:
        Servers.running.__exit__()
        Servers.running = None
    _folder.cleanup()
