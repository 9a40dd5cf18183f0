"""The planner never passes a limit, keeps loads even, and asks Dhan for exactly what is wanted."""

from __future__ import annotations

import random

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import HealthCheck, settings
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from feeds.core.instrument import ExchangeSegment, InstrumentKey
from feeds.core.subscriptions import Action, Limits, Mode, Plan, Planner, Step, SubscriptionClass

TIER_A, TIER_B, REFERENCE = SubscriptionClass.TIER_A, SubscriptionClass.TIER_B, SubscriptionClass.REFERENCE
TIER_B_SHIPPED = 2272
SMALL = Limits(connections=3, per_connection=4, per_message=2, total=12, spread=2)


def options(first: int, count: int) -> list[int]:
    return [InstrumentKey(ExchangeSegment.NSE_FNO, first + number).code for number in range(count)]


def indices(count: int) -> list[int]:
    return [InstrumentKey(ExchangeSegment.IDX_I, number + 1).code for number in range(count)]


class SimulatedDhan:
    """What Dhan holds for one account: a set for each connection, and every limit checked after every step."""

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self.connections: list[set[int]] = [set() for _ in range(limits.connections)]

    def carry_out(self, plan: Plan) -> None:
        for step in plan.steps:
            self.receive(step)

    def receive(self, step: Step) -> None:
        assert 1 <= len(step.codes) <= self.limits.per_message
        assert len({self._mode(code) for code in step.codes} | {step.mode}) == 1
        held, codes = self.connections[step.connection], set(step.codes)
        if step.action is Action.UNSUBSCRIBE:
            assert codes <= held, "unsubscribed what was not there"
            held -= codes
        else:
            assert not any(codes & other for other in self.connections), "subscribed twice"
            held |= codes
        assert len(held) <= self.limits.per_connection
        assert sum(map(len, self.connections)) <= self.limits.total

    def drop(self, connection: int) -> None:
        self.connections[connection].clear()

    @property
    def everything(self) -> set[int]:
        return set().union(*self.connections)

    @staticmethod
    def _mode(code: int) -> Mode:
        return Mode.QUOTE if code >> 32 == 0 else Mode.FULL


def test_the_shipped_tier_b_loads_evenly_and_the_references_even_it_out() -> None:
    planner = Planner()
    planner.want("chains", options(1, TIER_B_SHIPPED), TIER_B)
    planner.plan()
    assert planner.loads == [455, 455, 454, 454, 454]
    planner.want("references", indices(8), REFERENCE)
    planner.plan()
    assert planner.loads == [456, 456, 456, 456, 456]
    assert planner.counts() == {TIER_B: 2272, REFERENCE: 8, TIER_A: 0}


def test_loads_are_level_again_when_tier_a_has_gone_however_the_chains_moved_meanwhile() -> None:
    planner = Planner()
    planner.want("chains", options(1, TIER_B_SHIPPED), TIER_B)
    planner.want("references", indices(8), REFERENCE)
    planner.plan()
    for moved in range(1, 200):
        planner.want(f"watchlist {moved}", options(100_000 + 37 * moved, 37), TIER_A)
        planner.want("chains", options(1 + 2 * moved, TIER_B_SHIPPED), TIER_B)
        planner.plan()
    for moved in range(1, 200):
        planner.withdraw(f"watchlist {moved}")
    planner.plan()
    assert planner.loads == [456, 456, 456, 456, 456]


def test_a_cycle_with_nothing_to_do_has_no_steps() -> None:
    planner = Planner()
    planner.want("watchlist 1", options(1, 42), TIER_A)
    assert len(planner.plan().steps) == 5
    assert planner.plan() == Plan()


def test_an_instrument_wanted_by_two_is_one_subscription_until_both_let_go() -> None:
    planner = Planner()
    planner.want("one", options(1, 2), TIER_A)
    planner.want("two", options(2, 2), TIER_A)
    planner.plan()
    assert planner.capacity().tier_a == 3
    planner.withdraw("one")
    assert [step.codes for step in planner.plan().steps] == [tuple(options(1, 1))]
    assert planner.placement(options(2, 1)[0]) is not None


