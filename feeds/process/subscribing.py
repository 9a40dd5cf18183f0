"""Interest becomes subscriptions: read what changed, plan, make room on the board, write the messages in order."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from redis.asyncio import Redis as AsyncRedis

from feeds import bus
from feeds.core.board import Board
from feeds.core.subscriptions import Action, Plan, Planner
from feeds.core.tick import TickFlag
from feeds.interest import InterestChanges, Source, changes_since
from feeds.models import DhanAccount, Instrument
from feeds.process.first_packet import FirstPacketAudit

Codes = NDArray[np.uint64]


class AccountDisabled(Exception):
    """The account's row is gone or switched off: this feed has nothing to do until it is back."""


class Line(Protocol):
    """What subscribing needs of a connection: it writes, or says that it is not live and asks for all later."""

    def subscribe(self, codes: Iterable[int]) -> bool: ...
    def unsubscribe(self, codes: Iterable[int]) -> bool: ...


@dataclass(frozen=True, slots=True)
class View:
    """What the database says at one moment."""

    changes: InterestChanges
    credential_version: int


def read_view(account_id: int, version: int) -> View:
    """Interest changed after `version`, and the credential's version.

    Raises:
        AccountDisabled: no enabled account of this id.
    """
    found = DhanAccount.objects.filter(pk=account_id, enabled=True).values_list("credential_version", flat=True).first()
    if found is None:
        raise AccountDisabled(f"account {account_id} is disabled or gone")
    return View(changes_since(account_id, version), found)


def tick_sizes(codes: Collection[int]) -> dict[int, int]:
    """Tick size in paise by code, of those the master knows."""
    return dict(Instrument.objects.filter(code__in=list(codes)).values_list("code", "tick_size"))


class Subscriptions:
    """The planner's decisions carried out on the board, the audit and the connections.

    `placed` holds the codes of each connection as sorted arrays, ready for the watchdogs.
    """

    def __init__(
        self,
        planner: Planner,
        board: Board,
        audit: FirstPacketAudit,
        before_removal: Callable[[], None],
    ) -> None:
        self.planner = planner
        self.lines: Sequence[Line] = ()
        self.placed: list[Codes] = [np.empty(0, np.uint64) for _ in range(planner.limits.connections)]
        self.version = 0
        self._chains: dict[str, Codes] = {}
        self.counters: Counter[str] = Counter()
        self._board = board
        self._audit = audit
        self._before_removal = before_removal

    def want(self, changes: InterestChanges) -> None:
        if changes.whole:
            self.planner.keep_only({(row.source, row.owner) for row in changes.rows})
            self._chains.clear()
        for row in changes.rows:
            self.planner.want((row.source, row.owner), row.codes, row.subscription_class, held=row.held)
            if row.source == Source.CHAIN:
                self._chains[row.owner] = row.codes
        self.version = changes.version

    def plan(self) -> Plan:
        """Decide, and free the board of what nobody wants any more. `carry_out` follows when the new have rows.

        The last that readers hear of those is that they are not to be believed: nobody feeds them.
        """
        plan = self.planner.plan()
        gone = [code for step in plan.steps for code in step.codes if self.planner.placement(code) is None]
        if gone:
            self._board.mark(gone, TickFlag.STALE)
            self._before_removal()
            self._board.remove(gone)
        return plan

    def without_row(self, plan: Plan) -> list[int]:
        """Instruments that are about to be subscribed and have no row yet: their packets would be lost."""
        wanted = [code for step in plan.steps if step.action is Action.SUBSCRIBE for code in step.codes]
        codes = np.unique(np.array(wanted, np.uint64))
        return codes[self._board.slots(codes) < 0].tolist()

    def add_to_board(self, codes: Iterable[int], ticks: dict[int, int]) -> None:
        """Instruments the master does not know are taken as ticking in whole paise."""
        wanted = list(codes)
        self._board.add(wanted, [ticks.get(code, 0) for code in wanted])

    def carry_out(self, plan: Plan) -> None:
        """Write the messages in their order. A connection that is down skips its own: it subscribes all when up."""
        for index in {step.connection for step in plan.steps}:
            self.placed[index] = np.array(self.planner.desired(index), np.uint64)
        for step in plan.steps:
            line = self.lines[step.connection]
            write = line.subscribe if step.action is Action.SUBSCRIBE else line.unsubscribe
            if write(step.codes):
                self.counters[step.action.lower()] += len(step.codes)
            if step.action is Action.UNSUBSCRIBE:  # here, for a reconnect since `plan` has asked for them once more
                self._audit.forget(step.codes)
            if step.gap:
                self._board.mark(step.codes, TickFlag.GAP)

    def send_again(self, codes: Iterable[int]) -> None:
        """Subscribe these again where they are placed: Dhan seems not to have acted on it."""
        by_connection: dict[int, list[int]] = {}
        for code in codes:
            if (index := self.planner.placement(code)) is not None:
                by_connection.setdefault(index, []).append(code)
        for index, members in by_connection.items():
            self.lines[index].subscribe(members)

    def desired(self, index: int) -> list[int]:
        """What one connection asks for when it is live anew."""
        return self.placed[index].tolist()

    def chain_counts(self) -> dict[str, int]:
        """How many instruments of each chain are placed, by its definition's id."""
        placed = np.concatenate(self.placed)
        return {owner: int(np.isin(codes, placed).sum()) for owner, codes in self._chains.items() if len(codes)}

    def everything(self) -> Codes:
        """Every placed instrument that has a row."""
        codes = np.concatenate(self.placed)
        return codes[self._board.slots(codes) >= 0]


async def seed_from_last_run(redis: AsyncRedis, account_id: int, board: Board, codes: Collection[int]) -> int:
    """Give fresh rows the values that Redis kept: previous close and open interest are sent once and never again.

    Returns how many had any.

    Raises:
        REDIS_ERRORS: Redis is away.
    """
    fields = [int(code).to_bytes(8, "little") for code in codes]
    rows = bus.rows_of(await redis.hmget(bus.board_key(account_id), fields)).copy()
    for name in ("flags", "low", "high"):
        rows[name] = 0
    return board.seed(rows)
