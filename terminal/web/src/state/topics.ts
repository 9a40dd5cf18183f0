/** PURE: what the websocket told, folded message by message. A gap is reported, never swallowed. */

import type {
  Fact,
  FactsPart,
  FeedPart,
  Frame,
  InstrumentKey,
  Message,
  Part,
  Row,
  SnapshotPart,
  SocketError,
  UpdatePart,
  ValuesPart,
} from '../api/types'

/** One topic as last told. A row that did not change stays the same object, so that identity tells what to redraw. */
export interface TopicState {
  readonly name: string
  readonly id: number
  readonly epoch: string
  readonly sequence: number
  readonly kind: string
  readonly columns: readonly string[]
  readonly instruments: readonly InstrumentKey[]
  readonly rows: readonly Row[]
  readonly details: Readonly<Record<string, unknown>>
  /** Of a topic with facts: the last one told. */
  readonly offset: number | null
  /** The last value of each kind: PNL, ANALYTICS, DEPTH. */
  readonly values: Readonly<Record<string, unknown>>
  /** Something was missed; true until the next snapshot. */
  readonly gap: boolean
  /** How often something was missed: who draws history loads it again when this grows. */
  readonly gaps: number
}

/** What a message means for those who act on each fact once. */
export type TopicEvent =
  | { readonly type: 'snapshot'; readonly topic: TopicState }
  | {
      readonly type: 'facts'
      readonly name: string
      readonly from: number
      readonly to: number
      readonly facts: readonly Fact[]
      /** Facts before `from` never came. */
      readonly hole: boolean
    }

export interface Market {
  readonly topics: ReadonlyMap<string, TopicState>
  readonly names: ReadonlyMap<number, string>
  readonly feeds: ReadonlyMap<number, FeedPart>
  /** Topics that the server will not give, and its code. */
  readonly refused: ReadonlyMap<string, string>
  /** Of the last message: subscribe to these again. */
  readonly missed: readonly string[]
  /** Of the last message. */
  readonly events: readonly TopicEvent[]
}

export const EMPTY_MARKET: Market = {
  topics: new Map(),
  names: new Map(),
  feeds: new Map(),
  refused: new Map(),
  missed: [],
  events: [],
}

export function reduce(market: Market, message: Message): Market {
  const quiet: Market = { ...market, missed: [], events: [] }
  switch (message.type) {
    case 'welcome':
      return lost({ ...quiet, names: new Map(), refused: new Map() })
    case 'frame':
      return afterFrame(message.parts.reduce(fold, quiet), message)
    case 'error':
      return refuse(quiet, message)
    case 'pong':
      return quiet
  }
}

/** The connection ended: all that is known may have changed since. */
export function lost(market: Market): Market {
  const topics = new Map([...market.topics].map(([name, topic]) => [name, withGap(topic)]))
  return { ...market, topics, missed: [], events: [] }
}

/** A topic that was left. */
export function forget(market: Market, name: string): Market {
  const topics = new Map(market.topics)
  const refused = new Map(market.refused)
  topics.delete(name)
  refused.delete(name)
  return { ...market, topics, refused, missed: [], events: [] }
}

function fold(market: Market, part: Part): Market {
  if (Array.isArray(part)) return update(market, part)
  if ('feed' in part) return { ...market, feeds: new Map(market.feeds).set(part.feed, part) }
  if ('facts' in part) return facts(market, part)
  if ('values' in part) return values(market, part)
  return snapshot(market, part)
}

function snapshot(market: Market, part: SnapshotPart): Market {
  const before = market.topics.get(part.topic)
  const topic: TopicState = {
    name: part.topic,
    id: part.id,
    epoch: part.epoch,
    sequence: part.sequence,
    kind: part.kind,
    columns: part.columns,
    instruments: part.instruments,
    rows: part.rows,
    details: part.details,
    offset: part.offset ?? null,
    values: before?.values ?? {},
    gap: false,
    gaps: (before?.gaps ?? 0) + (part.gap && !before?.gap ? 1 : 0),
  }
  return {
    ...put(market, topic),
    names: new Map(market.names).set(part.id, part.topic),
    events: [...market.events, { type: 'snapshot', topic }],
  }
}

function update(market: Market, [id, from, to, changes]: UpdatePart): Market {
  const topic = byId(market, id)
  if (!topic || topic.gap) return market // a topic just left, or one that waits for its snapshot
  if (topic.sequence !== from) return miss(market, topic)
  const rows = topic.rows.slice()
  for (const [place, ...row] of changes) rows[place] = row
  return put(market, { ...topic, rows, sequence: to })
}

function facts(market: Market, part: FactsPart): Market {
  const topic = byId(market, part.id)
  if (!topic) return market
  const event: TopicEvent = {
    type: 'facts',
    name: topic.name,
    from: part.from,
    to: part.to,
    facts: part.facts,
    hole: topic.offset !== null && part.from > topic.offset,
  }
  return { ...put(market, { ...topic, offset: part.to }), events: [...market.events, event] }
}

function values(market: Market, part: ValuesPart): Market {
  const topic = byId(market, part.id)
  if (!topic) return market
  return put(market, { ...topic, values: { ...topic.values, ...Object.fromEntries(part.values) } })
}

/** A heartbeat says how far each topic is: who is elsewhere missed something. */
function afterFrame(market: Market, frame: Frame): Market {
  let after = market
  for (const [id, sequence] of Object.entries(frame.positions ?? {})) {
    const topic = byId(after, Number(id))
    if (topic && !topic.gap && topic.sequence !== sequence) after = miss(after, topic)
  }
  return after
}

function refuse(market: Market, error: SocketError): Market {
  const gone = error.details.topic === undefined ? [] : [error.details.topic]
  const names = error.code === 'UNAVAILABLE' ? [] : [...(error.details.topics ?? []), ...gone]
  const refused = new Map(market.refused)
  for (const name of names) refused.set(name, error.code)
  return { ...market, refused }
}

function miss(market: Market, topic: TopicState): Market {
  return { ...put(market, withGap(topic)), missed: [...market.missed, topic.name] }
}

function withGap(topic: TopicState): TopicState {
  return topic.gap ? topic : { ...topic, gap: true, gaps: topic.gaps + 1 }
}

function put(market: Market, topic: TopicState): Market {
  return { ...market, topics: new Map(market.topics).set(topic.name, topic) }
}

function byId(market: Market, id: number): TopicState | undefined {
  const name = market.names.get(id)
  return name === undefined ? undefined : market.topics.get(name)
}
