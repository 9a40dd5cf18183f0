import { describe, expect, it } from 'vitest'

import type { TopicState } from '../../state/topics'
import { movedIds, watchRows } from './rows'

const COLUMNS = ['last_price', 'volume', 'open_interest', 'previous_close', 'previous_open_interest', 'received_at', 'flags']
const ITEM = { id: 1, symbol: 'RELIANCE', name: '', instrument_only: false, live: true, not_live: null }
const OTHER = { ...ITEM, id: 2, symbol: 'NIFTY' }
const DETAILS = { items: [ITEM, OTHER] }

function topic(rows: number[][]): TopicState {
  return {
    name: 'watchlist.7',
    id: 1,
    epoch: 'a',
    sequence: 1,
    kind: 'watchlist',
    columns: COLUMNS,
    instruments: ['NSE_EQ.2885', 'IDX_I.13'],
    rows,
    details: DETAILS,
    offset: null,
    values: {},
    gap: false,
    gaps: 0,
  }
}

const RELIANCE = [284_500, 1_000, 0, 280_000, 0, 5, 0]
const NIFTY = [0, 0, 0, 2_600_000, 0, 0, 1]

describe('the rows of a watchlist', () => {
  it('have change and percent since the previous close', () => {
    const [row] = watchRows(topic([RELIANCE, NIFTY]), new Map(), [])
    expect(row).toMatchObject({ lastPrice: 284_500, change: 4_500, stale: false, moved: null })
    expect(row?.percent).toBeCloseTo(1.607, 3)
  })

  it('say nothing of what is not known', () => {
    const [, row] = watchRows(topic([RELIANCE, NIFTY]), new Map(), [])
    expect(row).toMatchObject({ change: null, percent: null, openInterestChange: null, stale: true })
  })

  it('stay the same objects until something of theirs changes', () => {
    const before = watchRows(topic([RELIANCE, NIFTY]), new Map(), [])
    const after = watchRows(topic([[284_400, ...RELIANCE.slice(1)], NIFTY]), new Map(), before)
    expect(after[1]).toBe(before[1])
    expect(after[0]).not.toBe(before[0])
    expect(after[0]?.moved).toBe('down')
  })

  it('keep the direction of the last move while the price stands', () => {
    const first = watchRows(topic([RELIANCE, NIFTY]), new Map(), [])
    const up = watchRows(topic([[284_600, ...RELIANCE.slice(1)], NIFTY]), new Map(), first)
    const still = watchRows(topic([[284_600, 1_100, ...RELIANCE.slice(2)], NIFTY]), new Map(), up)
    expect(still[0]?.moved).toBe('up')
  })
})

describe('moving an item', () => {
  it('puts it so many places further', () => {
    expect(movedIds([1, 2, 3], 3, -1)).toEqual([1, 3, 2])
    expect(movedIds([1, 2, 3], 1, 2)).toEqual([2, 3, 1])
  })

  it('stops at both ends', () => {
    const ids = [1, 2, 3]
    expect(movedIds(ids, 1, -1)).toBe(ids)
    expect(movedIds(ids, 3, 1)).toBe(ids)
  })
})
