/** PURE: which facts a trader should hear of, and in what words. */

import type { Fact, OrderBody, RefusalBody, TradeBody } from '../api/types'
import { price } from '../format/price'
import { quantity } from '../format/quantity'
import { labelOf } from '../trading/names'
import { condition, levelText, type FiringBody } from './alerts'

export type Tone = 'info' | 'good' | 'warn' | 'bad'

export interface Notice {
  tone: Tone
  title: string
  text: string
  /** Pressing it selects this. */
  instrument?: string | undefined
}

const VERBS: Record<string, string> = { BUY: 'Bought', SELL: 'Sold' }
const ENDED: Record<string, string> = { CANCELLED: 'Order cancelled', EXPIRED: 'Order expired', REJECTED: 'Order rejected' }

/** Null: a fact that changes the books without a word. `symbol` names an instrument. */
export function noticeOf([, kind, body]: Fact, symbol: (key: string) => string): Notice | null {
  switch (kind) {
    case 'TRADE':
      return traded(body as unknown as TradeBody, symbol)
    case 'REFUSAL':
      return refused(body as unknown as RefusalBody, symbol)
    case 'ORDER':
      return ended(body as unknown as OrderBody, symbol)
    case 'ALERT_FIRED':
      return alertFired(body as unknown as FiringBody)
    case 'ALERT':
      return 'code' in body ? warned(body) : null // of an account; a user's own alert that changed has no code
    case 'NOTICE':
      return { tone: 'warn', title: 'Notice', text: words(body, 'message') || words(body, 'code') }
    default:
      return null
  }
}

function traded(trade: TradeBody, symbol: (key: string) => string): Notice {
  const verb = VERBS[trade.side] ?? trade.side
  const text = `${quantity(trade.quantity)} ${symbol(trade.instrument)} at ${price(trade.price)}`
  return { tone: 'good', title: verb, text, instrument: trade.instrument }
}

function refused(refusal: RefusalBody, symbol: (key: string) => string): Notice {
  const title = `Refused: ${symbol(refusal.instrument)}`
  return { tone: 'bad', title, text: refusal.message || refusal.code, instrument: refusal.instrument }
}

/** A rejection has its REFUSAL already when it was refused at the door; one by the venue has only this. */
function ended(order: OrderBody, symbol: (key: string) => string): Notice | null {
  const title = ENDED[order.status]
  if (!title || (order.status === 'REJECTED' && !order.filled_quantity && order.sequence <= 1)) return null
  const tone: Tone = order.status === 'REJECTED' ? 'bad' : 'info'
  const why = order.reason ? `: ${order.reason}` : ''
  return { tone, title, text: `${symbol(order.instrument)}${why}`, instrument: order.instrument }
}

function alertFired(firing: FiringBody): Notice {
  const note = firing.note ? ` · ${firing.note}` : ''
  const text = `${condition(firing)}; reached ${levelText(firing.column, firing.reached)}${note}`
  return { tone: 'warn', title: `Alert: ${labelOf(firing)}`, text, instrument: firing.instrument }
}

const WARNINGS: Record<string, string> = {
  DEFICIT: 'The account owes money: its losses are larger than its cash.',
  DEFICIT_CLEARED: 'The account owes no money any more.',
  DAILY_LOSS_WARNING: 'The day’s loss comes near the limit.',
  DAILY_LOSS: 'The day’s loss reached the limit: new positions are refused.',
}

function warned(body: Readonly<Record<string, unknown>>): Notice {
  const code = words(body, 'code')
  const text = words(body, 'message') || WARNINGS[code] || code.toLowerCase().replaceAll('_', ' ')
  return { tone: 'bad', title: 'Account', text }
}

function words(body: Readonly<Record<string, unknown>>, name: string): string {
  const value = body[name]
  return typeof value === 'string' ? value : ''
}
