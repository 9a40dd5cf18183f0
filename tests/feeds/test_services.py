"""Definitions become contracts, numbers and interest; windows follow the market; nothing passes the capacity."""

from __future__ import annotations

import json
import threading
from datetime import date
from functools import cache
from http.server import BaseHTTPRequestHandler, HTTPServer

import numpy as np
import pytest
from django.db import connection

from feeds import interest
from feeds.bus import BOARDS, board_key
from feeds.core.calendar import shipped_calendar
from feeds.core.chains import SHIPPED_CHAINS, Chain
from feeds.core.instrument import ExchangeSegment, InstrumentKey, InstrumentType
from feeds.core.listing import NumberedContract, Series, number_contracts, rule_listing, underlyings
from feeds.core.subscriptions import Capacity
from feeds.core.tick import TICK
from feeds.credentials import seal
from feeds.interest import CapacityExceeded, Source, changes_since, declare_interest
from feeds.models import ChainContract, ChainDefinition, ChainState, DhanAccount, Instrument
from feeds.services import rebuild_chains, recentre_chain, watched_chains

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("redis")]

DAY = date(2026, 2, 3)
NIFTY = InstrumentKey(ExchangeSegment.IDX_I, 13)
OF_ONE_NIFTY_CHAIN = 630


@pytest.fixture
def account() -> DhanAccount:
    return DhanAccount.objects.create(name="one", client_id="1000000001")


@pytest.fixture
def board(redis):
    """Put last prices (paise) where a feed process leaves them."""

    def publish(prices: dict[InstrumentKey, int], column: str = "last_price") -> None:
        rows = np.zeros(len(prices), TICK)
        rows["code"] = [key.code for key in prices]
        rows[column] = list(prices.values())
        redis.sadd(BOARDS, 1)
        for row in rows:
            redis.hset(board_key(1), row.tobytes()[:8], row.tobytes())

    return publish


@cache
def whole_listing(mode: str) -> list[Series]:
    """Made once: it takes longer than any test here."""
    return list(rule_listing(DAY, shipped_calendar(), mode))


def list_instruments(*symbols: str, mode: str = "spec") -> None:
    """List what a rule-made exchange has for these underlyings, and where they are fed themselves."""
    listing = [each for each in whole_listing(mode) if each.underlying.symbol in symbols]
    rows = [_contract(contract) for contract in number_contracts(listing)]
    spots = [(symbol, underlyings()[symbol].feed) for symbol in symbols]
    rows += [_spot(symbol, key) for symbol, key in spots if key is not None]
    columns = [field.attname for field in Instrument._meta.concrete_fields]
    with connection.cursor() as cursor, cursor.copy(f"COPY feeds_instrument ({', '.join(columns)}) FROM STDIN") as copy:
        for row in rows:  # bulk_create needs a second for five thousand
            copy.write_row([getattr(row, column) for column in columns])


def _contract(contract: NumberedContract) -> Instrument:
    series = contract.series
    return Instrument(
        code=contract.key.code, segment=contract.key.segment, security_id=contract.key.security_id,
        instrument_type=series.instrument_type, symbol=contract.symbol, underlying_symbol=series.underlying.symbol,
        expiry=series.expiry, strike=contract.strike, option_type=contract.option_type or "",
        tick_size=series.tick_size, listed_on=DAY,
    )  # fmt: skip


def _spot(symbol: str, key: InstrumentKey) -> Instrument:
    return Instrument(
        code=key.code, segment=key.segment, security_id=key.security_id, symbol=symbol, underlying_symbol=symbol,
        instrument_type=InstrumentType.INDEX, tick_size=5, listed_on=DAY,
    )  # fmt: skip


def define(account: DhanAccount, *symbols: str) -> list[ChainDefinition]:
    chains = [chain for chain in SHIPPED_CHAINS if chain.underlying in symbols]
    return [_define(account, chain, position) for position, chain in enumerate(chains)]


def _define(account: DhanAccount, chain: Chain, position: int) -> ChainDefinition:
    return ChainDefinition.objects.create(
        underlying_symbol=chain.underlying, segment=chain.segment, account=account, weekly=chain.slots.weekly,
        weekly_counts_monthly_week=chain.slots.weekly_counts_monthly_week, monthly=chain.slots.monthly,
        quarterly=chain.slots.quarterly, half_yearly=chain.slots.half_yearly, strikes=chain.strikes,
        sides=chain.sides, position=position,
    )  # fmt: skip


