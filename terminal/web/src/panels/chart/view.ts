/** The chart itself, on lightweight-charts: candles, volume, lines of indicators, and lines at prices that can be dragged. */

import {
  CandlestickSeries,
  ColorType,
  createChart,
  createSeriesMarkers,
  CrosshairMode,
  HistogramSeries,
  LineSeries,
  LineStyle,
  type IChartApi,
  type IPriceLine,
  type ISeriesApi,
  type ISeriesMarkersPluginApi,
  type MouseEventParams,
  type UTCTimestamp,
} from 'lightweight-charts'

import { IST_OFFSET, type Bar } from '../../analytics/bars'
import { money } from '../../format/price'
import { markAt, snapped, type Mark } from './marks'
import type { StudyLine } from './studies'
import { faded, type ChartTheme } from './theme'

export interface ViewEvents {
  /** The bar under the crosshair by its place; null when it is nowhere. */
  readonly pointed: (place: number | null) => void
  /** A place for a menu, and the price there in paise. */
  readonly menu: (x: number, y: number, price: number) => void
  readonly dragged: (mark: Mark, price: number) => void
  /** Somebody scrolled to the first bar. */
  readonly atStart: () => void
}

const PAISE = 100
/** Pixels from a line that still take hold of it. */
const REACH = 6
/** Bars left of the view when older ones are asked for. */
const NEAR_START = 20
const RSI_PANE_SHARE = 0.25
const VOLUME_SHARE = 0.18

export class ChartView {
  private readonly chart: IChartApi
  private readonly candles: ISeriesApi<'Candlestick'>
  private readonly volume: ISeriesApi<'Histogram'>
  private readonly markers: ISeriesMarkersPluginApi<unknown>
  private readonly studies = new Map<string, ISeriesApi<'Line'>>()
  private readonly lines = new Map<string, { mark: Mark; line: IPriceLine }>()
  private drag: { mark: Mark; price: number } | null = null
  private shownAll = false

  constructor(
    private readonly host: HTMLElement,
    private theme: ChartTheme,
    private readonly tick: number,
    private readonly events: ViewEvents,
  ) {
    this.chart = createChart(host, { autoSize: true, ...optionsOf(theme) })
    this.candles = this.chart.addSeries(CandlestickSeries, candleOptions(theme, tick))
    this.volume = this.chart.addSeries(HistogramSeries, {
      priceScaleId: 'volume',
      priceFormat: { type: 'volume' },
      lastValueVisible: false,
      priceLineVisible: false,
    })
    this.chart.priceScale('volume').applyOptions({ scaleMargins: { top: 1 - VOLUME_SHARE, bottom: 0 } })
    this.markers = createSeriesMarkers(this.candles, []) as unknown as ISeriesMarkersPluginApi<unknown>
    this.chart.subscribeCrosshairMove(this.moved)
    this.chart.timeScale().subscribeVisibleLogicalRangeChange((range) => {
      if (range && range.from < NEAR_START && this.shownAll) events.atStart()
    })
    host.addEventListener('contextmenu', this.menu)
    host.addEventListener('pointerdown', this.pressed, { capture: true })
    host.addEventListener('pointermove', this.dragging)
    host.addEventListener('pointerup', this.dropped)
    host.addEventListener('pointercancel', this.dropped)
  }

  /** All bars anew, those marked of which trades may be missing; the view stays where it is, except the first time. */
  replace(bars: readonly Bar[], studies: readonly StudyLine[], partial: readonly number[]): void {
    this.candles.setData(bars.map(candleOf))
    this.volume.setData(bars.filter(isTraded).map((bar) => this.volumeOf(bar)))
    this.markers.setMarkers(
      partial.map((time) => ({
        time: timeOf(time),
        position: 'aboveBar' as const,
        shape: 'square' as const,
        color: this.theme.accent,
        text: 'gap',
        size: 0.5,
      })),
    )
    this.drawStudies(bars, studies)
    if (!this.shownAll && bars.length) this.chart.timeScale().scrollToRealTime()
    this.shownAll = bars.length > 0
  }

