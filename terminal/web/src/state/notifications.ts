/** What the user is told: a toast for a moment, and the list behind the bell. Each fact is told once, whatever came between. */

import { signal } from '@preact/signals'

import { api } from '../api/rest'
import type { Fact } from '../api/types'
import { nameOf } from '../trading/names'
import { noticeOf, type Notice } from './notices'
import { instrument } from './selection'
import { listen, serverNow } from './store'
import type { TopicEvent } from './topics'

export interface Told extends Notice {
  id: number
  at: number
}

const KEPT = 200
const TOAST_MILLISECONDS = 7_000
const TOASTS = 4
const AT_ONCE = 20
/** After a longer absence that many of the latest facts are told, not all of a day. */

export const notifications = signal<readonly Told[]>([])
export const toasts = signal<readonly Told[]>([])
export const unread = signal(0)

const heard = new Map<string, number>()
let lastId = 0

listen('account', follow)
listen('user', follow)

export function notify(notice: Notice): void {
  const told: Told = { ...notice, id: ++lastId, at: serverNow() }
  notifications.value = [told, ...notifications.value].slice(0, KEPT)
  toasts.value = [...toasts.value, told].slice(-TOASTS)
  unread.value += 1
  setTimeout(() => dismiss(told.id), TOAST_MILLISECONDS)
}

export function dismiss(id: number): void {
  toasts.value = toasts.value.filter((each) => each.id !== id)
}

export function readAll(): void {
  unread.value = 0
}

/** The first snapshot says where the past ends; from there on each fact counts once. */
function follow(event: TopicEvent): void {
  const name = event.type === 'snapshot' ? event.topic.name : event.name
  const last = heard.get(name)
  if (event.type === 'snapshot') {
    const offset = event.topic.offset ?? 0
    if (last === undefined) heard.set(name, offset)
    else if (offset > last) void catchUp(name, last)
  } else if (last !== undefined && event.from > last) {
    void catchUp(name, last)
  } else {
    hear(name, event.facts)
  }
}

function hear(name: string, facts: readonly Fact[]): void {
  const last = heard.get(name) ?? 0
  const fresh = facts.filter((fact) => fact[0] > last)
  const newest = fresh.at(-1)
  if (!newest) return
  heard.set(name, newest[0])
  for (const fact of fresh.slice(-AT_ONCE)) void tell(fact)
}

async function tell(fact: Fact): Promise<void> {
  const key = fact[2]['instrument']
  const symbol = typeof key === 'string' ? await symbolOf(key) : ''
  const notice = noticeOf(fact, () => symbol)
  if (notice) notify(notice)
}

async function symbolOf(key: string): Promise<string> {
  try {
    return nameOf(await instrument(key), key)
  } catch {
    return key
  }
}

/** What happened while the connection was away. Only accounts can be asked; the user's own list shows its alerts. */
async function catchUp(name: string, after: number): Promise<void> {
  if (!name.startsWith('account.')) return
  try {
    const id = name.slice('account.'.length)
    const answer = await api.get<{ facts: { offset: number; kind: string; body: Record<string, unknown> }[] }>(
      `accounts/${id}/facts?after=${after}`,
    )
    hear(
      name,
      answer.facts.map((each): Fact => [each.offset, each.kind, each.body]),
    )
  } catch {
    // The server is away: the next fact shows the hole again.
  }
}
