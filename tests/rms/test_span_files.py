"""The clearing house's file as processes see it."""

from __future__ import annotations

import os
import shutil
import time
from pathlib import Path

import pytest

from rms.span_files import SpanShelf, span_file

FILE = Path(__file__).parent / "core" / "nsccl.20260625.i01.spn"
DEADLINE_SECONDS = 10.0


def until_day(shelf: SpanShelf, path: Path, day: str) -> None:
    deadline = time.monotonic() + DEADLINE_SECONDS
    while True:
        file = shelf.current(path)
        if file is not None and file.day.isoformat() == day:
            return
        assert time.monotonic() < deadline, file
        time.sleep(0.005)


@pytest.fixture
def path(tmp_path) -> Path:
    return Path(shutil.copy(FILE, tmp_path / "today.spn"))


def rewrite(path: Path, day: bytes) -> None:
    path.write_bytes(FILE.read_bytes().replace(b"<date>20260625", b"<date>" + day))
    stamp = path.stat().st_mtime_ns + 10**9
    os.utime(path, ns=(stamp, stamp))


def test_the_first_file_is_there_at_once_and_read_once(path):
    shelf = SpanShelf()

    assert set(shelf.current(path).underlyings) == {"NIFTY", "BANKNIFTY", "CRUDEOIL"}
    assert shelf.current(path) is shelf.current(path)


def test_a_newer_version_takes_its_place_without_anybody_waiting(path):
    shelf = SpanShelf()
    shelf.current(path)
    rewrite(path, b"20260626")

    until_day(shelf, path, "2026-06-26")


def test_a_damaged_newer_version_changes_nothing(path, caplog):
    shelf = SpanShelf()
    shelf.current(path)
    path.write_bytes(b"<spanFile>")
    os.utime(path, ns=(1, 1))
    deadline = time.monotonic() + DEADLINE_SECONDS
    while "SPAN_FILE cannot be used" not in caplog.text:
        assert shelf.current(path) is not None
        assert time.monotonic() < deadline
        time.sleep(0.005)

    assert shelf.current(path).name == "today.spn"


def test_another_path_is_read_at_once(path, tmp_path):
    shelf = SpanShelf()
    shelf.current(tmp_path / "missing.spn")

    assert shelf.current(path) is not None


def test_a_missing_file_is_none_until_it_comes(path):
    shelf, content = SpanShelf(), path.read_bytes()
    path.unlink()
    assert shelf.current(path) is None

    path.write_bytes(content)
    until_day(shelf, path, "2026-06-25")


def test_without_the_setting_there_is_no_file(settings):
    settings.SPAN_FILE = ""

    assert span_file() is None
