/** The user's watchlists on the server: which there are, and changing them. */

import { signal } from '@preact/signals'

import { api } from '../../api/rest'
import type { InstrumentKey, Page, Watchlist } from '../../api/types'
import type { Closes } from './rows'
import { paise } from '../../format/price'

export interface Change {
  watchlist: number
  items: InstrumentKey[]
  subscriptions: number
  references: number
  not_today: InstrumentKey[]
}

/** undefined: not asked yet. */
export const lists = signal<readonly Watchlist[] | undefined>(undefined)

const AT_ONCE = 200
/** Instruments that one question for closes may name. */

export async function loadLists(): Promise<void> {
  const page = await api.get<Page<Watchlist>>('watchlists?page_size=200')
  lists.value = page.results
}

export async function createList(name: string): Promise<Watchlist> {
  const made = await api.post<Watchlist>('watchlists', { name })
  await loadLists()
  return made
}

export async function renameList(id: number, name: string): Promise<void> {
  await api.patch(`watchlists/${id}`, { name })
  await loadLists()
}

export async function moveList(id: number, position: number): Promise<void> {
  await api.patch(`watchlists/${id}`, { position })
  await loadLists()
}

export async function deleteList(id: number): Promise<void> {
  await api.delete(`watchlists/${id}`)
  await loadLists()
}

export function addTo(id: number, instrument: InstrumentKey): Promise<Change> {
  return api.post<Change>('watchlist/add', { watchlist: id, instruments: [instrument] })
}

export function removeFrom(id: number, instrument: InstrumentKey): Promise<Change> {
  return api.post<Change>('watchlist/remove', { watchlist: id, instruments: [instrument] })
}

export async function orderItems(id: number, items: readonly number[]): Promise<void> {
  await api.patch(`watchlists/${id}`, { items })
}

/** The day's closes of each, in paise, oldest first. */
export async function closesOf(instruments: readonly InstrumentKey[]): Promise<Closes> {
  const wanted = instruments.slice(0, AT_ONCE).join()
  const told = await api.get<Record<InstrumentKey, string[]>>(`sparklines?instruments=${encodeURIComponent(wanted)}`)
  return new Map(Object.entries(told).map(([key, closes]) => [key, closes.map((close) => paise(close) ?? 0)]))
}
