/** What the palette can do: open each panel, and the actions of the bar. */

import { preferences, prefer, signOut } from '../state/session'
import { confirm } from '../ui/Confirm'
import { resetLayout } from './layout'
import { allPanels, openPanel } from './panels'

export interface Command {
  name: string
  icon: string
  run: () => void
}

export function allCommands(): Command[] {
  const panels = allPanels().map(({ id, title, icon }) => ({ name: title, icon, run: () => openPanel(id) }))
  return [...panels, ...actions()]
}

function actions(): Command[] {
  const other = preferences.value.theme === 'dark' ? 'light' : 'dark'
  return [
    { name: `Use the ${other} theme`, icon: other === 'dark' ? 'moon' : 'sun', run: () => void prefer({ theme: other }) },
    { name: 'Arrange the panels as at first', icon: 'panels', run: () => void askToReset() },
    { name: 'Sign out', icon: 'user', run: () => void askToSignOut() },
  ]
}

export async function askToReset(): Promise<void> {
  const yes = await confirm({
    title: 'Arrange the panels as at first?',
    text: 'Panels that you moved or opened go back to where they began. Watchlists and orders stay as they are.',
    action: 'Arrange',
  })
  if (yes) resetLayout()
}

export async function askToSignOut(): Promise<void> {
  const yes = await confirm({ title: 'Sign out?', text: 'Orders and alerts go on without you.', action: 'Sign out' })
  if (yes) await signOut()
}
