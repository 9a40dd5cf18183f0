"""What legs bind: SPAN-like scan risk by group, exposure by leg, premium and shares; all results in whole paise."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, fields
from datetime import date
from typing import Protocol, TypeVar

from feeds.core.instrument import OPTION_TYPES, InstrumentType, OptionType
from rms.core.equity_margin import share_margin
from rms.core.parameters import KINDS, Kind, NoMarginRule, Parameters, half_even, portion, span_codes
from rms.core.product import Product
from rms.core.scenarios import PRICE_MOVES, UnitRisk, future_risk, option_risk, range_of
from rms.core.span import SpanFile, SpanUnderlying

FAR_MONTHS = 9
"""Contracts that end later than this have wider ranges and more exposure."""
CALENDAR_PARTS = 3
"""A calendar spread's exposure is on one third of its far leg."""
SPAN_FILE_DAYS = 4
"""A file older than this is not used: parameters are of a day, and a long weekend is the longest pause."""


Number = TypeVar("Number", int, float)


@dataclass(frozen=True, slots=True)
class Leg:
    """A signed quantity of one contract or share with the prices its margin needs, all in paise.

    `underlying_price` is what exposure and moneyness are measured on, `forward` the future that an option is priced
    on (0: the same), `volatility` its own (None: what its price implies). `trading_days_left` is 0 on the expiry day;
    None: far away.
    """

    code: int
    group: str
    instrument_type: InstrumentType
    underlying: str
    signed_quantity: int
    price: int
    product: Product = Product.MARGIN
    option_type: OptionType | None = None
    strike: int = 0
    expiry: date | None = None
    multiplier: int = 1
    underlying_price: int = 0
    forward: int = 0
    volatility: float | None = None
    trading_days_left: int | None = None

    @property
    def units(self) -> int:
        return self.signed_quantity * self.multiplier

    @property
    def is_option(self) -> bool:
        return self.instrument_type in OPTION_TYPES

    @property
    def on_price(self) -> int:
        """What exposure is a part of."""
        return self.underlying_price if self.is_option and self.underlying_price else self.price

    @property
    def future_price(self) -> int:
        return self.forward or self.on_price

    @property
    def intrinsic(self) -> int:
        if self.option_type is None:
            return 0
        sign = 1 if self.option_type is OptionType.CALL else -1
        return max(sign * (self.on_price - self.strike), 0)


@dataclass(frozen=True, slots=True)
class Margin:
    """What some legs bind, in paise; where the numbers come from is `policy`.

    Two conventions: `total` is the clearing house's, after option value: bound while the legs are held, when their
    premiums have changed hands. `to_open` is what brokers' tools show, premiums counted in: what is needed to begin.
    """

    scan: int = 0
    calendar_charge: int = 0
    short_option_minimum: int = 0
    span: int = 0  # max(scan + calendar charge, short option minimum): without option value
    net_option_value: int = 0  # long positive, short negative
    span_after_option_value: int = 0
    exposure: int = 0
    expiry_day: int = 0  # of short index options that expire today
    delivery: int = 0  # of what may have to be delivered, and of commodity futures about to expire
    share_margin: int = 0
    premium: int = 0  # long options and delivery shares, in full
    total: int = 0
    to_open: int = 0
    policy: str = "NOTHING"
    is_estimate: bool = False

    def plus(self, other: Margin) -> Margin:
        """Of two groups together: nothing is netted between groups."""
        sums = {name: getattr(self, name) + getattr(other, name) for name in AMOUNTS}
        policies = {*self.policy.split(" + "), *other.policy.split(" + ")} - {"NOTHING"}
        return Margin(
            **sums,
            policy=" + ".join(sorted(policies)) or "NOTHING",
            is_estimate=self.is_estimate or other.is_estimate,
        )


AMOUNTS = tuple(each.name for each in fields(Margin) if each.name not in ("policy", "is_estimate"))


