/** PURE: the order book as a screen shows it, live facts and what REST pages through together. Prices in paise. */

import type { OrderBody, Side, TradeBody } from '../api/types'
import { paise } from '../format/price'
import { hasLimit, hasTrigger, isLive } from './words'

type Rupees = 'average_price' | 'limit_price' | 'trigger_price' | 'protection_price'
type Times = 'release_at' | 'placed_at' | 'updated_at'

/** An order of REST: prices as rupee text, times as RFC 3339. */
export type RestOrder = Omit<OrderBody, Rupees | Times> &
  Record<Rupees, string | null> & { release_at: string | null; placed_at: string; updated_at: string }

export type RestTrade = Omit<TradeBody, 'price' | 'at'> & { price: string; at: string }

export interface Edit {
  quantity: number
  limit_price: number | null
  trigger_price: number | null
}

export interface Filter {
  only: 'LIVE' | 'ALL'
  /** Words of symbol, side, product or status; all must be there. */
  text: string
}

const FIXED_QUANTITY: ReadonlySet<string> = new Set(['ENTRY', 'TARGET', 'STOP'])

export function orderFromRest(order: RestOrder): OrderBody {
  return {
    ...order,
    average_price: paiseOrNull(order.average_price),
    limit_price: paiseOrNull(order.limit_price),
    trigger_price: paiseOrNull(order.trigger_price),
    protection_price: paiseOrNull(order.protection_price),
    release_at: order.release_at === null ? null : Date.parse(order.release_at),
    placed_at: Date.parse(order.placed_at),
    updated_at: Date.parse(order.updated_at),
  }
}

export function tradeFromRest(trade: RestTrade): TradeBody {
  return { ...trade, price: paise(trade.price) ?? 0, at: Date.parse(trade.at) }
}

/** One book, newest first: of an order that both know the later state counts. */
export function merged(live: Iterable<OrderBody>, paged: Iterable<OrderBody>): OrderBody[] {
  const byId = new Map<number, OrderBody>()
  for (const order of [...paged, ...live]) {
    const known = byId.get(order.id)
    if (known === undefined || known.sequence <= order.sequence) byId.set(order.id, order)
  }
  return [...byId.values()].sort((one, other) => other.id - one.id)
}

export function matching(
  orders: readonly OrderBody[],
  filter: Filter,
  symbolOf: (order: OrderBody) => string,
): OrderBody[] {
  const words = filter.text.toUpperCase().split(/\s+/).filter(Boolean)
  return orders.filter((order) => {
    if (filter.only === 'LIVE' && !isLive(order.status)) return false
    const said = `${symbolOf(order)} ${order.side} ${order.product} ${order.status} ${order.order_type}`.toUpperCase()
    return words.every((word) => said.includes(word))
  })
}

export function mayCancel(order: OrderBody): boolean {
  return isLive(order.status) && !order.cancel_requested
}

export function mayModify(order: OrderBody): boolean {
  const priced = hasLimit(order.order_type) || hasTrigger(order.order_type)
  return mayCancel(order) && !order.modify_requested && priced && order.status !== 'UNKNOWN'
}

/** The exits and the entry of a bracket or a pair keep their quantity. */
export function mayChangeQuantity(order: OrderBody): boolean {
  return !(order.group !== null && FIXED_QUANTITY.has(order.role))
}

export function editOf(order: OrderBody): Edit {
  return { quantity: order.quantity, limit_price: order.limit_price, trigger_price: order.trigger_price }
}

/** What of an edit differs, as paise; empty: nothing to ask. */
export function changed(order: OrderBody, edit: Edit): Partial<Edit> {
  return {
    ...(edit.quantity !== order.quantity && { quantity: edit.quantity }),
    ...(edit.limit_price !== order.limit_price && { limit_price: edit.limit_price }),
    ...(edit.trigger_price !== order.trigger_price && { trigger_price: edit.trigger_price }),
  }
}

/** What a side of the book came to: units and value in paise. */
export function turnover(trades: readonly TradeBody[], side: Side): { quantity: number; value: number } {
  const ours = trades.filter((trade) => trade.side === side)
  return {
    quantity: ours.reduce((sum, trade) => sum + trade.quantity, 0),
    value: ours.reduce((sum, trade) => sum + trade.quantity * trade.price * trade.multiplier, 0),
  }
}

function paiseOrNull(rupees: string | null): number | null {
  return rupees === null ? null : paise(rupees)
}
