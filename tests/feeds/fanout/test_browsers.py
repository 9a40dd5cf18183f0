"""Which browser is slow: one that has owed an acknowledgement for two seconds."""

from __future__ import annotations

from unittest.mock import sentinel

from feeds.fanout.browsers import Browser


def test_a_browser_is_slow_from_two_seconds_until_it_acknowledges():
    browser = Browser("one", sentinel.link, sentinel.login)
    browser.window.sent(100, 10.0)
    assert not browser.is_late(12.0)
    assert browser.is_late(12.1)
    browser.window.acknowledge(1, 12.2)
    assert not browser.is_late(20.0)


def test_a_browser_that_was_sent_nothing_owes_nothing():
    assert not Browser("one", sentinel.link, sentinel.login).is_late(1e9)