def margin_of(legs: Iterable[Leg], parameters: Parameters, on: date, span: SpanFile | None = None) -> Margin:
    """The margin of legs, netted within each group and added up over groups.

    Raises:
        NoMarginRule: the day is before all parameters.
    """
    total = Margin()
    for members in by_group(legs).values():
        group = prepare(members, parameters, on, span)
        total = total.plus(group.margin([leg.signed_quantity for leg in members]))
    return total


def worst_of(
    positions: Sequence[Leg], pending: Sequence[Leg], parameters: Parameters, on: date, span: SpanFile | None = None
) -> Margin:
    """The greatest of (positions), (positions and pending buys), (positions and pending sells)."""
    buys = [leg for leg in pending if leg.signed_quantity > 0]
    sells = [leg for leg in pending if leg.signed_quantity < 0]
    cases = [margin_of([*positions, *extra], parameters, on, span) for extra in ((), buys, sells)]
    return max(cases, key=lambda margin: margin.total)


def by_group(legs: Iterable[Leg]) -> dict[str, list[Leg]]:
    grouped: dict[str, list[Leg]] = defaultdict(list)
    for leg in legs:
        grouped[leg.group].append(leg)
    return grouped


class Group(Protocol):
    """Legs prepared once, so that their margin can be asked for many quantities."""

    def margin(self, quantities: Sequence[int]) -> Margin: ...


def prepare(legs: Sequence[Leg], parameters: Parameters, on: date, span: SpanFile | None = None) -> Group:
    """The legs of one group, whose own quantities do not count: give those to `margin`, in the order of the legs.

    Raises:
        NoMarginRule
    """
    kind = KINDS.get(legs[0].instrument_type)
    if kind is None:
        return Whole(legs)
    return Shares(legs, parameters) if kind is Kind.SHARE else Contracts(legs, kind, parameters, on, span)


class Whole:
    """Instruments that the parameters say nothing of bind all of their value: nothing is let through for free."""

    def __init__(self, legs: Sequence[Leg]) -> None:
        self._legs = legs

    def margin(self, quantities: Sequence[int]) -> Margin:
        pairs = zip(self._legs, quantities, strict=True)
        value = sum(abs(quantity) * leg.multiplier * leg.price for leg, quantity in pairs)
        return Margin(exposure=value, total=value, to_open=value, policy="WHOLE_VALUE", is_estimate=True)


class Shares:
    """One share in some products, which are not netted."""

    def __init__(self, legs: Sequence[Leg], parameters: Parameters) -> None:
        self._legs = legs
        self._rules = parameters.share_rules(legs[0].underlying)
        self._policy = f"VAR_ELM {parameters.day}"

    def margin(self, quantities: Sequence[int]) -> Margin:
        net: dict[Product, int] = defaultdict(int)
        prices: dict[Product, int] = {}
        for leg, quantity in zip(self._legs, quantities, strict=True):
            net[leg.product] += quantity * leg.multiplier
            prices[leg.product] = max(leg.price, prices.get(leg.product, 0))
        bound = sum(share_margin(product, units, prices[product], self._rules) for product, units in net.items())
        paid = max(net[Product.CNC], 0) * prices.get(Product.CNC, 0)
        return Margin(
            share_margin=bound,
            premium=paid,
            total=bound,
            to_open=bound + paid,
            policy=self._policy if bound else "PAID_IN_FULL",
            is_estimate=bound > 0,
        )


@dataclass(slots=True)
class _Open:
    """One contract with its net units."""

    leg: Leg
    risk: UnitRisk
    units: int


