"""The chain editor's preview, on the reference date."""

from __future__ import annotations

from datetime import datetime

import pytest

from feeds import clock
from terminal.accounts.roles import Role

pytestmark = pytest.mark.django_db

URL = "/admin/ops/chains/preview"
FINNIFTY = {
    "underlying_symbol": "finnifty", "segment": "2", "weekly": "4", "weekly_counts_monthly_week": "on",
    "monthly": "3", "quarterly": "1", "half_yearly": "0", "strikes": "21", "sides": "BOTH",
}  # fmt: skip


@pytest.fixture(autouse=True)
def reference_date(settings):
    """Shift the exchange clock to 2026-02-03 10:00 IST."""
    start = datetime(2026, 2, 3, 10, 0, tzinfo=clock.IST)
    settings.EXCHANGE_CLOCK_OFFSET_SECONDS = (start - clock.wall_now()).total_seconds()


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
    [{"segment": ""}, {"segment": "99"}, {"weekly": "many"}, {"weekly": "1000"}, {"weekly": "-1"}, {"sides": "X"}],
)
def test_fields_that_are_no_chain_yet_say_so(browser, wrong):
    answer = browser(Role.OPERATOR).get(URL, FINNIFTY | wrong)
    assert answer.status_code == 200
    assert set(answer.json()) == {"error"}


def test_the_preview_is_for_those_who_may_see_chains(browser, client):
    assert client.get(URL, FINNIFTY).status_code == 302
    assert browser(Role.RISK).get(URL, FINNIFTY).status_code == 200
