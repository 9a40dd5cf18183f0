/** The columns of the positions. */

import type { Instrument, InstrumentKey, PositionBody } from '../../api/types'
import { price } from '../../format/price'
import { lots, quantity } from '../../format/quantity'
import type { Quote } from '../../state/quote'
import { select } from '../../state/selection'
import type { Column } from '../../trading/BookTable'
import { QuotedPrice } from '../../trading/LastPrice'
import { Gain, InstrumentName } from '../../trading/pieces'
import type { Profit } from '../../trading/positions'
import { lotOf } from '../../trading/quantity'
import { PRODUCT_WORDS, said } from '../../trading/words'
import { Button } from '../../ui/Button'
import { openTicket } from '../../workspace/panels'
import { nameOf } from '../../trading/names'

/** A position beside its price and what it made. */
export interface Marked {
  position: PositionBody
  quote: Quote | undefined
  profit: Profit | null
}

export interface Asking {
  exit: (position: PositionBody) => void
  convert: (position: PositionBody) => void
}

export function columnsOf(
  listings: ReadonlyMap<InstrumentKey, Instrument>,
  mayTrade: boolean,
  asking: Asking,
): Column<Marked>[] {
  const symbol = ({ position }: Marked) => nameOf(listings.get(position.instrument), position.instrument)
  return [
    {
      id: 'instrument',
      title: 'Instrument',
      cell: (row) => <InstrumentName name={symbol(row)} onChoose={() => select(row.position.instrument)} />,
      sort: symbol,
    },
    {
      id: 'quantity',
      title: 'Quantity',
      figure: true,
      cell: ({ position }) => <Held position={position} listing={listings.get(position.instrument)} />,
      sort: ({ position }) => position.quantity,
    },
    {
      id: 'average',
      title: 'Average',
      figure: true,
      cell: ({ position }) => price(position.average_price),
      sort: ({ position }) => position.average_price,
    },
    { id: 'last', title: 'LTP', figure: true, cell: ({ quote }) => <QuotedPrice quote={quote} /> },
    gainColumn('unrealised', 'P&L', 'Against the average price of what is open'),
    gainColumn('day', 'Day', "Today's: what was carried counts from yesterday's close"),
    {
      id: 'product',
      title: 'Product',
      cell: ({ position }) => said(PRODUCT_WORDS, position.product),
      sort: ({ position }) => position.product,
    },
    gainColumn('realised', 'Realised', 'Of today, before charges'),
    {
      id: 'actions',
      title: '',
      cell: (row) => <Actions row={row} symbol={symbol(row)} mayTrade={mayTrade} asking={asking} />,
    },
  ]
}

function gainColumn(id: keyof Profit, title: string, hint: string): Column<Marked> {
  return {
    id,
    title,
    hint,
    figure: true,
    cell: ({ profit }) => <Gain paise={profit && profit[id]} />,
    sort: ({ profit }) => profit && profit[id],
  }
}

function Held({ position, listing }: { position: PositionBody; listing: Instrument | undefined }) {
  const tone = position.quantity > 0 ? 'up' : position.quantity < 0 ? 'down' : 'flat'
  const inLots = listing && lotOf(listing) > 1 ? lots(position.quantity, lotOf(listing)) : undefined
  return (
    <span class={tone} title={inLots}>
      {quantity(position.quantity)}
    </span>
  )
}

interface ActionsProps {
  row: Marked
  symbol: string
  mayTrade: boolean
  asking: Asking
}

function Actions({ row: { position }, symbol, mayTrade, asking }: ActionsProps) {
  if (position.quantity === 0) return null
  const more = () =>
    openTicket({
      instrument: position.instrument,
      side: position.quantity > 0 ? 'BUY' : 'SELL',
      product: position.product,
    })
  return (
    <span class="book-actions">
      <Button small tone="quiet" aria-label={`Exit ${symbol}`} onClick={() => asking.exit(position)}>
        Exit
      </Button>
      {mayTrade && (
        <>
          <Button small tone="quiet" aria-label={`Add to ${symbol}`} onClick={more}>
            Add
          </Button>
          <Button small tone="quiet" aria-label={`Convert ${symbol}`} onClick={() => asking.convert(position)}>
            Convert
          </Button>
        </>
      )}
    </span>
  )
}
