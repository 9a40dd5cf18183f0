"""The chain editor's preview, on the reference date."""

from __future__ import annotations

from datetime import date, datetime

import pytest

from feeds import clock, interest
from feeds.core.instrument import ExchangeSegment, InstrumentKey
from feeds.models import ChainDefinition, Instrument
from terminal.accounts.roles import Role

pytestmark = pytest.mark.django_db

URL = "/admin/ops/chains/preview"
FINNIFTY = {
    "underlying_symbol": "finnifty", "segment": "2", "weekly": "4", "weekly_counts_monthly_week": "on",
    "monthly": "3", "quarterly": "1", "half_yearly": "0", "strikes": "21", "sides": "BOTH", "enabled": "on",
}  # fmt: skip


@pytest.fixture(autouse=True)
def reference_date(settings):
    """Shift the exchange clock to 2026-02-03 10:00 IST."""
    start = datetime(2026, 2, 3, 10, 0, tzinfo=clock.IST)
    settings.EXCHANGE_CLOCK_OFFSET_SECONDS = (start - clock.wall_now()).total_seconds()


@pytest.fixture(autouse=True)
def of_the_account(account, monkeypatch):
    """The account that the editor has chosen."""
    monkeypatch.setitem(FINNIFTY, "account", str(account.pk))


def test_a_date_that_two_slots_name_is_counted_once(browser):
    preview = browser(Role.OPERATOR).get(URL, FINNIFTY).json()
    assert (preview["day"], preview["nominal"], preview["unique"]) == ("2026-02-03", 336, 294)
    repeated = [slot for slot in preview["slots"] if slot["repeats"]]
    assert [(slot["kind"], slot["rank"], slot["expiry"]) for slot in repeated] == [("MONTHLY", 1, "2026-02-24")]


def test_one_side_counts_half(browser):
    crude = FINNIFTY | {"underlying_symbol": "CRUDEOIL", "segment": "5", "weekly": "0", "monthly": "4"}
    crude |= {"quarterly": "0", "strikes": "11", "sides": "OTM"}
    preview = browser(Role.OPERATOR).get(URL, crude).json()
    assert (preview["nominal"], preview["unique"]) == (44, 44)


@pytest.mark.parametrize(
    "wrong",
    [
        {"segment": ""},
        {"segment": "99"},
        {"weekly": "many"},
        {"weekly": "1000"},
        {"weekly": "-1"},
        {"sides": "X"},
        {"account": ""},
        {"account": "x"},
        {"strikes": "0"},
        {"strikes": "203"},
    ],
)
def test_fields_that_are_no_chain_yet_say_so(browser, wrong):
    answer = browser(Role.OPERATOR).get(URL, FINNIFTY | wrong)
    assert answer.status_code == 200
    assert set(answer.json()) == {"error"}


def test_the_preview_is_for_those_who_may_see_chains(browser, client):
    assert client.get(URL, FINNIFTY).status_code == 302
    assert browser(Role.RISK).get(URL, FINNIFTY).status_code == 200


# --- its effect ---------------------------------------------------------------------------------------

FEBRUARY = date(2026, 2, 24)
MONTHLY = {"weekly": "0", "weekly_counts_monthly_week": "", "monthly": "1", "quarterly": "0", "strikes": "5"}
"""One expiry with ten contracts."""


@pytest.fixture
def listed(db):
    """FINNIFTY's February options: eleven strikes of 50 rupees around 27,550, calls and puts."""
    for number, (strike, side) in enumerate(
        (2_730_000 + 5_000 * step, side) for step in range(11) for side in ("CALL", "PUT")
    ):
        code = int(ExchangeSegment.NSE_FNO) << 32 | 9_000 + number
        Instrument.objects.create(
            code=code, segment=ExchangeSegment.NSE_FNO, security_id=9_000 + number, instrument_type="OPTIDX",
            symbol=f"F{number}", underlying_symbol="FINNIFTY", expiry=FEBRUARY, strike=strike, option_type=side,
            listed_on=date(2026, 2, 3),
        )  # fmt: skip


def keys(count: int, first: int = 1) -> list[InstrumentKey]:
    return [InstrumentKey(ExchangeSegment.NSE_EQ, security_id) for security_id in range(first, first + count)]


