"""What an earlier run left in Redis: kept and marked while it is listed, forgotten when it is not."""

from __future__ import annotations

from datetime import timedelta

import numpy as np
import pytest
import pytest_asyncio
from channels.db import database_sync_to_async as in_database

from feeds import bus
from feeds.core.board import Board
from feeds.core.instrument import ExchangeSegment, InstrumentKey
from feeds.core.tick import TICK, TickFlag
from feeds.models import Instrument
from feeds.offload import Offload
from feeds.process.leftovers import Leftovers
from tests.feeds.market import make_instrument

pytestmark = pytest.mark.django_db(transaction=True)

ACCOUNT = 3
FED, LISTED, EXPIRED, UNKNOWN = (InstrumentKey(ExchangeSegment.NSE_FNO, number) for number in (1, 2, 3, 4))


def prepare(redis) -> None:
    for key in (FED, LISTED, EXPIRED):
        make_instrument(key, f"OPTION-{key.security_id}")
    Instrument.objects.filter(code=EXPIRED.code).update(is_listed=False)
    rows = np.zeros(4, TICK)
    rows["code"] = [key.code for key in (FED, LISTED, EXPIRED, UNKNOWN)]
    rows["last_price"] = rows["low"] = 100
    for row in rows:
        redis.hset(bus.board_key(ACCOUNT), row.tobytes()[:8], row.tobytes())


@pytest_asyncio.fixture
async def published(redis):
    """Tidy on three days' times; yields what was published at each."""
    await in_database(prepare)(redis)
    connection, database = bus.async_redis(), Offload()
    board = Board(4)
    board.add([FED.code], [5])
    told: list[np.ndarray] = []
    leftovers = Leftovers(connection, ACCOUNT, board, database, told.append)
    yield leftovers, told
    database.close()
    await connection.aclose()


async def test_what_nobody_feeds_is_marked_and_what_is_delisted_is_forgotten(redis, published):
    leftovers, told = published
    await leftovers.tidy()
    (rows,) = told
    assert sorted(rows["code"].tolist()) == [LISTED.code, UNKNOWN.code]
    assert set(rows["flags"].tolist()) == {TickFlag.STALE}
    assert rows["last_price"].tolist() == [100, 100]
    assert rows["low"].tolist() == [0, 0]
    left = bus.rows_of(redis.hvals(bus.board_key(ACCOUNT)))
    assert sorted(left["code"].tolist()) == [FED.code, LISTED.code, UNKNOWN.code]


async def test_it_is_done_once_a_day(redis, published, settings):
    leftovers, told = published
    await leftovers.tidy()
    await leftovers.tidy()
    assert len(told) == 1
    settings.EXCHANGE_CLOCK_OFFSET_SECONDS += timedelta(days=1).total_seconds()
    await leftovers.tidy()
    assert len(told) == 2
