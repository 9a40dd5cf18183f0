/** PURE: from figures to places on a chart, and the round figures to write beside it. */

export interface Scale {
  from: number
  to: number
  /** Pixels; `end` may lie before `start`, as upward on a screen. */
  start: number
  end: number
}

const ROUND_STEPS = [1, 2, 2.5, 5, 10]
/** How far beside the outermost strikes and the forward a payoff is shown, as a share of the forward. */
const LEAST_SIDE = 0.02
const SIDE_OF_SPAN = 0.6
const ROOM = 0.08

export function placeOf(scale: Scale, value: number): number {
  return scale.start + ((value - scale.from) / (scale.to - scale.from)) * (scale.end - scale.start)
}

export function valueAt(scale: Scale, place: number): number {
  return scale.from + ((place - scale.start) / (scale.end - scale.start)) * (scale.to - scale.from)
}

/** Round figures inside a range, about so many. */
export function ticks(from: number, to: number, about: number): number[] {
  const rough = (to - from) / Math.max(about, 1)
  if (!(rough > 0)) return []
  const power = 10 ** Math.floor(Math.log10(rough))
  const step = (ROUND_STEPS.find((each) => each * power >= rough) ?? 10) * power
  const first = Math.ceil(from / step)
  return Array.from({ length: Math.floor(to / step) - first + 1 }, (_, index) => (first + index) * step)
}

/** The prices that a payoff is worth being seen at: strikes and forward in the middle, with room beside. */
export function shownPrices(strikes: readonly number[], forward: number): readonly [number, number] {
  const low = Math.min(forward, ...strikes)
  const high = Math.max(forward, ...strikes)
  const side = Math.max((high - low) * SIDE_OF_SPAN, forward * LEAST_SIDE)
  return [Math.max(low - side, 0), high + side]
}

/** A range around figures and zero, with room above and below. */
export function roomAround(values: readonly number[]): readonly [number, number] {
  const low = Math.min(0, ...values)
  const high = Math.max(0, ...values)
  const room = (high - low || 1) * ROOM
  return [low - room, high + room]
}
