"""The clearing house's file in force: each version read once, and never while an order waits for it but the first."""

from __future__ import annotations

import logging
from pathlib import Path
from threading import Lock, Thread
from typing import NamedTuple

from django.conf import settings

from feeds.core.chains import shipped_chains
from rms.core.parameters import span_codes
from rms.core.span import BadSpanFile, SpanFile, read_span

log = logging.getLogger(__name__)


class Version(NamedTuple):
    """Which file, and when it was last written (0: it is not there)."""

    path: Path
    written_at: int


class SpanShelf:
    """Holds the last file that was read. A newer one is read beside it (57 MB: six seconds) then takes its place."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._version: Version | None = None
        self._file: SpanFile | None = None
        self._reader: Thread | None = None

    def current(self, path: Path) -> SpanFile | None:
        """What there is of `path` now; None: nothing that can be read, so margins are estimates."""
        version = _version(path)
        if version != self._version:
            with self._lock:
                self._renew(version)
        return self._file

    def _renew(self, version: Version) -> None:
        if version == self._version or (self._reader is not None and self._reader.is_alive()):
            return
        if self._version is None or self._version.path != version.path:
            self._take(version)
            return
        self._reader = Thread(target=self._take, args=(version,), name="span-file", daemon=True)
        self._reader.start()

    def _take(self, version: Version) -> None:
        """A newer version that cannot be read changes nothing: it may be half written."""
        same = self._version is not None and self._version.path == version.path
        self._file, self._version = _read(version) or (self._file if same else None), version


def span_file() -> SpanFile | None:
    """The file that SPAN_FILE names. Processes ask when they start, so that no order waits for the first reading."""
    return _shelf.current(Path(settings.SPAN_FILE)) if settings.SPAN_FILE else None


_shelf = SpanShelf()


def _version(path: Path) -> Version:
    try:
        return Version(path, path.stat().st_mtime_ns)
    except OSError:
        return Version(path, 0)


def _read(version: Version) -> SpanFile | None:
    """Only the underlyings of the chains that are always watched: the whole file would be 158,713 options."""
    codes = span_codes()
    wanted = {codes.get(chain.underlying, chain.underlying) for chain in shipped_chains()}
    try:
        found = read_span(version.path, wanted)
    except (OSError, BadSpanFile) as error:
        log.error("SPAN_FILE cannot be used, margins stay as they are: %s", error)
        return None
    log.info("margins follow %s of %s", found.name, found.day)
    return found
