/** An option chain as rows by strike: what each cell says, from a topic's rows and the analytics told with them. Pure. */

export type Right = 'CALL' | 'PUT'

/** One contract of the chain: where its row is in the topic, and in the analytics' rows. */
export interface Leg {
  readonly instrument: string
  readonly right: Right
  readonly strike: number
  readonly topicRow: number
  readonly analyticsRow: number
}

export interface StrikeRow {
  readonly strike: number
  readonly call: Leg | null
  readonly put: Leg | null
}

export interface ChainLayout {
  readonly strikes: readonly StrikeRow[]
  /** The topic's row of the reference; null when it shows none. */
  readonly referenceRow: number | null
}

/** What a chain topic's snapshot says beside its rows. */
export interface ChainDetails {
  readonly underlying: string
  readonly expiry: string
  readonly reference: string | null
  readonly atm_strike: number | null
  readonly strikes: readonly number[]
  readonly option_types: readonly Right[]
}

/** The ANALYTICS value of a chain topic: prices in paise, IV in percent, theta a day, vega a point. */
export interface ChainAnalytics {
  readonly model: string
  readonly rate: number
  readonly rate_date: string | null
  readonly at: number
  readonly years: number | null
  readonly forward: number | null
  readonly forward_source: 'FUTURE' | 'SYNTHETIC' | null
  readonly synthetic_future: number | null
  readonly atm_strike: number | null
  readonly atm_iv: number | null
  readonly straddle: number | null
  readonly pcr_oi: number | null
  readonly pcr_volume: number | null
  readonly max_pain: number | null
  readonly iv_rank: number | null
  readonly iv_rank_reason: string | null
  readonly columns: readonly string[]
  readonly rows: readonly (readonly (number | string | null)[])[]
}

export function layoutOf(instruments: readonly string[], details: ChainDetails): ChainLayout {
  const first = instruments.length - details.strikes.length
  const rows = new Map<number, { strike: number; call: Leg | null; put: Leg | null }>()
  details.strikes.forEach((strike, index) => {
    const right = details.option_types[index] as Right
    const instrument = instruments[first + index] as string
    const leg = { instrument, right, strike, topicRow: first + index, analyticsRow: index }
    const row = rows.get(strike) ?? { strike, call: null, put: null }
    rows.set(strike, right === 'CALL' ? { ...row, call: leg } : { ...row, put: leg })
  })
  const strikes = [...rows.values()].sort((one, other) => one.strike - other.strike)
  return { strikes, referenceRow: first > 0 ? 0 : null }
}

/** The strike nearest to a price, the lower of two that are as near; null without strikes or price. */
export function nearestStrike(strikes: readonly StrikeRow[], price: number): number | null {
  if (price <= 0 || strikes.length === 0) return null
  return strikes.reduce((best, row) => (Math.abs(row.strike - price) < Math.abs(best.strike - price) ? row : best))
    .strike
}

/** The strike at the money: as the analytics have it, else nearest to the reference, else as resolved this morning. */
export function atmStrike(
  layout: ChainLayout,
  analytics: ChainAnalytics | null,
  referencePrice: number,
  resolved: number | null,
): number | null {
  return analytics?.atm_strike ?? nearestStrike(layout.strikes, referencePrice) ?? resolved
}

export interface SmilePoint {
  readonly strike: number
  readonly iv: number
}

/** Implied volatility by strike; both rights of a strike share it, so either tells. */
export function smileOf(layout: ChainLayout, analytics: ChainAnalytics): SmilePoint[] {
  const column = analytics.columns.indexOf('iv')
  return layout.strikes.flatMap(({ strike, call, put }) => {
    const iv = [call, put].map((leg) => leg && analytics.rows[leg.analyticsRow]?.[column])
    const known = iv.find((value) => typeof value === 'number')
    return typeof known === 'number' ? [{ strike, iv: known }] : []
  })
}

const DAYS_A_YEAR = 365
const HOURS = 24
const MINUTES = 60

/** `4 d 6 h`, `3 h 20 m`, `12 m`; the clock of the analytics, in calendar time. */
export function timeToExpiry(years: number): string {
  const minutes = Math.max(0, Math.round(years * DAYS_A_YEAR * HOURS * MINUTES))
  const days = Math.floor(minutes / (HOURS * MINUTES))
  const hours = Math.floor(minutes / MINUTES) % HOURS
  if (days > 0) return `${days} d ${hours} h`
  return hours > 0 ? `${hours} h ${minutes % MINUTES} m` : `${minutes} m`
}

/** Why there is no implied volatility, as a sentence for a title. */
export const IV_REASONS: Readonly<Record<string, string>> = {
  NO_PRICE: 'No price to compute it from',
  WIDE_SPREAD: 'Bid and ask are too far apart',
  STALE: 'The last price is too old',
  BELOW_INTRINSIC: 'The price is below intrinsic value',
  EXPIRED: 'Expired',
  NO_FORWARD: 'No future and no synthetic future',
}

export const BUILD_UPS: Readonly<Record<string, { short: string; title: string; rising: boolean }>> = {
  LONG_BUILDUP: { short: 'LB', title: 'Long build-up: price up, open interest up', rising: true },
  SHORT_COVERING: { short: 'SC', title: 'Short covering: price up, open interest down', rising: true },
  SHORT_BUILDUP: { short: 'SB', title: 'Short build-up: price down, open interest up', rising: false },
  LONG_UNWINDING: { short: 'LU', title: 'Long unwinding: price down, open interest down', rising: false },
}
