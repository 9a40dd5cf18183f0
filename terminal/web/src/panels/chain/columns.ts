/** The columns a chain can show of one contract: where each figure comes from and how it reads. Pure. */

import { BUILD_UPS, IV_REASONS } from '../../analytics/chain'
import { percent, price, short, signed, UNKNOWN } from '../../format/price'

export type Cell = number | string | null
/** A column of the topic's row by name; 0 is "not known". */
export type Quote = (name: string) => number
/** A column of the analytics' row by name. */
export type Figures = (name: string) => Cell

export interface Column {
  readonly id: string
  readonly title: string
  readonly name: string
  /** Pixels it needs at least. */
  readonly width: number
  readonly value: (quote: Quote, figures: Figures) => Cell
  readonly text: (value: Cell) => string
  readonly className?: string
  /** What a click on it opens a ticket for: hitting the bid sells. */
  readonly trade?: 'BUY' | 'SELL'
  /** Of the group that stands beside the strike in the same order on both sides. */
  readonly quote?: boolean
  /** Coloured by its sign. */
  readonly signed?: boolean
  /** Drawn as a bar behind the figure. */
  readonly bar?: boolean
  readonly hint?: (value: Cell) => string
}

export const STRIKE_WIDTH = 68

const PRICE = 60
const FIGURE = 46
const COUNT = 62

/** From the outer edge to the strike, as the calls show them. */
export const COLUMNS: readonly Column[] = [
  {
    id: 'build_up', title: 'Build', name: 'Build-up', width: 36, className: 'build-up',
    value: (_, figures) => figures('build_up'),
    text: (value) => (typeof value === 'string' ? (BUILD_UPS[value]?.short ?? '') : ''),
    hint: (value) => (typeof value === 'string' ? (BUILD_UPS[value]?.title ?? '') : ''),
  },
  figure('vega', 'Vega', 'Vega, rupees a point of volatility', 2),
  figure('theta', 'Theta', 'Theta, rupees a day', 2),
  figure('gamma', 'Gamma', 'Gamma, for a rupee of the future', 4),
  {
    id: 'volume', title: 'Volume', name: 'Volume today', width: COUNT,
    value: (quote) => quote('volume'), text: count,
  },
  {
    id: 'oi_change', title: 'OI chg', name: 'Change of open interest since the previous close', width: COUNT, signed: true,
    value: (_, figures) => figures('oi_change'), text: signedCount,
  },
  {
    id: 'open_interest', title: 'OI', name: 'Open interest', width: 70, bar: true, className: 'interest',
    value: (quote) => quote('open_interest'), text: count,
  },
  figure('delta', 'Delta', 'Delta, for a rupee of the future', 2),
  {
    id: 'iv', title: 'IV', name: 'Implied volatility, % a year', width: FIGURE,
    value: (_, figures) => figures('iv') ?? figures('iv_reason'),
    text: (value) => (typeof value === 'number' ? value.toFixed(1) : UNKNOWN),
    hint: (value) => (typeof value === 'string' ? (IV_REASONS[value] ?? value) : ''),
  },
  {
    id: 'change', title: 'Chg', name: 'Change since the previous close', width: PRICE, signed: true,
    value: changePaise, text: (value) => (typeof value === 'number' ? signed(value) : UNKNOWN),
  },
  {
    id: 'change_percent', title: 'Chg %', name: 'Change since the previous close, %', width: 62, signed: true,
    value: changePercent, text: (value) => (typeof value === 'number' ? percent(value, 1) : UNKNOWN),
  },
  {
    id: 'last_price', title: 'LTP', name: 'Last price', width: PRICE, className: 'last',
    value: (quote) => quote('last_price'), text: priceText,
  },
  {
    id: 'bid_quantity', title: 'Bid qty', name: 'Quantity at the best bid', width: 62, quote: true,
    value: (quote) => quote('bid_quantity'), text: count,
  },
  {
    id: 'bid', title: 'Bid', name: 'Best bid: a click sells', width: PRICE, trade: 'SELL', quote: true, className: 'bid',
    value: (quote) => quote('bid_price'), text: priceText,
  },
  {
    id: 'ask', title: 'Ask', name: 'Best ask: a click buys', width: PRICE, trade: 'BUY', quote: true, className: 'ask',
    value: (quote) => quote('ask_price'), text: priceText,
  },
  {
    id: 'ask_quantity', title: 'Ask qty', name: 'Quantity at the best ask', width: 62, quote: true,
    value: (quote) => quote('ask_quantity'), text: count,
  },
] // prettier-ignore

export const DEFAULT_COLUMNS: readonly string[] = [
  'build_up', 'oi_change', 'open_interest', 'delta', 'iv', 'change_percent', 'last_price', 'bid', 'ask',
] // prettier-ignore

/** What a narrow panel keeps longest, first. */
const RANKS: readonly string[] = [
  'last_price',
  'bid',
  'ask',
  'open_interest',
  'iv',
  'change_percent',
  'oi_change',
  'delta',
  'build_up',
  'change',
  'volume',
]

/** Those of the columns that fit into this width on both sides of the strike, the more telling ones first. */
export function fittingColumns(columns: readonly Column[], width: number): Column[] {
  const ranked = [...columns].sort((one, other) => rankOf(one) - rankOf(other))
  let room = (width - STRIKE_WIDTH) / 2
  const kept = new Set(ranked.filter((column, place) => (room -= column.width) >= 0 || place === 0))
  return columns.filter((column) => kept.has(column))
}

function rankOf(column: Column): number {
  const place = RANKS.indexOf(column.id)
  return place < 0 ? RANKS.length : place
}

/** Those chosen, in the order they are shown; what is kept of a choice that no longer exists is passed over. */
export function chosenColumns(ids: readonly string[]): Column[] {
  const wanted = new Set(ids)
  return COLUMNS.filter((column) => wanted.has(column.id))
}

/** Puts are read from the strike outwards, but a bid stays left of its ask. */
export function mirrored(columns: readonly Column[]): Column[] {
  const quotes = columns.filter((column) => column.quote)
  return [...quotes, ...columns.filter((column) => !column.quote).reverse()]
}

function figure(id: string, title: string, name: string, digits: number): Column {
  const text = (value: Cell): string => (typeof value === 'number' ? value.toFixed(digits) : UNKNOWN)
  return { id, title, name, width: FIGURE, value: (_, figures) => figures(id), text }
}

function changePaise(quote: Quote): Cell {
  const [last, close] = [quote('last_price'), quote('previous_close')]
  return last > 0 && close > 0 ? last - close : null
}

function changePercent(quote: Quote): Cell {
  const change = changePaise(quote)
  return typeof change === 'number' ? (change / quote('previous_close')) * 100 : null
}

function priceText(value: Cell): string {
  return typeof value === 'number' ? price(value) : UNKNOWN
}

function count(value: Cell): string {
  return typeof value === 'number' && value > 0 ? short(value) : UNKNOWN
}

function signedCount(value: Cell): string {
  if (typeof value !== 'number') return UNKNOWN
  return value > 0 ? `+${short(value)}` : value < 0 ? `−${short(-value)}` : '0'
}
