/** What has options, and which of them an instrument belongs to. */

import { api } from '../../api/rest'
import type { Instrument, Page } from '../../api/types'

export interface Underlying {
  readonly segment: string
  readonly underlying: string
  readonly lot_size: number
}

/** Two exchanges list some two hundred each; more pages than this would be a wrong answer. */
const PAGES = 10

export async function loadUnderlyings(): Promise<Underlying[]> {
  const found: Underlying[] = []
  for (let number = 1; number <= PAGES; number += 1) {
    const page = await api.get<Page<Underlying>>(`underlyings?page=${number}&page_size=200`)
    found.push(...page.results)
    if (!page.next) break
  }
  return found
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
