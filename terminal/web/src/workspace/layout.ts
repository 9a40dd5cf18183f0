/** Which panel stands where: the first arrangement, where a new panel goes, and keeping it on the server. */

import type { DockviewApi, SerializedDockview } from 'dockview'

import { sentence } from '../api/rest'
import type { Json } from '../api/types'
import { notify } from '../state/notifications'
import { layout, saveLayout } from '../state/session'
import { panelDefinition, type PanelDefinition, type PanelParams } from './panels'

const SAVE_MILLISECONDS = 1_500
/** A drag of a border changes the layout many times; the last one is kept. */
const NARROW = 1_100
const SIDE_PIXELS = 346
const TICKET_PIXELS = 330
const BOOKS_PIXELS = 260

type Zone = 'side' | 'centre' | 'right' | 'books'

const ZONES: Record<string, Zone> = {
  watchlist: 'side',
  movers: 'side',
  chart: 'centre',
  chain: 'centre',
  strategy: 'centre',
  settings: 'centre',
  statement: 'centre',
  ticket: 'right',
  depth: 'right',
  alerts: 'books',
  orders: 'books',
  trades: 'books',
  positions: 'books',
  holdings: 'books',
  funds: 'books',
}
const DIRECTIONS = { side: 'left', centre: 'right', right: 'right', books: 'below' } as const

let shown: DockviewApi | null = null

/** Fill the dock with the kept layout, or the first one; from then on keep what changes. */
export function restore(dock: DockviewApi, width: number): () => void {
  shown = dock
  if (!restored(dock)) arrange(dock, width)
  let timer: ReturnType<typeof setTimeout> | undefined
  const listening = dock.onDidLayoutChange(() => {
    clearTimeout(timer)
    timer = setTimeout(() => void keep(dock), SAVE_MILLISECONDS)
  })
  return () => {
    clearTimeout(timer)
    listening.dispose()
    shown = null
  }
}

export function resetLayout(): void {
  if (!shown) return
  shown.clear()
  arrange(shown, shown.width)
}

/** Show a panel: the one that is there, else a new one beside its like. */
export function open(dock: DockviewApi, definition: PanelDefinition, params: PanelParams): void {
  const id = params.instrument === undefined ? definition.id : `${definition.id}:${params.instrument}`
  const there = dock.getPanel(id)
  if (there) {
    if (Object.keys(params).length) there.api.updateParameters(params)
    there.api.setActive()
    return
  }
  const options = { id, component: definition.id, title: definition.title, params: { ...params } }
  const like = dock.panels.find((each) => zone(each.id) === zone(id))
  if (like) dock.addPanel({ ...options, position: { referencePanel: like.id, direction: 'within' } })
  else dock.addPanel({ ...options, position: { direction: DIRECTIONS[zone(id)] }, ...sizes(zone(id)) })
}

function zone(id: string): Zone {
  return ZONES[id.split(':', 1)[0] ?? ''] ?? 'centre'
}

function sizes(where: Zone): { initialWidth?: number; initialHeight?: number } {
  if (where === 'books') return { initialHeight: BOOKS_PIXELS }
  return where === 'centre' ? {} : { initialWidth: where === 'side' ? SIDE_PIXELS : TICKET_PIXELS }
}

/** False: nothing is kept, or it cannot be used any more. */
function restored(dock: DockviewApi): boolean {
  const kept = layout.value.layout['panels']
  if (!kept) return false
  try {
    dock.fromJSON(kept as unknown as SerializedDockview)
  } catch {
    dock.clear()
    return false
  }
  return dock.panels.length > 0
}

/** Watchlists left, chart and chain in the middle with the books below, the ticket over the depth right. */
function arrange(dock: DockviewApi, width: number): void {
  const narrow = width > 0 && width < NARROW
  add(dock, 'chart')
  add(dock, 'chain', { referencePanel: 'chart', direction: 'within' }, { inactive: true })
  if (narrow) add(dock, 'watchlist', { referencePanel: 'chart', direction: 'within' }, { inactive: true })
  else add(dock, 'watchlist', { referencePanel: 'chart', direction: 'left' }, { initialWidth: SIDE_PIXELS })
  add(dock, 'movers', { referencePanel: 'watchlist', direction: 'within' }, { inactive: true })
  add(dock, 'ticket', { referencePanel: 'chart', direction: 'right' }, { initialWidth: TICKET_PIXELS })
  add(dock, 'positions', { referencePanel: 'chart', direction: 'below' }, { initialHeight: BOOKS_PIXELS })
  for (const id of ['orders', 'trades', 'holdings', 'funds', 'alerts']) {
    add(dock, id, { referencePanel: 'positions', direction: 'within' }, { inactive: true })
  }
  if (narrow) add(dock, 'depth', { referencePanel: 'ticket', direction: 'within' }, { inactive: true })
  else add(dock, 'depth', { referencePanel: 'ticket', direction: 'below' }, { initialHeight: BOOKS_PIXELS })
}

interface Place {
  referencePanel: string
  direction: 'left' | 'right' | 'above' | 'below' | 'within'
}

function add(dock: DockviewApi, id: string, position?: Place, more: object = {}): void {
  const definition = panelDefinition(id)
  if (!definition) return
  const params = { ...definition.defaults }
  dock.addPanel({ id, component: id, title: definition.title, params, ...(position ? { position } : {}), ...more })
}

async function keep(dock: DockviewApi): Promise<void> {
  try {
    await saveLayout('panels', dock.toJSON() as unknown as Json)
  } catch (error) {
    notify({ tone: 'warn', title: 'The layout was not saved', text: sentence(error) })
  }
}
