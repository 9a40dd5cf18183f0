"""Steps of the execution: what waits and what ticks becomes trades, money and events, in one transaction."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest
from asgiref.sync import sync_to_async
from django.db import DatabaseError, connection, connections

from feeds import clock
from feeds.models import Lease
from oms.models import Order, OrderEvent, OrderGroup, Trade
from oms.process.fencing import LEASE, Fenced
from oms.services import cancel_all, cancel_order
from rms import kill_switch
from rms.models import AccountFact, Funds, Hold, Position
from tests.oms.process.trading import CODE, DAY, MORNING, a_desk, an_account, an_option, row, send

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("redis")]

in_database = sync_to_async


@pytest.fixture
async def account():
    await in_database(an_option)()
    yield await in_database(an_account)()
    await in_database(connections.close_all)()


async def test_an_order_that_waits_is_filled_from_the_displayed_depth_and_paid_for(account):
    order = await in_database(send)(account, limit_price=12_010, quantity=150, held=1_801_500)
    async with a_desk() as desk:
        await desk.ticks(row(asks=[(12_005, 75), (12_010, 500)]))
        await order.arefresh_from_db()
        assert (order.status, order.filled_quantity, order.filled_value) == ("FILLED", 150, 75 * 12_005 + 75 * 12_010)
    trades = [trade async for trade in Trade.objects.order_by("number").values_list("number", "quantity", "price")]
    assert trades == [(1, 75, 12_005), (2, 75, 12_010)]
    funds = await Funds.objects.aget(pk=account.pk)
    assert (funds.cash, funds.held_margin) == (100_000_000 - order.filled_value, 0)
    assert (await Position.objects.aget()).signed_quantity == 150
    assert (await Hold.objects.aget()).state == "POSTED"
    kinds = [kind async for kind in OrderEvent.objects.order_by("sequence").values_list("kind", flat=True)]
    assert kinds == ["ACCEPTED", "FILLED", "FILLED"]
    offsets = [fact async for fact in AccountFact.objects.order_by("offset").values_list("offset", flat=True)]
    assert offsets == list(range(1, len(offsets) + 1))


async def test_after_a_part_the_hold_binds_the_share_of_the_rest_rounded_up(account):
    order = await in_database(send)(account, limit_price=12_010, quantity=225, held=1_000_000)
    async with a_desk() as desk:
        await desk.ticks(row(asks=[(12_010, 75)]))
    await order.arefresh_from_db()
    assert (order.status, order.filled_quantity) == ("PARTIALLY_FILLED", 75)
    assert (await Hold.objects.aget()).amount == 666_667


async def test_a_cancelled_order_gives_its_margin_back_and_names_who_asked(account):
    order = await in_database(send)(account, limit_price=11_000, held=500_000)
    async with a_desk() as desk:
        await desk.ticks(row(asks=[(12_010, 75)]))
        await in_database(cancel_order)(order, account.owner)
        await desk.step()
    await order.arefresh_from_db()
    assert (order.status, order.reason_code) == ("CANCELLED", "CANCELLED_BY_USER")
    assert (await Funds.objects.aget(pk=account.pk)).held_margin == 0
    assert (await OrderEvent.objects.aget(kind="CANCELLED")).actor_id == account.owner_id


async def test_an_order_cancelled_before_it_was_sent_never_comes_to_the_venue(account):
    order = await in_database(send)(account, limit_price=12_010, held=500_000, cancel_requested=True)
    async with a_desk() as desk:
        await desk.ticks(row(asks=[(12_010, 75)]))
    await order.arefresh_from_db()
    assert (order.status, order.filled_quantity) == ("CANCELLED", 0)


async def test_a_change_keeps_the_order_and_takes_the_request_away(account):
    order = await in_database(send)(account, limit_price=11_000, held=500_000)
    async with a_desk() as desk:
        await desk.ticks(row(asks=[(12_010, 75)]))
        await Order.objects.filter(pk=order.pk).aupdate(modify_request={"limit_price": 12_010})
        await desk.step()
    await order.arefresh_from_db()
    assert (order.status, order.limit_price, order.modify_request) == ("FILLED", 12_010, None)


async def test_a_change_to_less_gives_the_difference_back(account):
    order = await in_database(send)(account, limit_price=11_000, quantity=150, held=1_000_000)
    async with a_desk() as desk:
        await desk.ticks(row(asks=[(12_010, 75)]))
        asked = {"quantity": 75, "hold": 500_000, "held": 1_000_000, "filled_quantity": 0}
        await Order.objects.filter(pk=order.pk).aupdate(modify_request=asked)
        await desk.step()
    await order.arefresh_from_db()
    assert (order.status, order.quantity, order.modify_request) == ("OPEN", 75, None)
    assert (await Funds.objects.aget(pk=account.pk)).held_margin == 500_000
    assert (await Hold.objects.aget()).amount == 500_000


async def test_a_restart_goes_on_with_the_book_as_it_was(account):
    partly = await in_database(send)(account, limit_price=12_010, quantity=150, held=2_000_000)
    stop = await in_database(send)(
        account, side="SELL", order_type="STOP_LOSS_MARKET", trigger_price=11_500, held=100_000
    )
    async with a_desk() as desk:
        await desk.ticks(row(asks=[(12_010, 75)]))
        before = desk.session.gateway.book()
    async with a_desk() as desk:
        assert desk.session.gateway.book() == before
        await desk.ticks(row(asks=[(12_005, 75)]))
        await desk.ticks(row(11_490, bids=[(11_490, 300)], low=11_490, high=11_490, volume=1075))
    await partly.arefresh_from_db()
    await stop.arefresh_from_db()
    assert (partly.status, stop.status, stop.triggered) == ("FILLED", "FILLED", True)
    numbers = [pair async for pair in Trade.objects.order_by("pk").values_list("order_id", "number")]
    assert numbers == [(partly.pk, 1), (partly.pk, 2), (stop.pk, 1)]


async def test_an_after_market_order_is_sent_when_its_time_has_come(account):
    order = await in_database(send)(
        account, status="QUEUED", after_market=True, release_at=MORNING, limit_price=12_010, held=901_000
    )
    early = await in_database(send)(
        account, status="QUEUED", after_market=True, release_at=MORNING.replace(hour=12), limit_price=12_010
    )
    async with a_desk() as desk:
        await desk.ticks(row(asks=[(12_010, 75)]))
        await order.arefresh_from_db()
        await early.arefresh_from_db()
    assert (order.status, early.status) == ("FILLED", "QUEUED")


async def test_an_after_market_order_that_a_check_refuses_by_now_is_rejected_in_words(account):
    order = await in_database(send)(
        account, status="QUEUED", after_market=True, release_at=MORNING, limit_price=12_010, held=901_000
    )
    await in_database(kill_switch.engage)(actor=None, reason="too many orders", account=account)
    await Order.objects.filter(pk=order.pk).aupdate(status="QUEUED", cancel_requested=False, sequence=9)
    async with a_desk() as desk:
        await desk.step()
    await order.arefresh_from_db()
    assert (order.status, order.reason_code) == ("REJECTED", "KILL_SWITCH")
    assert (await Funds.objects.aget(pk=account.pk)).held_margin == 0


async def test_an_after_market_order_of_what_has_no_price_is_answered_and_holds_up_nobody(account):
    unpriced = await in_database(an_option)(CODE + 1)
    nothing = await in_database(send)(
        account, status="QUEUED", after_market=True, release_at=MORNING, order_type="MARKET", limit_price=None,
        instrument_id=unpriced.code, held=901_000,
    )  # fmt: skip
    order = await in_database(send)(
        account, status="QUEUED", after_market=True, release_at=MORNING, limit_price=12_010, held=901_000
    )
    async with a_desk() as desk:
        await desk.ticks(row(asks=[(12_010, 75)]))
        await nothing.arefresh_from_db()
        await order.arefresh_from_db()
    assert (nothing.status, nothing.reason_code) == ("REJECTED", "NO_LAST_PRICE")
    assert order.status == "FILLED"


async def test_a_forever_order_waits_for_its_price_and_is_sent_as_a_limit_order(account):
    order = await in_database(send)(
        account, status="QUEUED", forever=True, order_type="STOP_LOSS", trigger_price=12_100, limit_price=12_150,
        held=911_250,
    )  # fmt: skip
    async with a_desk() as desk:
        await desk.step()
        await desk.ticks(row(12_050, asks=[(12_055, 75)]))
        await order.arefresh_from_db()
        assert order.status == "QUEUED"
        await desk.ticks(row(12_120, asks=[(12_125, 75)], low=12_060, high=12_120))
        await desk.step()
    await order.arefresh_from_db()
    assert (order.status, order.order_type, order.filled_value) == ("FILLED", "LIMIT", 75 * 12_125)


async def test_of_a_forever_pair_the_one_whose_price_comes_ends_the_other(account):
    pair = await OrderGroup.objects.acreate(account=account, kind="OCO")
    common = {"status": "QUEUED", "forever": True, "side": "SELL", "group": pair, "reduces": True}
    await in_database(send)(account, limit_price=12_010)
    async with a_desk() as desk:
        await desk.ticks(row(asks=[(12_005, 75)]))
        target = await in_database(send)(account, role="TARGET", limit_price=13_000, **common)
        stop = await in_database(send)(
            account, role="STOP", order_type="STOP_LOSS", trigger_price=11_000, limit_price=10_900, **common
        )
        await desk.step()
        await desk.ticks(row(13_005, bids=[(13_000, 75)]))
        await desk.step()
    await target.arefresh_from_db()
    await stop.arefresh_from_db()
    assert (target.status, stop.status, stop.reason_code) == ("FILLED", "CANCELLED", "OTHER_EXIT")


async def test_a_step_that_could_not_be_written_is_lost_whole_and_happens_once_after_the_rebuilding(account):
    order = await in_database(send)(account, limit_price=12_010, quantity=150, held=1_801_500)
    async with a_desk() as desk:
        await desk.ticks(row(12_050, asks=[(12_055, 75)]))
        desk.tell(row(12_000, asks=[(12_005, 75)]))
        desk.session._looked_at = desk.session._released_at = clock.monotonic()  # nothing is read before the write
        await in_database(end_connections)()
        with pytest.raises(DatabaseError):
            await desk.session._step()
        assert await Trade.objects.acount() == 0
        await desk.session._open()
        await desk.step()
        await order.arefresh_from_db()
        assert (order.status, order.filled_quantity) == ("PARTIALLY_FILLED", 75)
        await desk.ticks(row(12_000, asks=[(12_010, 75)]))
    trades = [trade async for trade in Trade.objects.order_by("number").values_list("number", "quantity", "price")]
    assert trades == [(1, 75, 12_005), (2, 75, 12_010)]


def end_connections() -> None:
    """As PostgreSQL does when it restarts; this connection excepted."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )


