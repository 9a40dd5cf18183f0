"""`user.7` on the browser websocket: one user's, with active alerts as of the offset and facts without a hole."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import AnonymousUser, User

from alerts import services
from alerts.core.crossing import Column, Decision, Direction
from alerts.models import Alert
from alerts.topics import user_id
from feeds import topics
from feeds.models import Instrument

pytestmark = pytest.mark.django_db(transaction=True)


def make(user: User, instrument: Instrument) -> Alert:
    return services.create_alert(
        user=user, instrument=instrument, column=Column.LAST_PRICE, direction=Direction.ABOVE, level=150_000
    )


def test_only_that_user_may_join(asha: User, ravi: User) -> None:
    name = f"user.{asha.pk}"
    assert topics.authorised(asha, [name]) == {name}
    assert topics.authorised(ravi, [name]) == set()
    assert topics.authorised(AnonymousUser(), [name]) == set()


@pytest.mark.parametrize("name", ["user", "user.", "user.x", "user.-1", "user.007", "user." + "9" * 10])
def test_one_user_has_one_spelling(name: str) -> None:
    assert user_id(name) is None


def test_it_holds_the_active_alerts_and_their_instruments(asha: User, reliance: Instrument) -> None:
    name = f"user.{asha.pk}"
    assert topics.contents_of([name])[name].offset == 0
    kept, fired = make(asha, reliance), make(asha, reliance)
    services.store([Decision(fired.pk, 1, True, False, 150_000, 150_000, 1_770_093_900.0)])
    contents = topics.contents_of([name])[name]
    assert [str(key) for key in contents.instruments] == ["NSE_EQ.2885"]
    assert [alert["id"] for alert in contents.details["alerts"]] == [kept.pk]
    assert contents.offset == 3


def test_a_snapshot_and_the_facts_after_it_make_the_next_snapshot(asha: User, reliance: Instrument) -> None:
    name = f"user.{asha.pk}"
    first = make(asha, reliance)
    before = topics.contents_of([name])[name]
    second, third = make(asha, reliance), make(asha, reliance)
    services.update_alert(alert=first, level=160_000)
    services.update_alert(alert=second, active=False)
    services.delete_alert(alert=third)
    folded = {alert["id"]: alert for alert in before.details["alerts"]}
    for fact in topics.facts_after({name: before.offset or 0}, 100)[name]:
        folded[fact.body["id"]] = fact.body
    after = topics.contents_of([name])[name]
    assert [alert for alert in folded.values() if alert["status"] == "ACTIVE"] == after.details["alerts"]


def test_facts_come_from_an_offset_on_and_only_to_their_user(asha: User, ravi: User, reliance: Instrument) -> None:
    for _ in range(3):
        make(asha, reliance)
    found = topics.facts_after({f"user.{asha.pk}": 1, f"user.{ravi.pk}": 0}, 1)
    assert {name: [fact.offset for fact in facts] for name, facts in found.items()} == {f"user.{asha.pk}": [2]}
