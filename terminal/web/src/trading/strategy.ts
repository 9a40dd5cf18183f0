/** PURE: option strategies on live chains: which contract a leg is, what it would be done at, and what is drawn of it. */

import type { Instrument, InstrumentKey, Side } from '../api/types'
import { layoutOf, type ChainAnalytics, type ChainDetails, type Leg as ChainLeg } from '../analytics/chain'
import { paise, rupees } from '../format/price'
import { quoteAt, isStale } from '../state/quote'
import type { TopicState } from '../state/topics'
import type { Right } from './black76'
import type { Leg } from './payoff'
import type { PlacedLeg } from './presets'
import { lotOf, type Countable } from './quantity'

/** One leg as it was chosen. Strike and price in paise; price null: at the market's, when it is placed. */
export interface StrategyLeg {
  id: number
  side: Side
  right: Right
  strike: number
  expiry: string
  lots: number
  price: number | null
}

export interface Underlying extends Countable {
  segment: string
  underlying: string
}

/** An option as its chain tells it; prices in paise, 0: not known. */
export interface Contract {
  instrument: InstrumentKey
  right: Right
  strike: number
  bid: number
  ask: number
  last: number
  /** Per cent; null: it cannot be said. */
  iv: number | null
  stale: boolean
}

/** One expiry. Forward and strikes in paise, rate and volatility as shares. */
export interface ChainView {
  expiry: string
  forward: number | null
  years: number
  rate: number
  atm: number | null
  atmVolatility: number | null
  strikes: readonly number[]
  contracts: ReadonlyMap<string, Contract>
}

export type Views = ReadonlyMap<string, ChainView>

/** What can be drawn, in rupees; `unknown`: legs without contract or price, which are left out of nothing: then null. */
export interface Drawing {
  legs: Leg[]
  forward: number
  rate: number
  volatility: number | null
}

export interface BasketLeg {
  instrument: InstrumentKey
  symbol: string
  side: Side
  order_type: string
  product: string
  quantity: number
  limit_price: string | null
}

export interface Basket {
  id: number
  name: string
  legs: BasketLeg[]
}

const PERCENT = 100
const PAISE = 100
const YEAR_MILLISECONDS = 365 * 24 * 3600 * 1000
/** Of expiries whose chain tells no clock yet: half past three in India, as good as any until the server says. */
const CLOSE = 'T15:30:00+05:30'
const LEAST_YEARS = 1 / 525_600

export function contractKey(strike: number, right: Right): string {
  return `${strike}:${right}`
}

/** A chain's topic as a strategy sees it. `now` is the server's clock in epoch milliseconds. */
export function chainView(topic: TopicState, now: number): ChainView {
  const details = topic.details as unknown as ChainDetails
  const analytics = (topic.values['ANALYTICS'] as ChainAnalytics | undefined) ?? null
  const layout = layoutOf(topic.instruments, details)
  const legs = layout.strikes.flatMap(({ call, put }) => [call, put].filter((leg) => leg !== null))
  const reference = layout.referenceRow === null ? 0 : (quoteAt(topic, layout.referenceRow)?.last_price ?? 0)
  return {
    expiry: details.expiry,
    forward: analytics?.forward ?? (reference || null),
    years: analytics?.years ?? Math.max((Date.parse(details.expiry + CLOSE) - now) / YEAR_MILLISECONDS, LEAST_YEARS),
    rate: (analytics?.rate ?? 0) / PERCENT,
    atm: analytics?.atm_strike ?? details.atm_strike,
    atmVolatility: analytics?.atm_iv ? analytics.atm_iv / PERCENT : null,
    strikes: layout.strikes.map(({ strike }) => strike),
    contracts: new Map(legs.map((leg) => [contractKey(leg.strike, leg.right), contractOf(topic, analytics, leg)])),
  }
}

function contractOf(topic: TopicState, analytics: ChainAnalytics | null, leg: ChainLeg): Contract {
  const quote = quoteAt(topic, leg.topicRow)
  const iv = analytics?.rows[leg.analyticsRow]?.[analytics.columns.indexOf('iv')]
  return {
    instrument: leg.instrument,
    right: leg.right,
    strike: leg.strike,
    bid: quote?.bid_price ?? 0,
    ask: quote?.ask_price ?? 0,
    last: quote?.last_price ?? 0,
    iv: typeof iv === 'number' ? iv : null,
    stale: quote === undefined || isStale(quote),
  }
}

export function contractFor(leg: StrategyLeg, views: Views): Contract | null {
  return views.get(leg.expiry)?.contracts.get(contractKey(leg.strike, leg.right)) ?? null
}

/** What a unit is done at, in paise: the price given, else what the other side asks or bids, else the last. */
export function entryPrice(leg: StrategyLeg, contract: Contract | null): number | null {
  if (leg.price !== null) return leg.price
  if (contract === null) return null
  return (leg.side === 'BUY' ? contract.ask : contract.bid) || contract.last || null
}

