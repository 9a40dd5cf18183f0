"""A day ends once for every account, whatever crashes in it, and the next one opens with the same balances (I14)."""

from __future__ import annotations

import os
import random
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Any

import pytest
from django.conf import settings
from django.db import transaction
from django.db.models import Sum

from feeds.clock import IST
from feeds.core.calendar import Exchange
from feeds.core.instrument import ExchangeSegment, InstrumentKey
from feeds.models import Instrument, JobRun
from feeds.selectors import market_calendar
from oms import day_end
from oms.models import Order, OrderEvent, Trade
from rms import holds, ledger
from rms.audit_ledger import audit
from rms.core.product import Product
from rms.core.statement import CASH_LINES
from rms.fills import Fill, record_fills
from rms.market import Market, forget_facts, market_for
from rms.models import (
    Entry,
    Funds,
    Hold,
    Holding,
    Position,
    PositionChange,
    Statement,
    TradingAccount,
    Transfer,
)
from rms.settlement import SEGMENTS, Group
from tests.rms import desk
from tests.rms.day import CRUDE_CALL, SHARE_CALL, SHARE_FUTURE, SHARE_PUT, by_hand, quote
from tests.rms.desk import CALL, CRUDE, DAY, FUTURE, NEXT_DAY, PUT, SHARE, SPOT

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("redis")]

MONDAY, SATURDAY = date(2026, 2, 2), date(2026, 2, 7)


@pytest.fixture
def instruments(db) -> dict[InstrumentKey, Instrument]:
    forget_facts()
    return desk.make_instruments()


@pytest.fixture
def account(instruments) -> TradingAccount:
    return desk.make_account(100_000_000)


def order(account: TradingAccount, key: InstrumentKey, **fields: Any) -> Order:
    number = Order.objects.count() + 1
    at = datetime.combine(fields.get("trading_date", DAY), time(10), IST)
    values = {
        "client_reference": f"mine-{number}", "side": "BUY", "order_type": "LIMIT", "product": "MARGIN",
        "quantity": 65, "status": "OPEN", "trading_date": DAY, "placed_at": at, "updated_at": at,
        "instrument_id": key.code, "user": account.owner, **fields,
    }  # fmt: skip
    return Order.objects.create(account=account, **values)


def trade(
    account: TradingAccount,
    key: InstrumentKey,
    signed_quantity: int,
    price: int,
    day: date = DAY,
    market: Market | None = None,
    **fields: Any,
) -> Trade:
    """One order filled at once, as the execution process would write it."""
    instrument = Instrument.objects.get(code=key.code)
    usual = Product.CNC if key == SHARE else Product.MARGIN
    product = fields.pop("product", usual)
    side, quantity = ("BUY", signed_quantity) if signed_quantity > 0 else ("SELL", -signed_quantity)
    at = datetime.combine(day, time(10), IST)
    of = order(account, key, side=side, quantity=quantity, product=product, status="FILLED", trading_date=day,
               filled_quantity=quantity, filled_value=quantity * price, **fields)  # fmt: skip
    made = Trade.objects.create(
        order=of, account=account, instrument=instrument, number=1, side=side, product=product, quantity=quantity,
        price=price, multiplier=instrument.multiplier, trading_date=day, at=at, epoch=1,
    )  # fmt: skip
    fill = Fill(account.pk, key.code, product, signed_quantity, price, instrument.multiplier, f"{of.pk}.1", day, at)
    with transaction.atomic():
        ledger.lock([account.pk])
        record_fills([fill], market or desk.market_of({each.key: each for each in Instrument.objects.all()}))
    return made


def cash(account: TradingAccount) -> int:
    return Funds.objects.get(account=account).cash


def everything() -> tuple[Any, ...]:
    """All that a day end may change."""
    return (
        list(Entry.objects.order_by("pk").values_list()),
        list(PositionChange.objects.order_by("pk").values_list()),
        list(Position.objects.order_by("pk").values_list()),
        list(Holding.objects.order_by("pk").values_list()),
        list(Funds.objects.order_by("pk").values_list()),
        list(Statement.objects.order_by("pk").values_list()),
    )


