"""The trading day's jobs: square-off by time, orders that outlived their session, and the ends of the days."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from functools import partial
from itertools import groupby

from django.conf import settings

from feeds import clock
from feeds.core.calendar import Calendar, Exchange, Phase, Sessions, exchange_of
from feeds.core.instrument import ExchangeSegment
from feeds.jobs import Job, Report, register
from feeds.models import Instrument
from feeds.selectors import market_calendar
from oms import day_end, services
from oms.models import LIVE_VALUES, Order
from oms.trading_day import has_derivatives
from rms.core.product import Product
from rms.models import Position, TradingAccount
from rms.settlement import EXCHANGE, SEGMENTS, Group

SQUARE_OFF = "square_off"
ORDER_EXPIRY = "order_expiry"
EXPIRY_AFTER = timedelta(minutes=2)
"""The execution process ends a day's orders at the close; what is left after this long, it left behind."""
DAY_END_AFTER = timedelta(minutes=4)
"""After the last session, and before midnight even when MCX closes at 23:55."""
SHORT_DAY = timedelta(minutes=15)
"""Before the close of a day that ends before its square-off time."""
REASON = "Intraday positions are closed at this time of the day."
AUCTION_PHASES = frozenset({Phase.CLOSING_REFERENCE, Phase.CLOSING_AUCTION, Phase.CLOSING_MATCHING})


@dataclass(frozen=True, slots=True)
class Board:
    """Instruments that keep the same hours, and the setting that says when their intraday positions are closed."""

    name: str
    segments: tuple[ExchangeSegment, ...]
    setting: str = ""
    has_derivatives: bool = True

    @property
    def exchange(self) -> Exchange:
        return exchange_of(self.segments[0])

    def sessions(self, calendar: Calendar, day: date) -> list[Sessions]:
        known = (calendar.sessions(each, day, has_derivatives=self.has_derivatives) for each in self.segments)
        return [sessions for sessions in known if sessions is not None]


SHARES = (ExchangeSegment.NSE_EQ, ExchangeSegment.BSE_EQ)
BOARDS = (
    DERIVATIVES := Board("DERIVATIVES", (ExchangeSegment.NSE_FNO, ExchangeSegment.BSE_FNO), "EQUITY_DERIVATIVES"),
    CASH := Board("CASH", SHARES, "CASH", has_derivatives=False),
    CASH_WITH_DERIVATIVES := Board("CASH_WITH_DERIVATIVES", SHARES, "CASH_WITH_DERIVATIVES"),
    COMMODITY := Board("COMMODITY", (ExchangeSegment.MCX_COMM,)),
)
SAME_SEGMENTS = {"DERIVATIVES": (DERIVATIVES,), "CASH": (CASH, CASH_WITH_DERIVATIVES), "COMMODITY": (COMMODITY,)}
"""Orders expire by segment: shares of both kinds when the later of the two has closed."""


# --- when ---------------------------------------------------------------------------------------


def square_off_at(board: Board, day: date, calendar: Calendar) -> datetime | None:
    """When a board's intraday positions are closed; None on a day without known hours."""
    sessions = board.sessions(calendar, day)
    if not sessions:
        return None
    opens, closes = min(each.open for each in sessions), min(each.close for each in sessions)
    if not board.setting:
        return closes - timedelta(minutes=settings.SQUARE_OFF_MCX_MINUTES_BEFORE_CLOSE)
    at = datetime.combine(day, time.fromisoformat(settings.SQUARE_OFF_AT[_setting(board, sessions)]), clock.IST)
    return at if opens < at < closes else closes - SHORT_DAY


def _setting(board: Board, sessions: Iterable[Sessions]) -> str:
    """Shares that close in an auction have a time of their own on such days."""
    in_auction = any(span.phase in AUCTION_PHASES for each in sessions for span in each.phases)
    return f"{board.setting}_AUCTION" if in_auction else board.setting