def levels() -> dict[InstrumentKey, int]:
    """Where every reference stood: the indices, and on MCX the future of the nearest option month."""
    prices = {each.feed: each.level for each in underlyings().values() if each.feed is not None}
    for future in Instrument.objects.filter(instrument_type=InstrumentType.FUTCOM):
        prices[future.key] = underlyings()[future.underlying_symbol].level
    return prices


def wanted(account: DhanAccount) -> dict[tuple[str, str], set[int]]:
    return {(row.source, row.owner): set(row.codes.tolist()) for row in changes_since(account.pk, 0).rows}


def expiry_strikes(definition: ChainDefinition) -> list[int]:
    first = definition.contracts.order_by("expiry").values_list("expiry", flat=True)[0]
    return sorted(set(definition.contracts.filter(expiry=first).values_list("strike", flat=True)))


@pytest.mark.parametrize(("mode", "listed", "references"), [("spec", 2272, 8), ("exchange", 1380, 8)])
def test_the_shipped_definitions_come_to_their_numbers(
    account: DhanAccount, board, mode: str, listed: int, references: int
) -> None:
    symbols = [chain.underlying for chain in SHIPPED_CHAINS]
    list_instruments(*symbols, mode=mode)
    define(account, *symbols)
    board(levels())
    report = rebuild_chains(DAY)
    assert (report["nominal"], report["unique"], report["listed"]) == (2440, 2272, listed)
    assert report["without_reference_price"] == []
    assert interest.capacity().total == Capacity(total=25_000, tier_b=listed, references=references, tier_a=0)
    assert ChainContract.objects.count() == listed
    assert all(
        state.unique == state.listed + sum(gap["count"] for gap in state.missing if gap["expiry"])
        for state in ChainState.objects.all()
    )


def test_a_rebuild_of_what_is_so_already_changes_nothing(account: DhanAccount, board) -> None:
    list_instruments("NIFTY")
    define(account, "NIFTY")
    board(levels())
    rebuild_chains(DAY)
    version = changes_since(account.pk, 0).version
    rebuild_chains(DAY)
    assert changes_since(account.pk, version).rows == ()


def test_without_a_price_only_the_reference_is_wanted_and_its_first_price_centres_the_chain(
    account: DhanAccount,
) -> None:
    list_instruments("NIFTY")
    (definition,) = define(account, "NIFTY")
    report = rebuild_chains(DAY)
    assert report["without_reference_price"] == ["NIFTY"]
    assert {gap["reason"] for gap in report["chains"][0]["missing"]} == {"NO_REFERENCE_PRICE"}
    assert wanted(account) == {("reference", f"chain.{definition.pk}"): {NIFTY.code}}
    (watched,) = watched_chains(account.pk, DAY)
    assert (watched.reference, watched.tracker.update(2_570_000)) == (NIFTY.code, True)
    assert recentre_chain(definition.pk, 2_570_000, DAY)
    assert len(wanted(account)["chain", str(definition.pk)]) == OF_ONE_NIFTY_CHAIN


def test_the_previous_close_serves_until_something_has_traded(account: DhanAccount, board) -> None:
    list_instruments("NIFTY")
    (definition,) = define(account, "NIFTY")
    board({NIFTY: 2_571_000}, "previous_close")
    rebuild_chains(DAY)
    assert ChainState.objects.get(definition=definition).atm_strike == 2_570_000


def test_with_no_last_value_dhan_is_asked(account: DhanAccount, settings) -> None:
    list_instruments("NIFTY")
    (definition,) = define(account, "NIFTY")
    seal(account, "access_token", "a-token")
    account.save()
    with_quote = {"data": {"IDX_I": {"13": {"last_price": 25_733.4}}}, "status": "success"}
    with answering(with_quote) as url:
        settings.DHAN_REST_URL = url
        rebuild_chains(DAY)
    assert ChainState.objects.get(definition=definition).atm_strike == 2_575_000


def test_a_dhan_that_is_away_leaves_the_last_atm(account: DhanAccount, board, redis, settings) -> None:
    settings.DHAN_REST_URL = "http://127.0.0.1:9"
    list_instruments("NIFTY")
    (definition,) = define(account, "NIFTY")
    seal(account, "access_token", "a-token")
    account.save()
    board({NIFTY: 2_571_000})
    rebuild_chains(DAY)
    redis.flushall()
    assert rebuild_chains(DAY)["listed"] == OF_ONE_NIFTY_CHAIN
    assert ChainState.objects.get(definition=definition).atm_strike == 2_570_000


