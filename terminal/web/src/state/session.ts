/** Who is signed in, how the page looks to them, and their layout on the server. */

import { signal } from '@preact/signals'

import { api, ApiError } from '../api/rest'
import type { Json, Layout, User } from '../api/types'

export type Theme = 'dark' | 'light'
export type Density = 'compact' | 'comfortable'

export interface Preferences {
  theme: Theme
  density: Density
  /** Ask before an order goes. */
  confirmOrders: boolean
}

export const DEFAULT_PREFERENCES: Preferences = { theme: 'dark', density: 'compact', confirmOrders: true }

/** undefined: not asked yet; null: nobody. */
export const user = signal<User | null | undefined>(undefined)
export const preferences = signal<Preferences>(DEFAULT_PREFERENCES)
export const layout = signal<Layout>({ version: 0, layout: {} })

export async function loadSession(): Promise<void> {
  try {
    user.value = await api.get<User>('session')
  } catch (error) {
    if (!(error instanceof ApiError && (error.status === 401 || error.status === 403))) throw error
    user.value = null
  }
}

export async function signIn(username: string, password: string, code: string): Promise<void> {
  user.value = await api.post<User>('session', code ? { username, password, code } : { username, password })
}

export async function signOut(): Promise<void> {
  await api.delete('session')
  user.value = null
}

export async function loadLayout(): Promise<void> {
  layout.value = await api.get<Layout>('layout')
  preferences.value = { ...DEFAULT_PREFERENCES, ...(layout.value.layout['preferences'] as object | undefined) }
}

let saving: Promise<void> = Promise.resolve()

/** Keep one part of the layout; one save after the other, since each needs the version of the one before. */
export function saveLayout(name: string, value: Json): Promise<void> {
  const mine = saving.then(() => savePart(name, value))
  saving = mine.catch(() => undefined)
  return mine
}

/** Another window may have written meanwhile: then its version is taken, and this part of it is ours. */
async function savePart(name: string, value: Json): Promise<void> {
  layout.value = { ...layout.value, layout: { ...layout.value.layout, [name]: value } }
  try {
    await put()
  } catch (error) {
    if (!(error instanceof ApiError && error.status === 409)) throw error
    const theirs = await api.get<Layout>('layout')
    layout.value = { version: theirs.version, layout: { ...theirs.layout, [name]: value } }
    await put()
  }
}

async function put(): Promise<void> {
  const saved = await api.put<Layout>('layout', layout.value)
  layout.value = { ...layout.value, version: saved.version }
}

export async function prefer(change: Partial<Preferences>): Promise<void> {
  preferences.value = { ...preferences.value, ...change }
  await saveLayout('preferences', { ...preferences.value })
}
