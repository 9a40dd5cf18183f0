"""Who may do what: every route, method and topic beside every kind of person, against the table in access.txt.

A route, or a topic's kind, without a row fails. A row says what each person is answered when nothing is sent along:
400 is "you may, but say what", 404 on another one's row "it is not there for you".
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from http.cookies import SimpleCookie
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from django.db import connection, transaction
from django.template import Origin
from django.template.loaders.base import Loader
from django.test import Client
from pytest_django.fixtures import Settings
from redis import Redis

from feeds import topics
from terminal.admission import ProjectAdmission
from tests.terminal.people import PEOPLE, filled, routes

TABLE = Path(__file__).with_name("access.txt")
JOIN = "JOIN"


class Row(NamedTuple):
    """One line: a route's pattern (or a topic), a method, and the answer to each of PEOPLE."""

    path: str
    method: str
    answers: tuple[str, ...]


def rows() -> list[Row]:
    lines = (line.split() for line in TABLE.read_text().splitlines() if line.strip() and not line.startswith("#"))
    return [Row(path, method, tuple(answers)) for path, method, *answers in lines]


class Blank(Loader):
    """Every template is empty: who may see a page is asked here, and drawing it is what would take a minute."""

    def get_template_sources(self, template_name: str) -> Iterator[Origin]:
        yield Origin(template_name, template_name, self)

    def get_contents(self, origin: Origin) -> str:
        return ""


@pytest.fixture
def sessions_in_cookies(settings: Settings) -> None:
    """Where a session is kept changes nobody's answer, and to read it was every fifth statement."""
    settings.SESSION_ENGINE = "django.contrib.sessions.backends.signed_cookies"


@pytest.fixture
def blank_pages(settings: Settings) -> Iterator[None]:
    (engine,) = settings.TEMPLATES
    options = {**engine["OPTIONS"], "loaders": [f"{__name__}.Blank"]}
    settings.TEMPLATES = [{**engine, "APP_DIRS": False, "OPTIONS": options}]
    logging.disable(logging.WARNING)  # a refusal is logged with its traceback, and here are hundreds
    yield
    logging.disable(logging.NOTSET)


class Changes:
    """Whether a statement asked for anything but to read: hardly any request does."""

    READS = ("SELECT", "SAVEPOINT", "RELEASE SAVEPOINT", "ROLLBACK TO SAVEPOINT")

    def __init__(self) -> None:
        self.found = False

    def __call__(self, execute: Callable[..., Any], sql: str, *rest: Any) -> Any:
        self.found = self.found or not sql.startswith(self.READS)
        return execute(sql, *rest)


def answer(client: Client, method: str, address: str, before: str) -> str:
    """The status, with what was changed put back, in the database (there was a savepoint before) and in the browser."""
    cookies = SimpleCookie(client.cookies.output(header="", sep=";"))
    is_json = address.startswith("/api/") and method != "GET"
    body = {"data": {}, "content_type": "application/json"} if is_json else {}
    changes = Changes()
    with connection.execute_wrapper(changes):
        status = getattr(client, method.lower())(address, **body).status_code
    if changes.found:
        transaction.savepoint_rollback(before)
    client.cookies = cookies
    return str(status)


def test_every_route_and_every_kind_of_topic_has_a_row() -> None:
    table = {(row.path, row.method) for row in rows()}
    wanted = {("/" + path, method) for path, method in routes()}
    assert wanted - table == set(), "routes without a row"
    assert {path.partition(".")[0] for path, method in table if method == JOIN} == set(topics._kinds)
    assert {key for key in table if key[1] != JOIN} - wanted == set(), "rows without a route"


@pytest.mark.usefixtures("sessions_in_cookies", "blank_pages")
def test_everyone_is_answered_as_the_table_says(
    clients: dict[str, Client], things: dict[str, str], redis: Redis
) -> None:
    wrong = []
    before = transaction.savepoint()
    for row in rows():
        if row.method == JOIN:
            continue
        address = filled(row.path, things)
        found = tuple(answer(clients[name], row.method, address, before) for name in PEOPLE)
        if found != row.answers:
            wrong.append(f"{row.path} {row.method} {' '.join(found)}, the table says {' '.join(row.answers)}")
    assert not wrong, "\n".join(wrong)


def test_topics_are_joined_by_whom_the_table_says(
    clients: dict[str, Client], things: dict[str, str], redis: Redis
) -> None:
    for row in (row for row in rows() if row.method == JOIN):
        name = filled(row.path, things)
        found = tuple("yes" if may_join(clients[who], name) else "no" for who in PEOPLE)
        assert found == row.answers, row.path


def may_join(client: Client, topic: str) -> bool:
    """Whether a websocket with this browser's cookie, or this program's token, is let in and then to the topic."""
    headers = {"cookie": client.cookies.output(header="", sep=";")}
    if token := client.defaults.get("HTTP_AUTHORIZATION"):
        headers = {"authorization": token}
    login = ProjectAdmission().admit(headers)
    return login is not None and topic in topics.authorised(login.user, [topic])
