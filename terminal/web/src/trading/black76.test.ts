/** The literals are what `feeds/core/greeks.py` and scipy's ndtr gave for the same arguments. */
import { describe, expect, it } from 'vitest'
import { type Option, normalBelow, optionGreeks, optionPrice } from './black76'

type Row = [Option, number, { delta: number; gamma: number; theta: number; vega: number }]

const ROWS: Row[] = [
  [
    { forward: 26000, strike: 26000, years: 7 / 365, rate: 0.0534, volatility: 0.12, right: 'CALL' },
    172.19379005583957,
    { delta: 0.5027996263556431, gamma: 0.0009223444244250184, theta: -12.274081189513609, vega: 14.349152273027462 },
  ],
  [
    { forward: 26000, strike: 26500, years: 7 / 365, rate: 0.0534, volatility: 0.13, right: 'CALL' },
    35.17088829886489,
    { delta: 0.1469264068872186, gamma: 0.0004911034703488435, theta: -7.680556487373986, vega: 8.276909885473824 },
  ],
  [
    { forward: 26000, strike: 25500, years: 7 / 365, rate: 0.0534, volatility: 0.14, right: 'PUT' },
    41.42543128540696,
    { delta: -0.15578847466771967, gamma: 0.000474133075164887, theta: -8.599519666634805, vega: 8.605580263979023 },
  ],
  [
    { forward: 26000, strike: 24000, years: 30 / 365, rate: 0.055, volatility: 0.18, right: 'PUT' },
    33.43215638645016,
    { delta: -0.057152014570627165, gamma: 8.537594806949097e-5, theta: -2.556521407937958, vega: 8.538530433777256 },
  ],
  [
    { forward: 6000, strike: 6100, years: 1 / 365, rate: 0.0534, volatility: 0.35, right: 'CALL' },
    11.082921151514391,
    { delta: 0.1858739283157925, gamma: 0.0024353985017308423, theta: -14.710854433772646, vega: 0.8407129074468113 },
  ],
]

describe('Black-76', () => {
  it.each(ROWS)('prices as the server does: %o', (option, price) => {
    expect(Math.abs(optionPrice(option) - price)).toBeLessThan(1e-8)
  })

  it.each(ROWS)("has the server's greeks: %o", (option, _price, greeks) => {
    const found = optionGreeks(option)
    for (const name of ['delta', 'gamma', 'theta', 'vega'] as const) {
      expect(Math.abs(found[name] - greeks[name])).toBeLessThan(1e-8)
    }
  })

  it('keeps parity: a call less a put is the discounted forward less the strike', () => {
    const call: Option = { forward: 26000, strike: 25750, years: 0.08, rate: 0.0534, volatility: 0.15, right: 'CALL' }
    const difference = optionPrice(call) - optionPrice({ ...call, right: 'PUT' })
    expect(difference).toBeCloseTo(Math.exp(-0.0534 * 0.08) * 250, 9)
  })
})

describe('the normal distribution', () => {
  it.each([
    [-10, 7.61985302416047e-24],
    [-7.5, 3.1908916729108844e-14],
    [-5, 2.866515718791933e-7],
    [-3.2, 0.0006871379379158471],
    [-Math.SQRT2, 0.07864960352514251],
    [0, 0.5],
    [0.1, 0.539827837277029],
    [2.5, 0.9937903346742238],
    [8, 0.9999999999999993],
  ])('has at %f what ndtr has', (x, share) => {
    expect(Math.abs(normalBelow(x) - share)).toBeLessThan(2e-15)
  })
})
