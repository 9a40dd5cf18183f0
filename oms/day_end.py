"""The end of a trading day: orders expire, and every account with something to do is closed once, by itself."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from datetime import date, datetime, timedelta
from itertools import groupby
from typing import Any

from django.db import transaction

from feeds import clock
from feeds.core.calendar import Calendar
from feeds.core.instrument import ExchangeSegment
from feeds.jobs import run_once
from feeds.models import JobRun
from feeds.selectors import market_calendar
from oms.changes import change, lock_orders, save_changes
from oms.core.engine_events import Reason
from oms.core.order import LIVE, OrderStatus, Side, Source
from oms.failpoints import reach
from oms.models import Order, OrderEvent, Trade
from oms.process.reasons import sentence
from rms import facts, ledger, settlement, statements
from rms.charges import charged_trade
from rms.core.charges import ChargedTrade, Manner
from rms.core.product import Product
from rms.models import PositionChange, Statement
from rms.settlement import SEGMENTS, DayPrices, Group

DAY_END = "day_end"
ONE_DAY = timedelta(days=1)
EXPIRES = sorted(status.value for status in LIVE - {OrderStatus.UNKNOWN})
"""What a venue has not told the outcome of is not ours to end."""

Report = dict[str, Any]


class EarlierDayOpen(Exception):
    """A day before this one could not be closed: closing this one first would settle it at the wrong prices."""

    def __init__(self, group: Group, day: date) -> None:
        super().__init__(f"the {group} day {day} has not been closed")


def job_name(group: Group) -> str:
    return f"{DAY_END}.{group}"


def run(day: date, group: Group) -> Report:
    """Close a day, after those before it that were missed.

    Raises:
        EarlierDayOpen: one of these failed, or somebody is at it.
        NoSettlementPrice: a price has to be entered by hand first.
    """
    for missed in missed_days(day, group):
        run_once(job_name(group), missed, lambda missed=missed: close(missed, group))
        if not is_closed(missed, group):
            raise EarlierDayOpen(group, missed)
    return close(day, group)


def is_closed(day: date, group: Group) -> bool:
    return JobRun.objects.filter(job=job_name(group), trading_date=day, status=JobRun.Status.DONE).exists()


def missed_days(day: date, group: Group) -> list[date]:
    """The days with a session since the last one that was closed, or since the first position; before `day`."""
    calendar, start = market_calendar(), _first_open_day(day, group)
    days = (start + number * ONE_DAY for number in range((day - start).days))
    return [each for each in days if has_session(calendar, each, group)]


def _first_open_day(day: date, group: Group) -> date:
    done = JobRun.objects.filter(job=job_name(group), status=JobRun.Status.DONE, trading_date__lt=day)
    closed = done.order_by("-trading_date").values_list("trading_date", flat=True).first()
    if closed is not None:
        return closed + ONE_DAY
    changes = PositionChange.objects.filter(instrument__segment__in=SEGMENTS[group], trading_date__lt=day)
    return changes.order_by("trading_date").values_list("trading_date", flat=True).first() or day


def has_session(calendar: Calendar, day: date, group: Group) -> bool:
    return any(calendar.sessions(segment, day) is not None for segment in SEGMENTS[group])


def close(day: date, group: Group) -> Report:
    """Everything of one day; doing it again, or going on where a crash left it, changes nothing that is done."""
    if not has_session(market_calendar(), day, group):
        return {"closed": "no session"}
    expired = expire_orders(day, SEGMENTS[group])
    settled = settlement.fix_prices(day, group)
    accounts = accounts_to_close(day, group)
    closed = 0
    for account_id in accounts:
        closed += close_account(account_id, day, group, settled)
        reach("day_end.between_accounts")
    return {"expired_orders": expired, "prices": len(settled.prices), "accounts": closed}


def accounts_to_close(day: date, group: Group) -> list[int]:
    """Accounts in which something is open or happened that day, and whose note is not written."""
    found = set(settlement.unfinished_positions(group, day).values_list("account_id", flat=True))
    changes = PositionChange.objects.filter(trading_date=day, instrument__segment__in=SEGMENTS[group])
    found |= set(changes.values_list("account_id", flat=True))
    notes = Statement.objects.filter(trading_date=day, group=group, account__in=found)
    return sorted(found - set(notes.values_list("account_id", flat=True)))


def close_account(account_id: int, day: date, group: Group, settled: DayPrices) -> bool:
    """Settle, charge and write one account's day in one transaction. False: it was done already."""
    with transaction.atomic():
        ledger.lock([account_id])
        if statements.is_written(account_id, day, group):
            return False
        account = settlement.account_day(account_id, day, group, clock.exchange_now(), settled)
        settlement.settle(account)
        charges = statements.post_charges(account, list(charged_trades(account_id, day, SEGMENTS[group])))
        statements.write_statement(account, charges)
        settlement.start_next_day(account)
        reach("day_end.before_commit")
        facts.announce([account_id])
    return True


def charged_trades(account_id: int, day: date, segments: Collection[ExchangeSegment]) -> Iterator[ChargedTrade]:
    """The account's trades of the day as the tariff sees them: the house charges for what it squared off itself."""
    trades = Trade.objects.filter(account_id=account_id, trading_date=day, instrument__segment__in=segments)
    for trade in trades.select_related("instrument", "order").order_by("pk"):
        by_house = trade.order.source == Source.SQUARE_OFF and trade.order.user_id is None
        yield charged_trade(
            trade.instrument,
            Product(trade.product),
            Side(trade.side).sign * trade.quantity,
            trade.price,
            reference=str(trade.order_id),
            manner=Manner.SQUARED_OFF if by_house else Manner.ORDERED,
        )


# --- orders that outlived their day ---------------------------------------------------------------


def expire_orders(day: date, segments: Collection[ExchangeSegment]) -> int:
    """End the day's orders that nobody ended: the execution process does, unless it died. Returns how many."""
    late = Order.objects.filter(status__in=EXPIRES, trading_date__lte=day, instrument__segment__in=segments)
    late = late.exclude(forever=True, status=OrderStatus.QUEUED).order_by("account_id", "pk")
    rows = list(late.values_list("account_id", "pk"))
    return sum(
        _expire(account_id, [pk for _, pk in same], clock.exchange_now())
        for account_id, same in groupby(rows, key=lambda row: row[0])
    )


def _expire(account_id: int, ids: list[int], at: datetime) -> int:
    with transaction.atomic():
        ledger.lock([account_id])
        orders = [order for order in lock_orders(ids).values() if order.status in EXPIRES]
        reason = {"reason_code": Reason.DAY_ENDED, "reason": sentence(Reason.DAY_ENDED)}
        save_changes([change(order, OrderEvent.Kind.EXPIRED, OrderStatus.EXPIRED, at=at, **reason) for order in orders])
    return len(orders)
