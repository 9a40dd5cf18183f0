/** What the order book asks of the server. What becomes of it comes back as facts. */

import { api } from '../../api/rest'
import type { OrderBody } from '../../api/types'
import { rupees } from '../../format/price'
import type { Edit, RestOrder } from '../../trading/orders'
import { usePages, type Pages } from '../../trading/pages'

export interface OrderEvent {
  sequence: number
  kind: string
  status: string
  actor: string | null
  reason_code: string
  reason: string
  details: Readonly<Record<string, unknown>>
  at: string
}

export function cancelOrder(order: OrderBody): Promise<unknown> {
  return api.delete(`orders/${order.id}`)
}

export function cancelAll(account: number): Promise<unknown> {
  return api.post('orders/cancel-all', { account })
}

export function modifyOrder(order: OrderBody, edit: Partial<Edit>): Promise<unknown> {
  const { quantity, limit_price: limit, trigger_price: trigger } = edit
  return api.patch(`orders/${order.id}`, {
    ...(quantity !== undefined && { quantity }),
    ...(limit !== undefined && limit !== null && { limit_price: rupees(limit) }),
    ...(trigger !== undefined && trigger !== null && { trigger_price: rupees(trigger) }),
  })
}

export function eventsOf(order: number): Promise<OrderEvent[]> {
  return api.get<OrderEvent[]>(`orders/${order}/events`)
}

/** Orders that ended before the page was opened; asked for only when they are shown. */
export function useEarlierOrders(account: number, wanted: boolean): Pages<RestOrder> {
  return usePages<RestOrder>('orders', { account }, wanted)
}
