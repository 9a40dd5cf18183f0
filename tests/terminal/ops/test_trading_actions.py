"""What people may do to money and risk from the panel: by whom, with a second person, in words when it is refused."""

from __future__ import annotations

from datetime import date

import pytest
from django.test import Client

from feeds import jobs
from feeds.models import AuditEntry, JobRun
from rms.models import Entry, Funds, FundsRequest, KillSwitch
from terminal.accounts.roles import Role
from tests.rms import desk

pytestmark = pytest.mark.django_db

REASON = {"reason": "letter of 3 February"}


@pytest.fixture
def trading(people):
    """An account with 1,00,000 rupees."""
    return desk.make_account(10_000_000, owner=people[Role.TRADER], name="Alpha")


def act(client: Client, name: str, **fields):
    return client.post(f"/admin/ops/actions/{name}", REASON | fields)


def cash(account) -> int:
    return Funds.objects.get(account=account).cash


def refusal(response) -> str:
    assert response.status_code == 200, "it was done"
    return " ".join(response.context["form"].non_field_errors())


def pay(client: Client, account, direction: str, rupees: str):
    return act(client, "request-funds", account=account.pk, direction=direction, amount=rupees)


def test_a_small_sum_moves_at_once(redis, browser, trading):
    assert pay(browser(Role.ADMIN), trading, "IN", "4,99,999.99").url == "/admin/rms/fundsrequest/"
    assert cash(trading) == 10_000_000 + 49_999_999
    entry = AuditEntry.objects.get(action="ops.request-funds")
    assert (entry.actor.username, entry.target) == ("admin", "IN 4,99,999.99 rupees, account Alpha")
    assert (entry.reason, entry.address) == ("letter of 3 February", "127.0.0.1")


def test_a_large_sum_waits_for_another_person_even_when_an_admin_asks(redis, browser, people, trading):
    admin, risk = browser(Role.ADMIN), browser(Role.RISK)
    pay(admin, trading, "IN", "500000.01")
    waiting = FundsRequest.objects.get()
    assert (waiting.state, cash(trading)) == ("WAITING", 10_000_000)
    assert "other than the person who asked" in refusal(act(admin, "approve-funds", request=waiting.pk))
    assert not AuditEntry.objects.filter(action="ops.approve-funds").exists()
    act(risk, "approve-funds", request=waiting.pk)
    waiting.refresh_from_db()
    assert (waiting.state, waiting.decided_by, cash(trading)) == ("DONE", people[Role.RISK], 60_000_001)
    assert act(risk, "approve-funds", request=waiting.pk).status_code == 200  # no longer among the choices
    assert cash(trading) == 60_000_001


def test_a_request_is_refused_with_a_reason(redis, browser, trading):
    pay(browser(Role.ADMIN), trading, "IN", "900000")
    waiting = FundsRequest.objects.get()
    act(browser(Role.RISK), "refuse-funds", request=waiting.pk)
    waiting.refresh_from_db()
    assert (waiting.state, waiting.refusal, cash(trading)) == ("REFUSED", "letter of 3 February", 10_000_000)


def test_more_than_there_is_is_refused_in_words_and_nothing_is_kept(redis, browser, trading):
    assert refusal(pay(browser(Role.ADMIN), trading, "OUT", "100000.01"))
    assert (cash(trading), FundsRequest.objects.count(), Entry.objects.count()) == (10_000_000, 0, 2)
    assert not AuditEntry.objects.exists()


@pytest.mark.parametrize("amount", ["0", "-5", "1.005", "ten"])
def test_what_is_no_amount_is_refused(redis, browser, trading, amount):
    response = pay(browser(Role.ADMIN), trading, "IN", amount)
    assert "amount" in response.context["form"].errors