def test_tier_b_wins_over_reference_and_reference_over_tier_a() -> None:
    planner = Planner()
    code = options(1, 1)
    planner.want("user", code, TIER_A)
    planner.plan()
    for owner, klass in (("reference", REFERENCE), ("chain", TIER_B)):
        planner.want(owner, code, klass)
        assert planner.plan().steps == ()
        assert planner.counts()[klass] == 1
        assert planner.capacity().used == 1
    planner.withdraw("chain")
    planner.withdraw("reference")
    assert planner.counts() == {TIER_B: 0, REFERENCE: 0, TIER_A: 1}


def test_indices_are_asked_for_in_quote_mode_and_all_else_in_full() -> None:
    planner = Planner(Limits(connections=1, per_connection=10, total=10))
    planner.want("user", [*indices(2), *options(1, 2)], TIER_A)
    assert planner.plan().steps == (
        Step(0, Action.SUBSCRIBE, Mode.FULL, tuple(options(1, 2))),
        Step(0, Action.SUBSCRIBE, Mode.QUOTE, tuple(indices(2))),
    )


def test_messages_carry_at_most_a_hundred() -> None:
    planner = Planner(Limits(connections=1, total=5000))
    planner.want("user", options(1, 250), TIER_A)
    assert [len(step.codes) for step in planner.plan().steps] == [100, 100, 50]


def test_what_is_given_up_goes_before_what_is_taken_up() -> None:
    planner, dhan = Planner(SMALL), SimulatedDhan(SMALL)
    planner.want("user", options(1, 12), TIER_A)
    dhan.carry_out(planner.plan())
    planner.want("user", options(7, 12), TIER_A)
    plan = planner.plan()
    dhan.carry_out(plan)
    actions = [step.action for step in plan.steps]
    assert actions == sorted(actions, reverse=True)
    assert dhan.everything == set(options(7, 12))


def test_added_and_withdrawn_between_two_cycles_asks_nothing_of_dhan() -> None:
    planner = Planner()
    planner.want("user", options(1, 42), TIER_A)
    planner.withdraw("user")
    assert planner.plan() == Plan()


def test_the_fewest_moves_bring_the_loads_back_and_each_is_marked_as_a_gap() -> None:
    planner = Planner()
    planner.want("users", options(1, 100), TIER_A)
    planner.plan()
    last = set(planner.desired(4))
    planner.want("users", [code for code in options(1, 100) if code not in last or code == max(last)], TIER_A)
    plan = planner.plan()
    moved = [code for step in plan.steps if step.gap for code in step.codes]
    assert len(moved) == 8  # 20, 20, 20, 20, 1: after eight moves 18, 18, 18, 18, 9 are within 10
    assert planner.loads == [18, 18, 18, 18, 9]
    assert all(planner.placement(code) == 4 for code in moved)


def test_tier_b_is_never_moved() -> None:
    planner = Planner()
    planner.want("chain", options(1, 100), TIER_B)
    planner.plan()
    kept = [code for code in options(1, 100) if planner.placement(code) != 4]
    planner.want("chain", kept, TIER_B)
    assert not any(step.gap for step in planner.plan().steps)
    assert planner.loads == [20, 20, 20, 20, 0]


def test_what_does_not_fit_is_refused_last_in_first_and_taken_up_when_room_comes() -> None:
    planner, dhan = Planner(SMALL), SimulatedDhan(SMALL)
    planner.want("first", options(1, 10), TIER_A)
    planner.want("second", options(11, 5), TIER_A)
    plan = planner.plan()
    dhan.carry_out(plan)
    assert plan.refusal is not None
    assert plan.refusal.reason == "CAPACITY_EXCEEDED"
    assert plan.refusal.left_out == {TIER_B: 0, REFERENCE: 0, TIER_A: 3}
    assert planner.left_out()[TIER_A] == options(13, 3)
    planner.withdraw("first")
    plan = planner.plan()
    dhan.carry_out(plan)
    assert plan.refusal is None
    assert dhan.everything == set(options(11, 5))


