/** What happened to one order, by whom and why, in a drawer beside the book. */

import { useEffect, useRef } from 'preact/hooks'

import type { OrderBody } from '../../api/types'
import { price } from '../../format/price'
import { quantity } from '../../format/quantity'
import { time } from '../../format/time'
import { ORDER_TYPE_WORDS, PRODUCT_WORDS, said, SIDE_WORDS, STATUS_WORDS } from '../../trading/words'
import { Button } from '../../ui/Button'
import { ErrorNote, Loading } from '../../ui/Notes'
import { useLoaded } from '../../ui/useLoaded'
import { eventsOf, type OrderEvent } from './asking'

interface HistoryProps {
  order: OrderBody
  symbol: string
  onClose: () => void
}

export function History({ order, symbol, onClose }: HistoryProps) {
  const events = useLoaded(() => eventsOf(order.id), [order.id, order.sequence])
  const drawer = useRef<HTMLElement>(null)
  useEffect(() => drawer.current?.focus(), [order.id])
  const close = (event: KeyboardEvent) => {
    if (event.key !== 'Escape') return
    event.stopPropagation()
    onClose()
  }
  return (
    <aside ref={drawer} class="drawer" tabIndex={-1} aria-label={`History of order ${order.id}`} onKeyDown={close}>
      <header class="drawer-head">
        <h3>
          {said(SIDE_WORDS, order.side)} {quantity(order.quantity)} {symbol}
        </h3>
        <Button small tone="quiet" aria-label="Close the history" onClick={onClose}>
          ✕
        </Button>
      </header>
      <p class="book-dim">
        Order {order.id} · {said(ORDER_TYPE_WORDS, order.order_type)} · {said(PRODUCT_WORDS, order.product)}
        {order.limit_price !== null && ` · ${price(order.limit_price)}`}
      </p>
      {order.client_reference && <p class="book-dim">Reference {order.client_reference}</p>}
      {events.error !== undefined && <ErrorNote error={events.error} onRetry={events.reload} />}
      {events.value === undefined && events.loading && <Loading what="Reading its history" />}
      <ol class="history">
        {events.value?.map((event) => (
          <EventRow key={event.sequence} event={event} />
        ))}
      </ol>
    </aside>
  )
}

function EventRow({ event }: { event: OrderEvent }) {
  const details = Object.entries(event.details).filter(([name, value]) => name in SHOWN && value !== null)
  return (
    <li>
      <time>{time(event.at)}</time>
      <div>
        <strong>{sentenceCase(event.kind)}</strong>
        {event.status && <span class="book-dim"> {said(STATUS_WORDS, event.status)}</span>}
        {event.actor && <span class="book-dim"> by {event.actor}</span>}
        {event.reason && <p>{event.reason}</p>}
        {details.length > 0 && (
          <p class="book-dim">{details.map(([name, value]) => SHOWN[name]?.(value)).join(' · ')}</p>
        )}
      </div>
    </li>
  )
}

/** Of an event's details, what a trader reads; prices in paise. */
const SHOWN: Readonly<Record<string, (value: unknown) => string>> = {
  quantity: (value) => `${quantity(Number(value))} units`,
  price: (value) => `at ${price(Number(value))}`,
  limit_price: (value) => `limit ${price(Number(value))}`,
  trigger_price: (value) => `trigger ${price(Number(value))}`,
  protection_price: (value) => `protected at ${price(Number(value))}`,
}

function sentenceCase(word: string): string {
  const words = word.replaceAll('_', ' ').toLowerCase()
  return words.charAt(0).toUpperCase() + words.slice(1)
}
