"""Alerts in the database: their room, their interest, their facts, and decisions that count once."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from pytest_django.fixtures import Settings

from alerts import selectors, services
from alerts.core.crossing import Column, Decision, Direction
from alerts.errors import AlertMissing, NotListed, TooManyAlerts
from alerts.models import Alert, Firing, UserFact
from feeds.clock import IST
from feeds.core.instrument import ExchangeSegment
from feeds.interest import CapacityExceeded, Source, capacity, declare_interest
from feeds.models import DhanAccount, Instrument
from feeds.services import release_tier_a

pytestmark = pytest.mark.django_db

AT = datetime(2026, 2, 3, 10, 15, tzinfo=IST)


def make(user: User, instrument: Instrument, level: int = 150_000, **values: Any) -> Alert:
    return services.create_alert(
        user=user, instrument=instrument, **{"column": Column.LAST_PRICE, "direction": Direction.ABOVE, **values},
        level=level,
    )  # fmt: skip


def decision(alert: Alert, fires: bool = True, armed: bool = False, reached: int = 150_005) -> Decision:
    return Decision(alert.pk, alert.revision, fires, armed, reached, reached, AT.timestamp())


def kinds(user: User) -> list[tuple[int, str, str]]:
    rows = UserFact.objects.filter(user=user).order_by("offset")
    return [(row.offset, row.kind, row.body.get("status", "")) for row in rows]


def test_its_instrument_is_fed_for_as_long_as_it_is_active(asha: User, reliance: Instrument) -> None:
    alert = make(asha, reliance)
    assert capacity().total.tier_a == 1
    services.update_alert(alert=alert, active=False)
    assert capacity().total.used == 0
    services.update_alert(alert=alert, active=True)
    assert capacity().total.used == 1
    services.delete_alert(alert=alert)
    assert capacity().total.used == 0


def test_two_alerts_on_one_instrument_take_one_subscription(asha: User, ravi: User, reliance: Instrument) -> None:
    first, _ = make(asha, reliance), make(ravi, reliance)
    assert capacity().total.used == 1
    services.delete_alert(alert=first)
    assert capacity().total.used == 1


def test_the_end_of_the_day_takes_no_alert_its_price(asha: User, reliance: Instrument) -> None:
    make(asha, reliance)
    release_tier_a(list(ExchangeSegment))
    assert capacity().total.used == 1


def test_what_cannot_be_fed_is_refused_and_nothing_is_kept(
    asha: User, reliance: Instrument, options: list[Instrument], settings: Settings
) -> None:
    settings.FEED_INSTRUMENTS_TOTAL = 1
    declare_interest(Source.HELD, "1", [reliance.key])
    with pytest.raises(CapacityExceeded):
        make(asha, options[0])
    assert (Alert.objects.count(), UserFact.objects.count()) == (0, 0)
    assert make(asha, reliance).status == "ACTIVE", "what is fed already takes no room"


def test_without_an_account_that_feeds_there_is_no_room(asha: User, reliance: Instrument, account: DhanAccount) -> None:
    DhanAccount.objects.update(enabled=False)
    with pytest.raises(CapacityExceeded):
        make(asha, reliance)


def test_a_user_has_so_many_and_no_more(asha: User, ravi: User, reliance: Instrument, settings: Settings) -> None:
    settings.ALERTS_PER_USER = 2
    first, second = make(asha, reliance), make(asha, reliance)
    with pytest.raises(TooManyAlerts):
        make(asha, reliance)
    services.update_alert(alert=first, active=False)
    with pytest.raises(TooManyAlerts):  # a paused one counts, or pausing would be the way around
        make(asha, reliance)
    services.store([decision(second)])
    third = make(asha, reliance)
    with pytest.raises(TooManyAlerts):  # nor is taking up a fired one
        services.update_alert(alert=second, active=True)
    services.delete_alert(alert=third)
    assert services.update_alert(alert=second, active=True).status == "ACTIVE"
    make(ravi, reliance)


def test_of_those_that_are_over_the_newest_are_kept(
    asha: User, reliance: Instrument, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(services, "ENDED_KEPT", 2)
    made = [make(asha, reliance) for _ in range(4)]
    services.store([decision(alert) for alert in made])
    make(asha, reliance)
    assert set(Alert.objects.filter(status="FIRED")) == set(made[2:])
    assert Firing.objects.count() == 4


def test_a_firing_is_stored_with_its_fact_and_gives_back_the_subscription(asha: User, reliance: Instrument) -> None:
    alert = make(asha, reliance, note="breakout")
    assert services.store([decision(alert)]) == {}
    alert.refresh_from_db()
    assert (alert.status, alert.fired_count, alert.fired_at) == ("FIRED", 1, AT)
    firing = Firing.objects.get()
    assert (firing.number, firing.level, firing.reached, firing.note) == (1, 150_000, 150_005, "breakout")
    assert capacity().total.used == 0
    assert kinds(asha) == [(1, "ALERT", "ACTIVE"), (2, "ALERT_FIRED", "FIRED")]
    body = UserFact.objects.get(offset=2).body
    assert (body["instrument"], body["reached"], body["at"]) == ("NSE_EQ.2885", 150_005, 1_770_093_900_000)


def test_the_same_decision_counts_once(asha: User, reliance: Instrument) -> None:
    alert = make(asha, reliance, repeat=True)
    assert services.store([decision(alert)]) == {alert.pk: 2}
    assert services.store([decision(alert)]) == {}
    assert (Firing.objects.count(), kinds(asha)[1:]) == (1, [(2, "ALERT_FIRED", "ACTIVE")])


def test_a_decision_on_what_its_owner_changed_meanwhile_is_dropped(asha: User, reliance: Instrument) -> None:
    alert = make(asha, reliance)
    services.update_alert(alert=alert, level=160_000)
    assert services.store([decision(alert)]) == {}
    assert (Firing.objects.count(), Alert.objects.get().status) == (0, "ACTIVE")


def test_that_it_went_back_is_stored_without_a_word(asha: User, reliance: Instrument) -> None:
    alert = make(asha, reliance, repeat=True)
    services.store([decision(alert)])
    alert.refresh_from_db()
    assert not alert.armed
    assert services.store([decision(alert, fires=False, armed=True)]) == {alert.pk: 3}
    alert.refresh_from_db()
    assert alert.armed
    assert len(kinds(asha)) == 2


def test_another_level_arms_a_fired_alert_again(asha: User, reliance: Instrument) -> None:
    alert = make(asha, reliance)
    services.store([decision(alert)])
    alert = services.update_alert(alert=alert, level=155_000)
    assert (alert.status, alert.armed, alert.level) == ("ACTIVE", True, 155_000)
    services.store([decision(alert)])
    assert services.update_alert(alert=alert, note="seen").status == "FIRED"


def test_an_expired_contract_ends_its_alerts_and_says_so_once(asha: User, options: list[Instrument]) -> None:
    alert = make(asha, options[0])
    assert services.end_expired(date(2026, 2, 24)) == 0, "it trades on its last day"
    assert services.end_expired(date(2026, 2, 25)) == 1
    assert services.end_expired(date(2026, 2, 25)) == 0
    assert kinds(asha)[1:] == [(2, "NOTICE", ""), (3, "ALERT", "EXPIRED")]
    assert capacity().total.used == 0
    Instrument.objects.filter(code=options[0].code).update(is_listed=False)
    with pytest.raises(NotListed):
        services.update_alert(alert=alert, active=True)


def test_what_left_the_master_ends_too(asha: User, reliance: Instrument) -> None:
    services.update_alert(alert=make(asha, reliance), active=False)
    Instrument.objects.update(is_listed=False)
    assert services.end_expired(date(2026, 2, 3)) == 1
    assert Alert.objects.get().status == "EXPIRED"


def test_what_was_deleted_meanwhile_is_not_there(asha: User, reliance: Instrument) -> None:
    alert = make(asha, reliance)
    services.delete_alert(alert=Alert.objects.get())
    with pytest.raises(AlertMissing):
        services.update_alert(alert=alert, level=1)
    with pytest.raises(AlertMissing):
        services.delete_alert(alert=alert)


def test_the_process_that_watches_is_told_of_every_change(asha: User, reliance: Instrument) -> None:
    versions = [selectors.version()]
    alert = make(asha, reliance)
    versions.append(selectors.version())
    services.update_alert(alert=alert, note="x")
    versions.append(selectors.version())
    services.delete_alert(alert=alert)
    versions.append(selectors.version())
    assert versions == [0, 1, 2, 3]


def test_history_and_facts_are_kept_for_a_while(asha: User, reliance: Instrument) -> None:
    services.store([decision(make(asha, reliance))])
    services.forget_old(timedelta(days=10_000))
    assert (Firing.objects.count(), UserFact.objects.count()) == (1, 2)
    services.forget_old(timedelta(days=-10_000))
    assert (Firing.objects.count(), UserFact.objects.count()) == (0, 0)
