/** One order on its way: Enter places it, B and S turn it, Esc closes it. */

import { useEffect, useRef, useState } from 'preact/hooks'

import type { Instrument } from '../../api/types'
import { money, price } from '../../format/price'
import { quantity } from '../../format/quantity'
import { currentAccount, useAccount } from '../../state/accounts'
import { notify } from '../../state/notifications'
import { isStale, type Quote } from '../../state/quote'
import type { TicketRequest } from '../../state/selection'
import { preferences } from '../../state/session'
import { useQuote } from '../../state/store'
import { lotOf, lotsOf, valueOf } from '../../trading/quantity'
import {
  emptyDraft,
  fitted,
  plannedBody,
  plannedPrice,
  problemsOf,
  tradable,
  usesLimit,
  usesTrigger,
  type Draft,
  type Terms,
} from '../../trading/ticket'
import { ORDER_TYPE_WORDS, PRODUCT_WORDS, SIDE_WORDS, type OrderType, type Product } from '../../trading/words'
import { Button } from '../../ui/Button'
import { confirm } from '../../ui/Confirm'
import { closeTicket } from '../../workspace/panels'
import { nameOf } from '../../trading/names'
import { useEstimate } from './estimate'
import { EstimateNote } from './EstimateNote'
import { Fields } from './Fields'
import { Heading } from './Heading'
import { useSending } from './sending'

interface TicketProps {
  request: TicketRequest
  listing: Instrument
  terms: Terms
}

/** What was chosen last for contracts and for shares: the next ticket begins with it. */
const lastProduct: Record<'CONTRACT' | 'SHARE', Product> = { CONTRACT: 'MARGIN', SHARE: 'CNC' }

export function Ticket({ request, listing, terms }: TicketProps) {
  const instrument = tradable(listing)
  const account = currentAccount.value
  const funds = useAccount()?.funds
  const quote = useQuote(listing.instrument)
  const [draft, change, form] = useDraft(request, listing, terms, quote)
  const sending = useSending()
  const problems = problemsOf(draft, instrument, terms)
  const isWhole = Object.keys(problems).length === 0
  const bindsMargin = draft.kind !== 'OCO'
  const planned = isWhole ? plannedBody(draft, instrument, terms) : null
  const estimate = useEstimate(account?.id ?? 0, planned, bindsMargin)
  const at = isWhole ? plannedPrice(draft, terms) : null
  const place = async (asks: boolean) => {
    if (!isWhole || sending.busy || account === null) return
    const text = `${describe(draft, listing)}. Margin ${money(estimate.margin?.total)}, charges ${money(estimate.charges?.total)}.`
    if (asks && !(await confirm({ title: 'Place this order?', text, action: SIDE_WORDS[draft.side] }))) return
    const taken = await sending.send(draft, instrument, account.id)
    if (taken === null) return
    lastProduct[kindOf(listing)] = draft.product
    notify({ tone: 'info', title: taken, text: describe(draft, listing), instrument: listing.instrument })
    closeTicket()
  }
  const keys = (event: KeyboardEvent) => {
    const side = sideOfKey(event)
    if (event.key === 'Escape') closeTicket()
    else if (event.key === 'Enter' && event.ctrlKey) void place(false)
    else if (side) change({ side })
    else return
    event.preventDefault()
    event.stopPropagation()
  }
  return (
    <form
      ref={form}
      class={`ticket ticket-${draft.side.toLowerCase()}`}
      aria-label={`${SIDE_WORDS[draft.side]} ${nameOf(listing, listing.instrument)}`}
      onKeyDown={keys}
      onSubmit={(event) => {
        event.preventDefault()
        void place(preferences.value.confirmOrders)
      }}
    >
      <Heading listing={listing} quote={quote} side={draft.side} onSide={(side) => change({ side })} />
      <div class="ticket-fields">
        <Fields draft={draft} listing={listing} terms={terms} quote={quote} problems={problems} onChange={change} />
      </div>
      <EstimateNote
        estimate={estimate}
        value={at === null ? null : valueOf(draft.quantity, at, instrument)}
        available={funds && funds.available - funds.floor}
        bindsMargin={bindsMargin}
      />
      {sending.refusal && (
        <div class="ticket-refusal" role="alert">
          <p>{sending.refusal.text}</p>
          {sending.refusal.code && <code>{sending.refusal.code}</code>}
        </div>
      )}
      <div class="ticket-actions">
        <Button tone={draft.side === 'BUY' ? 'buy' : 'sell'} type="submit" busy={sending.busy} disabled={!isWhole}>
          {SIDE_WORDS[draft.side]} {quantityText(draft, listing)}
        </Button>
        <Button onClick={closeTicket}>Close</Button>
      </div>
    </form>
  )
}

