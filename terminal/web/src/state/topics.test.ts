import { describe, expect, it } from 'vitest'

import type { Frame, Part, SnapshotPart } from '../api/types'
import { EMPTY_MARKET, forget, lost, reduce, type Market } from './topics'

const WELCOME = {
  type: 'welcome',
  connection: '9f1c22ab-5d0e71aa',
  window: { frames: 256, bytes: 1_048_576 },
  rate: 10,
  heartbeat_seconds: 2,
  retry_milliseconds: 1_240,
} as const

const SNAPSHOT: SnapshotPart = {
  topic: 'watchlist.7',
  id: 3,
  epoch: 'a',
  sequence: 41,
  kind: 'watchlist',
  columns: ['last_price', 'volume'],
  instruments: ['NSE_EQ.2885', 'IDX_I.13'],
  rows: [
    [284_500, 1_000],
    [2_600_000, 0],
  ],
  details: { name: 'Banks' },
  gap: false,
}

const ACCOUNT: SnapshotPart = { ...SNAPSHOT, topic: 'account.3', id: 5, instruments: [], rows: [], offset: 41 }

function frame(...parts: Part[]): Frame {
  return { type: 'frame', frame: 1, sent_at: 1_770_093_000_123, parts }
}

function after(...messages: Parameters<typeof reduce>[1][]): Market {
  return messages.reduce(reduce, EMPTY_MARKET)
}

describe('a snapshot', () => {
  it('is all that is known of its topic', () => {
    const topic = after(WELCOME, frame(SNAPSHOT)).topics.get('watchlist.7')
    expect(topic?.rows).toEqual([
      [284_500, 1_000],
      [2_600_000, 0],
    ])
    expect(topic?.sequence).toBe(41)
    expect(topic?.gap).toBe(false)
    expect(topic?.gaps).toBe(0)
  })

  it('replaces what was there, instruments and all', () => {
    const other = { ...SNAPSHOT, sequence: 60, instruments: ['NSE_EQ.1333'], rows: [[99_000, 5]] }
    const topic = after(frame(SNAPSHOT), frame(other)).topics.get('watchlist.7')
    expect(topic?.instruments).toEqual(['NSE_EQ.1333'])
    expect(topic?.rows).toEqual([[99_000, 5]])
  })

  it('that comes after something was missed counts as one gap and ends it', () => {
    const topic = after(frame(SNAPSHOT), frame({ ...SNAPSHOT, sequence: 60, gap: true })).topics.get('watchlist.7')
    expect(topic?.gap).toBe(false)
    expect(topic?.gaps).toBe(1)
  })
})

describe('an update', () => {
  it('replaces the rows it names and leaves the others the same objects', () => {
    const before = after(frame(SNAPSHOT))
    const next = reduce(before, frame([3, 41, 42, [[0, 284_600, 1_010]]]))
    const rows = next.topics.get('watchlist.7')?.rows
    expect(rows?.[0]).toEqual([284_600, 1_010])
    expect(rows?.[1]).toBe(before.topics.get('watchlist.7')?.rows[1])
    expect(next.missed).toEqual([])
  })

  it('may span several changes at once', () => {
    const topic = after(frame(SNAPSHOT), frame([3, 41, 49, [[1, 2_600_100, 0]]])).topics.get('watchlist.7')
    expect(topic?.sequence).toBe(49)
  })

  it('that does not follow on changes nothing, marks the gap and asks for the topic again', () => {
    const market = after(frame(SNAPSHOT), frame([3, 44, 45, [[0, 1, 1]]]))
    expect(market.missed).toEqual(['watchlist.7'])
    expect(market.topics.get('watchlist.7')?.rows[0]).toEqual([284_500, 1_000])
    expect(market.topics.get('watchlist.7')?.gap).toBe(true)
  })

  it('of a topic with a gap waits for the snapshot and is not asked for twice', () => {
    const market = after(frame(SNAPSHOT), frame([3, 44, 45, [[0, 1, 1]]]), frame([3, 45, 46, [[0, 2, 2]]]))
    expect(market.missed).toEqual([])
    expect(market.topics.get('watchlist.7')?.gaps).toBe(1)
    const healed = reduce(market, frame({ ...SNAPSHOT, sequence: 46, rows: [[2, 2]] }))
    expect(healed.topics.get('watchlist.7')?.gap).toBe(false)
    expect(healed.topics.get('watchlist.7')?.rows).toEqual([[2, 2]])
  })

  it('of a topic that was left is nothing', () => {
    const market = reduce(forget(after(frame(SNAPSHOT)), 'watchlist.7'), frame([3, 41, 42, [[0, 1, 1]]]))
    expect(market.topics.size).toBe(0)
    expect(market.missed).toEqual([])
  })
})

describe('a heartbeat', () => {
  const positions = (sequence: number): Frame => ({ ...frame(), positions: { '3': sequence } })

  it('at our place is silence', () => {
    expect(after(frame(SNAPSHOT), positions(41)).missed).toEqual([])
  })

  it('elsewhere is a gap', () => {
    const market = after(frame(SNAPSHOT), positions(42))
    expect(market.missed).toEqual(['watchlist.7'])
    expect(market.topics.get('watchlist.7')?.gap).toBe(true)
  })
})