@pytest.mark.parametrize(
    ("role", "name"),
    [(Role.OPERATOR, "request-funds"), (Role.OPERATOR, "approve-funds"), (Role.OPERATOR, "engage-kill-switch"),
     (Role.OPERATOR, "release-kill-switch"), (Role.OPERATOR, "square-off-account"), (Role.RISK, "run-job")],
)  # fmt: skip
def test_who_may_not_is_refused_and_the_attempt_is_kept(redis, browser, trading, role, name):
    assert act(browser(role), name, account=trading.pk).status_code == 403
    assert AuditEntry.objects.get().action == f"ops.{name}.refused"


def test_a_house_switch_stops_everybody_and_every_page_says_so(redis, browser, people, trading):
    risk, admin = browser(Role.RISK), browser(Role.ADMIN)
    assert "stopped for the whole house" not in admin.get("/admin/rms/hold/").content.decode()
    assert act(risk, "engage-kill-switch", house="on").url == "/admin/rms/killswitch/"
    switch = KillSwitch.objects.get()
    assert (switch.account, switch.user, switch.engaged_by) == (None, None, people[Role.RISK])
    for address in ("/admin/", "/admin/rms/hold/", "/admin/ops/positions"):
        page = admin.get(address).content.decode()
        assert "stopped for the whole house" in page
        assert "letter of 3 February" in page
    assert "Somebody other" in refusal(act(risk, "release-kill-switch", switch=switch.pk))
    act(admin, "release-kill-switch", switch=switch.pk)
    switch.refresh_from_db()
    assert switch.released_by == people[Role.ADMIN]
    assert "stopped for the whole house" not in admin.get("/admin/").content.decode()


def test_a_switch_of_an_account_is_no_banner(redis, browser, trading):
    act(browser(Role.RISK), "engage-kill-switch", account=trading.pk)
    assert KillSwitch.objects.get().account == trading
    assert "stopped for the whole house" not in browser(Role.ADMIN).get("/admin/").content.decode()


@pytest.mark.parametrize("fields", [{}, {"house": "on", "user": "1"}])
def test_a_switch_stops_one_thing(redis, browser, people, trading, fields):
    fields = fields | ({"user": people[Role.TRADER].pk} if "user" in fields else {})
    assert "Choose one" in refusal(act(browser(Role.RISK), "engage-kill-switch", **fields))
    assert not KillSwitch.objects.exists()


def test_nothing_open_is_said_so(redis, browser, trading):
    response = browser(Role.RISK).post("/admin/ops/actions/square-off-intraday", REASON, follow=True)
    assert [str(message) for message in response.context["messages"]] == ["Nothing is open there."]


def test_a_position_that_is_not_open_cannot_be_chosen(redis, browser, trading):
    response = act(browser(Role.RISK), "square-off-position", position=1)
    assert "position" in response.context["form"].errors


@pytest.fixture
def job(monkeypatch):
    """A job of three steps that the table holds; it counts how often it ran."""
    ran: list[date] = []

    def step(day: date) -> dict:
        ran.append(day)
        if day == date(2026, 2, 2):
            raise ValueError("a price is missing")
        return {"done": True}

    monkeypatch.setattr(jobs, "JOBS", [jobs.Job("test_job", (), lambda day, calendar: None, step, 60.0)])
    return ran


def test_a_missed_job_runs_once(redis, browser, job):
    fields = {"job": "test_job", "trading_date": "2026-02-03"}
    assert act(browser(Role.OPERATOR), "run-job", **fields).url == "/admin/feeds/jobrun/"
    assert "is done already" in refusal(act(browser(Role.OPERATOR), "run-job", **fields))
    assert (job, JobRun.objects.get().status) == ([date(2026, 2, 3)], "DONE")
    assert AuditEntry.objects.first().target == "test_job of 2026-02-03"


def test_a_job_that_fails_says_why(redis, browser, job):
    response = act(browser(Role.OPERATOR), "run-job", job="test_job", trading_date="2026-02-02")
    assert "ValueError: a price is missing" in refusal(response)


def test_a_day_that_has_not_come_is_refused(redis, browser, job):
    response = act(browser(Role.OPERATOR), "run-job", job="test_job", trading_date="2199-01-01")
    assert "trading_date" in response.context["form"].errors
