import { describe, expect, it } from 'vitest'

import type { Fact } from '../api/types'
import { foldFacts, fromSnapshot } from './account'

const FUNDS = { cash: 100_000_000, held_margin: 0, used_margin: 0, available: 100_000_000, floor: 0, deficit: 0 }
const START = fromSnapshot(3, { name: 'Paper', funds: FUNDS, positions: [], orders: [], trades: [] }, 41)

const order = (offset: number, status: string): Fact => [offset, 'ORDER', { id: 9, status, instrument: 'NSE_EQ.2885' }]
const trade = (offset: number, number: number): Fact => [offset, 'TRADE', { order: 9, number, quantity: 10 }]
const position = (offset: number, quantity: number): Fact => [
  offset,
  'POSITION',
  { instrument: 'NSE_EQ.2885', product: 'CNC', quantity },
]

describe('an account', () => {
  it('begins with its snapshot', () => {
    expect(START.offset).toBe(41)
    expect(START.funds.available).toBe(100_000_000)
    expect(START.orders.size).toBe(0)
  })

  it('keeps the last state of each order and each fill once', () => {
    const state = foldFacts(START, [order(42, 'PENDING'), trade(43, 1), trade(44, 2), order(45, 'TRADED')])
    expect(state.orders.get(9)?.status).toBe('TRADED')
    expect([...state.trades.keys()]).toEqual(['9:1', '9:2'])
    expect(state.offset).toBe(45)
  })

  it('replaces a position by instrument and product', () => {
    const state = foldFacts(START, [position(42, 10), position(43, 0)])
    expect(state.positions.size).toBe(1)
    expect(state.positions.get('NSE_EQ.2885:CNC')?.quantity).toBe(0)
  })

  it('is not changed by facts that it has', () => {
    const facts = [order(42, 'PENDING'), order(43, 'TRADED')]
    const state = foldFacts(START, facts)
    expect(foldFacts(state, facts)).toBe(state)
  })

  it('moves past facts that change no book', () => {
    const state = foldFacts(START, [[42, 'REFUSAL', { message: 'No.' }]])
    expect(state.offset).toBe(42)
    expect(state.orders).toBe(START.orders)
  })
})
