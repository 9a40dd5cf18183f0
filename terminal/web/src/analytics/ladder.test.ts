import { describe, expect, it } from 'vitest'

import { imbalance, ladderOfFive, ladderOfValue, largest, quantityOf, spreadOf } from './ladder'

const LEVELS = [
  { bid_price: 99, bid_quantity: 50, bid_orders: 2, ask_price: 101, ask_quantity: 75, ask_orders: 3 },
  { bid_price: 0, bid_quantity: 0, bid_orders: 0, ask_price: 0, ask_quantity: 0, ask_orders: 0 },
]

describe('a ladder', () => {
  it('takes the five levels of the feed and leaves empty ones out', () => {
    expect(ladderOfFive(LEVELS)).toEqual({
      bids: [{ price: 99, quantity: 50, orders: 2 }],
      asks: [{ price: 101, quantity: 75, orders: 3 }],
      source: 'FIVE',
    })
  })
  it('reads the levels of a depth value', () => {
    const ladder = ladderOfValue({
      levels: 20,
      bids: [
        [99, 50, 2],
        [98, 150, 4],
      ],
      asks: [],
      at: 0,
      source: 'TWENTY',
    })
    expect([quantityOf(ladder.bids), largest(ladder), spreadOf(ladder), ladder.source]).toEqual([
      200,
      150,
      null,
      'TWENTY',
    ])
  })
  it('tells the spread of the best prices', () => {
    expect(spreadOf(ladderOfFive(LEVELS))).toBe(2)
  })
})

describe('imbalance', () => {
  it('lies between sellers only and buyers only, and is unknown of an empty market', () => {
    expect([imbalance(0, 10), imbalance(30, 10), imbalance(10, 0), imbalance(0, 0)]).toEqual([-1, 0.5, 1, null])
  })
})
