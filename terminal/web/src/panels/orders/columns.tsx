/** The columns of the order book. */

import type { Instrument, InstrumentKey, OrderBody } from '../../api/types'
import { price } from '../../format/price'
import { quantity } from '../../format/quantity'
import { minute, time } from '../../format/time'
import { select } from '../../state/selection'
import type { Column } from '../../trading/BookTable'
import { LastPrice } from '../../trading/LastPrice'
import { mayCancel, mayModify } from '../../trading/orders'
import { Chip, InstrumentName, SideChip } from '../../trading/pieces'
import { isLive, ORDER_TYPE_WORDS, PRODUCT_WORDS, ROLE_WORDS, said, STATUS_WORDS } from '../../trading/words'
import { Button } from '../../ui/Button'
import { nameOf } from '../../trading/names'

export interface Asking {
  edit: (order: OrderBody) => void
  cancel: (order: OrderBody) => void
  history: (order: OrderBody) => void
}

export function columnsOf(
  listings: ReadonlyMap<InstrumentKey, Instrument>,
  mayTrade: boolean,
  asking: Asking,
): Column<OrderBody>[] {
  const symbol = (order: OrderBody) => nameOf(listings.get(order.instrument), order.instrument)
  return [
    { id: 'time', title: 'Time', cell: (order) => <Moment order={order} />, sort: (order) => order.placed_at },
    { id: 'side', title: 'Side', cell: (order) => <SideChip side={order.side} />, sort: (order) => order.side },
    {
      id: 'instrument',
      title: 'Instrument',
      cell: (order) => <InstrumentName name={symbol(order)} onChoose={() => select(order.instrument)} />,
      sort: symbol,
    },
    {
      id: 'quantity',
      title: 'Filled',
      hint: 'Filled of ordered',
      figure: true,
      cell: filledOf,
      sort: (order) => order.quantity,
    },
    { id: 'price', title: 'Price', figure: true, cell: (order) => <Prices order={order} />, sort: orderPrice },
    { id: 'status', title: 'Status', cell: (order) => <Status order={order} />, sort: (order) => order.status },
    { id: 'kind', title: 'Order', cell: (order) => <Kind order={order} />, sort: (order) => order.order_type },
    {
      id: 'average',
      title: 'Average',
      figure: true,
      cell: (order) => price(order.average_price),
      sort: (order) => order.average_price,
    },
    {
      id: 'last',
      title: 'LTP',
      figure: true,
      cell: (order) => (isLive(order.status) ? <LastPrice instrument={order.instrument} /> : ''),
    },
    {
      id: 'actions',
      title: '',
      cell: (order) => <Actions order={order} symbol={symbol(order)} mayTrade={mayTrade} asking={asking} />,
    },
  ]
}

function Moment({ order }: { order: OrderBody }) {
  return <time title={`Changed ${time(order.updated_at)}`}>{time(order.placed_at)}</time>
}

function filledOf(order: OrderBody): string {
  return `${quantity(order.filled_quantity)} / ${quantity(order.quantity)}`
}

function orderPrice(order: OrderBody): number | null {
  return order.limit_price ?? order.trigger_price ?? order.protection_price
}

function Kind({ order }: { order: OrderBody }) {
  const marks = [
    ROLE_WORDS[order.role] ?? order.role,
    order.validity === 'IOC' && 'IOC',
    order.after_market && 'After market',
    order.forever && 'Forever',
    order.source === 'SQUARE_OFF' && 'Square off',
  ].filter(Boolean)
  return (
    <>
      {said(ORDER_TYPE_WORDS, order.order_type)} · {said(PRODUCT_WORDS, order.product)}
      {marks.length > 0 && <span class="book-dim"> · {marks.join(' · ')}</span>}
    </>
  )
}

function Prices({ order }: { order: OrderBody }) {
  return (
    <>
      {order.limit_price === null && order.trigger_price === null ? 'Market' : price(order.limit_price)}
      {order.trigger_price !== null && <span class="book-dim"> trg {price(order.trigger_price)}</span>}
      {order.protection_price !== null && (
        <span class="book-dim" title="A market order fills no worse than this">
          {' '}
          to {price(order.protection_price)}
        </span>
      )}
    </>
  )
}

const STATUS_TONES: Readonly<Record<string, 'good' | 'bad' | 'wait' | 'plain'>> = {
  FILLED: 'good',
  REJECTED: 'bad',
  UNKNOWN: 'bad',
  OPEN: 'wait',
  PARTIALLY_FILLED: 'wait',
  TRIGGER_PENDING: 'wait',
  TRANSIT: 'wait',
  QUEUED: 'wait',
}

function Status({ order }: { order: OrderBody }) {
  const asked = order.cancel_requested ? 'Cancelling' : order.modify_requested ? 'Changing' : null
  const waits = order.status === 'QUEUED' && order.release_at !== null ? ` until ${minute(order.release_at)}` : ''
  const word = isLive(order.status) && asked ? asked : said(STATUS_WORDS, order.status) + waits
  return (
    <span title={order.reason || undefined}>
      <Chip tone={STATUS_TONES[order.status] ?? 'plain'}>{word}</Chip>
      {order.status === 'REJECTED' && <span class="book-reason"> {order.reason}</span>}
    </span>
  )
}

interface ActionsProps {
  order: OrderBody
  symbol: string
  mayTrade: boolean
  asking: Asking
}

function Actions({ order, symbol, mayTrade, asking }: ActionsProps) {
  const named = `${order.side} ${symbol}`
  return (
    <span class="book-actions">
      {mayTrade && mayModify(order) && (
        <Button small tone="quiet" aria-label={`Change ${named}`} onClick={() => asking.edit(order)}>
          Change
        </Button>
      )}
      {mayCancel(order) && (
        <Button small tone="quiet" aria-label={`Cancel ${named}`} onClick={() => asking.cancel(order)}>
          Cancel
        </Button>
      )}
      <Button small tone="quiet" aria-label={`History of ${named}`} onClick={() => asking.history(order)}>
        History
      </Button>
    </span>
  )
}
