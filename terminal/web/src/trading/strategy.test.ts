import { describe, expect, it } from 'vitest'

import type { Instrument } from '../api/types'
import type { TopicState } from '../state/topics'
import { placedOn, PRESETS } from './presets'
import {
  basketLegs,
  chainView,
  contractFor,
  drawingOf,
  entryPrice,
  legsFrom,
  legsOfBasket,
  marginLegs,
  type Basket,
  type StrategyLeg,
} from './strategy'

const NOW = Date.parse('2026-02-03T10:00:00+05:30')
const NIFTY = { segment: 'NSE_FNO', underlying: 'NIFTY', lot_size: 65, multiplier: 1 }
const COLUMNS = ['last_price', 'bid_price', 'ask_price', 'flags']

/** 25,900, 26,000 and 26,100 with both rights; the reference first. */
function topic(expiry: string, more: Partial<TopicState> = {}): TopicState {
  const strikes = [2590000, 2590000, 2600000, 2600000, 2610000, 2610000]
  return {
    name: `chain.NSE_FNO.NIFTY.${expiry}`,
    id: 1,
    epoch: 'e',
    sequence: 1,
    kind: 'chain',
    columns: COLUMNS,
    instruments: ['IDX_I.13', ...strikes.map((_, place) => `NSE_FNO.${expiry.slice(-2)}${place}`)],
    rows: [
      [2600500, 0, 0, 0],
      [18000, 17900, 18100, 0],
      [8000, 7900, 8100, 0],
      [12000, 11900, 12100, 0],
      [12000, 11900, 12100, 0],
      [7000, 6900, 0, 0],
      [17000, 16900, 17100, 1],
    ],
    details: {
      underlying: 'NIFTY',
      expiry,
      reference: 'IDX_I.13',
      atm_strike: 2600000,
      strikes,
      option_types: ['CALL', 'PUT', 'CALL', 'PUT', 'CALL', 'PUT'],
    },
    offset: null,
    values: {
      ANALYTICS: {
        forward: 2601000,
        years: 0.02,
        rate: 5.5,
        atm_strike: 2600000,
        atm_iv: 12.4,
        columns: ['iv', 'delta'],
        rows: [
          [12.9, 0.7],
          [12.9, -0.3],
          [12.4, 0.5],
          [12.4, -0.5],
          [12.1, 0.3],
          [null, null],
        ],
      },
    },
    gap: false,
    gaps: 0,
    ...more,
  }
}

const WEEK = chainView(topic('2026-02-10'), NOW)
const VIEWS = new Map([['2026-02-10', WEEK]])

function leg(changes: Partial<StrategyLeg>): StrategyLeg {
  return { id: 0, side: 'BUY', right: 'CALL', strike: 2600000, expiry: '2026-02-10', lots: 1, price: null, ...changes }
}

describe('a chain as a strategy sees it', () => {
  it('has its analytics as shares and years', () => {
    expect(WEEK).toMatchObject({ forward: 2601000, years: 0.02, rate: 0.055, atm: 2600000, atmVolatility: 0.124 })
    expect(WEEK.strikes).toEqual([2590000, 2600000, 2610000])
  })

  it('counts from its reference to half past three while the server has computed nothing', () => {
    const view = chainView(topic('2026-02-10', { values: {} }), NOW)
    expect(view).toMatchObject({ forward: 2600500, rate: 0, atmVolatility: null })
    expect(view.years).toBeCloseTo((7 * 24 + 5.5) / (365 * 24), 10)
  })
})

describe('what a leg is done at', () => {
  const price = (changes: Partial<StrategyLeg>) => entryPrice(leg(changes), contractFor(leg(changes), VIEWS))

  it('is what the other side asks or bids, else the last price, else its own', () => {
    expect(price({})).toBe(12100)
    expect(price({ side: 'SELL' })).toBe(11900)
    expect(price({ strike: 2610000 })).toBe(7000)
    expect(price({ price: 11000 })).toBe(11000)
    expect(price({ strike: 2700000 })).toBeNull()
  })
})

describe('what is drawn', () => {
  it('is in rupees and units, with the volatility of each leg', () => {
    const drawing = drawingOf([leg({ lots: 2 })], VIEWS, NIFTY)
    expect(drawing).toMatchObject({ forward: 26010, rate: 0.055, volatility: 0.124 })
    expect(drawing?.legs).toEqual([
      { kind: 'CALL', side: 'BUY', strike: 26000, years: 0.02, volatility: 0.124, price: 121, units: 130, basis: 1 },
    ])
  })

  it('is nothing while a contract is not known', () => {
    expect(drawingOf([leg({}), leg({ strike: 1 })], VIEWS, NIFTY)).toBeNull()
    expect(drawingOf([], VIEWS, NIFTY)).toBeNull()
  })

  it('has a later expiry on the axis of the first, by its forward', () => {
    const later = { ...chainView(topic('2026-02-24'), NOW), forward: 2627010, years: 0.06 }
    const views = new Map([...VIEWS, ['2026-02-24', later]])
    const drawing = drawingOf([leg({ side: 'SELL' }), leg({ expiry: '2026-02-24' })], views, NIFTY)
    expect(drawing?.legs.map(({ basis }) => basis)).toEqual([1, 1.01])
  })
})

describe('a strategy as a basket', () => {
  const straddle = PRESETS.find(({ id }) => id === 'short-straddle')
  const legs = legsFrom((straddle && placedOn(straddle, WEEK.strikes, 2600000, 1)) ?? [], ['2026-02-10'], 1)

  it('is placed at the market, or at the prices given', () => {
    const priced = legs.map((each, place) => (place ? each : { ...each, price: 11950 }))
    expect(basketLegs(priced, VIEWS, NIFTY, 'MARGIN')).toEqual([
      {
        instrument: 'NSE_FNO.102',
        side: 'SELL',
        order_type: 'LIMIT',
        product: 'MARGIN',
        quantity: 65,
        limit_price: '119.50',
      },
      { instrument: 'NSE_FNO.103', side: 'SELL', order_type: 'MARKET', product: 'MARGIN', quantity: 65 },
    ])
  })

  it('is margined with what is bought first', () => {
    const asked = marginLegs([leg({ side: 'SELL' }), leg({ strike: 2610000 })], VIEWS, NIFTY, 'MARGIN')
    expect(asked?.map((each) => JSON.stringify(each).includes('BUY'))).toEqual([true, false])
  })

  it('is read back as the legs that it was', () => {
    const listing = (right: 'CALL' | 'PUT') =>
      ({
        ...NIFTY,
        underlying_symbol: 'NIFTY',
        option_type: right,
        strike: '26000.00',
        expiry: '2026-02-10',
      }) as unknown as Instrument
    const row = {
      symbol: '',
      side: 'SELL',
      order_type: 'MARKET',
      product: 'MARGIN',
      quantity: 65,
      limit_price: null,
    } as const
    const basket: Basket = {
      id: 4,
      name: 'Straddle',
      legs: [
        { ...row, instrument: 'a' },
        { ...row, instrument: 'b' },
      ],
    }
    const listings = new Map([
      ['a', listing('CALL')],
      ['b', listing('PUT')],
    ])
    expect(legsOfBasket(basket, listings)?.legs).toEqual(legs.map((each, id) => ({ ...each, id })))
    expect(legsOfBasket(basket, new Map([['a', listing('CALL')]]))).toBeNull()
  })
})