def test_the_windows_follow_the_market_and_do_not_flap(account: DhanAccount, board) -> None:
    list_instruments("NIFTY")
    (definition,) = define(account, "NIFTY")
    board({NIFTY: 2_570_000})
    rebuild_chains(DAY)
    assert not recentre_chain(definition.pk, 2_572_500, DAY)  # the midpoint
    assert not recentre_chain(definition.pk, 2_572_540, DAY)  # inside the margin of half a rupee
    before = wanted(account)["chain", str(definition.pk)]
    assert recentre_chain(definition.pk, 2_572_600, DAY)
    after = wanted(account)["chain", str(definition.pk)]
    assert expiry_strikes(definition) == [2_575_000 + 5_000 * rank for rank in range(-10, 11)]
    assert len(after) == OF_ONE_NIFTY_CHAIN
    assert 0 < len(after - before) <= 30
    assert not recentre_chain(definition.pk, 2_572_500, DAY)


def test_commodities_hang_on_the_future_of_the_nearest_option_month_and_hold_one_side(
    account: DhanAccount, board
) -> None:
    list_instruments("CRUDEOIL")
    (definition,) = define(account, "CRUDEOIL")
    board(levels())
    rebuild_chains(DAY)
    state = ChainState.objects.get(definition=definition)
    first = definition.contracts.order_by("expiry").first()
    assert state.reference is not None
    assert state.reference.instrument_type == InstrumentType.FUTCOM
    assert state.reference.expiry >= first.expiry
    assert state.listed == 44
    sides = {(contract.rank >= 0, contract.option_type) for contract in definition.contracts.all()}
    assert sides == {(True, "CALL"), (False, "PUT")}


def test_a_definition_that_is_disabled_or_deleted_wants_nothing(account: DhanAccount, board) -> None:
    list_instruments("NIFTY", "CRUDEOIL")
    nifty, crude = define(account, "NIFTY", "CRUDEOIL")
    board(levels())
    rebuild_chains(DAY)
    ChainDefinition.objects.filter(pk=nifty.pk).update(enabled=False)
    crude.delete()
    assert rebuild_chains(DAY)["chains"] == []
    assert wanted(account) == {}
    assert not recentre_chain(nifty.pk, 2_600_000, DAY)


def test_a_chain_that_does_not_fit_keeps_what_it_had_and_says_so(account: DhanAccount, board, settings) -> None:
    list_instruments("NIFTY", "CRUDEOIL")
    nifty, _ = define(account, "NIFTY", "CRUDEOIL")
    board(levels())
    rebuild_chains(DAY)
    before = wanted(account)
    ChainDefinition.objects.filter(pk=nifty.pk).update(strikes=41)
    settings.FEED_INSTRUMENTS_TOTAL = 700
    with pytest.raises(CapacityExceeded):
        rebuild_chains(DAY)
    assert wanted(account) == before
    assert ChainState.objects.get(definition=nifty).listed == OF_ONE_NIFTY_CHAIN


def test_recentring_on_a_full_account_never_passes_the_capacity(account: DhanAccount, board, settings) -> None:
    settings.FEED_INSTRUMENTS_TOTAL = OF_ONE_NIFTY_CHAIN + 1 + 42
    list_instruments("NIFTY")
    (definition,) = define(account, "NIFTY")
    board({NIFTY: 2_570_000})
    rebuild_chains(DAY)
    others = [InstrumentKey(ExchangeSegment.NSE_EQ, number) for number in range(1, 43)]
    declare_interest(Source.WATCHLIST, "7", others)
    for price in range(2_570_000, 2_620_000, 5_000):
        recentre_chain(definition.pk, price, DAY)
        assert interest.capacity().total.free == 0
    assert ChainState.objects.get(definition=definition).atm_strike == 2_615_000


class answering:  # noqa: N801 reads as a verb
    """A Dhan on loopback that answers every POST alike."""

    def __init__(self, body: object) -> None:
        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                self.rfile.read(int(self.headers["Content-Length"]))
                self.send_response(200)
                self.end_headers()
                self.wfile.write(json.dumps(body).encode())

            def log_message(self, *_: object) -> None:
                pass

        self.server = HTTPServer(("127.0.0.1", 0), Handler)
        self.thread = threading.Thread(target=self.server.serve_forever)

    def __enter__(self) -> str:
        self.thread.start()
        return f"http://127.0.0.1:{self.server.server_port}/v2"

    def __exit__(self, *_: object) -> None:
        self.server.shutdown()
        self.server.server_close()
        self.thread.join(10)
