/** Changing an order where it stands: Enter asks for it, Esc leaves it. */

import { useEffect, useRef, useState } from 'preact/hooks'

import { sentence } from '../../api/rest'
import type { Instrument, OrderBody } from '../../api/types'
import { CountInput } from '../../trading/CountInput'
import { changed, editOf, mayChangeQuantity, type Edit } from '../../trading/orders'
import { PriceInput } from '../../trading/PriceInput'
import { lotOf } from '../../trading/quantity'
import { tradable } from '../../trading/ticket'
import { hasLimit, hasTrigger } from '../../trading/words'
import { Button } from '../../ui/Button'
import { modifyOrder } from './asking'

interface EditRowProps {
  order: OrderBody
  listing: Instrument | undefined
  onDone: () => void
}

export function EditRow({ order, listing, onDone }: EditRowProps) {
  const [edit, setEdit] = useState<Edit>(editOf(order))
  const [busy, setBusy] = useState(false)
  const [refused, setRefused] = useState<string | null>(null)
  const first = useRef<HTMLInputElement>(null)
  useEffect(() => first.current?.select(), [])
  const instrument = listing && tradable(listing)
  const tick = instrument?.tick_size ?? 1
  const wanted = changed(order, edit)
  const isEmpty = Object.keys(wanted).length === 0
  const save = async () => {
    if (isEmpty || busy) return
    setBusy(true)
    try {
      await modifyOrder(order, wanted)
      onDone()
    } catch (error) {
      setRefused(sentence(error))
      setBusy(false)
    }
  }
  const keys = (event: KeyboardEvent) => {
    if (event.key === 'Escape') onDone()
    if (event.key === 'Escape' || event.key === 'Enter') event.stopPropagation()
  }
  return (
    <form
      class="book-edit"
      onKeyDown={keys}
      onSubmit={(event) => {
        event.preventDefault()
        void save()
      }}
    >
      {hasLimit(order.order_type) && (
        <PriceInput
          label="Price"
          value={edit.limit_price}
          tick={tick}
          inputRef={first}
          onValue={(limit_price) => setEdit({ ...edit, limit_price })}
        />
      )}
      {hasTrigger(order.order_type) && (
        <PriceInput
          label="Trigger"
          value={edit.trigger_price}
          tick={tick}
          onValue={(trigger_price) => setEdit({ ...edit, trigger_price })}
        />
      )}
      <CountInput
        label="Quantity"
        value={edit.quantity}
        step={instrument ? lotOf(instrument) : 1}
        disabled={!mayChangeQuantity(order)}
        hint={order.filled_quantity ? `${order.filled_quantity} of it are filled` : undefined}
        onValue={(quantity) => setEdit({ ...edit, quantity })}
      />
      <Button tone="primary" type="submit" busy={busy} disabled={isEmpty}>
        Save
      </Button>
      <Button onClick={onDone}>Back</Button>
      {refused && (
        <p class="field-error" role="alert">
          {refused}
        </p>
      )}
    </form>
  )
}