  /** The last bar, or one more. */
  update(bars: readonly Bar[], studies: readonly StudyLine[]): void {
    const last = bars.at(-1)
    if (!last) return
    this.candles.update(candleOf(last))
    if (isTraded(last)) this.volume.update(this.volumeOf(last))
    for (const study of studies) {
      const value = study.values.at(-1)
      if (value !== null && value !== undefined) {
        this.studies.get(study.id)?.update({ time: timeOf(last.time), value: scaled(study, value) })
      }
    }
  }

  drawStudies(bars: readonly Bar[], studies: readonly StudyLine[]): void {
    const wanted = new Set(studies.map((study) => study.id))
    for (const [id, series] of this.studies) {
      if (wanted.has(id)) continue
      this.chart.removeSeries(series)
      this.studies.delete(id)
    }
    for (const study of studies) this.seriesOf(study).setData(pointsOf(bars, study))
    const lower = this.chart.panes()[1]
    if (lower) lower.setStretchFactor(RSI_PANE_SHARE)
  }

  setMarks(marks: readonly Mark[]): void {
    if (this.drag) return
    for (const { line } of this.lines.values()) this.candles.removePriceLine(line)
    this.lines.clear()
    for (const mark of marks) {
      const line = this.candles.createPriceLine({
        price: mark.price / PAISE,
        color: this.markColour(mark),
        lineWidth: mark.order ? 2 : 1,
        lineStyle: mark.order ? LineStyle.Dashed : LineStyle.Dotted,
        axisLabelVisible: true,
        title: mark.title,
      })
      this.lines.set(mark.id, { mark, line })
    }
  }

  setTheme(theme: ChartTheme, bars: readonly Bar[], marks: readonly Mark[]): void {
    this.theme = theme
    this.chart.applyOptions(optionsOf(theme))
    this.candles.applyOptions(candleOptions(theme, this.tick))
    this.volume.setData(bars.filter(isTraded).map((bar) => this.volumeOf(bar)))
    this.setMarks(marks)
  }

  /** Back to the newest bar. */
  toNow(): void {
    this.chart.timeScale().scrollToRealTime()
  }

  dispose(): void {
    this.chart.remove()
  }

  private seriesOf(study: StudyLine): ISeriesApi<'Line'> {
    const known = this.studies.get(study.id)
    if (known) return known
    const options = {
      color: this.theme.studies[study.colour] as string,
      lineWidth: 1 as const,
      priceLineVisible: false,
      lastValueVisible: study.pane === 1,
      crosshairMarkerVisible: false,
      // wide bands must not press the candles flat
      ...(study.pane === 0 ? { autoscaleInfoProvider: () => null } : {}),
      title: study.pane === 1 ? study.title : '',
    }
    const made = this.chart.addSeries(LineSeries, options, study.pane)
    this.studies.set(study.id, made)
    return made
  }

  private volumeOf(bar: Bar): { time: UTCTimestamp; value: number; color: string } {
    const colour = bar.close >= bar.open ? this.theme.up : this.theme.down
    return { time: timeOf(bar.time), value: bar.volume, color: faded(colour, 0.35) }
  }

  private markColour(mark: Mark): string {
    return { buy: this.theme.up, sell: this.theme.down, position: this.theme.accent }[mark.tone]
  }

  private priceAt(y: number): number | null {
    const rupees = this.candles.coordinateToPrice(y)
    return rupees === null ? null : snapped(rupees * PAISE, this.tick)
  }

  private readonly moved = (event: MouseEventParams): void => {
    this.events.pointed(event.point === undefined || event.logical === undefined ? null : event.logical)
  }

  private readonly menu = (event: MouseEvent): void => {
    event.preventDefault()
    const { x, y } = this.within(event)
    const at = this.priceAt(y)
    if (at !== null && at > 0) this.events.menu(x, y, at)
  }