async def test_who_was_replaced_writes_nothing_more(account):
    order = await in_database(send)(account, limit_price=12_010, held=901_000)
    async with a_desk() as desk:
        await Lease.objects.filter(name=LEASE).aupdate(epoch=desk.lease.epoch + 1)
        with pytest.raises(Fenced):
            await desk.ticks(row(asks=[(12_005, 75)]))
    await order.arefresh_from_db()
    assert (order.status, await Trade.objects.acount()) == ("TRANSIT", 0)


async def test_the_exits_of_a_bracket_wait_for_its_entry_and_one_ends_the_other(account):
    bracket = await OrderGroup.objects.acreate(account=account, kind="BRACKET")
    exit_ = {"status": "QUEUED", "side": "SELL", "group": bracket, "reduces": True}
    entry = await in_database(send)(account, role="ENTRY", group=bracket, limit_price=12_010, held=901_000)
    target = await in_database(send)(account, role="TARGET", limit_price=12_500, **exit_)
    stop = await in_database(send)(
        account, role="STOP", order_type="STOP_LOSS", trigger_price=11_500, limit_price=11_400, **exit_
    )
    async with a_desk() as desk:
        await desk.ticks(row(12_050, bids=[(12_045, 75)], asks=[(12_055, 75)]))
        assert await statuses(entry, target, stop) == ["OPEN", "QUEUED", "QUEUED"]
        await desk.ticks(row(12_005, bids=[(12_000, 75)], asks=[(12_005, 75)]))
        assert await statuses(entry, target, stop) == ["FILLED", "OPEN", "TRIGGER_PENDING"]
    async with a_desk() as desk:  # a restart in between changes nothing
        await desk.ticks(row(12_505, bids=[(12_500, 75)], asks=[(12_510, 75)]))
    assert await statuses(entry, target, stop) == ["FILLED", "FILLED", "CANCELLED"]
    assert (await Position.objects.aget()).signed_quantity == 0


