import { describe, expect, it } from 'vitest'

import {
  atmStrike,
  layoutOf,
  nearestStrike,
  smileOf,
  timeToExpiry,
  type ChainAnalytics,
  type ChainDetails,
} from './chain'

const DETAILS: ChainDetails = {
  underlying: 'NIFTY',
  expiry: '2026-02-03',
  reference: 'IDX_I.13',
  atm_strike: 2_500_000,
  strikes: [2_500_000, 2_500_000, 2_505_000],
  option_types: ['CALL', 'PUT', 'CALL'],
}
const INSTRUMENTS = ['IDX_I.13', 'NSE_FNO.1', 'NSE_FNO.2', 'NSE_FNO.3']
const LAYOUT = layoutOf(INSTRUMENTS, DETAILS)

function analytics(fields: Partial<ChainAnalytics>): ChainAnalytics {
  const empty = {
    rate_date: null,
    years: null,
    forward: null,
    forward_source: null,
    synthetic_future: null,
    atm_strike: null,
    atm_iv: null,
    straddle: null,
    pcr_oi: null,
    pcr_volume: null,
    max_pain: null,
    iv_rank: null,
    iv_rank_reason: null,
  }
  return { model: 'BLACK_76', rate: 5.34, at: 0, columns: ['iv', 'delta'], rows: [], ...empty, ...fields }
}

describe("a chain's layout", () => {
  it('puts both rights of a strike on one row and leaves the missing one out', () => {
    expect(LAYOUT.strikes.map((row) => [row.strike, row.call?.instrument, row.put?.instrument])).toEqual([
      [2_500_000, 'NSE_FNO.1', 'NSE_FNO.2'],
      [2_505_000, 'NSE_FNO.3', undefined],
    ])
  })
  it("knows where a contract's rows are in the topic and in the analytics", () => {
    expect(LAYOUT.strikes[1]?.call).toMatchObject({ topicRow: 3, analyticsRow: 2 })
    expect(LAYOUT.referenceRow).toBe(0)
  })
  it('starts with the contracts where there is no reference', () => {
    const bare = layoutOf(INSTRUMENTS.slice(1), { ...DETAILS, reference: null })
    expect([bare.referenceRow, bare.strikes[0]?.call?.topicRow]).toEqual([null, 0])
  })
})

describe('the strike at the money', () => {
  it('is the lower of two that are as near', () => {
    expect(nearestStrike(LAYOUT.strikes, 2_502_500)).toBe(2_500_000)
    expect(nearestStrike(LAYOUT.strikes, 2_502_501)).toBe(2_505_000)
  })
  it("is what the analytics say, else what the reference says, else the morning's", () => {
    expect(atmStrike(LAYOUT, analytics({ atm_strike: 2_505_000 }), 2_500_000, null)).toBe(2_505_000)
    expect(atmStrike(LAYOUT, null, 2_504_000, null)).toBe(2_505_000)
    expect(atmStrike(LAYOUT, null, 0, 2_500_000)).toBe(2_500_000)
  })
})

describe('the smile', () => {
  it('takes the volatility of whichever right has one and leaves out strikes without', () => {
    const told = analytics({
      rows: [
        [null, null],
        [12.5, -0.5],
        [null, null],
      ],
    })
    expect(smileOf(LAYOUT, told)).toEqual([{ strike: 2_500_000, iv: 12.5 }])
  })
})

describe('time to expiry', () => {
  it('reads as days and hours, then hours and minutes, then minutes', () => {
    const minute = 1 / 525_600
    expect([6120 * minute, 200 * minute, 12 * minute, 0].map(timeToExpiry)).toEqual([
      '4 d 6 h',
      '3 h 20 m',
      '12 m',
      '0 m',
    ])
  })
})
