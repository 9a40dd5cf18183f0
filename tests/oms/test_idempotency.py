"""One reference, one order: repeats get the first answer, also when it was no."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest
from django.db import connection

from oms import services
from oms.core.order import Side, Source
from oms.errors import OrderError, OrderRefused, ReferenceTaken
from oms.models import Order, OrderEvent
from rms import kill_switch
from rms.models import AccountFact, Hold

TIMES = 50


def test_a_repeat_gets_the_first_order_and_meets_no_check(floor):
    request = floor.request()
    first = services.place_order(request, floor.trader)
    floor.at("2026-02-03 22:00")
    kill_switch.engage(actor=floor.trader, reason="stop")
    facts = AccountFact.objects.count()
    again = services.place_order(replace(request, source=Source.PROGRAM), floor.trader)
    assert again.pk == first.pk
    assert AccountFact.objects.count() == facts
    assert Hold.objects.count() == 1


def test_a_repeat_of_a_refused_order_is_refused_in_the_same_words(floor):
    request = floor.request(quantity=64)
    answers = []
    for _ in range(2):
        with pytest.raises(OrderRefused) as refused:
            services.place_order(request, floor.trader)
        answers.append((refused.value.code, refused.value.message, refused.value.details))
        floor.at("2026-02-03 22:00")
    assert answers[0] == answers[1]
    assert Order.objects.count() == 1


def test_the_same_reference_for_something_else_is_refused(floor):
    request = floor.request()
    first = services.place_order(request, floor.trader)
    with pytest.raises(ReferenceTaken) as taken:
        services.place_order(replace(request, quantity=130), floor.trader)
    assert (taken.value.code, taken.value.details["order_id"]) == ("REFERENCE_TAKEN", first.pk)
    assert Order.objects.count() == 1


def test_a_repeat_of_a_bracket_gets_its_entry(floor):
    request = floor.request(target_price=17_000, stop_price=14_000)
    first = services.place_order(request, floor.trader)
    assert services.place_order(request, floor.trader).pk == first.pk
    assert Order.objects.count() == 3


def test_one_reference_twice_in_one_batch_is_one_order(floor):
    request = floor.request()
    first, second = services.place_orders([request, request], floor.trader)
    assert first.pk == second.pk
    other = floor.request()
    with pytest.raises(OrderError):
        services.place_orders([other, replace(other, side=Side.SELL)], floor.trader)


def test_fifty_clicks_at_once_are_one_order(busy_floor):
    request = busy_floor.request()

    def click(_: int) -> int:
        try:
            return services.place_order(request, busy_floor.trader).pk
        finally:
            connection.close()

    with ThreadPoolExecutor(16) as threads:
        answers = set(threads.map(click, range(TIMES)))
    assert len(answers) == 1
    assert Order.objects.count() == OrderEvent.objects.count() == 1
    assert busy_floor.funds.held_margin == 975_000
