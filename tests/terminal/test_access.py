"""Who may do what: every route, method and topic beside every kind of person, against the table in access.txt.

A route, or a topic's kind, without a row fails. A row says what each person is answered when nothing is sent along:
400 is "you may, but say what", 404 on another one's row "it is not there for you".
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from datetime import datetime
from http.cookies import SimpleCookie
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from django.contrib.auth.models import User
from django.db import transaction
from django.template import Origin
from django.template.loaders.base import Loader
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver
from django.views.generic import RedirectView
from django_otp import DEVICE_ID_SESSION_KEY
from django_otp.plugins.otp_totp.models import TOTPDevice
from pytest_django.fixtures import Settings
from redis import Redis

from feeds import topics
from feeds.clock import IST, wall_now
from feeds.models import AuditEntry, ChainDefinition, DhanAccount, Holiday, Instrument, JobRun, Lease
from oms.models import Basket, BasketLeg
from terminal.accounts.models import ApiToken
from terminal.accounts.roles import STAFF_ROLES, Role, ensure_roles
from terminal.accounts.selectors import token_digest
from terminal.admission import ProjectAdmission
from tests.feeds.market import make_chain
from tests.oms.books import make_books, make_order
from watchlists.models import Watchlist, WatchlistItem

TABLE = Path(__file__).with_name("access.txt")
PEOPLE = ("anonymous", "trader", "token", "risk", "operator", "admin", "uncleared", "disabled")
"""token: the trader's program. uncleared: an admin who gave no code. disabled: a trader switched off since."""
REST_METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")
MOMENT = datetime(2026, 2, 3, 10, tzinfo=IST)
JOIN = "JOIN"
TOKEN = "btt_access"


class Row(NamedTuple):
    """One line: a route's pattern (or a topic), a method, and the answer to each of PEOPLE."""

    path: str
    method: str
    answers: tuple[str, ...]


def rows() -> list[Row]:
    lines = (line.split() for line in TABLE.read_text().splitlines() if line.strip() and not line.startswith("#"))
    return [Row(path, method, tuple(answers)) for path, method, *answers in lines]


def routes() -> Iterator[tuple[str, str]]:
    """Every address with every method that its view has; of pages that are plain functions GET and POST."""
    for path, view in _patterns(get_resolver(), ""):
        view_class = getattr(view, "cls", None) or getattr(view, "view_class", None)
        methods = ["GET", "POST"]
        if view_class is not None and not issubclass(view_class, RedirectView):
            methods = [method for method in REST_METHODS if hasattr(view_class, method.lower())]
        yield from ((path, method) for method in methods)


def _patterns(resolver: URLResolver, prefix: str) -> Iterator[tuple[str, Any]]:
    for pattern in resolver.url_patterns:
        path = prefix + str(pattern.pattern)
        if isinstance(pattern, URLPattern):
            yield path, pattern.callback
        else:
            yield from _patterns(pattern, path)


class Blank(Loader):
    """Every template is empty: who may see a page is asked here, and drawing it is what would take a minute."""

    def get_template_sources(self, template_name: str) -> Iterator[Origin]:
        yield Origin(template_name, template_name, self)

    def get_contents(self, origin: Origin) -> str:
        return ""


@pytest.fixture
def blank_pages(settings: Settings) -> Iterator[None]:
    (engine,) = settings.TEMPLATES
    options = {**engine["OPTIONS"], "loaders": [f"{__name__}.Blank"]}
    settings.TEMPLATES = [{**engine, "APP_DIRS": False, "OPTIONS": options}]
    logging.disable(logging.WARNING)  # a refusal is logged with its traceback, and here are hundreds
    yield
    logging.disable(logging.NOTSET)


@pytest.fixture
def people(db: None, settings: Settings) -> dict[str, User]:
    """Outside the demo: members of staff have a device."""
    settings.DEMO = False
    settings.EXCHANGE_CLOCK_OFFSET_SECONDS = (MOMENT - wall_now()).total_seconds()
    settings.REST_RATE_PER_MINUTE = settings.LOGIN_RATE_PER_MINUTE = 1_000_000
    groups = ensure_roles()
    found = {}
    for name in ("trader", "risk", "operator", "admin", "disabled"):
        role = Role.TRADER if name == "disabled" else Role(name)
        is_admin = role is Role.ADMIN
        found[name] = User.objects.create_user(name, is_staff=role in STAFF_ROLES, is_superuser=is_admin)
        found[name].groups.add(groups[role])
        if role in STAFF_ROLES:
            TOTPDevice.objects.create(user=found[name], name="authenticator", confirmed=True)
    ApiToken.objects.create(user=found["trader"], name="bot", prefix=TOKEN[:12], digest=token_digest(TOKEN))
    return found | {"token": found["trader"], "uncleared": found["admin"]}


@pytest.fixture
def clients(people: dict[str, User]) -> dict[str, Client]:
    found = {"anonymous": Client(), "token": Client(headers={"Authorization": f"Token {TOKEN}"})}
    for name in PEOPLE:
        if name in found:
            continue
        found[name] = client = Client(raise_request_exception=False)
        client.force_login(people[name], backend="django.contrib.auth.backends.ModelBackend")
        device = TOTPDevice.objects.filter(user=people[name]).first()
        if device is not None and name != "uncleared":
            session = client.session
            session[DEVICE_ID_SESSION_KEY] = device.persistent_id
            session.save()
    User.objects.filter(pk=people["disabled"].pk).update(is_active=False)
    people["disabled"].is_active = False
    return found


