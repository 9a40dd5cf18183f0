import { describe, expect, it } from 'vitest'

import type { Bar } from './bars'
import { bollinger, ema, rsi, sma, vwap } from './indicators'

/** The ten-day example that StockCharts publishes for simple and exponential means. */
const PUBLISHED = [
  22.2734, 22.194, 22.0847, 22.1741, 22.184, 22.1344, 22.2337, 22.4323, 22.2436, 22.2933, 22.1542, 22.3926, 22.3816,
  22.6109, 23.3558, 24.0519, 23.753,
]
/** Its example for the fourteen-day relative strength index. */
const PUBLISHED_RSI = [
  44.3389, 44.0902, 44.1497, 43.6124, 44.3278, 44.8264, 45.0955, 45.4245, 45.8433, 46.0826, 45.8931, 46.0328, 45.614,
  46.282, 46.282, 46.0028, 46.0328, 46.4116, 46.2222, 45.6439,
]

function rounded(line: (number | null)[]): (number | null)[] {
  return line.map((value) => (value === null ? null : Math.round(value * 100) / 100))
}

function bar(time: string, high: number, low: number, close: number, volume: number): Bar {
  return { time: Date.parse(time), open: low, high, low, close, volume, openInterest: 0 }
}

describe('simple mean', () => {
  it('equals the published example', () => {
    expect(rounded(sma(PUBLISHED, 10)).slice(8)).toEqual([null, 22.22, 22.21, 22.23, 22.26, 22.31, 22.42, 22.61, 22.77])
  })
  it('is null throughout when there are fewer values than its length', () => {
    expect(sma([1, 2], 3)).toEqual([null, null])
  })
})

describe('exponential mean', () => {
  it('equals the published example', () => {
    expect(rounded(ema(PUBLISHED, 10)).slice(8)).toEqual([null, 22.22, 22.21, 22.24, 22.27, 22.33, 22.52, 22.8, 22.97])
  })
  it('is null throughout when there are fewer values than its length', () => {
    expect(ema([1, 2], 3)).toEqual([null, null])
  })
})

describe('relative strength', () => {
  it('equals the published example', () => {
    expect(rounded(rsi(PUBLISHED_RSI, 14)).slice(13)).toEqual([null, 70.53, 66.32, 66.55, 69.41, 66.36, 57.97])
  })
  it('is 100 when prices only rose, 0 when they only fell, and 50 when nothing moved', () => {
    expect([rsi([1, 2, 3], 2).at(-1), rsi([3, 2, 1], 2).at(-1), rsi([2, 2, 2], 2).at(-1)]).toEqual([100, 0, 50])
  })
})

describe('volume-weighted mean', () => {
  it('weighs typical prices by volume and begins anew each Indian day', () => {
    const bars = [
      bar('2026-02-03T15:29:00+05:30', 300, 100, 200, 10),
      bar('2026-02-04T09:15:00+05:30', 120, 90, 90, 10),
      bar('2026-02-04T09:16:00+05:30', 220, 190, 190, 30),
    ]
    expect(vwap(bars)).toEqual([200, 100, 175])
  })
  it('is null while nothing was traded', () => {
    expect(vwap([bar('2026-02-03T09:15:00+05:30', 10, 10, 10, 0)])).toEqual([null])
  })
})

describe("Bollinger's bands", () => {
  it('lie two deviations of the population from the mean', () => {
    const bands = bollinger([2, 4, 4, 4, 5, 5, 7, 9], 8, 2)
    expect([bands.lower.at(-1), bands.middle.at(-1), bands.upper.at(-1)]).toEqual([1, 5, 9])
  })
  it('are null before there are enough values', () => {
    expect(bollinger([1, 2], 3, 2)).toEqual({ middle: [null, null], upper: [null, null], lower: [null, null] })
  })
})
