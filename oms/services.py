"""The order desk: placing, changing, cancelling, squaring off, converting. Each is one transaction under its locks."""

from __future__ import annotations

import re
import uuid
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from typing import NamedTuple

from django.contrib.auth.models import AbstractBaseUser
from django.db import transaction
from django.db.models import QuerySet

from feeds import audit, clock
from feeds.core.calendar import Phase
from feeds.core.instrument import ExchangeSegment, InstrumentKey, InstrumentType
from feeds.rows import fetch_each, sent_together
from feeds.statements import Query
from oms import bell, placing, trading_day
from oms.changes import Change, change, hold_reference, lock_orders, save_changes
from oms.core.order import EXITS, STOP_TYPES, TERMINAL, OrderStatus, OrderType, Role, Side, Source, Validity
from oms.core.rules import (
    PRODUCTS_OF,
    Draft,
    Refusal,
    RefusalCode,
    check,
    check_before_margin,
    closable_quantity,
    is_contract,
    margin_refusal,
    rate_refusal,
)
from oms.core.sessions import taken_in
from oms.desk import Desk, allowed_in_second, desk_queries, requests_in_second
from oms.errors import ChangeRefused, NotChangeable, OrderError, OrderRefused, ReferenceTaken
from oms.models import LIVE_VALUES, Order, OrderEvent, OrderGroup
from oms.placing import Intent
from oms.requests import OrderRequest
from rms import facts, gate, holds, ledger
from rms.core.position import average_price
from rms.core.product import Product
from rms.fills import Fill, record_fills
from rms.margin import Pending
from rms.market import NoMarketData
from rms.models import Funds, Hold, KillSwitch, Position, PositionChange, TradingAccount
from rms.standing import standing_of

User = AbstractBaseUser
Kind = OrderEvent.Kind

REFERENCE = re.compile(r"[A-Za-z0-9 _.:-]{1,40}")
NO_REFERENCE = "A client reference has 1 to 40 letters, digits, spaces or any of _ . : -"
KNOWN = """
SELECT id FROM oms_order
JOIN unnest(%s::bigint[], %s::text[]) AS asked (account_id, client_reference) USING (account_id, client_reference)
"""
CHANGEABLE = ("quantity", "limit_price", "trigger_price", "disclosed_quantity", "order_type", "validity")
SQUARED_OFF = "SQUARED_OFF"
KILLED = "KILL_SWITCH"


# --- placing ------------------------------------------------------------------------------------------


class Asked(NamedTuple):
    """A request and who makes it."""

    request: OrderRequest
    user: User | None


Answer = Order | OrderError


def place_order(request: OrderRequest, user: User | None) -> Order:
    """Place one order and say at once whether it was taken; a repeat gets the first answer.

    Raises:
        OrderRefused: a check refused it; it is stored as REJECTED.
        ReferenceTaken: its reference named another request before.
        OrderError: the reference is none.
    """
    [answer] = place_each([Asked(request, user)])
    return taken(answer)


def taken(answer: Answer) -> Order:
    """The order of an answer.

    Raises:
        OrderRefused, ReferenceTaken, OrderError: as `place_order`.
    """
    order = _order_of(answer)
    if order.status == OrderStatus.REJECTED and order.sequence == 1:
        event = order.events.get(sequence=1)
        raise OrderRefused(order.reason_code, order.reason, order.pk, **event.details)
    return order


def _order_of(answer: Answer) -> Order:
    if isinstance(answer, OrderError):
        raise answer
    return answer


@transaction.atomic
def place_orders(
    requests: Sequence[OrderRequest], user: User | None, *, group: OrderGroup | None = None
) -> list[Order]:
    """Place many in one transaction: the (main) order of each request, refused ones as REJECTED.

    Raises:
        OrderRefused: an instrument is unknown; nothing was placed.
        ReferenceTaken, OrderError: as `place_order`; nothing was placed.
    """
    return [_order_of(answer) for answer in _place([Asked(request, user) for request in requests], group)]


@transaction.atomic
def place_each(asked: Sequence[Asked]) -> list[Answer]:
    """Place the requests of many users in one transaction, each with an answer of its own: what `place_order` would
    return or raise. An account is traded by one user at a time.

    Raises:
        ValueError: two users trade one account.
    """
    return _place(asked, None)