def test_tier_b_takes_the_place_of_the_tier_a_that_came_last_and_held_stays() -> None:
    planner, dhan = Planner(SMALL), SimulatedDhan(SMALL)
    planner.want("user", options(1, 10), TIER_A)
    planner.want("position", options(50, 2), TIER_A, held=True)
    dhan.carry_out(planner.plan())
    planner.want("chain", options(100, 3), TIER_B)
    dhan.carry_out(planner.plan())
    assert dhan.everything == {*options(1, 7), *options(50, 2), *options(100, 3)}
    assert planner.left_out()[TIER_A] == options(8, 3)


def test_whether_more_would_fit_is_told_with_the_figures() -> None:
    planner = Planner(SMALL)
    planner.want("user", options(1, 10), TIER_A)
    assert planner.fits(options(9, 4)) is None
    refusal = planner.fits(options(9, 6))
    assert refusal is not None
    assert (refusal.requested, refusal.additional, refusal.capacity.free, refusal.capacity.total) == (6, 4, 2, 12)


def test_a_forgotten_connection_is_subscribed_again_in_full_as_a_gap() -> None:
    planner, dhan = Planner(SMALL), SimulatedDhan(SMALL)
    planner.want("user", options(1, 9), TIER_A)
    dhan.carry_out(planner.plan())
    gone = planner.desired(1)
    dhan.drop(1)
    planner.forget(1)
    planner.want("user", [code for code in options(1, 9) if code != gone[0]], TIER_A)
    plan = planner.plan()
    dhan.carry_out(plan)
    assert all(step.gap for step in plan.steps)
    assert [sorted(held) for held in dhan.connections] == [planner.desired(connection) for connection in range(3)]
    assert dhan.connections[1] == set(gone[1:])


def test_owners_that_are_gone_unheard_of_want_nothing() -> None:
    planner = Planner()
    planner.want("here", options(1, 2), TIER_A)
    planner.want("gone", options(2, 2), TIER_A)
    planner.plan()
    planner.keep_only(["here", "never seen"])
    assert [step.codes for step in planner.plan().steps] == [tuple(options(3, 1))]


def test_limits_that_contradict_each_other_are_refused() -> None:
    with pytest.raises(ValueError, match="cannot carry 25001"):
        Limits(total=25_001)


def test_five_hundred_items_and_tier_b_stay_within_ten_through_a_thousand_random_changes() -> None:
    planner, dhan, dice = Planner(), SimulatedDhan(Limits()), random.Random(7)
    planner.want("chains", np.array(options(1, TIER_B_SHIPPED), dtype=np.uint64), TIER_B)
    planner.want("references", indices(8), REFERENCE)
    for item in range(500):
        planner.want(item, options(10_000 + 42 * item, 42), TIER_A)
    dhan.carry_out(planner.plan())
    assert planner.counts() == {TIER_B: 2272, REFERENCE: 8, TIER_A: 21_000}
    assert max(planner.loads) - min(planner.loads) <= 1
    for _ in range(1000):
        item, size = dice.randrange(500), dice.choice((0, 0, 1, 42))
        planner.want(item, options(10_000 + 42 * item, size), TIER_A)
        dhan.carry_out(planner.plan())
        assert max(planner.loads) - min(planner.loads) <= 10
    assert planner.loads == [len(held) for held in dhan.connections]


OWNERS = st.sampled_from(["a", "b", "c", "d"])
FEW_CODES = st.lists(st.sampled_from([*indices(2), *options(1, 18)]), max_size=14)
CLASSES = st.sampled_from(SubscriptionClass)


