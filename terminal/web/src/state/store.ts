/** Signals over the reducer: components read topics, the socket feeds them, one redraw a display frame. */

import { batch, signal, type Signal } from '@preact/signals'
import { useEffect } from 'preact/hooks'

import { MarketSocket, type ConnectionState } from '../api/socket'
import type { FeedPart, InstrumentKey, Message } from '../api/types'
import { quoteAt, type Quote } from './quote'
import { EMPTY_MARKET, forget, lost, reduce, type Market, type TopicEvent, type TopicState } from './topics'

const LINGER_MILLISECONDS = 2_000
/** A topic is left only after this, so that a panel that is drawn anew does not leave and join. */
const HIDDEN_MILLISECONDS = 500
/** A hidden page has no display frames; its title and lists are still kept up. */

export type TopicListener = (event: TopicEvent) => void

export const connection = signal<ConnectionState>('ENDED')
/** Since when there is a connection, or none: epoch milliseconds of this machine. */
export const connectionSince = signal(Date.now())
export const feeds = signal<readonly FeedPart[]>([])
/** Add this to this machine's clock to have the server's. */
export const serverOffset = signal(0)
/** Topics with something missing between what is shown and now. */
export const gaps = signal<readonly string[]>([])

let market: Market = EMPTY_MARKET
const signals = new Map<string, Signal<TopicState | undefined>>()
const refusals = new Map<string, Signal<string | undefined>>()
const users = new Map<string, number>()
const listeners = new Map<string, Set<TopicListener>>()
let scheduled = false

const socket = new MarketSocket(websocketUrl(), {
  message: receive,
  lost: () => apply(lost(market)),
  state: (state) => {
    // Trying again is no news: what counts is since when there is a connection, or none.
    if ((state === 'LIVE') !== (connection.value === 'LIVE')) connectionSince.value = Date.now()
    connection.value = state
  },
})

export function connect(): void {
  socket.start()
}

export function disconnect(): void {
  socket.stop()
}

export function hurry(): void {
  socket.hurry()
}

/** What is known of a topic, for reading inside a component or an effect. Joining it is `subscribe` or `useTopic`. */
export function topicSignal(name: string): Signal<TopicState | undefined> {
  return existing(signals, name, () => market.topics.get(name))
}

/** Why the server will not give a topic: NOT_FOUND, TOO_MANY_TOPICS, TOPIC_GONE. */
export function refusalSignal(name: string): Signal<string | undefined> {
  return existing(refusals, name, () => market.refused.get(name))
}

/** Join a topic; call what is returned to leave it. */
export function subscribe(name: string): () => void {
  const before = users.get(name) ?? 0
  users.set(name, before + 1)
  if (before === 0 && !market.topics.has(name)) socket.join([name])
  let released = false
  return () => {
    if (released) return
    released = true
    users.set(name, (users.get(name) ?? 1) - 1)
    setTimeout(() => leaveIfUnused(name), LINGER_MILLISECONDS)
  }
}

/** The topic while the component is shown; undefined until its first snapshot, and for no name. */
export function useTopic(name: string | null | undefined): TopicState | undefined {
  useEffect(() => (name ? subscribe(name) : undefined), [name])
  return name ? topicSignal(name).value : undefined
}

/** One instrument's row with depth, kept live while the component is shown. */
export function useQuote(instrument: InstrumentKey | null | undefined): Quote | undefined {
  const topic = useTopic(instrument ? `instrument.${instrument}` : null)
  return topic && quoteAt(topic, 0)
}

/** Hear of every snapshot and fact of the topics with this prefix, at once and whether or not the page is seen. */
export function listen(prefix: string, listener: TopicListener): () => void {
  const those = existingSet(prefix)
  those.add(listener)
  return () => those.delete(listener)
}

/** The server's clock now, epoch milliseconds. */
export function serverNow(): number {
  return Date.now() + serverOffset.value
}

function receive(message: Message): void {
  if (message.type === 'frame') noteClock(message.sent_at)
  const next = reduce(market, message)
  apply(next)
  if (next.missed.length) socket.join(next.missed)
  for (const event of next.events) tell(event)
}

function apply(next: Market): void {
  market = next
  if (scheduled) return
  scheduled = true
  if (document.hidden) setTimeout(publish, HIDDEN_MILLISECONDS)
  else requestAnimationFrame(publish)
}

function publish(): void {
  scheduled = false
  batch(() => {
    for (const [name, each] of signals) each.value = market.topics.get(name)
    for (const [name, each] of refusals) each.value = market.refused.get(name)
    const missing = [...market.topics.values()].filter((topic) => topic.gap).map((topic) => topic.name)
    if (missing.join() !== gaps.value.join()) gaps.value = missing
    const told = [...market.feeds.values()]
    if (told.some((feed, place) => feed !== feeds.value[place])) feeds.value = told
  })
}

/** The smallest difference seen is the one with the least network in it; it may drift back slowly. */
function noteClock(sentAt: number): void {
  const offset = sentAt - Date.now()
  if (Math.abs(offset - serverOffset.value) > 250) serverOffset.value = offset
}

function tell(event: TopicEvent): void {
  const name = event.type === 'snapshot' ? event.topic.name : event.name
  for (const listener of listeners.get(name.split('.', 1)[0] ?? '') ?? []) listener(event)
}

function leaveIfUnused(name: string): void {
  if (users.get(name) !== 0) return
  users.delete(name)
  socket.leave(name)
  apply(forget(market, name))
}

function existing<Value>(known: Map<string, Signal<Value>>, name: string, first: () => Value): Signal<Value> {
  const found = known.get(name)
  if (found) return found
  const made = signal(first())
  known.set(name, made)
  return made
}

function existingSet(prefix: string): Set<TopicListener> {
  const found = listeners.get(prefix) ?? new Set<TopicListener>()
  listeners.set(prefix, found)
  return found
}

function websocketUrl(): string {
  return `${location.protocol === 'https:' ? 'wss' : 'ws'}://${location.host}/ws/market`
}
