/** The fields of a ticket: only those that its kind and type use. */

import type { Instrument } from '../../api/types'
import { price } from '../../format/price'
import { day, minute } from '../../format/time'
import type { Quote } from '../../state/quote'
import { Choice } from '../../trading/Choice'
import { CountInput } from '../../trading/CountInput'
import { PriceInput } from '../../trading/PriceInput'
import { lotOf, lotsOf, quantityOfLots, tradesInLots } from '../../trading/quantity'
import {
  takenFor,
  tradable,
  typesFor,
  usesExits,
  usesLimit,
  usesTrigger,
  type Draft,
  type Kind,
  type Problems,
  type Terms,
} from '../../trading/ticket'
import { ORDER_TYPE_WORDS, PRODUCT_WORDS, VALIDITY_WORDS } from '../../trading/words'
import { Check } from '../../ui/Field'

export interface FieldsProps {
  draft: Draft
  listing: Instrument
  terms: Terms
  quote: Quote | undefined
  problems: Problems
  onChange: (changes: Partial<Draft>) => void
}

const KINDS: readonly (readonly [Kind, string])[] = [
  ['REGULAR', 'Regular'],
  ['BRACKET', 'Bracket'],
  ['OCO', 'Exit pair'],
  ['FOREVER', 'Forever'],
]

export function Fields(props: FieldsProps) {
  const { draft, terms, onChange } = props
  const taken = takenFor(draft, terms)
  return (
    <>
      <Choice label="Kind of order" value={draft.kind} options={KINDS} onValue={(kind) => onChange({ kind })} />
      <Choice
        label="Product"
        value={draft.product}
        options={terms.products.map((product) => [product, PRODUCT_WORDS[product]] as const)}
        onValue={(product) => onChange({ product })}
      />
      <Phase {...props} />
      <Quantity {...props} />
      {draft.kind !== 'OCO' && (
        <Choice
          label="Order type"
          value={draft.order_type}
          options={typesFor(draft, taken).map((type) => [type, ORDER_TYPE_WORDS[type]] as const)}
          onValue={(order_type) => onChange({ order_type })}
        />
      )}
      <Prices {...props} />
      {usesExits(draft) && <Exits {...props} />}
      <More {...props} />
    </>
  )
}

/** A market that takes nothing now says what becomes of the order. */
function Phase({ draft, terms }: FieldsProps) {
  const opens = terms.next_open ? `${day(terms.next_open)} ${minute(terms.next_open)}` : 'the next opening'
  if (draft.after_market) return <p class="ticket-note">The order waits here until {opens}.</p>
  if (draft.kind === 'FOREVER')
    return <p class="ticket-note">It waits for its price across days, until you cancel it.</p>
  if (terms.now.order_types.length) return null
  const phase = terms.phase.replaceAll('_', ' ').toLowerCase()
  return <p class="ticket-note ticket-note-bad">No new orders are taken in this part of the day ({phase}).</p>
}

function Quantity({ draft, listing, terms, problems, onChange }: FieldsProps) {
  const instrument = tradable(listing)
  const lot = lotOf(instrument)
  const freeze = terms.freeze_quantity === null ? '' : `, freeze above ${terms.freeze_quantity}`
  if (!tradesInLots(instrument) || lot === 1) {
    return (
      <div class="ticket-row" data-first>
        <CountInput
          label={instrument.segment === 'MCX_COMM' ? 'Lots' : 'Quantity'}
          value={draft.quantity}
          least={1}
          error={problems.quantity}
          hint={instrument.multiplier > 1 ? `A lot is ${instrument.multiplier} units${freeze}` : undefined}
          onValue={(quantity) => onChange({ quantity })}
        />
      </div>
    )
  }
  return (
    <div class="ticket-row" data-first>
      <CountInput
        label="Lots"
        value={lotsOf(draft.quantity, instrument) ?? 0}
        least={1}
        hint={`Of ${lot}${freeze}`}
        onValue={(lots) => onChange({ quantity: quantityOfLots(lots, instrument) })}
      />
      <CountInput
        label="Units"
        value={draft.quantity}
        step={lot}
        least={lot}
        error={problems.quantity}
        onValue={(quantity) => onChange({ quantity })}
      />
    </div>
  )
}

