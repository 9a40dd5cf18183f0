"""The instrument master into PostgreSQL: copied beside the table, judged whole, then merged in one transaction."""

from __future__ import annotations

import logging
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date
from functools import lru_cache
from pathlib import Path
from typing import Any

import httpx
from django.conf import settings
from django.db import connection, transaction

from feeds.core.instrument import ExchangeSegment, OptionType
from feeds.core.price import PAISE_PER_RUPEE
from feeds.dhan.master import MasterError, MasterRow, MasterSkip, UnreadableMaster, read_master

log = logging.getLogger(__name__)

ERRORS_KEPT = 100
"""Bad rows that a report names; the rest are only counted."""
ERROR_SHARE_LIMIT = 0.05
"""More bad rows than this and it is the layout that changed, not the rows."""
DOWNLOAD_SECONDS = 120.0
PROGRESS_ROWS = 20_000
MERGE_LOCK = 0x6D617374
"""Advisory lock of imports ("mast"): two at once would judge each other's half."""
MERGE_SECONDS = 120
"""The merge of a whole master, beyond the usual statement limit."""

COLUMNS = (
    "code", "segment", "security_id", "instrument_type", "symbol", "name", "underlying_symbol",
    "underlying_security_id", "expiry", "strike", "option_type", "lot_size", "tick_size", "multiplier",
    "freeze_quantity", "lower_limit", "upper_limit", "isin", "series", "expiry_flag", "search_vector",
)  # fmt: skip
FACTS = COLUMNS[1:]

CREATE = f"""
CREATE TEMPORARY TABLE master ON COMMIT DROP AS SELECT {", ".join(COLUMNS)} FROM feeds_instrument LIMIT 0
"""  # noqa: S608 constants only
COPY = f"COPY master ({', '.join(COLUMNS)}) FROM STDIN"
MERGE = f"""
INSERT INTO feeds_instrument AS known ({", ".join(COLUMNS)}, is_listed, listed_on)
SELECT {", ".join(COLUMNS)}, TRUE, %(day)s FROM master
ORDER BY expiry NULLS FIRST, underlying_symbol, code
ON CONFLICT (code) DO UPDATE SET
  {", ".join(f"{name} = EXCLUDED.{name}" for name in FACTS)}, is_listed = TRUE, listed_on = EXCLUDED.listed_on
WHERE (known.is_listed, known.listed_on, {", ".join(f"known.{name}" for name in FACTS)})
  IS DISTINCT FROM (TRUE, EXCLUDED.listed_on, {", ".join(f"EXCLUDED.{name}" for name in FACTS)})
"""  # noqa: S608 constants only
DELIST = """
UPDATE feeds_instrument AS known SET is_listed = FALSE
WHERE known.is_listed AND NOT EXISTS (SELECT 1 FROM master WHERE master.code = known.code)
"""
COUNT_LISTED = "SELECT count(*) FROM feeds_instrument WHERE is_listed AND (expiry IS NULL OR expiry >= %s)"
TIDY = "SELECT gin_clean_pending_list('instrument_search'), gin_clean_pending_list('instrument_search_spots')"
"""New words wait in a list that every search would read through; here they are sorted in."""

WORD = re.compile(r"[a-z0-9]+")

Progress = Callable[[int], None]


class MasterRefused(Exception):
    """The file is not a whole master; nothing was changed. The message says what is wrong with it."""


@dataclass
class ImportReport:
    """What an import did. `by_type` counts the rows listed now, `skipped` those left out by reason."""

    day: date
    rows: int = 0
    written: int = 0
    delisted: int = 0
    by_type: Counter[str] = field(default_factory=Counter)
    skipped: Counter[str] = field(default_factory=Counter)
    errors: int = 0
    first_errors: list[MasterError] = field(default_factory=list)

    def as_json(self) -> dict[str, Any]:
        return {
            "day": self.day.isoformat(),
            "rows": self.rows,
            "written": self.written,
            "delisted": self.delisted,
            "by_type": dict(sorted(self.by_type.items())),
            "skipped": dict(sorted(self.skipped.items())),
            "errors": self.errors,
            "first_errors": [{"line": line, "reason": reason} for line, reason in self.first_errors],
        }


def import_master(source: str | Path | None = None, *, day: date, progress: Progress | None = None) -> ImportReport:
    """Import a master from a file, an http address or (nothing given) the configured address.

    Raises:
        MasterRefused: it is empty, cut, of an unknown layout or far smaller than what is listed. Nothing changed.
        OSError, httpx.HTTPError: it cannot be fetched. Nothing changed.
    """
    with open_master(source if source is not None else settings.DHAN_MASTER_URL) as lines:
        return import_lines(lines, day=day, progress=progress)


def import_lines(lines: Iterable[str], *, day: date, progress: Progress | None = None) -> ImportReport:
    """Import the lines of a master as of a trading day, in one transaction.

    Raises:
        MasterRefused
    """
    report = ImportReport(day)
    try:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock(%s)", [MERGE_LOCK])
            cursor.execute(f"SET LOCAL statement_timeout = '{MERGE_SECONDS}s'")
            cursor.execute(CREATE)
            with cursor.copy(COPY) as copy:
                for row in _wanted(read_master(lines, day), report, progress):
                    copy.write_row(_values(row))
            _judge(cursor, report)
            _merge(cursor, report)
    except UnreadableMaster as error:
        raise MasterRefused(str(error)) from None
    log.info("master of %s: %s", day, report.as_json())
    return report


