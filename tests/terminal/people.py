"""Everybody who may come to the server, what its addresses name, and the addresses themselves."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver
from django.views.generic import RedirectView
from django_otp import DEVICE_ID_SESSION_KEY
from django_otp.plugins.otp_totp.models import TOTPDevice
from pytest_django.fixtures import Settings

from alerts.models import Alert
from feeds.clock import IST, wall_now
from feeds.models import AuditEntry, ChainDefinition, DhanAccount, Holiday, Instrument, JobRun, Lease
from oms.models import Basket, BasketLeg
from terminal.accounts.models import ApiToken
from terminal.accounts.roles import STAFF_ROLES, Role, ensure_roles
from terminal.accounts.selectors import token_digest
from tests.feeds.market import make_chain
from tests.oms.books import make_books, make_order
from watchlists.models import Watchlist, WatchlistItem

PEOPLE = ("anonymous", "trader", "token", "risk", "operator", "admin", "uncleared", "disabled")
"""token: the trader's program. uncleared: an admin who gave no code. disabled: a trader switched off since."""
REST_METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")
MOMENT = datetime(2026, 2, 3, 10, tzinfo=IST)
TOKEN = "btt_access"


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


def filled(path: str, things: dict[str, str]) -> str:
    for pattern, text in things.items():
        path = path.replace(pattern, text)
    return path


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
def clients(people: dict[str, User], settings: Settings) -> dict[str, Client]:
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
            client.cookies[settings.SESSION_COOKIE_NAME] = session.session_key  # its content, when kept in the cookie
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
    alert = Alert.objects.create(user=trader, instrument=instrument, column=1, direction=1, level=2_600_000)
    made = {
        "accounts/apitoken": ApiToken.objects.get(),
        "alerts/alert": alert,
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
        "alerts/<int:pk>": f"alerts/{alert.pk}",
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
        "{user}": str(trader.pk),
        "{watchlist}": str(watchlist.pk),
    }
