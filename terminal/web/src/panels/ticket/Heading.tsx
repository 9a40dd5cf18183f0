/** What is traded, at what it stands, and on which side. */

import type { Instrument, Side } from '../../api/types'
import { percent, price, tone } from '../../format/price'
import { changePercent, type Quote } from '../../state/quote'
import { Choice } from '../../trading/Choice'
import { QuotedPrice } from '../../trading/LastPrice'
import { SIDE_WORDS } from '../../trading/words'
import { nameOf } from '../../trading/names'

interface HeadingProps {
  listing: Instrument
  quote: Quote | undefined
  side: Side
  onSide: (side: Side) => void
}

export function Heading({ listing, quote, side, onSide }: HeadingProps) {
  const change = quote ? changePercent(quote) : null
  return (
    <header class="ticket-head">
      <div>
        <h2>{nameOf(listing, listing.instrument)}</h2>
        <p class="ticket-quote">
          <b>
            <QuotedPrice quote={quote} />
          </b>
          <span class={tone(change)}>{percent(change)}</span>
          <span class="book-dim">
            bid {price(quote?.bid_price)} · ask {price(quote?.ask_price)}
          </span>
        </p>
      </div>
      <Choice
        label="Side"
        class="choice-side"
        value={side}
        options={[
          ['BUY', SIDE_WORDS.BUY],
          ['SELL', SIDE_WORDS.SELL],
        ]}
        onValue={onSide}
      />
    </header>
  )
}
