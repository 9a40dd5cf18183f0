/** Ready-made strategies, as ranks of strikes around ATM, and the legs they become on a real list of strikes. */
import type { Right } from './black76'

export interface PresetLeg {
  side: 'BUY' | 'SELL'
  right: Right
  /** Wings away from ATM: 1 is one width above, -2 two below. */
  rank: number
  lots: number
  /** 0 the nearer expiry that was chosen, 1 the one after it. */
  expiry: 0 | 1
}

export interface Preset {
  id: string
  name: string
  view: 'Neutral' | 'Big move' | 'Bullish' | 'Bearish'
  legs: readonly PresetLeg[]
}

export interface PlacedLeg {
  side: 'BUY' | 'SELL'
  right: Right
  strike: number
  lots: number
  expiry: 0 | 1
}

function leg(side: 'BUY' | 'SELL', right: Right, rank: number, lots = 1, expiry: 0 | 1 = 0): PresetLeg {
  return { side, right, rank, lots, expiry }
}

export const PRESETS: readonly Preset[] = [
  { id: 'long-straddle', name: 'Long straddle', view: 'Big move', legs: [leg('BUY', 'CALL', 0), leg('BUY', 'PUT', 0)] },
  {
    id: 'short-straddle',
    name: 'Short straddle',
    view: 'Neutral',
    legs: [leg('SELL', 'CALL', 0), leg('SELL', 'PUT', 0)],
  },
  {
    id: 'long-strangle',
    name: 'Long strangle',
    view: 'Big move',
    legs: [leg('BUY', 'CALL', 1), leg('BUY', 'PUT', -1)],
  },
  {
    id: 'short-strangle',
    name: 'Short strangle',
    view: 'Neutral',
    legs: [leg('SELL', 'CALL', 1), leg('SELL', 'PUT', -1)],
  },
  { id: 'bull-call', name: 'Bull call spread', view: 'Bullish', legs: [leg('BUY', 'CALL', 0), leg('SELL', 'CALL', 1)] },
  { id: 'bull-put', name: 'Bull put spread', view: 'Bullish', legs: [leg('BUY', 'PUT', -1), leg('SELL', 'PUT', 0)] },
  { id: 'bear-put', name: 'Bear put spread', view: 'Bearish', legs: [leg('BUY', 'PUT', 0), leg('SELL', 'PUT', -1)] },
  { id: 'bear-call', name: 'Bear call spread', view: 'Bearish', legs: [leg('BUY', 'CALL', 1), leg('SELL', 'CALL', 0)] },
  {
    id: 'iron-condor',
    name: 'Iron condor',
    view: 'Neutral',
    legs: [leg('BUY', 'PUT', -2), leg('SELL', 'PUT', -1), leg('SELL', 'CALL', 1), leg('BUY', 'CALL', 2)],
  },
  {
    id: 'iron-butterfly',
    name: 'Iron butterfly',
    view: 'Neutral',
    legs: [leg('BUY', 'PUT', -1), leg('SELL', 'PUT', 0), leg('SELL', 'CALL', 0), leg('BUY', 'CALL', 1)],
  },
  {
    id: 'call-butterfly',
    name: 'Call butterfly',
    view: 'Neutral',
    legs: [leg('BUY', 'CALL', -1), leg('SELL', 'CALL', 0, 2), leg('BUY', 'CALL', 1)],
  },
  {
    id: 'call-calendar',
    name: 'Call calendar',
    view: 'Neutral',
    legs: [leg('SELL', 'CALL', 0, 1, 0), leg('BUY', 'CALL', 0, 1, 1)],
  },
]

export function needsTwoExpiries(preset: Preset): boolean {
  return preset.legs.some((each) => each.expiry === 1)
}

/**
 * A preset on the strikes that are listed (sorted), `width` of them to a wing; null where one would lie outside.
 * `atm` is a strike; when it is not listed the nearest one is taken, the lower of two.
 */
export function placedOn(preset: Preset, strikes: readonly number[], atm: number, width: number): PlacedLeg[] | null {
  const centre = nearestIndex(strikes, atm)
  const legs = preset.legs.map(({ side, right, rank, lots, expiry }) => {
    const strike = strikes[centre + rank * width]
    return strike === undefined ? null : { side, right, strike, lots, expiry }
  })
  return legs.every((each) => each !== null) ? legs : null
}

export function nearestIndex(strikes: readonly number[], price: number): number {
  return strikes.reduce((best, strike, index) => {
    const nearest = strikes[best]
    return nearest !== undefined && Math.abs(strike - price) < Math.abs(nearest - price) ? index : best
  }, 0)
}