function Prices({ draft, listing, terms, quote, problems, onChange }: FieldsProps) {
  const tick = tradable(listing).tick_size
  const from = quote?.last_price ?? terms.last_price
  return (
    <>
      <div class="ticket-row">
        {usesTrigger(draft) && (
          <PriceInput
            label="Trigger"
            value={draft.trigger_price}
            tick={tick}
            from={from}
            error={problems.trigger_price}
            onValue={(trigger_price) => onChange({ trigger_price })}
          />
        )}
        {usesLimit(draft) && (
          <PriceInput
            label="Price"
            value={draft.limit_price}
            tick={tick}
            from={from}
            hint={`Steps of ${price(tick)}`}
            error={problems.limit_price}
            onValue={(limit_price) => onChange({ limit_price })}
          />
        )}
      </div>
      {draft.kind !== 'OCO' && !usesLimit(draft) && <Protection draft={draft} terms={terms} />}
    </>
  )
}

/** A market order is a limit order at its protection: it never fills worse. */
function Protection({ draft, terms }: { draft: Draft; terms: Terms }) {
  const worst = terms.protected_price?.[draft.side]
  const side = draft.side === 'BUY' ? 'above' : 'below'
  if (draft.order_type === 'STOP_LOSS_MARKET') {
    return <p class="ticket-note">Once triggered it is protected: a few per cent {side} that price it stops filling.</p>
  }
  if (worst === undefined)
    return <p class="ticket-note ticket-note-bad">There is no last price to protect a market order.</p>
  return <p class="ticket-note">Protected: it fills at {price(worst)} at worst; what does not fill rests there.</p>
}

function Exits({ draft, listing, quote, problems, onChange }: FieldsProps) {
  const tick = tradable(listing).tick_size
  const from = draft.limit_price ?? quote?.last_price ?? null
  return (
    <fieldset class="ticket-exits">
      <legend>{draft.kind === 'OCO' ? 'Exits: one fills, the other ends' : 'Exits, once it has filled'}</legend>
      <div class="ticket-row">
        <PriceInput
          label="Target"
          value={draft.target_price}
          tick={tick}
          from={from}
          error={problems.target_price}
          onValue={(target_price) => onChange({ target_price })}
        />
        <PriceInput
          label="Stop"
          value={draft.stop_price}
          tick={tick}
          from={from}
          error={problems.stop_price}
          onValue={(stop_price) => onChange({ stop_price })}
        />
        <PriceInput
          label="Trail by"
          value={draft.trailing_jump}
          tick={tick}
          from={tick}
          hint="Empty: it stays"
          error={problems.trailing_jump}
          onValue={(trailing_jump) => onChange({ trailing_jump })}
        />
      </div>
    </fieldset>
  )
}

function More({ draft, listing, terms, problems, onChange }: FieldsProps) {
  const taken = takenFor(draft, terms)
  const instrument = tradable(listing)
  const mayHide = draft.kind === 'REGULAR' && taken.disclosed && terms.least_disclosed_percent !== null
  return (
    <div class="ticket-more">
      {draft.kind === 'REGULAR' && taken.validities.length > 1 && (
        <Choice
          label="Validity"
          value={draft.validity}
          options={taken.validities.map((validity) => [validity, VALIDITY_WORDS[validity]] as const)}
          onValue={(validity) => onChange({ validity })}
        />
      )}
      {mayHide && (
        <CountInput
          label="Disclosed"
          value={draft.disclosed_quantity}
          step={lotOf(instrument)}
          hint="0: all of it is seen"
          error={problems.disclosed_quantity}
          onValue={(disclosed_quantity) => onChange({ disclosed_quantity })}
        />
      )}
      {terms.after_market && draft.kind !== 'FOREVER' && (
        <Check
          label="After market"
          checked={draft.after_market}
          disabled={terms.now.order_types.length === 0}
          onValue={(after_market) => onChange({ after_market })}
        />
      )}
      {terms.freeze_quantity !== null && draft.quantity > terms.freeze_quantity && (
        <Check label="Slice above the freeze" checked={draft.slice} onValue={(slice) => onChange({ slice })} />
      )}
    </div>
  )
}
