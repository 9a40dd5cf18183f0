/** What a strategy is worth at any price of its underlying, at expiry and before: analytics, so rupees as floats. */
import { type Greeks, type Right, intrinsic, normalBelow, optionGreeks, optionPrice } from './black76'

/** One leg as its owner would hold it. */
export interface Leg {
  kind: Right | 'FUTURE'
  side: 'BUY' | 'SELL'
  /** Rupees; of no meaning for a future. */
  strike: number
  /** To its last trading minute. */
  years: number
  /** 0.12 for 12 %; null: nobody knows it, so the leg has no value before its expiry. */
  volatility: number | null
  /** What a unit is bought or sold at, rupees. */
  price: number
  /** Quantity times multiplier. */
  units: number
  /** Its own forward, as a multiple of the one on the axis: 1 but for legs of a later expiry. */
  basis: number
}

export interface Extremes {
  /** Rupees; null: without a limit. */
  profit: number | null
  loss: number | null
}

export interface Point {
  price: number
  profit: number
}

/** The axis of what is searched reaches this many times beyond the highest strike or forward. */
const FURTHEST = 5
/** A curve that is not made of straight lines is searched so far around the forward: beyond, discounting is all. */
const SEARCHED_SHARE = 0.25
const SEARCH_STEPS = 1000
const BISECTIONS = 60
/** Less than a paisa is no profit: what rounding leaves is not crossed. */
const NOTHING = 1e-7
/** Two expiries are one when they end within a minute. */
const SAME_YEARS = 1 / 525_600

export function signedUnits(leg: Leg): number {
  return leg.side === 'BUY' ? leg.units : -leg.units
}

/** Years to the first expiry among the legs: where "at expiry" is. */
export function firstExpiry(legs: readonly Leg[]): number {
  const options = legs.filter((leg) => leg.kind !== 'FUTURE')
  return Math.min(...(options.length ? options : legs).map((leg) => leg.years))
}

/** Rupees a unit when the underlying's forward is `forward` and `elapsed` years have passed; NaN: not known. */
export function unitValue(leg: Leg, forward: number, elapsed: number, rate: number): number {
  const own = forward * leg.basis
  if (leg.kind === 'FUTURE') return own
  const years = leg.years - elapsed
  if (years < SAME_YEARS) return intrinsic(leg.kind, own, leg.strike)
  if (leg.volatility === null) return Number.NaN
  if (own <= 0) return intrinsic(leg.kind, 0, leg.strike) * Math.exp(-rate * years)
  return optionPrice({ right: leg.kind, forward: own, strike: leg.strike, years, rate, volatility: leg.volatility })
}

/** Rupees that closing all legs there and then would leave. */
export function profitAt(legs: readonly Leg[], forward: number, elapsed: number, rate: number): number {
  return legs.reduce((sum, leg) => sum + signedUnits(leg) * (unitValue(leg, forward, elapsed, rate) - leg.price), 0)
}

/** What opening it costs: positive paid, negative received. Futures cost nothing to open. */
export function netPremium(legs: readonly Leg[]): number {
  return legs.reduce((sum, leg) => sum + (leg.kind === 'FUTURE' ? 0 : signedUnits(leg) * leg.price), 0)
}

/** The curve between two prices, with every strike on it so that no kink is cut. */
export function curve(
  legs: readonly Leg[],
  from: number,
  to: number,
  steps: number,
  elapsed: number,
  rate: number,
): Point[] {
  const width = (to - from) / steps
  const even = Array.from({ length: steps + 1 }, (_, step) => from + step * width)
  const kinks = strikesOf(legs).filter((strike) => strike > from && strike < to)
  return sorted([...even, ...kinks]).map((price) => ({ price, profit: profitAt(legs, price, elapsed, rate) }))
}

/** The prices at the first expiry where profit turns to loss or back. */
export function breakevens(legs: readonly Leg[], forward: number, rate: number): number[] {
  const elapsed = firstExpiry(legs)
  const at = (price: number): number => profitAt(legs, price, elapsed, rate)
  const prices = searched(legs, forward, elapsed)
  return prices.slice(1).flatMap((right, index) => {
    const left = prices[index] ?? 0
    return crosses(at(left), at(right)) ? [crossing(at, left, right)] : []
  })
}

/** Most profit and greatest loss (as a negative figure) at the first expiry. */
export function extremes(legs: readonly Leg[], forward: number, rate: number): Extremes {
  const elapsed = firstExpiry(legs)
  const profits = searched(legs, forward, elapsed).map((price) => profitAt(legs, price, elapsed, rate))
  const slope = upwardUnits(legs)
  return {
    profit: slope > 0 ? null : Math.max(...profits),
    loss: slope < 0 ? null : Math.min(...profits),
  }
}

