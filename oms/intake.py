"""The intake of a web process: orders that arrive together are placed in one transaction, each with its own answer.

A commit and a dozen statements cost an order alone far more than its checks do. So whoever comes while a transaction
runs waits for it, and the first of those who waited takes all others along into the next. Two transactions begin at
least a few milliseconds apart, so that a busy desk shares them even while they are short; an order that comes alone
is placed at once.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from django.conf import settings
from django.contrib.auth.models import AbstractBaseUser
from django.db import DatabaseError, InterfaceError, OperationalError, connection

from feeds import clock
from oms import services
from oms.models import Order
from oms.requests import OrderRequest
from oms.services import Answer, Asked

DATABASE_AWAY = (OperationalError, InterfaceError)
MOST = 32
"""Requests of one transaction: behind more than these the first would wait noticeably longer than alone."""


@dataclass(slots=True)
class Waiting:
    """A request that waits for its answer, or what went wrong for all that were placed with it."""

    asked: Asked
    answer: Answer | None = None
    failure: BaseException | None = None

    @property
    def is_answered(self) -> bool:
        return self.answer is not None or self.failure is not None

    def result(self) -> Answer:
        """What `services.place_order` would return or raise, as a value. Raises what went wrong."""
        if self.answer is None:
            raise self.failure or RuntimeError("the request was not answered")
        return self.answer


class Intake:
    """Thread-safe. Each caller gets its answer on its own thread; one of them does the work of several."""

    def __init__(self) -> None:
        self._waiting: deque[Waiting] = deque()
        self._placing = threading.Lock()
        self._next = 0.0

    def place(self, request: OrderRequest, user: AbstractBaseUser | None) -> Answer:
        """What `services.place_order` would return or raise, as a value. Durable when this returns."""
        [mine] = self.place_all([Asked(request, user)])
        return mine.result()

    def place_all(self, asked: Sequence[Asked]) -> list[Waiting]:
        """Place several of one caller's; each with its answer, or with what went wrong."""
        mine = [Waiting(each) for each in asked]
        self._waiting.extend(mine)
        for each in mine:
            while not each.is_answered:
                with self._placing:
                    if not each.is_answered:
                        self._place_next()
        return mine

    def pause(self) -> float:
        """Seconds until the next transaction may begin: who can wait elsewhere meanwhile gathers company."""
        return max(self._next - clock.monotonic(), 0.0)

    def _place_next(self) -> None:
        time.sleep(self.pause())
        self._next = clock.monotonic() + settings.ORDER_INTAKE_SECONDS
        batch = self._take()
        try:
            _place(batch)
        except BaseException as failure:  # the work of all of them ended: none may wait for ever
            for each in batch:
                each.failure = each.failure or failure
            if not isinstance(failure, Exception):
                raise

    def _take(self) -> list[Waiting]:
        """The next ones in the order of their coming; a second user of an account waits for the next transaction."""
        batch: list[Waiting] = []
        later: list[Waiting] = []
        users: dict[int, AbstractBaseUser | None] = {}
        while self._waiting and len(batch) < MOST:
            each = self._waiting.popleft()
            is_alone = users.setdefault(each.asked.request.account_id, each.asked.user) == each.asked.user
            (batch if is_alone else later).append(each)
        self._waiting.extendleft(reversed(later))
        return batch


def _place(batch: Sequence[Waiting]) -> None:
    """Answer all of them. What the database refuses for one of them spoils nobody else's: then each is placed alone,
    which their references make safe even when nobody knows whether the commit happened."""
    try:
        answers = services.place_each([each.asked for each in batch])
    except DatabaseError as error:
        if len(batch) == 1 or isinstance(error, DATABASE_AWAY):
            for each in batch:
                each.failure = error
            return
        for each in batch:
            _place([each])
        return
    for each, answer in zip(batch, answers, strict=True):
        each.answer = answer


@lru_cache(maxsize=1)
def intake() -> Intake:
    """This process's."""
    return Intake()


def place_order(request: OrderRequest, user: AbstractBaseUser | None) -> Order:
    """`services.place_order`, together with whatever else is being placed now.

    In a transaction of the caller's it is placed there, as others cannot share that.

    Raises:
        OrderRefused, ReferenceTaken, OrderError: as `services.place_order`.
    """
    if connection.in_atomic_block:
        return services.place_order(request, user)
    return services.taken(intake().place(request, user))
