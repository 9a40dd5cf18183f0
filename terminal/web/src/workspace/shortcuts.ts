/** Keys that work anywhere but where one types: B, S, Esc, /, ?, and Ctrl K everywhere. */

import { paletteOpen } from '../state/palette'
import { selectedInstrument } from '../state/selection'
import { closeTicket, openPanel, openTicket } from './panels'

export interface Shortcut {
  keys: string
  what: string
}

export const SHORTCUTS: readonly Shortcut[] = [
  { keys: 'B', what: 'Buy the selected instrument' },
  { keys: 'S', what: 'Sell the selected instrument' },
  { keys: 'Esc', what: 'Close the ticket' },
  { keys: '/', what: 'Search an instrument' },
  { keys: 'C', what: 'Chart' },
  { keys: 'O', what: 'Option chain' },
  { keys: 'P', what: 'Positions' },
  { keys: 'Ctrl K', what: 'All commands' },
]

const PANELS: Record<string, string> = { c: 'chart', o: 'chain', p: 'positions' }

export function listenToKeys(): () => void {
  document.addEventListener('keydown', onKey)
  return () => document.removeEventListener('keydown', onKey)
}

function onKey(event: KeyboardEvent): void {
  const key = event.key.toLowerCase()
  if (key === 'k' && (event.ctrlKey || event.metaKey)) {
    event.preventDefault()
    paletteOpen.value = !paletteOpen.value
    return
  }
  if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey || isTyping(event.target)) return
  if (act(key)) event.preventDefault()
}

/** Whether the key was one of ours. */
function act(key: string): boolean {
  if (key === 'b' || key === 's') return trade(key === 'b' ? 'BUY' : 'SELL')
  if (key === 'escape') closeTicket()
  else if (key === '/') document.getElementById('search')?.focus()
  else if (key === '?') paletteOpen.value = true
  else if (PANELS[key]) openPanel(PANELS[key])
  else return false
  return true
}

function trade(side: 'BUY' | 'SELL'): boolean {
  const instrument = selectedInstrument.value
  if (instrument) openTicket({ instrument, side })
  return instrument !== null
}

function isTyping(target: EventTarget | null): boolean {
  if (!(target instanceof HTMLElement)) return false
  return target.isContentEditable || target.closest('input, textarea, select, dialog') !== null
}
