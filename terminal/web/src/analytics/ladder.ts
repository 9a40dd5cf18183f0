/** The market's depth as a ladder: levels of each side, their sums, and who presses harder. Pure. */

import type { DepthLevel } from '../state/quote'

export interface Level {
  readonly price: number
  readonly quantity: number
  readonly orders: number
}

export interface Ladder {
  readonly bids: readonly Level[]
  readonly asks: readonly Level[]
  readonly source: 'FIVE' | 'TWENTY'
}

/** The DEPTH value of a `depth.*` topic. */
export interface DepthValue {
  readonly levels: number
  readonly bids: readonly (readonly [number, number, number])[]
  readonly asks: readonly (readonly [number, number, number])[]
  readonly at: number
  readonly source: 'TWENTY' | 'FIVE'
}

/** The five levels of an instrument's topic; a level without a price is empty and left out. */
export function ladderOfFive(levels: readonly DepthLevel[]): Ladder {
  const bids = levels.map((each) => ({ price: each.bid_price, quantity: each.bid_quantity, orders: each.bid_orders }))
  const asks = levels.map((each) => ({ price: each.ask_price, quantity: each.ask_quantity, orders: each.ask_orders }))
  return { bids: bids.filter(isPriced), asks: asks.filter(isPriced), source: 'FIVE' }
}

export function ladderOfValue(value: DepthValue): Ladder {
  const side = (levels: DepthValue['bids']): Level[] =>
    levels.map(([price, quantity, orders]) => ({ price, quantity, orders })).filter(isPriced)
  return { bids: side(value.bids), asks: side(value.asks), source: value.source }
}

function isPriced(level: Level): boolean {
  return level.price > 0
}

export function quantityOf(levels: readonly Level[]): number {
  return levels.reduce((sum, level) => sum + level.quantity, 0)
}

/** From -1 (only sellers) over 0 to 1 (only buyers); null while nobody is there. */
export function imbalance(bids: number, asks: number): number | null {
  return bids + asks === 0 ? null : (bids - asks) / (bids + asks)
}

/** The largest quantity of either side: what a full bar stands for. */
export function largest(ladder: Ladder): number {
  return [...ladder.bids, ...ladder.asks].reduce((most, level) => Math.max(most, level.quantity), 0)
}

/** Best ask less best bid; null when a side is empty. */
export function spreadOf(ladder: Ladder): number | null {
  const [bid, ask] = [ladder.bids[0], ladder.asks[0]]
  return bid && ask ? ask.price - bid.price : null
}
