/** What stands behind one chart: its bars, its view and what is drawn over them, with signals for what is told beside. */

import { effect, signal } from '@preact/signals'

import type { Bar, Interval } from '../../analytics/bars'
import type { Instrument } from '../../api/types'
import { paise } from '../../format/price'
import { value } from '../../state/quote'
import { subscribe, topicSignal } from '../../state/store'
import type { TopicState } from '../../state/topics'
import { nameOf } from '../../trading/names'
import { LiveBars } from './live'
import type { Mark } from './marks'
import { moveOrder } from './moving'
import { studyLines, type StudyLine } from './studies'
import { themeOf } from './theme'
import { ChartView } from './view'

export interface MenuPlace {
  readonly x: number
  readonly y: number
  /** Paise. */
  readonly price: number
}

/** What the legend tells: the bar under the crosshair or the newest, and the indicators there. */
export interface Reading {
  readonly bar: Bar
  readonly before: Bar | undefined
  readonly studies: readonly { title: string; value: number; pane: number }[]
}

export class ChartDesk {
  readonly reading = signal<Reading | null>(null)
  readonly loaded = signal(false)
  readonly failure = signal<unknown>(null)
  readonly menu = signal<MenuPlace | null>(null)
  private bars: readonly Bar[] = []
  private studies: readonly string[] = []
  private lines: readonly StudyLine[] = []
  private marks: readonly Mark[] = []
  private pointed: number | null = null
  private gaps: number | null = null
  private readonly view: ChartView
  private readonly live: LiveBars
  private readonly endings: (() => void)[]

  constructor(
    private readonly host: HTMLElement,
    private readonly listing: Instrument,
    interval: Interval,
  ) {
    this.view = new ChartView(host, themeOf(host), paise(listing.tick_size) ?? 1, {
      pointed: (place) => this.point(place),
      menu: (x, y, price) => (this.menu.value = { x, y, price }),
      dragged: (mark, price) => void this.move(mark, price),
      atStart: () => void this.live.older(),
    })
    this.live = new LiveBars(listing.instrument, interval, {
      replaced: (bars, partial) => this.replaced(bars, partial),
      changed: (bars) => this.changed(bars),
      failed: (error) => (this.failure.value = error),
    })
    const topic = `instrument.${listing.instrument}`
    this.endings = [subscribe(topic), effect(() => this.told(topicSignal(topic).value))]
    this.load()
  }

  load(): void {
    this.failure.value = null
    void this.live.load()
  }

  setStudies(ids: readonly string[]): void {
    this.studies = ids
    this.lines = studyLines(ids, this.bars)
    this.view.drawStudies(this.bars, this.lines)
    this.read()
  }

  setMarks(marks: readonly Mark[]): void {
    this.marks = marks
    this.view.setMarks(marks)
  }

  /** The page's colours changed. */
  recolour(): void {
    this.view.setTheme(themeOf(this.host), this.bars, this.marks)
  }

  dispose(): void {
    for (const end of this.endings) end()
    this.live.stop()
    this.view.dispose()
  }

  private replaced(bars: readonly Bar[], partial: readonly number[]): void {
    this.bars = bars
    this.lines = studyLines(this.studies, bars)
    this.view.replace(bars, this.lines, partial)
    this.failure.value = null
    this.loaded.value = true
    this.read()
  }

  private changed(bars: readonly Bar[]): void {
    this.bars = bars
    this.lines = studyLines(this.studies, bars)
    this.view.update(bars, this.lines)
    this.read()
  }

  /** After a gap the bars between are asked for: trades that nobody told cannot be folded. */
  private told(topic: TopicState | undefined): void {
    const row = topic?.rows[0]
    if (!topic || !row) return
    if (this.gaps !== null && topic.gaps !== this.gaps && !topic.gap) this.load()
    if (!topic.gap) this.gaps = topic.gaps
    this.live.take({
      price: value(topic, row, 'last_price'),
      at: value(topic, row, 'last_traded_at'),
      volume: value(topic, row, 'volume'),
      openInterest: value(topic, row, 'open_interest'),
    })
  }

  private point(place: number | null): void {
    this.pointed = place
    this.read()
  }

  private read(): void {
    const known = this.pointed !== null && this.bars[this.pointed] !== undefined
    const place = known ? (this.pointed as number) : this.bars.length - 1
    const bar = this.bars[place]
    this.reading.value = bar
      ? {
          bar,
          before: this.bars[place - 1],
          studies: this.lines.flatMap(({ title, values, pane }) => {
            const figure = values[place]
            return typeof figure === 'number' ? [{ title, value: figure, pane }] : []
          }),
        }
      : null
  }

  /** Whatever came of it, the lines then say what the order says. */
  private async move(mark: Mark, price: number): Promise<void> {
    await moveOrder(mark, price, nameOf(this.listing, this.listing.instrument))
    this.view.setMarks(this.marks)
  }
}
