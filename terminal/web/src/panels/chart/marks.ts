/** What the account has in an instrument, as lines at prices: open orders, which can be dragged, and positions. Pure. */

import type { OrderBody } from '../../api/types'
import type { AccountState } from '../../state/account'
import { quantity } from '../../format/quantity'
import { isLive, ORDER_TYPE_WORDS, type OrderStatus, type OrderType } from '../../trading/words'

export type PriceField = 'limit_price' | 'trigger_price'

export interface Mark {
  readonly id: string
  /** Paise. */
  readonly price: number
  readonly title: string
  readonly tone: 'buy' | 'sell' | 'position'
  /** The order that moves with the line; null for what cannot be dragged. */
  readonly order: { readonly id: number; readonly field: PriceField } | null
}

export function marksOf(account: AccountState | undefined, instrument: string): Mark[] {
  if (!account) return []
  const orders = [...account.orders.values()].filter((order) => order.instrument === instrument && live(order))
  const positions = [...account.positions.values()].filter((each) => each.instrument === instrument && each.quantity)
  return [
    ...orders.flatMap(orderMarks),
    ...positions
      .map((each) => positionMark(each.product, each.quantity, each.average_price))
      .filter((mark) => mark !== null),
  ]
}

/** The nearest multiple of the tick; all in paise. */
export function snapped(price: number, tick: number): number {
  return tick > 0 ? Math.round(price / tick) * tick : Math.round(price)
}

/** The mark whose line is within reach of the pointer, the nearest first. */
export function markAt(marks: readonly { mark: Mark; y: number }[], y: number, reach: number): Mark | null {
  const near = marks.filter((each) => each.mark.order !== null && Math.abs(each.y - y) <= reach)
  near.sort((one, other) => Math.abs(one.y - y) - Math.abs(other.y - y))
  return near[0]?.mark ?? null
}

function live(order: OrderBody): boolean {
  return isLive(order.status as OrderStatus)
}

function orderMarks(order: OrderBody): Mark[] {
  const rest = order.quantity - order.filled_quantity
  const words = `${order.side} ${quantity(rest)} ${ORDER_TYPE_WORDS[order.order_type as OrderType].toLowerCase()}`
  const mark = (field: PriceField, price: number, title: string): Mark => ({
    id: `${order.id}.${field}`,
    price,
    title,
    tone: order.side === 'BUY' ? 'buy' : 'sell',
    order: order.cancel_requested ? null : { id: order.id, field },
  })
  return [
    ...(order.trigger_price ? [mark('trigger_price', order.trigger_price, `${words}, trigger`)] : []),
    ...(order.limit_price ? [mark('limit_price', order.limit_price, words)] : []),
  ]
}

function positionMark(product: string, held: number, average: number | null): Mark | null {
  if (average === null) return null
  const title = `${held > 0 ? 'Long' : 'Short'} ${quantity(Math.abs(held))}`
  return { id: `position.${product}`, price: average, title, tone: 'position', order: null }
}
