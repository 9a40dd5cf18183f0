import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'

import { MarketSocket, type ConnectionState } from './socket'

/** A server at the other end of a pipe, written out: what the socket sent, and a way to answer. */
class Line {
  readyState = 1
  sent: { op: string; topics?: string[]; frame?: number }[] = []
  onmessage: ((event: { data: string }) => void) | null = null
  onclose: ((event: { code: number }) => void) | null = null

  send(text: string): void {
    this.sent.push(JSON.parse(text) as { op: string })
  }

  close(): void {
    this.readyState = 3
  }

  tell(message: object): void {
    this.onmessage?.({ data: JSON.stringify(message) })
  }

  frame(frame: number, parts: object[] = []): void {
    this.tell({ type: 'frame', frame, sent_at: 0, parts })
  }

  end(code: number): void {
    this.onclose?.({ code })
  }
}

const WELCOME = {
  type: 'welcome',
  connection: 'c',
  window: { frames: 16, bytes: 100_000 },
  rate: 10,
  heartbeat_seconds: 2,
  retry_milliseconds: 1_240,
}

let lines: Line[]
let states: ConnectionState[]
let lostTimes: number
let socket: MarketSocket

const line = (): Line => lines.at(-1) as Line
const asked = (): string[][] => line().sent.flatMap((each) => (each.op === 'subscribe' ? [each.topics ?? []] : []))
const acknowledged = (): number[] => line().sent.flatMap((each) => (each.op === 'ack' ? [each.frame ?? 0] : []))

beforeEach(() => {
  vi.useFakeTimers()
  vi.stubGlobal('WebSocket', { OPEN: 1 })
  lines = []
  states = []
  lostTimes = 0
  const listener = { message: () => undefined, state: (state: ConnectionState) => states.push(state), lost: () => lostTimes++ }
  socket = new MarketSocket('ws://here/ws/market', listener, () => {
    lines.push(new Line())
    return line() as unknown as WebSocket
  })
  socket.start()
})

afterEach(() => {
  socket.stop()
  vi.useRealTimers()
  vi.unstubAllGlobals()
})

describe('joining', () => {
  it('waits for the welcome and asks for all topics at once', async () => {
    socket.join(['watchlist.7'])
    socket.join(['account.3'])
    await vi.advanceTimersByTimeAsync(1)
    expect(line().sent).toEqual([])
    line().tell(WELCOME)
    expect(asked()).toEqual([['watchlist.7', 'account.3']])
  })

  it('asks again for the others when one of them is not there', async () => {
    line().tell(WELCOME)
    socket.join(['watchlist.7', 'watchlist.9'])
    await vi.advanceTimersByTimeAsync(1)
    line().tell({ type: 'error', code: 'NOT_FOUND', message: '', details: { topics: ['watchlist.9'] } })
    await vi.advanceTimersByTimeAsync(1)
    expect(asked()).toEqual([['watchlist.7', 'watchlist.9'], ['watchlist.7']])
  })

  it('leaves a topic only when it was there', async () => {
    line().tell(WELCOME)
    socket.join(['watchlist.7'])
    await vi.advanceTimersByTimeAsync(1)
    line().frame(1, [{ topic: 'watchlist.7', rows: [] }])
    socket.leave('watchlist.7')
    expect(line().sent.at(-1)).toEqual({ op: 'unsubscribe', topics: ['watchlist.7'] })
  })
})

describe('acknowledging', () => {
  it('comes within a second by the clock, with no frame to remind of it', () => {
    line().tell(WELCOME)
    line().frame(1)
    expect(acknowledged()).toEqual([])
    vi.advanceTimersByTime(1_000)
    expect(acknowledged()).toEqual([1])
    vi.advanceTimersByTime(1_000)
    expect(acknowledged()).toEqual([1])
  })

  it('comes at once with a quarter of the window', () => {
    line().tell(WELCOME)
    for (const frame of [1, 2, 3, 4]) line().frame(frame)
    expect(acknowledged()).toEqual([4])
  })
})

describe('a connection that ends', () => {
  it('comes back after the server’s own delay, doubling, and asks for its topics', async () => {
    line().tell(WELCOME)
    socket.join(['watchlist.7'])
    await vi.advanceTimersByTimeAsync(1)
    line().end(1012)
    expect(states.at(-1)).toBe('WAITING')
    expect(lostTimes).toBe(1)
    vi.advanceTimersByTime(1_239)
    expect(lines.length).toBe(1)
    vi.advanceTimersByTime(1)
    expect(lines.length).toBe(2)
    line().end(1006)
    vi.advanceTimersByTime(2_479)
    expect(lines.length).toBe(2)
    vi.advanceTimersByTime(1)
    expect(lines.length).toBe(3)
    line().tell(WELCOME)
    expect(asked()).toEqual([['watchlist.7']])
    expect(states.at(-1)).toBe('LIVE')
  })

  it('is dead after three silent heartbeats', () => {
    line().tell(WELCOME)
    vi.advanceTimersByTime(4_000)
    line().frame(1)
    vi.advanceTimersByTime(5_999)
    expect(states.at(-1)).toBe('LIVE')
    vi.advanceTimersByTime(1)
    expect(states.at(-1)).toBe('WAITING')
  })

  it('does not come back when nobody is signed in', () => {
    line().tell(WELCOME)
    line().end(4401)
    vi.advanceTimersByTime(60_000)
    expect(states.at(-1)).toBe('SIGNED_OUT')
    expect(lines.length).toBe(1)
  })

  it('comes back at once when somebody looks', () => {
    line().tell(WELCOME)
    line().end(1006)
    socket.hurry()
    expect(lines.length).toBe(2)
  })
})
