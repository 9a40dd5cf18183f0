/** The last price of an instrument of the account's books, drawn alone so that a tick redraws no table. */

import type { InstrumentKey } from '../api/types'
import { price } from '../format/price'
import { age } from '../format/time'
import { currentAccount } from '../state/accounts'
import { isStale, quoteOf, type Quote } from '../state/quote'
import { serverNow, topicSignal } from '../state/store'

/** A row of the current account's topic; undefined: it shows no such instrument. */
export function accountQuote(instrument: InstrumentKey): Quote | undefined {
  const account = currentAccount.value
  return account === null ? undefined : quoteOf(topicSignal(`account.${account.id}`).value, instrument)
}

/** What profit is counted at: the last trade, else the previous close; null: neither is known. */
export function markOf(quote: Quote | undefined): number | null {
  return quote?.last_price || quote?.previous_close || null
}

export function LastPrice({ instrument }: { instrument: InstrumentKey }) {
  return <QuotedPrice quote={accountQuote(instrument)} />
}

export function QuotedPrice({ quote }: { quote: Quote | undefined }) {
  const old = quote === undefined || isStale(quote)
  return (
    <span class={old ? 'stale' : undefined} title={old ? ageText(quote) : undefined}>
      {price(markOf(quote))}
    </span>
  )
}

function ageText(quote: Quote | undefined): string {
  return quote?.received_at ? `${age(serverNow() - quote.received_at)} old` : 'No price has come yet'
}
