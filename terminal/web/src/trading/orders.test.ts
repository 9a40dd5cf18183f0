import { describe, expect, it } from 'vitest'

import type { OrderBody, TradeBody } from '../api/types'
import {
  changed,
  editOf,
  matching,
  mayCancel,
  mayChangeQuantity,
  mayModify,
  merged,
  orderFromRest,
  turnover,
  type RestOrder,
} from './orders'

const REST: RestOrder = {
  id: 7,
  sequence: 3,
  client_reference: 't-1',
  instrument: 'NSE_FNO.49081',
  side: 'BUY',
  order_type: 'LIMIT',
  validity: 'DAY',
  product: 'MARGIN',
  quantity: 130,
  filled_quantity: 65,
  average_price: '152.30',
  disclosed_quantity: 0,
  limit_price: '152.50',
  trigger_price: null,
  protection_price: null,
  triggered: false,
  status: 'PARTIALLY_FILLED',
  reason_code: '',
  reason: '',
  source: 'MANUAL',
  group: null,
  role: 'SINGLE',
  after_market: false,
  forever: false,
  reduces: false,
  cancel_requested: false,
  modify_requested: false,
  release_at: null,
  trading_date: '2026-02-03',
  placed_at: '2026-02-03T10:00:00+05:30',
  updated_at: '2026-02-03T10:00:01+05:30',
}
const ORDER = orderFromRest(REST)

function order(changes: Partial<OrderBody>): OrderBody {
  return { ...ORDER, ...changes }
}

it('reads an order of REST as the facts carry it', () => {
  expect(ORDER).toMatchObject({ limit_price: 15250, trigger_price: null, average_price: 15230 })
  expect(ORDER.placed_at).toBe(1770093000000)
})

it('makes one book of both, newest first, the later state of each', () => {
  const live = [order({ id: 7, sequence: 4, status: 'FILLED' }), order({ id: 9 })]
  const paged = [order({ id: 9 }), order({ id: 8, status: 'REJECTED' }), order({ id: 7 })]
  expect(merged(live, paged).map(({ id, status }) => `${id} ${status}`)).toEqual([
    '9 PARTIALLY_FILLED',
    '8 REJECTED',
    '7 FILLED',
  ])
})

it('finds by words in any order, and leaves out what ended when only live ones are wanted', () => {
  const book = [order({ id: 1 }), order({ id: 2, side: 'SELL' }), order({ id: 3, status: 'CANCELLED' })]
  const found = (only: 'LIVE' | 'ALL', text: string) =>
    matching(book, { only, text }, () => 'NIFTY 24 FEB 26000 CE').map(({ id }) => id)
  expect(found('LIVE', '')).toEqual([1, 2])
  expect(found('ALL', 'buy 26000')).toEqual([1, 3])
  expect(found('ALL', 'banknifty')).toEqual([])
})

describe('what may be asked of an order', () => {
  it('is nothing once it ended or its end was asked for', () => {
    expect([order({}), order({ status: 'FILLED' }), order({ cancel_requested: true })].map(mayCancel)).toEqual([
      true,
      false,
      false,
    ])
  })

  it('is no change while one is on its way, or of a market order, or when nobody knows its outcome', () => {
    const those = [
      order({}),
      order({ modify_requested: true }),
      order({ order_type: 'MARKET' }),
      order({ status: 'UNKNOWN' }),
    ]
    expect(those.map(mayModify)).toEqual([true, false, false, false])
  })

  it('leaves the quantity of a bracket alone', () => {
    expect(mayChangeQuantity(order({ group: 3, role: 'TARGET' }))).toBe(false)
    expect(mayChangeQuantity(order({ group: 3, role: 'SLICE' }))).toBe(true)
  })
})

it('asks only for what differs', () => {
  expect(changed(ORDER, editOf(ORDER))).toEqual({})
  expect(changed(ORDER, { ...editOf(ORDER), limit_price: 15300 })).toEqual({ limit_price: 15300 })
})

it('adds up each side of the trades with its multiplier', () => {
  const trade: TradeBody = {
    order: 7,
    number: 1,
    instrument: 'MCX_COMM.1',
    side: 'BUY',
    product: 'MARGIN',
    quantity: 2,
    price: 600_000,
    multiplier: 100,
    at: 0,
  }
  expect(turnover([trade, { ...trade, side: 'SELL', quantity: 1 }], 'BUY')).toEqual({ quantity: 2, value: 120_000_000 })
})
