"""What the machines of money share: fresh accounts for each run in one test transaction, and how long a run is."""

from __future__ import annotations

from django.db import connection
from django.db.models import Max, Min, Sum
from hypothesis import HealthCheck, Phase, settings

from rms.models import AccountFact, Entry, Funds

EVERYTHING = list(HealthCheck)


def length(runs: int, steps: int) -> settings:
    """So many runs of so many steps; what fails is made small."""
    return settings(
        max_examples=runs,
        stateful_step_count=steps,
        deadline=None,
        suppress_health_check=EVERYTHING,
        phases=[Phase.generate, Phase.shrink],
        database=None,
    )


def ask_now() -> None:
    """What a commit would ask of the database, asked after a step."""
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE; SET CONSTRAINTS ALL DEFERRED")


def check_books(funds: Funds) -> None:
    """What holds of every account after every step (I4 and the numbering of I11)."""
    entries = Entry.objects.filter(ledger_account__account=funds.account_id)
    assert funds.cash == (entries.aggregate(total=Sum("amount"))["total"] or 0)
    whole = Entry.objects.filter(transfer__account=funds.account_id).aggregate(total=Sum("amount"))["total"]
    assert not whole
    assert funds.deficit == (funds.available < funds.floor)
    told = AccountFact.objects.filter(account=funds.account_id)
    figures = told.aggregate(first=Min("offset"), last=Max("offset"))
    assert told.count() == funds.fact_offset == (figures["last"] or 0)
    assert figures["first"] in (None, 1)
