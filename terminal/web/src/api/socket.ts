/** One websocket to ws/market: keeps the wanted topics joined, acknowledges by a timer, notices silence, comes back. */

import type { Frame, Message, Welcome } from './types'

const ACKNOWLEDGE_MILLISECONDS = 900
/** The server wants it within a second of any frame, also when no other follows. */
const WINDOW_SHARE = 4
const HEARTBEATS_MISSED = 3
const FIRST_RETRY_MILLISECONDS = 1_000
const LONGEST_RETRY_MILLISECONDS = 30_000
const UNAVAILABLE_MILLISECONDS = 2_000
const OPENING_MILLISECONDS = 10_000
/** A connection that says nothing for so long after dialling is given up. */
const NOT_SIGNED_IN = 4401
const FINAL_CODES = new Set([4400, NOT_SIGNED_IN, 4404])

export type ConnectionState = 'CONNECTING' | 'LIVE' | 'WAITING' | 'SIGNED_OUT' | 'ENDED'

export interface SocketListener {
  message(message: Message): void
  state(state: ConnectionState): void
  /** All that was known may be old from here on. */
  lost(): void
}

export class MarketSocket {
  private socket: WebSocket | null = null
  private readonly wanted = new Set<string>()
  private readonly asking = new Set<string>()
  private welcome: Welcome | null = null
  private lastFrame = 0
  private acknowledged = 0
  private bytes = 0
  private retry = FIRST_RETRY_MILLISECONDS
  private attempts = 0
  private acknowledging: ReturnType<typeof setInterval> | undefined
  private silence: ReturnType<typeof setTimeout> | undefined
  private returning: ReturnType<typeof setTimeout> | undefined
  private flushing = false
  private closed = true

  constructor(
    private readonly url: string,
    private readonly listener: SocketListener,
    private readonly open: (url: string) => WebSocket = (url) => new WebSocket(url),
  ) {}

  start(): void {
    if (!this.closed) return
    this.closed = false
    this.attempts = 0
    this.dial()
  }

  stop(): void {
    this.closed = true
    clearTimeout(this.returning)
    this.hangUp()
    this.listener.state('ENDED')
  }

  /** Go at once instead of waiting: the network is back, or the page is looked at again. */
  hurry(): void {
    if (this.returning === undefined || this.closed) return
    clearTimeout(this.returning)
    this.dial()
  }

  join(topics: Iterable<string>): void {
    for (const topic of topics) {
      this.wanted.add(topic)
      this.asking.add(topic)
    }
    this.askSoon()
  }

  leave(topic: string): void {
    this.wanted.delete(topic)
    if (!this.asking.delete(topic)) this.send({ op: 'unsubscribe', topics: [topic] })
  }

  // --- the connection

  private dial(): void {
    this.returning = undefined
    this.listener.state('CONNECTING')
    const socket = this.open(this.url)
    this.socket = socket
    socket.onmessage = (event) => this.take(String(event.data))
    socket.onclose = (event) => this.ended(socket, event.code)
    this.expectWithin(OPENING_MILLISECONDS)
  }

  private ended(socket: WebSocket, code: number): void {
    if (socket !== this.socket) return // one that was hung up
    this.hangUp()
    this.listener.lost()
    if (FINAL_CODES.has(code)) {
      this.closed = true
      this.listener.state(code === NOT_SIGNED_IN ? 'SIGNED_OUT' : 'ENDED')
    } else if (!this.closed) {
      this.listener.state('WAITING')
      this.returning = setTimeout(() => this.dial(), this.delay())
    }
  }

  private hangUp(): void {
    clearInterval(this.acknowledging)
    clearTimeout(this.silence)
    const socket = this.socket
    this.socket = null
    this.welcome = null
    socket?.close()
  }

  private delay(): number {
    const doubled = Math.min(this.retry * 2 ** this.attempts, LONGEST_RETRY_MILLISECONDS)
    this.attempts += 1
    return doubled
  }

  private expectWithin(milliseconds: number): void {
    clearTimeout(this.silence)
    const socket = this.socket
    this.silence = setTimeout(() => socket && this.ended(socket, 0), milliseconds)
  }

  // --- messages

  private take(text: string): void {
    const message = JSON.parse(text) as Message
    if (message.type === 'welcome') this.begin(message)
    if (message.type === 'frame') this.note(message, text.length)
    if (message.type === 'error') this.amend(message.code, message.details.topics ?? [])
    this.listener.message(message)
  }

  private begin(welcome: Welcome): void {
    this.welcome = welcome
    this.retry = welcome.retry_milliseconds
    this.attempts = 0
    this.lastFrame = this.acknowledged = this.bytes = 0
    this.acknowledging = setInterval(() => this.acknowledge(), ACKNOWLEDGE_MILLISECONDS)
    this.expectWithin(welcome.heartbeat_seconds * HEARTBEATS_MISSED * 1_000)
    this.listener.state('LIVE')
    for (const topic of this.wanted) this.asking.add(topic)
    this.askNow()
  }

  private note(frame: Frame, bytes: number): void {
    const welcome = this.welcome
    if (!welcome) return
    this.lastFrame = frame.frame
    this.bytes += bytes
    this.expectWithin(welcome.heartbeat_seconds * HEARTBEATS_MISSED * 1_000)
    const frames = this.lastFrame - this.acknowledged
    const { window } = welcome
    if (frames * WINDOW_SHARE >= window.frames || this.bytes * WINDOW_SHARE >= window.bytes) this.acknowledge()
    for (const part of frame.parts) if ('rows' in part) this.asking.delete(part.topic)
  }

  /** All topics of a command fail together: ask for the others again. */
  private amend(code: string, topics: readonly string[]): void {
    if (code === 'UNAVAILABLE') {
      setTimeout(() => this.join(topics.filter((topic) => this.wanted.has(topic))), UNAVAILABLE_MILLISECONDS)
      return
    }
    const refused = topics.filter((topic) => this.asking.delete(topic))
    if (code === 'NOT_FOUND' && refused.length) this.askSoon()
  }

  private acknowledge(): void {
    if (this.lastFrame === this.acknowledged) return
    this.acknowledged = this.lastFrame
    this.bytes = 0
    this.send({ op: 'ack', frame: this.lastFrame })
  }

  /** Panels that open together ask together. */
  private askSoon(): void {
    if (this.flushing) return
    this.flushing = true
    queueMicrotask(() => {
      this.flushing = false
      this.askNow()
    })
  }

  private askNow(): void {
    if (this.welcome && this.asking.size) this.send({ op: 'subscribe', topics: [...this.asking] })
  }

  private send(command: object): void {
    if (this.welcome && this.socket?.readyState === WebSocket.OPEN) this.socket.send(JSON.stringify(command))
  }
}
