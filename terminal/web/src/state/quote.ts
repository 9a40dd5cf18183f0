/** PURE: one row of a topic by name, with what every list shows of it. Prices in paise, times in epoch milliseconds. */

import type { InstrumentKey, Row } from '../api/types'
import type { TopicState } from './topics'

export const STALE = 1
export const GAP = 2
export const NOT_BELIEVED = 4
export const NO_TRADE_YET = 8
export const FROM_BEFORE = 16

export interface Quote {
  instrument: InstrumentKey
  last_price: number
  last_traded_at: number
  volume: number
  open_interest: number
  bid_price: number
  ask_price: number
  bid_quantity: number
  ask_quantity: number
  average_price: number
  day_open: number
  day_high: number
  day_low: number
  previous_close: number
  previous_open_interest: number
  received_at: number
  flags: number
}

export interface DepthLevel {
  bid_price: number
  ask_price: number
  bid_quantity: number
  ask_quantity: number
  bid_orders: number
  ask_orders: number
}

const DEPTH_LEVELS = [1, 2, 3, 4, 5] as const
const LEVEL_FIELDS = ['bid_price', 'ask_price', 'bid_quantity', 'ask_quantity', 'bid_orders', 'ask_orders'] as const

/** One column of a row; 0, which is "not known", when the topic does not carry it. */
export function value(topic: TopicState, row: Row, column: string): number {
  return row[topic.columns.indexOf(column)] ?? 0
}

export function quoteAt(topic: TopicState, place: number): Quote | undefined {
  const row = topic.rows[place]
  const instrument = topic.instruments[place]
  if (!row || instrument === undefined) return undefined
  const named = Object.fromEntries(topic.columns.map((column, index) => [column, row[index] ?? 0]))
  return { instrument, ...(named as Omit<Quote, 'instrument'>) }
}

export function quoteOf(topic: TopicState | undefined, instrument: InstrumentKey): Quote | undefined {
  return topic && quoteAt(topic, topic.instruments.indexOf(instrument))
}

/** The five levels of an `instrument.*` topic, best first. */
export function depthOf(topic: TopicState): DepthLevel[] {
  const row = topic.rows[0]
  if (!row || !topic.columns.includes('bid_price_1')) return []
  return DEPTH_LEVELS.map((level) => {
    const fields = LEVEL_FIELDS.map((field) => [field, value(topic, row, `${field}_${level}`)])
    return Object.fromEntries(fields) as unknown as DepthLevel
  })
}

/** Points since the previous close, in paise; null while one of both is not known. */
export function change(quote: Quote): number | null {
  return quote.last_price && quote.previous_close ? quote.last_price - quote.previous_close : null
}

export function changePercent(quote: Quote): number | null {
  const points = change(quote)
  return points === null ? null : (points / quote.previous_close) * 100
}

export function isStale(quote: Quote): boolean {
  return (quote.flags & STALE) !== 0
}
