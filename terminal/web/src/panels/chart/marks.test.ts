import { describe, expect, it } from 'vitest'

import type { OrderBody, PositionBody } from '../../api/types'
import type { AccountState } from '../../state/account'
import { markAt, marksOf, snapped } from './marks'

const KEY = 'NSE_FNO.49081'

function order(fields: Partial<OrderBody>): OrderBody {
  const usual = { id: 9, instrument: KEY, side: 'BUY', order_type: 'LIMIT', quantity: 150, filled_quantity: 75 }
  const rest = { limit_price: 15_230, trigger_price: null, status: 'OPEN', cancel_requested: false }
  return { ...usual, ...rest, ...fields } as OrderBody
}

function account(orders: OrderBody[], positions: PositionBody[] = []): AccountState {
  return {
    orders: new Map(orders.map((each) => [each.id, each])),
    positions: new Map(positions.map((each) => [each.product, each])),
  } as unknown as AccountState
}

describe('the lines of an account', () => {
  it('are its live orders in the instrument, with what is still to fill', () => {
    const ended = [order({ id: 10, status: 'FILLED' }), order({ id: 11, instrument: 'NSE_EQ.1' })]
    expect(marksOf(account([order({}), ...ended]), KEY)).toEqual([
      {
        id: '9.limit_price',
        price: 15_230,
        title: 'BUY 75 limit',
        tone: 'buy',
        order: { id: 9, field: 'limit_price' },
      },
    ])
  })
  it('are two for a stop with a limit: each moves its own price', () => {
    const stop = order({ side: 'SELL', order_type: 'STOP_LOSS', trigger_price: 14_500, limit_price: 14_400 })
    expect(marksOf(account([stop]), KEY).map((mark) => [mark.order?.field, mark.price, mark.title])).toEqual([
      ['trigger_price', 14_500, 'SELL 75 stop limit, trigger'],
      ['limit_price', 14_400, 'SELL 75 stop limit'],
    ])
  })
  it('cannot be dragged once the order is to be cancelled', () => {
    expect(marksOf(account([order({ cancel_requested: true })]), KEY)[0]?.order).toBeNull()
  })
  it('tell an open position at its average price, and none of a closed one', () => {
    const held = { instrument: KEY, product: 'MARGIN', quantity: -75, average_price: 15_100 } as PositionBody
    const closed = { instrument: KEY, product: 'INTRADAY', quantity: 0, average_price: null } as PositionBody
    expect(marksOf(account([], [held, closed]), KEY).map((mark) => [mark.title, mark.price])).toEqual([
      ['Short 75', 15_100],
    ])
  })
  it('are none without an account', () => {
    expect(marksOf(undefined, KEY)).toEqual([])
  })
})

describe('a dragged price', () => {
  it('snaps to the tick', () => {
    expect([snapped(10_003, 5), snapped(10_002, 5), snapped(10_003, 0)]).toEqual([10_005, 10_000, 10_003])
  })
})

describe('the line under the pointer', () => {
  const [near] = marksOf(account([order({})]), KEY)
  const [fixed] = marksOf(account([order({ cancel_requested: true })]), KEY)
  it('is the nearest within reach that can be dragged', () => {
    if (!near || !fixed) throw new Error('no marks')
    expect(
      markAt(
        [
          { mark: fixed, y: 100 },
          { mark: near, y: 104 },
        ],
        100,
        6,
      ),
    ).toBe(near)
    expect(markAt([{ mark: near, y: 107 }], 100, 6)).toBeNull()
  })
})