# --- one day ------------------------------------------------------------------------------------


def test_a_day_is_settled_charged_written_and_begun_anew(account) -> None:
    trade(account, FUTURE, 65, 2_570_000)
    trade(account, FUTURE, -65, 2_576_000)
    report = day_end.run(DAY, Group.EQUITY)
    assert report == {"expired_orders": 0, "prices": 0, "accounts": 1}
    assert cash(account) == 100_000_000 + 390_000 - 49_137, "the worked example of the charges"
    note = Statement.objects.get()
    assert note.content["charges"]["total"] == 49_137
    assert note.content["cash"]["net"] == 340_863
    assert Position.objects.get().trading_date == NEXT_DAY
    assert Transfer.objects.filter(reference=f"charges.2026-02-03.EQUITY.{account.pk}").count() == 1
    assert audit().differences == []


def test_run_twice_is_run_once(account) -> None:
    trade(account, FUTURE, 65, 2_570_000)
    trade(account, SHARE, 10, 140_000)
    trade(account, SHARE, -10, 141_000, product=Product.INTRADAY)
    for key, price in ((FUTURE, 2_576_000), (SHARE, 140_500)):
        quote(key, price)
    day_end.run(DAY, Group.EQUITY)
    before = everything()
    quote(FUTURE, 2_700_000, NEXT_DAY)
    assert day_end.run(DAY, Group.EQUITY)["accounts"] == 0
    assert everything() == before


def test_a_day_without_a_session_does_nothing(account) -> None:
    assert day_end.run(SATURDAY, Group.EQUITY) == {"closed": "no session"}
    assert not Statement.objects.exists()


def test_only_accounts_with_something_to_do_are_touched(account) -> None:
    idle = desk.make_account(5_000_000)
    offset = Funds.objects.get(account=idle).fact_offset
    trade(account, CALL, 65, 15_000)
    quote(CALL, 16_000)
    assert day_end.run(DAY, Group.EQUITY)["accounts"] == 1
    assert Funds.objects.get(account=idle).fact_offset == offset
    assert day_end.run(DAY, Group.COMMODITY)["accounts"] == 0


def test_each_group_writes_its_own_note_and_the_last_one_closes_the_day(account) -> None:
    trade(account, CALL, 65, 15_000)
    trade(account, CRUDE, 1, 590_000)
    quote(CALL, 16_000)
    quote(CRUDE, 595_000)
    for group in Group:
        day_end.run(DAY, group)
    equity, commodity = (Statement.objects.get(group=group).content for group in Group)
    assert equity["charges"]["lines"].keys() == {
        "BROKERAGE", "EXCHANGE_TRANSACTION", "INVESTOR_PROTECTION", "SEBI", "GST",
    }  # fmt: skip
    assert commodity["cash"]["mark_to_market"] == 500_000
    assert commodity["cash"]["opening"] == equity["cash"]["opening"]
    assert commodity["cash"]["closing"] == cash(account)
    assert commodity["cash"]["other"] - 100_000_000 == equity["cash"]["net"], "the money paid in that day, and the rest"


def test_what_the_house_squared_off_itself_is_charged_and_what_a_trader_did_is_not(account) -> None:
    trade(account, SHARE, 10, 140_000, product=Product.INTRADAY)
    trade(account, SHARE, -5, 140_000, product=Product.INTRADAY, source="SQUARE_OFF")
    trade(account, SHARE, -5, 140_000, product=Product.INTRADAY, source="SQUARE_OFF", user=None)
    day_end.run(DAY, Group.EQUITY)
    assert Statement.objects.get().content["charges"]["lines"]["SQUARE_OFF"] == 2_000


# --- orders that outlived their day ---------------------------------------------------------------


