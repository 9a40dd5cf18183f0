"""The gate: many go through together, and who shuts it waits for them and holds the rest up."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from threading import Event

import pytest
from django.db import connection, transaction

from rms import gate

DEADLINE = 20


@pytest.mark.django_db(transaction=True)
def test_it_is_held_until_the_transaction_ends():
    inside, leave, order = Event(), Event(), []

    def trade() -> None:
        try:
            with transaction.atomic():
                gate.shared()
                inside.set()
                assert leave.wait(DEADLINE)
                order.append("traded")
        finally:
            connection.close()

    def stop() -> None:
        try:
            with transaction.atomic():
                gate.exclusive()
                order.append("stopped")
        finally:
            connection.close()

    with ThreadPoolExecutor(2) as threads:
        trading = threads.submit(trade)
        assert inside.wait(DEADLINE)
        with transaction.atomic():
            gate.shared()  # a second one goes through beside the first
        stopping = threads.submit(stop)
        leave.set()
        trading.result(DEADLINE)
        stopping.result(DEADLINE)
    assert order == ["traded", "stopped"]


@pytest.mark.django_db(transaction=True)
def test_without_a_transaction_it_would_hold_nothing():
    with pytest.raises(RuntimeError):
        gate.shared()