def _place(asked: Sequence[Asked], group: OrderGroup | None) -> list[Answer]:
    """One message locks the accounts and reads them as if every request was new: nearly all are."""
    users = _one_user_each(asked)
    traders = {account_id: _pk(user) for account_id, user in users.items()}
    answers = _without_reference(asked)
    _, funds_rows, known, ids, *books = fetch_each(
        gate.shared_query(),
        ledger.lock_query(users),
        _known_query([each.request for each in asked if each.request.key not in answers]),
        placing.ids_query(len(asked)),
        *desk_queries(traders),
    )
    answers |= _first_answers([pk for (pk,) in known])
    fresh = [each.request for each in asked if each.request.key not in answers]
    if fresh:
        codes = {request.code for request in fresh}
        desks = Desk.of_rows(books, ledger.locked(funds_rows).values(), traders, clock.exchange_now(), codes)
        answers |= _place_fresh(desks, fresh, users, group, [pk for (pk,) in ids])
    return [_answer_to(each.request, answers) for each in asked]


Answers = dict[tuple[int, str], Answer]
"""By account and reference."""


def _answer_to(request: OrderRequest, answers: Answers) -> Answer:
    """A repeat gets the first answer; another request under its reference is refused."""
    first = answers[request.key]
    if isinstance(first, Order) and first.request_digest != request.digest:
        return ReferenceTaken(request.client_reference, first.pk)
    return first


def _without_reference(asked: Sequence[Asked]) -> Answers:
    """What is no reference never gets further."""
    return {
        each.request.key: OrderError(NO_REFERENCE, reference=each.request.client_reference)
        for each in asked
        if not REFERENCE.fullmatch(each.request.client_reference)
    }


def _known_query(requests: Sequence[OrderRequest]) -> Query:
    """The ids of orders that these references name; nearly always none, so the rows are read afterwards."""
    return KNOWN, [[request.account_id for request in requests], [request.client_reference for request in requests]]


def _first_answers(known: Sequence[int]) -> Answers:
    """What was answered before."""
    found = Order.objects.in_bulk(known)
    return {(row.account_id, row.client_reference): row for row in found.values()}


def _place_fresh(
    desks: Mapping[int, Desk],
    fresh: Sequence[OrderRequest],
    users: Mapping[int, User | None],
    group: OrderGroup | None,
    ids: Sequence[int],
) -> Answers:
    """What is asked for the first time, each reference once. `ids`: for the first of their orders."""
    first: dict[tuple[int, str], OrderRequest] = {}
    for request in fresh:
        first.setdefault(request.key, request)
    answers: Answers = {key: unknown for key, request in first.items() if (unknown := _unknown(desks, request))}
    known = [request for key, request in first.items() if key not in answers]
    placements = [
        _placement(desk, own, users[account_id], group)
        for account_id, desk in desks.items()
        if (own := [request for request in known if request.account_id == account_id])
    ]
    if placements:
        placing.check_all(placements)
        with sent_together(), facts.together():
            save_changes(placing.write(placements, ids), also=placing.refusal_facts(placements))
        bell.ring_after_commit()
    return answers | {each.request.key: each.orders[0] for placement in placements for each in placement.intents}


def _one_user_each(asked: Iterable[Asked]) -> dict[int, User | None]:
    users: dict[int, User | None] = {}
    for request, user in asked:
        if users.setdefault(request.account_id, user) != user:
            raise ValueError(f"two users trade account {request.account_id} at once")
    return users


def _unknown(desks: Mapping[int, Desk], request: OrderRequest) -> OrderRefused | None:
    """A request of what is no instrument has no row to be stored in."""
    try:
        desks[request.account_id].market.instrument(request.code)
    except NoMarketData as error:
        message = f"There is no instrument {InstrumentKey.from_code(request.code)}."
        return OrderRefused(RefusalCode.UNKNOWN_INSTRUMENT, message, **error.details)
    return None


def _placement(
    desk: Desk, requests: Sequence[OrderRequest], user: User | None, group: OrderGroup | None
) -> placing.Placement:
    intents = intents_of(desk, requests, counted_once=group is not None)
    return placing.Placement(desk, intents, user, group, together=group is not None)


def intents_of(desk: Desk, requests: Sequence[OrderRequest], *, counted_once: bool = False) -> list[Intent]:
    """Raises: OrderRefused: an instrument is unknown."""
    intents = []
    for number, request in enumerate(requests):
        if unknown := _unknown({desk.account_id: desk}, request):
            raise unknown
        instrument = desk.market.instrument(request.code)
        intents.append(placing.intent_of(desk, request, instrument, counted=number == 0 or not counted_once))
    return intents


