/** PURE: a watchlist's topic as rows of its grid; a row that did not change stays the same object. */

import type { InstrumentKey, Row } from '../../api/types'
import { STALE } from '../../state/quote'
import type { TopicState } from '../../state/topics'

export interface Item {
  id: number
  symbol: string
  name: string
  instrument_only: boolean
  live: boolean
  not_live: string | null
}

export interface WatchRow {
  readonly instrument: InstrumentKey
  readonly item: Item
  readonly lastPrice: number
  readonly change: number | null
  readonly percent: number | null
  readonly volume: number
  readonly openInterest: number
  readonly openInterestChange: number | null
  readonly receivedAt: number
  readonly stale: boolean
  /** Of the last move of the price. */
  readonly moved: 'up' | 'down' | null
  readonly closes: readonly number[]
  /** What it was made of, to know whether it is still true. */
  readonly source: Row
}

export type Closes = ReadonlyMap<InstrumentKey, readonly number[]>

const NO_CLOSES: readonly number[] = []

export function itemsOf(topic: TopicState): readonly Item[] {
  return (topic.details['items'] ?? []) as readonly Item[]
}

export function watchRows(topic: TopicState, closes: Closes, before: readonly WatchRow[]): readonly WatchRow[] {
  const known = new Map(before.map((row) => [row.instrument, row]))
  const places = columnPlaces(topic)
  const items = itemsOf(topic)
  return topic.instruments.flatMap((instrument, place) => {
    const [item, source] = [items[place], topic.rows[place]]
    if (!item || !source) return []
    const line = closes.get(instrument) ?? NO_CLOSES
    const old = known.get(instrument)
    const isSame = old && old.source === source && old.closes === line && old.item === item
    return [isSame ? old : watchRow(instrument, item, source, line, places, old)]
  })
}

type Places = Record<'last' | 'close' | 'volume' | 'interest' | 'before' | 'received' | 'flags', number>

function columnPlaces(topic: TopicState): Places {
  const place = (column: string) => topic.columns.indexOf(column)
  return {
    last: place('last_price'),
    close: place('previous_close'),
    volume: place('volume'),
    interest: place('open_interest'),
    before: place('previous_open_interest'),
    received: place('received_at'),
    flags: place('flags'),
  }
}

function watchRow(
  instrument: InstrumentKey,
  item: Item,
  source: Row,
  closes: readonly number[],
  places: Places,
  old: WatchRow | undefined,
): WatchRow {
  const at = (name: keyof Places) => source[places[name]] ?? 0
  const [last, close, interest, before] = [at('last'), at('close'), at('interest'), at('before')]
  const change = last && close ? last - close : null
  return {
    instrument,
    item,
    lastPrice: last,
    change,
    percent: change === null ? null : (change / close) * 100,
    volume: at('volume'),
    openInterest: interest,
    openInterestChange: interest && before ? interest - before : null,
    receivedAt: at('received'),
    stale: (at('flags') & STALE) !== 0,
    moved: direction(old, last),
    closes,
    source,
  }
}

function direction(old: WatchRow | undefined, last: number): 'up' | 'down' | null {
  if (!old || !old.lastPrice || last === old.lastPrice) return old?.moved ?? null
  return last > old.lastPrice ? 'up' : 'down'
}

/** Item ids after one was moved by so many places; the same array when it cannot go there. */
export function movedIds(ids: readonly number[], id: number, by: number): readonly number[] {
  const from = ids.indexOf(id)
  const to = from + by
  if (from < 0 || to < 0 || to >= ids.length) return ids
  const moved = ids.filter((each) => each !== id)
  moved.splice(to, 0, id)
  return moved
}
