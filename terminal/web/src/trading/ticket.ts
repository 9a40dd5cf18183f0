/** An order ticket as a value: what it asks, what is wrong with it, and the request it becomes. Prices in paise. */

import type { Instrument, Side } from '../api/types'
import { paise, rupees } from '../format/price'
import { type Countable, isOnTick, lotOf } from './quantity'
import { type OrderType, type Product, type Validity, hasLimit, hasTrigger } from './words'

export type Kind = 'REGULAR' | 'BRACKET' | 'OCO' | 'FOREVER'

export interface Draft {
  kind: Kind
  side: Side
  product: Product
  order_type: OrderType
  validity: Validity
  quantity: number
  limit_price: number | null
  trigger_price: number | null
  disclosed_quantity: number
  target_price: number | null
  stop_price: number | null
  trailing_jump: number | null
  after_market: boolean
  slice: boolean
}

/** What one part of the day takes: REST's `order-terms`. */
export interface Taken {
  order_types: OrderType[]
  validities: Validity[]
  disclosed: boolean
}

/** `GET /api/v2/order-terms/{instrument}` with its prices in paise. */
export interface Terms {
  phase: string
  now: Taken
  when_open: Taken
  after_market: boolean
  products: Product[]
  least_disclosed_percent: number | null
  freeze_quantity: number | null
  lower_limit: number | null
  upper_limit: number | null
  last_price: number | null
  protected_price: { BUY: number; SELL: number } | null
  next_open: string | null
}

/** As REST answers it, prices as rupee text. */
export interface TermsAnswer {
  phase: string
  now: Taken
  when_open: Taken
  after_market: boolean
  next_open: string | null
  products: Product[]
  least_disclosed_percent: string | null
  freeze_quantity: number | null
  lower_limit: string | null
  upper_limit: string | null
  last_price: string | null
  protected_price: { BUY: string; SELL: string } | null
}

export interface Tradable extends Countable {
  instrument: string
  tick_size: number
}

export type Problems = Partial<Record<keyof Draft, string>>

const NOTHING_TAKEN: Taken = { order_types: [], validities: [], disclosed: false }

export function termsFrom(answer: TermsAnswer): Terms {
  const { lower_limit, upper_limit, last_price, protected_price, least_disclosed_percent: least } = answer
  const known = protected_price && { BUY: paise(protected_price.BUY), SELL: paise(protected_price.SELL) }
  return {
    ...answer,
    lower_limit: lower_limit === null ? null : paise(lower_limit),
    upper_limit: upper_limit === null ? null : paise(upper_limit),
    last_price: last_price === null ? null : paise(last_price),
    least_disclosed_percent: least === null ? null : Number(least),
    protected_price: known && known.BUY !== null && known.SELL !== null ? { BUY: known.BUY, SELL: known.SELL } : null,
  }
}

export function tradable(instrument: Instrument): Tradable {
  const { segment, lot_size, multiplier, tick_size } = instrument
  return { instrument: instrument.instrument, segment, lot_size, multiplier, tick_size: paise(tick_size) || 1 }
}

export function emptyDraft(side: Side, product: Product, quantity: number): Draft {
  return {
    kind: 'REGULAR',
    side,
    product,
    order_type: 'LIMIT',
    validity: 'DAY',
    quantity,
    limit_price: null,
    trigger_price: null,
    disclosed_quantity: 0,
    target_price: null,
    stop_price: null,
    trailing_jump: null,
    after_market: false,
    slice: false,
  }
}

/** What may be chosen now. An order that is sent later is taken as of an open market. */
export function takenFor(draft: Draft, terms: Terms | null): Taken {
  if (terms === null) return NOTHING_TAKEN
  return isSentLater(draft) ? { ...terms.when_open, validities: ['DAY'] } : terms.now
}

/** A draft moved to what is taken: a closed market's order waits for the opening, and nothing impossible is chosen. */
export function fitted(draft: Draft, terms: Terms): Draft {
  const waits = terms.after_market && terms.now.order_types.length === 0 && draft.kind !== 'FOREVER'
  const later = { ...draft, after_market: terms.after_market && (draft.after_market || waits) }
  const taken = takenFor(later, terms)
  return {
    ...later,
    product: oneOf(later.product, terms.products),
    order_type: oneOf(later.order_type, typesFor(later, taken)),
    validity: oneOf(later.validity, taken.validities),
    disclosed_quantity: taken.disclosed && terms.least_disclosed_percent !== null ? later.disclosed_quantity : 0,
  }
}

