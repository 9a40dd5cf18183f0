"""A pytest plugin: every test process gets its own PostgreSQL and Valkey, in a folder that goes with it.

Loaded by the top conftest.py, before the settings are read: these addresses are theirs. The workers of pytest-xdist
have the migrations done once, by the controller while they collect.
"""

from __future__ import annotations

import os
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
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
os.environ.setdefault("TESTS_PREPARED", str(DATA / "prepared"))
if not EXTERNAL:
    os.environ[OURS] = "1"
    os.environ["DATABASE_URL"] = datadir.embedded_database_url(DATA)
    os.environ["REDIS_URL"] = datadir.embedded_redis_url(DATA)
os.environ["HISTORY_WAIT_SECONDS"] = "0"  # no feed process answers here
os.environ["DJANGO_SETTINGS_MODULE"] = "terminal.settings"
django.setup()  # the conftests of the folders below import models


def is_controller(config: pytest.Config) -> bool:
    """With pytest-xdist the controller runs no test and needs no server."""
    return not hasattr(config, "workerinput") and bool(getattr(config.option, "numprocesses", None))


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    if is_controller(config):  # a worker that inherits the name would read the settings before this file
        del os.environ["DJANGO_SETTINGS_MODULE"]


def pytest_sessionstart(session: pytest.Session) -> None:
    from tests import warm

    warm.install()
    if not EXTERNAL and is_controller(session.config):
        from tests import prepared

        threading.Thread(target=prepared.migrate_ahead).start()


@pytest.hookimpl(wrapper=True)
def pytest_runtestloop(session: pytest.Session) -> Iterator[None]:
    """The servers live as long as the tests run: to collect them none is needed."""
    of_its_own = not EXTERNAL and not is_controller(session.config)
    with servers(is_worker=hasattr(session.config, "workerinput")) if of_its_own else nullcontext():
        return (yield)


@contextmanager
def servers(is_worker: bool) -> Iterator[None]:
    from django.db import connection

    from terminal.embedded import EmbeddedServers
    from tests import prepared

    if is_worker:
        prepared.migrated(DATA)
        connection.settings_dict["TEST"]["TEMPLATE"] = datadir.DATABASE_NAME
    with EmbeddedServers(DATA, durable=False):
        yield


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    _folder.cleanup()
