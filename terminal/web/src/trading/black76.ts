/** Black-76: price and greeks of a European option on a future, as `feeds/core/greeks.py` has them. */

export type Right = 'CALL' | 'PUT'

/** Forward and strike in rupees, years to the last trading minute, the rate continuous, volatility 0.12 for 12 %. */
export interface Option {
  right: Right
  forward: number
  strike: number
  years: number
  rate: number
  volatility: number
}

/** Of one unit's price in rupees: for a rupee of the future, a calendar day, a volatility point. */
export interface Greeks {
  delta: number
  gamma: number
  theta: number
  vega: number
}

const DAYS_PER_YEAR = 365
const VOL_POINT = 0.01
const SQRT_TWO_PI = Math.sqrt(2 * Math.PI)

export function optionPrice(option: Option): number {
  const { forward, strike, years, rate } = option
  const sign = signOf(option.right)
  const [d1, d2] = distances(option)
  const undiscounted = sign * (forward * normalBelow(sign * d1) - strike * normalBelow(sign * d2))
  return Math.exp(-rate * years) * Math.max(undiscounted, 0)
}

export function optionGreeks(option: Option): Greeks {
  const { forward, years, rate, volatility } = option
  const sign = signOf(option.right)
  const [d1] = distances(option)
  const discount = Math.exp(-rate * years)
  const root = Math.sqrt(years)
  const density = (discount * Math.exp(-0.5 * d1 * d1)) / SQRT_TWO_PI
  const decay = (-forward * density * volatility) / (2 * root)
  return {
    delta: discount * sign * normalBelow(sign * d1),
    gamma: density / (forward * volatility * root),
    theta: (decay + rate * optionPrice(option)) / DAYS_PER_YEAR,
    vega: forward * density * root * VOL_POINT,
  }
}

export function intrinsic(right: Right, forward: number, strike: number): number {
  return Math.max(signOf(right) * (forward - strike), 0)
}

function signOf(right: Right): number {
  return right === 'CALL' ? 1 : -1
}

function distances({ forward, strike, years, volatility }: Option): [number, number] {
  const deviation = volatility * Math.sqrt(years)
  const d1 = Math.log(forward / strike) / deviation + 0.5 * deviation
  return [d1, d1 - deviation]
}

/** Coefficients of Hart (1968), algorithm 5666, highest power first. */
const HART_ABOVE = [
  3.52624965998911e-2, 0.700383064443688, 6.37396220353165, 33.912866078383, 112.079291497871, 221.213596169931,
  220.206867912376,
]
const HART_BELOW = [
  8.83883476483184e-2, 1.75566716318264, 16.064177579207, 86.7807322029461, 296.564248779674, 637.333633378831,
  793.826512519948, 440.413735824752,
]
/** Beyond it the continued fraction is the exact one; beyond the last the tail is less than any double. */
const FRACTION_FROM = 7.07106781186547
const NOTHING_FROM = 37

/** The share of a normal distribution below x, to 1e-15 (West 2005, "Better approximations to cumulative normal"). */
export function normalBelow(x: number): number {
  const tail = normalTail(Math.abs(x))
  return x > 0 ? 1 - tail : tail
}

function normalTail(distance: number): number {
  if (distance > NOTHING_FROM) return 0
  const bell = Math.exp(-0.5 * distance * distance)
  if (distance < FRACTION_FROM) return (bell * polynomial(HART_ABOVE, distance)) / polynomial(HART_BELOW, distance)
  const fraction = [4, 3, 2, 1].reduce((below, step) => distance + step / below, distance + 0.65)
  return bell / fraction / SQRT_TWO_PI
}

function polynomial(coefficients: readonly number[], x: number): number {
  return coefficients.reduce((sum, coefficient) => sum * x + coefficient, 0)
}
