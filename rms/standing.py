"""Whether an account may trade and within which limits, in one statement: what every order asks first."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from decimal import Decimal
from typing import Any

import orjson

from feeds.rows import fetch_each
from rms.core.limits import Limits, stricter

STANDING = """
SELECT account.id, account.enabled,
  (SELECT CASE WHEN switch.account_id IS NOT NULL THEN 'the account ' || account.name
               WHEN switch.user_id IS NOT NULL THEN 'you' ELSE 'the whole house' END
   FROM rms_killswitch switch
   WHERE switch.released_at IS NULL AND (switch.account_id = account.id OR switch.user_id = asked.user_id
     OR (switch.account_id IS NULL AND switch.user_id IS NULL))
   ORDER BY switch.account_id NULLS FIRST, switch.user_id NULLS FIRST LIMIT 1),
  (SELECT json_agg(limits)::text FROM rms_risklimits limits
   WHERE limits.account_id = account.id OR limits.user_id = asked.user_id)
FROM unnest(%(accounts)s::bigint[], %(users)s::bigint[]) AS asked (account_id, user_id)
JOIN rms_tradingaccount account ON account.id = asked.account_id
"""
NAMES = tuple(field.name for field in fields(Limits))


@dataclass(frozen=True, slots=True)
class Standing:
    """`stopped`: whom a kill switch stops, as a sentence names it; None: nobody."""

    enabled: bool
    stopped: str | None
    limits: Limits


def standing_of(account_id: int, user_id: int | None) -> Standing:
    """How it stands with an account and the user who trades it, behind the gate and under the funds lock."""
    [rows] = fetch_each(standings_query({account_id: user_id}))
    return standings_in(rows)[account_id]


def standings_query(users: Mapping[int, int | None]) -> tuple[str, Any]:
    """What to ask for `standings_in`, given who trades each account."""
    return STANDING, {"accounts": list(users), "users": list(users.values())}


def standings_in(rows: Iterable[tuple[Any, ...]]) -> dict[int, Standing]:
    """`standing_of` for several accounts."""
    return {
        account_id: Standing(enabled, stopped, _limits(orjson.loads(limits) if limits else []))
        for account_id, enabled, stopped, limits in rows
    }


def _limits(rows: list[dict[str, Any]]) -> Limits:
    values = [_as_value(row) for row in rows]
    return Limits() if not values else values[0] if len(values) == 1 else stricter(*values)


def _as_value(row: dict[str, Any]) -> Limits:
    percent = row["price_deviation_percent"]
    chosen = {name: row[name] for name in NAMES}
    return Limits(**chosen | {"price_deviation_percent": None if percent is None else Decimal(str(percent))})
