/** PURE: what an instrument is called in a book: two expiries of a month have one symbol, and must not look alike. */

import type { Instrument, InstrumentKey } from '../api/types'

const DAY = new Intl.DateTimeFormat('en-GB', { timeZone: 'UTC', day: '2-digit', month: 'short', year: '2-digit' })
/** NIFTY 10 FEB 25800 CALL */
const CONTRACT = /^(\S+) (\d\d) ([A-Z]{3}) (.+)$/
const EQUITIES = /^(NSE_EQ|BSE_EQ|IDX_I)\./
const RIGHTS = { CALL: 'CE', PUT: 'PE' } as const

/** NIFTY 10 Feb 26 25800 CE, CRUDEOIL 19 Feb 26 FUT, RELIANCE; a key while its listing is not known. */
export function nameOf(listing: Instrument | undefined, key: InstrumentKey): string {
  if (listing === undefined) return key
  const { expiry, strike, option_type: right, underlying_symbol: underlying, symbol } = listing
  if (expiry === null) return symbol
  const day = shortDay(expiry)
  if (right === null || strike === null) return `${underlying} ${day} FUT`
  return `${underlying} ${day} ${strike.replace(/\.00$/, '')} ${RIGHTS[right]}`
}

/** Of who has no listing at hand: the listed name of a contract tells its day, as its symbol may not. */
export function labelOf({ instrument, symbol, name }: { instrument: InstrumentKey; symbol: string; name: string }): string {
  const [, underlying, day, month, rest] = CONTRACT.exec(name) ?? []
  if (EQUITIES.test(instrument) || !underlying || !month || !rest) return symbol
  const right = rest.replace(/CALL$/, 'CE').replace(/PUT$/, 'PE')
  return `${underlying} ${day} ${month.charAt(0)}${month.slice(1).toLowerCase()} ${right}`
}

/** 2026-02-10 -> 10 Feb 26 */
export function shortDay(iso: string): string {
  return DAY.format(new Date(`${iso}T00:00:00Z`)).replace('Sept', 'Sep')
}
