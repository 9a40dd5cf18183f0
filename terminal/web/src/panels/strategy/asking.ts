/** What the strategy builder asks of the server. */

import { useEffect, useState } from 'preact/hooks'

import { api, ApiError, withQuery } from '../../api/rest'
import type { Page } from '../../api/types'
import { paise } from '../../format/price'
import type { Basket, Underlying } from '../../trading/strategy'

const QUIET_MILLISECONDS = 400
const MOST = 200

/** As `GET underlyings` has it. */
export interface Listed extends Underlying {
  instrument_type: string
}

const KINDS = ['OPTIDX', 'OPTFUT', 'OPTSTK']

export interface Expiries {
  expiries: string[]
}

/** In paise. */
export interface BasketMargin {
  total: number
  alone: number
  benefit: number
  available: number
  isEstimate: boolean
}

export interface LegReport {
  instrument: string
  side: string
  quantity: number
  code: string
  message: string
}

export interface Preview {
  total: string | null
  without_benefit: string | null
  benefit: string | null
  available: string
  sufficient: boolean | null
  legs: LegReport[]
}

interface MarginAnswer {
  total: string
  alone: string
  benefit: string
  available: string
  together: { is_estimate: boolean }
}

/** Indices first, then commodities, then shares: as often as they are built on. */
export async function underlyings(): Promise<Listed[]> {
  const found: Listed[] = []
  for (let page = 1, more = true; more; page += 1) {
    const answer = await api.get<Page<Listed>>(withQuery('underlyings', { page, page_size: MOST }))
    found.push(...answer.results)
    more = answer.next !== null
  }
  return found.sort((one, other) => KINDS.indexOf(one.instrument_type) - KINDS.indexOf(other.instrument_type))
}

export async function expiriesOf({ segment, underlying }: Underlying): Promise<string[]> {
  return (await api.get<Expiries>(withQuery('expiries', { segment, underlying }))).expiries
}

export async function basketsOf(account: number): Promise<Basket[]> {
  return (await api.get<Page<Basket>>(withQuery('baskets', { account, page_size: MOST }))).results
}

export function saveBasket(basket: number | null, account: number, name: string, legs: object[]): Promise<Basket> {
  if (basket === null) return api.post<Basket>('baskets', { account, name, legs })
  return api.patch<Basket>(`baskets/${basket}`, { name, legs })
}

export function deleteBasket(basket: number): Promise<unknown> {
  return api.delete(`baskets/${basket}`)
}

export function previewBasket(basket: number): Promise<Preview> {
  return api.post<Preview>(`baskets/${basket}/preview`)
}

export function placeBasket(basket: number, reference: string): Promise<{ orders: { id: number }[] }> {
  return api.post(`baskets/${basket}/place`, { client_reference: reference })
}

/** The report leg by leg of a basket that was refused; null: it failed otherwise. */
export function reportOf(error: unknown): LegReport[] | null {
  if (!(error instanceof ApiError) || error.code !== 'BASKET_REFUSED') return null
  return error.details['legs'] as LegReport[]
}

export interface MarginState {
  margin: BasketMargin | null
  error: unknown
  old: boolean
}

const NOTHING: MarginState = { margin: null, error: undefined, old: false }

/** Asked a moment after the legs changed. `shape` says what they are, without prices that move: those alone ask nothing. */
export function useMargin(account: number | null, legs: object[] | null, shape: string): MarginState {
  const [state, setState] = useState<MarginState>(NOTHING)
  const isWhole = legs !== null && legs.length > 0 && account !== null
  useEffect(() => {
    if (!isWhole) {
      setState(NOTHING)
      return undefined
    }
    let asked = true
    setState((before) => ({ ...before, old: true }))
    const timer = setTimeout(() => {
      api.post<MarginAnswer>('margin', { account, orders: legs }).then(
        (answer) => asked && setState({ margin: marginFrom(answer), error: undefined, old: false }),
        (error: unknown) => asked && setState({ ...NOTHING, error }),
      )
    }, QUIET_MILLISECONDS)
    return () => {
      asked = false
      clearTimeout(timer)
    }
  }, [account, shape, isWhole])
  return state
}

function marginFrom({ total, alone, benefit, available, together }: MarginAnswer): BasketMargin {
  return {
    total: paise(total) ?? 0,
    alone: paise(alone) ?? 0,
    benefit: paise(benefit) ?? 0,
    available: paise(available) ?? 0,
    isEstimate: together.is_estimate,
  }
}
