"""What the database refuses again and again is set aside, so that it does not hold up what everybody else asked."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence

from django.db import DataError, IntegrityError, NotSupportedError, ProgrammingError

from feeds import clock
from oms.core.engine_events import EngineEvent, Reason, Rejected
from oms.core.order import ImpossibleTransition, OrderStatus
from oms.models import Order
from oms.process.reasons import sentence
from oms.process.writing import Written
from rms.errors import RiskError

log = logging.getLogger(__name__)

UNWRITABLE = (DataError, IntegrityError, NotSupportedError, ProgrammingError, RiskError, ImpossibleTransition)
"""What is wrong with the content of a step. Every other error of the database passes when it is back."""
TRIES = 3
"""Of a step; a rebuilding heals what came of two processes meeting."""

Write = Callable[[Sequence[EngineEvent]], Written]


def write_apart(events: Sequence[EngineEvent], write: Write) -> frozenset[int]:
    """Write a refused step by its groups of orders, each in a transaction of its own. What still cannot be written is
    rejected where it was not at the venue yet.

    Returns the orders that are left as they are: nothing may be done with them until somebody has looked.

    Raises:
        Fenced, django.db.Error: as `write_events`; what was written is written.
    """
    left = {pk for own in _by_group(events) if not _is_written(own, write) for pk in {event.order_id for event in own}}
    unsent = Order.objects.filter(pk__in=left, status=OrderStatus.TRANSIT).order_by("pk").values_list("pk", flat=True)
    left -= {pk for pk in unsent if _is_written([_rejection(pk)], write)}
    if left:
        log.critical("execution: orders %s cannot be written and are set aside", sorted(left))
    return frozenset(left)


def _by_group(events: Sequence[EngineEvent]) -> list[list[EngineEvent]]:
    """Events of orders that belong together, in their order."""
    rows = Order.objects.filter(pk__in={event.order_id for event in events}).values_list("pk", "group_id")
    group_of = dict(rows)
    found: dict[tuple[bool, int], list[EngineEvent]] = {}
    for event in events:
        group = group_of.get(event.order_id)
        found.setdefault((group is None, group or event.order_id), []).append(event)
    return list(found.values())


def _is_written(events: Sequence[EngineEvent], write: Write) -> bool:
    try:
        write(events)
    except UNWRITABLE as error:
        log.error("execution: order %d could not be written (%s): %s", events[0].order_id, type(error).__name__, error)
        return False
    return True


def _rejection(pk: int) -> Rejected:
    return Rejected(pk, Reason.UNWRITABLE, sentence(Reason.UNWRITABLE), clock.exchange_now())
