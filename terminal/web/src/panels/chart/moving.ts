/** An order's line was dragged: ask, then ask the server to change the order. */

import { api, sentence } from '../../api/rest'
import { price as text, rupees } from '../../format/price'
import { confirm } from '../../ui/Confirm'
import { notify } from '../../state/notifications'
import type { Mark } from './marks'

export async function moveOrder(mark: Mark, price: number, symbol: string): Promise<void> {
  if (!mark.order) return
  const yes = await confirm({
    title: 'Change the order?',
    text: `${symbol}: ${mark.title} from ${text(mark.price)} to ${text(price)}.`,
    action: 'Change order',
  })
  if (!yes) return
  try {
    await api.patch(`orders/${mark.order.id}`, { [mark.order.field]: rupees(price) })
  } catch (error) {
    notify({ tone: 'bad', title: 'Order not changed', text: sentence(error) })
  }
}
