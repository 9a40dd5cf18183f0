/** The indicators a chart offers, each as one or more lines over its bars. Pure. */

import type { Bar } from '../../analytics/bars'
import { bollinger, ema, rsi, sma, vwap, type Line } from '../../analytics/indicators'

export interface StudyLine {
  readonly id: string
  readonly title: string
  /** 0 is the pane of the candles. */
  readonly pane: 0 | 1
  /** Place in the palette of the chart's theme. */
  readonly colour: number
  /** In paise in the candles' pane. */
  readonly values: Line
}

export interface Study {
  readonly id: string
  readonly title: string
  readonly lines: (bars: readonly Bar[]) => StudyLine[]
}

const BOLLINGER_LENGTH = 20
const BOLLINGER_DEVIATIONS = 2
const RSI_LENGTH = 14

export const STUDIES: readonly Study[] = [
  mean('sma20', 'SMA 20', 0, (closes) => sma(closes, 20)),
  mean('sma50', 'SMA 50', 1, (closes) => sma(closes, 50)),
  mean('ema9', 'EMA 9', 2, (closes) => ema(closes, 9)),
  mean('ema21', 'EMA 21', 3, (closes) => ema(closes, 21)),
  {
    id: 'vwap',
    title: 'VWAP',
    lines: (bars) => [{ id: 'vwap', title: 'VWAP', pane: 0, colour: 4, values: vwap(bars) }],
  },
  { id: 'bollinger', title: 'Bollinger 20, 2', lines: bands },
  {
    id: 'rsi',
    title: 'RSI 14',
    lines: (bars) => [{ id: 'rsi', title: 'RSI 14', pane: 1, colour: 1, values: rsi(closesOf(bars), RSI_LENGTH) }],
  },
]

export function studyLines(ids: readonly string[], bars: readonly Bar[]): StudyLine[] {
  return STUDIES.filter((study) => ids.includes(study.id)).flatMap((study) => study.lines(bars))
}

function mean(id: string, title: string, colour: number, of: (closes: number[]) => Line): Study {
  return { id, title, lines: (bars) => [{ id, title, pane: 0, colour, values: of(closesOf(bars)) }] }
}

function bands(bars: readonly Bar[]): StudyLine[] {
  const { middle, upper, lower } = bollinger(closesOf(bars), BOLLINGER_LENGTH, BOLLINGER_DEVIATIONS)
  const line = (id: string, title: string, values: Line): StudyLine => ({ id, title, pane: 0, colour: 5, values })
  return [line('bb-upper', 'BB upper', upper), line('bb-middle', 'BB', middle), line('bb-lower', 'BB lower', lower)]
}

function closesOf(bars: readonly Bar[]): number[] {
  return bars.map((bar) => bar.close)
}
