"""What browsers may join: a prefix names a kind of topic, which says who may join it and what it holds.

Kinds are registered from an AppConfig.ready(), so that `feeds` need not know who brings them. Their methods
may use the ORM: the hub calls them on threads of its own, never on the tick path.
"""

from __future__ import annotations

import logging
from abc import ABC, abstractmethod
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from functools import lru_cache
from typing import Any, ClassVar, NamedTuple

import orjson
from django.conf import settings
from django.contrib.auth.models import AbstractBaseUser, AnonymousUser
from redis import Redis
from redis.exceptions import RedisError

from feeds.core.instrument import ExchangeSegment, InstrumentKey, InstrumentType
from feeds.core.live_table import DEPTH_COLUMNS, TOP_COLUMNS
from feeds.depth import keep_open
from feeds.models import ChainContract, ChainState, Instrument
from feeds.selectors import reference_of

log = logging.getLogger(__name__)

User = AbstractBaseUser | AnonymousUser

CHANGED_CHANNEL = "topics.changed"
CHANGED_SECONDS = 1.0
"""A publish that takes longer is given up: a topic's change never holds up the request that made it."""
FACTS_CHANNEL = "facts.changed"
"""A JSON list of topic names that have new facts. Only a hint: hubs also look by themselves."""
VALUES_CHANNEL = "account.values"
"""A JSON object, topic name -> [kind, body]: values that replace each other, such as `["PNL", {...}]`."""
CHAIN_ROWS_LIMIT = 1000
"""An underlying lists a few hundred strikes an expiry at most; more would be a wrong import."""


@dataclass(frozen=True, slots=True)
class TopicContents:
    """One topic as it stands: its rows in order, the columns they show, and what else the snapshot tells."""

    instruments: tuple[InstrumentKey, ...]
    kind: str
    columns: tuple[str, ...] = TOP_COLUMNS
    details: Mapping[str, Any] = field(default_factory=dict)
    offset: int | None = None
    """Of a topic with facts: the last fact that the details already tell of."""


class TopicKind(ABC):
    """The topics of one prefix. Subclass it, then `register_topic("watchlist", WatchlistTopics())`.

    `name` is the whole topic, `watchlist.7`. `contents` returns None for what does not exist (any more).
    """

    changes_itself: ClassVar[bool] = False
    """True: the details are asked for again each second (the ops page), and there are no rows."""
    open_to_all: ClassVar[bool] = False
    """True: every signed-in user may join, and nobody need be asked."""
    can_be_withdrawn: ClassVar[bool] = False
    """True: who was let in may lose it again, so `withdrawn` is asked each second."""

    def authorise(self, user: User, name: str) -> bool:
        """Whether this user may join. What may not be joined looks the same as what does not exist."""
        return self.open_to_all

    def withdrawn(self, joined: Collection[tuple[int, str]]) -> set[tuple[int, str]]:
        """Of these (user id, topic) those whose user may not be there any more; a few queries for all."""
        return set()

    @abstractmethod
    def contents(self, name: str) -> TopicContents | None:
        """What the topic holds now."""

    def contents_of(self, names: Sequence[str]) -> dict[str, TopicContents]:
        """Several at once; a kind that can answer them in one query does so here."""
        found = {name: self.contents(name) for name in names}
        return {name: contents for name, contents in found.items() if contents is not None}


class Fact(NamedTuple):
    """One numbered thing that happened in a topic; numbers have no holes and commit in their order."""

    offset: int
    kind: str
    body: Mapping[str, Any]


class FactTopicKind(TopicKind):
    """A topic that besides rows holds numbered facts, each sent once and in order. Its contents say their `offset`,
    read in one piece with the details. A fact whose body names an `instrument` that the topic does not show has the
    contents read again."""

    @abstractmethod
    def facts_after(self, wanted: Mapping[str, int], limit: int) -> dict[str, list[Fact]]:
        """For each name the facts after its offset, in order, at most `limit` of each; one query for all."""


_kinds: dict[str, TopicKind] = {}


def register_topic(prefix: str, kind: TopicKind) -> None:
    """Topics that start with `prefix.` (or are just `prefix`) belong to this kind."""
    _kinds[prefix] = kind


def kind_of(name: str) -> TopicKind | None:
    return _kinds.get(name.partition(".")[0])