class Contracts:
    """Futures and options on one underlying."""

    def __init__(
        self, legs: Sequence[Leg], kind: Kind, parameters: Parameters, on: date, span: SpanFile | None
    ) -> None:
        self._legs = legs
        self._kind = kind
        self._on = on
        self._parameters = parameters
        self._rules = parameters.contract_rules(kind, legs[0].underlying)
        self._file = _listed(legs[0].underlying, on, span)
        self._file_name = span.name if span and self._file else ""
        self._risks = {leg.code: self._risk(leg) for leg in legs}

    def margin(self, quantities: Sequence[int]) -> Margin:
        contracts = self._open(quantities)
        option_value = sum(each.units * each.leg.price for each in contracts if each.leg.is_option)
        premium = sum(each.units * each.leg.price for each in contracts if each.leg.is_option and each.units > 0)
        scan, calendar = self._scan_and_calendar(contracts)
        minimum = self._short_option_minimum(contracts)
        span = max(scan + calendar, minimum)
        after = self._after_option_value(contracts, span, option_value)
        exposure, expiry_day, delivery = (
            self._exposure(contracts),
            self._expiry_day(contracts),
            self._delivery(contracts),
        )
        total = after + exposure + expiry_day + delivery
        policy, is_estimate = self._policy(contracts, total)
        return Margin(
            scan=scan,
            calendar_charge=calendar,
            short_option_minimum=minimum,
            span=span,
            net_option_value=option_value,
            span_after_option_value=after,
            exposure=exposure,
            expiry_day=expiry_day,
            delivery=delivery,
            premium=premium,
            total=total,
            to_open=max(after + option_value, 0) + exposure + expiry_day + delivery,
            policy=policy,
            is_estimate=is_estimate,
        )

    def _open(self, quantities: Sequence[int]) -> list[_Open]:
        """Net units of each contract, the same contract in several products being one; by code, whatever the order."""
        net: dict[int, int] = defaultdict(int)
        for leg, quantity in zip(self._legs, quantities, strict=True):
            net[leg.code] += quantity * leg.multiplier
        legs = {leg.code: leg for leg in self._legs}
        return [_Open(legs[code], self._risks[code], net[code]) for code in sorted(net) if net[code]]

    def _risk(self, leg: Leg) -> UnitRisk:
        """The exchange's own risk array, or ours."""
        is_call = leg.option_type is OptionType.CALL if leg.is_option else None
        listed = self._file.risk(_expiry(leg), leg.strike, is_call) if self._file else None
        return listed or self._estimated(leg)

    def _estimated(self, leg: Leg) -> UnitRisk:
        rules, price_scan = self._rules, self._price_scan(leg)
        if not leg.is_option:
            return future_risk(leg.price, price_scan)
        return option_risk(
            leg.price,
            leg.future_price,
            leg.strike,
            max((_expiry(leg) - self._on).days, 0),
            leg.option_type is OptionType.CALL,
            leg.volatility,
            price_scan,
            rules.volatility_scan,
            rules.fallback_volatility,
            self._parameters.risk_free_percent / 100,
        )

    def _price_scan(self, leg: Leg) -> int:
        """Basis points: the file's range where it has one of this underlying, though not of this contract."""
        if self._file and self._file.price_scan and self._file.futures:
            nearest = self._file.futures[min(self._file.futures)]
            return half_even(self._file.price_scan * 10_000, nearest.price)
        return range_of(self._rules, self._is_far(leg))

    def _is_far(self, leg: Leg) -> bool:
        return _expiry(leg) > _months_later(self._on, FAR_MONTHS)

    def _scan_and_calendar(self, contracts: list[_Open]) -> tuple[int, int]:
        """Worst scenario and calendar charge; what expires today stands alone where it has no calendar benefit."""
        scan = calendar = 0
        for part in self._parts(contracts):
            scan += max(max(sum(e.units * e.risk.losses[s] for e in part) for s in range(len(PRICE_MOVES))), 0)
            calendar += self._calendar_charge(part)
        return scan, calendar

    def _parts(self, contracts: list[_Open]) -> Iterator[list[_Open]]:
        if self._rules.calendar_benefit_on_expiry_day:
            yield contracts
            return
        yield [each for each in contracts if _expiry(each.leg) == self._on]
        yield [each for each in contracts if _expiry(each.leg) != self._on]

    def _calendar_charge(self, contracts: list[_Open]) -> int:
        """Near against far months, by how many futures they move like."""
        deltas: dict[date, float] = defaultdict(float)
        prices: dict[date, int] = {}
        for each in contracts:
            deltas[_expiry(each.leg)] += each.units * each.risk.delta
            prices[_expiry(each.leg)] = max(each.leg.future_price, prices.get(_expiry(each.leg), 0))
        return sum(
            self._spread_charge(near, far, matched, prices[far]) for near, far, matched in matched_spreads(deltas)
        )

    def _spread_charge(self, near: date, far: date, units: float, far_price: int) -> int:
        listed = self._file.calendar_charges.get((near, far)) if self._file else None
        if listed is not None:
            return round(units * listed)
        return round(units * far_price * self._rules.calendar_charge / 10_000)

    def _short_option_minimum(self, contracts: list[_Open]) -> int:
        shorts = [each for each in contracts if each.leg.is_option and each.units < 0]
        if self._file:
            return sum(-each.units * self._file.short_option_minimum for each in shorts)
        return sum(portion(-each.units * each.leg.on_price, self._rules.short_option_minimum) for each in shorts)

    def _after_option_value(self, contracts: list[_Open], span: int, option_value: int) -> int:
        """Never more than the most that the legs can owe when they all end on one day: models may shock them apart."""
        after = max(span - option_value, 0)
        if any(each.risk.from_exchange for each in contracts):
            return after
        most = most_owed([each.leg for each in contracts], [each.units for each in contracts])
        return after if most is None else min(after, most)

    def _exposure(self, contracts: list[_Open]) -> int:
        shorts = [each for each in contracts if each.leg.is_option and each.units < 0]
        futures = [each for each in contracts if not each.leg.is_option]
        of_options = sum(portion(-each.units * each.leg.on_price, self._exposure_rate(each.leg)) for each in shorts)
        return of_options + self._future_exposure(futures)

    def _exposure_rate(self, leg: Leg) -> int:
        if self._is_far(leg):
            return self._rules.exposure_far
        out_by = (leg.strike - leg.on_price) * (1 if leg.option_type is OptionType.CALL else -1)
        if leg.is_option and out_by > portion(leg.on_price, self._rules.out_of_the_money_beyond):
            return self._rules.exposure_out_of_the_money
        return self._rules.exposure

    def _future_exposure(self, futures: list[_Open]) -> int:
        """In full, but for calendar spreads: those are on a third of the far leg."""
        legs = {_expiry(each.leg): each.leg for each in futures}
        left = {_expiry(each.leg): each.units for each in futures}
        exposure = 0
        for near, far, matched in list(matched_spreads(self._spreadable(left))):
            units = round(matched)
            _use(left, near, units)
            _use(left, far, units)
            exposure += portion(units * legs[far].price, self._exposure_rate(legs[far]), CALENDAR_PARTS)
        return exposure + sum(
            portion(abs(units) * legs[expiry].price, self._exposure_rate(legs[expiry]))
            for expiry, units in left.items()
        )

    def _spreadable(self, units: dict[date, int]) -> dict[date, float]:
        benefit = self._rules.calendar_benefit_on_expiry_day
        return {expiry: float(count) for expiry, count in units.items() if benefit or expiry != self._on}

    def _expiry_day(self, contracts: list[_Open]) -> int:
        rate = self._rules.expiry_day_short_option
        return sum(
            portion(-each.units * each.leg.on_price, rate)
            for each in contracts
            if each.leg.is_option and each.units < 0 and _expiry(each.leg) == self._on
        )

    def _delivery(self, contracts: list[_Open]) -> int:
        """Shares that may have to change hands, and commodity futures in their last days, by trading days left."""
        deliverable: dict[date, int] = defaultdict(int)
        ending: dict[date, Leg] = {}
        for each in contracts:
            deliverable[_expiry(each.leg)] += each.units * _delivers(each.leg)
            ending[_expiry(each.leg)] = each.leg
        return sum(self._delivery_of(ending[expiry], abs(units)) for expiry, units in deliverable.items() if units)

    def _delivery_of(self, leg: Leg, units: int) -> int:
        value, rules = units * leg.on_price, self._rules
        return portion(portion(value, rules.delivery_rate), _step(rules.delivery_steps, leg)) + (
            0 if leg.is_option else portion(value, _step(rules.pre_expiry_steps, leg))
        )

    def _policy(self, contracts: list[_Open], total: int) -> tuple[str, bool]:
        if not contracts:
            return "NOTHING", False
        if not total:
            return "PAID_IN_FULL", False
        names = {
            self._file_name if each.risk.from_exchange else f"SPAN_LIKE {self._parameters.day}" for each in contracts
        }
        return " + ".join(sorted(names)), not all(each.risk.from_exchange for each in contracts)


