"""The limits of an account and of a user together, read in two ways that agree."""

from __future__ import annotations

from decimal import Decimal

from rms.core.limits import Limits
from rms.limits import limits_for
from rms.models import RiskLimits
from rms.standing import standing_of


def test_nobody_set_any(account):
    assert limits_for(account.pk, account.owner_id) == Limits()
    assert standing_of(account.pk, account.owner_id).limits == Limits()


def test_the_stricter_of_account_and_user(account):
    RiskLimits.objects.create(account=account, order_value=100, price_deviation_percent=Decimal("2.50"))
    RiskLimits.objects.create(user=account.owner, order_value=90, net_position=65)
    both = limits_for(account.pk, account.owner_id)
    assert (both.order_value, both.net_position, both.price_deviation_percent) == (90, 65, Decimal("2.50"))
    assert limits_for(account.pk, None).order_value == 100
    assert standing_of(account.pk, account.owner_id).limits == both
    assert standing_of(account.pk, None).limits == limits_for(account.pk, None)


def test_whether_the_account_is_enabled(account):
    assert standing_of(account.pk, None).enabled
    type(account).objects.update(enabled=False)
    assert not standing_of(account.pk, None).enabled