def contents_of(names: Iterable[str]) -> dict[str, TopicContents]:
    """The contents of each topic that exists, one call a kind."""
    by_kind: dict[TopicKind, list[str]] = {}
    for name in names:
        kind = kind_of(name)
        if kind is not None:
            by_kind.setdefault(kind, []).append(name)
    found: dict[str, TopicContents] = {}
    for kind, its_names in by_kind.items():
        found.update(kind.contents_of(its_names))
    return found


def has_facts(name: str) -> bool:
    return isinstance(kind_of(name), FactTopicKind)


def facts_after(wanted: Mapping[str, int], limit: int) -> dict[str, list[Fact]]:
    """The facts of each topic after its offset, one call a kind."""
    by_kind: dict[FactTopicKind, dict[str, int]] = {}
    for name, offset in wanted.items():
        kind = kind_of(name)
        if isinstance(kind, FactTopicKind):
            by_kind.setdefault(kind, {})[name] = offset
    found: dict[str, list[Fact]] = {}
    for kind, its_wanted in by_kind.items():
        found.update(kind.facts_after(its_wanted, limit))
    return found


def authorised(user: User, names: Iterable[str]) -> set[str]:
    """Those of the topics that this user may join."""
    return {name for name in names if (kind := kind_of(name)) is not None and kind.authorise(user, name)}


def can_be_withdrawn(name: str) -> bool:
    kind = kind_of(name)
    return kind is not None and kind.can_be_withdrawn


def withdrawn(joined: Iterable[tuple[int, str]]) -> set[tuple[int, str]]:
    """Of these (user id, topic) those whose user may not be there any more, one call a kind."""
    by_kind: dict[TopicKind, list[tuple[int, str]]] = {}
    for user, name in joined:
        if (kind := kind_of(name)) is not None:
            by_kind.setdefault(kind, []).append((user, name))
    return {pair for kind, pairs in by_kind.items() for pair in kind.withdrawn(pairs)}


@lru_cache(maxsize=1)
def _redis(url: str) -> Redis:
    return Redis.from_url(url, socket_timeout=CHANGED_SECONDS, socket_connect_timeout=CHANGED_SECONDS)


def _tell(channel: str, message: Sequence[str] | Mapping[str, Any]) -> None:
    try:
        _redis(settings.REDIS_URL).publish(channel, orjson.dumps(message))
    except (RedisError, OSError) as error:
        log.warning("%s: Redis is away (%s), not told: %s", channel, type(error).__name__, ", ".join(message)[:200])


def changed(*names: str) -> None:
    """Tell every web process that these topics hold something else now. Call it after the commit.

    A hub that could not be told (Redis was away) reads its topics again when Redis is back.
    """
    _tell(CHANGED_CHANNEL, names)


def facts_changed(*names: str) -> None:
    """Tell every web process that these topics have new facts. Call it after the commit; a lost hint only delays."""
    _tell(FACTS_CHANNEL, names)


def values_changed(values: Mapping[str, tuple[str, Mapping[str, Any]]]) -> None:
    """Tell every web process the newest values of topics: `{"account.3": ("PNL", {...})}`. What is lost is lost."""
    _tell(VALUES_CHANNEL, values)


class InstrumentTopics(TopicKind):
    """`instrument.NSE_FNO.49081`: one listed instrument with five levels of depth."""

    open_to_all: ClassVar[bool] = True

    def contents(self, name: str) -> TopicContents | None:
        return self.contents_of([name]).get(name)

    def contents_of(self, names: Sequence[str]) -> dict[str, TopicContents]:
        keys = {name: key for name in names if (key := instrument_key(name.partition(".")[2])) is not None}
        listed = listed_instruments(key.code for key in keys.values())
        return {
            name: TopicContents((key,), "instrument", TOP_COLUMNS + DEPTH_COLUMNS, listed[key.code])
            for name, key in keys.items()
            if key.code in listed
        }


class DepthTopics(TopicKind):
    """`depth.NSE_FNO.49081`: the market's depth of one instrument, told as `DEPTH` values by the process that feeds it.

    Asked for again each second while somebody is on it, which is how the feed knows whose books are looked at.
    """

    open_to_all: ClassVar[bool] = True
    changes_itself: ClassVar[bool] = True

    def contents(self, name: str) -> TopicContents | None:
        return self.contents_of([name]).get(name)

    def contents_of(self, names: Sequence[str]) -> dict[str, TopicContents]:
        keys = {name: key for name in names if (key := instrument_key(name.partition(".")[2])) is not None}
        listed = listed_instruments(key.code for key in keys.values())
        if listed:
            keep_open(listed)
        return {
            name: TopicContents((), "depth", details={"instrument": str(key), **listed[key.code]})
            for name, key in keys.items()
            if key.code in listed
        }


