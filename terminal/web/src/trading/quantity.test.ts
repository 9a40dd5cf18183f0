import { describe, expect, it } from 'vitest'
import { isOnTick, lotsOf, quantityOfLots, snapped, stepped, tradesInLots, valueOf } from './quantity'

const NIFTY = { segment: 'NSE_FNO', lot_size: 65, multiplier: 1 }
const CRUDE = { segment: 'MCX_COMM', lot_size: 1, multiplier: 100 }
const RELIANCE = { segment: 'NSE_EQ', lot_size: 1, multiplier: 1 }

describe('lots and units', () => {
  it('are linked by the lot size, and on MCX a quantity is lots', () => {
    expect(quantityOfLots(3, NIFTY)).toBe(195)
    expect(quantityOfLots(3, CRUDE)).toBe(3)
    expect(lotsOf(195, NIFTY)).toBe(3)
    expect(lotsOf(100, NIFTY)).toBeNull()
  })

  it('say nothing of a share', () => {
    expect([NIFTY, CRUDE, RELIANCE].map(tradesInLots)).toEqual([true, true, false])
  })

  it('make money by the multiplier', () => {
    expect(valueOf(2, 600_000, CRUDE)).toBe(120_000_000)
  })
})

describe('prices', () => {
  it('step on the tick, ten at once when asked', () => {
    expect(stepped(15230, 5, 1)).toBe(15235)
    expect(stepped(15232, 5, 1)).toBe(15235)
    expect(stepped(15232, 5, -1)).toBe(15230)
    expect(stepped(15230, 5, 1, true)).toBe(15280)
    expect(stepped(5, 5, -1)).toBe(5)
  })

  it('snap to the nearest tick', () => {
    expect(snapped(15232, 5)).toBe(15230)
    expect(snapped(1, 5)).toBe(5)
    expect(isOnTick(15230, 5)).toBe(true)
    expect(isOnTick(15231, 5)).toBe(false)
  })
})