/** A forever order waits for a price, so it is never a market order. */
export function typesFor(draft: Draft, taken: Taken): OrderType[] {
  return draft.kind === 'FOREVER' ? taken.order_types.filter((type) => type !== 'MARKET') : taken.order_types
}

function oneOf<Word>(word: Word, words: readonly Word[]): Word {
  return words.includes(word) ? word : (words.find((each) => each === 'LIMIT') ?? words[0] ?? word)
}

export function isSentLater(draft: Draft): boolean {
  return draft.after_market || draft.kind === 'FOREVER'
}

/** The fields of a draft that its kind and type use; what is not used is neither checked nor sent. */
export function usesLimit(draft: Draft): boolean {
  return draft.kind !== 'OCO' && hasLimit(draft.order_type)
}

export function usesTrigger(draft: Draft): boolean {
  return draft.kind !== 'OCO' && hasTrigger(draft.order_type)
}

export function usesExits(draft: Draft): boolean {
  return draft.kind === 'BRACKET' || draft.kind === 'OCO'
}

/** The fields that would be refused, each with a sentence. The server has the last word. */
export function problemsOf(draft: Draft, instrument: Tradable, terms: Terms | null): Problems {
  return {
    ...quantityProblems(draft, instrument, terms),
    ...priceProblems(draft, instrument, terms),
    ...exitProblems(draft, instrument),
  }
}

function quantityProblems(draft: Draft, instrument: Tradable, terms: Terms | null): Problems {
  const lot = lotOf(instrument)
  const freeze = terms?.freeze_quantity ?? null
  if (!Number.isInteger(draft.quantity) || draft.quantity <= 0) return { quantity: 'Say how many.' }
  if (draft.quantity % lot !== 0) return { quantity: `Whole lots of ${lot} only.` }
  if (freeze !== null && draft.quantity > freeze && !draft.slice) {
    return { quantity: `The exchange freezes more than ${freeze} in one order: slice it.` }
  }
  return disclosedProblems(draft, lot, terms)
}

function disclosedProblems(draft: Draft, lot: number, terms: Terms | null): Problems {
  const shown = draft.disclosed_quantity
  if (shown === 0) return {}
  const least = terms?.least_disclosed_percent ?? 0
  if (!Number.isInteger(shown) || shown < 0 || shown > draft.quantity || shown % lot !== 0) {
    return { disclosed_quantity: 'Whole lots, not more than the quantity.' }
  }
  if (shown * 100 < draft.quantity * least) return { disclosed_quantity: `At least ${least} % must be disclosed.` }
  return {}
}

function priceProblems(draft: Draft, instrument: Tradable, terms: Terms | null): Problems {
  const problems: Problems = {}
  const limit = usesLimit(draft) ? priceProblem(draft.limit_price, instrument, terms) : null
  const trigger = usesTrigger(draft) ? priceProblem(draft.trigger_price, instrument, terms) : null
  if (limit !== null) problems.limit_price = limit
  if (trigger !== null) problems.trigger_price = trigger
  if (limit === null && trigger === null && isOnWrongSide(draft)) {
    problems.limit_price = `The limit of a stop ${draft.side} may not be ${draft.side === 'BUY' ? 'below' : 'above'} its trigger.`
  }
  return problems
}

function isOnWrongSide(draft: Draft): boolean {
  if (draft.order_type !== 'STOP_LOSS' || draft.limit_price === null || draft.trigger_price === null) return false
  return signOf(draft.side) * (draft.limit_price - draft.trigger_price) < 0
}

function priceProblem(price: number | null, instrument: Tradable, terms: Terms | null): string | null {
  if (price === null || price <= 0) return 'Give a price.'
  if (!isOnTick(price, instrument.tick_size)) return `Steps of ${rupees(instrument.tick_size)} only.`
  const low = terms?.lower_limit ?? null
  const high = terms?.upper_limit ?? null
  if (low !== null && price < low) return `Today's band begins at ${rupees(low)}.`
  if (high !== null && price > high) return `Today's band ends at ${rupees(high)}.`
  return null
}