# --- changing -----------------------------------------------------------------------------------------


@transaction.atomic
def modify_order(
    order: Order,
    user: User | None,
    *,
    quantity: int | None = None,
    limit_price: int | None = None,
    trigger_price: int | None = None,
    disclosed_quantity: int | None = None,
    order_type: OrderType | None = None,
    validity: Validity | None = None,
) -> Order:
    """Change what is given; `quantity` is the new total, fills included. What a new type has no use for is dropped.

    An order that was not sent is changed at once, one at the venue by the execution process. More margin is held
    before, less is given back when the change has happened.

    Raises:
        NotChangeable: it has ended, is being cancelled, or that part of it cannot change.
        ChangeRefused: a check refuses what it would become; the order stays as it is.
    """
    gate.shared()
    funds = ledger.lock([order.account_id])[order.account_id]
    row = lock_orders([order.pk])[order.pk]
    asked = {
        "quantity": quantity, "limit_price": limit_price, "trigger_price": trigger_price,
        "disclosed_quantity": disclosed_quantity, "order_type": order_type, "validity": validity,
    }  # fmt: skip
    wanted = _as_it_would_be(row, {name: value for name, value in asked.items() if value is not None})
    desk = Desk.open(funds, _pk(user), clock.exchange_now(), [row.instrument_id])
    held = _held(row)
    amount = _changed_margin(desk, row, wanted, held)
    if is_here(row):
        _resize(row, held, amount)
        at_once = change(row, Kind.MODIFIED, at=desk.now, actor=user, details=_words(wanted), **wanted)
        save_changes([at_once])
        return row
    if amount > held:
        _resize(row, held, amount)
    request = {
        **_words(wanted), "by": _pk(user), "hold": amount, "held": held, "filled_quantity": row.filled_quantity
    }  # fmt: skip
    details = {**_words(wanted), "counted": True}
    save_changes([change(row, Kind.MODIFY_REQUESTED, at=desk.now, actor=user, details=details, modify_request=request)])
    bell.ring_after_commit()
    return row


def is_here(order: Order) -> bool:
    """Whether it waits with us. A bracket's exits go to the venue with their entry, and wait there."""
    if order.status != OrderStatus.QUEUED:
        return False
    if order.role not in EXITS or order.group is None or order.group.kind != OrderGroup.Kind.BRACKET:
        return True
    return order.group.orders.filter(role=Role.ENTRY, status=OrderStatus.QUEUED).exists()


def _as_it_would_be(row: Order, asked: Mapping[str, object]) -> dict[str, object]:
    """The columns that change, and to what."""
    if row.status in TERMINAL:
        raise NotChangeable(f"The order has ended ({row.status}).", status=row.status)
    if row.cancel_requested:
        raise NotChangeable("The order is being cancelled.", status=row.status)
    if "quantity" in asked and row.group_id and row.role in (Role.ENTRY, *EXITS):
        raise NotChangeable("The quantity of a bracket or a pair cannot be changed; cancel it and place it anew.")
    if row.triggered and not asked.keys().isdisjoint(("trigger_price", "order_type")):
        raise NotChangeable("The stop has been triggered; only its limit and quantity can still be changed.")
    pending = {name: row.modify_request[name] for name in CHANGEABLE if name in (row.modify_request or {})}
    wanted = {**pending, **asked}
    kind = OrderType(str(wanted.get("order_type", row.order_type)))
    if kind not in (OrderType.LIMIT, OrderType.STOP_LOSS):
        wanted["limit_price"] = None
    if kind not in STOP_TYPES:
        wanted["trigger_price"] = None
    return {name: value for name, value in wanted.items() if name in pending or value != getattr(row, name)}


def _draft_after(row: Order, wanted: Mapping[str, object]) -> Draft:
    """What would be left to trade, as one order. A triggered stop is a limit order by now."""
    after = {name: wanted.get(name, getattr(row, name)) for name in CHANGEABLE}
    triggered = row.triggered and row.order_type in STOP_TYPES
    return Draft(
        side=Side(row.side),
        order_type=OrderType.LIMIT if triggered else OrderType(after["order_type"]),
        quantity=after["quantity"] - row.filled_quantity,
        product=Product(row.product),
        validity=Validity(after["validity"]),
        limit_price=after["limit_price"] or (row.protection_price if triggered else None),
        trigger_price=None if triggered else after["trigger_price"],
        disclosed_quantity=min(after["disclosed_quantity"], after["quantity"] - row.filled_quantity),
        after_market=row.after_market and row.status == OrderStatus.QUEUED,
        forever=row.forever,
        reduces=row.reduces,
        waits=row.role in EXITS and row.status == OrderStatus.QUEUED and not row.forever,
        role=Role(row.role),
        source=Source(row.source),
    )


