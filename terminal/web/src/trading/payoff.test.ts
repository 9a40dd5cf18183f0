import { describe, expect, it } from 'vitest'
import { optionPrice } from './black76'
import { type Leg, breakevens, chanceOfProfit, curve, extremes, netPremium, profitAt, strategyGreeks } from './payoff'

const RATE = 0.0534
const WEEK = 7 / 365

function option(
  side: 'BUY' | 'SELL',
  kind: 'CALL' | 'PUT',
  strike: number,
  price: number,
  more: Partial<Leg> = {},
): Leg {
  return { side, kind, strike, price, years: WEEK, volatility: 0.12, units: 65, basis: 1, ...more }
}

const STRADDLE = [option('BUY', 'CALL', 26000, 170), option('BUY', 'PUT', 26000, 180)]
const CONDOR = [
  option('BUY', 'PUT', 25800, 20),
  option('SELL', 'PUT', 25900, 50),
  option('SELL', 'CALL', 26100, 45),
  option('BUY', 'CALL', 26200, 15),
]

describe('a straddle', () => {
  it('breaks even its premium away from the strike on both sides', () => {
    expect(breakevens(STRADDLE, 26010, RATE)).toEqual([25650, 26350])
  })

  it('loses at most its premium and gains without limit', () => {
    expect(extremes(STRADDLE, 26010, RATE)).toEqual({ profit: null, loss: -350 * 65 })
    expect(netPremium(STRADDLE)).toBe(350 * 65)
  })

  it('sold, loses without limit and gains its premium', () => {
    const sold = STRADDLE.map((leg): Leg => ({ ...leg, side: 'SELL' }))
    expect(extremes(sold, 26010, RATE)).toEqual({ profit: 350 * 65, loss: null })
  })
})

describe('an iron condor', () => {
  it('gains its credit at most and loses a wing less the credit', () => {
    expect(extremes(CONDOR, 26010, RATE)).toEqual({ profit: 60 * 65, loss: -40 * 65 })
  })

  it('breaks even its credit outside the sold strikes', () => {
    expect(breakevens(CONDOR, 26010, RATE)).toEqual([25840, 26160])
  })

  it('has likely profit when the market is calm, and less when it is not', () => {
    expect(chanceOfProfit(CONDOR, 26010, RATE, 0.04)).toBeGreaterThan(0.7)
    expect(chanceOfProfit(CONDOR, 26010, RATE, 0.3)).toBeLessThan(0.15)
  })
})

describe('other shapes', () => {
  it('a put sold alone loses down to zero, which is a limit', () => {
    expect(extremes([option('SELL', 'PUT', 100, 5, { units: 1 })], 100, RATE)).toEqual({ profit: 5, loss: -95 })
  })

  it("a covered call: the future's gains end where the call was sold", () => {
    const future: Leg = { ...option('BUY', 'CALL', 0, 26000), kind: 'FUTURE' }
    const covered = [future, option('SELL', 'CALL', 26200, 80)]
    expect(extremes(covered, 26000, RATE)).toEqual({ profit: 280 * 65, loss: -25920 * 65 })
    expect(breakevens(covered, 26000, RATE)).toEqual([25920])
  })

  it('a calendar is worth most at its strike, and its loss is about what it cost', () => {
    const calendar = [
      option('SELL', 'CALL', 26000, 172),
      option('BUY', 'CALL', 26000, 350, { years: 5 * WEEK, basis: 1.002 }),
    ]
    const [low, high] = breakevens(calendar, 26000, RATE)
    expect(low).toBeLessThan(26000)
    expect(high).toBeGreaterThan(26000)
    expect(Math.abs(profitAt(calendar, low ?? 0, WEEK, RATE))).toBeLessThan(1e-4)
    const { profit, loss } = extremes(calendar, 26000, RATE)
    expect(profit).toBeCloseTo(profitAt(calendar, 26000, WEEK, RATE), 6)
    expect(loss).toBeLessThan(-150 * 65)
    expect(loss).toBeGreaterThan(-205 * 65)
  })
})

describe('before expiry', () => {
  it('is worth what Black-76 says', () => {
    const [call] = STRADDLE
    const value = optionPrice({
      right: 'CALL',
      forward: 26100,
      strike: 26000,
      years: WEEK,
      rate: RATE,
      volatility: 0.12,
    })
    expect(profitAt(call ? [call] : [], 26100, 0, RATE)).toBeCloseTo(65 * (value - 170), 8)
  })

  it('is not known without a volatility, and no greek is made up', () => {
    const unknown = [option('BUY', 'CALL', 26000, 170, { volatility: null })]
    expect(profitAt(unknown, 26000, 0, RATE)).toBeNaN()
    expect(strategyGreeks(unknown, 26000, RATE)).toBeNull()
    expect(extremes(unknown, 26000, RATE).loss).toBe(-170 * 65)
  })

  it('adds greeks with their signs', () => {
    const greeks = strategyGreeks(CONDOR, 26000, RATE)
    expect(greeks?.theta).toBeGreaterThan(0)
    expect(greeks?.vega).toBeLessThan(0)
    expect(Math.abs(greeks?.delta ?? 99)).toBeLessThan(5)
  })
})

it('draws every strike, so that no kink is cut', () => {
  const points = curve(CONDOR, 25505, 26505, 10, WEEK, RATE)
  expect(points).toHaveLength(15)
  expect(
    points.filter(({ price }) => [25800, 25900, 26100, 26200].includes(price)).map(({ profit }) => profit),
  ).toEqual([-40 * 65, 60 * 65, 60 * 65, -40 * 65])
})