async def statuses(*orders: Order) -> list[str]:
    for order in orders:
        await order.arefresh_from_db()
    return [order.status for order in orders]


async def test_an_order_of_an_earlier_day_expires_at_the_start(account):
    order = await in_database(send)(
        account, status="OPEN", limit_price=12_010, held=901_000, trading_date=DAY - timedelta(days=1)
    )
    async with a_desk() as desk:
        await desk.ticks(row(asks=[(12_005, 75)]))
    await order.arefresh_from_db()
    assert (order.status, order.reason_code, order.filled_quantity) == ("EXPIRED", "DAY_ENDED", 0)
    assert (await Funds.objects.aget(pk=account.pk)).held_margin == 0


async def test_at_the_close_the_orders_of_the_day_expire(account, settings):
    order = await in_database(send)(account, limit_price=11_000, held=901_000)
    async with a_desk() as desk:
        await desk.ticks(row(asks=[(12_005, 75)]))
        settings.EXCHANGE_CLOCK_OFFSET_SECONDS += 5.6 * 3600
        await desk.step()
    await order.arefresh_from_db()
    assert (order.status, order.reason_code) == ("EXPIRED", "DAY_ENDED")


async def test_an_order_that_fills_in_the_step_that_was_to_cancel_it_is_filled(account):
    order = await in_database(send)(account, limit_price=12_010, held=901_000)
    async with a_desk() as desk:
        await desk.ticks(row(12_050, asks=[(12_055, 75)]))
        await in_database(cancel_order)(order, account.owner)
        await desk.ticks(row(12_005, asks=[(12_005, 75)]))
        await desk.step()
    assert await statuses(order) == ["FILLED"]