def test_a_day_order_that_a_dead_process_left_expires_and_gives_its_margin_back(account) -> None:
    left = order(account, CALL)
    with transaction.atomic():
        holds.place(account.pk, {f"order.{left.pk}": 1_000_000})
    assert day_end.run(DAY, Group.EQUITY)["expired_orders"] == 1
    left.refresh_from_db()
    assert (left.status, left.reason_code) == ("EXPIRED", "DAY_ENDED")
    assert OrderEvent.objects.get(order=left).kind == "EXPIRED"
    assert Hold.objects.get().state == "VOIDED"
    assert Funds.objects.get(account=account).held_margin == 0


def test_what_waits_for_another_day_or_another_segment_stays(account) -> None:
    waiting = [
        order(account, CALL, status="QUEUED", forever=True),
        order(account, CALL, status="QUEUED", after_market=True, trading_date=NEXT_DAY),
        order(account, CALL, status="UNKNOWN"),
        order(account, CRUDE),
    ]
    assert day_end.expire_orders(DAY, SEGMENTS[Group.EQUITY]) == 0
    assert [Order.objects.get(pk=each.pk).status for each in waiting] == ["QUEUED", "QUEUED", "UNKNOWN", "OPEN"]


# --- days that were missed, and crashes --------------------------------------------------------------


def test_a_missed_day_is_closed_before_the_next(account) -> None:
    trade(account, FUTURE, 65, 2_570_000, day=MONDAY)
    by_hand(FUTURE, 2_575_000, MONDAY)
    by_hand(FUTURE, 2_576_000, DAY)
    day_end.run(DAY, Group.EQUITY)
    assert JobRun.objects.get(job="day_end.EQUITY", trading_date=MONDAY).status == "DONE"
    marks = PositionChange.objects.filter(kind="MARK_TO_MARKET").order_by("pk")
    assert [(mark.trading_date, mark.price) for mark in marks] == [(MONDAY, 2_575_000), (DAY, 2_576_000)]
    notes = Statement.objects.order_by("trading_date")
    assert notes[0].content["cash"]["closing"] == cash(account) - notes[1].content["cash"]["net"] - 100_000_000


def test_a_day_waits_for_an_earlier_one_that_cannot_be_closed(account) -> None:
    trade(account, FUTURE, 65, 2_570_000, day=MONDAY)
    by_hand(FUTURE, 2_576_000, DAY)
    with pytest.raises(day_end.EarlierDayOpen, match="2026-02-02"):
        day_end.run(DAY, Group.EQUITY)
    assert not Statement.objects.exists()


ONE_DAY_END = """
import django; django.setup()
from datetime import date
from oms import day_end
from rms.settlement import Group
print(day_end.run(date(2026, 2, 3), Group.EQUITY))
"""


def run_in_a_process(failpoints: str) -> int:
    environment = {
        **os.environ,
        "DJANGO_SETTINGS_MODULE": "terminal.settings",
        "DATABASE_URL": database_url(),
        "REDIS_URL": settings.REDIS_URL,
        "FAILPOINTS": failpoints,
    }
    return subprocess.run([sys.executable, "-c", ONE_DAY_END], env=environment, timeout=60, check=False).returncode


def database_url() -> str:
    """Of the database that the tests run on."""
    database = settings.DATABASES["default"]
    return f"postgresql://{database['USER']}:{database['PASSWORD']}@/{database['NAME']}?host={database['HOST']}"


@pytest.mark.processes
@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(
    ("failpoint", "done"),
    [("day_end.between_accounts", 1), pytest.param("day_end.before_commit", 0, marks=pytest.mark.soak)],
)
def test_a_day_end_that_was_killed_goes_on_where_it_was(tmp_path, failpoint: str, done: int) -> None:
    forget_facts()
    desk.make_instruments()
    accounts = [desk.make_account(100_000_000) for _ in range(3)]
    for each in accounts:
        trade(each, FUTURE, 65, 2_570_000)
        trade(each, SHARE, 10, 140_000)
    quote(FUTURE, 2_576_000)
    quote(SHARE, 141_000)
    (tmp_path / failpoint).touch()
    assert run_in_a_process(str(tmp_path)) == -9
    assert Statement.objects.count() == done
    assert audit().differences == []
    day_end.run(DAY, Group.EQUITY)
    assert len({cash(each) for each in accounts}) == 1
    assert Statement.objects.count() == 3
    assert audit().differences == []


