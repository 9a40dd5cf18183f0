/** The bars of one instrument and interval: asked of the server, then kept up by each trade; the server has the last word. */

import {
  barsFromRows,
  bucketStart,
  fold,
  mergeBars,
  segmentOf,
  type Bar,
  type CandleRow,
  type Interval,
  type LastTrade,
} from '../../analytics/bars'
import { api, withQuery } from '../../api/rest'
import type { InstrumentKey } from '../../api/types'

interface CandlesAnswer {
  candles: CandleRow[]
  /** Starts of the bars of which ticks may be missing. */
  partial: number[]
  history: 'COMPLETE' | 'PENDING' | 'UNAVAILABLE'
}

export interface BarsListener {
  /** Any of the bars may be another. */
  readonly replaced: (bars: readonly Bar[], partial: readonly number[]) => void
  /** Only the last one is, or there is one more. */
  readonly changed: (bars: readonly Bar[]) => void
  readonly failed: (error: unknown) => void
}

const FIRST = 500
const LATEST = 3
/** Dhan answers in a second or two; a chart that waits longer for history shows what there is. */
const PENDING_MILLISECONDS = 1_000
const PENDING_TRIES = 15
/** A bar that closed is asked for after this: its minute is then written. */
const SETTLE_MILLISECONDS = 1_500

export class LiveBars {
  private bars: readonly Bar[] = []
  private readonly partial = new Set<number>()
  private tries = 0
  private volumeSeen: number | null = null
  private loaded = false
  private exhausted = false
  private asking = false
  private stopped = false
  private timer: ReturnType<typeof setTimeout> | undefined

  constructor(
    private readonly instrument: InstrumentKey,
    private readonly interval: Interval,
    private readonly listener: BarsListener,
  ) {}

  /** All that is shown at first; also after something was missed, and while history is still fetched. */
  load(): Promise<void> {
    return this.ask({ limit: FIRST })
  }

  /** What was before the first bar, when somebody scrolls there. */
  async older(): Promise<void> {
    const first = this.bars[0]
    if (!first || this.exhausted) return
    const before = this.bars.length
    await this.ask({ limit: FIRST, to: new Date(first.time).toISOString() })
    this.exhausted = this.bars.length === before
  }

  take(trade: LastTrade): void {
    if (!this.loaded || trade.price <= 0) return
    const start = bucketStart(trade.at, this.interval, segmentOf(this.instrument))
    const folded = fold(this.bars, this.volumeSeen ?? trade.volume, trade, start)
    this.volumeSeen = folded.volumeSeen
    if (folded.bars === this.bars) return
    this.bars = folded.bars
    this.listener.changed(this.bars)
    if (folded.closed) this.settle()
  }

  stop(): void {
    this.stopped = true
    clearTimeout(this.timer)
  }

  private settle(): void {
    clearTimeout(this.timer)
    this.timer = setTimeout(() => void this.ask({ limit: LATEST }), SETTLE_MILLISECONDS)
  }

  private async ask(query: { limit: number; to?: string }): Promise<void> {
    if (this.asking) return
    this.asking = true
    try {
      const path = `candles/${encodeURIComponent(this.instrument)}`
      const answer = await api.get<CandlesAnswer>(withQuery(path, { interval: this.interval, ...query }))
      if (!this.stopped) this.merge(answer)
    } catch (error) {
      if (!this.stopped) this.listener.failed(error)
    } finally {
      this.asking = false
    }
  }

  private merge(answer: CandlesAnswer): void {
    const fresh = barsFromRows(answer.candles)
    this.bars = mergeBars(this.bars, fresh)
    for (const bar of fresh) this.partial.delete(bar.time)
    for (const start of answer.partial) this.partial.add(start)
    this.loaded = true
    this.listener.replaced(
      this.bars,
      [...this.partial].sort((one, other) => one - other),
    )
    if (answer.history === 'PENDING' && this.tries < PENDING_TRIES) this.again()
  }

  private again(): void {
    this.tries += 1
    clearTimeout(this.timer)
    this.timer = setTimeout(() => void this.load(), PENDING_MILLISECONDS)
  }
}
