import { describe, expect, it } from 'vitest'

import { barsFromRows, bucketStart, fold, mergeBars, type Bar } from './bars'

function at(time: string): number {
  return Date.parse(`2026-02-03T${time}+05:30`)
}

function flat(time: string, price: number, volume = 0): Bar {
  return { time: at(time), open: price, high: price, low: price, close: price, volume, openInterest: 0 }
}

describe('buckets', () => {
  it("start at the session's open, a quarter past nine at NSE", () => {
    expect(bucketStart(at('09:44:59'), '30', 'NSE_FNO')).toBe(at('09:15:00'))
    expect(bucketStart(at('09:45:00'), '30', 'NSE_FNO')).toBe(at('09:45:00'))
    expect(bucketStart(at('10:14:00'), '60', 'NSE_EQ')).toBe(at('09:15:00'))
  })
  it('start at nine at MCX', () => {
    expect(bucketStart(at('23:29:00'), '60', 'MCX_COMM')).toBe(at('23:00:00'))
  })
  it('hold a whole Indian day for days', () => {
    expect(bucketStart(at('09:15:00'), 'D', 'NSE_EQ')).toBe(at('00:00:00'))
    expect(bucketStart(at('23:59:00'), 'D', 'MCX_COMM')).toBe(at('00:00:00'))
  })
  it("reach back before the open for the pre-open's trades", () => {
    expect(bucketStart(at('09:08:00'), '5', 'NSE_EQ')).toBe(at('09:05:00'))
  })
})

describe('candles of the REST API', () => {
  it('become bars in paise', () => {
    expect(barsFromRows([[at('09:15:00'), '100.05', '101.00', '99.95', '100.10', 75, 1200]])).toEqual([
      { time: at('09:15:00'), open: 10005, high: 10100, low: 9995, close: 10010, volume: 75, openInterest: 1200 },
    ])
  })
})

describe('a trade', () => {
  const bars = [flat('09:15:00', 100, 10)]

  it("extends the bar of its bucket by its price and by what the day's volume grew", () => {
    const folded = fold(bars, 50, { price: 130, at: at('09:15:40'), volume: 65, openInterest: 7 }, at('09:15:00'))
    expect(folded.bars).toEqual([{ ...flat('09:15:00', 100, 25), high: 130, close: 130, openInterest: 7 }])
    expect([folded.volumeSeen, folded.closed]).toEqual([65, false])
  })
  it('opens the next bucket, and says that the one before is closed', () => {
    const folded = fold(bars, 50, { price: 90, at: at('09:16:01'), volume: 53, openInterest: 0 }, at('09:16:00'))
    expect(folded.bars).toEqual([...bars, flat('09:16:00', 90, 3)])
    expect(folded.closed).toBe(true)
  })
  it('of an earlier bucket changes nothing', () => {
    expect(fold(bars, 50, { price: 90, at: at('09:14:59'), volume: 60, openInterest: 0 }, at('09:14:00')).bars).toBe(
      bars,
    )
  })
  it('without a price changes nothing', () => {
    expect(fold(bars, 50, { price: 0, at: at('09:16:00'), volume: 60, openInterest: 0 }, at('09:16:00')).bars).toBe(
      bars,
    )
  })
  it("is never counted negative when a day's volume starts anew", () => {
    const folded = fold(bars, 50, { price: 100, at: at('09:15:59'), volume: 5, openInterest: 0 }, at('09:15:00'))
    expect(folded.bars.at(-1)?.volume).toBe(10)
  })
})

describe('merging', () => {
  it('takes the fresh bar of equal times and keeps the order', () => {
    const merged = mergeBars([flat('09:15:00', 1), flat('09:16:00', 2)], [flat('09:16:00', 3), flat('09:17:00', 4)])
    expect(merged.map((bar) => bar.close)).toEqual([1, 3, 4])
  })
})
