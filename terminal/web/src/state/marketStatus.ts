/** The exchange's clock and each segment's phase, asked for every half minute and counted on between. */

import { signal } from '@preact/signals'

import { api } from '../api/rest'
import type { MarketStatus, SegmentStatus } from '../api/types'
import { serverOffset } from './store'

const EVERY_MILLISECONDS = 30_000

export const marketStatus = signal<MarketStatus | null>(null)
/** Add this to this machine's clock to have the exchange's. */
export const exchangeOffset = signal(0)

const WORDS: Record<string, string> = {
  CLOSED: 'Closed',
  CANCEL_ONLY: 'Cancel only',
  PRE_OPEN: 'Pre-open',
  PRE_OPEN_LIMIT_ONLY: 'Pre-open',
  PRE_OPEN_MATCHING: 'Pre-open matching',
  BUFFER: 'About to open',
  CONTINUOUS: 'Open',
  CLOSING_REFERENCE: 'Closing',
  CLOSING_AUCTION: 'Closing auction',
  CLOSING_LIMIT_ONLY: 'Closing auction',
  CLOSING_MATCHING: 'Closing matching',
  POST_CLOSE: 'Post-close',
}

const SEGMENTS: Record<string, string> = {
  NSE_EQ: 'NSE shares',
  NSE_FNO: 'NSE derivatives',
  NSE_CURRENCY: 'NSE currency',
  BSE_EQ: 'BSE shares',
  BSE_FNO: 'BSE derivatives',
  BSE_CURRENCY: 'BSE currency',
  MCX_COMM: 'MCX commodities',
  IDX_I: 'Indices',
}

export function phaseWord(phase: string): string {
  return WORDS[phase] ?? phase
}

export function segmentWord(segment: string): string {
  return SEGMENTS[segment] ?? segment
}

/** What the bar shows without being opened: the cash-and-derivatives market and the commodities. */
export function headlines(status: MarketStatus): [name: string, segment: SegmentStatus][] {
  const wanted: [string, string][] = [
    ['NSE', 'NSE_FNO'],
    ['MCX', 'MCX_COMM'],
  ]
  return wanted.flatMap(([name, segment]) => {
    const found = status.segments.find((each) => each.segment === segment)
    return found ? [[name, found] as [string, SegmentStatus]] : []
  })
}

export function exchangeNow(): number {
  return Date.now() + exchangeOffset.value
}

/** A moment of the server's clock as the exchange counts it: the same, but in a simulation. */
export function onExchangeClock(moment: number): number {
  return moment - serverOffset.value + exchangeOffset.value
}

/** Keep asking until the returned function is called. */
export function followMarketStatus(): () => void {
  void load()
  const timer = setInterval(() => void load(), EVERY_MILLISECONDS)
  return () => clearInterval(timer)
}

async function load(): Promise<void> {
  try {
    const asked = Date.now()
    const status = await api.get<MarketStatus>('market-status')
    exchangeOffset.value = Date.parse(status.exchange_time) - (asked + Date.now()) / 2
    marketStatus.value = status
  } catch {
    // The last one stays, its clock runs on, and the connection's state says that the server is away.
  }
}
