"""One topic's rows, sequence and history, and its parts of a frame: each encoded once, however many get it."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import orjson
from numpy.typing import NDArray

from feeds.core.fact_log import FactLog
from feeds.core.instrument import InstrumentKey
from feeds.core.live_table import COLUMN_INDEX, LiveTable, Slots

HISTORY = 600
"""Changes remembered, a minute at ten a second. Who is further behind gets a snapshot."""


class TopicState:
    """A topic as it is now. Its sequence goes up by one with each flush that changed any of its rows.

    `id` is the hub's number for it: the same for every browser, so that a part is the same text for all.
    """

    def __init__(self, identity: int, name: str) -> None:
        self.id = identity
        self.name = name
        self.sequence = 0
        self.changed_at = 0  # the flush of the last change
        self.slots: Slots = np.empty(0, np.intp)
        self.instruments: frozenset[str] = frozenset()
        self.offset: int | None = None  # the last fact that the details tell of; None: it has no facts
        self.facts = FactLog(0)
        self.value = ""
        self.value_at = 0  # the flush that first tells the value
        self._head: dict[str, Any] = {}
        self._columns: Slots = np.empty(0, np.intp)
        self._changes: list[int] = []  # flushes of the changes after the first `_forgotten`
        self._forgotten = 0
        self._forgotten_at = 0
        self._parts: dict[int, str] = {}
        self._snapshots: dict[bool, str] = {}

    def define(
        self,
        kind: str,
        instruments: Sequence[InstrumentKey],
        columns: Sequence[str],
        details: Mapping[str, Any],
        table: LiveTable,
        offset: int | None = None,
    ) -> None:
        """Say what the topic holds from now on. Whoever is on it needs a snapshot, if its rows are others."""
        if offset is not None and self.offset is None:
            self.facts = FactLog(offset)
        self.offset = offset
        self.instruments = frozenset(str(key) for key in instruments)
        self._head = {
            "topic": self.name,
            "id": self.id,
            "kind": kind,
            "columns": columns,
            "instruments": [str(key) for key in instruments],
            "details": details,
        }
        if offset is not None:
            self._head["offset"] = offset
        self._columns = np.array([COLUMN_INDEX[name] for name in columns], np.intp)
        self.slots = table.slots([key.code for key in instruments])
        self._forget_texts()

    def mark_changed(self, flush: int) -> None:
        """Its rows (or its details) changed in this flush."""
        self.sequence += 1
        self.changed_at = flush
        self._changes.append(flush)
        if len(self._changes) > 2 * HISTORY:
            self._forgotten += HISTORY
            self._forgotten_at = self._changes[HISTORY - 1]
            del self._changes[:HISTORY]
        self._forget_texts()

    def _forget_texts(self) -> None:
        self._parts.clear()
        self._snapshots.clear()

    def sequence_at(self, flush: int) -> int | None:
        """The sequence after this flush; None when that is longer ago than remembered."""
        if flush < self._forgotten_at:
            return None
        return self._forgotten + bisect_right(self._changes, flush)

    def update_part(self, since_flush: int, table: LiveTable) -> str | None:
        """`[id, from, to, rows]` with what changed after a flush; None when only a snapshot can tell."""
        start = self.sequence_at(since_flush)
        if start is None:
            return None
        part = self._parts.get(start)
        if part is None:
            part = self._parts[start] = self._encode_update(start, since_flush, table)
        return part

    def _encode_update(self, start: int, since_flush: int, table: LiveTable) -> str:
        rows = np.flatnonzero(table.changed_at[self.slots] > since_flush)
        values = np.empty((len(rows), len(self._columns) + 1), np.int64)
        values[:, 0] = rows
        values[:, 1:] = table.values[self.slots[rows][:, None], self._columns]
        return f"[{self.id},{start},{self.sequence},{json_rows(values)}]"

    def set_value(self, kind: str, body: Mapping[str, Any], flush: int) -> None:
        """A value that replaces the one before; told from this flush on."""
        text = orjson.dumps([kind, body]).decode()
        self.value, self.value_at = f'{{"topic":"{self.name}","id":{self.id},"values":[{text}]}}', flush

    def facts_part(self, after: int, until: int) -> tuple[str, int]:
        """The next facts after an offset as a part, and how far it reaches. The log must still hold them."""
        text, last = self.facts.text(after, until)
        return f'{{"topic":"{self.name}","id":{self.id},"facts":[{text}],"from":{after},"to":{last}}}', last

    def snapshot_part(self, epoch: str, gap: bool, table: LiveTable) -> str:
        part = self._snapshots.get(gap)
        if part is None:
            part = self._snapshots[gap] = self._encode_snapshot(epoch, gap, table)
        return part

    def _encode_snapshot(self, epoch: str, gap: bool, table: LiveTable) -> str:
        head = orjson.dumps({**self._head, "epoch": epoch, "sequence": self.sequence, "gap": gap}).decode()
        values = table.values[self.slots[:, None], self._columns]
        return f'{head[:-1]},"rows":{json_rows(values)}}}'


def json_rows(values: NDArray[np.int64]) -> str:
    return orjson.dumps(np.ascontiguousarray(values), option=orjson.OPT_SERIALIZE_NUMPY).decode()


class TopicIndex:
    """Which topics a flush changed, found for all of them in one pass over their slots laid end to end."""

    def __init__(self, topics: Iterable[TopicState]) -> None:
        self._topics = [topic for topic in topics if len(topic.slots)]
        lengths = [len(topic.slots) for topic in self._topics]
        self._starts = np.cumsum([0, *lengths])[:-1].astype(np.intp)
        self._slots = np.concatenate([topic.slots for topic in self._topics]) if self._topics else None

    def changed(self, table: LiveTable, flush: int) -> list[TopicState]:
        """The topics with a row that changed in this flush or later."""
        if self._slots is None:
            return []
        latest = np.maximum.reduceat(table.changed_at[self._slots], self._starts)
        return [self._topics[index] for index in np.flatnonzero(latest >= flush)]
