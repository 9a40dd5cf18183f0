"""Reading facts for the hub: on its database threads, many topics in one query, encoded there too."""

from __future__ import annotations

from collections.abc import Mapping

import orjson

from feeds import topics
from feeds.core.fact_log import FactText

FACTS_SECONDS = 1.0
"""How late facts can be whose hint was lost."""
FACTS_A_READ = 500
"""Of one topic; who has more is asked again at once."""

FactTexts = dict[str, list[FactText]]


def read_facts(wanted: Mapping[str, int]) -> FactTexts:
    """The next facts of each topic after its offset.

    Raises:
        django.db.Error: PostgreSQL is away; ask again with the same offsets.
    """
    found = topics.facts_after(wanted, FACTS_A_READ)
    return {name: [encoded(fact) for fact in facts] for name, facts in found.items()}


def encoded(fact: topics.Fact) -> FactText:
    instrument = fact.body.get("instrument")
    return FactText(
        fact.offset,
        orjson.dumps([fact.offset, fact.kind, fact.body]).decode(),
        instrument if isinstance(instrument, str) else None,
    )