@pytest.fixture
def things(people: dict[str, User]) -> dict[str, str]:
    """What the addresses name: rows of each kind, the trader's where somebody owns them."""
    trader = people["trader"]
    make_chain()
    instrument = Instrument.objects.order_by("code").first()
    account = DhanAccount.objects.create(name="desk", client_id="1000000001")
    watchlist = Watchlist.objects.create(user=trader, name="Mine")
    made = {
        "accounts/apitoken": ApiToken.objects.get(),
        "auth/group": trader.groups.get(),
        "auth/user": trader,
        "axes/accessattempt": None,
        "feeds/auditentry": AuditEntry.objects.create(action="test"),
        "feeds/chaindefinition": ChainDefinition.objects.create(
            underlying_symbol="NIFTY", segment=2, account=account, monthly=1
        ),
        "feeds/dhanaccount": account,
        "feeds/holiday": Holiday.objects.create(
            exchange="NSE_BSE", date="2026-11-08", name="Diwali", known_from="2026-01-01"
        ),
        "feeds/instrument": instrument,
        "feeds/jobrun": JobRun.objects.create(
            job="test", trading_date="2026-02-03", status="DONE", claimed_until=MOMENT
        ),
        "feeds/lease": Lease.objects.create(name="feed", expires_at=MOMENT),
        **make_books(trader, instrument),
        "watchlists/watchlist": watchlist,
        "watchlists/watchlistitem": WatchlistItem.objects.create(watchlist=watchlist, instrument=instrument),
    }
    trading = made["rms/tradingaccount"]
    option = Instrument.objects.get(symbol="NIFTY-0-CALL")
    basket = Basket.objects.create(account=trading, user=trader, name="Mine")
    leg = {"side": "BUY", "order_type": "LIMIT", "product": "INTRADAY", "quantity": 75, "limit_price": 15230}
    BasketLeg.objects.create(basket=basket, position=0, instrument=option, **leg)  # without a price it is refused
    ids = {f"admin/{name}/<path:object_id>": f"admin/{name}/{row.pk if row else 1}" for name, row in made.items()}
    return ids | {
        "admin/auth/user/<id>": f"admin/auth/user/{trader.pk}",
        "admin/rms/statement/<int:pk>": f"admin/rms/statement/{made['rms/statement'].pk}",
        "/accounts/<int:pk>": f"/accounts/{trading.pk}",
        "baskets/<int:pk>": f"baskets/{basket.pk}",
        "funds-requests/<int:pk>": f"funds-requests/{made['rms/fundsrequest'].pk}",
        "kill-switches/<int:pk>": f"kill-switches/{made['rms/killswitch'].pk}",
        "orders/<int:pk>": f"orders/{make_order(trading, trader, option, client_reference='mine-2').pk}",
        "statements/<int:pk>": f"statements/{made['rms/statement'].pk}",
        "{account}": str(trading.pk),
        "tokens/<int:pk>": f"tokens/{ApiToken.objects.get().pk}",
        "watchlists/<int:pk>": f"watchlists/{watchlist.pk}",
        "<str:key>": "IDX_I.13",
        "<str:segment>/<str:underlying>/<str:expiry>": "NSE_FNO/NIFTY/2026-02-24",
        "<slug:name>": "resync",
        "<int:content_type_id>/<path:object_id>": "1/1",
        "<path:url>": "x",
        "{watchlist}": str(watchlist.pk),
    }


def answer(client: Client, method: str, address: str) -> str:
    """The status, with what was changed put back, in the database and in the browser."""
    cookies = SimpleCookie(client.cookies.output(header="", sep=";"))
    is_json = address.startswith("/api/") and method != "GET"
    body = {"data": {}, "content_type": "application/json"} if is_json else {}
    with transaction.atomic():
        status = getattr(client, method.lower())(address, **body).status_code
        transaction.set_rollback(True)
    client.cookies = cookies
    return str(status)


def filled(path: str, things: dict[str, str]) -> str:
    for pattern, text in things.items():
        path = path.replace(pattern, text)
    return path


def test_every_route_and_every_kind_of_topic_has_a_row() -> None:
    table = {(row.path, row.method) for row in rows()}
    wanted = {("/" + path, method) for path, method in routes()}
    assert wanted - table == set(), "routes without a row"
    assert {path.partition(".")[0] for path, method in table if method == JOIN} == set(topics._kinds)
    assert {key for key in table if key[1] != JOIN} - wanted == set(), "rows without a route"


@pytest.mark.usefixtures("blank_pages")
def test_everyone_is_answered_as_the_table_says(
    clients: dict[str, Client], things: dict[str, str], redis: Redis
) -> None:
    wrong = []
    for row in rows():
        if row.method == JOIN:
            continue
        address = filled(row.path, things)
        found = tuple(answer(clients[name], row.method, address) for name in PEOPLE)
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