class PlannerAgainstDhan(RuleBasedStateMachine):
    """Owners come and go and connections drop; the plan is carried out whole, as one cycle of the feed does."""

    @initialize(total=st.integers(1, 12))
    def start(self, total: int) -> None:
        self.limits = Limits(connections=3, per_connection=4, per_message=2, total=total, spread=2)
        self.planner, self.dhan = Planner(self.limits), SimulatedDhan(self.limits)
        self.wanted: dict[str, tuple[SubscriptionClass, set[int]]] = {}
        self.held: set[str] = set()
        self.settled = True

    @rule(owner=OWNERS, codes=FEW_CODES, klass=CLASSES, held=st.booleans())
    def want(self, owner: str, codes: list[int], klass: SubscriptionClass, held: bool) -> None:
        self.planner.want(owner, codes, klass, held=held)
        self.wanted[owner] = (klass, set(codes))
        (self.held.add if held else self.held.discard)(owner)
        self.settled = False

    @rule(owner=OWNERS)
    def withdraw(self, owner: str) -> None:
        self.planner.withdraw(owner)
        self.wanted.pop(owner, None)
        self.held.discard(owner)
        self.settled = False

    @rule(connection=st.integers(0, 2))
    def drop(self, connection: int) -> None:
        self.dhan.drop(connection)
        self.planner.forget(connection)
        self.settled = False

    @rule()
    def cycle(self) -> None:
        self.plan = self.planner.plan()
        self.dhan.carry_out(self.plan)
        self.settled = True

    @rule(connection=st.integers(0, 2))
    @precondition(lambda self: self.settled)
    def reconnect(self, connection: int) -> None:
        self.dhan.drop(connection)
        self.dhan.connections[connection] |= set(self.planner.desired(connection))

    @invariant()
    def dhan_carries_what_is_wanted(self) -> None:
        if not self.settled:
            return
        classes = self._class_of_each()
        left_out = {code for codes in self.planner.left_out().values() for code in codes}
        assert self.dhan.everything == set(classes) - left_out
        assert len(self.dhan.everything) == min(len(classes), self.limits.total)
        assert self.planner.capacity().used == len(classes)
        assert self.planner.loads == [len(held) for held in self.dhan.connections]
        for klass, count in self.planner.counts().items():
            assert count == sum(classes[code] is klass for code in self.dhan.everything)

    @invariant()
    def the_higher_class_has_the_place(self) -> None:
        if not self.settled:
            return
        order = list(SubscriptionClass)
        classes = self._class_of_each()
        placed = [order.index(classes[code]) for code in self.dhan.everything]
        refused = [order.index(classes[code]) for code in set(classes) - self.dhan.everything]
        assert not refused or max(placed) <= min(refused)

    @invariant()
    def loads_are_close_unless_nothing_may_move(self) -> None:
        all_may_move = not self.held and all(klass is TIER_A for klass, _ in self.wanted.values())
        if self.settled and all_may_move:
            assert max(self.planner.loads) - min(self.planner.loads) <= self.limits.spread

    def _class_of_each(self) -> dict[int, SubscriptionClass]:
        order = list(SubscriptionClass)
        classes: dict[int, SubscriptionClass] = {}
        for klass, codes in self.wanted.values():
            for code in codes:
                classes[code] = min(classes.get(code, klass), klass, key=order.index)
        return classes


TestPlannerAgainstDhan = PlannerAgainstDhan.TestCase
TestPlannerAgainstDhan.settings = settings(
    max_examples=60, stateful_step_count=40, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)


@pytest.mark.soak
def test_a_hundred_thousand_operations_break_no_limit() -> None:
    """Full size, now and then wanting more than fits: watchlists, chains and held come and go, connections drop."""
    planner, dhan, dice = Planner(), SimulatedDhan(Limits()), random.Random(13)
    for operation in range(100_000):
        owner, size = dice.randrange(1000), dice.choice((0, 1, 42, 42, 42))
        klass = TIER_B if owner < 50 else TIER_A
        planner.want(owner, options(1 + 50 * owner, size), klass, held=owner % 100 == 99)
        if operation % 1000 == 0:
            connection = dice.randrange(5)
            dhan.drop(connection)
            planner.forget(connection)
        dhan.carry_out(planner.plan())
    assert [sorted(held) for held in dhan.connections] == [planner.desired(connection) for connection in range(5)]
    assert len(dhan.everything) == min(planner.capacity().used, 25_000)
