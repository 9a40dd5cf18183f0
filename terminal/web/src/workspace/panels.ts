/** The registry of panels, and opening one from anywhere. The dock that shows them registers itself here. */

import type { ComponentType } from 'preact'

import type { InstrumentKey, Json } from '../api/types'
import { ticketRequest, type TicketRequest } from '../state/selection'

/** Kept with the layout. `instrument` set means pinned: the panel then does not follow the selection. */
export interface PanelParams {
  readonly instrument?: InstrumentKey | undefined
  readonly [name: string]: Json | undefined
}

export interface PanelProps {
  readonly params: PanelParams
  /** Change the params; they are saved with the layout. */
  readonly setParams: (change: PanelParams) => void
  readonly setTitle: (title: string) => void
  readonly close: () => void
}

export interface PanelDefinition {
  readonly id: string
  readonly title: string
  /** Of src/ui/Icon. */
  readonly icon: string
  readonly component: ComponentType<PanelProps>
  readonly defaults?: PanelParams
}

export interface Dock {
  open(definition: PanelDefinition, params: PanelParams): void
}

const definitions = new Map<string, PanelDefinition>()
let dock: Dock | null = null

export function registerPanel(definition: PanelDefinition): void {
  definitions.set(definition.id, definition)
}

export function panelDefinition(id: string): PanelDefinition | undefined {
  return definitions.get(id)
}

export function allPanels(): PanelDefinition[] {
  return [...definitions.values()]
}

export function setDock(shown: Dock | null): void {
  dock = shown
}

/** Show a panel, made if it is not there. With an instrument of its own it is another panel than the one that follows. */
export function openPanel(id: string, params: PanelParams = {}): void {
  const definition = definitions.get(id)
  if (definition) dock?.open(definition, { ...definition.defaults, ...params })
}

export function openTicket(request: TicketRequest): void {
  ticketRequest.value = { ...request }
  openPanel('ticket')
}

export function closeTicket(): void {
  ticketRequest.value = null
}
