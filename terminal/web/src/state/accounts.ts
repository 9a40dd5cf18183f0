/** The trading accounts this user sees, the one in use, and its state kept whole across gaps. */

import { signal, type Signal } from '@preact/signals'
import { useEffect } from 'preact/hooks'

import { api } from '../api/rest'
import type { Fact, Page, TradingAccount } from '../api/types'
import { foldFacts, fromSnapshot, type AccountState, type PnlValue } from './account'
import { listen, subscribe, topicSignal } from './store'
import type { TopicEvent } from './topics'

export const accounts = signal<readonly TradingAccount[]>([])
export const currentAccount = signal<TradingAccount | null>(null)

interface FactsAnswer {
  facts: { offset: number; kind: string; body: Record<string, unknown> }[]
  more: boolean
}

const states = new Map<number, Signal<AccountState | undefined>>()
const filling = new Set<number>()

listen('account', follow)

export async function loadAccounts(): Promise<void> {
  const page = await api.get<Page<TradingAccount>>('accounts?page_size=200')
  accounts.value = page.results
  const before = currentAccount.value
  currentAccount.value =
    page.results.find((each) => each.id === before?.id) ??
    page.results.find((each) => each.can_trade) ??
    page.results[0] ??
    null
}

export function accountSignal(id: number): Signal<AccountState | undefined> {
  const found = states.get(id) ?? signal<AccountState | undefined>(undefined)
  states.set(id, found)
  return found
}

/** The current account's books, live; undefined until they are there, and when the user has no account. */
export function useAccount(): AccountState | undefined {
  const id = currentAccount.value?.id
  useEffect(() => (id === undefined ? undefined : subscribe(`account.${id}`)), [id])
  return id === undefined ? undefined : accountSignal(id).value
}

/** The current account's profit as the server last marked it; undefined before the first. */
export function usePnl(): PnlValue | undefined {
  const id = currentAccount.value?.id
  useEffect(() => (id === undefined ? undefined : subscribe(`account.${id}`)), [id])
  return id === undefined ? undefined : (topicSignal(`account.${id}`).value?.values['PNL'] as PnlValue | undefined)
}

function follow(event: TopicEvent): void {
  const id = Number((event.type === 'snapshot' ? event.topic.name : event.name).split('.')[1])
  const state = accountSignal(id)
  if (event.type === 'snapshot') {
    state.value = fromSnapshot(id, event.topic.details, event.topic.offset ?? 0)
  } else if (state.value && event.from > state.value.offset) {
    void fill(id)
  } else if (state.value) {
    state.value = foldFacts(state.value, event.facts)
  }
}

/** Facts between are missing: the REST API has them all. */
async function fill(id: number): Promise<void> {
  if (filling.has(id)) return
  filling.add(id)
  try {
    await fillFrom(id)
  } finally {
    filling.delete(id)
  }
}

async function fillFrom(id: number): Promise<void> {
  const state = accountSignal(id)
  for (let more = true; more && state.value; ) {
    const answer = await api.get<FactsAnswer>(`accounts/${id}/facts?after=${state.value.offset}`)
    const facts = answer.facts.map((each): Fact => [each.offset, each.kind, each.body])
    state.value = foldFacts(state.value, facts)
    more = answer.more
  }
}
