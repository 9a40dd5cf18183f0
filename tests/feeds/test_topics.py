"""What topics hold: instruments that are listed, chains as resolved or as listed, and nothing for nonsense."""

from __future__ import annotations

from datetime import date

import pytest
from django.contrib.auth.models import AnonymousUser, User

from feeds import topics
from feeds.core.instrument import ExchangeSegment, InstrumentKey, InstrumentType
from feeds.core.live_table import DEPTH_COLUMNS, TOP_COLUMNS
from feeds.models import ChainContract, ChainDefinition, ChainState, DhanAccount, Instrument
from feeds.topics import ChainName, TopicContents, TopicKind
from tests.feeds.market import make_chain, make_instrument

pytestmark = pytest.mark.django_db

CHAIN = "chain.NSE_FNO.NIFTY.2026-02-24"


def test_an_instrument_has_depth_and_says_what_it_is():
    make_instrument(InstrumentKey(ExchangeSegment.NSE_EQ, 2885), "RELIANCE", lot_size=1, tick_size=10)
    contents = topics.contents_of(["instrument.NSE_EQ.2885"])["instrument.NSE_EQ.2885"]
    assert contents.instruments == (InstrumentKey(ExchangeSegment.NSE_EQ, 2885),)
    assert contents.columns == TOP_COLUMNS + DEPTH_COLUMNS
    assert contents.details == {"symbol": "RELIANCE", "name": "", "lot_size": 1, "tick_size": 10}


@pytest.mark.parametrize(
    "name",
    [
        "instrument.NSE_EQ.2886",
        "instrument.NSE_EQ.02885",
        "instrument.NOWHERE.2885",
        "instrument.",
        "instrument",
        "chain.NSE_FNO.NIFTY.2026-02-30",
        "chain.NSE_FNO.NIFTY.20260224",
        "chain.NSE_FNO.2026-02-24",
        "chain.NSE_FNO.NIFTY.2027-01-01",
        "nothing.7",
        "..",
    ],
)
def test_what_does_not_exist_is_not_there(name):
    make_instrument(InstrumentKey(ExchangeSegment.NSE_EQ, 2885), "RELIANCE")
    make_chain()
    assert topics.contents_of([name]) == {}


def test_many_instruments_cost_one_query(django_assert_num_queries):
    keys = make_chain(strikes=20)
    with django_assert_num_queries(1):
        assert len(topics.contents_of([f"instrument.{key}" for key in keys])) == 41


def test_a_chain_without_definition_shows_what_is_listed_after_its_index():
    keys = make_chain()
    contents = topics.contents_of([CHAIN])[CHAIN]
    assert contents.instruments == tuple(keys)
    assert contents.details["reference"] == "IDX_I.13"
    assert contents.details["option_types"] == ["CALL", "PUT", "CALL", "PUT"]
    assert contents.details["atm_strike"] is None


def test_an_index_is_found_by_its_symbol_because_the_options_carry_another_id():
    keys = make_chain()
    make_instrument(InstrumentKey(ExchangeSegment.NSE_EQ, 26000), "OTHER", instrument_type=InstrumentType.EQUITY)
    Instrument.objects.exclude(option_type="").update(underlying_security_id=26000)
    assert topics.contents_of([CHAIN])[CHAIN].details["reference"] == str(keys[0])


def test_an_always_on_chain_shows_the_window_it_resolved_to():
    keys = make_chain(strikes=3)
    account = DhanAccount.objects.create(name="demo", client_id="1")
    definition = ChainDefinition.objects.create(
        underlying_symbol="NIFTY", segment=ExchangeSegment.NSE_FNO, account=account
    )
    for instrument in Instrument.objects.filter(strike=2_605_000):
        ChainContract.objects.create(
            definition=definition,
            instrument=instrument,
            expiry=date(2026, 2, 24),
            strike=2_605_000,
            option_type=instrument.option_type,
            rank=0,
        )
    ChainState.objects.create(
        definition=definition, trading_date=date(2026, 2, 3), reference_id=keys[0].code, atm_strike=2_605_000
    )
    contents = topics.contents_of([CHAIN])[CHAIN]
    assert contents.instruments == (keys[0], keys[3], keys[4])
    assert contents.details["atm_strike"] == 2_605_000


def test_on_mcx_the_reference_is_the_nearest_future_that_outlives_the_option():
    def listed(security_id: int, expiry: date, kind: InstrumentType, **fields: object) -> InstrumentKey:
        key = InstrumentKey(ExchangeSegment.MCX_COMM, security_id)
        make_instrument(
            key, f"C{security_id}", instrument_type=kind, underlying_symbol="CRUDEOIL", expiry=expiry, **fields
        )
        return key

    listed(1, date(2026, 1, 19), InstrumentType.FUTCOM)
    near = listed(2, date(2026, 2, 19), InstrumentType.FUTCOM)
    listed(3, date(2026, 3, 19), InstrumentType.FUTCOM)
    option = listed(4, date(2026, 2, 17), InstrumentType.OPTFUT, strike=580_000, option_type="PUT")
    name = "chain.MCX_COMM.CRUDEOIL.2026-02-17"
    assert topics.contents_of([name])[name].instruments == (near, option)


def test_a_chain_name_may_hold_dashes_dots_and_ampersands():
    assert ChainName.parse("chain.NSE_FNO.M&M.2026-02-24").underlying == "M&M"
    assert ChainName.parse("chain.NSE_FNO.BAJAJ-AUTO.2026-02-24").underlying == "BAJAJ-AUTO"
    assert ChainName.parse("chain.NSE_FNO.A.B.2026-02-24").underlying == "A.B"


def test_the_operations_topic_is_for_staff():
    import feeds.fanout.web_status  # noqa: F401  registers it

    assert topics.authorised(User(is_staff=True), ["ops"]) == {"ops"}
    assert topics.authorised(User(), ["ops"]) == set()
    assert topics.authorised(AnonymousUser(), ["ops"]) == set()


def test_another_application_brings_its_own_kind(monkeypatch):
    class Shelves(TopicKind):
        def authorise(self, user, name):
            return name == "shelf.1"

        def contents(self, name):
            return TopicContents((), "shelf") if name == "shelf.1" else None

    monkeypatch.setattr(topics, "_kinds", dict(topics._kinds))
    topics.register_topic("shelf", Shelves())
    assert set(topics.contents_of(["shelf.1", "shelf.2"])) == {"shelf.1"}
    assert topics.authorised(User(), ["shelf.1", "shelf.2"]) == {"shelf.1"}