def matched_spreads(deltas: dict[date, float]) -> Iterator[tuple[date, date, float]]:
    """(near, far, units) of opposite expiries, nearest pairs first; both sides are used up as they are matched."""
    left = dict(sorted(deltas.items()))
    expiries = list(left)
    pairs = [(near, far) for index, near in enumerate(expiries) for far in expiries[index + 1 :]]
    for near, far in sorted(pairs, key=lambda pair: (expiries.index(pair[1]) - expiries.index(pair[0]), pair)):
        if left[near] * left[far] < 0:
            matched = min(abs(left[near]), abs(left[far]))
            _use(left, near, matched)
            _use(left, far, matched)
            yield near, far, matched


def _use(left: dict[date, Number], expiry: date, matched: Number) -> None:
    left[expiry] -= matched if left[expiry] > 0 else -matched


def most_owed(legs: Sequence[Leg], units: Sequence[int]) -> int | None:
    """The most that these contracts can owe at their common expiry, in paise; None: no bound, or several expiries.

    What they owe is a broken line over the final price: its corners are nought and the strikes.
    """
    if len({leg.expiry for leg in legs}) != 1:
        return None
    rising = sum(count for leg, count in zip(legs, units, strict=True) if leg.option_type is not OptionType.PUT)
    if rising < 0:
        return None
    corners = {0, *(leg.strike for leg in legs if leg.is_option)}
    return max(0, *(_owed(legs, units, final) for final in corners))