  private readonly pressed = (event: PointerEvent): void => {
    if (event.button !== 0) return
    const mark = this.markNear(event)
    if (!mark) return
    this.drag = { mark, price: mark.price }
    this.host.setPointerCapture(event.pointerId)
    this.chart.applyOptions({ handleScroll: false, handleScale: false })
  }

  private readonly dragging = (event: PointerEvent): void => {
    if (!this.drag) {
      this.host.classList.toggle('over-mark', this.markNear(event) !== null)
      return
    }
    const at = this.priceAt(this.within(event).y)
    if (at === null || at <= 0) return
    this.drag.price = at
    this.lines.get(this.drag.mark.id)?.line.applyOptions({ price: at / PAISE })
  }

  private readonly dropped = (event: PointerEvent): void => {
    const drag = this.drag
    if (!drag) return
    this.drag = null
    this.chart.applyOptions({ handleScroll: true, handleScale: true })
    const moved = event.type === 'pointerup' && drag.price !== drag.mark.price
    if (moved) this.events.dragged(drag.mark, drag.price)
    else this.lines.get(drag.mark.id)?.line.applyOptions({ price: drag.mark.price / PAISE })
  }

  private markNear(event: PointerEvent): Mark | null {
    const shown = [...this.lines.values()].map(({ mark }) => ({
      mark,
      y: this.candles.priceToCoordinate(mark.price / PAISE) ?? Number.POSITIVE_INFINITY,
    }))
    return markAt(shown, this.within(event).y, REACH)
  }

  private within(event: MouseEvent): { x: number; y: number } {
    const box = this.host.getBoundingClientRect()
    return { x: event.clientX - box.left, y: event.clientY - box.top }
  }
}

/** The chart writes times as UTC: shifted, they read as Indian time. */
function timeOf(milliseconds: number): UTCTimestamp {
  return ((milliseconds + IST_OFFSET) / 1000) as UTCTimestamp
}

/** An index has no volume; a row of zeros would draw a line. */
function isTraded(bar: Bar): boolean {
  return bar.volume > 0
}

function candleOf(bar: Bar): { time: UTCTimestamp; open: number; high: number; low: number; close: number } {
  const { open, high, low, close } = bar
  return { time: timeOf(bar.time), open: open / PAISE, high: high / PAISE, low: low / PAISE, close: close / PAISE }
}

function pointsOf(bars: readonly Bar[], study: StudyLine): { time: UTCTimestamp; value: number }[] {
  return bars.flatMap((bar, place) => {
    const value = study.values[place]
    return value === null || value === undefined ? [] : [{ time: timeOf(bar.time), value: scaled(study, value) }]
  })
}

function scaled(study: StudyLine, value: number): number {
  return study.pane === 0 ? value / PAISE : value
}

function optionsOf(theme: ChartTheme) {
  return {
    layout: {
      background: { type: ColorType.Solid as const, color: theme.background },
      textColor: theme.text,
      fontSize: 11,
      attributionLogo: false, // it writes a style element of its own; the panel's bar has the link instead
      panes: { separatorColor: theme.line, separatorHoverColor: theme.line },
    },
    grid: { vertLines: { color: theme.line }, horzLines: { color: theme.line } },
    crosshair: { mode: CrosshairMode.Normal },
    rightPriceScale: { borderColor: theme.line },
    timeScale: { borderColor: theme.line, timeVisible: true, secondsVisible: false, rightOffset: 6 },
    localization: { locale: 'en-IN', priceFormatter: (rupees: number) => money(Math.round(rupees * PAISE)) },
  }
}

function candleOptions(theme: ChartTheme, tick: number) {
  return {
    upColor: theme.up,
    downColor: theme.down,
    wickUpColor: theme.up,
    wickDownColor: theme.down,
    borderVisible: false,
    priceFormat: { type: 'price' as const, precision: 2, minMove: Math.max(tick, 1) / PAISE },
  }
}
