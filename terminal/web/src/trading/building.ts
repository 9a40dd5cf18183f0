/** The strategy that is being built: kept while the page is open, so that a chain can add to it from beside. */

import { signal } from '@preact/signals'

import type { Side } from '../api/types'
import type { Right } from './black76'
import type { StrategyLeg, Underlying } from './strategy'
import type { Product } from './words'

export interface Building {
  underlying: Underlying | null
  legs: readonly StrategyLeg[]
  product: Product
  /** The kept basket that it is; null: it was not kept yet. */
  basket: number | null
  name: string
}

/** What a basket of the server holds. */
export const MOST_LEGS = 20

const EMPTY: Building = { underlying: null, legs: [], product: 'MARGIN', basket: null, name: '' }

export const building = signal<Building>(EMPTY)

let lastId = 0

export function nextLegId(count = 1): number {
  lastId += count
  return lastId - count + 1
}

export function build(changes: Partial<Building>): void {
  building.value = { ...building.value, ...changes }
}

/** Another underlying begins another strategy. */
export function chooseUnderlying(underlying: Underlying): void {
  const { product } = building.value
  building.value = { ...EMPTY, product, underlying }
}

/** One leg more, from wherever a contract is shown. */
export function addToStrategy(
  underlying: Underlying,
  leg: { side: Side; right: Right; strike: number; expiry: string },
): void {
  const now = building.value.underlying
  if (now?.segment !== underlying.segment || now.underlying !== underlying.underlying) chooseUnderlying(underlying)
  if (building.value.legs.length >= MOST_LEGS) return
  build({ legs: [...building.value.legs, { ...leg, id: nextLegId(), lots: 1, price: null }] })
}

export function changeLeg(id: number, changes: Partial<StrategyLeg>): void {
  build({ legs: building.value.legs.map((leg) => (leg.id === id ? { ...leg, ...changes } : leg)) })
}

export function removeLeg(id: number): void {
  build({ legs: building.value.legs.filter((leg) => leg.id !== id) })
}
