/** Indicators over closed bars and the running one: arrays in, arrays of the same length out, null until enough is known. */

import { dayStart, type Bar } from './bars'

export type Line = (number | null)[]

/** Mean of the last `length` values. */
export function sma(values: readonly number[], length: number): Line {
  let sum = 0
  return values.map((value, index) => {
    sum += value - (index >= length ? (values[index - length] as number) : 0)
    return index + 1 < length ? null : sum / length
  })
}

/** Exponential mean with weight 2 / (length + 1), started from the simple mean of the first `length` values. */
export function ema(values: readonly number[], length: number): Line {
  const weight = 2 / (length + 1)
  const start = sma(values.slice(0, length), length).at(-1) ?? null
  let mean = start
  return values.map((value, index) => {
    if (mean === null || index + 1 < length) return null
    if (index + 1 > length) mean += (value - mean) * weight
    return mean
  })
}

/** Volume-weighted mean of typical prices since the day began; null while nothing was traded. */
export function vwap(bars: readonly Bar[]): Line {
  let day = Number.NaN
  let value = 0
  let volume = 0
  return bars.map((bar) => {
    if (dayStart(bar.time) !== day) [day, value, volume] = [dayStart(bar.time), 0, 0]
    value += ((bar.high + bar.low + bar.close) / 3) * bar.volume
    volume += bar.volume
    return volume === 0 ? null : value / volume
  })
}

/** Wilder's relative strength index: 0 to 100. */
export function rsi(values: readonly number[], length: number): Line {
  let gain = 0
  let loss = 0
  return values.map((value, index) => {
    if (index === 0) return null
    const change = value - (values[index - 1] as number)
    const past = index <= length ? 1 : (length - 1) / length
    gain = gain * past + Math.max(change, 0) / length
    loss = loss * past + Math.max(-change, 0) / length
    return index < length ? null : strength(gain, loss)
  })
}

function strength(gain: number, loss: number): number {
  if (gain === 0 && loss === 0) return 50
  return 100 - 100 / (1 + gain / loss)
}

export interface Bands {
  readonly middle: Line
  readonly upper: Line
  readonly lower: Line
}

/** Bollinger's bands: the simple mean, and as many standard deviations (of the population) to each side. */
export function bollinger(values: readonly number[], length: number, deviations: number): Bands {
  const middle = sma(values, length)
  const width = middle.map((mean, index) =>
    mean === null ? null : deviations * spread(values.slice(index + 1 - length, index + 1), mean),
  )
  return {
    middle,
    upper: middle.map((mean, index) => (mean === null ? null : mean + (width[index] as number))),
    lower: middle.map((mean, index) => (mean === null ? null : mean - (width[index] as number))),
  }
}

function spread(values: readonly number[], mean: number): number {
  return Math.sqrt(values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / values.length)
}