/** Exits lie on both sides of the entry; those of a pair close, so their side is the other way round. */
function exitProblems(draft: Draft, instrument: Tradable): Problems {
  if (!usesExits(draft)) return {}
  const problems: Problems = {}
  const entry = draft.kind === 'BRACKET' && usesLimit(draft) ? draft.limit_price : null
  const sign = draft.kind === 'OCO' ? -signOf(draft.side) : signOf(draft.side)
  const target = exitProblem(draft.target_price, entry, sign, instrument, 'The target lies on the profitable side.')
  const stop = exitProblem(draft.stop_price, entry, -sign, instrument, 'The stop lies on the losing side.')
  const isPair = draft.kind === 'OCO'
  if (target !== null) problems.target_price = target
  else if (draft.target_price === null && isPair) problems.target_price = 'Give a price.'
  else if (draft.target_price === null && draft.stop_price === null)
    problems.target_price = 'Give a target, a stop or both.'
  if (stop !== null) problems.stop_price = stop
  else if (draft.stop_price === null && isPair) problems.stop_price = 'Give a price.'
  else if (draft.stop_price === null && draft.trailing_jump) problems.trailing_jump = 'Trailing needs a stop.'
  return problems
}

function exitProblem(
  price: number | null,
  entry: number | null,
  sign: number,
  instrument: Tradable,
  wrongSide: string,
): string | null {
  if (price === null) return null
  if (!isOnTick(price, instrument.tick_size)) return `Steps of ${rupees(instrument.tick_size)} only.`
  return entry !== null && sign * (price - entry) <= 0 ? wrongSide : null
}

function signOf(side: Side): 1 | -1 {
  return side === 'BUY' ? 1 : -1
}

/** The body of `POST /api/v2/orders`: only what this kind of order uses. */
export function placeBody(
  draft: Draft,
  instrument: Tradable,
  account: number,
  clientReference: string,
): Record<string, unknown> {
  return {
    account,
    instrument: instrument.instrument,
    client_reference: clientReference,
    side: draft.side,
    product: draft.product,
    quantity: draft.quantity,
    order_type: draft.kind === 'OCO' ? 'LIMIT' : draft.order_type,
    validity: draft.kind === 'REGULAR' && !draft.after_market ? draft.validity : 'DAY',
    ...(usesLimit(draft) && rupeesField('limit_price', draft.limit_price)),
    ...(usesTrigger(draft) && rupeesField('trigger_price', draft.trigger_price)),
    ...(usesExits(draft) && exitFields(draft)),
    ...(draft.kind === 'OCO' && { oco: true }),
    ...(draft.kind === 'FOREVER' && { forever: true }),
    ...(draft.kind === 'REGULAR' && draft.disclosed_quantity > 0 && { disclosed_quantity: draft.disclosed_quantity }),
    ...(draft.after_market && { after_market: true }),
    ...(draft.slice && { slice: true }),
  }
}

function exitFields(draft: Draft): Record<string, string> {
  return {
    ...rupeesField('target_price', draft.target_price),
    ...rupeesField('stop_price', draft.stop_price),
    ...(draft.trailing_jump ? rupeesField('trailing_jump', draft.trailing_jump) : {}),
  }
}

function rupeesField(name: string, paise: number | null): Record<string, string> {
  return paise === null ? {} : { [name]: rupees(paise) }
}

/** An order as margin and charges are asked for it: at its limit, its trigger, or the price that protects it. */
export function plannedBody(draft: Draft, instrument: Tradable, terms: Terms | null): Record<string, unknown> {
  const price = plannedPrice(draft, terms)
  return {
    instrument: instrument.instrument,
    side: draft.side,
    product: draft.product,
    quantity: draft.quantity,
    ...(price !== null && { price: rupees(price) }),
  }
}

/** Null: a market order of which nothing protects yet. */
export function plannedPrice(draft: Draft, terms: Terms | null): number | null {
  if (draft.kind === 'OCO') return draft.target_price
  if (usesLimit(draft)) return draft.limit_price
  if (usesTrigger(draft)) return draft.trigger_price
  return terms?.protected_price?.[draft.side] ?? null
}

/** A name for one ticket's order: sent again, it is the same order. */
export function newReference(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(12))
  return `t-${Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('')}`
}
