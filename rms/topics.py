"""The topic `account.3`: funds, positions and what others add, and the account's facts in their order."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import orjson
from django.db import connection, transaction

from feeds.core.instrument import InstrumentKey
from feeds.topics import Fact, FactTopicKind, TopicContents, User
from rms import facts, selectors
from rms.models import Funds, Position

PREFIX = "account"
LONGEST_ID = 18
"""Digits that fit a bigint."""

FACTS_AFTER = """
SELECT wanted.account, fact."offset", fact.kind, fact.body::text
FROM unnest(%s::bigint[], %s::bigint[]) AS wanted (account, after)
CROSS JOIN LATERAL (
    SELECT "offset", kind, body FROM rms_accountfact
    WHERE account_id = wanted.account AND "offset" > wanted.after ORDER BY "offset" LIMIT %s
) AS fact
ORDER BY wanted.account, fact."offset"
"""


@dataclass(slots=True)
class Part:
    """What a package shows of one account: details by name, and the instruments whose prices go with them."""

    details: dict[str, Any] = field(default_factory=dict)
    codes: list[int] = field(default_factory=list)


PartsOf = Callable[[Collection[int]], Mapping[int, Part]]
_parts: list[PartsOf] = []


def register_part(parts_of: PartsOf) -> None:
    """Another package's share of every account's topic: asked for many accounts at once, inside one snapshot."""
    if parts_of not in _parts:
        _parts.append(parts_of)


class AccountTopics(FactTopicKind):
    """For those who may see the account, for as long as they may."""

    can_be_withdrawn = True

    def authorise(self, user: User, name: str) -> bool:
        account = account_id(name)
        return account is not None and selectors.accounts_of(user).filter(pk=account).exists()

    def withdrawn(self, joined: Collection[tuple[int, str]]) -> set[tuple[int, str]]:
        by_id = {(user, account): (user, name) for user, name in joined if (account := account_id(name)) is not None}
        seen = selectors.seen_of(by_id)
        return {pair for key, pair in by_id.items() if key not in seen}

    def contents(self, name: str) -> TopicContents | None:
        return self.contents_of([name]).get(name)

    def contents_of(self, names: Sequence[str]) -> dict[str, TopicContents]:
        by_id = {account: name for name in names if (account := account_id(name)) is not None}
        with one_snapshot():
            rows = Funds.objects.select_related("account").filter(pk__in=by_id)
            funds = {each.pk: each for each in rows}
            parts = [positions_of(funds)] + [parts_of(funds) for parts_of in _parts]
        return {
            by_id[pk]: contents_from(each, [shown[pk] for shown in parts if pk in shown]) for pk, each in funds.items()
        }

    def facts_after(self, wanted: Mapping[str, int], limit: int) -> dict[str, list[Fact]]:
        by_id = {account: name for name in wanted if (account := account_id(name)) is not None}
        found = facts_by_account({account: wanted[name] for account, name in by_id.items()}, limit)
        return {by_id[account]: rows for account, rows in found.items()}


def topic_of(account: int) -> str:
    return f"{PREFIX}.{account}"


def account_id(name: str) -> int | None:
    """3 of `account.3`; one topic has one spelling."""
    prefix, _, number = name.partition(".")
    is_number = number.isascii() and number.isdigit() and len(number) <= LONGEST_ID and number == str(int(number))
    return int(number) if prefix == PREFIX and is_number else None


@contextmanager
def one_snapshot() -> Iterator[None]:
    """What is read inside is of one moment, offset and details alike, and nobody waits for it."""
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        yield


def positions_of(accounts: Collection[int]) -> dict[int, Part]:
    """Open ones, and those closed on the day that is being traded."""
    found: dict[int, Part] = {}
    rows = Position.objects.filter(account__in=accounts).select_related("instrument").order_by("account", "pk")
    for position in rows:
        part = found.setdefault(position.account_id, Part({"positions": []}))
        part.details["positions"].append(facts.position_body(position))
        if position.signed_quantity:
            part.codes.append(position.instrument_id)
    return found


def contents_from(funds: Funds, parts: Sequence[Part]) -> TopicContents:
    details: dict[str, Any] = {"name": funds.account.name, "funds": facts.funds_body(funds), "positions": []}
    for part in parts:
        details |= part.details
    codes = sorted({code for part in parts for code in part.codes})
    keys = tuple(InstrumentKey.from_code(code) for code in codes)
    return TopicContents(keys, PREFIX, details=details, offset=funds.fact_offset)


def facts_by_account(offsets: Mapping[int, int], limit: int) -> dict[int, list[Fact]]:
    """The next facts of each account after its offset, in one query."""
    found: dict[int, list[Fact]] = {}
    if not offsets:
        return found
    with connection.cursor() as cursor:
        cursor.execute(FACTS_AFTER, [list(offsets), list(offsets.values()), limit])
        for account, offset, kind, body in cursor.fetchall():
            found.setdefault(account, []).append(Fact(offset, kind, orjson.loads(body)))
    return found
