"""The market that a decision sees."""

from __future__ import annotations

from datetime import date

import numpy as np
import pytest

from feeds import bus, clock
from feeds.core.instrument import ExchangeSegment, InstrumentKey, InstrumentType, OptionType
from feeds.core.tick import TICK
from feeds.models import Instrument
from rms import market as markets
from rms.market import Market, NoMarketData, forget_facts, market_for, reference_codes
from tests.rms import desk
from tests.rms.desk import CALL, CRUDE, DAY, FUTURE, SHARE, SPOT

CRUDE_CALL = InstrumentKey(ExchangeSegment.MCX_COMM, 430001)


def rows_of(prices: dict[InstrumentKey, int], **columns: int) -> np.ndarray:
    rows = np.zeros(len(prices), TICK)
    rows["code"] = [key.code for key in prices]
    rows["last_price"] = list(prices.values())
    rows["received_at"] = clock.wall_nanoseconds()
    for name, value in columns.items():
        rows[name] = value
    return rows


def put_in_redis(redis, rows: np.ndarray) -> None:
    redis.sadd(bus.BOARDS, 1)
    redis.hset(bus.board_key(1), mapping={row["code"].tobytes(): row.tobytes() for row in rows})


@pytest.fixture
def crude_call(instruments) -> Instrument:
    return desk.make_instrument(
        CRUDE_CALL, "CRUDEOIL-Feb2026-6000-CE", instrument_type=InstrumentType.OPTFUT, underlying_symbol="CRUDEOIL",
        expiry=date(2026, 2, 17), strike=600_000, option_type=OptionType.CALL, multiplier=100,
    )  # fmt: skip


def test_an_option_brings_its_index_along(redis, instruments):
    put_in_redis(redis, rows_of({SPOT: 2_600_000, CALL: 15_000}))

    market = market_for([CALL.code], DAY)

    assert market.instrument(CALL.code).symbol == "NIFTY-Feb2026-26000-CE"
    assert market.price(CALL.code) == 15_000
    assert market.underlying_price(CALL.code) == 2_600_000


def test_a_commodity_option_hangs_on_the_future_that_ends_after_it(redis, crude_call):
    put_in_redis(redis, rows_of({CRUDE: 578_000, CRUDE_CALL: 16_000}))

    assert market_for([CRUDE_CALL.code], DAY).underlying_price(CRUDE_CALL.code) == 578_000
    assert reference_codes([CRUDE_CALL.code, CALL.code, SHARE.code], DAY) == {CRUDE.code, SPOT.code}


def test_futures_and_shares_are_their_own_underlying(redis, instruments):
    put_in_redis(redis, rows_of({FUTURE: 2_605_000, SHARE: 140_000}))
    market = market_for([FUTURE.code, SHARE.code], DAY)

    assert market.underlying_price(FUTURE.code) == 2_605_000
    assert market.underlying_price(SHARE.code) == 140_000


def test_before_the_first_trade_the_previous_close_is_the_price(redis, instruments):
    put_in_redis(redis, rows_of({SHARE: 0}, previous_close=139_000))

    assert market_for([SHARE.code], DAY).price(SHARE.code) == 139_000


def test_what_has_no_price_is_refused_by_name(redis, instruments):
    put_in_redis(redis, rows_of({SHARE: 0}))
    market = market_for([SHARE.code, CALL.code], DAY)

    for code, name in ((SHARE.code, "NSE_EQ.2885"), (CALL.code, "NSE_FNO.49081")):
        with pytest.raises(NoMarketData) as refusal:
            market.price(code)
        assert refusal.value.details == {"instrument": name}


def test_an_unknown_instrument_is_refused(redis, instruments):
    with pytest.raises(NoMarketData):
        market_for([1], DAY).instrument(1)


def test_with_redis_away_no_price_is_known(instruments, settings):
    settings.REDIS_URL = "redis://127.0.0.1:1/0"

    with pytest.raises(NoMarketData):
        market_for([SHARE.code], DAY).price(SHARE.code)


def test_facts_are_read_once_and_again_when_they_are_old(redis, instruments, monkeypatch, django_assert_num_queries):
    market_for([CALL.code], DAY)
    with django_assert_num_queries(0):
        market_for([CALL.code], DAY)

    monkeypatch.setattr(markets, "FACTS_SECONDS", -1.0)
    Instrument.objects.filter(pk=CALL.code).update(lot_size=75)

    assert market_for([CALL.code], DAY).instrument(CALL.code).lot_size == 75


def test_a_new_day_reads_anew(redis, instruments):
    market_for([CALL.code], DAY)
    Instrument.objects.filter(pk=CALL.code).update(lot_size=75)

    assert market_for([CALL.code], desk.NEXT_DAY).instrument(CALL.code).lot_size == 75


def test_a_market_of_rows_finds_references_among_what_it_was_given(instruments):
    market = Market.of_rows(instruments.values(), rows_of({SPOT: 2_610_000, CALL: 15_500}), DAY)

    assert market.underlying_price(CALL.code) == 2_610_000


def test_a_market_is_completed_by_what_redis_has_and_keeps_its_own(redis, instruments):
    put_in_redis(redis, rows_of({SPOT: 2_600_000, CALL: 15_000, SHARE: 140_000}))
    own = Market.of_rows([instruments[CALL]], rows_of({CALL: 16_000}), DAY)

    whole = own.covering([CALL.code, SHARE.code])

    assert (whole.price(CALL.code), whole.price(SHARE.code)) == (16_000, 140_000)
    assert whole.underlying_price(CALL.code) == 2_600_000
    assert whole.covering([CALL.code, SHARE.code]) is whole


@pytest.fixture(autouse=True)
def fresh_facts():
    forget_facts()
    yield
    forget_facts()
