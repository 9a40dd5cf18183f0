"""What a second shell finds in the data folder of a running `up`."""

from __future__ import annotations

import json

import pytest

from terminal import datadir

REAL = "wss://api-feed.dhan.co"


def test_without_a_simulation_the_clock_is_true_and_dhan_is_real(tmp_path):
    assert datadir.clock_offset(tmp_path) == 0.0
    assert datadir.dhan_url(tmp_path, "DHAN_FEED_URL", REAL) == REAL


def test_a_second_shell_meets_the_simulator_at_the_simulations_time(tmp_path):
    simulation = {"offset_seconds": -100.5, "dhan": {"DHAN_FEED_URL": "ws://127.0.0.1:9010"}}
    (tmp_path / "clock.json").write_text(json.dumps(simulation))
    assert datadir.clock_offset(tmp_path) == -100.5
    assert datadir.dhan_url(tmp_path, "DHAN_FEED_URL", REAL) == "ws://127.0.0.1:9010"


@pytest.mark.parametrize("text", ["", "{", "[1"])
def test_a_file_that_was_cut_short_counts_as_none(tmp_path, text):
    (tmp_path / "clock.json").write_text(text)
    assert datadir.clock_offset(tmp_path) == 0.0