@pytest.mark.parametrize("is_sent", [False, True])
async def test_a_bracket_ends_once_when_each_of_its_orders_is_cancelled(account, is_sent):
    entry, target, stop = await in_database(a_bracket)(account)
    async with a_desk() as desk:
        if is_sent:
            await desk.ticks(row(12_050, asks=[(12_055, 75)]))
        await in_database(cancel_all)(account, account.owner)
        await desk.step()
        await desk.step()
    assert await statuses(entry, target, stop) == ["CANCELLED"] * 3


async def test_an_exit_that_is_cancelled_before_its_entry_was_sent_never_comes_to_the_venue(account):
    entry, target, stop = await in_database(a_bracket)(account)
    await in_database(cancel_order)(target, account.owner)
    async with a_desk() as desk:
        await desk.ticks(row(12_005, bids=[(12_000, 75)], asks=[(12_005, 75)]))
    assert await statuses(entry, target, stop) == ["FILLED", "CANCELLED", "TRIGGER_PENDING"]


def a_bracket(account):
    bracket = OrderGroup.objects.create(account=account, kind="BRACKET")
    exit_ = {"status": "QUEUED", "side": "SELL", "group": bracket, "reduces": True}
    return (
        send(account, role="ENTRY", group=bracket, limit_price=12_010, held=901_000),
        send(account, role="TARGET", limit_price=12_500, **exit_),
        send(account, role="STOP", order_type="STOP_LOSS", trigger_price=11_500, limit_price=11_400, **exit_),
    )


@pytest.mark.parametrize(("bought", "sold"), [(75, [(75, "FILLED"), (0, "CANCELLED")]),
                                               (150, [(75, "FILLED"), (75, "CANCELLED")])])  # fmt: skip
async def test_an_exit_and_a_square_off_together_close_no_more_than_is_open(account, bought, sold):
    await in_database(send)(account, limit_price=12_010, quantity=bought, held=2_000_000)
    async with a_desk() as desk:
        await desk.ticks(row(12_000, asks=[(12_005, bought)]))
        closing = {"side": "SELL", "reduces": True, "limit_price": 12_000}
        exit_ = await in_database(send)(account, **closing)
        square_off = await in_database(send)(account, quantity=300, **closing)
        await desk.ticks(row(12_000, bids=[(12_000, 225)]))
        assert desk.session.gateway.book() == []
        await desk.ticks(row(12_000, bids=[(12_000, 500)]))
    assert (await Position.objects.aget()).signed_quantity == 0
    orders = Order.objects.filter(pk__in=[exit_.pk, square_off.pk]).order_by("pk")
    assert [pair async for pair in orders.values_list("filled_quantity", "status")] == sold


async def test_an_order_that_cannot_be_written_is_rejected_and_the_others_go_on(account):
    poison = await in_database(send)(account, limit_price=12_010, held=901_000)
    await in_database(a_trade_nobody_knows)(poison)
    order = await in_database(send)(account, limit_price=12_010, held=901_000)
    async with a_desk() as desk:
        desk.tell(row(12_000, asks=[(12_005, 150)]))
        work = asyncio.create_task(desk.session._work())
        async with asyncio.timeout(20):
            while await statuses(poison, order) != ["REJECTED", "FILLED"]:
                await asyncio.sleep(0.05)
        work.cancel()
        await asyncio.wait([work])
    assert poison.reason_code == "UNWRITABLE"
    assert (await Position.objects.aget()).signed_quantity == 75
    assert (await Funds.objects.aget(pk=account.pk)).held_margin == 0


def a_trade_nobody_knows(order: Order) -> None:
    """Of the number that the order's first fill will have."""
    Trade.objects.create(
        order=order, account=order.account, instrument_id=CODE, number=1, side="BUY", product="INTRADAY", quantity=75,
        price=12_000, multiplier=1, trading_date=DAY, at=MORNING, epoch=0,
    )  # fmt: skip