/** All legs' greeks together; null when a volatility is not known. */
export function strategyGreeks(legs: readonly Leg[], forward: number, rate: number): Greeks | null {
  const sum: Greeks = { delta: 0, gamma: 0, theta: 0, vega: 0 }
  for (const leg of legs) {
    const greeks = legGreeks(leg, forward, rate)
    if (greeks === null) return null
    const units = signedUnits(leg)
    sum.delta += units * greeks.delta
    sum.gamma += units * greeks.gamma
    sum.theta += units * greeks.theta
    sum.vega += units * greeks.vega
  }
  return sum
}

/** How likely the underlying ends where there is a profit, were its volatility this one and its forward its mean. */
export function chanceOfProfit(legs: readonly Leg[], forward: number, rate: number, volatility: number): number {
  const years = firstExpiry(legs)
  const borders = [0, ...breakevens(legs, forward, rate), Number.POSITIVE_INFINITY]
  return borders.slice(1).reduce((sum, upper, index) => {
    const lower = borders[index] ?? 0
    const middle = Number.isFinite(upper) ? (lower + upper) / 2 : lower * 1.1 + 1
    if (profitAt(legs, middle, years, rate) <= 0) return sum
    return sum + chanceBelow(upper, forward, years, volatility) - chanceBelow(lower, forward, years, volatility)
  }, 0)
}

function chanceBelow(price: number, forward: number, years: number, volatility: number): number {
  if (price <= 0) return 0
  if (!Number.isFinite(price)) return 1
  const deviation = volatility * Math.sqrt(years)
  return normalBelow(Math.log(price / forward) / deviation + 0.5 * deviation)
}

function legGreeks(leg: Leg, forward: number, rate: number): Greeks | null {
  if (leg.kind === 'FUTURE') return { delta: leg.basis, gamma: 0, theta: 0, vega: 0 }
  if (leg.volatility === null || leg.years < SAME_YEARS) return null
  const { strike, years, volatility } = leg
  return optionGreeks({ right: leg.kind, forward: forward * leg.basis, strike, years, rate, volatility })
}

/**
 * Units that gain with every rupee far above all strikes: what makes a profit or a loss unlimited. Bases are left out:
 * a calendar's two forwards drift apart on a far axis, and that is no profit.
 */
function upwardUnits(legs: readonly Leg[]): number {
  return legs.filter((leg) => leg.kind !== 'PUT').reduce((sum, leg) => sum + signedUnits(leg), 0)
}

function strikesOf(legs: readonly Leg[]): number[] {
  return sorted(legs.filter((leg) => leg.kind !== 'FUTURE').map((leg) => leg.strike / leg.basis))
}

/** Between these prices the curve is a straight line; when a leg lives on it is not, and they are many. */
function searched(legs: readonly Leg[], forward: number, elapsed: number): number[] {
  const strikes = strikesOf(legs)
  const livesOn = legs.some((leg) => leg.kind !== 'FUTURE' && leg.years - elapsed >= SAME_YEARS)
  if (!livesOn) return [0, ...strikes, FURTHEST * Math.max(forward, ...strikes)]
  const [from, to] = [forward * (1 - SEARCHED_SHARE), forward * (1 + SEARCHED_SHARE)]
  const even = Array.from({ length: SEARCH_STEPS + 1 }, (_, step) => from + (step * (to - from)) / SEARCH_STEPS)
  return sorted([...even, ...strikes.filter((strike) => strike > from && strike < to)])
}

function crosses(left: number, right: number): boolean {
  return (left < -NOTHING && right >= -NOTHING) || (left > NOTHING && right <= NOTHING)
}

/** Where a curve crosses zero: at once on a straight line, else by halving. */
function crossing(at: (price: number) => number, left: number, right: number): number {
  const [below, above] = [at(left), at(right)]
  const straight = left + ((right - left) * -below) / (above - below)
  if (Math.abs(at(straight)) < NOTHING) return straight
  let [low, high] = [left, right]
  for (let step = 0; step < BISECTIONS; step += 1) {
    const middle = (low + high) / 2
    if (Math.sign(at(middle)) === Math.sign(below)) low = middle
    else high = middle
  }
  return (low + high) / 2
}

function sorted(prices: readonly number[]): number[] {
  return [...new Set(prices)].sort((one, other) => one - other)
}