# --- I14: many days -------------------------------------------------------------------------------


@dataclass(frozen=True)
class Listing:
    """A contract of one month that is listed anew each month: its id is the month's."""

    key: InstrumentKey
    lot: int
    follows: InstrumentKey
    share: float

    def of(self, month: int) -> InstrumentKey:
        return InstrumentKey(self.key.segment, self.key.security_id + 10_000 * month)

    def price(self, spots: dict[InstrumentKey, int]) -> int:
        return max(100, int(spots[self.follows] * self.share))


LISTINGS = [
    Listing(FUTURE, 65, SPOT, 1.002),
    Listing(CALL, 65, SPOT, 0.006),
    Listing(PUT, 65, SPOT, 0.005),
    Listing(SHARE_FUTURE, 250, SHARE, 1.003),
    Listing(SHARE_CALL, 250, SHARE, 0.02),
    Listing(SHARE_PUT, 250, SHARE, 0.02),
    Listing(CRUDE, 1, CRUDE, 1.0),
    Listing(CRUDE_CALL, 1, CRUDE, 0.03),
]
TYPES = {
    FUTURE: ("FUTIDX", ""), CALL: ("OPTIDX", "CALL"), PUT: ("OPTIDX", "PUT"), SHARE_FUTURE: ("FUTSTK", ""),
    SHARE_CALL: ("OPTSTK", "CALL"), SHARE_PUT: ("OPTSTK", "PUT"), CRUDE: ("FUTCOM", ""), CRUDE_CALL: ("OPTFUT", "CALL"),
}  # fmt: skip
NAMES = {SPOT: "NIFTY", SHARE: "RELIANCE", CRUDE: "CRUDEOIL"}
EXPIRES_ON = {SPOT: 24, SHARE: 24, CRUDE: 26}
OPTION_LEADS = 2
"""Days that an option on crude oil expires before its future."""
SHARE_PRODUCTS = [Product.CNC, Product.CNC, Product.INTRADAY, Product.MTF]