def _changed_margin(desk: Desk, row: Order, wanted: Mapping[str, object], held: int) -> int:
    """What the order must hold after the change, in paise, once all checks have let it through."""
    instrument = desk.market.instrument(row.instrument_id)
    contract, draft = trading_day.contract_of(instrument), _draft_after(row, wanted)
    if draft.quantity <= 0:
        message = f"{row.filled_quantity} have been filled already; the new quantity must be larger."
        raise ChangeRefused(RefusalCode.INVALID_QUANTITY, message, filled_quantity=row.filled_quantity)
    # An after-market order may be changed whenever it still waits.
    phase = Phase.CONTINUOUS if draft.after_market else trading_day.phase_of(instrument, desk.now)
    context = desk.context(draft, contract, phase, without=row.pk)
    context = placing.replace(context, takes_after_market=True, available_margin=desk.available + held)
    _require(check_before_margin(draft, context))
    amount = 0 if draft.reduces else _margin_of(desk, draft, row, desk.worst_price(draft, contract))
    _require(check(draft, placing.replace(context, required_margin=amount)))
    return amount


def _margin_of(desk: Desk, draft: Draft, row: Order, price: int) -> int:
    pending = Pending(str(row.pk), row.instrument_id, draft.product, draft.signed_quantity, price)
    try:
        return desk.margin_of([pending], without=row.pk)[pending.reference]
    except NoMarketData as error:
        raise ChangeRefused(RefusalCode.NO_MARKET_DATA, str(error), **error.details) from error


def _held(row: Order) -> int:
    return Hold.objects.filter(reference=hold_reference(row.pk)).values_list("amount", flat=True).first() or 0


def _resize(row: Order, held: int, amount: int) -> None:
    if amount != held:
        holds.resize(hold_reference(row.pk), amount)


def _words(wanted: Mapping[str, object]) -> dict[str, object]:
    return {name: str(value) if isinstance(value, OrderType | Validity) else value for name, value in wanted.items()}


def _require(refusal: Refusal | None) -> None:
    if refusal is not None:
        raise ChangeRefused(refusal.code, refusal.message, **refusal.details)


# --- cancelling -----------------------------------------------------------------------------------------


@transaction.atomic
def cancel_order(order: Order, user: User | None) -> Order:
    """Cancel an order that waits here, or ask the venue to. Asking twice changes nothing.

    A bracket whose entry is cancelled goes as a whole.

    Raises:
        NotChangeable: it has ended.
        ChangeRefused: too many requests in this second, or the exchange cancels nothing now.
    """
    funds = ledger.lock([order.account_id])[order.account_id]
    row = lock_orders([order.pk])[order.pk]
    if row.status in TERMINAL:
        raise NotChangeable(f"The order has ended ({row.status}).", status=row.status)
    if row.cancel_requested:
        return row
    now = clock.exchange_now()
    _require(_cancel_refusal(row, funds.account_id, user, now))
    save_changes(_cancellations([row], user, now, counted=True))
    bell.ring_after_commit()
    return row


def _cancel_refusal(row: Order, account_id: int, user: User | None, now: datetime) -> Refusal | None:
    instrument = row.instrument
    segment = ExchangeSegment(instrument.segment)
    phase = trading_day.phase_of(instrument, now)
    taken = taken_in(phase, segment, InstrumentType(instrument.instrument_type), now.date())
    if row.status != OrderStatus.QUEUED and phase is not Phase.CLOSED and not taken.cancel:
        words = phase.replace("_", " ").lower()
        message = f"The exchange cancels nothing in this part of the day ({words})."
        return Refusal(RefusalCode.MARKET_CLOSED, message, {"phase": phase.value})
    allowed = allowed_in_second(standing_of(account_id, _pk(user)))
    return rate_refusal(allowed) if requests_in_second(account_id).get(segment, 0) >= allowed else None


@transaction.atomic
def cancel_all(
    account: TradingAccount,
    user: User | None,
    *,
    codes: Collection[int] | None = None,
    product: Product | None = None,
) -> list[Order]:
    """Cancel every live order of an account, or those in these instruments, or of this product: it is one request."""
    ledger.lock([account.pk])
    live = Order.objects.filter(account=account)
    live = live if codes is None else live.filter(instrument_id__in=list(codes))
    return _cancel_many(live if product is None else live.filter(product=product), user)


