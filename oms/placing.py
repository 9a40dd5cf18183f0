"""From requests to orders: planned, checked in their order and held, under the locks of their accounts."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import partial

from django.contrib.auth.models import AbstractBaseUser

from feeds.core.calendar import Phase
from feeds.models import Instrument
from feeds.rows import fetch_each
from feeds.statements import Query
from oms import facts, trading_day
from oms.changes import Change, change, hold_reference
from oms.core.order import OrderStatus, OrderType, Role
from oms.core.rules import (
    Context,
    Contract,
    Draft,
    Refusal,
    RefusalCode,
    check,
    check_before_margin,
    check_from_margin,
    exits_are_sound,
)
from oms.core.sessions import next_open, taken_in
from oms.desk import Desk
from oms.expansion import Plan, plan_of
from oms.interest import hold_instruments
from oms.models import Order, OrderEvent, OrderGroup
from oms.requests import OrderRequest
from rms import holds
from rms.facts import NewFact
from rms.holds import NewHold
from rms.margin import Pending
from rms.market import NoMarketData

NEXT_IDS = "SELECT nextval(pg_get_serial_sequence('oms_order', 'id')) FROM generate_series(1, %s)"
"""Ids before rows: a hold is named after its order, and whether it can be had decides how the order is stored."""

OWN_REFERENCE = "#"
"""Begins the references that are ours; no client's contains it."""
BOUNDED = ("quantity", "disclosed_quantity", "limit_price", "trigger_price")
MAXIMUM_STORED = 2**63 - 1
"""What is refused for being absurd is stored as far as a column can hold it."""


@dataclass
class Intent:
    """One request on its way to its orders. `amounts`: the margin of each draft, in paise."""

    request: OrderRequest
    instrument: Instrument
    contract: Contract
    phase: Phase
    plan: Plan
    counted: bool = True
    """Whether it counts in the rate of orders: of a basket only the first leg does."""
    refusal: Refusal | None = None
    contexts: list[Context] = field(default_factory=list)
    amounts: list[int] = field(default_factory=list)
    orders: list[Order] = field(default_factory=list)

    @property
    def required(self) -> int:
        return sum(self.amounts)

    @property
    def checked_contract(self) -> Contract:
        """What is sliced meets no freeze."""
        sliced = self.plan.kind is OrderGroup.Kind.SLICED
        return replace(self.contract, freeze_quantity=None) if sliced else self.contract


@dataclass
class Placement:
    """What one account is asked for in a transaction. `together`: all or none, so that what is sold may lean on what
    is bought before it."""

    desk: Desk
    intents: Sequence[Intent]
    actor: AbstractBaseUser | None = None
    group: OrderGroup | None = None
    together: bool = False


def intent_of(desk: Desk, request: OrderRequest, instrument: Instrument, *, counted: bool = True) -> Intent:
    """Plan a request's orders; nothing is checked yet."""
    contract = trading_day.contract_of(instrument)
    taken = taken_in(Phase.CONTINUOUS, contract.segment, contract.instrument_type, desk.day)
    plan = plan_of(
        request,
        contract,
        takes_stop_market=OrderType.STOP_LOSS_MARKET in taken.types,
        protect=partial(desk.protect, contract),
    )
    return Intent(request, instrument, contract, trading_day.phase_of(instrument, desk.now), plan, counted)


# --- checking ---------------------------------------------------------------------------------------


def check_all(placements: Sequence[Placement], *, subscribe: bool = True) -> None:
    """Check requests, those of one account one after another; each counts in the checks of those behind it.

    Fills in what each must hold, or why it is refused. `subscribe`: have their instruments fed from now on.
    """
    for placement in placements:
        for intent in placement.intents:
            intent.refusal = _refused_before_margin(placement.desk, intent)
    if subscribe:
        _hold_instruments(placements)
    for placement in placements:
        _check_from_margin(placement.desk, placement.intents, together=placement.together)


def _check_from_margin(desk: Desk, intents: Sequence[Intent], *, together: bool) -> None:
    if together:
        _ask_margins(desk, [intent for intent in intents if intent.refusal is None])
    for intent in intents:
        if intent.refusal is None and not together:
            _ask_margins(desk, [intent])
        if intent.refusal is None:
            intent.refusal = _refused(desk, intent)
        if intent.refusal is None:
            _let_through(desk, intent)


def _refused_before_margin(desk: Desk, intent: Intent) -> Refusal | None:
    intent.contexts = _contexts(desk, intent)
    for draft, context in zip(intent.plan.checked, intent.contexts, strict=True):
        if refusal := check_before_margin(draft, context):
            return refusal
    return _unsound_exits(desk, intent)


