/** PURE fold of an account's facts: what is on order, traded, held, and the money. Prices in paise. */

import type { Fact, FundsBody, OrderBody, PositionBody, TradeBody } from '../api/types'

export interface PnlValue {
  unrealised: number
  realised: number
  at: number
  positions: readonly unknown[]
}

export interface AccountState {
  readonly id: number
  readonly name: string
  /** The last fact folded in. */
  readonly offset: number
  readonly funds: FundsBody
  /** Newest last. Orders that ended since the snapshot stay, with how they ended. */
  readonly orders: ReadonlyMap<number, OrderBody>
  readonly trades: ReadonlyMap<string, TradeBody>
  readonly positions: ReadonlyMap<string, PositionBody>
}

interface AccountDetails {
  name: string
  funds: FundsBody
  positions?: PositionBody[]
  orders?: OrderBody[]
  trades?: TradeBody[]
}

export function fromSnapshot(id: number, details: Readonly<Record<string, unknown>>, offset: number): AccountState {
  const told = details as unknown as AccountDetails
  return {
    id,
    name: told.name,
    offset,
    funds: told.funds,
    orders: new Map((told.orders ?? []).map((order) => [order.id, order])),
    trades: new Map((told.trades ?? []).map((trade) => [tradeKey(trade), trade])),
    positions: new Map((told.positions ?? []).map((position) => [positionKey(position), position])),
  }
}

/** Facts that were folded already are skipped, so a part that comes twice changes nothing. */
export function foldFacts(state: AccountState, facts: readonly Fact[]): AccountState {
  return facts.reduce((before, fact) => (fact[0] > before.offset ? foldFact(before, fact) : before), state)
}

function foldFact(state: AccountState, [offset, kind, body]: Fact): AccountState {
  const after = { ...state, offset }
  switch (kind) {
    case 'ORDER':
      return { ...after, orders: withOrder(state.orders, body as unknown as OrderBody) }
    case 'TRADE':
      return { ...after, trades: withTrade(state.trades, body as unknown as TradeBody) }
    case 'POSITION':
      return { ...after, positions: withPosition(state.positions, body as unknown as PositionBody) }
    case 'FUNDS':
      return { ...after, funds: body as unknown as FundsBody }
    default:
      return after // REFUSAL and ALERT change no book; notifications tell of them
  }
}

function withOrder(orders: ReadonlyMap<number, OrderBody>, order: OrderBody): ReadonlyMap<number, OrderBody> {
  return new Map(orders).set(order.id, order)
}

function withTrade(trades: ReadonlyMap<string, TradeBody>, trade: TradeBody): ReadonlyMap<string, TradeBody> {
  return new Map(trades).set(tradeKey(trade), trade)
}

function withPosition(
  positions: ReadonlyMap<string, PositionBody>,
  position: PositionBody,
): ReadonlyMap<string, PositionBody> {
  return new Map(positions).set(positionKey(position), position)
}

export function tradeKey(trade: TradeBody): string {
  return `${trade.order}:${trade.number}`
}

export function positionKey(position: { instrument: string; product: string }): string {
  return `${position.instrument}:${position.product}`
}