describe('a lost connection', () => {
  it('leaves what was known, marked, until the new snapshot', () => {
    const market = lost(after(WELCOME, frame(SNAPSHOT)))
    expect(market.topics.get('watchlist.7')?.gap).toBe(true)
    expect(market.topics.get('watchlist.7')?.rows[0]).toEqual([284_500, 1_000])
    const back = [WELCOME, frame({ ...SNAPSHOT, id: 1, sequence: 2 })].reduce(reduce, market)
    expect(back.topics.get('watchlist.7')?.gap).toBe(false)
    expect(back.topics.get('watchlist.7')?.gaps).toBe(1)
  })

  it('makes the old connection’s numbers mean nothing', () => {
    const market = reduce(lost(after(WELCOME, frame(SNAPSHOT))), WELCOME)
    expect(reduce(market, frame([3, 41, 42, [[0, 1, 1]]])).topics.get('watchlist.7')?.rows[0]).toEqual([284_500, 1_000])
  })
})

describe('facts', () => {
  const facts = (from: number, to: number): Part => ({
    topic: 'account.3',
    id: 5,
    from,
    to,
    facts: [[to, 'FUNDS', { cash: 1 }]],
  })

  it('move the offset and are told', () => {
    const market = after(frame(ACCOUNT), frame(facts(41, 42)))
    expect(market.topics.get('account.3')?.offset).toBe(42)
    expect(market.events).toEqual([
      { type: 'facts', name: 'account.3', from: 41, to: 42, facts: [[42, 'FUNDS', { cash: 1 }]], hole: false },
    ])
  })

  it('after a hole say so', () => {
    const [event] = after(frame(ACCOUNT), frame(facts(45, 46))).events
    expect(event).toMatchObject({ type: 'facts', from: 45, hole: true })
  })

  it('of the last message only are told', () => {
    expect(after(frame(ACCOUNT), frame(facts(41, 42)), frame()).events).toEqual([])
  })
})

describe('values', () => {
  it('replace the ones before of their kind and survive a snapshot', () => {
    const told = (pnl: number): Part => ({ topic: 'account.3', id: 5, values: [['PNL', { realised: pnl }]] })
    const market = after(frame(ACCOUNT), frame(told(100)), frame(told(250)), frame(ACCOUNT))
    expect(market.topics.get('account.3')?.values).toEqual({ PNL: { realised: 250 } })
  })
})

describe('feeds and refusals', () => {
  it('keep the last word of each feed', () => {
    const market = after(
      frame({ feed: 1, state: 'LIVE', since: 1, gap: false }),
      frame({ feed: 1, state: 'DOWN', since: 2, gap: true }),
    )
    expect(market.feeds.get(1)?.state).toBe('DOWN')
  })

  it('name the topics that the server will not give', () => {
    const error = { type: 'error', code: 'NOT_FOUND', message: 'No such topic.', details: { topics: ['watchlist.9'] } } as const
    expect(after(WELCOME, error).refused.get('watchlist.9')).toBe('NOT_FOUND')
    expect(after(WELCOME, error, WELCOME).refused.size).toBe(0)
  })

  it('do not take a passing failure for a refusal', () => {
    const error = { type: 'error', code: 'UNAVAILABLE', message: 'Later.', details: { topics: ['watchlist.9'] } } as const
    expect(after(WELCOME, error).refused.size).toBe(0)
  })
})

describe('any sequence of updates with dropped frames', () => {
  /** A server's topic of three rows, and a client that hears only some of its frames (seeded, so that a failure repeats). */
  const random = (seed: number) => () => {
    seed = (seed * 1_103_515_245 + 12_345) % 2 ** 31
    return seed / 2 ** 31
  }

  it.each(Array.from({ length: 50 }, (_, seed) => seed))('ends where a fresh snapshot is (seed %i)', (seed) => {
    const next = random(seed + 1)
    const rows = [[0], [0], [0]]
    let sequence = 0
    const snapshot = (): SnapshotPart => ({
      ...SNAPSHOT,
      sequence,
      columns: ['last_price'],
      instruments: ['a', 'b', 'c'],
      rows: rows.map((row) => [...row]),
    })
    let market = after(WELCOME, frame(snapshot()))
    for (let step = 0; step < 60; step++) {
      const place = Math.floor(next() * 3)
      rows[place] = [Math.floor(next() * 1_000)]
      const update: Part = [3, sequence, ++sequence, [[place, ...rows[place]]]]
      if (next() < 0.2) continue // dropped
      market = reduce(market, frame(update))
      if (market.missed.length) market = reduce(market, frame(snapshot()))
    }
    market = reduce(market, { ...frame(), positions: { '3': sequence } })
    if (market.missed.length) market = reduce(market, frame(snapshot()))
    expect(market.topics.get('watchlist.7')?.rows).toEqual(rows)
    expect(market.topics.get('watchlist.7')?.sequence).toBe(sequence)
  })
})