def test_the_window_of_each_expiry_is_shown_and_without_a_price_it_is_around_the_middle(browser, listed):
    preview = browser(Role.OPERATOR).get(URL, FINNIFTY | MONTHLY).json()
    assert preview["strikes"] == [{"expiry": "2026-02-24", "low": 2_745_000, "high": 2_765_000, "count": 5}]
    assert (preview["atm_strike"], preview["atm_is_guess"]) == (2_755_000, True)
    assert (preview["nominal"], preview["unique"], preview["listed"], preview["would_be"]) == (10, 10, 10, 10)


def test_the_effect_is_told_in_sum_by_class_and_by_connection(browser, listed, account, settings):
    settings.FEED_CONNECTIONS, settings.FEED_INSTRUMENTS_PER_CONNECTION = 2, 20
    settings.FEED_INSTRUMENTS_TOTAL, settings.FEED_SPREAD_LIMIT = 40, 1
    interest.declare_interest("watchlist", "1.1", keys(6), account)
    preview = browser(Role.OPERATOR).get(URL, FINNIFTY | MONTHLY).json()
    before, after = preview["account"]["before"], preview["account"]["after"]
    assert (before["tier_b"], before["tier_a"], before["free"]) == (0, 6, 34)
    assert (after["tier_b"], after["tier_a"], after["free"]) == (10, 6, 24)
    assert preview["connections"] == [{"before": 3, "after": 8}, {"before": 3, "after": 8}]
    assert preview["refusal"] is None


def test_what_would_not_fit_says_so_with_the_figures(browser, listed, account, settings):
    settings.FEED_CONNECTIONS, settings.FEED_INSTRUMENTS_PER_CONNECTION, settings.FEED_INSTRUMENTS_TOTAL = 1, 12, 12
    interest.declare_interest("watchlist", "1.1", keys(6), account)
    preview = browser(Role.OPERATOR).get(URL, FINNIFTY | MONTHLY).json()
    assert preview["refusal"] == (
        "It does not fit: it would take 10 more instruments, and 6 of 12 are free (Tier B 0, references 0, Tier A 6)."
    )
    assert (preview["listed"], preview["would_be"]) == (10, 6)
    assert preview["account"]["after"]["used"] == 16


def test_a_chain_that_shrinks_or_is_switched_off_takes_less(browser, listed, account, settings):
    chain = ChainDefinition.objects.create(
        underlying_symbol="FINNIFTY", segment=2, account=account, monthly=1, strikes=5
    )
    settings.FEED_CONNECTIONS, settings.FEED_INSTRUMENTS_PER_CONNECTION, settings.FEED_INSTRUMENTS_TOTAL = 1, 12, 12
    codes = Instrument.objects.order_by("code").values_list("code", flat=True)[6:16]
    interest.declare_interest("chain", str(chain.pk), [InstrumentKey.from_code(code) for code in codes], account)
    fields = FINNIFTY | MONTHLY | {"id": str(chain.pk)}
    smaller = browser(Role.OPERATOR).get(URL, fields | {"strikes": "3"}).json()
    off = browser(Role.OPERATOR).get(URL, {name: held for name, held in fields.items() if name != "enabled"}).json()
    assert (smaller["account"]["before"]["tier_b"], smaller["account"]["after"]["tier_b"]) == (10, 6)
    assert (off["account"]["after"]["tier_b"], off["connections"]) == (0, [{"before": 10, "after": 0}])


def test_nothing_is_written_by_looking(browser, listed, account):
    before = interest.capacity()
    browser(Role.OPERATOR).get(URL, FINNIFTY | MONTHLY)
    assert interest.capacity() == before
    assert not ChainDefinition.objects.exists()


def test_saving_what_would_not_fit_is_refused_with_the_figures(browser, listed, account, settings):
    settings.FEED_CONNECTIONS, settings.FEED_INSTRUMENTS_PER_CONNECTION, settings.FEED_INSTRUMENTS_TOTAL = 1, 12, 12
    interest.declare_interest("watchlist", "1.1", keys(6), account)
    admin = browser(Role.ADMIN)
    posted = FINNIFTY | MONTHLY | {"position": "0", "reason": "more strikes"}
    refused = admin.post("/admin/feeds/chaindefinition/add/", posted)
    assert refused.status_code == 200
    assert "it would take 10 more instruments, and 6 of 12 are free" in refused.content.decode()
    assert not ChainDefinition.objects.exists()
    smaller = admin.post("/admin/feeds/chaindefinition/add/", posted | {"strikes": "3"})
    assert smaller.status_code == 302
    assert ChainDefinition.objects.get().strikes == 3
