/** What has options, and which of them an instrument belongs to. */

import { api } from '../../api/rest'
import type { Instrument, Page } from '../../api/types'

export interface Underlying {
  readonly segment: string
  readonly underlying: string
  /** OPTIDX, OPTSTK, OPTFUT (of a commodity), OPTCUR. */
  readonly instrument_type: string
  readonly lot_size: number
}

const PAGE_SIZE = 200
/** The order in which they are offered: what most trade first. */
const KINDS: readonly (readonly [type: string, title: string])[] = [
  ['OPTIDX', 'Indices'],
  ['OPTFUT', 'Commodities'],
  ['OPTCUR', 'Currencies'],
  ['OPTSTK', 'Stocks'],
]

let asked: Promise<Underlying[]> | null = null

/** Asked once for all chains of the page; what is listed changes between days only. */
export function loadUnderlyings(): Promise<Underlying[]> {
  asked ??= loadPages()
  asked.catch(() => (asked = null))
  return asked
}

async function loadPages(): Promise<Underlying[]> {
  const page = (number: number): Promise<Page<Underlying>> =>
    api.get<Page<Underlying>>(`underlyings?page=${number}&page_size=${PAGE_SIZE}`)
  const first = await page(1)
  const more = Math.ceil(first.count / PAGE_SIZE) - 1
  const rest = await Promise.all(Array.from({ length: Math.max(0, more) }, (_, place) => page(place + 2)))
  return [first, ...rest].flatMap((each) => each.results)
}

export interface Group {
  readonly title: string
  readonly members: readonly Underlying[]
}

export function grouped(known: readonly Underlying[]): Group[] {
  const groups = KINDS.map(([type, title]) => ({
    title,
    members: known.filter((each) => each.instrument_type === type),
  }))
  return groups.filter((group) => group.members.length > 0)
}

export function nameOf({ segment, underlying }: Underlying): string {
  return `${segment}.${underlying}`
}

/** The chain to show for an instrument: its own exchange's first, for CRUDEOIL and RELIANCE live on two. */
export function underlyingOf(instrument: Instrument, known: readonly Underlying[]): Underlying | undefined {
  const names = [instrument.underlying_symbol, instrument.symbol]
  const fitting = known.filter(({ underlying }) => names.includes(underlying))
  const exchange = instrument.segment.split('_', 1)[0] as string
  return (
    fitting.find(({ segment }) => segment === instrument.segment) ??
    fitting.find(({ segment }) => segment.startsWith(exchange)) ??
    fitting[0]
  )
}
