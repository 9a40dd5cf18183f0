/** Quantities and lots as text. */

import { UNKNOWN } from './price'

const GROUPED = new Intl.NumberFormat('en-IN')

export function quantity(units: number | null | undefined): string {
  return units === null || units === undefined ? UNKNOWN : GROUPED.format(units)
}

/** 195 units of 65 -> "3 lots"; what is no whole number of lots stays in units. */
export function lots(units: number, lotSize: number): string {
  if (lotSize <= 1 || units % lotSize) return quantity(units)
  const count = units / lotSize
  return `${quantity(count)} ${Math.abs(count) === 1 ? 'lot' : 'lots'}`
}