def _contexts(desk: Desk, intent: Intent) -> list[Context]:
    return [desk.context(draft, intent.checked_contract, intent.phase) for draft in intent.plan.checked]


def _unsound_exits(desk: Desk, intent: Intent) -> Refusal | None:
    request = intent.request
    if not (request.oco or request.is_bracket):
        return None
    if request.oco and (request.target_price is None or request.stop_price is None):
        return Refusal(RefusalCode.INVALID_EXITS, "A pair of exits needs a target and a stop.")
    if request.is_bracket and request.forever:
        return Refusal(RefusalCode.INVALID_EXITS, "A forever order has no bracket; place its exits when it has filled.")
    side = request.side.opposite if request.oco else request.side
    price = None if request.oco else request.limit_price
    return exits_are_sound(
        side,
        desk.price(intent.contract.code) if price is None else price,
        request.target_price,
        request.stop_price,
        request.trailing_jump,
        intent.contract.tick_size,
    )


def _hold_instruments(placements: Sequence[Placement]) -> None:
    """Have fed what nobody holds yet. An instrument without a price is taken up too, so that the next try finds one."""
    wanting = [intent for placement in placements for intent in _wanting(placement)]
    codes = {intent.contract.code for intent in wanting}
    refused = hold_instruments(codes, placements[0].desk.day) if codes else {}
    for intent in wanting:
        if error := refused.get(intent.contract.code):
            message = f"No more instruments can be fed, and {intent.contract.name} is not among those that are."
            intent.refusal = Refusal(RefusalCode.NO_MARKET_DATA, message, dict(error.details))


def _wanting(placement: Placement) -> Iterator[Intent]:
    """What an account has open or on order is held already."""
    desk = placement.desk
    known = {order.code for order in desk.live} | {position.code for position in desk.held}
    for intent in placement.intents:
        if intent.contract.code not in known and (intent.refusal is None or lacks_price(intent.refusal)):
            yield intent


def lacks_price(refusal: Refusal) -> bool:
    return refusal.code is RefusalCode.NO_LAST_PRICE


def _ask_margins(desk: Desk, intents: Sequence[Intent]) -> None:
    """What the orders of each must hold, all asked at once; where one lacks a price, each alone, to know which."""
    new = [pending for number, intent in enumerate(intents) for pending in pending_of(desk, intent, number)]
    try:
        amounts = desk.margin_of(new) if new else {}
    except NoMarketData as error:
        _refuse_unpriced(desk, intents, error)
        return
    for number, intent in enumerate(intents):
        intent.amounts = [amounts.get(f"{number}.{place}", 0) for place in range(len(intent.plan.drafts))]


def _refuse_unpriced(desk: Desk, intents: Sequence[Intent], error: NoMarketData) -> None:
    if len(intents) > 1:
        for intent in intents:
            _ask_margins(desk, [intent])
        return
    message = f"{error} It is being subscribed; try again in a moment."
    intents[0].refusal = Refusal(RefusalCode.NO_MARKET_DATA, message, error.details)


def pending_of(desk: Desk, intent: Intent, number: int) -> Iterator[Pending]:
    """The orders of an intent as margin sees them, referenced by the intent's number and their place; no exits."""
    for place, draft in enumerate(intent.plan.drafts):
        if not draft.reduces:
            price = desk.worst_price(draft, intent.contract)
            yield Pending(f"{number}.{place}", intent.contract.code, draft.product, draft.signed_quantity, price)


def _refused(desk: Desk, intent: Intent) -> Refusal | None:
    """The rest, now that margins are known; all of it again, when others were let through meanwhile."""
    is_first = not desk.let_through
    contexts = intent.contexts if is_first else _contexts(desk, intent)
    for draft, context in zip(intent.plan.checked, contexts, strict=True):
        with_margin = replace(context, required_margin=0 if draft.reduces else intent.required)
        if refusal := (check_from_margin if is_first else check)(draft, with_margin):
            return refusal
    return None


def _let_through(desk: Desk, intent: Intent) -> None:
    intent.orders = [_order(desk, intent, draft) for draft in intent.plan.drafts]
    desk.add(intent.orders, intent.required)
    if intent.counted:
        desk.count(intent.contract.segment)


# --- rows -------------------------------------------------------------------------------------------


