"""Kill switches: whom they stop, that only somebody else releases them, and that all of it is audited."""

from __future__ import annotations

import pytest
from django.db import IntegrityError, transaction
from django.db.models.functions import Now

from feeds.models import AuditEntry
from rms import kill_switch
from rms.kill_switch import SamePerson
from rms.models import KillSwitch
from rms.standing import standing_of
from tests.rms import desk


def test_stops_whom_it_names_and_nobody_else(account):
    other, user = desk.make_account(), desk.make_user()
    kill_switch.engage(actor=user, reason="wild orders", account=account)
    assert kill_switch.standing(account.pk, user.pk).account == account
    assert kill_switch.standing(other.pk, user.pk) is None
    kill_switch.engage(actor=user, reason="wild user", user=user)
    assert kill_switch.standing(other.pk, user.pk).user == user
    assert kill_switch.standing(other.pk, account.owner_id) is None
    assert standing_of(other.pk, user.pk).stopped == "you"


def test_the_widest_is_told_first(account):
    user = desk.make_user()
    kill_switch.engage(actor=user, reason="one", account=account)
    house = kill_switch.engage(actor=user, reason="all")
    assert kill_switch.standing(account.pk, user.pk) == house
    assert standing_of(account.pk, user.pk).stopped == "the whole house"
    assert kill_switch.scope_text(house) == "the house"


def test_engaging_twice_is_one_switch(account):
    first = kill_switch.engage(actor=account.owner, reason="one", account=account)
    assert kill_switch.engage(actor=None, reason="two", account=account) == first
    assert KillSwitch.objects.count() == 1


def test_only_somebody_else_releases_it(account):
    owner, other = account.owner, desk.make_user()
    switch = kill_switch.engage(actor=owner, reason="stop", account=account)
    with pytest.raises(SamePerson):
        kill_switch.release(switch=switch, actor=owner, reason="never mind")
    released = kill_switch.release(switch=switch, actor=other, reason="looked at it")
    assert (released.released_by, released.release_reason) == (other, "looked at it")
    assert kill_switch.standing(account.pk, owner.pk) is None
    assert kill_switch.release(switch=switch, actor=owner, reason="again").released_by == other
    actions = AuditEntry.objects.order_by("pk").values_list("action", "reason", "actor")
    assert list(actions) == [
        ("kill_switch.engage", "stop", owner.pk),
        ("kill_switch.release", "looked at it", other.pk),
    ]


def test_the_database_refuses_the_same_person_too(account):
    switch = kill_switch.engage(actor=account.owner, reason="stop", account=account)
    with pytest.raises(IntegrityError), transaction.atomic():
        KillSwitch.objects.filter(pk=switch.pk).update(released_by=account.owner, released_at=Now())


def test_what_the_system_engaged_anybody_releases(account):
    switch = kill_switch.engage(actor=None, reason="daily loss", account=account)
    assert kill_switch.release(switch=switch, actor=account.owner, reason="seen").released_at is not None


def test_those_who_registered_are_called_inside_its_transaction(account, monkeypatch):
    seen: list[bool] = []
    monkeypatch.setattr(kill_switch, "_on_engage", [])
    kill_switch.register_on_engage(lambda switch: seen.append(KillSwitch.objects.filter(pk=switch.pk).exists()))
    kill_switch.engage(actor=None, reason="stop", account=account)
    assert seen == [True]
