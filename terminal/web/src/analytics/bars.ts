/** Candles as the chart keeps them, and the fold of the latest trade into the last of them. Pure. */

import { paise } from '../format/price'

export interface Bar {
  /** Start of its bucket, epoch milliseconds. */
  readonly time: number
  /** Prices in paise, as everywhere. */
  readonly open: number
  readonly high: number
  readonly low: number
  readonly close: number
  readonly volume: number
  readonly openInterest: number
}

export type Interval = '1' | '3' | '5' | '15' | '30' | '60' | 'D'

export const INTERVALS: readonly { id: Interval; title: string; name: string }[] = [
  { id: '1', title: '1m', name: '1 minute' },
  { id: '3', title: '3m', name: '3 minutes' },
  { id: '5', title: '5m', name: '5 minutes' },
  { id: '15', title: '15m', name: '15 minutes' },
  { id: '30', title: '30m', name: '30 minutes' },
  { id: '60', title: '1h', name: '1 hour' },
  { id: 'D', title: 'D', name: '1 day' },
]

/** [epoch ms, open, high, low, close, volume, open interest] as REST carries it, prices in rupees as text. */
export type CandleRow = readonly [number, string, string, string, string, number, number]

const MINUTE = 60_000
const DAY = 24 * 60 * MINUTE
/** India keeps one offset all year. */
export const IST_OFFSET = 330 * MINUTE
const NSE_OPEN = (9 * 60 + 15) * MINUTE
const NINE = 9 * 60 * MINUTE
/** Opens at nine; half-hour and hour buckets start at the session's open. */
const OPENS_AT_NINE = 'MCX_COMM'

export function barsFromRows(rows: readonly CandleRow[]): Bar[] {
  return rows.map(([time, open, high, low, close, volume, openInterest]) => ({
    time,
    open: paise(open) ?? 0,
    high: paise(high) ?? 0,
    low: paise(low) ?? 0,
    close: paise(close) ?? 0,
    volume,
    openInterest,
  }))
}

export function segmentOf(instrument: string): string {
  return instrument.slice(0, instrument.indexOf('.'))
}

/** Midnight in India of the day that holds this moment. */
export function dayStart(moment: number): number {
  return Math.floor((moment + IST_OFFSET) / DAY) * DAY - IST_OFFSET
}

/** The start of the bucket that holds this moment, counted from the session's open. */
export function bucketStart(moment: number, interval: Interval, segment: string): number {
  const midnight = dayStart(moment)
  if (interval === 'D') return midnight
  const open = midnight + (segment === OPENS_AT_NINE ? NINE : NSE_OPEN)
  const width = Number(interval) * MINUTE
  return open + Math.floor((moment - open) / width) * width
}

/** The latest trade as a topic tells it. */
export interface LastTrade {
  readonly price: number
  /** Exchange time, epoch milliseconds. */
  readonly at: number
  /** Of the day. */
  readonly volume: number
  readonly openInterest: number
}

export interface Folded {
  readonly bars: readonly Bar[]
  /** Day volume that the bars already tell of. */
  readonly volumeSeen: number
  /** A bucket ended, or was jumped over: ask the server for what is stored of it. */
  readonly closed: boolean
}

/** The bars with one more trade: into the last bar, or a new one. A trade older than the last bar changes nothing.
 *  A day's volume that went back is that of a new day: what it was before is not known here, and asked of the server. */
export function fold(bars: readonly Bar[], volumeSeen: number, trade: LastTrade, start: number): Folded {
  const last = bars.at(-1)
  const added = Math.max(0, trade.volume - volumeSeen)
  if (trade.price <= 0 || (last && start < last.time)) return { bars, volumeSeen, closed: false }
  if (last && start === last.time) {
    return { bars: [...bars.slice(0, -1), extended(last, trade, added)], volumeSeen: trade.volume, closed: false }
  }
  const { price, openInterest } = trade
  const next = { time: start, open: price, high: price, low: price, close: price, volume: added, openInterest }
  return { bars: [...bars, next], volumeSeen: trade.volume, closed: last !== undefined }
}

function extended(bar: Bar, trade: LastTrade, added: number): Bar {
  return {
    ...bar,
    high: Math.max(bar.high, trade.price),
    low: Math.min(bar.low, trade.price),
    close: trade.price,
    volume: bar.volume + added,
    openInterest: trade.openInterest || bar.openInterest,
  }
}

/** Both, by time; of equal times the fresh one, which the server has from every tick. */
export function mergeBars(old: readonly Bar[], fresh: readonly Bar[]): Bar[] {
  const byTime = new Map<number, Bar>()
  for (const bar of old) byTime.set(bar.time, bar)
  for (const bar of fresh) byTime.set(bar.time, bar)
  return [...byTime.values()].sort((one, other) => one.time - other.time)
}