def _order(desk: Desk, intent: Intent, draft: Draft) -> Order:
    """A row without id and status."""
    request, contract, now = intent.request, intent.contract, desk.now
    release_at = next_open(contract.segment, now, trading_day.trading_calendar()) if draft.after_market else None
    day = release_at.date() if release_at is not None else trading_day.trading_date(contract.segment, now)
    return Order(
        account_id=desk.account_id,
        user_id=desk.user_id,
        client_reference=request.client_reference,
        request_digest=request.digest,
        source=draft.source,
        instrument=intent.instrument,
        side=draft.side,
        order_type=draft.order_type,
        validity=draft.validity,
        product=draft.product,
        quantity=draft.quantity,
        disclosed_quantity=draft.disclosed_quantity,
        limit_price=draft.limit_price,
        trigger_price=draft.trigger_price,
        reduces=draft.reduces,
        status=OrderStatus.QUEUED if draft.sent_later else OrderStatus.TRANSIT,
        role=draft.role,
        after_market=draft.after_market,
        forever=draft.forever,
        release_at=None if draft.waits else release_at,
        trading_date=day,
        placed_at=now,
        updated_at=now,
    )


def refused_order(desk: Desk, intent: Intent) -> Order:
    """What is stored of a request that was not taken: its main order, as far as a row can hold it."""
    order = _order(desk, intent, intent.plan.drafts[0])
    order.quantity = max(order.quantity, 1)
    for name in BOUNDED:
        value = getattr(order, name)
        setattr(order, name, None if value is None else min(value, MAXIMUM_STORED))
    return order


def write(placements: Sequence[Placement], ids: Sequence[int]) -> list[Change]:
    """Hold the margin of what was let through and make the changes that store all of it. `ids`: of `ids_query`, for
    the first of the orders."""
    for placement in placements:
        for intent in placement.intents:
            if intent.refusal is not None:
                intent.orders = [refused_order(placement.desk, intent)]
    _number([order for placement in placements for intent in placement.intents for order in intent.orders], ids)
    for placement in placements:
        _join_groups(placement.desk, placement.intents, placement.group)
    holds.place_new([hold for placement in placements for hold in _holds(placement)])
    return [
        each
        for placement in placements
        for intent in placement.intents
        for each in _changes(intent, placement.desk.now, placement.actor)
    ]


def _holds(placement: Placement) -> Iterator[NewHold]:
    """What the orders bind that were let through; exits bind nothing."""
    for intent in placement.intents:
        if intent.refusal is None:
            for order, amount in zip(intent.orders, intent.amounts, strict=True):
                if not order.reduces:
                    yield NewHold(order.account_id, hold_reference(order.pk), amount)


def _number(orders: Sequence[Order], ids: Sequence[int]) -> None:
    """Give rows their ids. Of the orders of one request the first keeps the client's reference."""
    used: set[tuple[int, str]] = set()
    for order, pk in zip(orders, [*ids, *_more_ids(len(orders) - len(ids))], strict=False):
        order.pk = pk
        if (order.account_id, order.client_reference) in used:
            order.client_reference = f"{OWN_REFERENCE}{pk}"
        used.add((order.account_id, order.client_reference))


def _more_ids(count: int) -> list[int]:
    """A bracket or slices are several orders of one request."""
    if count <= 0:
        return []
    [rows] = fetch_each(ids_query(count))
    return [pk for (pk,) in rows]


def ids_query(count: int) -> Query:
    """What to ask for so many ids of orders."""
    return NEXT_IDS, [count]


def _join_groups(desk: Desk, intents: Iterable[Intent], group: OrderGroup | None) -> None:
    for intent in intents:
        own = group
        if intent.plan.kind is not None and intent.refusal is None:
            own = OrderGroup.objects.create(
                account_id=desk.account_id, kind=intent.plan.kind, trailing_jump=intent.request.trailing_jump
            )
        for order in intent.orders:
            order.group = own
            if own is not None and own is group and order.role == Role.SINGLE:
                order.role = Role.LEG


def _changes(intent: Intent, at: datetime, actor: AbstractBaseUser | None) -> Iterator[Change]:
    refusal = intent.refusal
    if refusal is not None:
        order = intent.orders[0]
        order.status = ""
        yield change(
            order, OrderEvent.Kind.REJECTED, OrderStatus.REJECTED, at=at, actor=actor,
            reason_code=refusal.code, reason=refusal.message, details=refusal.details,
        )  # fmt: skip
        return
    for number, order in enumerate(intent.orders):
        status, order.status = OrderStatus(order.status), ""
        counted = {"counted": True} if intent.counted and number == 0 else {}
        yield change(order, OrderEvent.Kind.PLACED, status, at=at, actor=actor, details=counted)


def refusal_facts(placements: Iterable[Placement]) -> list[NewFact]:
    return [
        (order.account_id, facts.REFUSAL, facts.refusal_body(order, intent.refusal.details))
        for placement in placements
        for intent in placement.intents
        if intent.refusal is not None
        for order in intent.orders
    ]
