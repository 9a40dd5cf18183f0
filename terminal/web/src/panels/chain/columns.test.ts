import { describe, expect, it } from 'vitest'

import { chosenColumns, COLUMNS, DEFAULT_COLUMNS, fittingColumns, mirrored, type Cell } from './columns'

const QUOTE: Record<string, number> = {
  last_price: 11_000,
  previous_close: 10_000,
  bid_price: 10_995,
  open_interest: 1_234_500,
}

function shown(id: string, quote: Record<string, number> = QUOTE, figures: Record<string, Cell> = {}): string {
  const column = COLUMNS.find((each) => each.id === id)
  if (!column) throw new Error(`no column ${id}`)
  return column.text(
    column.value(
      (name) => quote[name] ?? 0,
      (name) => figures[name] ?? null,
    ),
  )
}

describe('a cell', () => {
  it('reads prices in rupees, interest in lakhs and changes with their sign', () => {
    expect([shown('last_price'), shown('open_interest'), shown('change'), shown('change_percent')]).toEqual([
      '110.00',
      '12.35 L',
      '+10.00',
      '+10.0%',
    ])
  })
  it('says nothing of a change while the previous close is not known', () => {
    expect(shown('change_percent', { last_price: 11_000 })).toBe('–')
  })
  it('shows a dash for a price that nobody bids', () => {
    expect(shown('bid', {})).toBe('–')
  })
  it('shows why there is no volatility only when there is none', () => {
    expect([
      shown('iv', QUOTE, { iv: 12.34, iv_reason: null }),
      shown('iv', QUOTE, { iv: null, iv_reason: 'STALE' }),
    ]).toEqual(['12.3', '–'])
    expect(COLUMNS.find((each) => each.id === 'iv')?.hint?.('WIDE_SPREAD')).toBe('Bid and ask are too far apart')
  })
  it('abbreviates the build-up and tells it in full on hover', () => {
    expect(shown('build_up', QUOTE, { build_up: 'SHORT_COVERING' })).toBe('SC')
  })
})

describe('the choice of columns', () => {
  it('keeps the order they are shown in and passes over what no longer exists', () => {
    expect(chosenColumns(['ask', 'vega', 'forgotten']).map((each) => each.id)).toEqual(['vega', 'ask'])
  })
  it('is delivered with columns that exist', () => {
    expect(chosenColumns(DEFAULT_COLUMNS)).toHaveLength(DEFAULT_COLUMNS.length)
  })
})

describe('the puts', () => {
  it('mirror the calls, but a bid stays left of its ask', () => {
    const columns = chosenColumns(['open_interest', 'last_price', 'bid', 'ask'])
    expect(mirrored(columns).map((each) => each.id)).toEqual(['bid', 'ask', 'last_price', 'open_interest'])
  })
})

describe('a narrow panel', () => {
  const columns = chosenColumns(['build_up', 'open_interest', 'last_price', 'bid', 'ask'])
  it('keeps what tells most, in the order it is shown', () => {
    expect(fittingColumns(columns, 580).map((each) => each.id)).toEqual(['open_interest', 'last_price', 'bid', 'ask'])
  })
  it('keeps all where there is room, and the last price where there is none', () => {
    expect(fittingColumns(columns, 800)).toEqual(columns)
    expect(fittingColumns(columns, 50).map((each) => each.id)).toEqual(['last_price'])
  })
})
