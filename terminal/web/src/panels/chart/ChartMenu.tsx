/** What can be done at a price of the chart: a limit order there, or an alert. */

import { useEffect, useRef } from 'preact/hooks'

import { api, sentence } from '../../api/rest'
import type { Instrument } from '../../api/types'
import { price as text, rupees } from '../../format/price'
import { notify } from '../../state/notifications'
import { openTicket } from '../../workspace/panels'
import { nameOf } from '../../trading/names'
import type { MenuPlace } from './desk'

/** An index is watched, not traded. */
const INDICES = 'IDX_I'

export interface ChartMenuProps {
  place: MenuPlace
  listing: Instrument
  last: number
  onClose: () => void
}

export function ChartMenu({ place, listing, last, onClose }: ChartMenuProps) {
  const element = useRef<HTMLDivElement>(null)
  useEffect(() => element.current?.querySelector('button')?.focus(), [place])
  useEffect(() => {
    const outside = (event: Event) => !element.current?.contains(event.target as Node) && onClose()
    document.addEventListener('pointerdown', outside, { capture: true })
    return () => document.removeEventListener('pointerdown', outside, { capture: true })
  }, [])
  const act = (action: () => void) => () => {
    onClose()
    action()
  }
  const order = (side: 'BUY' | 'SELL') =>
    act(() => openTicket({ instrument: listing.instrument, side, price: place.price, order_type: 'LIMIT' }))
  return (
    <div
      ref={element}
      class="chart-menu"
      role="menu"
      aria-label={`At ${text(place.price)}`}
      style={{ left: `${place.x}px`, top: `${place.y}px` }}
      onKeyDown={(event) => moveFocus(event, onClose)}
    >
      {listing.segment !== INDICES && (
        <>
          <button type="button" role="menuitem" class="up" onClick={order('BUY')}>
            Buy limit {text(place.price)}
          </button>
          <button type="button" role="menuitem" class="down" onClick={order('SELL')}>
            Sell limit {text(place.price)}
          </button>
        </>
      )}
      <button type="button" role="menuitem" onClick={act(() => void setAlert(listing, place.price, last))}>
        Alert at {text(place.price)}
      </button>
    </div>
  )
}

function moveFocus(event: KeyboardEvent, onClose: () => void): void {
  const step = { ArrowDown: 1, ArrowUp: -1 }[event.key]
  if (event.key === 'Escape') onClose()
  else if (step) {
    const items = [...(event.currentTarget as HTMLElement).querySelectorAll('button')]
    const place = items.indexOf(document.activeElement as HTMLButtonElement)
    items[(place + step + items.length) % items.length]?.focus()
  } else return
  event.preventDefault()
  event.stopPropagation()
}

async function setAlert(listing: Instrument, price: number, last: number): Promise<void> {
  const direction = price >= last ? 'ABOVE' : 'BELOW'
  try {
    await api.post('alerts', { instrument: listing.instrument, column: 'LAST_PRICE', direction, value: rupees(price) })
    notify({
      tone: 'good',
      title: 'Alert set',
      text: `${nameOf(listing, listing.instrument)} ${direction.toLowerCase()} ${text(price)}`,
    })
  } catch (error) {
    notify({ tone: 'bad', title: 'Alert not set', text: sentence(error) })
  }
}