def last_session_end(boards: Iterable[Board], day: date, calendar: Calendar) -> datetime | None:
    """The end of the last phase of any of them, the fixed-price session after the close included."""
    return max(
        (span.end for board in boards for each in board.sessions(calendar, day) for span in each.phases), default=None
    )


def _after(boards: tuple[Board, ...], delay: timedelta) -> Callable[[date, Calendar], datetime | None]:
    def due_at(day: date, calendar: Calendar) -> datetime | None:
        end = last_session_end(boards, day, calendar)
        return end + delay if end is not None else None

    return due_at


# --- what ---------------------------------------------------------------------------------------


def _square_off(board: Board, day: date) -> Report:
    """Close a board's intraday positions. Too late, the day's end does it: an order could not be executed any more."""
    if _is_over(board, day, clock.exchange_now()):
        return {"too_late": True}
    cancelled = [_cancel(account, codes) for account, codes in _intraday_orders(board, day).items()]
    positions = intraday_positions(board, day)
    for account, its_positions in groupby(positions, key=lambda each: each.account):
        services.square_off(account, None, positions=list(its_positions), reason=REASON)
    return {"cancelled_orders": sum(cancelled), "positions": len(positions)}


def _cancel(account: TradingAccount, codes: set[int]) -> int:
    return len(services.cancel_all(account, None, codes=codes, product=Product.INTRADAY))


def _intraday_orders(board: Board, day: date) -> dict[TradingAccount, set[int]]:
    """The instruments of live intraday orders by account: what they would open now, nobody would close any more."""
    rows = Order.objects.filter(product=Product.INTRADAY, status__in=LIVE_VALUES, trading_date=day)
    found: dict[TradingAccount, set[int]] = defaultdict(set)
    for order in rows.filter(instrument__segment__in=board.segments).select_related("account", "instrument"):
        if _keeps_hours(order.instrument, board, day):
            found[order.account].add(order.instrument_id)
    return found


def intraday_positions(board: Board, day: date) -> list[Position]:
    """By account."""
    rows = Position.objects.filter(product=Product.INTRADAY, instrument__segment__in=board.segments)
    rows = rows.exclude(signed_quantity=0).select_related("account", "instrument").order_by("account_id", "pk")
    return [each for each in rows if _keeps_hours(each.instrument, board, day)]


def _keeps_hours(instrument: Instrument, board: Board, day: date) -> bool:
    """Shares of one segment close at two times: those with derivatives at their own."""
    return has_derivatives(instrument, day) == board.has_derivatives


def _is_over(board: Board, day: date, now: datetime) -> bool:
    return now >= max(each.close for each in board.sessions(market_calendar(), day))


def _expire(boards: tuple[Board, ...], day: date) -> Report:
    return {"expired_orders": day_end.expire_orders(day, boards[0].segments)}


def _jobs() -> Iterable[Job]:
    for board in BOARDS:
        yield Job(
            name=f"{SQUARE_OFF}.{board.name}",
            exchanges=(board.exchange,),
            due_at=partial(square_off_at, board),
            step=partial(_square_off, board),
            claim_seconds=settings.JOB_CLAIM_SECONDS,
        )
    for name, boards in SAME_SEGMENTS.items():
        yield Job(
            name=f"{ORDER_EXPIRY}.{name}",
            exchanges=(boards[0].exchange,),
            due_at=_after(boards, EXPIRY_AFTER),
            step=partial(_expire, boards),
            claim_seconds=settings.JOB_CLAIM_SECONDS,
        )
    for group in Group:
        boards = tuple(board for board in BOARDS if set(board.segments) <= set(SEGMENTS[group]))
        yield Job(
            name=day_end.job_name(group),
            exchanges=(EXCHANGE[group],),
            due_at=_after(boards, DAY_END_AFTER),
            step=partial(day_end.run, group=group),
            claim_seconds=settings.JOB_CLAIM_SECONDS,
            catches_up=True,
        )


def register_jobs() -> None:
    for job in _jobs():
        register(job)
