/** Lots and units of one instrument, and prices on its tick. Whole numbers only. */

/** What is needed of an instrument: REST's words, prices in paise. */
export interface Countable {
  segment: string
  lot_size: number
  multiplier: number
}

/** Steps of a price at once with Shift held. */
const LEAP = 10

/** The quantity of one lot: MCX counts in lots already. */
export function lotOf(instrument: Countable): number {
  return instrument.segment === 'MCX_COMM' ? 1 : Math.max(instrument.lot_size, 1)
}

/** Whether lots say more than units do: not of a share. */
export function tradesInLots(instrument: Countable): boolean {
  return instrument.segment === 'MCX_COMM' || instrument.lot_size > 1
}

export function quantityOfLots(lots: number, instrument: Countable): number {
  return lots * lotOf(instrument)
}

/** Whole lots in a quantity; null when it is not whole. */
export function lotsOf(quantity: number, instrument: Countable): number | null {
  const lots = quantity / lotOf(instrument)
  return Number.isInteger(lots) ? lots : null
}

/** What a quantity is worth at a price, in the price's unit. */
export function valueOf(quantity: number, price: number, instrument: Countable): number {
  return quantity * price * instrument.multiplier
}

export function isOnTick(price: number, tick: number): boolean {
  return price % Math.max(tick, 1) === 0
}

/** The next price on the tick above or below, never under one tick. */
export function stepped(price: number, tick: number, direction: 1 | -1, leaps = false): number {
  const step = Math.max(tick, 1)
  const exact = price / step
  const next = direction > 0 ? Math.floor(exact) + 1 : Math.ceil(exact) - 1
  return Math.max(next + (leaps ? direction * (LEAP - 1) : 0), 1) * step
}

/** The nearest price on the tick. */
export function snapped(price: number, tick: number): number {
  const step = Math.max(tick, 1)
  return Math.max(Math.round(price / step), 1) * step
}