class Year:
    """Seeded trades of a few accounts over trading days, contracts listed each month, every day's end run twice."""

    def __init__(self, seed: int, first: date, accounts: int) -> None:
        self.random = random.Random(seed)
        forget_facts()
        desk.make_instrument(SPOT, "NIFTY", instrument_type="INDEX")
        desk.make_instrument(SHARE, "RELIANCE", instrument_type="EQUITY", series="EQ")
        self.accounts = [self.an_account(first - timedelta(days=1)) for _ in range(accounts)]
        self.spots = {SPOT: 2_600_000, SHARE: 140_000, CRUDE: 600_000}
        self.month = 0

    def an_account(self, day: date) -> TradingAccount:
        account = desk.make_account()
        ledger.transfer(
            reference=f"first money {account.pk}", kind=Transfer.Kind.FUNDS_IN, account_id=account.pk,
            amount=100_000_000_000, against=ledger.Book.BANK, trading_date=day,
        )  # fmt: skip
        return account

    def live(self, days: Iterator[date]) -> None:
        closing = {each.pk: cash(each) for each in self.accounts}
        for day in days:
            if day.month != self.month:
                self.list_month(day)
            live = self.move(day)
            market = market_for([key.code for key in live], day)
            for account in self.accounts:
                self.trade(account, day, live, market)
            self.end(day)
            for account in self.accounts:
                self.assert_opened_with(account, day, closing[account.pk])
                closing[account.pk] = cash(account)

    def list_month(self, day: date) -> None:
        self.month = day.month
        for listing in LISTINGS:
            kind, side = TYPES[listing.key]
            lead = OPTION_LEADS if kind == "OPTFUT" else 0
            desk.make_instrument(
                listing.of(day.month), f"{NAMES[listing.follows]} {day:%b} {kind} {side}", instrument_type=kind,
                option_type=side, strike=self.spots[listing.follows] // 1000 * 1000 if side else None,
                underlying_symbol=NAMES[listing.follows], lot_size=listing.lot,
                expiry=day.replace(day=EXPIRES_ON[listing.follows] - lead),
                multiplier=100 if listing.key in (CRUDE, CRUDE_CALL) else 1,
            )  # fmt: skip
        forget_facts()

    def move(self, day: date) -> dict[InstrumentKey, tuple[int, int]]:
        """Quote everything; returns lot and price of what can be traded that day."""
        for key, price in self.spots.items():
            self.spots[key] = max(10_000, price + self.random.randrange(-price // 40, price // 40 + 1))
        live = {SHARE: (10, self.spots[SHARE])}
        expiries = dict(Instrument.objects.values_list("code", "expiry"))
        for listing in LISTINGS:
            key = listing.of(day.month)
            quote(key, listing.price(self.spots), day)
            if expiries[key.code] >= day:
                live[key] = (listing.lot, listing.price(self.spots))
        for key in (SPOT, SHARE):
            quote(key, self.spots[key], day)
        open_segments = [segment for segment in ExchangeSegment if market_calendar().sessions(segment, day)]
        return {key: terms for key, terms in live.items() if key.segment in open_segments}

    def trade(
        self, account: TradingAccount, day: date, live: dict[InstrumentKey, tuple[int, int]], market: Market
    ) -> None:
        for key in self.random.sample(sorted(live), self.random.randrange(min(3, len(live) + 1))):
            lot, price = live[key]
            product = self.random.choice(SHARE_PRODUCTS) if key == SHARE else Product.MARGIN
            lots = self.random.choice([1, 2] if product is Product.MTF else [-2, -1, 1, 2])
            paid = max(1, price + self.random.randrange(-50, 51))
            trade(account, key, lots * lot, paid, day, market, product=product)

    def end(self, day: date) -> None:
        for group in Group:
            day_end.run(day, group)
            before = Entry.objects.count(), Statement.objects.count()
            assert day_end.run(day, group).get("accounts", 0) == 0
            assert (Entry.objects.count(), Statement.objects.count()) == before
            JobRun.objects.create(
                job=day_end.job_name(group), trading_date=day, status="DONE",
                claimed_until=datetime.combine(day, time(23), IST),
            )  # fmt: skip

    def assert_opened_with(self, account: TradingAccount, day: date, closing: int) -> None:
        notes = [note.content["cash"] for note in account.statements.filter(trading_date=day).order_by("pk")]
        for note in notes:
            assert note["net"] == sum(note[line] for line in CASH_LINES)
            assert note["opening"] + note["net"] + note["other"] == note["closing"]
            assert note["opening"] == closing
        assert (notes[-1]["closing"] if notes else closing) == cash(account)

    def assert_books_prove(self) -> None:
        charged = Entry.objects.filter(ledger_account__book="CHARGES").aggregate(total=Sum("amount"))["total"]
        assert charged == sum(Statement.objects.values_list("content__charges__total", flat=True))
        for account in self.accounts:
            own = Entry.objects.filter(ledger_account__account=account).aggregate(total=Sum("amount"))["total"]
            assert own == cash(account)
        assert audit().differences == []


def trading_days(first: date, last: date) -> Iterator[date]:
    calendar, day = market_calendar(), first
    while day <= last:
        if any(calendar.is_trading_day(exchange, day) for exchange in Exchange):
            yield day
        day += timedelta(days=1)


def live(seed: int, first: date, last: date, accounts: int) -> None:
    year = Year(seed, first, accounts)
    year.live(trading_days(first, last))
    year.assert_books_prove()


def test_days_with_expiries_close_to_the_paisa_and_open_with_the_same_balances() -> None:
    live(1, date(2026, 2, 20), date(2026, 2, 26), accounts=2)


@pytest.mark.soak
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("seed", [1, 2])
def test_a_year_closes_to_the_paisa_and_opens_with_the_same_balances(seed: int) -> None:
    live(seed, date(2026, 1, 1), date(2026, 12, 31), accounts=3)