def _cancel_many(orders: QuerySet[Order], user: User | None, reason_code: str = "", reason: str = "") -> list[Order]:
    """Under the funds rows of the accounts concerned."""
    ids = orders.filter(status__in=LIVE_VALUES, cancel_requested=False).values_list("pk", flat=True)
    rows = [row for row in lock_orders(list(ids)).values() if row.status in LIVE_VALUES]
    save_changes(_cancellations(rows, user, clock.exchange_now(), reason_code, reason))
    bell.ring_after_commit()
    return rows


def _cancellations(
    rows: Sequence[Order],
    user: User | None,
    at: datetime,
    reason_code: str = "CANCELLED_BY_USER",
    reason: str = "Cancelled on request.",
    *,
    counted: bool = False,
) -> list[Change]:
    """What waits here ends at once, with the exits that wait for it; the rest is asked of the venue."""
    details = {"counted": True} if counted else {}
    here = {row.pk: row for row in rows if is_here(row)}
    changes = [
        change(
            row, Kind.CANCEL_REQUESTED, at=at, actor=user, reason_code=reason_code, reason=reason, details=details,
            cancel_requested=True, cancel_requested_by=user,
        )
        for row in rows if row.pk not in here
    ]  # fmt: skip
    entries = {row.group_id for row in here.values() if row.role == Role.ENTRY}
    exits = Order.objects.filter(group_id__in=entries, role__in=EXITS, status=OrderStatus.QUEUED) if entries else ()
    ending = here | {row.pk: row for row in exits if row.pk not in here}
    for row in ending.values():
        changes.append(
            change(
                row, Kind.CANCELLED, OrderStatus.CANCELLED, at=at, actor=user,
                reason_code=reason_code, reason=reason, details=details if row.pk in here else {},
            )
        )  # fmt: skip
    return changes


def cancel_for_switch(switch: KillSwitch) -> None:
    """What a kill switch does to open orders: called behind the closed gate, in the switch's transaction."""
    orders = Order.objects.filter(status__in=LIVE_VALUES)
    if switch.account_id is not None:
        orders = orders.filter(account_id=switch.account_id)
    elif switch.user_id is not None:
        orders = orders.filter(user_id=switch.user_id)
    ledger.lock(orders.values_list("account_id", flat=True).distinct())
    _cancel_many(orders, switch.engaged_by, KILLED, f"Trading was stopped: {switch.reason}")


# --- squaring off ---------------------------------------------------------------------------------------


@transaction.atomic
def square_off(
    account: TradingAccount,
    user: User | None,
    positions: Iterable[Position] | None = None,
    reason: str = "Squared off.",
) -> list[Order]:
    """Close positions (None: all open ones) with protected market orders, their instruments' orders cancelled first.

    Allowed while a kill switch is on and in a deficit. Returns the orders, refused ones (a closed market) as REJECTED.
    """
    gate.shared()
    ledger.lock([account.pk])
    wanted = Position.objects.filter(account=account).exclude(signed_quantity=0).order_by("pk")
    if positions is not None:
        wanted = wanted.filter(pk__in=[position.pk for position in positions])
    rows = list(wanted)
    if not rows:
        return []
    codes = {row.instrument_id for row in rows}
    _cancel_many(Order.objects.filter(account=account, instrument_id__in=codes), user, SQUARED_OFF, reason)
    orders = place_orders([_closing(row) for row in rows], user)
    audit.record(
        user, "positions.square_off", f"account {account.name}", reason, {"orders": [order.pk for order in orders]}
    )
    return orders


def _closing(position: Position) -> OrderRequest:
    return OrderRequest(
        account_id=position.account_id,
        code=position.instrument_id,
        side=Side.SELL if position.signed_quantity > 0 else Side.BUY,
        quantity=abs(position.signed_quantity),
        product=Product(position.product),
        client_reference=f"sq-{uuid.uuid4().hex}",
        order_type=OrderType.MARKET,
        slice=True,
        reduces=True,
        source=Source.SQUARE_OFF,
    )


# --- converting -----------------------------------------------------------------------------------------