export function quantityOf(leg: StrategyLeg, underlying: Countable): number {
  return leg.lots * lotOf(underlying)
}

/** Null while a leg's contract, a price or the forward is not known. The axis is the first expiry's forward. */
export function drawingOf(legs: readonly StrategyLeg[], views: Views, underlying: Countable): Drawing | null {
  const first = legs
    .map((leg) => views.get(leg.expiry))
    .sort((one, other) => (one?.years ?? 0) - (other?.years ?? 0))[0]
  if (!first?.forward) return null
  const drawn = legs.map((leg) => drawnLeg(leg, views, underlying, first.forward ?? 0))
  if (!drawn.every((leg) => leg !== null)) return null
  return { legs: drawn, forward: first.forward / PAISE, rate: first.rate, volatility: first.atmVolatility }
}

function drawnLeg(leg: StrategyLeg, views: Views, underlying: Countable, axis: number): Leg | null {
  const view = views.get(leg.expiry)
  const contract = contractFor(leg, views)
  const price = entryPrice(leg, contract)
  if (!view?.forward || contract === null || price === null) return null
  return {
    kind: leg.right,
    side: leg.side,
    strike: leg.strike / PAISE,
    years: view.years,
    volatility: contract.iv === null ? null : contract.iv / PERCENT,
    price: price / PAISE,
    units: quantityOf(leg, underlying) * underlying.multiplier,
    basis: view.forward / axis,
  }
}

/** A preset's legs as chosen ones, numbered from `id`. */
export function legsFrom(
  placed: readonly PlacedLeg[],
  expiries: readonly [string, string?],
  id: number,
): StrategyLeg[] {
  return placed.map(({ side, right, strike, lots, expiry }, place) => ({
    id: id + place,
    side,
    right,
    strike,
    lots,
    expiry: expiries[expiry] ?? expiries[0],
    price: null,
  }))
}

// --- as a basket ----------------------------------------------------------------------------------

/** Null: a leg has no contract in the chains that are known. */
export function basketLegs(
  legs: readonly StrategyLeg[],
  views: Views,
  underlying: Countable,
  product: string,
): object[] | null {
  const rows = legs.map((leg) => {
    const contract = contractFor(leg, views)
    if (contract === null) return null
    const { side, price } = leg
    return {
      instrument: contract.instrument,
      side,
      order_type: price === null ? 'MARKET' : 'LIMIT',
      product,
      quantity: quantityOf(leg, underlying),
      ...(price !== null && { limit_price: rupees(price) }),
    }
  })
  return rows.every((row) => row !== null) ? rows : null
}

/** The legs as `POST margin` asks for them, at the prices they would be done at. */
export function marginLegs(
  legs: readonly StrategyLeg[],
  views: Views,
  underlying: Countable,
  product: string,
): object[] | null {
  const rows = legs.map((leg) => {
    const contract = contractFor(leg, views)
    const price = entryPrice(leg, contract)
    if (contract === null || price === null) return null
    const { instrument } = contract
    return { instrument, side: leg.side, product, quantity: quantityOf(leg, underlying), price: rupees(price) }
  })
  return rows.every((row) => row !== null) ? hedgesFirst(rows) : null
}

/** What is bought comes first, as the server places it: what is sold then leans on it. */
function hedgesFirst<Row extends { side: Side }>(rows: readonly Row[]): Row[] {
  return [...rows.filter(({ side }) => side === 'BUY'), ...rows.filter(({ side }) => side === 'SELL')]
}

/** A kept basket as legs; null when it holds something else than options of one underlying in whole lots. */
export function legsOfBasket(
  basket: Basket,
  listings: ReadonlyMap<InstrumentKey, Instrument>,
): { underlying: Underlying; legs: StrategyLeg[] } | null {
  const first = listings.get(basket.legs[0]?.instrument ?? '')
  if (first === undefined) return null
  const { segment, underlying_symbol: symbol, lot_size, multiplier } = first
  const underlying = { segment, underlying: symbol, lot_size, multiplier }
  const legs = basket.legs.map((leg, id) => legOfBasket(leg, listings.get(leg.instrument), underlying, id))
  return legs.every((leg) => leg !== null) ? { underlying, legs } : null
}

function legOfBasket(
  leg: BasketLeg,
  listing: Instrument | undefined,
  underlying: Underlying,
  id: number,
): StrategyLeg | null {
  if (!listing?.option_type || listing.strike === null || listing.expiry === null) return null
  if (listing.segment !== underlying.segment || listing.underlying_symbol !== underlying.underlying) return null
  const lots = leg.quantity / lotOf(underlying)
  const strike = paise(listing.strike)
  if (!Number.isInteger(lots) || strike === null) return null
  const price = leg.limit_price === null ? null : paise(leg.limit_price)
  return { id, side: leg.side, right: listing.option_type, strike, expiry: listing.expiry, lots, price }
}
