import { describe, expect, it } from 'vitest'
import { type Holdable, profitOf, totalOf } from './positions'

const CLOSED: Holdable = {
  quantity: 0,
  open_cost: 0,
  multiplier: 1,
  realised_pnl: 45_500,
  day_buy_value: 975_000,
  day_sell_value: 1_020_500,
  carried_quantity: 0,
  carried_price: 0,
}
const SHORT_CARRIED: Holdable = {
  quantity: -65,
  open_cost: -650_000,
  multiplier: 1,
  realised_pnl: 0,
  day_buy_value: 0,
  day_sell_value: 0,
  carried_quantity: -65,
  carried_price: 9_000,
}

describe('profit', () => {
  it('of what was closed needs no price', () => {
    expect(profitOf(CLOSED, null)).toEqual({ unrealised: 0, realised: 45_500, day: 45_500 })
  })

  it('of a short grows as its price falls, and its day begins at the carried price', () => {
    expect(profitOf(SHORT_CARRIED, 8_000)).toEqual({ unrealised: 130_000, realised: 0, day: 65_000 })
  })

  it('counts the multiplier', () => {
    const crude = {
      ...CLOSED,
      quantity: 2,
      multiplier: 100,
      open_cost: 120_000_000,
      realised_pnl: 0,
      day_buy_value: 120_000_000,
      day_sell_value: 0,
    }
    expect(profitOf(crude, 601_000)).toEqual({ unrealised: 200_000, realised: 0, day: 200_000 })
  })

  it('is not known without a price', () => {
    expect(profitOf(SHORT_CARRIED, null)).toBeNull()
  })
})

it('adds what is known and says when that is not all', () => {
  const known = profitOf(CLOSED, null)
  expect(totalOf([known, null])).toEqual({ unrealised: 0, realised: 45_500, day: 45_500, complete: false })
  expect(totalOf([])).toEqual({ unrealised: 0, realised: 0, day: 0, complete: true })
})
