/** Another product for some of a position. */

import { useRef, useState } from 'preact/hooks'

import { api, sentence } from '../../api/rest'
import type { Instrument, PositionBody, TradingAccount } from '../../api/types'
import { CountInput } from '../../trading/CountInput'
import { lotOf } from '../../trading/quantity'
import { newReference } from '../../trading/ticket'
import { PRODUCT_WORDS, said, type Product } from '../../trading/words'
import { Button } from '../../ui/Button'
import { Dialog } from '../../ui/Dialog'
import { Select } from '../../ui/Field'
import { nameOf } from '../../trading/names'

interface ConvertDialogProps {
  account: TradingAccount
  position: PositionBody
  listing: Instrument | undefined
  onClose: () => void
}

export function ConvertDialog({ account, position, listing, onClose }: ConvertDialogProps) {
  const others = productsOf(listing).filter((product) => product !== position.product)
  const held = Math.abs(position.quantity)
  const [product, setProduct] = useState<string>(others[0] ?? '')
  const [quantity, setQuantity] = useState(held)
  const [busy, setBusy] = useState(false)
  const [refused, setRefused] = useState<string | null>(null)
  const reference = useRef(newReference())
  const convert = async () => {
    setBusy(true)
    try {
      await api.post('positions/convert', {
        account: account.id,
        instrument: position.instrument,
        quantity,
        from_product: position.product,
        to_product: product,
        client_reference: reference.current,
      })
      onClose()
    } catch (error) {
      setRefused(sentence(error))
      reference.current = newReference()
      setBusy(false)
    }
  }
  const actions = (
    <>
      <Button onClick={onClose}>Back</Button>
      <Button tone="primary" busy={busy} disabled={quantity <= 0 || quantity > held} onClick={() => void convert()}>
        Convert
      </Button>
    </>
  )
  return (
    <Dialog title={`Convert ${nameOf(listing, position.instrument)}`} onClose={onClose} actions={actions}>
      <p>
        From {said(PRODUCT_WORDS, position.product)}, at the average price. The margin of the other product must be
        there.
      </p>
      <Select
        label="To"
        value={product}
        options={others.map((each) => [each, said(PRODUCT_WORDS, each)] as const)}
        onValue={setProduct}
      />
      <CountInput
        label="Quantity"
        value={quantity}
        step={listing ? lotOf(listing) : 1}
        hint={`At most ${held}`}
        onValue={setQuantity}
      />
      {refused && (
        <p class="field-error" role="alert">
          {refused}
        </p>
      )}
    </Dialog>
  )
}

function productsOf(listing: Instrument | undefined): readonly Product[] {
  const isShare = listing === undefined || listing.instrument_type === 'EQUITY'
  return isShare ? ['CNC', 'INTRADAY', 'MTF'] : ['MARGIN', 'INTRADAY']
}