def _owed(legs: Sequence[Leg], units: Sequence[int], final: int) -> int:
    return -sum(count * _payoff(leg, final) for leg, count in zip(legs, units, strict=True))


def _payoff(leg: Leg, final: int) -> int:
    if leg.option_type is None:
        return final - leg.price
    return max(final - leg.strike, 0) if leg.option_type is OptionType.CALL else max(leg.strike - final, 0)


def _delivers(leg: Leg) -> int:
    """+1 when a long unit would receive the underlying, -1 when it would give it, 0 when it would end worthless."""
    if not leg.is_option:
        return 1
    if not leg.intrinsic:
        return 0
    return 1 if leg.option_type is OptionType.CALL else -1


def _step(steps: tuple[int, ...], leg: Leg) -> int:
    left = leg.trading_days_left
    return steps[left] if left is not None and 0 <= left < len(steps) else 0


def _listed(underlying: str, on: date, span: SpanFile | None) -> SpanUnderlying | None:
    """What a file that is young enough holds of the underlying."""
    if span is None or not 0 <= (on - span.day).days <= SPAN_FILE_DAYS:
        return None
    return span.underlyings.get(span_codes().get(underlying, underlying))


def _expiry(leg: Leg) -> date:
    if leg.expiry is None:
        raise NoMarginRule(f"{leg.instrument_type} without expiry")
    return leg.expiry


def _months_later(day: date, months: int) -> date:
    """The same day of a later month, or that month's 28th when it may have no such day."""
    year, month = divmod(day.year * 12 + day.month - 1 + months, 12)
    return date(year, month + 1, min(day.day, 28))
