/** Profit and loss of positions, in whole paise, as `rms/core/position.py` counts it. */

/** What is needed of a position: the fact's names. */
export interface Holdable {
  quantity: number
  open_cost: number
  multiplier: number
  realised_pnl: number
  day_buy_value: number
  day_sell_value: number
  carried_quantity: number
  carried_price: number
}

export interface Profit {
  unrealised: number
  realised: number
  /** Since yesterday's close: what was carried counts from its carried price. */
  day: number
}

/** At a price; null when there is none and something is open. */
export function profitOf(position: Holdable, price: number | null): Profit | null {
  if (position.quantity !== 0 && price === null) return null
  const worth = (price ?? 0) * position.quantity * position.multiplier
  const carried = position.carried_quantity * position.carried_price * position.multiplier
  return {
    unrealised: worth - position.open_cost,
    realised: position.realised_pnl,
    day: worth + position.day_sell_value - position.day_buy_value - carried,
  }
}

/** Sums of what is known; `complete` is false when a position has no price. */
export function totalOf(profits: readonly (Profit | null)[]): Profit & { complete: boolean } {
  const known = profits.filter((each) => each !== null)
  return {
    unrealised: known.reduce((sum, each) => sum + each.unrealised, 0),
    realised: known.reduce((sum, each) => sum + each.realised, 0),
    day: known.reduce((sum, each) => sum + each.day, 0),
    complete: known.length === profits.length,
  }
}