def instrument_key(text: str) -> InstrumentKey | None:
    try:
        key = InstrumentKey.parse(text)
    except ValueError:
        return None
    return key if str(key) == text else None  # one topic has one spelling: no leading zeros


def listed_instruments(codes: Iterable[int]) -> dict[int, dict[str, Any]]:
    rows = Instrument.objects.filter(code__in=list(codes), is_listed=True)
    return {
        code: {"symbol": symbol, "name": name, "lot_size": lot_size, "tick_size": tick_size}
        for code, symbol, name, lot_size, tick_size in rows.values_list(
            "code", "symbol", "name", "lot_size", "tick_size"
        )
    }


@dataclass(frozen=True, slots=True)
class ChainName:
    """`chain.NSE_FNO.NIFTY.2026-02-24`; an underlying's own name may hold dots, dashes and ampersands."""

    segment: ExchangeSegment
    underlying: str
    expiry: date

    def __str__(self) -> str:
        return f"chain.{self.segment.name}.{self.underlying}.{self.expiry.isoformat()}"

    @classmethod
    def parse(cls, name: str) -> ChainName | None:
        parts = name.split(".")
        if len(parts) < 4 or parts[1] not in ExchangeSegment.__members__ or len(parts[-1]) != len("2026-02-24"):
            return None
        try:
            expiry = date.fromisoformat(parts[-1])
        except ValueError:
            return None
        return cls(ExchangeSegment[parts[1]], ".".join(parts[2:-1]), expiry)


class ChainTopics(TopicKind):
    """One underlying's options of one expiry: its reference first, then the contracts by strike.

    An always-on chain shows the window that its definition resolved to; any other shows what is listed.
    """

    open_to_all: ClassVar[bool] = True

    def contents(self, name: str) -> TopicContents | None:
        chain = ChainName.parse(name)
        if chain is None:
            return None
        contracts = resolved_contracts(chain) or listed_contracts(chain)
        return chain_contents(chain, contracts) if contracts else None


Contract = tuple[int, int | None, str, str]
"""Code, strike, option type, instrument type."""


def resolved_contracts(chain: ChainName) -> list[Contract]:
    rows = ChainContract.objects.filter(
        definition__segment=chain.segment, definition__underlying_symbol=chain.underlying, expiry=chain.expiry
    ).order_by("strike", "option_type")
    return list(rows.values_list("instrument_id", "strike", "option_type", "instrument__instrument_type"))


def listed_contracts(chain: ChainName) -> list[Contract]:
    rows = Instrument.objects.filter(
        segment=chain.segment, underlying_symbol=chain.underlying, expiry=chain.expiry, is_listed=True
    ).exclude(option_type="")
    ordered = rows.order_by("strike", "option_type")[:CHAIN_ROWS_LIMIT]
    return list(ordered.values_list("code", "strike", "option_type", "instrument_type"))


def chain_contents(chain: ChainName, contracts: list[Contract]) -> TopicContents:
    state = ChainState.objects.filter(
        definition__segment=chain.segment, definition__underlying_symbol=chain.underlying
    ).first()
    reference = (state and state.reference_id) or spot_code(chain, contracts[0][3])
    details = {
        "underlying": chain.underlying,
        "expiry": chain.expiry.isoformat(),
        "reference": str(InstrumentKey.from_code(reference)) if reference else None,
        "atm_strike": state.atm_strike if state else None,
        "strikes": [strike for _, strike, _, _ in contracts],
        "option_types": [option_type for _, _, option_type, _ in contracts],
    }
    codes = ([reference] if reference else []) + [code for code, *_ in contracts]
    return TopicContents(tuple(InstrumentKey.from_code(code) for code in codes), "chain", TOP_COLUMNS, details)


def spot_code(chain: ChainName, instrument_type: str) -> int | None:
    spot = reference_of(chain.segment, chain.underlying, InstrumentType(instrument_type), chain.expiry)
    return spot.code if spot else None


register_topic("instrument", InstrumentTopics())
register_topic("chain", ChainTopics())
register_topic("depth", DepthTopics())