/** The draft, changing it, and the form whose first field has the focus when it opens. */
function useDraft(request: TicketRequest, listing: Instrument, terms: Terms, quote: Quote | undefined) {
  const [draft, setDraft] = useState<Draft>(() => fitted(firstDraft(request, listing), terms))
  const form = useRef<HTMLFormElement>(null)
  const priced = useRef(request.price !== undefined)
  const change = (changes: Partial<Draft>) => {
    if ('limit_price' in changes) priced.current = true
    setDraft((before) => fitted({ ...before, ...changes }, terms))
  }
  useEffect(() => setDraft((before) => fitted(before, terms)), [terms])
  useEffect(() => form.current?.querySelector<HTMLInputElement>('[data-first] input')?.select(), [])
  useEffect(() => {
    const best = draft.side === 'BUY' ? quote?.ask_price : quote?.bid_price
    const first = best || quote?.last_price || terms.last_price
    if (priced.current || !first) return
    priced.current = Boolean(best) && quote !== undefined && !isStale(quote)
    setDraft((before) => ({ ...before, limit_price: first }))
  }, [quote, terms])
  return [draft, change, form] as const
}

function firstDraft(request: TicketRequest, listing: Instrument): Draft {
  const product = (request.product as Product | undefined) ?? lastProduct[kindOf(listing)]
  const type = request.order_type as OrderType | undefined
  return {
    ...emptyDraft(request.side, product, request.quantity ?? lotOf(tradable(listing))),
    ...(type !== undefined && { order_type: type }),
    ...(request.price !== undefined && { limit_price: request.price }),
  }
}

function kindOf(listing: Instrument): 'CONTRACT' | 'SHARE' {
  return listing.expiry === null ? 'SHARE' : 'CONTRACT'
}

/** Letters mean nothing in a field of figures, so there B and S turn the ticket too. */
function sideOfKey(event: KeyboardEvent): 'BUY' | 'SELL' | null {
  if (event.ctrlKey || event.metaKey || event.altKey) return null
  return ({ b: 'BUY', s: 'SELL' } as const)[event.key.toLowerCase()] ?? null
}

function quantityText(draft: Draft, listing: Instrument): string {
  const lots = lotsOf(draft.quantity, tradable(listing))
  const isContract = kindOf(listing) === 'CONTRACT'
  const inLots = isContract && lots !== null ? ` (${lots} ${lots === 1 ? 'lot' : 'lots'})` : ''
  return `${quantity(draft.quantity)}${inLots}`
}

function describe(draft: Draft, listing: Instrument): string {
  const parts = [
    `${SIDE_WORDS[draft.side]} ${quantityText(draft, listing)} ${nameOf(listing, listing.instrument)}`,
    draft.kind === 'OCO' ? 'pair of exits' : ORDER_TYPE_WORDS[draft.order_type].toLowerCase(),
    usesLimit(draft) && `at ${price(draft.limit_price)}`,
    usesTrigger(draft) && `trigger ${price(draft.trigger_price)}`,
    PRODUCT_WORDS[draft.product].toLowerCase(),
    draft.after_market && 'after market',
  ]
  return parts.filter(Boolean).join(', ')
}