@transaction.atomic
def convert(
    position: Position, user: User | None, *, product: Product, quantity: int, client_reference: str
) -> list[Order]:
    """Move part of a position to another product at its average price; the difference in margin is bound or let go.

    The same reference again changes nothing. Returns the order that the event was told of, if there is one.

    Raises:
        ChangeRefused: the product is not for this instrument, that much is not free to be moved, or margin is short.
    """
    gate.shared()
    account_id = position.account_id
    funds = ledger.lock([account_id])[account_id]
    reference = f"convert.{account_id}.{client_reference}"
    if PositionChange.objects.filter(reference__startswith=f"{reference}.").exists():
        return []
    row = Position.objects.select_for_update(of=("self",)).get(pk=position.pk)
    desk = Desk.open(funds, _pk(user), clock.exchange_now(), [row.instrument_id])
    _require(_conversion_refusal(desk, row, product, quantity))
    _move(desk, row, product, quantity, reference)
    _require_covered(funds)
    return _tell_conversion(desk, row, product, quantity, user)


def _conversion_refusal(desk: Desk, row: Position, product: Product, quantity: int) -> Refusal | None:
    instrument = desk.market.instrument(row.instrument_id)
    side = Side.SELL if row.signed_quantity > 0 else Side.BUY
    draft = Draft(side=side, order_type=OrderType.MARKET, quantity=quantity, product=Product(row.product))
    free = min(closable_quantity(draft, desk.exposure(draft, row.instrument_id, desk.live)), abs(row.signed_quantity))
    contract = trading_day.contract_of(instrument)
    allowed = PRODUCTS_OF[is_contract(contract.instrument_type)]
    if desk.standing.stopped is not None:
        return Refusal(RefusalCode.KILL_SWITCH, f"Trading is stopped for {desk.standing.stopped}.")
    if not desk.standing.enabled:
        return Refusal(RefusalCode.ACCOUNT_DISABLED, "The account is closed for conversions; exits are still possible.")
    if product == row.product or product not in allowed:
        return Refusal(RefusalCode.PRODUCT_NOT_ALLOWED, f"It cannot be converted from {row.product} to {product}.")
    if row.signed_quantity < 0 and product in (Product.CNC, Product.MTF):
        return Refusal(RefusalCode.PRODUCT_NOT_ALLOWED, f"A short position cannot be {product}.")
    if not 0 < quantity <= free or quantity % contract.lot:
        message = f"{free} of the position can be converted, in whole lots; the rest is in open orders."
        return Refusal(RefusalCode.INVALID_QUANTITY, message, {"convertible": free})
    return None


def _move(desk: Desk, row: Position, product: Product, quantity: int, reference: str) -> None:
    """Out of one product and into the other at one price: no profit, no trade, only other margin and cash."""
    instrument = desk.market.instrument(row.instrument_id)
    average = average_price(row.signed_quantity, row.open_cost, instrument.multiplier)
    sign = 1 if row.signed_quantity > 0 else -1
    legs = ((row.product, -sign * quantity, "out"), (product.value, sign * quantity, "in"))
    record_fills(
        [
            Fill(
                desk.account_id, row.instrument_id, name, signed, round(average or 0), instrument.multiplier,
                f"{reference}.{leg}", row.trading_date, desk.now, kind=PositionChange.Kind.CONVERSION,
            )
            for name, signed, leg in legs
        ],
        desk.market,
    )  # fmt: skip


def _require_covered(before: Funds) -> None:
    """A conversion is asked for, so it may not leave less than the floor as a fill may."""
    after = Funds.objects.get(pk=before.pk)
    bound = before.available - after.available
    if bound > 0 and after.available < after.floor:
        _require(margin_refusal(bound, before.available - before.floor))


def _tell_conversion(desk: Desk, row: Position, product: Product, quantity: int, user: User | None) -> list[Order]:
    """The event goes to the last order that filled into the position; one carried from long ago may have none."""
    filled = Order.objects.filter(
        account_id=desk.account_id, instrument_id=row.instrument_id, product=row.product, filled_quantity__gt=0
    )
    last = filled.order_by("-pk").values_list("pk", flat=True).first()
    details = {"from": row.product, "to": product.value, "quantity": quantity}
    target = f"{InstrumentKey.from_code(row.instrument_id)} of account {desk.account_id}"
    audit.record(user, "position.convert", target, "", details)
    if last is None:
        return []
    order = lock_orders([last])[last]
    save_changes([change(order, Kind.CONVERTED, at=desk.now, actor=user, details=details)])
    return [order]


def _pk(user: User | None) -> int | None:
    return None if user is None else user.pk
