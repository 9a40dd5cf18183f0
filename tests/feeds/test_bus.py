"""The tick bus against a real Valkey: what is published is what is read, and nothing is missed unseen."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import numpy as np
import pytest
from django.conf import settings
from hypothesis import given
from hypothesis import strategies as st
from redis.asyncio import Redis

from feeds import bus
from feeds.bus import (
    BadBatch,
    Batch,
    BoardLost,
    FeedDown,
    Fenced,
    Snapshot,
    Status,
    TickPublisher,
    TickSubscriber,
    pack_batch,
    unpack_batch,
)
from feeds.core.tick import TICK
from terminal.embedded import ValkeyServer, temporary_data

ACCOUNT = 3
DEADLINE = 10.0


def rows(*prices: int, first_code: int = 1, received_at: int = 7) -> np.ndarray:
    made = np.zeros(len(prices), TICK)
    made["code"] = np.arange(first_code, first_code + len(prices))
    made["last_price"] = prices
    made["received_at"] = received_at
    return made


def prices(found: np.ndarray) -> dict[int, int]:
    return {int(row["code"]): int(row["last_price"]) for row in found}


async def next_event(events: AsyncIterator, *kinds: type) -> object:
    async with asyncio.timeout(DEADLINE):
        while True:
            event = await anext(events)
            if isinstance(event, kinds):
                return event


async def load_board(redis: Redis, account_id: int) -> np.ndarray:
    return np.concatenate([page async for page in bus.board_pages(redis, account_id)])


@asynccontextmanager
async def client():
    redis = bus.async_redis()
    try:
        yield redis
    finally:
        await redis.aclose()


class TestTheBytes:
    def test_the_header_is_48_bytes_as_documented(self):
        data = pack_batch(Batch(7, 2, 41, 1_000, 2_000, rows(15230)))
        assert data[:24].hex() == "4254543230 00c400 01000000 07000000 0200000000000000".replace(" ", "")
        assert len(data) == 48 + 196

    @given(st.integers(0, 2**32 - 1), st.integers(1, 2**62), st.integers(1, 2**62), st.lists(st.integers(0, 2**31 - 1)))
    def test_what_is_packed_comes_out(self, account, epoch, sequence, some_prices):
        batch = unpack_batch(pack_batch(Batch(account, epoch, sequence, 5, 6, rows(*some_prices))))
        assert (batch.account_id, batch.epoch, batch.sequence) == (account, epoch, sequence)
        assert (batch.oldest_received_at, batch.flushed_at) == (5, 6)
        assert batch.rows["last_price"].tolist() == some_prices

    @pytest.mark.parametrize("cut", [0, 1, 47, 48, 100, 243])
    def test_a_cut_batch_is_refused(self, cut):
        with pytest.raises(BadBatch):
            unpack_batch(pack_batch(Batch(1, 1, 1, 0, 0, rows(1)))[:cut])

    @given(st.binary(max_size=120))
    def test_no_bytes_raise_anything_else(self, data):
        with pytest.raises(BadBatch):
            unpack_batch(data)


class TestPublishing:
    async def test_rows_are_kept_for_those_who_come_later(self, redis):
        async with client() as connection:
            publisher = TickPublisher(connection, ACCOUNT, epoch=1)
            await publisher.publish(rows(100, 200), 5, 6, whole=True)
            await publisher.publish(rows(250, first_code=2), 7, 8)
            assert prices(await load_board(connection, ACCOUNT)) == {1: 100, 2: 250}
        assert redis.hgetall("board.3.meta") == {b"epoch": b"1", b"sequence": b"2", b"flushed_at": b"8"}
        assert redis.hkeys("board.3") == [(1).to_bytes(8, "little"), (2).to_bytes(8, "little")]

    async def test_a_whole_board_of_25000_is_written(self, redis):
        async with client() as connection:
            everything = rows(*range(25_000))
            await TickPublisher(connection, ACCOUNT, epoch=1).publish(everything, 5, 6, whole=True)
            stored = await load_board(connection, ACCOUNT)
        assert np.array_equal(np.sort(stored, order="code"), everything)

    async def test_a_lower_epoch_is_fenced_and_writes_nothing(self, redis):
        async with client() as connection:
            await TickPublisher(connection, ACCOUNT, epoch=2).publish(rows(100), 5, 6, whole=True)
            with pytest.raises(Fenced):
                await TickPublisher(connection, ACCOUNT, epoch=1).publish(rows(999), 5, 6)
            with pytest.raises(Fenced):
                await TickPublisher(connection, ACCOUNT, epoch=1).publish(rows(999), 5, 6, whole=True)
            assert prices(await load_board(connection, ACCOUNT)) == {1: 100}

    @pytest.mark.parametrize("lost", ["everything", "the hash alone"])
    async def test_a_lost_board_is_noticed_and_written_whole(self, redis, lost):
        async with client() as connection:
            publisher = TickPublisher(connection, ACCOUNT, epoch=1)
            await publisher.publish(rows(100, 200), 5, 6, whole=True)
            redis.flushall() if lost == "everything" else redis.delete("board.3")
            with pytest.raises(BoardLost):
                await publisher.publish(rows(300), 5, 6)
            assert not redis.exists("board.3")
            await publisher.publish(rows(300, 200), 5, 6, whole=True)
            assert prices(await load_board(connection, ACCOUNT)) == {1: 300, 2: 200}


class TestSubscribing:
    async def test_a_reader_gets_the_board_then_every_batch(self, redis):
        async with client() as connection:
            publisher = TickPublisher(connection, ACCOUNT, epoch=1)
            await publisher.publish(rows(100, 200), 5, 6, whole=True)
            events = aiter(TickSubscriber(connection))
            first = await next_event(events, Snapshot)
            assert prices(first.rows) == {1: 100, 2: 200}
            assert (first.epoch, first.sequence, first.gap) == (1, 1, False)
            for sequence in range(2, 12):
                await publisher.publish(rows(sequence), 5, 6)
            got = [await next_event(events, Batch, Snapshot) for _ in range(10)]
            assert [(type(event), event.sequence) for event in got] == [(Batch, n) for n in range(2, 12)]
            await events.aclose()

    async def test_a_feed_that_starts_later_is_found(self, redis):
        async with client() as connection:
            events = aiter(TickSubscriber(connection))
            waiting = asyncio.ensure_future(next_event(events, Snapshot, Batch))
            while not redis.pubsub_numpat():
                await asyncio.sleep(0.01)
            await TickPublisher(connection, ACCOUNT, epoch=1).publish(rows(100), 5, 6, whole=True)
            assert prices((await waiting).rows) == {1: 100}
            await events.aclose()

    async def test_a_hole_in_the_sequence_loads_again_and_says_gap(self, redis):
        async with client() as connection:
            publisher = TickPublisher(connection, ACCOUNT, epoch=1)
            await publisher.publish(rows(100), 5, 6, whole=True)
            events = aiter(TickSubscriber(connection))
            await next_event(events, Snapshot)
            publisher.sequence += 1
            await publisher.publish(rows(150), 5, 6)
            event = await next_event(events, Snapshot, Batch)
            assert isinstance(event, Snapshot)
            assert event.gap
            assert prices(event.rows) == {1: 150}
            await events.aclose()

    async def test_a_new_epoch_loads_again_and_the_old_one_is_refused(self, redis):
        async with client() as connection:
            old = TickPublisher(connection, ACCOUNT, epoch=1)
            await old.publish(rows(100), 5, 6, whole=True)
            events = aiter(TickSubscriber(connection))
            await next_event(events, Snapshot)
            await TickPublisher(connection, ACCOUNT, epoch=2).publish(rows(200), 5, 6, whole=True)
            taken_over = await next_event(events, Snapshot, Batch)
            assert isinstance(taken_over, Snapshot)
            assert (taken_over.epoch, taken_over.gap) == (2, True)
            # A stale feed that nobody fences any more, because Redis forgot: readers still refuse it.
            redis.flushall()
            await old.publish(rows(999), 5, 6, whole=True)
            redis.flushall()
            newer = TickPublisher(connection, ACCOUNT, epoch=3)
            await newer.publish(rows(300), 5, 6, whole=True)
            event = await next_event(events, Snapshot, Batch)
            assert prices(event.rows) == {1: 300}
            await events.aclose()

    async def test_an_emptied_redis_is_healed_with_a_gap(self, redis):
        async with client() as connection:
            publisher = TickPublisher(connection, ACCOUNT, epoch=1)
            await publisher.publish(rows(100, 200), 5, 6, whole=True)
            events = aiter(TickSubscriber(connection))
            await next_event(events, Snapshot)
            redis.flushall()
            with pytest.raises(BoardLost):
                await publisher.publish(rows(150), 5, 6)
            await publisher.publish(rows(150, 200), 5, 6, whole=True)
            event = await next_event(events, Snapshot, Batch)
            assert isinstance(event, Snapshot)
            assert event.gap
            assert prices(event.rows) == {1: 150, 2: 200}
            await events.aclose()

    async def test_only_the_accounts_asked_for_are_read(self, redis):
        async with client() as connection:
            await TickPublisher(connection, 4, epoch=1).publish(rows(400), 5, 6, whole=True)
            await TickPublisher(connection, 5, epoch=1).publish(rows(500), 5, 6, whole=True)
            events = aiter(TickSubscriber(connection, accounts={5}))
            assert prices((await next_event(events, Snapshot)).rows) == {1: 500}
            await events.aclose()

    async def test_silence_is_told_once_and_ends_with_the_next_batch(self, redis):
        async with client() as connection:
            publisher = TickPublisher(connection, ACCOUNT, epoch=1)
            await publisher.publish(rows(100), 5, 6, whole=True)
            events = aiter(TickSubscriber(connection, silent_after=0.2))
            await next_event(events, Snapshot)
            assert await next_event(events, FeedDown) == FeedDown(ACCOUNT)
            await publisher.publish(rows(), 0, 6)
            assert isinstance(await next_event(events, FeedDown, Batch), Batch)
            await events.aclose()

    async def test_a_feed_that_is_down_is_told_so_again_after_its_board_was_read_anew(self, redis):
        async with client() as connection:
            await TickPublisher(connection, ACCOUNT, epoch=1).publish(rows(100), 5, 6, whole=True)
            events = aiter(TickSubscriber(connection, silent_after=0.2))
            await next_event(events, Snapshot)
            await next_event(events, FeedDown)
            redis.execute_command("CLIENT", "KILL", "TYPE", "pubsub")
            assert (await next_event(events, Snapshot, Batch)).gap
            assert await next_event(events, FeedDown) == FeedDown(ACCOUNT)
            await events.aclose()

    async def test_a_reader_that_goes_on_for_another_begins_with_a_gap_and_outlives_what_is_no_message(self, redis):
        async with client() as connection:
            publisher = TickPublisher(connection, ACCOUNT, epoch=1)
            await publisher.publish(rows(100), 5, 6, whole=True)
            events = aiter(TickSubscriber(connection, missed=True))
            assert (await next_event(events, Snapshot)).gap
            redis.publish("status.3", b"{")
            redis.publish("ticks.3", b"BTT2")
            await publisher.publish(rows(101), 5, 6)
            assert prices((await next_event(events, Snapshot, Batch, Status)).rows) == {1: 101}
            await events.aclose()

    async def test_the_feeds_status_comes_along(self, redis):
        async with client() as connection:
            await TickPublisher(connection, ACCOUNT, epoch=1).publish(rows(100), 5, 6, whole=True)
            events = aiter(TickSubscriber(connection))
            await next_event(events, Snapshot)
            redis.publish("status.3", b'{"account": 3, "state": "LIVE"}')
            assert await next_event(events, Status) == Status(3, {"account": 3, "state": "LIVE"})
            await events.aclose()


async def test_a_reader_survives_a_redis_that_dies_and_comes_back_empty(monkeypatch):
    with temporary_data() as folder:
        server = ValkeyServer(Path(folder), durable=False)
        server.start()
        monkeypatch.setattr(settings, "REDIS_URL", server.url)
        try:
            async with client() as connection:
                publisher = TickPublisher(connection, ACCOUNT, epoch=1)
                await publisher.publish(rows(100, 200), 5, 6, whole=True)
                events = aiter(TickSubscriber(connection, silent_after=0.5))
                await next_event(events, Snapshot)
                server.kill()
                with pytest.raises(bus.REDIS_ERRORS):
                    await publisher.publish(rows(120), 5, 6)
                assert await next_event(events, FeedDown) == FeedDown(ACCOUNT)
                server.start()
                with pytest.raises(BoardLost):
                    await publisher.publish(rows(130), 5, 6)
                await publisher.publish(rows(130, 200), 5, 6, whole=True)
                event = await next_event(events, Snapshot, Batch)
                assert isinstance(event, Snapshot)
                assert event.gap
                assert prices(event.rows) == {1: 130, 2: 200}
                await events.aclose()
        finally:
            server.stop()


class TestBlockingReaders:
    async def test_the_last_row_of_a_code_comes_from_whoever_fed_it_last(self, redis):
        async with client() as connection:
            await TickPublisher(connection, 4, epoch=1).publish(rows(100, 200, received_at=10), 5, 6, whole=True)
            await TickPublisher(connection, 5, epoch=1).publish(rows(111, received_at=20), 5, 6, whole=True)
        assert prices(bus.last_rows([1, 2, 99])) == {1: 111, 2: 200}
        assert len(bus.last_rows([])) == 0

    async def test_a_feed_without_a_status_is_absent(self, redis):
        async with client() as connection:
            await TickPublisher(connection, 4, epoch=1).publish(rows(), 5, 6, whole=True)
            await TickPublisher(connection, 5, epoch=1).publish(rows(), 5, 6, whole=True)
        redis.set("feed.5.status", b'{"state": "LIVE"}')
        assert bus.feed_statuses() == {5: {"state": "LIVE"}}
