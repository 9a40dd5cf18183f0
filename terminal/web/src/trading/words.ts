/** The words of orders as REST and the account's facts carry them, and how a screen says them. */

import type { Side } from '../api/types'

export type Product = 'CNC' | 'INTRADAY' | 'MARGIN' | 'MTF'
export type OrderType = 'LIMIT' | 'MARKET' | 'STOP_LOSS' | 'STOP_LOSS_MARKET'
export type Validity = 'DAY' | 'IOC'
export type OrderStatus =
  | 'QUEUED'
  | 'TRANSIT'
  | 'TRIGGER_PENDING'
  | 'OPEN'
  | 'PARTIALLY_FILLED'
  | 'FILLED'
  | 'CANCELLED'
  | 'REJECTED'
  | 'EXPIRED'
  | 'UNKNOWN'

export const SIDE_WORDS: Record<Side, string> = { BUY: 'Buy', SELL: 'Sell' }
export const PRODUCT_WORDS: Record<Product, string> = {
  CNC: 'Delivery',
  INTRADAY: 'Intraday',
  MARGIN: 'Carry over',
  MTF: 'Funded',
}
export const ORDER_TYPE_WORDS: Record<OrderType, string> = {
  LIMIT: 'Limit',
  MARKET: 'Market',
  STOP_LOSS: 'Stop limit',
  STOP_LOSS_MARKET: 'Stop market',
}
export const VALIDITY_WORDS: Record<Validity, string> = { DAY: 'Day', IOC: 'Immediate or cancel' }
export const STATUS_WORDS: Record<OrderStatus, string> = {
  QUEUED: 'Waiting',
  TRANSIT: 'On its way',
  TRIGGER_PENDING: 'Trigger pending',
  OPEN: 'Open',
  PARTIALLY_FILLED: 'Partly filled',
  FILLED: 'Filled',
  CANCELLED: 'Cancelled',
  REJECTED: 'Rejected',
  EXPIRED: 'Expired',
  UNKNOWN: 'Outcome unknown',
}

const ENDED: ReadonlySet<string> = new Set(['FILLED', 'CANCELLED', 'REJECTED', 'EXPIRED'])

/** The words of a value; one that is newer than this page says itself. */
export function said(words: Readonly<Record<string, string>>, value: string): string {
  return words[value] ?? value
}

export function isLive(status: string): boolean {
  return !ENDED.has(status)
}

export function hasLimit(type: string): boolean {
  return type === 'LIMIT' || type === 'STOP_LOSS'
}

export function hasTrigger(type: string): boolean {
  return type === 'STOP_LOSS' || type === 'STOP_LOSS_MARKET'
}

export function opposite(side: Side): Side {
  return side === 'BUY' ? 'SELL' : 'BUY'
}

export const ROLE_WORDS: Readonly<Record<string, string>> = {
  SINGLE: '',
  ENTRY: 'Bracket entry',
  TARGET: 'Target',
  STOP: 'Stop',
  SLICE: 'Slice',
  LEG: 'Basket leg',
}
