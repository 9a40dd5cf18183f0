/** What the REST API and the websocket carry. Prices are paise on the websocket, rupee text in REST. */

export type InstrumentKey = string
/** NSE_FNO.49081 */

export type Json = null | boolean | number | string | readonly Json[] | { readonly [name: string]: Json | undefined }

// --- REST -----------------------------------------------------------------------------------------

export interface Page<Row> {
  count: number
  next: string | null
  previous: string | null
  results: Row[]
}

export interface User {
  id: number
  username: string
  first_name: string
  last_name: string
  roles: string[]
  second_factor: boolean
}

export interface Instrument {
  instrument: InstrumentKey
  segment: string
  security_id: number
  instrument_type: string
  symbol: string
  name: string
  underlying_symbol: string
  expiry: string | null
  strike: string | null
  option_type: 'CALL' | 'PUT' | null
  lot_size: number
  tick_size: string
  multiplier: number
  freeze_quantity: number | null
  lower_limit: string | null
  upper_limit: string | null
  isin: string
  series: string
  is_listed: boolean
  listed_on: string | null
}

export interface TradingAccount {
  id: number
  name: string
  can_trade: boolean
}

export interface SegmentStatus {
  segment: string
  phase: string
  open: string | null
  close: string | null
  holiday: string
}

export interface MarketStatus {
  exchange_time: string
  master_date: string | null
  segments: SegmentStatus[]
}

export interface Watchlist {
  id: number
  name: string
  position: number
  item_count: number
  live_on: string | null
}

export interface WatchlistItem {
  id: number
  instrument: InstrumentKey
  symbol: string
  name: string
  instrument_only: boolean
  position: number
  live: boolean
  not_live: string | null
}

export interface WatchlistDetail extends Watchlist {
  items: WatchlistItem[]
}

export interface Layout {
  version: number
  layout: { readonly [name: string]: Json | undefined }
}

// --- the websocket --------------------------------------------------------------------------------

export type Row = readonly number[]

export interface SnapshotPart {
  topic: string
  id: number
  epoch: string
  sequence: number
  kind: string
  columns: string[]
  instruments: InstrumentKey[]
  rows: Row[]
  details: Readonly<Record<string, unknown>>
  gap: boolean
  offset?: number
}

export type UpdatePart = [id: number, from: number, to: number, rows: [place: number, ...values: number[]][]]

export interface FeedPart {
  feed: number
  state: 'LIVE' | 'STALE' | 'DOWN'
  since: number
  gap: boolean
}

export type Fact = readonly [offset: number, kind: string, body: Readonly<Record<string, unknown>>]

export interface FactsPart {
  topic: string
  id: number
  from: number
  to: number
  facts: Fact[]
}

export interface ValuesPart {
  topic: string
  id: number
  values: [kind: string, body: unknown][]
}

export type Part = SnapshotPart | UpdatePart | FeedPart | FactsPart | ValuesPart

export interface Frame {
  type: 'frame'
  frame: number
  sent_at: number
  parts: Part[]
  positions?: Record<string, number>
}

export interface Welcome {
  type: 'welcome'
  connection: string
  window: { frames: number; bytes: number }
  rate: number
  heartbeat_seconds: number
  retry_milliseconds: number
}

export interface SocketError {
  type: 'error'
  code: string
  message: string
  details: { topics?: readonly string[]; topic?: string; limit?: number; wanted?: number }
}

export interface Pong {
  type: 'pong'
  id: number | null
  sent_at: number
}

export type Message = Welcome | Frame | SocketError | Pong

// --- an account's facts (paise, epoch milliseconds) -----------------------------------------------

export type Side = 'BUY' | 'SELL'

export interface OrderBody {
  id: number
  sequence: number
  client_reference: string | null
  instrument: InstrumentKey
  side: Side
  order_type: string
  validity: string
  product: string
  quantity: number
  filled_quantity: number
  average_price: number | null
  disclosed_quantity: number | null
  limit_price: number | null
  trigger_price: number | null
  protection_price: number | null
  triggered: boolean
  status: string
  reason_code: string
  reason: string
  source: string
  group: number | null
  role: string
  after_market: boolean
  forever: boolean
  reduces: boolean
  cancel_requested: boolean
  modify_requested: boolean
  release_at: number | null
  trading_date: string
  placed_at: number
  updated_at: number
}

export interface TradeBody {
  order: number
  number: number
  instrument: InstrumentKey
  side: Side
  product: string
  quantity: number
  price: number
  multiplier: number
  at: number
}

export interface PositionBody {
  instrument: InstrumentKey
  product: string
  quantity: number
  average_price: number | null
  open_cost: number
  multiplier: number
  realised_pnl: number
  day_buy_quantity: number
  day_buy_value: number
  day_sell_quantity: number
  day_sell_value: number
  carried_quantity: number
  carried_price: number | null
  trading_date: string
}

export interface FundsBody {
  cash: number
  held_margin: number
  used_margin: number
  available: number
  floor: number
  deficit: number
}

export interface RefusalBody {
  order: number
  client_reference: string | null
  instrument: InstrumentKey
  code: string
  message: string
  details: Readonly<Record<string, unknown>>
  at: number
}
