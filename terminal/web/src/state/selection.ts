/** The instrument that all panels follow unless pinned, and the ticket that any of them may open. */

import { signal } from '@preact/signals'

import { api } from '../api/rest'
import type { Instrument, InstrumentKey, Side } from '../api/types'

export interface TicketRequest {
  instrument: InstrumentKey
  side: Side
  price?: number
  /** Paise. */
  product?: string
  order_type?: string
  quantity?: number
}

export const selectedInstrument = signal<InstrumentKey | null>(null)
/** What the ticket panel shows; null: nothing to place. A new object for each opening. */
export const ticketRequest = signal<TicketRequest | null>(null)

const known = new Map<InstrumentKey, Promise<Instrument>>()

export function select(instrument: InstrumentKey): void {
  selectedInstrument.value = instrument
}

/** An instrument's listing, asked for once. */
export function instrument(key: InstrumentKey): Promise<Instrument> {
  const found = known.get(key) ?? api.get<Instrument>(`instruments/${encodeURIComponent(key)}`)
  known.set(key, found)
  found.catch(() => known.delete(key))
  return found
}

export function remember(those: readonly Instrument[]): void {
  for (const each of those) known.set(each.instrument, Promise.resolve(each))
}