def _wanted(
    results: Iterable[MasterRow | MasterSkip | MasterError], report: ImportReport, progress: Progress | None
) -> Iterator[MasterRow]:
    """The rows to import; everything else is only counted."""
    for number, result in enumerate(results, start=1):
        if isinstance(result, MasterRow):
            report.rows += 1
            report.by_type[result.instrument_type.value] += 1
            yield result
        elif isinstance(result, MasterSkip):
            report.skipped[result.reason.value] += 1
        else:
            report.errors += 1
            if len(report.first_errors) < ERRORS_KEPT:
                report.first_errors.append(result)
        if progress is not None and number % PROGRESS_ROWS == 0:
            progress(number)


def _judge(cursor: Any, report: ImportReport) -> None:
    """Refuse what cannot be a whole master, before anything of it is believed."""
    cursor.execute(COUNT_LISTED, [report.day])
    (listed,) = cursor.fetchone()
    if report.rows == 0:
        raise MasterRefused(f"the master has no row that we can use ({report.errors} bad ones)")
    if report.errors > ERROR_SHARE_LIMIT * (report.rows + report.errors) and report.errors > ERRORS_KEPT:
        first = report.first_errors[0]
        raise MasterRefused(f"{report.errors} bad rows, the first on line {first.line}: {first.reason}")
    if report.rows < settings.MASTER_MINIMUM_SHARE * listed:
        raise MasterRefused(f"the master has {report.rows} rows where {listed} are listed: it looks cut")


def _merge(cursor: Any, report: ImportReport) -> None:
    cursor.execute("ANALYZE master")
    cursor.execute(MERGE, {"day": report.day})
    report.written = cursor.rowcount
    cursor.execute(DELIST)
    report.delisted = cursor.rowcount
    cursor.execute("DROP TABLE master")
    cursor.execute(TIDY)
    cursor.execute("ANALYZE feeds_instrument")


def _values(row: MasterRow) -> tuple[Any, ...]:
    return (
        row.key.code, row.key.segment.value, row.key.security_id, row.instrument_type.value, row.symbol, row.name,
        row.underlying_symbol, row.underlying_security_id, row.expiry, row.strike,
        row.option_type.value if row.option_type else "", row.lot_size, row.tick_size, row.multiplier,
        row.freeze_quantity, row.lower_limit, row.upper_limit, row.isin, row.series, row.expiry_flag,
        " ".join(sorted(search_words(row))),
    )  # fmt: skip


def search_words(row: MasterRow) -> set[str]:
    """The words by which a search finds an instrument: lower-case letters and digits only, each once.

    Both ways to write a name with a sign in it are there (m&m: "mm" beside "m", "m"). Contracts get their own
    terms and not the symbol squeezed together, which would be 200,000 words that nobody types.
    """
    words = {*WORD.findall(row.name.lower()), *_underlying_words(row.underlying_symbol), _exchange_word(row)}
    words.update(_spot_words(row) if row.expiry is None else _contract_words(row, row.expiry))
    words.discard("")
    return words


def _exchange_word(row: MasterRow) -> str:
    return "" if row.key.segment is ExchangeSegment.IDX_I else row.key.segment.name.partition("_")[0].lower()


@lru_cache(maxsize=16384)
def _underlying_words(symbol: str) -> frozenset[str]:
    return frozenset(WORD.findall(symbol.lower())) | {squeezed(symbol)}


def _spot_words(row: MasterRow) -> list[str]:
    return [squeezed(row.symbol), row.instrument_type.value.lower(), row.series.lower(), row.isin.lower()]


def _contract_words(row: MasterRow, expiry: date) -> Iterable[str]:
    if row.option_type is None:
        return {*_expiry_words(expiry), "futures"}
    side = ("options", "ce", "call") if row.option_type is OptionType.CALL else ("options", "pe", "put")
    rupees, paise = divmod(row.strike or 0, PAISE_PER_RUPEE)
    return {*_expiry_words(expiry), *side, str(rupees), f"{paise:02d}" if paise else ""}


@lru_cache(maxsize=512)
def _expiry_words(expiry: date) -> frozenset[str]:
    """24 February 2026 in the ways that people type it."""
    month, day, year = f"{expiry:%b}".lower(), expiry.day, expiry.year
    names = {month, f"{expiry:%B}".lower(), f"{month}{year}", f"{month}{year % 100:02d}"}
    return frozenset(names | {str(day), str(year), f"{day}{month}", f"{day}{month}{year}", f"{expiry:%Y%m%d}"})


def squeezed(text: str) -> str:
    """A symbol without its signs: BAJAJ-AUTO is bajajauto."""
    return "".join(WORD.findall(text.lower()))


@contextmanager
def open_master(source: str | Path) -> Iterator[Iterator[str]]:
    """The lines of a master, from a path or an address, while they are read.

    Raises:
        OSError, httpx.HTTPError: it cannot be opened, or the connection broke before its announced end.
    """
    if str(source).startswith(("http://", "https://")):
        with httpx.stream("GET", str(source), timeout=DOWNLOAD_SECONDS, follow_redirects=True) as response:
            response.raise_for_status()
            response.encoding = "utf-8"
            yield _lines(response.iter_text())
    else:
        with Path(source).open(encoding="utf-8", errors="replace", newline="") as file:
            yield file


def _lines(pieces: Iterable[str]) -> Iterator[str]:
    """Lines with their ends, of text that arrives in pieces."""
    rest = ""
    for piece in pieces:
        *whole, rest = (rest + piece).split("\n")
        for line in whole:
            yield line + "\n"
    if rest:
        yield rest
